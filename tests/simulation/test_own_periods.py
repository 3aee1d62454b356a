"""A month with Autotask contracts that did not begin on the first: each change counts from a period of its own."""

from __future__ import annotations

from datetime import date

from local.simulators import World, scaled_world
from local.simulators.autotask_periods import QUARTERLY, set_period_type
from tests.simulation.psa_stage import PROCESS, Stage, staged
from tests.simulation.simulated import PERSON, SimulatedOffice
from trueup.domain.billing import WriteOutcome
from trueup.domain.plan import Plan
from trueup.usecases.plan_undo import propose_undo

FIRST, SECOND, THIRD = 1201, 1202, 1203


def mixed_world() -> World:
    """Monthly from the 15th, quarterly from 10 January, and monthly from the first; all three are out of line."""
    world = scaled_world(3, 5)
    world.edit_agreement(FIRST, start_date="2024-01-15T00:00:00Z")
    world.edit_agreement(SECOND, start_date="2025-01-10T00:00:00Z")
    set_period_type(world, SECOND, QUARTERLY)
    for line in world.additions.values():
        if line.product_id == 560:
            world.edit_addition(line.id, quantity=line.quantity - 3)
    return world


def prepared(office: SimulatedOffice) -> Plan:
    office.set_up()
    return office.approve(office.run().plan)


def days(plan: Plan) -> dict[int, date | None]:
    return {int(change.agreement_id): change.effective for change in plan.changes}


DAYS = {FIRST: date(2026, 12, 15), SECOND: date(2027, 1, 10), THIRD: date(2026, 12, 1)}
"""As seen from 20 November 2026."""


def test_each_change_counts_from_its_contracts_own_next_period() -> None:
    with staged(mixed_world(), "autotask", prepared) as stage:
        office = stage.office
        assert days(stage.plan) == DAYS
        applied = stage.apply(owner=PROCESS).plan
        assert {result.outcome for result in applied.results} == {WriteOutcome.APPLIED}
        for change in applied.changes:
            line = office.world.additions[int(change.line_id)]
            day = DAYS[int(change.agreement_id)]
            before, after = (units_on(stage, line.id, one) for one in (date.fromordinal(day.toordinal() - 1), day))
            assert (before, after) == (int(change.expected), change.target)
            rows = [row for row in units_rows(stage, line.id) if row[0] <= day <= row[1]]
            assert rows[0][0] == day, "the change lies on the border of two periods"
        assert office.run().plan.changes == ()
        office.audit(is_settled=True)


def test_what_was_changed_is_taken_back_from_the_same_day() -> None:
    with staged(mixed_world(), "autotask", prepared) as stage:
        office = stage.office
        applied = stage.apply(owner=PROCESS).plan
        undo = undone(office, applied)
        assert days(undo) == DAYS
        results = office.apply(office.approve(undo)).plan.results
        assert {result.outcome for result in results} == {WriteOutcome.APPLIED}
        for change in applied.changes:
            assert units_on(stage, int(change.line_id), DAYS[int(change.agreement_id)]) == change.expected
        office.audit()


def undone(office: SimulatedOffice, applied: Plan) -> Plan:
    return propose_undo(
        applied.id,
        (),
        reason="too early",
        actor=PERSON,
        policy=office.policy,
        integrations=office.state.integrations,
        snapshots=office.state.snapshots,
        plans=office.state.plans,
        plan_index=office.state.plan_index,
        clock=office.clock,
    ).plan


def units_on(stage: Stage, line_id: int, day: date) -> int:
    ledger = stage.office.psa_simulator.units  # type: ignore[attr-defined]
    return int(ledger.units_on(stage.office.world.additions[line_id], day))


def units_rows(stage: Stage, line_id: int) -> list[tuple[date, date]]:
    ledger = stage.office.psa_simulator.units  # type: ignore[attr-defined]
    return [(row.starts_on, row.ends_on) for row in ledger.rows_of(stage.office.world.additions[line_id])]
