"""Reports and trends as JSON. Money is a decimal in a string, a count that nobody knows is null."""

from __future__ import annotations

from collections.abc import Sequence

from trueup.api.views import View, money_text, time_text
from trueup.domain.monthly_report import Flow, MonthlyReport, ReportRow, ReportSum
from trueup.usecases.monthly_report import TrendPoint

ROWS_SHOWN_MAXIMUM = 1000
"""Rows in one JSON report, most that is outstanding first; the CSV has all of them."""


def report_view(report: MonthlyReport) -> View:
    """``found`` = ``corrected`` + ``settled`` + ``outstanding`` in every sum, for each currency and direction apart."""
    return {
        "period": report.period,
        "state": "closed" if report.is_closed else "open",
        "version": report.version or None,
        "comparisons": report.comparisons,
        "first_compared_at": time_text(report.first_compared_at),
        "compared_at": time_text(report.compared_at),
        "totals": [sum_view(one) for one in report.totals],
        "by_client": [sum_view(one) for one in report.by_client],
        "by_service": [sum_view(one) for one in report.by_service],
        "outstanding": [
            {
                "why": words,
                "currency": currency,
                "underbilled": money_text(underbilled),
                "overbilled": money_text(overbilled),
                "rows": rows,
            }
            for words, currency, underbilled, overbilled, rows in report.reasons
        ],
        "rows_without_price": report.unpriced,
        "rows_unknown": report.unknown,
        "orders": dict(report.orders),
        "adjustments": [
            {
                "client_id": one.client_id,
                "client_name": one.client_name,
                "service": one.service,
                "sealed_seats": one.sealed_seats,
                "seats": one.seats,
            }
            for one in report.adjustments
        ],
        "rows_total": len(report.rows),
        "rows": [report_row_view(row) for row in report.rows[:ROWS_SHOWN_MAXIMUM]],
    }


def report_row_view(row: ReportRow) -> View:
    return {
        "row_id": row.row_id,
        "client_id": row.client_id,
        "client_name": row.client_name,
        "service": row.service,
        "currency": row.currency,
        "underbilled": flow_view(row.underbilled),
        "overbilled": flow_view(row.overbilled),
        "why": row.why or None,
        "is_confirmed": row.is_confirmed,
    }


def sum_view(one: ReportSum) -> View:
    return {
        "id": one.key or None,
        "name": one.name or None,
        "currency": one.currency,
        "rows": one.rows,
        "underbilled": flow_view(one.underbilled),
        "overbilled": flow_view(one.overbilled),
    }


def flow_view(flow: Flow) -> View:
    return {
        "found": money_text(flow.found),
        "corrected": money_text(flow.corrected),
        "settled": money_text(flow.settled),
        "outstanding": money_text(flow.outstanding),
    }


def trend_view(points: Sequence[TrendPoint], *, client_id: str, service: str) -> View:
    """One item a month, the oldest first. A month that is ``missing`` has no numbers: a gap is not zero."""
    return {
        "account": client_id or None,
        "service": service or None,
        "items": [
            {
                "period": point.period,
                "state": point.state.value,
                "agreement": point.agreement,
                "licensed": point.licensed,
                "billed": point.billed,
                "rows": point.rows,
                "rows_unknown": point.rows_unknown,
                "money": [sum_view(one) for one in point.money],
            }
            for point in points
        ],
    }
