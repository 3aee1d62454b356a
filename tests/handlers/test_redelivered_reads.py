"""A message for a read that is delivered again after its run is over: refused with the reason, nothing is read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contracts.state_samples import NOW, PERIOD
from tests.fakes.clock import FakeClock
from tests.fakes.state import fake_state
from trueup.api.events import SyncEvent
from trueup.api.sync_reply import synced
from trueup.domain.errors import Conflict
from trueup.domain.runs import Run, RunState, Step
from trueup.usecases.reading import ReadOrder, ReadResult


@pytest.mark.fault("A19")
@pytest.mark.parametrize("state", [RunState.DONE, RunState.FAILED, RunState.SUPERSEDED])
def test_A19_a_read_for_a_run_that_is_over_is_refused_with_the_reason(state: RunState) -> None:
    clock = FakeClock()
    runs = fake_state(clock).runs
    run = Run(f"{PERIOD}-001", PERIOD, RunState.RUNNING, Step.SYNC, NOW, "schedule", NOW)
    over = runs.save(replace(runs.start(run, None), state=state, ended_at=NOW), None)
    read: list[ReadOrder] = []

    def reads(order: ReadOrder) -> ReadResult:
        read.append(order)
        raise AssertionError("nothing may be read")

    event = SyncEvent.read({"run_id": over.id, "actor": "schedule"})
    with pytest.raises(Conflict, match=f"run {over.id} of {PERIOD} is over \\({state.value}\\)"):
        synced(event, reads, runs=runs, clock=clock, stop_at_seconds=0.0)
    assert read == []
    assert runs.get(over.id) == over
