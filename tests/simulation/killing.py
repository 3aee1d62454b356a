"""A month by the real command, one process after another, each of which may be killed together with the store.

Method: the next command is worked out from what is stored, as a person would after a power cut; a killed command is
never told. What a command acknowledged (it ended well, or printed a result) is kept as a fact that must hold ever
after. Must not: kill a process that was not started here.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.cli.home import Home, environment_of
from local.cli.output import Output
from local.cli.workplace import opened
from local.embedded_store import read_store
from tests.local.command_line import PROJECT, SERVICES, Machine, Said, is_running
from tests.simulation.auditor import Evidence, Report, audit, writes_of
from tests.simulation.simulated import SECRETS
from trueup import bootstrap
from trueup.domain.audit import AuditEvent
from trueup.domain.billing import WriteOutcome
from trueup.domain.integrations import ConnectionState, Integration
from trueup.domain.mapping import MappingState, ServiceEntry
from trueup.domain.plan import Plan, PlanState
from trueup.ports.state_bundle import State

IN_THIS_PROCESS = threading.Lock()
"""Opening a home sets this process's environment, which another month must not see meanwhile."""

ENDED_WELL = (0, 2)
STARTS_OVER = 0.15
"""How often a person begins a new run where the interrupted command could be repeated."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored, read once after a command."""

    state: State
    events: list[AuditEvent]
    plans: dict[str, Plan]
    newest_plan: Plan | None
    services: dict[str, ServiceEntry]
    integrations: dict[str, Integration]

    @classmethod
    def read(cls, state: State) -> Stored:
        plans = state.plan_index.latest(500)
        return cls(
            state=state,
            events=list(state.history.all()),
            plans={plan.id: plan for plan in plans},
            newest_plan=plans[0] if plans else None,
            services={str(entry.service_id): entry for entry in state.services.all()},
            integrations={item.name.value: item for item in state.integrations.all()},
        )

    @property
    def connection_states(self) -> set[ConnectionState]:
        return {item.state for item in self.integrations.values()}


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was acknowledged."""

    name: str
    holds: Callable[[Stored], bool]


@dataclass
class KilledMonth:
    """One home that is killed again and again. ``kills`` counts commands that were alive when they were killed."""

    there: Machine
    rng: random.Random
    kills: int = 0
    commands: Counter[str] = field(default_factory=Counter)
    killed_commands: Counter[str] = field(default_factory=Counter)
    facts: list[Fact] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    wants_run: bool = True
    is_settled: bool = False
    durations: dict[str, float] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    report: Report = field(default_factory=Report)

    # What comes next.

    def next_command(self, stored: Stored) -> list[str]:
        """Worked out from the store alone, and from whether the world has moved since the last run."""
        for name, words in (
            ("mimecast", self.there.connect_mimecast),
            ("connectwise", self.there.connect_connectwise),
        ):
            if stored.integrations[name].state is ConnectionState.NOT_CONNECTED:
                return words
        if not stored.services:
            return ["sync"]
        for service, product in SERVICES.items():
            if stored.services[service].state is MappingState.UNMAPPED:
                return ["map", "service", service, product]
        if ConnectionState.PENDING in stored.connection_states:
            return ["finish"]
        if stored.newest_plan is None or self.wants_run or self.rng.random() < STARTS_OVER:
            return ["run"]
        return self._of_plan(stored.newest_plan)

    def _of_plan(self, plan: Plan) -> list[str]:
        if plan.state is PlanState.PROPOSED and plan.held:
            return ["plan", "release", plan.id, plan.held[0].id, "--reason", "confirmed"]
        if plan.state is PlanState.PROPOSED and plan.changes:
            return ["plan", "approve", plan.id, "--checksum", plan.checksum]
        if plan.state is PlanState.APPROVED:
            return ["plan", "apply", plan.id, "--checksum", plan.checksum]
        self.is_settled = True
        return ["run"]

    def customers_grow(self, clients: int) -> None:
        """Some agreements get one seat more: another month's work, and no quantity ever comes twice."""
        codes = self.rng.sample(sorted(self.there.world.accounts), clients)
        for code in codes:
            contract = self.there.world.contract_of(code)
            assert contract is not None
            self.there.world.set_agreed_seats(code, contract.lines[0].quantity + 1)
        self.wants_run, self.is_settled = True, False

    # Doing it.

    def carry_out(self, words: list[str]) -> Said:
        """The command to its end."""
        began = time.monotonic()
        done = self._start(words)
        out, err = done.communicate(timeout=120)
        said = Said(done.returncode, out, err)
        name = _name(words)
        self.durations[name] = time.monotonic() - began
        self.commands[name] += 1
        self.texts += [said.out, said.err]
        assert said.code in ENDED_WELL, f"{words}: {said.code} {said.err}"
        assert "Traceback" not in said.err
        self._acknowledge(words, said.document)
        return said

    def kill(self, words: list[str]) -> bool:
        """Begin the command and kill it with the store at a random point; whether it was alive until then."""
        child = self._start(words)
        self._wait_for_the_moment(words, child)
        self._kill_store()
        was_alive = child.poll() is None
        child.kill()
        out, err = child.communicate(timeout=30)
        self._kill_store()
        self.texts += [out, err]
        assert "Traceback" not in err
        if words[:2] == ["plan", "apply"]:
            self._acknowledge_printed(words[2], err)
        if was_alive:
            self.kills += 1
            self.killed_commands[_name(words)] += 1
        return was_alive

    def _start(self, words: list[str]) -> subprocess.Popen[str]:
        with IN_THIS_PROCESS:
            environment = os.environ | self.there.environment
        return subprocess.Popen(
            [sys.executable, "-m", "local.cli", *words, "--json"],
            env=environment,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _wait_for_the_moment(self, words: list[str], child: subprocess.Popen[str]) -> None:
        """A moment in time, or a number of calls that the vendors have had, which finds the busy part of a command."""
        asks_vendors = words[0] in ("sync", "finish", "run") or words[:2] == ["plan", "apply"]
        calls = self.rng.randint(1, 18) if asks_vendors and self.rng.random() < 0.8 else 1_000_000
        end = time.monotonic() + self.durations.get(_name(words), 3.0) * self.rng.uniform(0.3, 1.1)
        if calls < 1_000_000:
            end += 10
        before = self._calls()
        extra = self.rng.uniform(0, 0.02)
        while child.poll() is None and time.monotonic() < end and self._calls() < before + calls:
            time.sleep(0.002)
        time.sleep(extra)

    def _calls(self) -> int:
        return self.there.mimecast.requests.total + self.there.connectwise.requests.total

    def _kill_store(self) -> None:
        """Kill the store of this home, if it runs and surely is that one."""
        store = read_store(self.there.home)
        if store is None or not is_running(store.pid):
            return
        try:
            command = Path(f"/proc/{store.pid}/cmdline").read_bytes().decode()
        except OSError:
            return
        if str(self.there.home) in command:
            os.kill(store.pid, signal.SIGKILL)

    # What was acknowledged.

    def _acknowledge(self, words: list[str], document: Any) -> None:
        name = _name(words)
        if name.startswith("connect"):
            self._fact(name, lambda stored: stored.integrations[words[1]].address != "")
        elif name == "map service":
            self._fact(" ".join(words), lambda stored: stored.services[words[2]].product_code == words[3])
        elif name == "finish":
            self._fact(name, lambda stored: ConnectionState.PENDING not in stored.connection_states)
        elif name == "run":
            self.wants_run = False
            run_id, plan_id = document["run_id"], document["plan"]["id"]
            self._fact(f"run {run_id}", lambda stored: stored.state.runs.get(run_id).plan_id == plan_id)
            self._fact(f"plan {plan_id}", lambda stored: plan_id in stored.plans)
        elif name == "plan approve":
            checksum = words[4]
            self._fact(f"approval {words[2]}", lambda stored: stored.plans[words[2]].approved_checksum == checksum)
        elif name == "plan apply":
            for result in document["results"]:
                self._acknowledge_result(words[2], result["change_id"], result["outcome"])

    def _acknowledge_result(self, plan_id: str, change_id: str, outcome: str) -> None:
        def holds(stored: Stored) -> bool:
            result = stored.plans[plan_id].result(change_id)
            return result is not None and result.outcome.value == outcome

        self._fact(f"{outcome} {plan_id} {change_id}", holds)

    def _acknowledge_printed(self, plan_id: str, printed: str) -> None:
        """Each result that was printed before the kill had been stored before it was printed."""
        told = sum(1 for line in printed.splitlines() if "applied" in line and "->" in line)

        def holds(stored: Stored) -> bool:
            results = stored.plans[plan_id].results
            return sum(1 for result in results if result.outcome is WriteOutcome.APPLIED) >= told

        self._fact(f"{told} results of {plan_id} were printed", holds)

    def _fact(self, name: str, holds: Callable[[Stored], bool]) -> None:
        self.facts.append(Fact(name, holds))

    # Looking at it.

    @contextmanager
    def state(self) -> Iterator[State]:
        """The store started again and opened."""
        with (
            IN_THIS_PROCESS,
            environment_of(self.there.environment),
            opened(Home(self.there.home), Output(as_json=True)) as workplace,
        ):
            yield workplace.state

    def look(self, *, is_settled: bool = False) -> Stored:
        """Everything acknowledged is still there, no quantity was set twice, and the auditor finds nothing."""
        with self.state() as state:
            stored = Stored.read(state)
            after = f"after {self.kills} kills"
            lost = [fact.name for fact in self.facts if not fact.holds(stored)]
            assert lost == [], f"{after}: {lost}"
            kept = [event.hash for event in stored.events[: len(self.history)]]
            assert kept == self.history, f"{after}: the history was rewritten"
            self.history = [event.hash for event in stored.events]
            writes = writes_of(self.there.world)
            times = Counter((write.line_id, write.asked) for write in writes)
            assert set(times.values()) <= {1}, f"{after}: {times}"
            self.report = audit(
                Evidence(
                    state,
                    writes=writes,
                    policy=bootstrap.reconciliation_policy(),
                    texts=[*self.texts, self._log()],
                    secrets=SECRETS,
                    is_settled=is_settled,
                )
            )
        self.report.require_sound()
        return stored

    def _log(self) -> str:
        log = Home(self.there.home).log
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""


def _name(words: list[str]) -> str:
    return " ".join(words[: 2 if words[0] in ("connect", "map", "plan") else 1])
