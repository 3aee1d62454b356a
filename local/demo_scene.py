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
from local.simulator_process import RunningSimulators, running_simulators
from local.simulators.credentials import CONNECTWISE_PRIVATE_KEY, MIMECAST_CLIENT_SECRET
from trueup.domain.errors import Conflict

MARKER = "demo.json"
WORLD_FOLDER = "world"
SECRET_VARIABLE, KEY_VARIABLE = "DEMO_MIMECAST_SECRET", "DEMO_CONNECTWISE_KEY"


def demo_home(folder: Path | None) -> Home:
    if folder is not None:
        return Home(folder.expanduser().absolute())
    return Home.chosen() if os.environ.get(HOME_VARIABLE) else Home(ROOT / ".local" / "demo")


def claim(home: Home, *, fresh: bool) -> None:
    """Mark the folder as a demo's. Raises Conflict when it holds anything else's state."""
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
    marker.write_text(json.dumps({"purpose": "the state of trueup demo; it may be deleted"}) + "\n", encoding="utf-8")


@contextmanager
def scene(home: Home, stage: Output) -> Iterator[tuple[RunningSimulators, Workplace]]:
    """The vendors play, the state is open, and calls to this machine are allowed for as long as it lasts."""
    variables = {
        HOME_VARIABLE: str(home.path),
        "TRUEUP_ALLOW_LOOPBACK": "1",
        SECRET_VARIABLE: MIMECAST_CLIENT_SECRET,
        KEY_VARIABLE: CONNECTWISE_PRIVATE_KEY,
    }
    with (
        environment_of(variables),
        running_simulators(home.path / WORLD_FOLDER) as simulators,
        opened(home, stage) as workplace,
    ):
        for integration in workplace.state.integrations.all():
            if integration.address and "127.0.0.1" not in integration.address:
                raise Conflict(
                    f"this state is connected to {integration.address}, which is no simulator",
                    remedy="Unset AWS_ENDPOINT_URL_DYNAMODB, or play the demo in another folder.",
                )
        yield simulators, workplace
