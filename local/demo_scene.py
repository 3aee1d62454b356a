"""Where the demo plays: a state folder of its own, the simulated vendors, and the opened system.

Must not: touch a state folder that is not a demo's, or state that is connected to real accounts.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.cli.home import HOME_VARIABLE, ROOT, Home, environment_of
from local.cli.output import Output, shown
from local.cli.workplace import Workplace, opened
from local.embedded_store import running_store
from local.simulator_process import (
    RunningSimulators,
    connect_microsoft365_command,
    connect_mimecast_command,
    connect_psa_command,
    running_simulators,
)
from local.simulators.psas import DEFAULT_PSA, SIMULATED_PSAS
from trueup.domain.errors import Conflict

MARKER = "demo.json"
WORLD_FOLDER = "world"


def demo_home(folder: Path | None, psa: str) -> Home:
    """The folder that was named, or one of that PSA's own."""
    if folder is not None:
        return Home(folder.expanduser().absolute())
    name = "demo" if psa == DEFAULT_PSA else f"demo-{psa}"
    return Home.chosen() if os.environ.get(HOME_VARIABLE) else Home(ROOT / ".local" / name)


def claim(home: Home, psa: str, *, fresh: bool) -> None:
    """Mark the folder as a demo's with that PSA. Raises Conflict when it holds anything else's state."""
    marker = home.path / MARKER
    own_files = {"writer.lock", "trueup.log"}
    strangers = [item for item in home.path.iterdir() if item.name not in own_files]
    if strangers and not marker.exists():
        raise Conflict(
            f"{shown(home.path, 200)} is in use and not by a demo",
            remedy="Name another folder: trueup demo --home FOLDER.",
        )
    if fresh and marker.exists():
        # A store that outlived a killed demo is found and stopped here, before its data is removed.
        with running_store(home.path):
            pass
        for item in sorted(home.path.iterdir()):
            if item.name in own_files or item == marker:
                continue
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            else:
                item.unlink()
    elif marker.exists() and (played := _played_with(marker)) != psa:
        raise Conflict(
            f"{shown(home.path, 200)} holds a demo with {SIMULATED_PSAS[played].label}",
            remedy="Name another folder with --home, or begin anew with --fresh.",
        )
    purpose = {"purpose": "the state of trueup demo; it may be deleted", "psa": psa}
    marker.write_text(json.dumps(purpose) + "\n", encoding="utf-8")


def _played_with(marker: Path) -> str:
    """The PSA of the demo before; a marker that names none is of the time before there was a choice."""
    try:
        named = json.loads(marker.read_text(encoding="utf-8")).get("psa", DEFAULT_PSA)
    except (ValueError, AttributeError):
        return DEFAULT_PSA
    return named if named in SIMULATED_PSAS else DEFAULT_PSA


@contextmanager
def scene(home: Home, psa: str, stage: Output) -> Iterator[tuple[RunningSimulators, Workplace]]:
    """The vendors play, the state is open, and calls to this machine are allowed for as long as it lasts."""
    with (
        environment_of({HOME_VARIABLE: str(home.path), "TRUEUP_ALLOW_LOOPBACK": "1"}),
        running_simulators(home.path / WORLD_FOLDER, psa=psa) as simulators,
        environment_of(_secrets(simulators)),
        opened(home, stage) as workplace,
    ):
        for integration in workplace.state.integrations.all():
            if integration.address and "127.0.0.1" not in integration.address:
                raise Conflict(
                    f"this state is connected to {integration.address}, which is no simulator",
                    remedy="Unset AWS_ENDPOINT_URL_DYNAMODB, or play the demo in another folder.",
                )
        yield simulators, workplace


def _secrets(simulators: RunningSimulators) -> dict[str, str]:
    """The variables that the connect commands name."""
    commands = (
        connect_mimecast_command(simulators.mimecast),
        connect_psa_command(simulators.psa, simulators.psa_url),
        connect_microsoft365_command(simulators.microsoft365),
    )
    return {name: value for command in commands for name, value in command.variables}
