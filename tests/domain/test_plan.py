"""The plan is a value bound to its checksum: it moves with whatever would be written, and with nothing else."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.building import READ_AT, agreement, known, legs, line, month_of, plan_of, proposed
from trueup.domain.billing import AgreementId, LineId, LineReference, ProductId, PsaAccountId, WriteOutcome
from trueup.domain.counts import Basis, Known, Seats
from trueup.domain.effective import EffectiveRule, EffectiveWish, NextInvoiceLine
from trueup.domain.errors import ChecksumMismatch, Conflict, InputInvalid, NotFound, PlanNotReady
from trueup.domain.guards import Hold
from trueup.domain.plan import Change, ChangeKind, ChangeResult, Plan, PlanState, Release
from trueup.domain.reconcile import reconcile

NOW = READ_AT + timedelta(hours=1)
RELEASE = Release("dana", NOW, "the client confirmed by mail")


def _plan(*numbers: tuple[int, int]) -> Plan:
    return plan_of(*(numbers or ((10, 12), (10, 5), (7, 7))))


def _ready(plan: Plan) -> Change:
    return plan.ready[0]


def _held(plan: Plan) -> Change:
    return plan.held[0]


def _approved(plan: Plan) -> Plan:
    return plan.approved(plan.checksum, by="alex", at=NOW)


def _result(change: Change, outcome: WriteOutcome = WriteOutcome.APPLIED) -> ChangeResult:
    return ChangeResult(change.id, outcome, "read back", NOW, Decimal(change.target))


# What a plan is made of


def test_a_change_says_what_was_read_and_what_will_be_written() -> None:
    change = _ready(_plan((10, 12)))
    assert change.reference == LineReference(AgreementId("A0"), LineId("L0"), ProductId("X"))
    assert (change.expected, change.expected_version, change.target) == (Decimal(10), "v1", 12)
    assert (change.vendor_ids, change.psa_account_id, change.product_id) == (("V0",), "P0", "X")
    assert (change.monthly_money, change.currency, change.effective) == (Decimal("4.00"), "USD", None)
    assert change.reasons == ("agreement 12, billed 10: bill 2 more",)
    assert not change.is_held


def test_only_differences_of_one_number_become_changes() -> None:
    plan = _plan((10, 12), (10, 5), (7, 7))
    assert {(change.line_id, change.target) for change in plan.changes} == {("L0", 12), ("L1", 5)}
    assert [change.line_id for change in plan.ready] == ["L0"]
    assert [change.line_id for change in plan.held] == ["L1"]
    assert [change.id for change in plan.changes] == sorted(change.id for change in plan.changes)


def test_a_month_in_line_has_an_empty_plan_that_cannot_be_approved() -> None:
    plan = _plan((7, 7))
    assert plan.changes == ()
    with pytest.raises(PlanNotReady, match="nothing to apply"):
        _approved(plan)


# The checksum


def test_equal_proposals_are_the_same_plan_whenever_and_by_whichever_run() -> None:
    month = reconcile(month_of((10, 12), (10, 5)))
    first = proposed(month, ages=("0.1", "0.2"), run_id="run-1")
    again = proposed(month, ages=("3.5", "9.0"), run_id="run-2", created_at=READ_AT + timedelta(days=3))
    assert (first.id, first.checksum, first.canonical()) == (again.id, again.checksum, again.canonical())
    assert first.id == f"plan-2026-11-{first.checksum[:12]}"


def test_old_reads_of_other_ages_are_still_the_same_plan() -> None:
    month = reconcile(month_of((10, 12)))
    assert proposed(month, ages=("25.1", "0")).checksum == proposed(month, ages=("0", "31.7")).checksum
    assert proposed(month, ages=("25.1", "0")).checksum != proposed(month, ages=("0", "0")).checksum


def test_other_times_of_the_reads_are_still_the_same_plan() -> None:
    month = month_of((10, 12))
    later = replace(
        month,
        psa_read_at=NOW,
        vendor=replace(
            month.vendor,
            counts=tuple(replace(item, count=replace(known(12), as_of=NOW)) for item in month.vendor.counts),
        ),
    )
    assert proposed(reconcile(later)).checksum == proposed(reconcile(month)).checksum


def test_another_number_is_another_plan() -> None:
    plans = [_plan((10, 12)), _plan((10, 11)), _plan((9, 12)), _plan((10, 12), (3, 4)), _plan((10, 5))]
    assert len({plan.id for plan in plans}) == len(plans)
    assert len({plan.checksum for plan in plans}) == len(plans)


def test_a_line_edited_since_is_another_plan() -> None:
    month = month_of((10, 12))
    edited = replace(month, psa=replace(month.psa, lines=(replace(month.psa.lines[0], version="v2"),)))
    assert proposed(reconcile(edited)).checksum != proposed(reconcile(month)).checksum
    assert proposed(reconcile(edited)).changes[0].id != proposed(reconcile(month)).changes[0].id


@pytest.mark.parametrize(
    "count",
    [known(12, reference="contract 2"), replace(known(12), basis=Basis.MANUAL_FILE), replace(known(12), evidence=())],
)
def test_the_same_number_from_other_evidence_is_another_plan(count: Known) -> None:
    month = month_of((10, 12))
    other = tuple(replace(item, count=count) for item in month.vendor.counts)
    again = replace(month, vendor=replace(month.vendor, counts=other))
    assert proposed(reconcile(again)).checksum != proposed(reconcile(month)).checksum


def test_evidence_is_of_the_line_as_it_was_read() -> None:
    month = month_of((10, 12))
    evidence = {_ready(_plan((10, 12))).evidence}
    for edited in ({"version": "v2"}, {"quantity": Decimal(9)}):
        lines = (replace(month.psa.lines[0], **edited),)
        evidence.add(_ready(proposed(reconcile(replace(month, psa=replace(month.psa, lines=lines))))).evidence)
    assert len(evidence) == 3


def test_the_same_changes_of_another_tenant_or_period_are_another_plan() -> None:
    plan = _plan()
    assert replace(plan, tenant="another").checksum != plan.checksum
    assert replace(plan, period="2026-12").checksum != plan.checksum


PROSE = {"row_id", "psa_account_name", "agreement_name", "product_code", "reasons", "next_invoice"}
"""Shown to a person, but neither written nor a condition of writing."""

ONLY_REFUSES = {"service_ids"}
"""A condition that can only keep a change from being sent; plans of before it was kept have their old checksum."""

OTHER: dict[str, st.SearchStrategy[Any]] = {
    "id": st.text(min_size=1),
    "row_id": st.text(),
    "vendor_ids": st.lists(st.text()).map(tuple),
    "psa_account_id": st.text().map(PsaAccountId),
    "psa_account_name": st.text(),
    "agreement_id": st.text().map(AgreementId),
    "agreement_name": st.text(),
    "line_id": st.text().map(LineId),
    "product_id": st.text().map(ProductId),
    "product_code": st.text(),
    "expected": st.decimals(0, 1_000, places=2),
    "expected_version": st.text(),
    "target": st.integers(0, 1_000).map(Seats),
    "effective": st.dates(),
    "monthly_money": st.none() | st.decimals(-1_000, 1_000, places=2),
    "currency": st.text(),
    "reasons": st.lists(st.text()).map(tuple),
    "evidence": st.text(),
    "holds": st.lists(st.builds(Hold, st.text(), st.text(), st.text()), min_size=1).map(tuple),
    "release": st.builds(Release, st.text(), st.just(NOW), st.text()),
    "kind": st.sampled_from(ChangeKind),
    "effective_rule": st.sampled_from([EffectiveRule.NOW, EffectiveRule.NEXT_INVOICE]),
    "next_invoice": st.none() | st.builds(NextInvoiceLine, st.none(), st.integers(0, 1_000), st.none()),
    "siblings": st.lists(st.text().map(LineId), min_size=1).map(tuple),
    "undoes": st.text(),
    "service_ids": st.lists(st.text()).map(tuple),
    "added_by": st.text(),
}


def test_every_field_of_a_change_is_looked_at_below() -> None:
    assert [item.name for item in fields(Change)] == list(OTHER)


@pytest.mark.parametrize("name", OTHER)
@given(data=st.data())
def test_the_checksum_moves_with_whatever_would_be_written(name: str, data: st.DataObject) -> None:
    plan = _plan((10, 12), (10, 5))
    place = data.draw(st.integers(0, 1))
    change = plan.changes[place]
    value = data.draw(OTHER[name])
    if value == getattr(change, name):
        return
    changes = [*plan.changes]
    changes[place] = replace(change, **{name: value})
    moved = replace(plan, changes=tuple(changes)).checksum != plan.checksum
    assert moved == (name not in PROSE | ONLY_REFUSES)


def test_the_minute_of_a_release_is_not_under_the_checksum_but_who_and_why_are() -> None:
    plan = _plan()
    released = plan.released(_held(plan).id, RELEASE)
    assert released.checksum != plan.checksum
    later = plan.released(_held(plan).id, replace(RELEASE, at=NOW + timedelta(minutes=5)))
    assert later.checksum == released.checksum
    for other in (replace(RELEASE, by="alex"), replace(RELEASE, reason="because")):
        assert plan.released(_held(plan).id, other).checksum != released.checksum


def test_an_effective_date_is_under_the_checksum() -> None:
    facts = legs({("V1", "S1"): known(12)}, [line(quantity="10")], agreements=[agreement(prorates=True)])
    month = reconcile(facts)
    wishes = ["", "2026-12-01", "2027-01-01", "next_period"]
    plans = [proposed(month, wish=EffectiveWish.parse(wish)) for wish in wishes]
    assert plans[1].changes[0].effective == plans[3].changes[0].effective == date(2026, 12, 1)
    assert len({plan.checksum for plan in plans}) == 3


def test_state_results_and_who_did_what_are_not_under_the_checksum() -> None:
    plan = _plan((10, 12))
    approved = _approved(plan)
    applied = approved.with_result(_result(_ready(approved)))
    assert plan.checksum == approved.checksum == applied.checksum


# Release


def test_a_released_change_is_ready_and_keeps_what_held_it() -> None:
    plan = _plan()
    held = _held(plan)
    released = plan.released(held.id, RELEASE)
    assert released.change(held.id) == replace(held, release=RELEASE)
    assert released.change(held.id).holds == held.holds
    assert released.held == ()
    assert plan.held == (held,)


@pytest.mark.parametrize("reason", ["", " ", "\n\t"])
def test_a_release_without_a_reason_is_refused(reason: str) -> None:
    plan = _plan()
    with pytest.raises(InputInvalid) as refused:
        plan.released(_held(plan).id, replace(RELEASE, reason=reason))
    assert refused.value.field == "reason"


def test_what_cannot_be_released() -> None:
    plan = _plan()
    with pytest.raises(NotFound):
        plan.released("chg-no-such", RELEASE)
    with pytest.raises(Conflict, match="not held"):
        plan.released(_ready(plan).id, RELEASE)
    once = plan.released(_held(plan).id, RELEASE)
    with pytest.raises(Conflict, match="not held"):
        once.released(_held(plan).id, RELEASE)
    for state in (PlanState.APPROVED, PlanState.APPLIED, PlanState.SUPERSEDED):
        with pytest.raises(PlanNotReady):
            replace(plan, state=state).released(_held(plan).id, RELEASE)


# Approval


def test_approval_binds_the_plan_to_its_checksum() -> None:
    plan = _plan()
    approved = _approved(plan)
    assert (approved.state, approved.approved_by, approved.approved_at) == (PlanState.APPROVED, "alex", NOW)
    assert approved.approved_checksum == plan.checksum
    approved.require_approved(plan.checksum)


@pytest.mark.parametrize("wrong", ["", " ", "0" * 64, "None"])
def test_no_plan_is_approved_or_applied_by_another_checksum(wrong: str) -> None:
    plan = _plan()
    with pytest.raises(ChecksumMismatch):
        plan.approved(wrong, by="alex", at=NOW)
    for near in (wrong, plan.checksum.upper(), plan.checksum[:12], plan.checksum + " "):
        with pytest.raises(ChecksumMismatch):
            plan.require_checksum(near)
        with pytest.raises(ChecksumMismatch):
            _approved(plan).require_approved(near)


def test_a_checksum_from_before_a_release_is_stale() -> None:
    plan = _plan()
    released = plan.released(_held(plan).id, RELEASE)
    with pytest.raises(ChecksumMismatch):
        released.approved(plan.checksum, by="alex", at=NOW)


def test_a_plan_changed_after_its_approval_is_not_approved() -> None:
    """Whatever way the stored changes came to differ, neither the old nor the new checksum applies them."""
    approved = _approved(_plan())
    changes = tuple(replace(change, target=Seats(change.target + 1)) for change in approved.changes)
    tampered = replace(approved, changes=changes)
    for checksum in (approved.checksum, tampered.checksum):
        with pytest.raises(ChecksumMismatch):
            tampered.require_approved(checksum)


@pytest.mark.parametrize("state", [PlanState.APPROVED, PlanState.APPLIED, PlanState.SUPERSEDED])
def test_a_plan_is_approved_once(state: PlanState) -> None:
    plan = _plan()
    with pytest.raises(PlanNotReady, match=state.value):
        replace(plan, state=state).approved(plan.checksum, by="alex", at=NOW)


def test_a_plan_of_held_changes_only_cannot_be_approved_until_one_is_released() -> None:
    plan = _plan((10, 5))
    with pytest.raises(PlanNotReady, match="nothing to apply"):
        _approved(plan)
    assert _approved(plan.released(_held(plan).id, RELEASE)).state is PlanState.APPROVED


def test_only_an_approved_plan_may_be_applied() -> None:
    plan = _plan()
    with pytest.raises(PlanNotReady, match="not approved"):
        plan.require_approved(plan.checksum)
    with pytest.raises(PlanNotReady, match="replaced"):
        replace(_approved(plan), state=PlanState.SUPERSEDED).require_approved(plan.checksum)
    # Applied once: applying again is harmless, every change is found to be there already.
    replace(_approved(plan), state=PlanState.APPLIED).require_approved(plan.checksum)


def test_an_approved_state_without_an_approved_checksum_fails_closed() -> None:
    plan = _plan()
    with pytest.raises(ChecksumMismatch):
        replace(plan, state=PlanState.APPROVED).require_approved(plan.checksum)


# Results


def test_a_plan_is_applied_when_every_change_that_may_be_written_has_a_final_result() -> None:
    approved = _approved(_plan((10, 12), (5, 6), (10, 5)))
    first, second = approved.ready
    halfway = approved.with_result(_result(second, WriteOutcome.CONFLICT))
    assert halfway.state is PlanState.APPROVED
    done = halfway.with_result(_result(first))
    assert done.state is PlanState.APPLIED
    assert [result.change_id for result in done.results] == sorted([first.id, second.id])
    assert done.result(second.id) == _result(second, WriteOutcome.CONFLICT)
    assert done.result(_held(approved).id) is None


def test_an_unknown_outcome_is_not_final_and_a_later_look_replaces_it() -> None:
    approved = _approved(_plan((10, 12)))
    change = _ready(approved)
    unknown = approved.with_result(_result(change, WriteOutcome.UNKNOWN))
    assert unknown.state is PlanState.APPROVED
    known_now = unknown.with_result(_result(change, WriteOutcome.ALREADY))
    assert known_now.state is PlanState.APPLIED
    assert [result.outcome for result in known_now.results] == [WriteOutcome.ALREADY]


@pytest.mark.parametrize("first", [outcome for outcome in WriteOutcome if outcome is not WriteOutcome.UNKNOWN])
@pytest.mark.parametrize("later", list(WriteOutcome))
def test_a_final_result_is_kept_as_it_is(first: WriteOutcome, later: WriteOutcome) -> None:
    approved = _approved(_plan((10, 12), (5, 6)))
    change = _ready(approved)
    settled = approved.with_result(_result(change, first))
    assert settled.with_result(_result(change, later)) == settled


def test_a_superseded_plan_takes_a_late_result_and_stays_superseded() -> None:
    """What was sent was sent: it is recorded, but the plan does not come back to life beside the newer one."""
    superseded = replace(_approved(_plan((10, 12))), state=PlanState.SUPERSEDED)
    late = superseded.with_result(_result(_ready(superseded)))
    assert late.state is PlanState.SUPERSEDED
    assert late.result(_ready(superseded).id) is not None


def test_results_that_cannot_be() -> None:
    plan = _plan()
    with pytest.raises(PlanNotReady, match="not approved"):
        plan.with_result(_result(_ready(plan)))
    with pytest.raises(PlanNotReady, match="held"):
        _approved(plan).with_result(_result(_held(plan)))
    with pytest.raises(NotFound):
        _approved(plan).with_result(replace(_result(_ready(plan)), change_id="chg-no-such"))


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(list(WriteOutcome))), max_size=12))
def test_results_in_any_order_settle_each_change_once(steps: list[tuple[int, WriteOutcome]]) -> None:
    plan = _approved(_plan((10, 12), (5, 6), (7, 8)))
    said: dict[str, WriteOutcome] = {}
    for place, outcome in steps:
        change = plan.changes[place]
        plan = plan.with_result(_result(change, outcome))
        if said.get(change.id, WriteOutcome.UNKNOWN) is WriteOutcome.UNKNOWN:
            said[change.id] = outcome
    assert {result.change_id: result.outcome for result in plan.results} == said
    final = [outcome for outcome in said.values() if outcome is not WriteOutcome.UNKNOWN]
    assert (plan.state is PlanState.APPLIED) == (len(final) == 3)
