"""A plan comes only from complete reads of its own run, and the same facts give the same plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.fakes.psa import WriteFault
from tests.usecases.office import PERIOD, PERSON, Office, small_month
from trueup.domain.billing import WriteOutcome
from trueup.domain.canonical import sha256
from trueup.domain.counts import Failed
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.errors import NotFound, ReadIncomplete, RunReplaced, StateUnavailable, VendorUnavailable
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.plan import PlanState
from trueup.domain.runs import is_later
from trueup.domain.verdicts import Verdict
from trueup.usecases.month import read_and_match, reconcile_run
from trueup.usecases.reconciliation import Outcome, reconcile_period

AWAY = VendorUnavailable("no answer", integration="connectwise")


def reconcile(office: Office, run_id: str, period: str = PERIOD) -> Outcome:
    return reconcile_period(
        period=period,
        run_id=run_id,
        actor=PERSON,
        policy=office.policy,
        snapshots=office.state.snapshots,
        accounts=office.state.accounts,
        services=office.state.services,
        allocations=office.state.allocations,
        capabilities=PSA_CAPABILITIES[IntegrationName.CONNECTWISE],
        reconciliations=office.state.reconciliations,
        plans=office.state.plans,
        clock=office.clock,
    )


def verdicts(outcome: Outcome) -> dict[str, Verdict]:
    return {str(row.psa_account_id): row.verdict for row in outcome.reconciliation.rows}


def test_the_month_has_its_verdicts_and_its_plan(month: Office) -> None:
    outcome = month.run()
    assert verdicts(outcome) == {
        "P1": Verdict.IN_LINE,
        "P2": Verdict.BILL_MORE,
        "P3": Verdict.BILL_LESS,
        "P4": Verdict.BILL_MORE,
    }
    plan = outcome.plan
    assert {str(change.line_id): (change.expected, change.target) for change in plan.changes} == {
        "L2": (Decimal(12), 15),
        "L3": (Decimal(10), 8),
        "L4": (Decimal(18), 20),
    }
    assert [str(change.line_id) for change in plan.held] == ["L3"]
    assert (plan.state, plan.prepared_by, plan.period) == (PlanState.PROPOSED, PERSON, PERIOD)
    assert month.state.plans.get(plan.id) == plan
    assert month.state.reconciliations.get(PERIOD) == outcome.reconciliation
    audit = list(month.state.history.all())[-1].audit
    assert (audit.action, audit.subject, audit.evidence) == ("plan proposed", plan.id, plan.checksum)
    latest = [month.state.snapshots.latest(side) for side in Side]
    assert plan.snapshots == tuple(read.digest for read in latest if read is not None)


def test_nothing_is_written_to_the_psa(month: Office) -> None:
    month.run()
    assert month.psa.calls["set_quantity"] == 0
    assert month.psa.writes == []


@pytest.mark.parametrize("side", ["vendor", "psa"])
@pytest.mark.fault("T4")
def test_T4_a_side_that_cannot_be_read_yields_no_plan_however_good_the_last_read_was(month: Office, side: str) -> None:
    month.run()
    plans_before = month.state.plan_index.latest()
    broken = month.vendor if side == "vendor" else month.psa
    broken.fail_always("read_page", AWAY)
    with pytest.raises(VendorUnavailable):
        month.run()
    with pytest.raises(ReadIncomplete, match="was not read in full in run 2026-09-003"):
        reconcile(month, "2026-09-003")
    assert month.state.plan_index.latest() == plans_before


def test_a_read_of_another_run_or_period_is_not_used(month: Office) -> None:
    month.run()
    with pytest.raises(ReadIncomplete):
        reconcile(month, "2026-09-999")
    with pytest.raises(ReadIncomplete):
        reconcile(month, "2026-09-002", period="2026-08")
    assert len(month.state.plan_index.latest()) == 1


def test_a_run_whose_reads_were_replaced_is_refused_by_the_name_of_the_newer_run(month: Office) -> None:
    month.run()
    month.run()
    plans_before = month.state.plan_index.latest()
    with pytest.raises(RunReplaced, match="was read again by run 2026-09-003 since run 2026-09-002") as refused:
        reconcile(month, "2026-09-002")
    assert refused.value.newer_run == "2026-09-003"
    assert month.state.plan_index.latest() == plans_before


@pytest.mark.parametrize(
    ("later", "earlier"),
    [("2026-09-002", "2026-09-001"), ("2026-10-001", "2026-09-1200"), ("2026-09-1000", "2026-09-999")],
)
def test_runs_are_ordered_by_period_and_number(later: str, earlier: str) -> None:
    assert is_later(later, earlier)
    assert not is_later(earlier, later)
    assert not is_later(later, later)


def test_reconciling_again_gives_the_same_plan_and_the_same_bytes(month: Office) -> None:
    first = month.run()
    run_id = first.plan.run_id
    month.clock.advance(3600)
    again = reconcile(month, run_id)
    assert again.plan == first.plan
    assert sha256(again.plan.content()) == sha256(first.plan.content())
    assert repr(again.reconciliation) == repr(first.reconciliation)


def test_equal_facts_in_another_run_are_the_same_plan_with_its_releases(month: Office) -> None:
    first = month.run().plan
    held = first.held[0]
    released = month.release(first, held.id)
    second = month.run().plan
    assert second.id == first.id
    assert second == released


def test_equal_months_are_byte_for_byte_equal() -> None:
    plans = [small_month().run() for _ in range(2)]
    assert plans[0].plan.canonical() == plans[1].plan.canonical()
    assert plans[0].plan.id == plans[1].plan.id
    assert repr(plans[0].reconciliation) == repr(plans[1].reconciliation)


def test_other_facts_are_another_plan_and_the_old_one_is_superseded(month: Office) -> None:
    first = month.run().plan
    month.vendor.sets("V4", 21)
    second = month.run().plan
    assert second.id != first.id
    assert month.state.plans.get(first.id).state is PlanState.SUPERSEDED
    current = month.state.plan_index.current(PERIOD)
    assert current is not None
    assert current.id == second.id


def test_a_change_the_psa_refused_is_proposed_again_under_another_id(month: Office) -> None:
    first = month.approve(month.run().plan)
    month.psa.next_write(WriteFault.REFUSED, WriteFault.REFUSED)
    applied = month.apply(first).plan
    assert {result.outcome for result in applied.results} == {WriteOutcome.REJECTED}
    assert applied.state is PlanState.APPLIED
    second = month.run().plan
    assert second.content() == first.content()
    assert second.id == f"{first.id}-2"
    assert second.state is PlanState.PROPOSED
    third = month.run().plan
    assert third.id == second.id, "while it is open it is the same proposal"
    month.apply(month.approve(second))
    assert (month.quantity("L2"), month.quantity("L4")) == (15, 20)


def test_a_run_after_everything_is_applied_finds_nothing_to_change(month: Office) -> None:
    plan = month.run().plan
    plan = month.approve(month.release(plan, plan.held[0].id))
    month.apply(plan)
    outcome = month.run()
    assert set(verdicts(outcome).values()) == {Verdict.IN_LINE}
    assert outcome.plan.changes == ()
    assert month.state.runs.get(outcome.plan.run_id).is_over


def test_an_account_that_could_not_be_counted_is_told_and_never_a_zero(month: Office) -> None:
    month.vendor.sets("V2", Failed("the contract names 12.5 seats"))
    outcome = month.run()
    assert verdicts(outcome)["P2"] is Verdict.MISSING_DATA
    assert "L2" not in {change.line_id for change in outcome.plan.changes}


@pytest.mark.fault("C12")
def test_C12_an_account_that_left_the_list_keeps_its_line(month: Office) -> None:
    month.vendor.removes("V1")
    for expected in ("in the last complete read", "in 2 complete reads", "end its line in the PSA"):
        outcome = month.run()
        row = next(row for row in outcome.reconciliation.rows if row.psa_account_id == "P1")
        assert row.verdict is Verdict.MISSING_DATA
        assert expected in " ".join(row.reasons)
        assert "L1" not in {change.line_id for change in outcome.plan.changes}


@pytest.mark.fault("D1")
def test_D1_a_run_over_midnight_belongs_to_the_day_and_month_it_began_in() -> None:
    month = small_month()
    # One minute before October in the MSP's time zone.
    month.clock.advance((datetime(2026, 10, 1, 3, 58, tzinfo=UTC) - month.clock.now()).total_seconds())
    line = month.psa.lines[next(key for key in month.psa.lines if key == "L2")]
    month.psa.lines[line.id] = replace(line, effective_from=datetime(2026, 10, 1, tzinfo=UTC).date())
    run = month.begin()
    month.clock.advance(60)
    read_and_match(run, month.systems, actor=PERSON)
    month.clock.advance(300)
    outcome = reconcile_run(run, month.systems, actor=PERSON, policy=month.policy)
    assert outcome.plan.period == "2026-09"
    assert verdicts(outcome)["P2"] is Verdict.HELD, "the line begins in October and the run began in September"


def test_a_read_that_began_more_than_a_day_ago_holds_the_changes() -> None:
    month = small_month()
    month.psa.page_size = 2
    run = month.begin()
    month.read_vendor(run.id)
    month.read_psa(run.id, stop_at_seconds=0.0)
    month.clock.advance(25 * 3600)
    read_and_match(run, month.systems, actor=PERSON)
    plan = reconcile_run(run, month.systems, actor=PERSON, policy=month.policy).plan
    assert plan.ready == ()
    assert {hold.guard for change in plan.changes for hold in change.holds} >= {"old_read"}


@pytest.mark.parametrize("call", ["reconciliations.save", "plans.propose"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_while_the_plan_is_stored_is_mended_by_the_same_step(month: Office, call: str, when: str) -> None:
    whole = small_month().run().plan
    month.state.switches.fail(call, when=when)  # type: ignore[arg-type]
    with pytest.raises(StateUnavailable):
        month.run()
    run = month.state.runs.latest()[0]
    plan = reconcile(month, run.id).plan
    assert plan.content() == whole.content()
    assert len(month.state.plan_index.latest()) == 1


def test_a_period_that_was_never_compared_is_not_found(month: Office) -> None:
    with pytest.raises(NotFound):
        month.state.reconciliations.get("2026-01")
