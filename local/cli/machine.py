"""What runs on this machine until it is told to stop: the demo, the local system, the simulators."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.cli import EXIT_DONE
from local.cli.home import Home, log_to
from local.cli.output import Output
from trueup.domain.errors import InputInvalid

_POLL_SECONDS = 0.5


def demo(arguments: Namespace, output: Output) -> int:
    from local.demo import play

    folder = Path(arguments.home) if arguments.home is not None else None
    return play(folder, psa=arguments.psa, fresh=arguments.fresh, output=output)


def serve(arguments: Namespace, output: Output) -> int:
    """The front door is loaded by name, because it pulls in every function of the template."""
    home = Home.chosen()
    home.prepare()
    log_to(home)
    front_door = importlib.import_module("local.front_door")
    if not output.as_json:
        front_door.serve(home.path, arguments.port)
        return EXIT_DONE
    with _until_stopped() as stopped, front_door.running_system(home.path, arguments.port) as url:
        output.document({"url": url, "pid": os.getpid()})
        while not stopped.wait(_POLL_SECONDS):
            continue
    return EXIT_DONE


@contextmanager
def _until_stopped() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, for what is meant to run until then: being stopped is no failure."""
    stopped = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda _number, _frame: stopped.set()) for number in numbers]
    try:
        yield stopped
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def simulators(arguments: Namespace, output: Output) -> int:
    """Mimecast, one PSA and Microsoft 365 on loopback, with the commands that connect them. All look at one world."""
    from local.simulator_process import (
        connect_microsoft365_command,
        connect_mimecast_command,
        connect_psa_command,
        running_simulators,
    )

    world = arguments.world
    if world != "demo" and not (world.isascii() and world.isdigit() and 0 < int(world[:9]) <= 100_000):
        raise InputInvalid(
            f"--world cannot be {world[:40]!r}", field="world", remedy="Give demo, or a number of clients."
        )
    if not 0 <= arguments.latency_seconds <= 60:
        raise InputInvalid("--latency-seconds must lie between 0 and 60", field="latency-seconds")
    home = Home.chosen()
    home.prepare()
    folder = home.path / "simulators"
    with (
        _until_stopped() as stopped,
        running_simulators(
            folder, psa=arguments.psa, world=world, latency_seconds=arguments.latency_seconds
        ) as running,
    ):
        told = {"mimecast": running.mimecast, "psa": running.psa_url, running.psa.name: running.psa_url}
        output.document({**told, "microsoft365": running.microsoft365, "pid": running.pid})
        output.line(f"Mimecast is simulated at {running.mimecast}", "bold")
        output.line(f"{running.psa.label} is simulated at {running.psa_url}", "bold")
        output.line(f"Microsoft 365 is simulated at {running.microsoft365}", "bold")
        output.line()
        output.line("Connect them in another terminal:")
        commands = (
            connect_mimecast_command(running.mimecast),
            connect_psa_command(running.psa, running.psa_url),
            connect_microsoft365_command(running.microsoft365),
        )
        secrets = " ".join(f"{name}={value}" for command in commands for name, value in command.variables)
        output.line(f"  export TRUEUP_ALLOW_LOOPBACK=1 {secrets}")
        for command in commands:
            output.line(f"  trueup {' '.join(command.words)}")
        output.line()
        output.line("Ctrl-C stops them; the world is kept.")
        while not stopped.wait(_POLL_SECONDS):
            running.require_alive()
    return EXIT_DONE
