"""Seats divided among several lines as a person said once: fixed quantities, the rest on one, never a guess."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.building import (
    PERIOD,
    TODAY,
    agreement,
    allocation,
    known,
    legs,
    line,
    only_row,
    proposed,
    seats_of,
)
from trueup.domain.billing import LineId
from trueup.domain.counts import Known
from trueup.domain.effective import PSA_CAPABILITIES, EffectiveWish
from trueup.domain.errors import InputInvalid
from trueup.domain.integrations import IntegrationName
from trueup.domain.legs import units
from trueup.domain.reconcile import Legs, reconcile
from trueup.domain.verdicts import Verdict

TWO = (line("L1", "5"), line("L2", "5"))


def divided(seats: int, *, lines: tuple[object, ...] = TWO, **fixed: int) -> Legs:
    allocations = [allocation(**(fixed or {"L1": 5}))]
    return legs({("V1", "S1"): known(seats)}, lines, allocations=allocations)  # type: ignore[arg-type]


# What a person may say


def test_the_rest_goes_to_the_balancing_line() -> None:
    assert allocation(L1=5).targets(12) == ((LineId("L1"), 5), (LineId("L2"), 7))
    assert allocation("L1", L2=5, L3=4).targets(9) == (("L1", 0), ("L2", 5), ("L3", 4))
    assert allocation(L1=5).targets(4) is None


@given(st.dictionaries(st.sampled_from(["L1", "L3", "L4"]), st.integers(0, 500), min_size=1), st.integers(0, 2_000))
def test_the_shares_always_add_up_to_the_seats(fixed: dict[str, int], seats: int) -> None:
    found = allocation(**fixed)
    found.require_sound()
    targets = found.targets(seats)
    if targets is None:
        assert sum(fixed.values()) > seats
        return
    assert sum(quantity for _, quantity in targets) == seats
    assert {line_id for line_id, _ in targets} == found.lines
    assert all(quantity >= 0 for _, quantity in targets)
    assert {line_id: quantity for line_id, quantity in targets if line_id != "L2"} == fixed


def test_a_line_named_twice_nothing_fixed_or_no_number_of_seats_is_refused() -> None:
    allocation(L1=0).require_sound()
    twice = replace(allocation(L1=5), fixed=((LineId("L1"), 5), (LineId("L1"), 6)))
    for unsound in (allocation(), allocation(L2=5), twice, allocation(L1=-1), allocation(L1=True)):
        with pytest.raises(InputInvalid) as refused:
            unsound.require_sound()
        assert refused.value.field == "fixed"


def test_it_speaks_of_exactly_its_lines() -> None:
    assert allocation(L1=5).covers([LineId("L2"), LineId("L1")])
    for others in (["L1"], ["L1", "L2", "L3"], ["L1", "L3"], []):
        assert not allocation(L1=5).covers([LineId(one) for one in others])


# What it makes of a row


def test_without_a_division_the_row_is_ambiguous_and_names_the_command() -> None:
    row = only_row(legs({("V1", "S1"): known(12)}, TWO))
    assert (row.verdict, row.shares, row.line) == (Verdict.AMBIGUOUS, (), None)
    assert "trueup lines divide P1 X --fixed L1=SEATS --balance L2 --reason WHY" in row.reasons[0]


def test_with_a_division_each_line_has_its_share_and_only_what_differs_changes() -> None:
    row = only_row(divided(12))
    assert (row.verdict, row.line, row.monthly_money) == (Verdict.BILL_MORE, None, 4)
    assert seats_of(row) == (12, 10)
    assert [(share.line.id, share.target) for share in row.shares] == [("L1", 5), ("L2", 7)]
    assert any("divided by dana" in reason for reason in row.reasons)
    (change,) = proposed(reconcile(divided(12))).changes
    assert (change.line_id, change.expected, change.target, change.siblings) == ("L2", 5, 7, ("L1",))
    assert change.monthly_money == 4


def test_a_fixed_line_that_drifted_is_set_back_though_the_sum_differs_only_a_little() -> None:
    month = reconcile(divided(9, L1=7))
    changes = {change.line_id: change for change in proposed(month).changes}
    assert {line_id: (change.expected, change.target) for line_id, change in changes.items()} == {
        "L1": (5, 7),
        "L2": (5, 2),
    }
    assert [hold.guard for hold in changes["L2"].holds] == ["decrease"]
    assert changes["L1"].holds == ()
    assert changes["L1"].siblings == ("L2",)


def test_a_sum_that_is_right_is_in_line_whatever_the_shares() -> None:
    row = only_row(divided(10, L1=7))
    assert (row.verdict, row.shares) == (Verdict.IN_LINE, ())
    said = "the sum is right and the seats are divided otherwise: line L1 bills 5 and not 7, line L2 bills 5 and not 3"
    assert said in row.reasons
    assert not any("otherwise" in reason for reason in only_row(divided(10)).reasons)


def test_fewer_seats_than_are_fixed_are_held_and_nothing_is_proposed() -> None:
    row = only_row(divided(4))
    assert row.verdict is Verdict.HELD
    assert "the fixed lines alone bill more" in row.reasons[0]
    assert proposed(reconcile(divided(4))).changes == ()


def test_a_division_of_other_lines_is_no_division() -> None:
    for lines in ((*TWO, line("L3", "1")), (line("L1", "5"), line("L3", "5"))):
        row = only_row(divided(12, lines=lines))
        assert row.verdict is Verdict.AMBIGUOUS
        assert "the division that dana gave is for other lines" in row.reasons[0]


def test_one_line_left_of_a_division_is_one_line() -> None:
    row = only_row(divided(12, lines=(line("L1", "5"), line("L2", "5", ends=TODAY))))
    assert (row.verdict, row.line is not None and row.line.id, row.shares) == (Verdict.BILL_MORE, "L1", ())


def test_a_line_nobody_may_write_holds_the_whole_division() -> None:
    row = only_row(divided(12, lines=(TWO[0], line("L2", "5", not_writable_reason="it has serial numbers"))))
    assert row.verdict is Verdict.HELD
    assert "L2: it has serial numbers" in row.reasons[0]


def test_a_line_of_no_whole_quantity_leaves_it_ambiguous() -> None:
    row = only_row(divided(12, lines=(TWO[0], line("L2", "5.5"))))
    assert (row.verdict, row.shares) == (Verdict.AMBIGUOUS, ())


def test_a_share_without_a_price_is_held_and_the_other_is_not() -> None:
    month = reconcile(divided(12, lines=(line("L1", "3"), line("L2", "5", price=None))))
    assert month.rows[0].monthly_money is None
    changes = {change.line_id: change for change in proposed(month).changes}
    assert [hold.guard for hold in changes["L2"].holds] == ["price_missing"]
    assert changes["L1"].holds == ()


def test_a_dated_change_of_one_of_them_holds_the_row_until_it_counts() -> None:
    ends = TODAY + timedelta(days=10)
    lines = (TWO[0], line("L2", "5", ends=ends), line("L9", "7", begins=ends))
    row = only_row(divided(12, lines=lines))
    assert (row.verdict, row.shares) == (Verdict.HELD, ())
    assert f"line L2 bills 5 until {ends}, then line L9 bills 7 from {ends}" in row.reasons[0]


def test_divided_lines_are_not_replaced_by_a_dated_change() -> None:
    month = reconcile(
        replace(
            divided(12),
            psa=replace(divided(12).psa, agreements=(agreement(prorates=True),)),
        )
    )
    (change,) = proposed(month, wish=EffectiveWish.parse("2026-12-01")).changes
    assert change.effective is None
    assert [hold.guard for hold in change.holds] == ["date_not_possible"]
    assert "one of several" in change.holds[0].figures
    autotask = PSA_CAPABILITIES[IntegrationName.AUTOTASK]
    (change,) = proposed(month, capabilities=autotask, wish=EffectiveWish.parse("2026-12-24")).changes
    assert (change.effective, change.holds) == (date(2026, 12, 24), ())


@given(
    quantities=st.lists(st.integers(0, 60), min_size=2, max_size=5),
    fixed=st.lists(st.integers(0, 30), min_size=5, max_size=5),
    seats=st.integers(0, 200),
)
def test_after_the_changes_of_a_division_the_lines_bill_the_seats(
    quantities: list[int], fixed: list[int], seats: int
) -> None:
    lines = [line(f"L{number}", str(quantity)) for number, quantity in enumerate(quantities)]
    said = allocation("L0", **{f"L{number}": fixed[number - 1] for number in range(1, len(quantities))})
    month = reconcile(legs({("V1", "S1"): known(seats)}, lines, allocations=[said]))
    (row,) = month.rows
    plan = proposed(month)
    bills = {one.id: int(one.quantity) for one in lines}
    for change in plan.changes:
        assert change.expected == bills[change.line_id]
        assert set(change.siblings) | {change.line_id} == set(bills)
        bills[change.line_id] = int(change.target)
    if row.verdict in (Verdict.BILL_MORE, Verdict.BILL_LESS):
        assert sum(bills.values()) == seats
        assert sum(share.target for share in row.shares) == seats
        assert row.monthly_money == sum(change.monthly_money or 0 for change in plan.changes)
    else:
        assert plan.changes == ()
    assert isinstance(row.counts.billed, Known)
    assert row.counts.billed.seats == sum(quantities)
    assert plan.period == PERIOD
    assert all(units(change.expected).isdigit() for change in plan.changes)
