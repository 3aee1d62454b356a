"""The licensed count: what is billed by each billing basis, what is ordered, and what stands in the way of an order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.domain.building import (
    READ_AT,
    agreement,
    client,
    entry,
    is_left_alone,
    known,
    legs,
    licensed,
    line,
    missing,
    only_row,
    order,
    proposed,
    service,
)
from trueup.domain.accounts import AccountState
from trueup.domain.counts import Basis, BillingBasis, Failed, Known
from trueup.domain.legs_view import Legs
from trueup.domain.mapping import MappingState
from trueup.domain.reconcile import reconcile
from trueup.domain.verdicts import Row, Verdict

AGREEMENT, LICENSED, LARGER = BillingBasis.AGREEMENT, BillingBasis.LICENSED, BillingBasis.LARGER


def _month(agreed: int, users: int, billed: int, basis: BillingBasis) -> Legs:
    return legs(
        {("V1", "S1"): known(agreed)}, [line(quantity=str(billed))], licensed={"P1": licensed(users)}, basis=basis
    )


def _said(row: Row) -> tuple[Verdict, int | None]:
    return row.verdict, row.bill_target


def _obstacle(given: Legs) -> str:
    row = only_row(given)
    assert row.order is not None
    assert row.order.obstacle
    assert f"no change order can be drafted yet: {row.order.obstacle}" in row.reasons
    return row.order.obstacle


# What is billed


@pytest.mark.parametrize(
    ("agreed", "users", "billed", "basis", "verdict", "target"),
    [
        (10, 10, 10, AGREEMENT, Verdict.IN_LINE, 10),
        (10, 10, 10, LICENSED, Verdict.IN_LINE, 10),
        (10, 10, 10, LARGER, Verdict.IN_LINE, 10),
        (10, 12, 10, AGREEMENT, Verdict.ORDER_MORE, 10),
        (10, 12, 12, LICENSED, Verdict.ORDER_MORE, 12),
        (10, 12, 12, LARGER, Verdict.ORDER_MORE, 12),
        (10, 8, 10, AGREEMENT, Verdict.ORDER_LESS, 10),
        (10, 8, 8, LICENSED, Verdict.ORDER_LESS, 8),
        (10, 8, 10, LARGER, Verdict.ORDER_LESS, 10),
        (10, 12, 12, AGREEMENT, Verdict.ORDER_AND_BILL, 10),
        (10, 12, 10, LICENSED, Verdict.ORDER_AND_BILL, 12),
        (10, 12, 10, LARGER, Verdict.ORDER_AND_BILL, 12),
        (10, 8, 8, LARGER, Verdict.ORDER_AND_BILL, 10),
        (10, 10, 9, LICENSED, Verdict.BILL_MORE, 10),
        (10, 10, 11, LARGER, Verdict.BILL_LESS, 10),
        (0, 5, 0, LICENSED, Verdict.ORDER_AND_BILL, 5),
        (5, 0, 5, LICENSED, Verdict.ORDER_AND_BILL, 0),
    ],
)  # fmt: skip
def test_each_billing_basis_has_its_target(
    agreed: int, users: int, billed: int, basis: BillingBasis, verdict: Verdict, target: int
) -> None:
    given = _month(agreed, users, billed, basis)
    row = only_row(given)
    assert _said(row) == (verdict, target)
    assert row.monthly_money == (target - billed) * Decimal(2)
    changes = [(change.expected, change.target) for change in proposed(reconcile(given)).changes]
    assert changes == ([] if target == billed else [(Decimal(billed), target)])


def test_the_reason_says_which_count_the_bill_follows() -> None:
    assert only_row(_month(10, 12, 10, LICENSED)).reasons[0] == "licensed 12, billed 10: bill 2 more"
    assert only_row(_month(10, 12, 10, LARGER)).reasons[0] == "agreement 10, licensed 12, billed 10: bill 2 more"
    assert only_row(_month(10, 12, 11, AGREEMENT)).reasons[0] == "agreement 10, billed 11: bill 1 less"


@pytest.mark.parametrize("basis", [LICENSED, LARGER])
def test_without_a_licensed_count_nothing_that_follows_it_is_billed(basis: BillingBasis) -> None:
    for given, why in (
        (legs(basis=basis), "license counts are not connected"),
        (legs(licensed={}, basis=basis), "no Microsoft 365 tenant and no row of a license file is mapped"),
        (legs(licensed={"P1": Failed("tenant t1 refused")}, basis=basis), "tenant t1 refused"),
    ):
        row = only_row(given)
        assert _said(row) == (Verdict.MISSING_DATA, None)
        assert why in row.reasons[0]
        assert "the PSA bills the l" in row.reasons[0]
        assert is_left_alone(given)


def test_a_failed_license_read_does_not_hinder_who_bills_the_agreement() -> None:
    row = only_row(legs({("V1", "S1"): known(12)}, licensed={"P1": Failed("tenant t1 refused")}))
    assert _said(row) == (Verdict.BILL_MORE, 12)
    assert row.order is None
    assert row.reasons == ("agreement 12, billed 10: bill 2 more", "licensed: tenant t1 refused")


def test_what_the_vendor_does_not_say_is_not_needed_where_the_licensed_count_is_billed() -> None:
    row = only_row(legs({("V1", "S1"): missing()}, licensed={"P1": licensed(11)}, basis=LICENSED))
    assert _said(row) == (Verdict.BILL_MORE, 11)
    assert row.order is None
    assert "agreement: the contract names no count" in row.reasons


def test_an_account_that_is_gone_holds_the_change_of_who_bills_the_licensed_count() -> None:
    given = legs({}, not_listed=["V1"], licensed={"P1": licensed(11)}, basis=LICENSED)
    assert only_row(given).verdict is Verdict.BILL_MORE
    (change,) = proposed(reconcile(given)).held
    assert [hold.guard for hold in change.holds] == ["account_silent"]


@pytest.mark.parametrize("basis", list(BillingBasis))
def test_what_is_not_sold_by_the_user_is_billed_by_its_agreement(basis: BillingBasis) -> None:
    given = legs(
        {("V1", "S1"): known(12)}, services=[service(is_per_user=False)], licensed={"P1": licensed(40)}, basis=basis
    )
    row = only_row(given)
    assert _said(row) == (Verdict.BILL_MORE, 12)
    assert row.order is None
    assert not isinstance(row.counts.licensed, Known)
    assert row.counts.licensed.reason == "Service S1 is not sold by the user, so licenses say nothing of it"


def test_each_product_of_a_client_is_compared_with_its_licensed_users() -> None:
    given = legs(
        {("V1", "S1"): known(10), ("V1", "S2"): known(12)},
        [line(), line("L2", "12", product_id="Y")],
        services=[service(), service("S2", "Y")],
        licensed={"P1": licensed(12)},
    )
    found = reconcile(given)
    assert {str(row.product_id): row.verdict for row in found.rows} == {"X": Verdict.ORDER_MORE, "Y": Verdict.IN_LINE}
    totals = found.totals
    assert (totals.agreement_seats, totals.licensed_seats, totals.billed_seats) == (22, 24, 22)
    assert (totals.order_more_seats, totals.order_less_seats) == (2, 0)


def test_new_revenue_follows_the_billing_basis() -> None:
    row = only_row(legs({("V1", "S1"): known(4)}, [], licensed={"P1": licensed(6)}, basis=LICENSED))
    assert _said(row) == (Verdict.NEW_REVENUE, 6)
    assert row.monthly_money == Decimal("21.00")
    assert row.reasons[0] == "licensed 6: 6 seats and no line bills them on"
    assert row.order is not None


def test_a_line_that_nothing_is_sold_for_shows_the_licensed_users_and_is_left_alone() -> None:
    given = legs({}, entries=[], licensed={"P1": licensed(9)}, basis=LICENSED)
    row = only_row(given)
    assert (row.verdict, row.order, row.counts.licensed) == (Verdict.NOT_SOLD, None, licensed(9))
    assert is_left_alone(given)


@pytest.mark.parametrize(("agreed", "guard"), [(6, "decrease"), (0, "to_zero"), (40, "jump")])
def test_guards_look_at_what_is_billed_and_not_at_the_agreement(agreed: int, guard: str) -> None:
    (change,) = proposed(reconcile(_month(10, agreed, 10, LICENSED))).changes
    assert [hold.guard for hold in change.holds] == [guard]
    assert proposed(reconcile(_month(agreed, 11, 10, LICENSED))).changes[0].holds == ()


def test_doubt_about_either_count_holds_the_larger_of_both() -> None:
    given = legs(
        {("V1", "S1"): known(11, conflict="the contract says 11, the account 14")},
        licensed={"P1": licensed(12)},
        basis=LARGER,
    )
    (change,) = proposed(reconcile(given)).changes
    assert [(hold.guard, hold.figures) for hold in change.holds] == [
        ("counts_disagree", "the contract says 11, the account 14")
    ]


def test_a_licensed_count_from_an_old_file_is_held() -> None:
    old = replace(licensed(12), as_of=READ_AT - timedelta(days=8))
    for basis, guards in ((LICENSED, ["old_count"]), (LARGER, ["old_count"]), (AGREEMENT, None)):
        changes = proposed(reconcile(legs(licensed={"P1": old}, basis=basis))).changes
        assert [[hold.guard for hold in change.holds] for change in changes] == ([guards] if guards else [])


def test_the_evidence_of_a_change_is_the_count_that_is_billed() -> None:
    (two_legs,) = proposed(reconcile(legs({("V1", "S1"): known(12)}))).changes
    (beside,) = proposed(reconcile(_month(12, 13, 10, AGREEMENT))).changes
    (by_users,) = proposed(reconcile(_month(10, 12, 10, LICENSED))).changes
    assert beside.evidence == two_legs.evidence != by_users.evidence
    assert (beside.id, beside.target) == (two_legs.id, two_legs.target)


# Orders


def test_seats_on_order_count_as_agreed_where_the_tenant_bills_on_order() -> None:
    row = only_row(legs(licensed={"P1": licensed(13)}, ordered=[order(13)], open_orders=[order(13)]))
    assert _said(row) == (Verdict.BILL_MORE, 13)
    assert row.order is None
    assert row.counts.agreement == known(10)
    assert isinstance(row.target, Known)
    assert (row.target.basis, row.target.evidence[0].reference) == (Basis.ORDERED, "order-1")
    assert row.reasons[0] == "ordered 13, billed 10: bill 3 more"
    assert "order order-1 counts as agreed: 13 seats for V1" in row.reasons


def test_an_order_that_the_vendor_shows_already_changes_nothing() -> None:
    given = legs({("V1", "S1"): known(13)}, licensed={"P1": licensed(13)})
    ordered = replace(given, ordered=(order(13),), open_orders=(order(13),))
    assert reconcile(ordered) == reconcile(given)


def test_seats_are_not_ordered_twice() -> None:
    """Without billing on order, the PSA waits until the vendor shows the seats; nobody orders them again meanwhile."""
    row = only_row(legs(licensed={"P1": licensed(13)}, open_orders=[order(13)]))
    assert (*_said(row), row.order) == (Verdict.IN_LINE, 10, None)
    assert row.reasons == ("order order-1 for 13 seats of V1 is open: the vendor does not show it yet",)


def test_an_open_order_for_another_number_stands_in_the_way_of_the_next() -> None:
    given = legs(licensed={"P1": licensed(15)}, open_orders=[order(13)])
    assert _obstacle(given) == "order order-1 is open"
    assert only_row(given).verdict is Verdict.ORDER_MORE


def test_orders_of_several_accounts_of_one_client_are_added_up() -> None:
    counts = {("V1", "S1"): known(6), ("V2", "S1"): known(4)}
    both = [entry(), entry("V2")]
    given = legs(counts, entries=both, licensed={"P1": licensed(13)})
    assert "2 vendor accounts share the client's users (V1 6 + V2 4); say who gets the seats" in _obstacle(given)
    assert only_row(replace(given, open_orders=(order(7, vendor_id="V2"),))).order is None
    billed_at_once = replace(given, ordered=(order(7, vendor_id="V2"),), open_orders=(order(7, vendor_id="V2"),))
    assert _said(only_row(billed_at_once)) == (Verdict.BILL_MORE, 13)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (legs({("V1", "S1"): known(10, conflict="10 or 12")}, licensed={"P1": licensed(13)}), "10 or 12"),
        (legs(licensed={"P1": licensed(13, conflict="two tenants say so")}), "two tenants say so"),
        (legs(entries=[entry(account_state=AccountState.SUSPENDED)], licensed={"P1": licensed(13)}), "V1 is suspended"),
        (
            legs(
                entries=[entry(account_state=AccountState.UNKNOWN, status_text="Trial")], licensed={"P1": licensed(13)}
            ),
            "V1 is Trial",
        ),
    ],
)
def test_what_is_doubtful_is_not_ordered(given: Legs, words: str) -> None:
    assert _obstacle(given) == words


def test_the_need_stays_on_rows_whose_bill_waits_for_something_else() -> None:
    for given, verdict in (
        (legs(lines=[line(not_writable_reason="serialized")], licensed={"P1": licensed(13)}), Verdict.HELD),
        (legs(lines=[line(), line("L2", "1")], licensed={"P1": licensed(13)}), Verdict.AMBIGUOUS),
        (legs(lines=[], licensed={"P1": licensed(13)}), Verdict.NEW_REVENUE),
    ):
        row = only_row(given)
        assert row.verdict is verdict
        assert row.order is not None
        assert (row.order.delta, row.order.obstacle) == (3, "")
        assert "agreement 10, licensed 13: order 3 more" in row.reasons


def test_nothing_is_ordered_for_a_client_that_is_deleted() -> None:
    given = legs(clients=[client(deleted=True)], licensed={"P1": licensed(13)})
    assert _obstacle(given) == "the mapped client is not in the PSA any more"
    assert only_row(given).verdict is Verdict.HELD


def test_nothing_is_ordered_where_a_count_is_not_known_or_counted_twice() -> None:
    twice = {("V1", "S1"): known(10), ("V1", "S2"): known(10)}
    for given in (
        legs({("V1", "S1"): missing()}, licensed={"P1": licensed(13)}),
        legs({}, not_listed=["V1"], licensed={"P1": licensed(13)}),
        legs(twice, services=[service(), service("S2")], licensed={"P1": licensed(13)}),
        legs(entries=[entry(psa_id=None)], lines=[], licensed={"P1": licensed(13)}),
    ):
        row = only_row(given)
        assert (row.order, row.bill_target) == (None, None)


def test_a_service_that_nobody_mapped_has_no_licensed_count() -> None:
    given = legs(
        lines=[], services=[service(state=MappingState.UNMAPPED, product_id=None)], licensed={"P1": licensed(3)}
    )
    row = only_row(given)
    assert (row.verdict, row.counts.licensed.state, row.order) == (Verdict.UNMAPPED, "missing", None)


def test_what_is_not_billed_is_not_made_up_for_by_what_is_billed_too_much() -> None:
    given = legs(
        {("V1", "S1"): known(10), ("V2", "S1"): known(10)},
        [line("L1", "6"), line("L2", "14", psa_id="P2", agreement_id="A2")],
        entries=[entry("V1", "P1"), entry("V2", "P2")],
        agreements=[agreement("A1", "P1"), agreement("A2", "P2")],
        clients=[client("P1"), client("P2")],
        licensed={"P1": licensed(11), "P2": licensed(9)},
    )
    found = reconcile(given)
    assert {row.verdict for row in found.rows} == {Verdict.ORDER_AND_BILL}
    ((_, _, net),) = found.totals.money
    ((currency, not_billed, too_much),) = found.totals.leakage
    assert (net, not_billed - too_much) == (Decimal(0), Decimal(0))
    assert (currency, not_billed) == ("USD", too_much)
    assert not_billed > 0
