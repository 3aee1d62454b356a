"""The simulated vendors as a child process that ends with its parent, however the parent ends.

Method: the child stops when its standard input ends, so not even ``kill -9`` of the parent leaves one behind; its world
is a file and goes on where it was. Must not: end any process but the child it started itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from local.cli.home import ROOT, Home
from local.simulators.credentials import (
    CONNECTWISE_CLIENT_ID,
    CONNECTWISE_COMPANY_ID,
    CONNECTWISE_PRIVATE_KEY,
    CONNECTWISE_PUBLIC_KEY,
    MIMECAST_CLIENT_ID,
    MIMECAST_CLIENT_SECRET,
)
from trueup.domain.errors import ConfigurationInvalid

WORLD_FILE = "world.json"
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02

CONNECT_EXAMPLE = f"""\
export TRUEUP_ALLOW_LOOPBACK=1 SIM_SECRET={MIMECAST_CLIENT_SECRET} SIM_KEY={CONNECTWISE_PRIVATE_KEY}
trueup connect mimecast --url {{mimecast}} --client-id {MIMECAST_CLIENT_ID} --client-secret-env SIM_SECRET
trueup connect connectwise --url {{connectwise}} --company {CONNECTWISE_COMPANY_ID} \\
  --public-key {CONNECTWISE_PUBLIC_KEY} --private-key-env SIM_KEY --client-id {CONNECTWISE_CLIENT_ID}"""


@dataclass(frozen=True, slots=True)
class RunningSimulators:
    """Where both vendors listen, and the child that plays them."""

    mimecast: str
    connectwise: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def require_alive(self) -> None:
        """Raises ConfigurationInvalid when the child has ended by itself."""
        if self.process.poll() is not None:
            raise ConfigurationInvalid("the simulators have stopped", remedy="Look at their log and start them again.")


@contextmanager
def running_simulators(
    folder: Path, *, world: str = "demo", latency_seconds: float = 0.0
) -> Iterator[RunningSimulators]:
    """Both vendors with the world of that folder, on the ports they had last time where those are free.

    Raises LeaseHeld when the folder's world is being played already, ConfigurationInvalid when they do not start.
    """
    with Home(folder).writing("the simulators"):
        options = ["--world", world, "--latency-seconds", str(latency_seconds)]
        running = _start(folder, options + _last_ports(folder)) or _start(folder, options)
        if running is None:
            raise ConfigurationInvalid("the simulators do not start", remedy=f"Look into {folder / 'simulators.log'}.")
        try:
            yield running
        finally:
            _stop(running.process)


def _last_ports(folder: Path) -> list[str]:
    """The ports as options, so that what was connected stays connected."""
    try:
        known = json.loads((folder / "ready.json").read_text(encoding="utf-8"))
        ports = [int(known[name].rpartition(":")[2]) for name in ("mimecast", "connectwise")]
    except (OSError, ValueError, KeyError, AttributeError):
        return []  # the first start, or a file that says nothing; any ports do
    return ["--mimecast-port", str(ports[0]), "--connectwise-port", str(ports[1])]


def _start(folder: Path, options: list[str]) -> RunningSimulators | None:
    """None when the child ended at once, for instance because a port is taken."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    files = ["--state", str(folder / WORLD_FILE), "--ready-file", str(ready), "--until-stdin-ends"]
    with (folder / "simulators.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "local.simulators", *options, *files],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            # Found from the project folder, or from the path the environment names.
            cwd=ROOT,
            # A session of its own: Ctrl-C in the terminal is the parent's to answer.
            start_new_session=True,
        )
    try:
        end = time.monotonic() + _START_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > end:
                _stop(process)
                return None
            time.sleep(_POLL_SECONDS)
        told = json.loads(ready.read_text(encoding="utf-8"))
        return RunningSimulators(told["mimecast"], told["connectwise"], process)
    except BaseException:
        _stop(process)
        raise


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Close its standard input, ask, and force only what does not answer."""
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()
    for end in (process.terminate, process.kill):
        if process.poll() is not None:
            return
        end()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
