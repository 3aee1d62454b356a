"""Dates, missing lines, divided seats and undo follow what the connected PSA can do, whichever it is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.simulation.auditor import Evidence, audit, writes_of
from tests.usecases.office import SECRET, Office, open_office
from trueup.domain.billing import LineId, QuantityStep, WriteOutcome
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.errors import InputInvalid, PlanNotReady
from trueup.domain.integrations import IntegrationName
from trueup.domain.plan import Plan
from trueup.domain.verdicts import Verdict

CONNECTWISE, AUTOTASK, HALOPSA, SYNCRO = (
    IntegrationName.CONNECTWISE,
    IntegrationName.AUTOTASK,
    IntegrationName.HALOPSA,
    IntegrationName.SYNCRO,
)
EVERY = (CONNECTWISE, AUTOTASK, HALOPSA, SYNCRO)
COUNTS_FROM = {CONNECTWISE: "now", AUTOTASK: "2026-10-01", HALOPSA: "next_invoice", SYNCRO: "next_invoice"}


def office_on(name: IntegrationName) -> Office:
    """An MSP on that PSA with one client to bill more, one with two lines and one without any."""
    office = open_office()
    office.psa.can = PSA_CAPABILITIES[name]
    office.client(1, "Harbor Dental Group", 15, "12")
    office.client(2, "Larkspur Legal", 20, None)
    office.client(3, "Mossgate Freight", 14, "6")
    office.line(3, "5", line_id="L33")
    office.connect(IntegrationName.MIMECAST)
    office.connect(name)
    office.sync()
    office.map_service()
    office.finish()
    return office


def settled(office: Office, plan: Plan) -> Plan:
    for change in plan.held:
        plan = office.release(plan, change.id)
    office.clock.advance(60)
    applied = office.apply(office.approve(plan)).plan
    assert {result.outcome for result in applied.results} == {WriteOutcome.APPLIED}
    return applied


def require_sound(office: Office) -> None:
    audit(Evidence(office.state, writes=writes_of(office.psa), policy=office.policy, secrets=[SECRET])).require_sound()


@pytest.mark.parametrize("name", EVERY)
def test_a_change_counts_as_the_psa_does_it_and_goes_back(name: IntegrationName) -> None:
    office = office_on(name)
    plan = office.run().plan
    assert {change.effective_text for change in plan.changes} == {COUNTS_FROM[name]}
    applied = settled(office, plan)
    assert office.quantity("L1") == 15
    assert {row.psa_account_id: row.verdict for row in office.run().reconciliation.rows}["P1"] is Verdict.IN_LINE
    back = office.undo(applied)
    assert {change.effective_text for change in back.plan.changes} == {COUNTS_FROM[name]}
    settled(office, back.plan)
    assert office.quantity("L1") == 12
    with pytest.raises(PlanNotReady):
        office.undo(applied)
    require_sound(office)


@pytest.mark.parametrize("name", EVERY)
def test_seats_are_divided_on_every_psa(name: IntegrationName) -> None:
    office = office_on(name)
    office.divide({"L3": 6}, "L33", client="P3")
    settled(office, office.run().plan)
    assert (office.quantity("L3"), office.quantity("L33")) == (6, 8)
    require_sound(office)


@pytest.mark.parametrize("name", EVERY)
def test_a_missing_line_is_made_where_a_program_may(name: IntegrationName) -> None:
    office = office_on(name)
    outcome = office.run()
    (row,) = [row for row in outcome.reconciliation.rows if row.verdict is Verdict.NEW_REVENUE]
    if not PSA_CAPABILITIES[name].creates_lines:
        with pytest.raises(PlanNotReady, match="cannot be made"):
            office.add_line(outcome.plan, row.id, "A2")
        return
    plan = office.add_line(outcome.plan, row.id, "A2")
    assert {change.effective_text for change in plan.changes} == {COUNTS_FROM[name]}
    applied = settled(office, plan)
    (made,) = [line for line in office.psa.lines.values() if line.account_id == "P2"]
    assert made.quantity == 20
    assert len(office.undo(applied).left_out) == 1
    require_sound(office)


def test_in_autotask_a_change_to_come_is_taken_back_on_its_own_day() -> None:
    office = office_on(AUTOTASK)
    applied = settled(office, office.run("2026-12-24").plan)
    (back,) = office.undo(applied).plan.changes
    assert back.effective == date(2026, 12, 24), "no period keeps the difference"
    settled(office, office.state.plans.get(office.undo(applied).plan.id))
    steps = {step.starts_on: step.quantity for step in office.psa.lines[LineId("L1")].steps}
    assert steps[date(2026, 12, 24)] == 12
    require_sound(office)


def test_in_autotask_a_later_quantity_that_is_set_already_is_a_persons_to_judge() -> None:
    office = office_on(AUTOTASK)
    later = (QuantityStep(date(2026, 9, 1), Decimal(12)), QuantityStep(date(2027, 1, 1), Decimal(40)))
    office.psa.person_edits("L1", steps=later)
    (change,) = [change for change in office.run().plan.changes if change.line_id == "L1"]
    assert [hold.guard for hold in change.holds] == ["scheduled_change"]


@pytest.mark.parametrize(
    ("name", "wish"),
    [(AUTOTASK, "now"), (AUTOTASK, "next_invoice"), (HALOPSA, "2026-12-24"), (HALOPSA, "now"), (SYNCRO, "next_period")],
)
def test_what_a_psa_cannot_do_is_refused_before_anything_is_read(name: IntegrationName, wish: str) -> None:
    office = office_on(name)
    calls = dict(office.psa.calls)
    with pytest.raises(InputInvalid):
        office.run(wish)
    assert dict(office.psa.calls) == calls
