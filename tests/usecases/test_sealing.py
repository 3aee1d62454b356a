"""Closing a month: what it holds, what it refuses, what hinders it, and that a crash anywhere ends with one link."""

from __future__ import annotations

import copy
from dataclasses import fields, replace

import pytest

from tests.fakes.state_memory import Memory
from tests.usecases.office import APPROVER, PERIOD, PERSON, Office, open_office, small_month
from trueup.domain.errors import (
    Conflict,
    InputInvalid,
    LeaseHeld,
    MonthNotReady,
    MonthSealed,
    NotFound,
    StateUnavailable,
)
from trueup.domain.plan import Plan
from trueup.domain.sealing import LinkKind, SealLink
from trueup.usecases.monthly_report import contents_of
from trueup.usecases.sealed_proof import replay_month, verify_months
from trueup.usecases.sealing import reopen_month, require_month_open, seal_month


def seal(office: Office, *, reason: str = "", period: str = PERIOD) -> SealLink:
    return seal_month(
        period,
        actor=PERSON,
        run_id=f"{period}-002",
        tenant=office.tenant,
        state=office.state,
        clock=office.clock,
        reason=reason,
    )


def reopen(office: Office, reason: str = "a late correction") -> SealLink:
    return reopen_month(
        PERIOD, reason=reason, actor=APPROVER, tenant=office.tenant, state=office.state, clock=office.clock
    )


def done(office: Office) -> Plan:
    """The month carried out: the held change released, everything applied."""
    plan = office.run().plan
    for change in plan.held:
        plan = office.release(plan, change.id)
    return office.apply(office.approve(plan)).plan


def test_a_month_that_is_done_is_closed_with_all_it_was_decided_on(month: Office) -> None:
    plan = done(month)
    link = seal(month)
    assert (link.number, link.kind, link.version, link.period, link.outstanding) == (1, LinkKind.SEALED, 1, PERIOD, ())
    contents = contents_of(link, month.state.sealed_months)
    assert contents.comparison == month.state.reconciliations.get(PERIOD)
    assert contents.plans == (plan,)
    assert {read.side for read in contents.reads} == {"vendor", "psa"}
    assert [entry.vendor_id for entry in contents.accounts] == ["V1", "V2", "V3", "V4"]
    assert [run.id for run in contents.runs] == ["2026-09-001", "2026-09-002"]
    assert len(contents.findings) == 1
    events = list(month.state.history.all())
    assert link.history is not None
    assert (events[-1].audit.action, events[-1].audit.evidence) == ("month sealed", link.hash)
    assert link.history.last_number == len(events) - 1


def test_closing_a_closed_month_is_the_same_link(month: Office) -> None:
    done(month)
    link = seal(month)
    month.clock.advance(3600)
    assert seal(month) == link
    assert month.state.sealed_months.links() == (link,)


def test_what_is_under_way_hinders_and_a_reason_closes_as_it_is(month: Office) -> None:
    plan = month.run().plan
    with pytest.raises(MonthNotReady, match="waits for approval"):
        seal(month)
    month.approve(plan)
    with pytest.raises(MonthNotReady, match="not applied in full"):
        seal(month)
    assert month.state.sealed_months.links() == ()
    link = seal(month, reason="the PSA is being replaced")
    assert link.reason == "the PSA is being replaced"
    assert link.outstanding == (f"plan {plan.id} is approved and not applied in full",)


def test_held_changes_that_nobody_released_are_named_as_outstanding(month: Office) -> None:
    plan = month.run().plan
    month.apply(month.approve(plan))
    assert seal(month).outstanding == (f"plan {plan.id}: 1 held changes that nobody released",)


def test_a_month_that_was_never_compared_cannot_be_closed(office: Office) -> None:
    with pytest.raises(NotFound, match="never compared"):
        seal(office)
    with pytest.raises(InputInvalid):
        seal(office, period="2026-9")


@pytest.mark.fault("D6")
def test_D6_a_closed_month_is_read_only_until_it_is_reopened_with_a_reason(month: Office) -> None:
    plan = done(month)
    seal(month)
    with pytest.raises(MonthSealed, match="closed by dana") as refused:
        month.run()
    assert refused.value.remedy.startswith("Use the present month")
    with pytest.raises(MonthSealed):
        require_month_open(PERIOD, month.state.sealed_months)
    with pytest.raises(MonthSealed):
        month.undo(plan)
    with pytest.raises(InputInvalid):
        reopen(month, " ")
    opened = reopen(month)
    assert (opened.kind, opened.reason, opened.replaces) == (LinkKind.REOPENED, "a late correction", 1)
    require_month_open(PERIOD, month.state.sealed_months)
    with pytest.raises(Conflict, match="not closed"):
        reopen(month)
    month.vendor.sets("V1", 14)
    done(month)
    again = seal(month)
    assert (again.number, again.version, again.replaces) == (3, 2, 2)
    assert verify_months(None, state=month.state).broken is None


