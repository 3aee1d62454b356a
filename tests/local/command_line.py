"""Runs the command line in this process or as a real one, against simulators of a small world.

Method: ``main`` is what the process calls; only signals, the terminal and the end of a process need a real process.
"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.cli.__main__ import main
from local.cli.home import Home, environment_of
from local.cli.output import Output
from local.cli.workplace import opened
from local.embedded_store import ENDPOINT_VARIABLE, read_store, running_store, store_client
from local.simulators import ConnectWiseSimulator, MimecastSimulator, World, scaled_world
from local.simulators.credentials import (
    CONNECTWISE_CLIENT_ID,
    CONNECTWISE_COMPANY_ID,
    CONNECTWISE_PRIVATE_KEY,
    CONNECTWISE_PUBLIC_KEY,
    MIMECAST_CLIENT_ID,
    MIMECAST_CLIENT_SECRET,
    PASSPHRASE_CANARY,
)
from local.template import local_deployment
from tests.simulation.auditor import Evidence, Report, audit, writes_of
from trueup import bootstrap

PROJECT = Path(__file__).resolve().parents[2]
PRODUCT = "MIME-EMAIL-S1"
SERVICES = {"9702": PRODUCT, "9731": "MIME-AWARE"}

DIFFERENCES = {0: 1, 1: -1}
"""How far the agreement of the first clients is off: one seat too few billed, and one too many."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document it must be."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Machine:
    """One home with the vendors it is connected to."""

    home: Path
    mimecast: MimecastSimulator
    connectwise: ConnectWiseSimulator
    world: World

    @property
    def environment(self) -> dict[str, str]:
        return {
            "TRUEUP_HOME": str(self.home),
            "TRUEUP_ALLOW_LOOPBACK": "1",
            "SIM_SECRET": MIMECAST_CLIENT_SECRET,
            "SIM_KEY": CONNECTWISE_PRIVATE_KEY,
        }

    @property
    def connect_mimecast(self) -> list[str]:
        return ["connect", "mimecast", "--url", self.mimecast.url, "--client-id", MIMECAST_CLIENT_ID,
                "--client-secret-env", "SIM_SECRET"]  # fmt: skip

    @property
    def connect_connectwise(self) -> list[str]:
        return ["connect", "connectwise", "--url", self.connectwise.url, "--company", CONNECTWISE_COMPANY_ID,
                "--public-key", CONNECTWISE_PUBLIC_KEY, "--private-key-env", "SIM_KEY",
                "--client-id", CONNECTWISE_CLIENT_ID]  # fmt: skip

    def __call__(self, *words: str, **variables: str) -> Said:
        """The command in this process."""
        return said(*words, **self.environment, **variables)

    def process(self, *words: str, **variables: str) -> Said:
        """The command as a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "local.cli", *words],
            env=os.environ | self.environment | variables,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def stored(self) -> list[str]:
        """Every item of the table, so that two readings can be compared."""
        with running_store(self.home) as endpoint:
            table = local_deployment().table()["TableName"]
            pages = store_client(endpoint).get_paginator("scan").paginate(TableName=table)
            return sorted(repr(sorted(item.items())) for page in pages for item in page["Items"])


def said(*words: str, **variables: str) -> Said:
    """One command in this process, with that environment."""
    before = dict(os.environ)
    out, err = io.StringIO(), io.StringIO()
    os.environ.update(variables)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(list(words))
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Said(code, out.getvalue(), err.getvalue())


@contextmanager
def machine(home: Path, clients: int = 8) -> Iterator[Machine]:
    """A fresh home, its store kept running, and both vendors with one client to correct and one that is held back.

    The others are in line. At the end the invariants are checked on what the home holds.
    """
    world = scaled_world(clients)
    for number, (code, account) in enumerate(sorted(world.accounts.items())):
        world.set_agreed_seats(code, _billed(world, account.name) + DIFFERENCES.get(number, 0))
    with (
        # A store that the caller of the tests names would be shared by all of them.
        environment_of({ENDPOINT_VARIABLE: ""}),
        MimecastSimulator(world) as mimecast,
        ConnectWiseSimulator(world) as connectwise,
        running_store(home),
    ):
        there = Machine(home, mimecast, connectwise, world)
        yield there
        require_sound(there.home, world)


def require_sound(home: Path, world: World | Mapping[str, Any]) -> Report:
    """What the auditor says of a home and the writes its PSA has had; raises AssertionError when it finds something."""
    with environment_of({"TRUEUP_ALLOW_LOOPBACK": "1"}), opened(Home(home), Output(as_json=True)) as workplace:
        log = Home(home).log
        report = audit(
            Evidence(
                workplace.state,
                writes=writes_of(world),
                policy=bootstrap.reconciliation_policy(),
                texts=[log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""],
                secrets=(MIMECAST_CLIENT_SECRET, CONNECTWISE_PRIVATE_KEY, PASSPHRASE_CANARY),
            )
        )
    report.require_sound()
    return report


def _billed(world: World, name: str) -> int:
    """What the client of that name is billed for e-mail security."""
    (company,) = (company for company in world.companies.values() if company.name == name)
    (agreement,) = (agreement for agreement in world.agreements.values() if agreement.company_id == company.id)
    return int(next(line for line in world.lines_of(agreement.id) if line.product_id == 560).quantity)


def month_until_mapped(there: Machine) -> None:
    """Connect, sync, map the services."""
    for words in (there.connect_mimecast, there.connect_connectwise, ["sync"]):
        done = there(*words)
        assert done.code == 0, done.err
    for service, product in SERVICES.items():
        done = there("map", "service", service, product)
        assert done.code == 0, done.err


def is_running(pid: int) -> bool:
    """Whether a process with that id lives (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


def store_pid(home: Path) -> int | None:
    store = read_store(home)
    return None if store is None else store.pid
