"""From when the changes of a run are to count: asked at its start, checked against the PSA, kept to its plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tests.usecases.office import PERSON, TIME_ZONE, Office
from trueup.domain.billing import AgreementId, LineId, WriteOutcome
from trueup.domain.effective import EffectiveWish
from trueup.domain.errors import InputInvalid, LeaseHeld, NotConnected
from trueup.domain.verdicts import Verdict
from trueup.usecases.month import read_and_match, reconcile_run
from trueup.usecases.monthly_run import begin_run, chosen_wish, note_effective


@pytest.fixture
def prorated(month: Office) -> Office:
    """The agreements of clients 2 and 4 prorate, and say when they are invoiced next."""
    for number in (2, 4):
        terms = month.psa.agreements[AgreementId(f"A{number}")]
        month.psa.agreements[terms.id] = replace(terms, prorates=True, next_invoice_on=date(2026, 10, 1))
    return month


def test_a_run_without_a_wish_does_as_the_psa_does(month: Office) -> None:
    plan = month.run().plan
    assert month.state.runs.get(plan.run_id).effective == ""
    assert {change.effective_text for change in plan.changes} == {"now"}


def test_a_wish_is_kept_with_the_run_and_in_the_history(prorated: Office) -> None:
    plan = prorated.run("2026-10-15").plan
    assert prorated.state.runs.get(plan.run_id).effective == "2026-10-15"
    whys = [one.audit.why for one in prorated.state.history.all() if one.audit.action == "run started"]
    assert whys[-1] == "changes count from 2026-10-15"
    ready = {change.line_id: change for change in plan.changes}
    assert ready["L2"].effective_text == "2026-10-15"
    assert ready["L2"].next_invoice is not None
    assert (ready["L2"].next_invoice.quantity, ready["L2"].next_invoice.amount) == (12, Decimal("51.00"))
    assert ready["L3"].effective_text == "now"
    assert "date_not_possible" in {hold.guard for hold in ready["L3"].holds}


def test_a_dated_change_is_written_by_the_psas_own_means_and_is_in_line_until_it_counts(prorated: Office) -> None:
    plan = prorated.run("next_period").plan
    applied = prorated.apply(prorated.approve(plan)).plan
    results = {str(applied.change(one.change_id).line_id): one for one in applied.results}
    assert {one.outcome for one in results.values()} == {WriteOutcome.APPLIED}
    made = results["L2"].line_id
    assert made is not None
    assert prorated.psa.lines[made].effective_from == date(2026, 10, 1)
    assert prorated.psa.lines[LineId("L2")].effective_to is not None
    again = prorated.run()
    verdicts = {row.psa_account_id: row.verdict for row in again.reconciliation.rows}
    assert (verdicts["P2"], verdicts["P4"]) == (Verdict.IN_LINE, Verdict.IN_LINE)
    prorated.vendor.sets("V2", 30)
    assert {row.psa_account_id: row.verdict for row in prorated.run().reconciliation.rows}["P2"] is Verdict.HELD


@pytest.mark.parametrize("text", ["next_invoice", "2026-08-31", "2020-01-01", "soon"])
def test_what_the_psa_cannot_do_begins_no_run(month: Office, text: str) -> None:
    runs = month.state.runs.latest()
    with pytest.raises(InputInvalid) as refused:
        month.begin(effective=text)
    assert refused.value.field == "effective"
    assert month.state.runs.latest() == runs


def test_the_day_is_the_msps_day(month: Office) -> None:
    """At 03:00 UTC it is still yesterday in New York, so that UTC day is a day to come there."""
    now = month.clock.now()
    month.clock.advance((now.replace(hour=3, minute=0, second=0) - now).total_seconds() + 24 * 3600)
    today = month.clock.now().date()
    assert month.begin(effective=today.isoformat()).effective == today.isoformat()


def test_without_a_psa_there_is_nothing_to_ask_for(office: Office) -> None:
    def ask(text: str) -> EffectiveWish:
        return chosen_wish(text, integrations=office.state.integrations, time_zone=TIME_ZONE, clock=office.clock)

    assert ask("") == EffectiveWish()
    with pytest.raises(NotConnected):
        ask("now")


def test_a_run_with_another_wish_is_not_taken_for_this_one(month: Office) -> None:
    first = month.begin()
    with pytest.raises(LeaseHeld, match="count from the default"):
        month.begin(effective="next_period")
    assert month.begin().id == first.id
    assert month.state.runs.get(first.id) == first


def test_the_schedule_asks_for_nothing(month: Office) -> None:
    run = begin_run(
        actor="", time_zone=TIME_ZONE, runs=month.state.runs, clock=month.clock, scheduled_for=month.clock.now()
    )
    assert run.effective == ""


def test_a_run_that_goes_on_keeps_its_wish_unless_a_person_says_another(prorated: Office) -> None:
    run = prorated.begin(effective="next_period")
    read_and_match(run, prorated.systems, actor=PERSON)
    assert prorated.begin().effective == "next_period", "the same run, asked for again"
    other = note_effective(
        run.id, EffectiveWish.parse("2026-10-20"), actor=PERSON, runs=prorated.state.runs, clock=prorated.clock
    )
    plan = reconcile_run(other, prorated.systems, actor=PERSON, policy=prorated.policy).plan
    assert "2026-10-20" in {change.effective_text for change in plan.changes}
    assert [one.audit.why for one in prorated.state.history.all() if one.audit.action == "run changed"] == [
        "changes count from 2026-10-20"
    ]


def test_a_day_that_is_over_when_the_plan_is_made_ends_the_run(prorated: Office) -> None:
    run = prorated.begin(effective="2026-09-10")
    prorated.clock.advance(20 * 24 * 3600)
    read_and_match(run, prorated.systems, actor=PERSON)
    with pytest.raises(InputInvalid, match="not in the future"):
        reconcile_run(run, prorated.systems, actor=PERSON, policy=prorated.policy)
    ended = prorated.state.runs.get(run.id)
    assert (ended.state.value, ended.problem_code) == ("failed", "input_invalid")
