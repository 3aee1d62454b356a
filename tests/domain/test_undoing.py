"""What was written goes back to its old value, once, and only what this plan wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.domain.building import (
    CONNECTWISE,
    POLICY,
    READ_AT,
    TODAY,
    agreement,
    allocation,
    known,
    legs,
    line,
    only_row,
    proposed,
    service,
)
from trueup.domain.billing import Agreement, Line, LineId, WriteOutcome
from trueup.domain.effective import PSA_CAPABILITIES, EffectiveRule, EffectiveWish, NextInvoiceLine, PsaCapabilities
from trueup.domain.errors import NotFound, PlanNotReady
from trueup.domain.integrations import IntegrationName
from trueup.domain.plan import Change, ChangeResult, Plan, PlanState, Release
from trueup.domain.plan_building import PlanTerms, line_to_create
from trueup.domain.reconcile import Legs, reconcile
from trueup.domain.undoing import Undo, undo_plan, undone_by

AUTOTASK = PSA_CAPABILITIES[IntegrationName.AUTOTASK]
HALOPSA = PSA_CAPABILITIES[IntegrationName.HALOPSA]
LATER = READ_AT + timedelta(days=1)
GONE_WRONG = [outcome for outcome in WriteOutcome if outcome is not WriteOutcome.APPLIED]


def more(seats: int = 12, **named: object) -> Legs:
    return legs({("V1", "S1"): known(seats)}, **named)  # type: ignore[arg-type]


def applied(plan: Plan, outcomes: Mapping[str, WriteOutcome] | None = None, made: str | None = None) -> Plan:
    """The plan approved, with every result; ``outcomes`` are by change, applied unless given."""
    for change in plan.held:
        plan = plan.released(change.id, Release("alex", READ_AT, "seen"))
    plan = plan.approved(plan.checksum, by="alex", at=READ_AT)
    for change in plan.changes:
        outcome = (outcomes or {}).get(change.id, WriteOutcome.APPLIED)
        line_id = None if made is None else LineId(made)
        plan = plan.with_result(ChangeResult(change.id, outcome, "read back", READ_AT, None, line_id))
    return plan


def undo(
    plan: Plan,
    *change_ids: str,
    can: PsaCapabilities = CONNECTWISE,
    on: date = TODAY,
    undone: Mapping[str, str] | None = None,
    lines: Mapping[LineId, tuple[Line, Agreement]] | None = None,
    period: str = "2026-11",
    system: str = "",
) -> Undo:
    terms = PlanTerms("example", period, on, POLICY, can, psa_system=system)
    return undo_plan(
        plan, change_ids, reason="wrong client", terms=terms, created_at=LATER, prepared_by="dana",
        undone=undone, lines=lines,
    )  # fmt: skip


def test_a_line_goes_back_from_what_was_written_to_what_it_had() -> None:
    plan = applied(proposed(reconcile(more())))
    back = undo(plan)
    (was,), (change,) = plan.changes, back.plan.changes
    assert back.left_out == ()
    assert (change.line_id, change.expected, change.target) == (was.line_id, Decimal(12), 10)
    assert change.expected_version == "", "the write moved the version on; the quantity alone is compared"
    assert (change.monthly_money, change.effective_text) == (Decimal("-4.00"), "now")
    assert change.undoes == f"{plan.id}/{was.id}"
    assert change.reasons == (f"takes back 10 -> 12 of plan {plan.id}: wrong client",)
    assert (back.plan.state, back.plan.prepared_by, back.plan.results) == (PlanState.PROPOSED, "dana", ())
    assert back.plan.id != plan.id
    assert change.id != was.id
    assert back.plan.ready == back.plan.changes


def test_what_held_a_change_does_not_hold_its_undo() -> None:
    plan = applied(proposed(reconcile(more(5))))
    (change,) = undo(plan).plan.changes
    assert (change.expected, change.target, change.holds, change.release) == (5, 10, (), None)


def test_the_undo_is_of_the_month_it_is_asked_for_in() -> None:
    plan = applied(proposed(reconcile(more())))
    assert undo(plan, period="2026-12").plan.period == "2026-12"
    assert undo(plan, period="2026-12").plan.id.startswith("plan-2026-12-")


def two_changes() -> Plan:
    month = legs(
        {("V1", "S1"): known(12), ("V1", "S2"): known(7)},
        [line("L1", "10"), line("L2", "5", product_id="Y")],
        services=[service("S1", "X"), service("S2", "Y")],
    )
    return proposed(reconcile(month))


def test_a_whole_plan_or_the_named_changes() -> None:
    plan = applied(two_changes())
    first, second = plan.changes
    assert {change.undoes for change in undo(plan).plan.changes} == {f"{plan.id}/{one.id}" for one in plan.changes}
    (change,) = undo(plan, second.id, second.id).plan.changes
    assert change.undoes == f"{plan.id}/{second.id}"
    with pytest.raises(NotFound):
        undo(plan, first.id, "chg-nothing")


@pytest.mark.parametrize("outcome", GONE_WRONG)
def test_only_what_this_plan_wrote_is_taken_back(outcome: WriteOutcome) -> None:
    draft = two_changes()
    first, second = draft.changes
    plan = applied(draft, {first.id: outcome})
    back = undo(plan)
    assert [change.undoes for change in back.plan.changes] == [f"{plan.id}/{second.id}"]
    assert back.left_out == ((first.id, f"change {first.id} is {outcome.value}, so it wrote nothing"),)
    with pytest.raises(PlanNotReady, match=outcome.value):
        undo(plan, first.id)


def test_a_plan_that_wrote_nothing_has_nothing_to_take_back() -> None:
    with pytest.raises(PlanNotReady, match="nothing of plan"):
        undo(proposed(reconcile(more())))
    draft = proposed(reconcile(more()))
    with pytest.raises(PlanNotReady, match="is conflict"):
        undo(applied(draft, {draft.changes[0].id: WriteOutcome.CONFLICT}))


def test_a_line_that_was_made_is_not_taken_away() -> None:
    row = only_row(legs({("V1", "S1"): known(20)}, []))
    made = line_to_create(
        row,
        agreement(),
        product_name="Email",
        added_by="dana",
        psa_read_at=READ_AT,
        terms=PlanTerms("example", "2026-11", TODAY, POLICY, CONNECTWISE),
    )
    draft = proposed(reconcile(more())).with_change(made)
    plan = applied(draft)
    back = undo(plan)
    assert len(back.plan.changes) == 1
    assert back.left_out == ((made.id, f"change {made.id} made a line, and lines are not taken away by a program"),)
    with pytest.raises(PlanNotReady) as refused:
        undo(plan, made.id)
    assert refused.value.remedy == "End the line in the PSA."


def test_a_plan_for_another_psa_is_not_taken_back_here() -> None:
    plan = applied(replace(proposed(reconcile(more())), psa_system="connectwise acme"))
    assert undo(plan, system="connectwise acme").plan.psa_system == "connectwise acme"
    with pytest.raises(PlanNotReady, match="is connected now"):
        undo(plan, system="halopsa acme")


def test_a_fraction_is_not_set_again_by_a_program() -> None:
    draft = proposed(reconcile(more()))
    plan = applied(replace(draft, changes=(replace(draft.changes[0], expected=Decimal("10.5")),)))
    with pytest.raises(PlanNotReady, match="10.5, which is no number of seats"):
        undo(plan, draft.changes[0].id)


# From when


def test_where_changes_count_from_a_day_the_undo_of_one_to_come_counts_from_that_day() -> None:
    plan = applied(proposed(reconcile(more()), capabilities=AUTOTASK, wish=EffectiveWish.parse("2026-12-24")))
    (change,) = undo(plan, can=AUTOTASK).plan.changes
    assert (change.effective_rule, change.effective) == (EffectiveRule.DATED, date(2026, 12, 24))
    (change,) = undo(plan, can=AUTOTASK, on=date(2026, 12, 24)).plan.changes
    assert (change.effective_rule, change.effective) == (EffectiveRule.NEXT_PERIOD, date(2027, 1, 1))
    assert (
        undo(applied(proposed(reconcile(more()), capabilities=HALOPSA)), can=HALOPSA).plan.changes[0].effective_text
        == "next_invoice"
    )


def test_a_dated_change_that_made_a_line_goes_back_on_that_line_once_it_bills() -> None:
    month = reconcile(more(agreements=[agreement(prorates=True)]))
    plan = applied(proposed(month, wish=EffectiveWish.parse("2026-12-24")), made="L7")
    with pytest.raises(PlanNotReady, match="has not begun"):
        undo(plan, plan.changes[0].id)
    (change,) = undo(plan, on=date(2026, 12, 24)).plan.changes
    assert (change.line_id, change.expected, change.target, change.effective) == ("L7", 12, 10, None)


def test_the_undo_of_a_share_knows_the_other_lines() -> None:
    given = legs({("V1", "S1"): known(12)}, [line("L1", "5"), line("L2", "5")], allocations=[allocation(L1=5)])
    (change,) = undo(applied(proposed(reconcile(given)))).plan.changes
    assert (change.line_id, change.siblings) == ("L2", ("L1",))


def test_the_next_invoice_line_is_told_where_the_line_was_read() -> None:
    plan = applied(proposed(reconcile(more())))
    read = {LineId("L1"): (line("L1", "12"), agreement(next_invoice_on=date(2026, 12, 1)))}
    assert undo(plan, lines=read).plan.changes[0].next_invoice == NextInvoiceLine(date(2026, 12, 1), 10, Decimal(20))
    assert undo(plan, lines={}).plan.changes[0].next_invoice is None


# Twice, and back again


def test_what_was_taken_back_is_not_taken_back_again() -> None:
    plan = applied(two_changes())
    first, second = plan.changes
    partly = applied(undo(plan, first.id).plan)
    undone = undone_by(plan, [partly])
    assert undone == {first.id: partly.id}
    with pytest.raises(PlanNotReady, match=f"was taken back by plan {partly.id}"):
        undo(plan, first.id, undone=undone)
    rest = undo(plan, undone=undone)
    assert [change.undoes for change in rest.plan.changes] == [f"{plan.id}/{second.id}"]
    both = undone_by(plan, [partly, applied(rest.plan)])
    assert set(both) == {first.id, second.id}
    with pytest.raises(PlanNotReady, match="nothing of plan"):
        undo(plan, undone=both)


def test_an_undo_that_wrote_nothing_may_be_tried_again() -> None:
    plan = applied(proposed(reconcile(more())))
    back = undo(plan).plan
    assert undone_by(plan, [back, applied(back, {back.changes[0].id: WriteOutcome.CONFLICT})]) == {}


def test_an_undo_can_be_taken_back_and_then_the_change_again_and_so_on() -> None:
    chain = [applied(proposed(reconcile(more())))]
    for number in range(6):
        assert set(undone_by(chain[-1], chain[1:])) == set()
        back = undo(chain[-1], undone=undone_by(chain[-1], chain[1:])).plan
        (change,) = back.changes
        assert (change.expected, change.target) == ((12, 10) if number % 2 == 0 else (10, 12))
        chain.append(applied(back))
        counts = bool(number % 2)
        assert bool(undone_by(chain[0], chain[1:])) is not counts
    assert len({plan.id for plan in chain}) == len(chain)


def test_others_plans_say_nothing_of_this_one() -> None:
    plan, other = applied(proposed(reconcile(more()))), applied(proposed(reconcile(more(13))))
    assert undone_by(plan, [applied(undo(other).plan), plan, other]) == {}


def test_ids_are_the_same_for_the_same_undo() -> None:
    plan = applied(proposed(reconcile(more())))
    ids: list[Change] = [change for _ in range(2) for change in undo(plan).plan.changes]
    assert ids[0] == ids[1]
