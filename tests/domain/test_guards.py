"""Guards hold a change back until a person releases it: each with its figures, and exactly at its limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.building import READ_AT, entry, known, legs, line, only_row
from trueup.domain.accounts import AccountState
from trueup.domain.counts import Basis, Known
from trueup.domain.effective import Effect, EffectiveRule
from trueup.domain.guards import SMALL_INCREASE_SEATS, GuardPolicy, Hold, Proposal, holds_for
from trueup.domain.verdicts import Row

FRESH = (Decimal("0.5"), Decimal("0.1"))


def _row(
    billed: int, agreement: int, *, conflict: str | None = None, price: str | None = "2.00", billable: bool = True
) -> Row:
    billed_line = line(quantity=str(billed), price=price, billable=billable)
    return only_row(legs({("V1", "S1"): known(agreement, conflict=conflict)}, [billed_line]))


def _holds(row: Row, *, policy: GuardPolicy | None = None, ages: tuple[Decimal, ...] = FRESH) -> tuple[Hold, ...]:
    assert row.line is not None
    assert isinstance(row.counts.agreement, Known)
    proposal = Proposal(row.line, row.line.quantity, row.counts.agreement.seats, Effect(EffectiveRule.NOW))
    return holds_for(row, proposal, policy=policy or GuardPolicy(), read_ages_hours=ages)


def _names(row: Row, *, policy: GuardPolicy | None = None, ages: tuple[Decimal, ...] = FRESH) -> list[str]:
    return [hold.guard for hold in _holds(row, policy=policy, ages=ages)]


@pytest.mark.fault("C1")
@pytest.mark.parametrize("billed", [1, 2, 10, 5_000])
def test_C1_a_count_that_drops_to_zero_waits_for_a_person(billed: int) -> None:
    (hold,) = _holds(_row(billed, 0))
    assert hold.guard == "to_zero"
    assert hold.figures == f"{billed} -> 0"
    assert "no seats left" in hold.release


@pytest.mark.fault("C2")
@pytest.mark.parametrize(
    ("billed", "agreement", "held"),
    [
        # A small client: a percentage alone would hold one more seat, a number alone would let six for one go.
        (0, 2, False), (0, 3, True), (1, 3, False), (1, 4, True), (2, 4, False), (2, 5, True),
        # Just at and just above fifty percent.
        (10, 15, False), (10, 16, True), (6, 9, False), (6, 10, True), (7, 10, False), (50, 75, False),
        # A large client: twenty-five seats whatever the percentage.
        (1_000, 1_025, False), (1_000, 1_026, True), (50, 76, True), (40, 60, False), (40, 61, True),
    ],
)  # fmt: skip
def test_C2_a_jump_is_held_just_above_both_limits(billed: int, agreement: int, held: bool) -> None:
    assert _names(_row(billed, agreement)) == (["jump"] if held else [])


@pytest.mark.fault("C2")
def test_C2_a_jump_shows_its_figures_and_its_limits() -> None:
    (hold,) = _holds(_row(10, 40), policy=GuardPolicy(increase_percent=Decimal("12.50"), increase_seats=20))
    assert hold.figures == "10 -> 40 (+30; limits 20 seats, 12.5 %)"
    assert "real" in hold.release


def test_the_limits_are_the_tenants_own_and_documented() -> None:
    row = _row(100, 110)
    assert _names(row) == []
    assert _names(row, policy=GuardPolicy(increase_percent=Decimal(10))) == []
    assert _names(row, policy=GuardPolicy(increase_percent=Decimal("9.99"))) == ["jump"]
    assert _names(row, policy=GuardPolicy(increase_seats=9)) == ["jump"]
    assert _names(row, policy=GuardPolicy(increase_seats=10)) == []
    for word in ("increase_seats", "increase_percent", "SMALL_INCREASE_SEATS", "read_age_hours"):
        assert word in (GuardPolicy.__doc__ or "")


@given(st.integers(0, 2_000), st.integers(0, 2_000))
def test_what_is_held_and_what_is_free(billed: int, agreement: int) -> None:
    if billed == agreement:
        return
    names = _names(_row(billed, agreement))
    more = agreement - billed
    if more < 0:
        assert names == ["to_zero" if agreement == 0 else "decrease"]
    elif more <= SMALL_INCREASE_SEATS:
        assert names == []
    else:
        assert names == (["jump"] if more > 25 or more > billed / 2 else [])


@pytest.mark.parametrize(("billed", "agreement"), [(2, 1), (10, 9), (5_000, 4_999)])
def test_a_decrease_of_even_one_seat_is_held(billed: int, agreement: int) -> None:
    (hold,) = _holds(_row(billed, agreement))
    assert hold == Hold("decrease", f"{billed} -> {agreement} (-1)", "a person confirms that fewer seats are right")


def test_two_sources_that_disagree_are_held_with_what_they_say() -> None:
    row = _row(10, 11, conflict="contract says 11, the account's own count says 14")
    (hold,) = _holds(row)
    assert hold.guard == "counts_disagree"
    assert hold.figures == "contract says 11, the account's own count says 14"


@pytest.mark.fault("C15")
@pytest.mark.parametrize(
    ("state", "status_text", "held"),
    [
        (AccountState.ACTIVE, "Active", False),
        (AccountState.SUSPENDED, "", True),
        (AccountState.PENDING, "Pending", True),
        (AccountState.UNKNOWN, "", False),
        (AccountState.UNKNOWN, "NFR", True),
    ],
)
def test_C15_an_account_that_is_not_plainly_active_is_held(state: AccountState, status_text: str, held: bool) -> None:
    row = only_row(
        legs({("V1", "S1"): known(11)}, entries=[entry(account_state=state, status_text=status_text)]),
    )
    holds = _holds(row)
    assert [hold.guard for hold in holds] == (["account_not_active"] if held else [])
    if held:
        assert holds[0].figures == f"V1 is {status_text or state.value}"


def test_each_doubtful_account_of_a_sum_is_named() -> None:
    given_legs = legs(
        {("V1", "S1"): known(5), ("V2", "S1"): known(3), ("V3", "S1"): known(3)},
        entries=[
            entry("V1", account_state=AccountState.SUSPENDED),
            entry("V2"),
            entry("V3", account_state=AccountState.UNKNOWN, status_text="Trial"),
        ],
    )
    assert [hold.figures for hold in _holds(only_row(given_legs))] == ["V1 is suspended", "V3 is Trial"]


def test_a_line_without_a_price_is_held() -> None:
    (hold,) = _holds(_row(10, 11, price=None))
    assert (hold.guard, hold.figures) == ("price_missing", "line L1 has no unit price")


def test_a_price_of_zero_is_a_price() -> None:
    assert _names(_row(10, 11, price="0")) == []


def test_a_line_that_bills_nobody_is_held() -> None:
    (hold,) = _holds(_row(10, 11, billable=False, price=None))
    assert (hold.guard, hold.figures) == ("not_billable", "line L1 is not billable")


@pytest.mark.parametrize(
    ("age", "held"), [("0", False), ("23.99", False), ("24", False), ("24.01", True), ("900", True)]
)
def test_an_old_read_of_either_side_is_held(age: str, held: bool) -> None:
    for ages in ((Decimal(age), Decimal(0)), (Decimal(0), Decimal(age))):
        assert _names(_row(10, 11), ages=ages) == (["old_read"] if held else [])


@pytest.mark.parametrize(
    ("older_by", "held"), [(timedelta(0), False), (timedelta(days=7), False), (timedelta(days=7, seconds=1), True)]
)
def test_a_count_from_a_file_of_long_ago_is_held(older_by: timedelta, held: bool) -> None:
    count = replace(known(11), basis=Basis.MANUAL_FILE, as_of=READ_AT - older_by)
    row = only_row(legs({("V1", "S1"): count}, [line(quantity="10")]))
    holds = _holds(row)
    assert [hold.guard for hold in holds] == (["old_count"] if held else [])
    assert all("more than 7 days" in hold.figures for hold in holds), "no clock reading is under the checksum"


@pytest.mark.parametrize(
    ("newer_by", "held"), [(timedelta(0), False), (timedelta(days=7), False), (timedelta(days=7, seconds=1), True)]
)
def test_lines_from_a_file_of_long_before_the_count_are_held(newer_by: timedelta, held: bool) -> None:
    count = replace(known(11), as_of=READ_AT + newer_by)
    holds = _holds(only_row(legs({("V1", "S1"): count}, [line(quantity="10")])))
    assert [hold.guard for hold in holds] == (["old_billing"] if held else [])


def test_an_old_read_shows_its_limit_and_no_clock_reading() -> None:
    """The figures are under the plan's checksum: the same proposal an hour later must have the same."""
    first = _holds(_row(10, 11), ages=(Decimal("25.2"),))
    later = _holds(_row(10, 11), ages=(Decimal("26.9"),))
    assert first == later
    assert first[0].figures == "read more than 24 hours ago"


def test_every_guard_that_applies_is_named() -> None:
    row = _row(10, 0, conflict="the sources disagree", price=None)
    assert _names(row, ages=(Decimal(30),)) == ["to_zero", "counts_disagree", "price_missing", "old_read"]
    assert all(hold.figures and hold.release for hold in _holds(row, ages=(Decimal(30),)))