@pytest.mark.fault("A19")
def test_A19_what_is_delivered_again_a_week_later_is_refused_with_the_reason(month: Office) -> None:
    plan = month.run().plan
    approved = month.approve(plan)
    seal(month, reason="the client left")
    month.clock.advance(7 * 24 * 3600)
    writes = len(month.psa.writes)
    with pytest.raises(MonthSealed, match="2026-09 was closed by dana on"):
        month.apply(approved)
    with pytest.raises(MonthSealed):
        month.reconcile(month.state.runs.get("2026-09-002"))
    assert len(month.psa.writes) == writes


def test_a_plan_of_a_closed_month_can_neither_be_released_nor_approved(month: Office) -> None:
    plan = month.run().plan
    seal(month, reason="the client left")
    for step in (lambda: month.release(plan, plan.held[0].id), lambda: month.approve(plan)):
        with pytest.raises(MonthSealed):
            step()
    assert month.state.plans.get(plan.id) == plan


@pytest.mark.fault("A25")
def test_A25_a_table_restored_to_yesterday_bills_nothing_twice_and_its_month_is_closed_again(month: Office) -> None:
    plan = month.run().plan
    memory = month.state.runs._memory  # type: ignore[attr-defined]  # what a restore does is done below the ports
    yesterday = {field.name: copy.deepcopy(getattr(memory, field.name)) for field in KEPT}
    for change in plan.held:
        plan = month.release(plan, change.id)
    month.apply(month.approve(plan))
    lost = seal(month)
    billed, written = {line.id: line.quantity for line in month.psa.lines.values()}, len(month.psa.writes)

    for name, value in yesterday.items():
        setattr(memory, name, value)
    assert month.state.sealed_months.links() == ()
    # The restored plan waits again; a run reads what the PSA says by now, and nothing is left to correct.
    outcome = month.run()
    assert outcome.plan.changes == ()
    assert {line.id: line.quantity for line in month.psa.lines.values()} == billed
    assert len(month.psa.writes) == written
    link = seal(month)
    assert (link.number, link.version) == (1, 1)
    assert link.hash != lost.hash, "the hash that was kept elsewhere tells that the table was set back"
    assert verify_months(PERIOD, state=month.state, kept_hash=link.hash).broken is None
    broken = verify_months(PERIOD, state=month.state, kept_hash=lost.hash).broken
    assert broken is not None
    assert "the table set back" in broken.words


def test_a_month_is_not_closed_while_a_plan_is_applied(month: Office) -> None:
    done(month)
    month.state.leases.acquire("apply", owner="somebody", seconds=60)
    with pytest.raises(LeaseHeld):
        seal(month)


def test_a_comparison_that_comes_in_between_is_closed_with(month: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    done(month)
    put, runs = month.state.sealed_months.put, [1]

    def put_and_run(content: bytes) -> None:
        put(content)
        if runs:
            runs.pop()
            month.vendor.sets("V1", 12)
            month.run()

    monkeypatch.setattr(month.state.sealed_months, "put", put_and_run)
    link = seal(month)
    assert [run.id for run in contents_of(link, month.state.sealed_months).runs][-1] == "2026-09-003"
    assert contents_of(link, month.state.sealed_months).comparison == month.state.reconciliations.get(PERIOD)


KEPT = [field for field in fields(Memory) if field.name not in {"clock", "switches", "lock"}]
"""What a table holds."""


def calls_of_sealing() -> list[str]:
    office = small_month()
    done(office)
    before = len(office.state.switches.calls)
    seal(office)
    return office.state.switches.calls[before:]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_every_effect_of_closing_ends_with_one_link(when: str) -> None:
    calls = calls_of_sealing()
    assert calls.count("sealed_months.append") == 1
    for skip in range(len(calls)):
        office = small_month()
        done(office)
        office.state.switches.fail("*", StateUnavailable("away"), when=when, skip=skip)  # type: ignore[arg-type]
        with pytest.raises(StateUnavailable):
            seal(office)
        office.state.switches.heal()
        office.clock.advance(301)
        link = seal(office)
        assert office.state.sealed_months.links() == (link,)
        assert office.actions().count("month sealed") == 1
        assert verify_months(None, state=office.state).broken is None


def test_the_closed_month_is_made_again_from_its_parts(month: Office) -> None:
    done(month)
    seal(month)
    # Whatever becomes of the present mapping and the present reads.
    month.exclude("V2")
    month.vendor.sets("V1", 99)
    replay = replay_month(PERIOD, state=month.state)
    assert (replay.difference, replay.rows, replay.changes, replay.is_same_form) == ("", 4, 3, True)


def test_a_month_that_comes_out_otherwise_is_told_with_the_first_difference(month: Office) -> None:
    done(month)
    comparison = month.state.reconciliations.get(PERIOD)
    inputs = month.state.comparison_records.inputs(PERIOD)
    assert inputs is not None
    moved = replace(inputs, legs=replace(inputs.legs, currency="EUR"))
    month.state.reconciliations.save(comparison, run_id="2026-09-002", at=month.clock.now(), inputs=moved)
    seal(month)
    assert "has another currency" in replay_month(PERIOD, state=month.state).difference


def test_only_months_that_were_closed_can_be_proven_by_name() -> None:
    office = open_office()
    assert verify_months(None, state=office.state).links == 0
    with pytest.raises(NotFound):
        verify_months(PERIOD, state=office.state)
    with pytest.raises(NotFound):
        replay_month(PERIOD, state=office.state)
