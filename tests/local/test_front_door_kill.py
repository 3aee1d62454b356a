"""The front door is killed while a run is under way, and started again: the run ends, and nothing is applied twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from local.embedded_store import read_store
from local.front_door.serving import READY_FILE
from local.simulators import ConnectWiseSimulator, MimecastSimulator, World, credentials, running, scaled_world
from local.simulators.demo_world import SERVICE_TO_PRODUCT
from tests.local.command_line import require_sound

PROJECT = Path(__file__).resolve().parents[2]
CLIENTS = 10
SECONDS = 60


@dataclass
class Machine:
    """One state folder with a front door that may be killed, and the vendors, which live on."""

    home: Path
    mimecast: MimecastSimulator
    connectwise: ConnectWiseSimulator
    process: subprocess.Popen[bytes] | None = None

    @property
    def world(self) -> World:
        return self.connectwise.world

    def start(self) -> None:
        """Start the front door and wait until it answers."""
        (self.home / READY_FILE).unlink(missing_ok=True)
        with (self.home / "front_door.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local.front_door", "--home", str(self.home), "--no-schedules"],
                cwd=PROJECT,
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith(("TRUEUP_", "AWS_"))},
                    "PYTHONPATH": os.pathsep.join((str(PROJECT), str(PROJECT / "layers" / "core"))),
                    "TRUEUP_ALLOW_LOOPBACK": "1",
                },
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self.until(lambda: (self.home / READY_FILE).is_file(), "the front door to be ready")

    def kill(self, *, store_too: bool = False) -> None:
        """As a power cut does it: no handler runs, nothing is flushed."""
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        self.process.kill()
        self.process.wait(timeout=60)
        store = read_store(self.home)
        if store_too and store is not None and store.kind == "dynoxide":
            os.kill(store.pid, signal.SIGKILL)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=90)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        url = json.loads((self.home / READY_FILE).read_text())["url"]
        reply = requests.request(method, url + path, json=body, timeout=90)
        assert reply.status_code < 300, f"{method} {path}: {reply.status_code} {reply.text}"
        return reply.json()

    def until[Value](self, look: Callable[[], Value], what: str) -> Value:
        """Look until there is something."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            assert self.process is None or self.process.poll() is None, self.log()
            time.sleep(0.03)
        raise AssertionError(f"waited {SECONDS} s for {what}\n{self.log()}")

    def run_in(self, run_id: str, *states: str) -> Any:
        """The run, once it is in one of these states."""

        def look() -> Any:
            run = self.call("GET", f"/v1/runs/{run_id}")
            assert run["state"] != "failed", (run, self.log())
            return run if run["state"] in states else None

        return self.until(look, f"run {run_id} to be {states}")

    def log(self) -> str:
        lines = (self.home / "front_door.log").read_text(errors="replace").splitlines()
        return "\n".join([line for line in lines if "GET /v1/runs/" not in line][-40:])


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    world = scaled_world(CLIENTS)
    for line in list(world.additions.values())[:6]:
        world.edit_addition(line.id, quantity=line.quantity - 1)
    with _machine(tmp_path, world) as made:
        yield made


@contextmanager
def _machine(home: Path, world: World) -> Iterator[Machine]:
    with running(MimecastSimulator(world)) as mimecast, running(ConnectWiseSimulator(world)) as connectwise:
        machine = Machine(home, mimecast, connectwise)
        machine.start()
        try:
            yield machine
        finally:
            if machine.process is not None and machine.process.poll() is None:
                machine.stop()
        require_sound(home, world)


