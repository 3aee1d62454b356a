"""Months over real sockets with transport faults drawn from a seed: no fault changes a quantity that nobody approved.

After every attempt the auditor looks at everything; when the faults are over, the month converges in two runs (I5).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from local.simulators import World, demo_world, scaled_world
from local.simulators.faults import KINDS
from tests.simulation.simulated import SimulatedOffice, simulated
from trueup.domain.billing import WriteOutcome
from trueup.domain.plan import PlanState

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "rate_limited": {"retry_after": "http_date", "reset_milliseconds": 1500},
    "oversized": {"size_bytes": 3_000_000},
    "gzip_bomb": {"size_bytes": 5_000_000},
    "late_reply": {"seconds": 0.7},
    "raw": {"body": '{"unexpected": true}'},
    "deep_json": {"depth": 20_000},
    "set_field": {"field": "quantity", "raw": "1e400"},
    "token_reply": {"expires_in": 0},
    "clamped_quantity": {"maximum": 1},
}
ON_WRITES = ("clamped_quantity", "false_success", "moved_line", "drop_after_commit", "error_after_commit")
SLOW = ("drip",)
"""A body of one byte a second lasts until the total deadline in real time; test_http_faults covers it once."""

READ_KINDS = sorted(set(KINDS) - set(ON_WRITES) - set(SLOW))


def break_something(office: SimulatedOffice, rng: random.Random, kinds: list[str]) -> None:
    """Three to six faults, each somewhere in the next reads of either vendor."""
    for _ in range(rng.randint(3, 6)):
        kind = rng.choice(kinds)
        simulator = rng.choice((office.mimecast, office.psa_simulator))
        reach = 6 if simulator is office.mimecast else 40
        simulator.faults.add(kind, nth=rng.randint(1, reach), times=rng.choice((1, 1, 2, 5)), **OPTIONS.get(kind, {}))


def heal(office: SimulatedOffice) -> None:
    for simulator in (office.mimecast, office.psa_simulator):
        simulator.faults.clear()


def require_converged(office: SimulatedOffice) -> None:
    """Without faults: one run and one apply correct everything that can be; the next run has nothing to change."""
    heal(office)
    plan = office.run().plan
    if plan.changes and plan.state is not PlanState.APPLIED:
        approved = plan if plan.state is PlanState.APPROVED else office.approve(plan)
        applied = office.apply(approved).plan
        assert {result.outcome for result in applied.results} <= {WriteOutcome.APPLIED, WriteOutcome.ALREADY}
        for change in applied.changes:
            assert office.quantity(str(change.line_id)) == change.target
    assert office.run().plan.changes == ()
    report = office.audit(is_settled=True)
    assert report.checked >= {"I1", "I2", "I4", "I5", "I6", "I7", "I8", "I9", "I10"}


def test_a_demo_month_without_faults_converges() -> None:
    with simulated(demo_world()) as office:
        office.set_up()
        office.audit()
        require_converged(office)
        assert len(office.world.writes) > 10


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.fault("T23")
def test_T23_faults_while_reading_never_change_a_line_and_pass(seed: int) -> None:
    rng = random.Random(seed)
    world: World = demo_world(seed) if seed % 2 else scaled_world(60, seed)
    with simulated(world) as office:
        office.set_up()
        before = {line.id: line.quantity for line in world.additions.values()}
        for _ in range(3):
            break_something(office, rng, READ_KINDS)
            office.try_run()
            office.audit()
            heal(office)
        assert {line.id: line.quantity for line in world.additions.values()} == before, "nobody approved anything"
        assert world.writes == []
        require_converged(office)


@pytest.mark.parametrize("kind", READ_KINDS)
def test_each_fault_that_lasts_yields_no_wrong_plan(kind: str) -> None:
    """The fault hits every reply of one side: the read fails, or what it yields is what the sound read yields too."""
    with simulated(scaled_world(5, 4)) as office:
        office.set_up()
        sound = [change.content() for change in office.run().plan.changes]
        assert sound
        for simulator in (office.mimecast, office.psa_simulator):
            simulator.faults.add(kind, times=0, **OPTIONS.get(kind, {}))
            outcome = office.try_run()
            if outcome is not None:
                assert [change.content() for change in outcome.plan.changes if change.content() not in sound] == []
            assert office.world.writes == []
            office.audit()
            heal(office)
        require_converged(office)


@pytest.mark.parametrize("seed", range(6))
def test_faults_while_writing_are_told_and_mended(seed: int) -> None:
    rng = random.Random(1000 + seed)
    with simulated(scaled_world(60, seed)) as office:
        office.set_up()
        plan = office.approve(office.run().plan)
        for _ in range(3):
            kind = rng.choice((*ON_WRITES, "status", "rate_limited", "drop_before_commit", "truncated", "html"))
            office.psa_simulator.faults.add(
                kind, method="PATCH", nth=rng.randint(1, len(plan.changes)), **OPTIONS.get(kind, {})
            )
        office.try_apply(plan)
        office.audit()
        heal(office)
        office.try_apply(plan)
        office.audit()
        results = office.state.plans.get(plan.id).results
        assert {result.change_id for result in results} == {change.id for change in plan.changes}
        for result in results:
            change = plan.change(result.change_id)
            is_there = office.quantity(str(change.line_id)) == change.target
            assert is_there == (result.outcome in (WriteOutcome.APPLIED, WriteOutcome.ALREADY)), result
        require_converged(office)
