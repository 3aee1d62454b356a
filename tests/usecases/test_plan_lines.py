"""A person adds the line a client lacks on an agreement they choose; it is made once, and nobody else adds it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tests.fakes.psa import WriteFault
from tests.usecases.office import APPROVER, PERSON, Office
from trueup.domain.billing import Agreement, AgreementId, AgreementState, LineId, PsaAccountId, WriteOutcome
from trueup.domain.errors import Conflict, InputInvalid, NotAllowed, NotFound, PlanNotReady
from trueup.domain.integrations import IntegrationName
from trueup.domain.plan import ChangeKind, Plan, PlanState
from trueup.domain.verdicts import Row, Verdict
from trueup.usecases.plan_lines import row_of_plan


@pytest.fixture
def lacking(month: Office) -> Office:
    """One client more, with 20 seats and no line."""
    month.client(5, "Quayside Bakery", 20, None)
    return month


def missing(found: object) -> Row:
    (row,) = [row for row in found.rows if row.verdict is Verdict.NEW_REVENUE]  # type: ignore[attr-defined]
    return row


def made_by(office: Office, *, effective: str = "") -> tuple[Plan, str]:
    outcome = office.run()
    plan = office.add_line(outcome.plan, missing(outcome.reconciliation).id, "A5", effective=effective)
    (change,) = [change for change in plan.changes if change.kind is ChangeKind.CREATE_LINE]
    return plan, change.id


def lines_of(office: Office, agreement_id: str = "A5") -> list[tuple[str, int]]:
    return [
        (str(line.id), int(line.quantity)) for line in office.psa.lines.values() if line.agreement_id == agreement_id
    ]


def test_no_line_is_made_unless_a_person_asks(lacking: Office) -> None:
    outcome = lacking.run()
    assert all(change.kind is ChangeKind.SET_QUANTITY for change in outcome.plan.changes)
    lacking.apply(lacking.approve(outcome.plan))
    assert lacking.psa.calls["create_line"] == 0


def test_an_added_line_is_under_a_new_checksum_and_in_the_history(lacking: Office) -> None:
    before = lacking.run()
    row = missing(before.reconciliation)
    assert [one.id for one in row.choices] == ["A5"]
    plan = lacking.add_line(before.plan, row.id, "A5")
    assert plan.id == before.plan.id
    assert plan.checksum != before.plan.checksum
    (change,) = [change for change in plan.changes if change not in before.plan.changes]
    assert (change.target, change.agreement_id, change.added_by, change.line_id) == (20, "A5", PERSON, "")
    assert change.monthly_money == Decimal("85.00")
    audit = list(lacking.state.history.all())[-1].audit
    assert (audit.action, audit.actor, audit.after) == ("line added", PERSON, plan.checksum)
    assert "Mimecast Email Security on Managed 5" in audit.why


def test_it_is_made_with_the_plan_and_read_back(lacking: Office) -> None:
    plan, change_id = made_by(lacking)
    applied = lacking.apply(lacking.approve(plan)).plan
    assert applied.state is PlanState.APPLIED
    result = applied.result(change_id)
    assert result is not None
    ((line_id, quantity),) = lines_of(lacking)
    assert (result.outcome, result.line_id, quantity) == (WriteOutcome.APPLIED, line_id, 20)
    again = lacking.run()
    assert not [row for row in again.reconciliation.rows if row.verdict is Verdict.NEW_REVENUE]
    assert all(change.psa_account_id != "P5" for change in again.plan.changes)


@pytest.mark.parametrize("fault", [WriteFault.LOST, WriteFault.UNREADABLE])
@pytest.mark.fault("T6")
def test_T6_an_unclear_answer_is_settled_by_the_next_apply_and_makes_no_second_line(
    lacking: Office, fault: WriteFault
) -> None:
    plan, change_id = made_by(lacking)
    real = lacking.psa.create_line
    lacking.psa.create_line = lambda order: (lacking.psa.next_write(fault), real(order))[1]  # type: ignore[method-assign]
    first = lacking.apply(lacking.approve(plan)).plan
    result = first.result(change_id)
    assert result is not None
    assert result.outcome is WriteOutcome.UNKNOWN
    assert first.state is PlanState.APPROVED
    lacking.psa.create_line = real  # type: ignore[method-assign]
    second = lacking.apply(plan).plan
    result = second.result(change_id)
    assert result is not None
    assert result.outcome is WriteOutcome.APPLIED
    assert [quantity for _, quantity in lines_of(lacking)] == [20]


def test_a_line_that_somebody_made_meanwhile_is_already_there_or_a_conflict(lacking: Office) -> None:
    for billed, outcome in (("20", WriteOutcome.ALREADY), ("7", WriteOutcome.CONFLICT)):
        plan, change_id = made_by(lacking)
        lacking.line(5, billed)
        result = lacking.apply(lacking.approve(plan)).plan.result(change_id)
        assert result is not None
        assert result.outcome is outcome
        del lacking.psa.lines[LineId("L5")]
        lacking.vendor.sets("V5", 21)
        lacking.vendor.sets("V5", 20)


def test_who_added_a_line_may_not_approve_it_when_two_people_are_wanted(lacking: Office) -> None:
    outcome = lacking.run()
    plan = lacking.add_line(outcome.plan, missing(outcome.reconciliation).id, "A5", actor=APPROVER)
    with pytest.raises(NotAllowed, match="added a line"):
        lacking.approve(plan, two_person=True)
    assert lacking.approve(plan, actor="kim", two_person=True).approved_by == "kim"


def test_a_line_can_be_dropped_and_added_on_another_agreement(lacking: Office) -> None:
    second = Agreement(AgreementId("A55"), PsaAccountId("P5"), "Site two", "Managed", AgreementState.ACTIVE)
    lacking.psa.agreements[second.id] = second
    plan, change_id = made_by(lacking)
    row = row_of_plan(
        plan.id, plan.change(change_id).row_id, plans=lacking.state.plans, reconciliations=lacking.state.reconciliations
    )
    assert [one.id for one in row.choices] == ["A5", "A55"]
    with pytest.raises(Conflict, match="makes a line for this row"):
        lacking.add_line(plan, row.id, "A55")
    smaller = lacking.drop_line(plan, change_id)
    assert lacking.actions()[-1] == "line dropped"
    assert all(change.kind is ChangeKind.SET_QUANTITY for change in smaller.changes)
    lacking.apply(lacking.approve(lacking.add_line(smaller, row.id, "A55")))
    assert (lines_of(lacking), [quantity for _, quantity in lines_of(lacking, "A55")]) == ([], [20])


def test_only_an_added_line_can_be_dropped_and_only_before_the_approval(lacking: Office) -> None:
    plan, change_id = made_by(lacking)
    with pytest.raises(Conflict):
        lacking.drop_line(plan, plan.ready[0].id if plan.ready[0].id != change_id else plan.ready[1].id)
    with pytest.raises(NotFound):
        lacking.drop_line(plan, "chg-nothing")
    approved = lacking.approve(plan)
    with pytest.raises(PlanNotReady):
        lacking.drop_line(approved, change_id)
    with pytest.raises(PlanNotReady):
        lacking.add_line(approved, plan.change(change_id).row_id, "A5")


@pytest.mark.parametrize("agreement_id", ["A1", "A404", ""])
def test_an_agreement_of_nobody_or_of_another_client_is_refused(lacking: Office, agreement_id: str) -> None:
    outcome = lacking.run()
    with pytest.raises(InputInvalid) as refused:
        lacking.add_line(outcome.plan, missing(outcome.reconciliation).id, agreement_id)
    assert refused.value.field == "agreement"
    assert lacking.state.plans.get(outcome.plan.id) == outcome.plan


def test_a_row_that_lacks_no_line_or_is_not_there_is_refused(lacking: Office) -> None:
    outcome = lacking.run()
    other = next(row for row in outcome.reconciliation.rows if row.verdict is Verdict.BILL_MORE)
    with pytest.raises(PlanNotReady, match="lacks no line"):
        lacking.add_line(outcome.plan, other.id, "A2")
    with pytest.raises(NotFound):
        lacking.add_line(outcome.plan, "row-nothing", "A5")
    with pytest.raises(NotFound):
        lacking.add_line(replace(outcome.plan, id="plan-nothing"), other.id, "A5")


def test_from_a_day_on_where_the_agreement_prorates(lacking: Office) -> None:
    lacking.psa.agreements[AgreementId("A5")] = replace(lacking.psa.agreements[AgreementId("A5")], prorates=True)
    plan, change_id = made_by(lacking, effective="2026-10-15")
    assert plan.change(change_id).effective == date(2026, 10, 15)
    lacking.apply(lacking.approve(plan))
    (line,) = [line for line in lacking.psa.lines.values() if line.agreement_id == "A5"]
    assert line.effective_from == date(2026, 10, 15)
    outcome = lacking.run()
    assert next(row for row in outcome.reconciliation.rows if row.psa_account_id == "P5").verdict is Verdict.HELD


def test_a_line_added_without_a_date_counts_as_the_run_was_asked(lacking: Office) -> None:
    lacking.psa.agreements[AgreementId("A5")] = replace(lacking.psa.agreements[AgreementId("A5")], prorates=True)
    outcome = lacking.run("next_period")
    plan = lacking.add_line(outcome.plan, missing(outcome.reconciliation).id, "A5")
    assert {change.effective for change in plan.changes if change.added_by} == {date(2026, 10, 1)}


@pytest.mark.parametrize("effective", ["next_invoice", "2020-01-01", "soon"])
def test_a_date_that_cannot_be_had_is_refused(lacking: Office, effective: str) -> None:
    outcome = lacking.run()
    with pytest.raises(InputInvalid) as refused:
        lacking.add_line(outcome.plan, missing(outcome.reconciliation).id, "A5", effective=effective)
    assert refused.value.field == "effective"


def test_an_equal_run_keeps_the_added_line_and_other_seats_do_not(lacking: Office) -> None:
    plan, change_id = made_by(lacking)
    assert lacking.run().plan == plan
    lacking.vendor.sets("V5", 25)
    newer = lacking.run().plan
    assert newer.id == f"{plan.id}-2", "20 seats are not what the client lacks any more"
    assert all(change.id != change_id for change in newer.changes)
    assert lacking.state.plans.get(plan.id).state is PlanState.SUPERSEDED


def test_an_empty_plan_can_get_a_line_and_the_next_run_makes_a_new_empty_plan(lacking: Office) -> None:
    for account, seats in (("V2", 12), ("V3", 10), ("V4", 18)):
        lacking.vendor.sets(account, seats)
    plan, _ = made_by(lacking)
    assert len(plan.changes) == 1
    assert lacking.apply(lacking.approve(plan)).plan.state is PlanState.APPLIED
    after = lacking.run().plan
    assert after.id != plan.id
    assert (after.changes, after.state) == ((), PlanState.PROPOSED)


def test_a_line_that_was_made_since_in_the_psa_is_not_added(lacking: Office) -> None:
    outcome = lacking.run()
    lacking.line(5, "20")
    lacking.sync()
    with pytest.raises(Conflict, match="L5 bills this product by now"):
        lacking.add_line(outcome.plan, missing(outcome.reconciliation).id, "A5")


def test_a_plan_for_another_psa_gets_no_line(lacking: Office) -> None:
    outcome = lacking.run()
    lacking.connect(IntegrationName.CONNECTWISE, company_id="acmemsp_sandbox", switch=True)
    with pytest.raises(PlanNotReady, match="is connected now"):
        lacking.add_line(outcome.plan, missing(outcome.reconciliation).id, "A5")


def test_an_added_line_whose_account_was_excluded_since_is_not_made(lacking: Office) -> None:
    plan, change_id = made_by(lacking)
    approved = lacking.approve(plan)
    lacking.exclude("V5")
    result = lacking.apply(approved).plan.result(change_id)
    assert result is not None
    assert result.outcome is WriteOutcome.CONFLICT
    assert lines_of(lacking) == []
