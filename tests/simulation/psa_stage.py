"""A stage for an apply that dies: one PSA behind real sockets, set back to the same approved plan for every case.

Method: the world is set up and the plan approved once; store, world and clock are kept then and put back before each
case, so that hundreds of cases share two servers. Every effect of the apply, a write to the store or a request that is
sent, is counted, and the process can be made to die before or after any of them. Must not: judge what was applied.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, cast

import pytest
import requests

from local.simulators import SIMULATED_PSAS, MimecastSimulator, World, running
from local.simulators.autotask import AutotaskSimulator
from local.simulators.autotask_units import UnitLedger
from tests.fakes.state import FakeState, fake_state
from tests.fakes.state_memory import Memory, Switches
from tests.simulation.simulated import HastyClock, SimulatedOffice
from trueup.domain.plan import Plan
from trueup.usecases.plan_apply import Applied

type When = Literal["before", "after"]

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PROCESS = "the process"


class Killed(BaseException):
    """The process is gone. Not an Exception: nothing may catch it and go on."""


class StageClock(HastyClock):
    """A day that never ends, but for what is waited."""

    def now(self) -> datetime:
        return NOW + (super().now() - datetime.now(UTC))

    @property
    def skipped_seconds(self) -> float:
        return self._skipped_seconds

    def set_back(self, skipped_seconds: float) -> None:
        self._skipped_seconds = skipped_seconds


class Effects(Switches):
    """Every effect of the process under test, in order; it dies at a chosen one, and has no effect after that."""

    def __init__(self) -> None:
        super().__init__()
        self.dies_at: int | None = None
        self.when: When = "before"
        self.is_dead = False

    def meet(self, call: str, when: When) -> None:
        if self.is_dead:
            raise Killed(call)
        if when == "before":
            self.calls.append(call)
        if self.dies_at == len(self.calls) - 1 and self.when == when:
            self.is_dead = True
            raise Killed(call)

    def begin(self, dies_at: int | None = None, when: When = "before") -> None:
        """Another process, which dies at that effect, or not at all."""
        self.calls.clear()
        self.dies_at, self.when, self.is_dead = dies_at, when, False


@dataclass
class Stage:
    """One PSA with its approved plan. ``effects`` are those of the apply that runs now."""

    office: SimulatedOffice
    effects: Effects
    plan: Plan
    _memory: dict[str, Any]
    _world: dict[str, Any]
    _skipped_seconds: float

    @classmethod
    def set_up(cls, office: SimulatedOffice, effects: Effects, plan: Plan) -> Stage:
        memory = _memory_of(office.state)
        kept = {name: _copied(getattr(memory, name)) for name in _STORED}
        world = {one.name: copy.deepcopy(getattr(office.world, one.name)) for one in fields(World)}
        return cls(office, effects, plan, kept, world, cast(StageClock, office.clock).skipped_seconds)

    def set_back(self) -> None:
        """Everything as it was when the plan was approved, and no faults."""
        office = self.office
        memory = _memory_of(office.state)
        for name, value in self._memory.items():
            setattr(memory, name, _copied(value))
        with office.world.lock:
            for name, value in self._world.items():
                setattr(office.world, name, copy.deepcopy(value))
        office.world.__post_init__()  # the index of lines and nothing else that was changed
        office.world.clock = office.clock.now
        if isinstance(office.psa_simulator, AutotaskSimulator):
            office.psa_simulator.units = UnitLedger(office.world)
        cast(StageClock, office.clock).set_back(self._skipped_seconds)
        office.psa_simulator.faults.clear()
        office.troubles.clear()
        self.effects.begin()

    def apply(self, *, owner: str = "") -> Applied:
        """By the process that may die, or by one that comes after it."""
        return self.office.apply(self.plan, owner=owner)

    def die(self, number: int, when: When) -> None:
        """Apply until the process is killed before or after that effect; whoever comes next meets no fault."""
        self.effects.begin(number, when)
        with pytest.raises(Killed):
            self.apply(owner=PROCESS)
        self.office.psa_simulator.faults.clear()
        self.effects.begin()


_STORED = tuple(one.name for one in fields(Memory) if one.name not in {"clock", "switches", "lock"})


def _memory_of(state: FakeState) -> Memory:
    return cast(Memory, state.plans._memory)  # type: ignore[attr-defined]


def _copied(value: Any) -> Any:
    """A dictionary or list of values that nobody changes in place; sets inside are copied too."""
    if isinstance(value, dict):
        return {key: set(one) if isinstance(one, set) else one for key, one in value.items()}
    return copy.copy(value)


@contextmanager
def staged(world: World, psa: str, prepare: Callable[[SimulatedOffice], Plan]) -> Iterator[Stage]:
    """The stage of one PSA; ``prepare`` connects, runs and approves."""
    clock, kind, effects = StageClock(), SIMULATED_PSAS[psa], Effects()
    world.clock = clock.now
    with (
        running(MimecastSimulator(world)) as mimecast,
        running(kind.open(world, limit_per_minute=0)) as simulator,
        counted(effects),
    ):
        office = SimulatedOffice(world, mimecast, simulator, kind, "example", clock, fake_state(clock))
        _memory_of(office.state).switches = effects
        yield Stage.set_up(office, effects, prepare(office))


@contextmanager
def counted(effects: Effects) -> Iterator[None]:
    """Count every request that an adapter sends; a dead process reads no answer and sends nothing."""
    real = requests.Session.send

    def send(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        call = f"{request.method} {str(request.path_url).partition('?')[0]}"
        effects.meet(call, "before")
        try:
            response = real(session, request, **options)
        except requests.RequestException:
            effects.meet(call, "after")
            raise
        try:
            effects.meet(call, "after")
        except Killed:
            response.close()
            raise
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "send", send)
        yield
