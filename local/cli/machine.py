"""What runs on this machine until it is told to stop: the demo, the local system, the simulators."""

from __future__ import annotations

import importlib
import signal
import threading
from argparse import Namespace
from pathlib import Path

from local.cli import EXIT_DONE
from local.cli.home import Home
from local.cli.output import Output
from trueup.domain.errors import InputInvalid


def demo(arguments: Namespace, output: Output) -> int:
    from local.demo import play

    return play(Path(arguments.home) if arguments.home is not None else None, fresh=arguments.fresh, output=output)


def serve(arguments: Namespace, output: Output) -> int:
    """The front door is loaded by name, because it pulls in every function of the template."""
    home = Home.chosen()
    home.prepare()
    front_door = importlib.import_module("local.front_door")
    code = front_door.serve(home.path, arguments.port)
    return code if isinstance(code, int) else EXIT_DONE


def simulators(arguments: Namespace, output: Output) -> int:
    """Both vendors on loopback, with the commands that connect them."""
    from local.simulator_process import CONNECT_EXAMPLE, running_simulators

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
    with running_simulators(folder, world=world, latency_seconds=arguments.latency_seconds) as running:
        output.document({"mimecast": running.mimecast, "connectwise": running.connectwise, "pid": running.pid})
        output.line(f"Mimecast is simulated at {running.mimecast}", "bold")
        output.line(f"ConnectWise is simulated at {running.connectwise}", "bold")
        output.line()
        output.line("Connect them in another terminal:")
        for line in CONNECT_EXAMPLE.format(mimecast=running.mimecast, connectwise=running.connectwise).splitlines():
            output.line(f"  {line}")
        output.line()
        output.line("Ctrl-C stops them; the world is kept.")
        stopped = threading.Event()
        before = signal.signal(signal.SIGINT, lambda _number, _frame: stopped.set())
        try:
            while not stopped.wait(0.5):
                running.require_alive()
        finally:
            signal.signal(signal.SIGINT, before)
    return EXIT_DONE
