"""The table on a terminal has three counts where licenses are read, what to order, and what stands in its way."""

from __future__ import annotations

import io

from local.cli.comparison_tables import reconciliation_table, totals_lines
from local.cli.output import Output
from local.cli.tables import missing_lines
from tests.domain.building import CONNECTWISE, entry, known, legs, licensed, line, order, proposed
from trueup.domain.accounts import AccountState
from trueup.domain.counts import BillingBasis, Failed
from trueup.domain.legs_view import Legs
from trueup.domain.reconcile import reconcile


def shown(given: Legs, *, with_all_rows: bool = True) -> str:
    """What a person sees: the table and the totals, on a wide page."""
    page = io.StringIO()
    output, found = Output(as_json=False, out=page), reconcile(given)
    reconciliation_table(output, found, with_all_rows=with_all_rows)
    totals_lines(output, found.totals)
    return page.getvalue()


def test_two_legs_are_shown_without_an_empty_column() -> None:
    page = shown(legs())
    assert "Licensed" not in page
    assert "Order" not in page
    assert "licensed" not in page


def test_three_counts_stand_beside_each_other_with_what_to_order() -> None:
    page = shown(legs({("V1", "S1"): known(12)}, [line(quantity="10", price="2.35")], licensed={"P1": licensed(15)}))
    for word in ("Agreement", "Licensed", "Billed", "Order", "order and bill", "+3", "+4.70 USD"):
        assert word in page
    assert "seats: 12 in Mimecast agreements, 15 licensed, 10 billed" in page
    assert "to order: 3 seats more, 0 less" in page
    assert "Why some of them need a person" not in page, "the three numbers say it"


def test_what_stands_in_the_way_of_an_order_is_said_once_with_its_clients() -> None:
    page = shown(legs(entries=[entry(account_state=AccountState.SUSPENDED)], licensed={"P1": licensed(8)}))
    assert "-2 ?" in page
    assert "order 2 less: Client P1: V1 is suspended." in page
    assert "to order: 0 seats more, 2 less" in page


def test_a_tenant_that_failed_is_shown_as_failed() -> None:
    page = shown(legs(licensed={"P1": Failed("consent was withdrawn")}), with_all_rows=False)
    assert "1 more row is in line" in page
    page = shown(legs(licensed={"P1": Failed("consent was withdrawn")}))
    assert "failed" in page
    assert "not counted: Client P1: consent was withdrawn." in page, "also where the row is in line"


def test_a_row_with_nothing_but_an_order_has_no_money() -> None:
    page = shown(legs(licensed={"P1": licensed(11)}), with_all_rows=False)
    assert "△ order more" in page
    assert "USD" not in page
    assert "no price" not in page


def test_the_line_that_is_missing_has_the_seats_that_are_billed() -> None:
    found = reconcile(legs(lines=[], licensed={"P1": licensed(14)}, ordered=[order(13)], basis=BillingBasis.LARGER))
    page = io.StringIO()
    missing_lines(Output(as_json=False, out=page), found.rows, proposed(found), CONNECTWISE)
    assert "Client P1 MIME-X, 14 seats:" in page.getvalue()
