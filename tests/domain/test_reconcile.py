"""Each verdict by example, in its own words, with the money it is worth and the reason a person reads."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.domain.building import (
    PERIOD,
    TODAY,
    agreement,
    by_verdict,
    client,
    entry,
    is_left_alone,
    known,
    legs,
    licensed,
    line,
    missing,
    only_row,
    proposed,
    seats_of,
    service,
)
from trueup.domain.accounts import ServiceId, ServiceKind, VendorAccountId
from trueup.domain.billing import AgreementState
from trueup.domain.counts import Count, Missing, Seats
from trueup.domain.mapping import MappingState
from trueup.domain.reconcile import reconcile
from trueup.domain.verdicts import VERDICT_ORDER, OrderNeed, Verdict

YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


# In line


def test_in_line_when_agreement_and_bill_say_the_same() -> None:
    row = only_row(legs({("V1", "S1"): known(10)}, [line(quantity="10.00")]))
    assert row.verdict is Verdict.IN_LINE
    assert seats_of(row) == (10, 10)
    assert row.monthly_money == 0
    assert not reconcile(legs()).has_differences
    assert is_left_alone(legs())


def test_in_line_when_there_are_no_seats_and_no_line() -> None:
    row = only_row(legs({("V1", "S1"): known(0)}, []))
    assert row.verdict is Verdict.IN_LINE
    assert seats_of(row) == (0, "missing")
    assert "no line" in row.reasons[0]


def test_in_line_when_a_line_of_no_seats_waits_at_a_client_without_the_service() -> None:
    row = only_row(legs({}, [line(quantity="0")], entries=[]))
    assert row.verdict is Verdict.IN_LINE
    assert row.monthly_money == 0
    assert "no seats" in row.reasons[0]


def test_in_line_still_tells_when_the_sources_disagree() -> None:
    row = only_row(legs({("V1", "S1"): known(10, conflict="the contract says 10, the account itself 12")}))
    assert row.verdict is Verdict.IN_LINE
    assert "the contract says 10, the account itself 12" in row.reasons


# Order more, order less, order and bill


def test_order_more_when_more_users_are_licensed_than_the_agreement_holds() -> None:
    given = legs(licensed={"P1": licensed(13)})
    row = only_row(given)
    assert (row.verdict, row.monthly_money, row.bill_target) == (Verdict.ORDER_MORE, Decimal(0), 10)
    assert row.reasons == ("agreement 10, licensed 13: order 3 more",)
    assert row.order == OrderNeed(VendorAccountId("V1"), ServiceId("S1"), 10, 13)
    assert is_left_alone(given)


def test_order_less_when_the_agreement_holds_more_than_are_licensed() -> None:
    given = legs(licensed={"P1": licensed(8)})
    row = only_row(given)
    assert (row.verdict, row.monthly_money) == (Verdict.ORDER_LESS, Decimal(0))
    assert row.reasons == ("agreement 10, licensed 8: order 2 less",)
    assert row.order is not None
    assert row.order.delta == -2
    assert is_left_alone(given)


def test_order_and_bill_when_all_three_counts_differ() -> None:
    given = legs({("V1", "S1"): known(12)}, [line(quantity="10", price="2.35")], licensed={"P1": licensed(9)})
    row = only_row(given)
    assert (row.verdict, row.monthly_money) == (Verdict.ORDER_AND_BILL, Decimal("4.70"))
    assert row.reasons == ("agreement 12, billed 10: bill 2 more", "agreement 12, licensed 9: order 3 less")
    assert [(change.target, change.holds) for change in proposed(reconcile(given)).changes] == [(12, ())]


# Bill more, bill less


def test_bill_more_when_the_agreement_holds_more() -> None:
    given = legs({("V1", "S1"): known(12)}, [line(quantity="10", price="2.35")])
    row = only_row(given)
    assert row.verdict is Verdict.BILL_MORE
    assert row.reasons == ("agreement 12, billed 10: bill 2 more",)
    assert row.monthly_money == Decimal("4.70")
    assert [(change.expected, change.target) for change in proposed(reconcile(given)).ready] == [
        (Decimal(10), Seats(12))
    ]


def test_bill_less_when_the_agreement_holds_less() -> None:
    given = legs({("V1", "S1"): known(7)}, [line(quantity="10", price="2.35")])
    row = only_row(given)
    assert row.verdict is Verdict.BILL_LESS
    assert row.reasons == ("agreement 7, billed 10: bill 3 less",)
    assert row.monthly_money == Decimal("-7.05")
    plan = proposed(reconcile(given))
    assert plan.ready == ()
    assert [change.target for change in plan.held] == [7]


@pytest.mark.parametrize(
    ("quantity", "free", "agreed", "money"),
    [
        ("10", "2", 12, "4.00"),
        ("10", "2", 5, "-10.00"),
        ("10", "2", 1, "-16.00"),
        ("1", "2", 3, "2.00"),
        ("1", "2", 2, "0"),
        ("10", "1.5", 12, "4.00"),
    ],
)
def test_units_free_of_charge_stay_free(quantity: str, free: str, agreed: int, money: str) -> None:
    row = only_row(legs({("V1", "S1"): known(agreed)}, [line(quantity=quantity, free=free)]))
    assert row.monthly_money == Decimal(money)
    assert seats_of(row) == (agreed, int(quantity))
    assert f"{free} of the line's units are included free of charge" in row.reasons


def test_units_free_of_charge_do_not_hide_a_difference() -> None:
    """The vendor bills whole users: the whole quantity is compared, not what is charged."""
    assert only_row(legs({("V1", "S1"): known(10)}, [line(quantity="10", free="10")])).verdict is Verdict.IN_LINE
    assert only_row(legs({("V1", "S1"): known(11)}, [line(quantity="10", free="10")])).verdict is Verdict.BILL_MORE


def test_a_line_that_is_not_billable_is_worth_nothing_and_says_so() -> None:
    row = only_row(legs({("V1", "S1"): known(11)}, [line(billable=False, price=None)]))
    assert (row.verdict, row.monthly_money) == (Verdict.BILL_MORE, Decimal(0))
    assert "the line is set to not billable in the PSA" in row.reasons


def test_without_a_price_the_money_is_unknown_and_counted_as_such() -> None:
    given = legs({("V1", "S1"): known(11)}, [line(price=None)])
    assert only_row(given).monthly_money is None
    assert reconcile(given).totals.money == ()
    assert reconcile(given).totals.rows_without_price == 1


# New revenue, not sold


def test_new_revenue_when_the_vendor_bills_seats_and_no_line_does() -> None:
    given = legs({("V1", "S1"): known(8)}, [], services=[service(catalog_price=Decimal("3.50"))])
    row = only_row(given)
    assert row.verdict is Verdict.NEW_REVENUE
    assert row.monthly_money == Decimal("28.00")
    assert row.reasons == ("the vendor bills 8 seats and no line bills them on",)
    assert is_left_alone(given)


def test_new_revenue_when_the_only_line_has_ended() -> None:
    row = only_row(legs({("V1", "S1"): known(8)}, [line(ends=YESTERDAY)]))
    assert row.verdict is Verdict.NEW_REVENUE
    assert f"line L1 ended on {YESTERDAY}" in row.reasons


def test_new_revenue_without_a_catalog_price_has_no_money() -> None:
    given = legs({("V1", "S1"): known(8)}, [], services=[service(catalog_price=None)])
    assert only_row(given).monthly_money is None
    assert reconcile(given).totals.rows_without_price == 1


def test_new_revenue_takes_the_price_of_whichever_service_has_one() -> None:
    services = [service("S0", catalog_price=None), service("S1", catalog_price=Decimal(2))]
    assert only_row(legs({("V1", "S0"): known(8)}, [], services=services)).monthly_money == 16


def test_rows_that_wait_for_something_else_are_not_counted_as_without_a_price() -> None:
    two_lines, gone, unmapped = legs(lines=[line("L1"), line("L2")]), legs(clients=[]), legs(lines=[], entries=[])
    for waiting in (legs({}, []), two_lines, gone, unmapped):
        assert only_row(waiting).monthly_money is None
        assert reconcile(waiting).totals.rows_without_price == 0


def test_not_sold_when_a_line_bills_a_client_without_a_vendor_account() -> None:
    given = legs({}, [line(quantity="10", price="2.00")], entries=[])
    row = only_row(given)
    assert row.verdict is Verdict.NOT_SOLD
    assert row.members == ()
    assert seats_of(row) == ("missing", 10)
    assert row.monthly_money == Decimal("-20.00")
    assert "no vendor account is mapped" in row.reasons[0]
    assert is_left_alone(given)


def test_not_sold_when_the_clients_agreement_does_not_list_the_service() -> None:
    services = [service("S1", "X"), service("S2", "Y")]
    rows = by_verdict(legs({("V1", "S2"): known(4)}, [line(), line("L2", "4", product_id="Y")], services=services))
    assert set(rows) == {Verdict.NOT_SOLD, Verdict.IN_LINE}
    row = rows[Verdict.NOT_SOLD]
    assert (row.product_id, row.psa_account_id) == ("X", "P1")
    assert [member.vendor_id for member in row.members] == ["V1"]
    assert "lists no service for this product" in row.reasons[0]


@pytest.mark.parametrize("count", [known(10), Missing("nobody says")])
def test_a_line_is_not_called_unsold_while_a_service_is_still_to_be_mapped(count: Count) -> None:
    """The vendor may have renamed the plan: the seats are there, under a service that nobody mapped yet."""
    services = [service("S1", "X"), service("S2", None)]
    given = legs({("V1", "S2"): count}, [line()], services=services)
    rows = by_verdict(given)
    assert set(rows) == {Verdict.MISSING_DATA, Verdict.UNMAPPED}
    row = rows[Verdict.MISSING_DATA]
    assert (row.monthly_money, seats_of(row)) == (None, ("missing", 10))
    assert is_left_alone(given)
    reasons = row.reasons
    assert "map what is open before ending the line" in reasons[0]
    assert any("the service S2 (Service S2) is not mapped" in reason for reason in reasons)


def test_bill_less_names_a_service_of_the_client_that_is_still_to_be_mapped() -> None:
    services = [service("S1", "X"), service("S2", None)]
    given = legs(
        {("V1", "S1"): known(10), ("V2", "S2"): known(5)},
        [line(quantity="15")],
        entries=[entry("V1"), entry("V2")],
        services=services,
    )
    row = by_verdict(given)[Verdict.BILL_LESS]
    assert "account V2: the service S2 (Service S2) is not mapped to a product" in row.reasons
    assert proposed(reconcile(given)).ready == ()


def test_lines_of_other_products_are_nobodys_business_here() -> None:
    assert only_row(legs(lines=[line(), line("L2", "99", product_id="firewall")])).verdict is Verdict.IN_LINE


# Unmapped


def test_unmapped_account_shows_its_seats_one_row_a_service() -> None:
    services = [service("S1", "X"), service("S2", "Y")]
    given = legs({("V1", "S1"): known(4), ("V1", "S2"): known(6)}, [], entries=[entry(psa_id=None)], services=services)
    rows = reconcile(given).rows
    assert {row.verdict for row in rows} == {Verdict.UNMAPPED}
    assert sorted(seats_of(row)[0] for row in rows) == [4, 6]
    assert [item.vendor_id for item in reconcile(given).unmapped] == ["V1"]


def test_unmapped_account_that_the_vendor_lists_before_any_entry_is_kept_for_it() -> None:
    given = legs({("V1", "S1"): known(10), ("V9", "S1"): known(3)}, entries=[entry("V1")])
    reconciliation = reconcile(given)
    assert [item.vendor_id for item in reconciliation.unmapped] == ["V9"]
    assert reconciliation.totals.accounts.all == 2
    assert [seats_of(row)[0] for row in reconciliation.rows if row.verdict is Verdict.UNMAPPED] == [3]


def test_unmapped_account_that_is_no_longer_listed_says_so() -> None:
    row = only_row(legs({}, [], entries=[entry(psa_id=None, absent_runs=2)], not_listed=["V1"]))
    assert row.verdict is Verdict.UNMAPPED
    assert "did not list account V1 in 2 complete reads in a row" in row.reasons[0]


def test_unmapped_packages_are_features_and_ask_for_nothing_beside_a_count() -> None:
    services = [
        service("S1", "X"),
        service("PK1", None, kind=ServiceKind.PACKAGE),
        service("PK2", None, kind=ServiceKind.PACKAGE),
    ]
    counts = {("V1", "S1"): known(10), ("V1", "PK1"): known(10), ("V1", "PK2"): known(10)}
    assert only_row(legs(counts, services=services)).verdict is Verdict.IN_LINE


def test_unmapped_packages_alone_still_show_the_account_once() -> None:
    services = [service("PK1", None, kind=ServiceKind.PACKAGE), service("PK2", None, kind=ServiceKind.PACKAGE)]
    row = only_row(legs({("V1", "PK1"): known(10), ("V1", "PK2"): known(10)}, [], services=services))
    assert (row.verdict, seats_of(row)[0]) == (Verdict.UNMAPPED, 10)


def test_a_mapped_package_is_compared_like_any_service() -> None:
    services = [service("PK1", "X", kind=ServiceKind.PACKAGE)]
    assert only_row(legs({("V1", "PK1"): known(12)}, services=services)).verdict is Verdict.BILL_MORE


# Missing data


def test_missing_data_of_one_account_makes_the_sum_missing() -> None:
    given = legs(
        {("V1", "S1"): known(10), ("V2", "S1"): missing("the contract names no count")},
        [line(quantity="15")],
        entries=[entry("V1"), entry("V2")],
    )
    row = only_row(given)
    assert row.verdict is Verdict.MISSING_DATA
    assert row.reasons == (
        "V2 S1: the contract names no count",
        "2 vendor accounts are added up: V1 10 + V2 missing",
    )
    assert is_left_alone(given)


def test_missing_data_when_an_account_of_the_client_has_no_count_at_all() -> None:
    """Its seats may be on this line, so what the other account holds is not the whole sum."""
    given = legs({("V1", "S1"): known(10)}, [line(quantity="15")], entries=[entry("V1"), entry("V2")])
    row = only_row(given)
    assert row.verdict is Verdict.MISSING_DATA
    assert row.reasons[0] == "the vendor gives no count for account V2"
    assert is_left_alone(given)


def test_missing_data_is_not_called_not_sold() -> None:
    """A client whose account was listed without counts keeps its lines: nobody is told to end them."""
    services = [service("S1", "X"), service("S2", "Y")]
    rows = reconcile(legs({}, [line(), line("L2", "4", product_id="Y")], services=services)).rows
    assert [(row.verdict, row.product_id) for row in rows] == [(Verdict.MISSING_DATA, "X"), (Verdict.MISSING_DATA, "Y")]


def test_missing_data_of_a_client_without_any_line_has_a_row_of_its_own() -> None:
    row = only_row(legs({}, []))
    assert (row.verdict, row.psa_account_id, row.product_id) == (Verdict.MISSING_DATA, "P1", None)


# Ambiguous


def test_ambiguous_account_shows_its_seats_and_why() -> None:
    undecided = entry(psa_id=None, state=MappingState.AMBIGUOUS, ambiguity="two clients are named Acme")
    reconciliation = reconcile(legs({("V1", "S1"): known(4)}, [], entries=[undecided]))
    (row,) = reconciliation.rows
    assert (row.verdict, row.reasons, seats_of(row)[0]) == (Verdict.AMBIGUOUS, ("two clients are named Acme",), 4)
    assert [item.reason for item in reconciliation.ambiguous] == ["two clients are named Acme"]


def test_ambiguous_when_two_services_of_one_account_are_the_same_product() -> None:
    services = [service("S1", "X"), service("S2", "X")]
    given = legs({("V1", "S1"): known(10), ("V1", "S2"): known(10)}, services=services)
    row = only_row(given)
    assert row.verdict is Verdict.AMBIGUOUS
    assert "services S1 and S2 of account V1 are both mapped to this product" in row.reasons[0]
    assert is_left_alone(given)


# Held


def test_held_when_every_line_is_on_a_sleeping_agreement_names_them_all() -> None:
    row = only_row(
        legs(lines=[line("L2", "5"), line("L1", "10")], agreements=[agreement(state=AgreementState.INACTIVE)]),
    )
    assert [reason.split(" is ")[0] for reason in row.reasons] == [
        "the agreement of line L1",
        "the agreement of line L2",
    ]


def test_held_while_the_line_has_not_begun() -> None:
    given = legs({("V1", "S1"): known(12)}, [line(begins=TOMORROW)])
    row = only_row(given)
    assert row.verdict is Verdict.HELD
    assert row.reasons == (f"line L1 begins on {TOMORROW}; nothing is billed before that",)
    assert is_left_alone(given)


@pytest.mark.parametrize(
    ("begins", "ends", "live"),
    [(TODAY, None, True), (None, TODAY, False), (None, TOMORROW, True), (TOMORROW, None, False), (TODAY, TODAY, False)],
)
def test_a_line_is_live_from_its_first_day_to_the_day_before_its_end(
    begins: date | None, ends: date | None, live: bool
) -> None:
    assert line(begins=begins, ends=ends).is_live(TODAY) == live


def test_a_line_that_ends_before_it_begins_is_neither_live_nor_to_come() -> None:
    never = line(begins=TODAY + timedelta(days=9), ends=TOMORROW)
    assert not never.is_live(TODAY)
    assert not never.is_future(TODAY)
    assert only_row(legs({("V1", "S1"): known(3)}, [never])).verdict is Verdict.NEW_REVENUE


@pytest.mark.parametrize("quantity", ["10.5", "-1", "NaN", "1E+30", "1E+999999999", "Infinity"])
def test_held_when_the_line_bills_no_whole_number_of_users(quantity: str) -> None:
    for lines in ([line(quantity=quantity)], [line(quantity=quantity), line("L2", quantity)]):
        given = legs({("V1", "S1"): known(12)}, lines)
        row = only_row(given)
        assert row.verdict is (Verdict.HELD if len(lines) == 1 else Verdict.AMBIGUOUS)
        assert seats_of(row) == (12, "failed")
        assert all(len(reason) < 300 for reason in row.reasons)
        assert is_left_alone(given)


def test_held_when_a_program_may_not_write_the_line() -> None:
    given = legs({("V1", "S1"): known(12)}, [line(not_writable_reason="the product is serialized")])
    row = only_row(given)
    assert (row.verdict, row.reasons[0]) == (Verdict.HELD, "the product is serialized")
    assert is_left_alone(given)


def test_held_still_tells_that_the_vendors_count_is_missing() -> None:
    row = only_row(legs({("V1", "S1"): missing()}, [line(not_writable_reason="the product is serialized")]))
    assert (row.verdict, row.reasons) == (Verdict.HELD, ("the product is serialized", "the contract names no count"))


# Several vendor accounts, renames, hostile names


# What a person took out, and the order of the table


def test_an_excluded_account_is_listed_with_its_reason_and_who_took_it_out() -> None:
    given = legs(entries=[entry(psa_id=None, state=MappingState.EXCLUDED, reason="our own account")], lines=[])
    reconciliation = reconcile(given)
    assert reconciliation.rows == ()
    (excluded,) = reconciliation.excluded
    assert (excluded.vendor_id, excluded.reason, excluded.by) == ("V1", "our own account", "dana")
    assert reconciliation.totals.accounts.excluded == 1


def test_an_excluded_service_is_compared_nowhere() -> None:
    services = [service("S1", "X"), service("S2", None, state=MappingState.EXCLUDED)]
    assert (
        only_row(legs({("V1", "S1"): known(10), ("V1", "S2"): known(99)}, services=services)).verdict is Verdict.IN_LINE
    )


def test_the_table_shows_what_can_be_corrected_first_and_most_money_first() -> None:
    numbers = {"V0": (10, 10), "V1": (10, 12), "V2": (10, 15), "V3": (10, 4), "V4": (0, 10)}
    given = legs(
        {(vendor_id, "S1"): known(agreed) for vendor_id, (_, agreed) in numbers.items()},
        [
            line(f"L{v}", str(billed), psa_id=f"P{v}", agreement_id=f"A{v}")
            for v, (billed, _) in numbers.items()
            if v != "V4"
        ],
        entries=[entry(v, f"P{v}") for v in numbers],
        agreements=[agreement(f"A{v}", f"P{v}") for v in numbers],
        clients=[client(f"P{v}") for v in numbers],
    )
    rows = reconcile(given).rows
    assert [row.members[0].vendor_id for row in rows] == ["V2", "V1", "V3", "V4", "V0"]
    assert reconcile(given).period == PERIOD


def test_every_verdict_has_its_place_its_words_and_an_example_here() -> None:
    assert sorted(VERDICT_ORDER) == sorted(Verdict)
    names = [name for name in globals() if name.startswith("test_")]
    for verdict in Verdict:
        assert verdict.words == verdict.value.replace("_", " ")
        assert verdict.is_exception == (verdict is not Verdict.IN_LINE)
        assert any(name.startswith(f"test_{verdict.value}_") for name in names), verdict


def test_nothing_at_all_is_a_month_in_line() -> None:
    reconciliation = reconcile(legs({}, [], entries=[], services=[], agreements=[], clients=[]))
    assert (reconciliation.rows, reconciliation.has_differences) == ((), False)
    assert reconciliation.totals.accounts.all == 0
