"""The simulated vendors as a child process that ends with its parent, however the parent ends.

Method: the child stops when its standard input ends, so not even ``kill -9`` of the parent leaves one behind; its world
is a file and goes on where it was. Must not: end any process but the child it started itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from local.cli.home import ROOT, Home
from local.cli.parser_connecting import option_of
from local.simulators.credentials import MICROSOFT365_FIELDS, MIMECAST_CLIENT_ID, MIMECAST_CLIENT_SECRET
from local.simulators.psas import DEFAULT_PSA, SIMULATED_PSAS, SimulatedPsa
from trueup.domain.errors import ConfigurationInvalid
from trueup.domain.integrations import CREDENTIAL_FIELDS, IntegrationName

WORLD_FILE = "world.json"
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class RunningSimulators:
    """Where Mimecast, the PSA and Microsoft 365 listen, and the child that plays them."""

    mimecast: str
    psa: SimulatedPsa
    psa_url: str
    microsoft365: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def require_alive(self) -> None:
        """Raises ConfigurationInvalid when the child has ended by itself."""
        if self.process.poll() is not None:
            raise ConfigurationInvalid("the simulators have stopped", remedy="Look at their log and start them again.")


@dataclass(frozen=True, slots=True)
class ConnectCommand:
    """What connects one simulated vendor: the words after ``trueup``, and the variables that hold the secrets."""

    words: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]


def connect_mimecast_command(url: str) -> ConnectCommand:
    """The command that connects the simulated Mimecast."""
    return _command(
        IntegrationName.MIMECAST, url, {"client_id": MIMECAST_CLIENT_ID, "client_secret": MIMECAST_CLIENT_SECRET}
    )


def connect_psa_command(psa: SimulatedPsa, url: str) -> ConnectCommand:
    """The command that connects the simulated PSA."""
    return _command(IntegrationName(psa.name), url, psa.fields)


def connect_microsoft365_command(url: str) -> ConnectCommand:
    """The command that connects the simulated Microsoft 365."""
    return _command(IntegrationName.MICROSOFT365, url, MICROSOFT365_FIELDS)


def _command(name: IntegrationName, url: str, credential: Mapping[str, str]) -> ConnectCommand:
    """Open fields are typed; each secret goes through a variable of its own."""
    words, variables = ["connect", name.value, "--url", url], []
    for field in CREDENTIAL_FIELDS[name]:
        value = credential[field.name]
        if field.secret:
            variable = f"SIM_{name.value}_{field.name}".upper()
            variables.append((variable, value))
            value = variable
        words += [option_of(field), value]
    return ConnectCommand(tuple(words), tuple(variables))


@contextmanager
def running_simulators(
    folder: Path, *, psa: str = DEFAULT_PSA, world: str = "demo", latency_seconds: float = 0.0
) -> Iterator[RunningSimulators]:
    """Mimecast, that PSA and Microsoft 365 with the world of that folder, on the ports they had last time where those
    are free.

    Raises LeaseHeld when the folder's world is being played already, ConfigurationInvalid when they do not start.
    """
    with Home(folder).writing("the simulators"):
        options = ["--psa", psa, "--world", world, "--latency-seconds", str(latency_seconds)]
        running = _start(folder, psa, options + _last_ports(folder, psa)) or _start(folder, psa, options)
        if running is None:
            raise ConfigurationInvalid("the simulators do not start", remedy=f"Look into {folder / 'simulators.log'}.")
        try:
            yield running
        finally:
            _stop(running.process)


def _last_ports(folder: Path, psa: str) -> list[str]:
    """The ports as options, so that what was connected stays connected; another PSA gets a port of its own."""
    options: list[str] = []
    try:
        known = json.loads((folder / "ready.json").read_text(encoding="utf-8"))
        named = (("mimecast", "--mimecast-port"), (psa, "--psa-port"), ("microsoft365", "--microsoft365-port"))
        for name, option in named:
            if name in known:
                options += [option, str(int(known[name].rpartition(":")[2]))]
    except (OSError, ValueError, AttributeError):
        return []  # the first start, or a file that says nothing; any ports do
    return options


def _start(folder: Path, psa: str, options: list[str]) -> RunningSimulators | None:
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
        return RunningSimulators(told["mimecast"], SIMULATED_PSAS[psa], told["psa"], told["microsoft365"], process)
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
