"""The monthly report as the body of an e-mail, as a page with its numbers, and as a sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trueup.api.html_document import Page
from trueup.api.spreadsheets import csv_table
from trueup.api.views import money_text, time_text
from trueup.domain.monthly_report import Flow, MonthlyReport, ReportSum

GROUPS_SHOWN_MAXIMUM = 50
"""Clients in the e-mail, most that is outstanding first; the sheet has all."""

REPORT_COLUMNS = (
    "client_id",
    "client",
    "service",
    "currency",
    "underbilled_found",
    "underbilled_corrected",
    "underbilled_settled",
    "underbilled_outstanding",
    "overbilled_found",
    "overbilled_corrected",
    "overbilled_settled",
    "overbilled_outstanding",
    "confirmed",
    "why",
)

_FLOW = (">Found", ">Corrected", ">Settled elsewhere", ">Outstanding")


def report_html(report: MonthlyReport) -> str:
    """Complete in itself; the same report gives the same bytes."""
    page = Page(f"Billing report {report.period}")
    state = f"closed, version {report.version}" if report.is_closed else "open: the figures may still change"
    page.line(f"{report.period} is {state}. Last compared on {time_text(report.compared_at)}.", quiet=True)
    page.line("Amounts are a month's money. Found is what the comparisons of the month showed.", quiet=True)
    page.heading("Billed too little")
    page.table((">Currency", *_FLOW), (_sum_cells(one, one.underbilled) for one in report.totals))
    page.heading("Billed too much")
    page.table((">Currency", *_FLOW), (_sum_cells(one, one.overbilled) for one in report.totals))
    if report.reasons:
        page.heading("Outstanding, by reason")
        page.table(
            ("Why", "Currency", ">Too little", ">Too much", ">Rows"),
            (
                (words, currency, money_text(little), money_text(much), rows)
                for words, currency, little, much, rows in report.reasons
            ),
        )
    _groups(page, "By client", report.by_client)
    _groups(page, "By service", report.by_service)
    _remarks(page, report)
    return page.text()


def _sum_cells(one: ReportSum, flow: Flow) -> tuple[str, ...]:
    return (one.currency, *_flow_cells(flow))


def _flow_cells(flow: Flow) -> tuple[str, str, str, str]:
    return (
        money_text(flow.found) or "",
        money_text(flow.corrected) or "",
        money_text(flow.settled) or "",
        money_text(flow.outstanding) or "",
    )


def _groups(page: Page, title: str, groups: Sequence[ReportSum]) -> None:
    if not groups:
        return
    page.heading(title)
    columns = ("Name", "Currency", ">Found too little", ">Corrected", ">Outstanding", ">Too much, outstanding")
    page.table(
        columns,
        (
            (
                one.name or one.key,
                one.currency,
                money_text(one.underbilled.found),
                money_text(one.underbilled.corrected),
                money_text(one.underbilled.outstanding),
                money_text(one.overbilled.outstanding),
            )
            for one in groups[:GROUPS_SHOWN_MAXIMUM]
        ),
    )
    left = len(groups) - GROUPS_SHOWN_MAXIMUM
    if left > 0:
        page.line(f"and {left} more with less outstanding; the sheet has them all.", quiet=True)


def _remarks(page: Page, report: MonthlyReport) -> None:
    """What is in no sum, so that nobody takes it for zero."""
    page.heading("Not in the sums")
    page.line(f"{report.unpriced} rows are off and have no price.")
    page.line(f"{report.unknown} rows could not be compared: a count is missing, or something is ambiguous or held.")
    if report.orders:
        page.line("Change orders: " + ", ".join(f"{many} {state.replace('_', ' ')}" for state, many in report.orders))
    if report.adjustments:
        page.heading("Counted otherwise than when the month before was closed")
        page.table(
            ("Client", "Service", ">Closed with", ">Now"),
            (
                (one.client_name or one.client_id, one.service, one.sealed_seats, one.seats)
                for one in report.adjustments[:GROUPS_SHOWN_MAXIMUM]
            ),
        )


def report_csv(report: MonthlyReport) -> str:
    """One line a row and currency, most that is outstanding first."""
    amounts = frozenset(name for name in REPORT_COLUMNS if "billed_" in name)
    return csv_table(REPORT_COLUMNS, _rows(report), numbers=amounts)


def _rows(report: MonthlyReport) -> Iterator[tuple[str, ...]]:
    for row in report.rows:
        yield (
            row.client_id,
            row.client_name,
            row.service,
            row.currency,
            *_flow_cells(row.underbilled),
            *_flow_cells(row.overbilled),
            "yes" if row.is_confirmed else "no",
            row.why,
        )