def mapped(machine: Machine) -> None:
    """Connect, read once, map the services."""
    fields = {
        "mimecast": {
            "client_id": credentials.MIMECAST_CLIENT_ID,
            "client_secret": credentials.MIMECAST_CLIENT_SECRET,
        },
        "connectwise": {
            "company_id": credentials.CONNECTWISE_COMPANY_ID,
            "public_key": credentials.CONNECTWISE_PUBLIC_KEY,
            "private_key": credentials.CONNECTWISE_PRIVATE_KEY,
            "client_id": credentials.CONNECTWISE_CLIENT_ID,
        },
    }
    for name, url in (("mimecast", machine.mimecast.url), ("connectwise", machine.connectwise.url)):
        machine.call("PUT", f"/v1/integrations/{name}", {"address": url, "fields": fields[name]})
    machine.run_in(machine.call("POST", "/v1/runs")["id"], "done", "waiting_for_approval")
    for service, product in SERVICE_TO_PRODUCT.items():
        machine.call("PUT", f"/v1/service-mappings/{service}", {"product_id": product})


def decided(machine: Machine, plan_id: str) -> Any:
    plan = machine.call("GET", f"/v1/plans/{plan_id}")
    machine.call("POST", f"/v1/plans/{plan_id}/approve", {"checksum": plan["checksum"]})
    return machine.call("POST", f"/v1/plans/{plan_id}/apply", {"checksum": plan["checksum"]})


def require_applied_once(machine: Machine, plan: Any) -> None:
    """Every change has its result, every line its target, and no line was written twice."""
    ready = {int(change["line_id"]): change for change in plan["changes"] if not change["guard"]}
    assert len(ready) >= 4
    written = Counter(int(write.line_id) for write in machine.world.writes)
    assert written == Counter(dict.fromkeys(ready, 1))
    for line_id, change in ready.items():
        assert change["result"]["outcome"] == "applied", change
        assert machine.world.additions[line_id].quantity == change["to"]


@pytest.mark.slow
@pytest.mark.parametrize("store_too", [False, True], ids=["door", "door-and-store"])
def test_a_run_that_was_killed_ends_after_the_restart_and_nothing_is_applied_twice(
    machine: Machine, store_too: bool
) -> None:
    mapped(machine)
    run_id = machine.call("POST", "/v1/integrations/mimecast/finish")["run"]["id"]

    # While both sides are read.
    machine.until(lambda: machine.connectwise.requests.total > 30, "the read to be under way")
    machine.kill(store_too=store_too)
    machine.start()
    waiting = machine.run_in(run_id, "waiting_for_approval")

    # While it waits for a person.
    machine.kill(store_too=store_too)
    machine.start()
    assert machine.run_in(run_id, "waiting_for_approval")["plan_id"] == waiting["plan_id"]
    decided(machine, waiting["plan_id"])

    # While changes are written, twice.
    for wanted in (1, 3):
        machine.until(lambda count=wanted: len(machine.world.writes) >= count, f"{wanted} writes")  # type: ignore[misc]
        machine.kill(store_too=store_too)
        machine.start()
    machine.run_in(run_id, "done")
    require_applied_once(machine, machine.call("GET", f"/v1/plans/{waiting['plan_id']}"))
    assert machine.stop() == 0


@pytest.mark.slow
def test_what_was_answered_is_carried_out_although_the_door_was_killed_at_once(machine: Machine) -> None:
    mapped(machine)
    run_id = machine.call("POST", "/v1/integrations/mimecast/finish")["run"]["id"]
    machine.kill()
    machine.start()
    plan_id = machine.run_in(run_id, "waiting_for_approval")["plan_id"]
    decided(machine, plan_id)
    machine.kill()
    machine.start()
    machine.run_in(run_id, "done")
    require_applied_once(machine, machine.call("GET", f"/v1/plans/{plan_id}"))


@pytest.mark.slow
def test_stopping_in_good_order_leaves_a_run_to_the_next_start(machine: Machine) -> None:
    mapped(machine)
    run_id = machine.call("POST", "/v1/integrations/mimecast/finish")["run"]["id"]
    assert machine.stop() == 0
    assert not (machine.home / READY_FILE).exists()
    machine.start()
    assert machine.run_in(run_id, "waiting_for_approval")["plan_id"]
