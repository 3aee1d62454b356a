"""What a plan wrote is taken back by a plan of its own: proposed, approved, applied once, and never a second time."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.simulation.auditor import Evidence, audit, writes_of
from tests.usecases.office import APPROVER, PERSON, SECRET, Office
from trueup.domain.billing import WriteOutcome
from trueup.domain.errors import InputInvalid, NotAllowed, NotFound, PlanNotReady
from trueup.domain.plan import Plan, PlanState


@pytest.fixture
def applied(month: Office) -> Plan:
    """L2 from 12 to 15 and L4 from 18 to 20; the decrease of L3 stays held."""
    return month.apply(month.approve(month.run().plan)).plan


def quantities(month: Office) -> dict[str, int]:
    return {line_id: month.quantity(line_id) for line_id in ("L2", "L3", "L4")}


def outcomes(plan: Plan) -> dict[str, WriteOutcome]:
    return {str(plan.change(result.change_id).line_id): result.outcome for result in plan.results}


def test_a_whole_plan_goes_back(month: Office, applied: Plan) -> None:
    held = applied.held[0]
    proposed = month.undo(applied)
    assert [change.line_id for change in sorted(proposed.plan.changes, key=lambda one: one.line_id)] == ["L2", "L4"]
    assert proposed.left_out == ((held.id, f"change {held.id} was not sent, so it wrote nothing"),)
    assert quantities(month) == {"L2": 15, "L3": 10, "L4": 20}, "nothing is written before it is approved and applied"
    done = month.apply(month.approve(proposed.plan)).plan
    assert set(outcomes(done).values()) == {WriteOutcome.APPLIED}
    assert quantities(month) == {"L2": 12, "L3": 10, "L4": 18}
    again = month.run().plan
    assert {change.line_id for change in again.changes} == {"L2", "L3", "L4"}, "the difference is proposed again"


def test_it_is_recorded_as_its_own_change(month: Office, applied: Plan) -> None:
    plan = month.undo(applied, reason=" billed twice ").plan
    event = list(month.state.history.all())[-1].audit
    assert (event.action, event.subject, event.before, event.why) == (
        "undo proposed", plan.id, applied.id, "billed twice",
    )  # fmt: skip
    month.apply(month.approve(plan))
    told = [event.audit for event in month.state.history.all() if event.audit.subject.startswith(plan.id)]
    assert [one.action for one in told] == [
        "undo proposed", "plan approved", "change begun", "change applied", "change begun", "change applied",
    ]  # fmt: skip
    assert {(one.before, one.after) for one in told if one.action == "change applied"} == {("15", "12"), ("20", "18")}


def test_one_change_goes_back(month: Office, applied: Plan) -> None:
    change = next(change for change in applied.changes if change.line_id == "L4")
    month.apply(month.approve(month.undo(applied, change.id).plan))
    assert quantities(month) == {"L2": 15, "L3": 10, "L4": 18}


def test_a_line_that_was_edited_since_is_a_conflict_and_nothing_is_sent(month: Office, applied: Plan) -> None:
    plan = month.approve(month.undo(applied).plan)
    month.psa.person_edits("L2", quantity=Decimal(16))
    sent = month.psa.sent
    done = month.apply(plan).plan
    assert outcomes(done) == {"L2": WriteOutcome.CONFLICT, "L4": WriteOutcome.APPLIED}
    assert (quantities(month), month.psa.sent) == ({"L2": 16, "L3": 10, "L4": 18}, sent + 1)


def test_a_line_that_was_only_touched_since_goes_back(month: Office, applied: Plan) -> None:
    plan = month.approve(month.undo(applied).plan)
    month.psa.person_edits("L2")
    assert set(outcomes(month.apply(plan).plan).values()) == {WriteOutcome.APPLIED}


def test_a_line_that_somebody_set_back_is_right_already(month: Office, applied: Plan) -> None:
    plan = month.approve(month.undo(applied).plan)
    month.psa.person_edits("L2", quantity=Decimal(12))
    assert outcomes(month.apply(plan).plan) == {"L2": WriteOutcome.ALREADY, "L4": WriteOutcome.APPLIED}


def test_undone_twice_is_refused(month: Office, applied: Plan) -> None:
    first = month.undo(applied).plan
    assert month.undo(applied).plan == first, "asked for again before it is applied it is the same plan"
    month.apply(month.approve(first))
    with pytest.raises(PlanNotReady, match="can be taken back"):
        month.undo(applied)
    for change in applied.ready:
        with pytest.raises(PlanNotReady, match=f"was taken back by plan {first.id}"):
            month.undo(applied, change.id)
    assert quantities(month) == {"L2": 12, "L3": 10, "L4": 18}


def test_an_undo_can_be_taken_back_and_undone_again(month: Office, applied: Plan) -> None:
    back = month.apply(month.approve(month.undo(applied).plan)).plan
    month.clock.advance(60)
    forth = month.apply(month.approve(month.undo(back).plan)).plan
    assert quantities(month) == {"L2": 15, "L3": 10, "L4": 20}
    with pytest.raises(PlanNotReady):
        month.undo(back)
    month.clock.advance(60)
    once_more = month.undo(applied).plan
    assert once_more.id == f"{back.id}-2", "another plan: the first undo of it was applied and has its own results"
    month.apply(month.approve(once_more))
    assert quantities(month) == {"L2": 12, "L3": 10, "L4": 18}
    assert len({applied.id, back.id, forth.id, once_more.id}) == 4
    assert len(month.psa.writes) == 8


def test_an_undo_that_met_a_conflict_can_be_tried_again(month: Office, applied: Plan) -> None:
    first = month.approve(month.undo(applied).plan)
    month.psa.person_edits("L2", quantity=Decimal(16))
    month.apply(first)
    month.psa.person_edits("L2", quantity=Decimal(15))
    month.clock.advance(60)
    second = month.undo(applied).plan
    assert [change.line_id for change in second.changes] == ["L2"]
    month.apply(month.approve(second))
    assert quantities(month) == {"L2": 12, "L3": 10, "L4": 18}


def test_it_takes_the_place_of_the_open_plan_and_says_so(month: Office, applied: Plan) -> None:
    month.vendor.sets("V1", 14)
    open_plan = month.run().plan
    proposed = month.undo(applied)
    assert proposed.superseded == open_plan.id
    assert month.state.plans.get(open_plan.id).state is PlanState.SUPERSEDED
    assert month.undo(applied).superseded == ""
    assert month.run().plan.state is PlanState.PROPOSED, "the next run proposes what differs, and the undo is over"
    assert month.state.plans.get(proposed.plan.id).state is PlanState.SUPERSEDED


def test_what_is_taken_back_may_be_of_an_account_that_was_excluded_since(month: Office, applied: Plan) -> None:
    """That is often the reason for it."""
    month.exclude("V2", "not our client after all")
    month.apply(month.approve(month.undo(applied).plan))
    assert quantities(month) == {"L2": 12, "L3": 10, "L4": 18}


def test_who_asked_for_it_may_not_approve_it_when_two_people_are_wanted(month: Office, applied: Plan) -> None:
    plan = month.undo(applied).plan
    with pytest.raises(NotAllowed):
        month.approve(plan, actor=PERSON, two_person=True)
    assert month.approve(plan, actor=APPROVER, two_person=True).approved_by == APPROVER


def test_a_plan_of_last_month_goes_back_in_this_one(month: Office, applied: Plan) -> None:
    month.clock.advance(31 * 24 * 3600)
    plan = month.undo(applied).plan
    assert (plan.period, applied.period) == ("2026-10", "2026-09")
    month.apply(month.approve(plan), period_now="2026-10")
    assert quantities(month) == {"L2": 12, "L3": 10, "L4": 18}


def test_what_cannot_be_asked_for(month: Office, applied: Plan) -> None:
    with pytest.raises(InputInvalid):
        month.undo(applied, reason="  ")
    with pytest.raises(NotFound):
        month.undo(applied, "chg-nothing")
    with pytest.raises(PlanNotReady):
        month.undo(applied, applied.held[0].id)
    assert "undo proposed" not in month.actions()


def test_the_auditor_finds_nothing_wrong_with_it(month: Office, applied: Plan) -> None:
    back = month.apply(month.approve(month.undo(applied).plan)).plan
    month.apply(month.approve(month.undo(back).plan))
    report = audit(Evidence(month.state, writes=writes_of(month.psa), policy=month.policy, secrets=[SECRET]))
    report.require_sound()
    assert report.checked >= {"I1", "I2", "I7"}
