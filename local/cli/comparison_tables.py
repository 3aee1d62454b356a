"""The comparison on a terminal: one row for each client and product, why some need a person, and the totals.

Method: every status is a sign, a word and a color, so that none of the three is needed; a missing count says so and is
never a zero or a dash. What is licensed has its column where license counts are connected.
"""

from __future__ import annotations

from collections.abc import Iterable

from local.cli.output import Cell, Column, Output, Style, shown
from local.cli.tables import client_name, mapping_totals_text, money, plural, service_name
from trueup.domain.counts import Basis, Count, Failed, Known, Missing
from trueup.domain.verdicts import OrderNeed, Reconciliation, Row, Totals, Verdict

_VERDICTS: dict[Verdict, tuple[str, Style]] = {
    Verdict.IN_LINE: ("=", "green"),
    Verdict.BILL_MORE: ("▲", "yellow"),
    Verdict.BILL_LESS: ("▼", "yellow"),
    Verdict.ORDER_MORE: ("△", "cyan"),
    Verdict.ORDER_LESS: ("▽", "cyan"),
    Verdict.ORDER_AND_BILL: ("◆", "yellow"),
    Verdict.NEW_REVENUE: ("+", "cyan"),
    Verdict.NOT_SOLD: ("-", "magenta"),
    Verdict.HELD: ("!", "red"),
    Verdict.AMBIGUOUS: ("?", "red"),
    Verdict.MISSING_DATA: ("?", "red"),
    Verdict.UNMAPPED: ("?", "dim"),
}

_BASES = {
    Basis.CONTRACT: "contract",
    Basis.PARTNER_CUSTOMER: "partner",
    Basis.ACCOUNT_USER_COUNT: "account",
    Basis.MANUAL_FILE: "file",
    Basis.PSA_LINE: "",
    Basis.LICENSED_USERS: "",
    Basis.LICENSE_FILE: "file",
    Basis.ORDERED: "ordered",
    Basis.SUM: "sum",
}

_SELF_EXPLAINING = frozenset(
    {
        Verdict.IN_LINE,
        Verdict.BILL_MORE,
        Verdict.BILL_LESS,
        Verdict.ORDER_MORE,
        Verdict.ORDER_LESS,
        Verdict.ORDER_AND_BILL,
    }
)
"""Verdicts whose reason the numbers tell."""


def reconciliation_table(output: Output, found: Reconciliation, *, with_all_rows: bool) -> None:
    """The rows that a person has something to do with, or all of them.

    Rows of an account that nobody has decided on are left to the list of those accounts.
    """
    rows = [row for row in found.rows if with_all_rows or (row.verdict.is_exception and not _waits_for_mapping(row))]
    has_licenses = any(not isinstance(row.counts.licensed, Missing) for row in found.rows)
    columns = [Column("Client", "name"), Column("Service", "name"), Column("Agreement", "number")]
    columns += [Column("Licensed", "number")] if has_licenses else []
    columns += [Column("Billed", "number"), Column("Verdict"), Column("A month", "number")]
    columns += [Column("Order", "number")] if has_licenses else []
    output.table(columns, [_row_cells(row, has_licenses) for row in rows])
    in_line = sum(1 for row in found.rows if not row.verdict.is_exception)
    if in_line and not with_all_rows:
        output.line(f"{plural(in_line, 'more row is', 'more rows are')} in line (trueup run --all shows them).", "dim")
    _explain(output, rows, found.rows)


def _waits_for_mapping(row: Row) -> bool:
    return row.verdict in {Verdict.UNMAPPED, Verdict.AMBIGUOUS} and row.psa_account_id is None


def _row_cells(row: Row, has_licenses: bool) -> list[str | Cell]:
    sign, style = _VERDICTS[row.verdict]
    cells: list[str | Cell] = [client_name(row), service_name(row), _count(row.counts.agreement)]
    if has_licenses:
        cells.append(_count(row.counts.licensed))
    cells += [_count(row.counts.billed), Cell(f"{sign} {row.verdict.words}", style), _row_money(row)]
    return [*cells, _order(row.order)] if has_licenses else cells


def _order(need: OrderNeed | None) -> str | Cell:
    """The change that makes the agreement the licensed count; a question mark where no order can be drafted yet."""
    if need is None:
        return ""
    return Cell(f"{need.delta:+d} ?", "yellow") if need.obstacle else f"{need.delta:+d}"


def _count(count: Count) -> str | Cell:
    if not isinstance(count, Known):
        return Cell("no data" if count.state == "missing" else "failed", "dim" if count.state == "missing" else "red")
    basis = _BASES[count.basis]
    return f"{count.seats} {basis}" if basis else str(count.seats)


def _row_money(row: Row) -> str:
    if row.verdict in {Verdict.IN_LINE, Verdict.ORDER_MORE, Verdict.ORDER_LESS}:
        return ""
    return "no price" if row.monthly_money is None else money(row.monthly_money, row.currency)


def _explain(output: Output, rows: Iterable[Row], all_rows: Iterable[Row]) -> None:
    """The reasons, each once with the clients it is about; who is not counted is said of rows that are in line, too."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.verdict not in _SELF_EXPLAINING and row.reasons:
            reasons.setdefault((row.verdict.words, row.reasons[0]), []).append(client_name(row, 40))
        if row.order is not None and row.order.obstacle:
            reasons.setdefault((row.order.words, row.order.obstacle), []).append(client_name(row, 40))
    for row in all_rows:
        failed = row.counts.licensed
        if not isinstance(failed, Failed):
            continue
        if row.verdict is not Verdict.MISSING_DATA or not any(failed.reason in one for one in row.reasons[:1]):
            reasons.setdefault(("not counted", failed.reason), []).append(client_name(row, 40))
    if not reasons:
        return
    output.line()
    output.line("Why some of them need a person", "bold")
    for (words, reason), names in reasons.items():
        why = shown(reason, 300).rstrip(".")
        output.paragraph(f"{words}: {', '.join(dict.fromkeys(names))}: {why}.", "  ")


def totals_lines(output: Output, totals: Totals) -> None:
    """The totals in words: rows by verdict, accounts by mapping, seats, money."""
    verdicts = ", ".join(f"{count} {verdict.words}" for verdict, count in totals.verdicts if count)
    output.line("Totals", "bold")
    output.paragraph(f"{plural(totals.rows, 'row', 'rows')}: {verdicts or 'none'}", "  ")
    output.paragraph(mapping_totals_text(totals.accounts), "  ")
    licensed = f", {totals.licensed_seats} licensed" if totals.licensed_seats else ""
    output.paragraph(
        f"seats: {totals.agreement_seats} in Mimecast agreements{licensed}, {totals.billed_seats} billed", "  "
    )
    if totals.order_more_seats or totals.order_less_seats:
        output.line(f"  to order: {totals.order_more_seats} seats more, {totals.order_less_seats} less")
    for currency, verdict, amount in totals.money:
        output.line(f"  {verdict.words}: {money(amount, currency)} a month")
    if totals.rows_without_price:
        output.line(f"  {plural(totals.rows_without_price, 'row has', 'rows have')} no price and no part in the money")
