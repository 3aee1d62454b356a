"""Reports on the command line: what a month came to, and how the last months went."""

from __future__ import annotations

from argparse import Namespace

from local.cli import EXIT_DONE
from local.cli.files import require_writable, write_file
from local.cli.output import Column, Output, shown
from local.cli.workplace import Workplace
from trueup.api.report_documents import report_csv, report_html
from trueup.api.report_views import report_view, trend_view
from trueup.api.views import money_text
from trueup.domain.monthly_report import Flow, MonthlyReport, ReportSum
from trueup.domain.periods import Period
from trueup.usecases.monthly_report import report_of
from trueup.usecases.monthly_report import trend as trend_of

GROUPS_SHOWN_MAXIMUM = 20


def report(workplace: Workplace, arguments: Namespace) -> int:
    for option in ("html", "csv"):
        if getattr(arguments, option) is not None:
            require_writable(getattr(arguments, option), field=option)
    period = str(Period.parse(arguments.period)) if arguments.period is not None else workplace.period
    found = report_of(period, state=workplace.state)
    if arguments.html is not None:
        write_file(arguments.html, report_html(found), field="html")
    if arguments.csv is not None:
        write_file(arguments.csv, report_csv(found), field="csv")
    workplace.output.document(report_view(found))
    if not workplace.output.as_json:
        _describe(workplace.output, found)
    return EXIT_DONE


def _describe(output: Output, found: MonthlyReport) -> None:
    state = f"closed, version {found.version}" if found.is_closed else "open: the figures may still change"
    output.line(f"{found.period} is {state}.")
    if not found.totals:
        output.line("No difference with a price was found.")
    for title, groups in (("All", found.totals), ("Client", found.by_client), ("Service", found.by_service)):
        if groups:
            output.line()
            _sums(output, title, groups[:GROUPS_SHOWN_MAXIMUM])
            if len(groups) > GROUPS_SHOWN_MAXIMUM:
                output.line(f"and {len(groups) - GROUPS_SHOWN_MAXIMUM} more with less outstanding")
    output.line()
    for words, currency, little, much, rows in found.reasons:
        output.line(
            f"outstanding, {shown(words, 80)}: {currency} {money_text(little)} too little, {money_text(much)} too much "
            f"({rows} rows)"
        )
    output.line(f"In no sum: {found.unpriced} rows without a price, {found.unknown} rows nobody could compare.")
    for one in found.adjustments[:GROUPS_SHOWN_MAXIMUM]:
        output.line(
            f"counted otherwise than when the month before was closed: {shown(one.client_name or one.client_id)}, "
            f"{shown(one.service)}: {one.sealed_seats} then, {one.seats} now"
        )


def _sums(output: Output, title: str, groups: tuple[ReportSum, ...]) -> None:
    """One line for each direction in which anything was found: the two are never set against each other."""
    rows = [
        [shown(one.name or one.key or "all", 60), direction, one.currency, *_amounts(flow)]
        for one in groups
        for direction, flow in (("too little", one.underbilled), ("too much", one.overbilled))
        if flow != Flow()
    ]
    output.table(
        [Column(title, "name"), Column("Billed"), Column("Currency"), Column("Found", "number"),
         Column("Corrected", "number"), Column("Settled", "number"), Column("Outstanding", "number")],
        rows,
    )  # fmt: skip


def _amounts(flow: Flow) -> list[str]:
    return [money_text(amount) or "" for amount in (flow.found, flow.corrected, flow.settled, flow.outstanding)]


def trend(workplace: Workplace, arguments: Namespace) -> int:
    until = str(Period.parse(arguments.until)) if arguments.until is not None else workplace.period
    points = trend_of(
        months=arguments.months,
        until=until,
        client_id=arguments.client,
        service=arguments.service,
        state=workplace.state,
    )
    workplace.output.document(trend_view(points, client_id=arguments.client, service=arguments.service))
    workplace.output.table(
        [Column("Month"), Column("State"), Column("Agreement", "number"), Column("Licensed", "number"),
         Column("Billed", "number"), Column("Found too little", "text"), Column("Outstanding", "text")],
        [
            [
                point.period,
                point.state.value,
                *("-" if seats is None else str(seats) for seats in (point.agreement, point.licensed, point.billed)),
                ", ".join(f"{one.currency} {money_text(one.underbilled.found)}" for one in point.money),
                ", ".join(f"{one.currency} {money_text(one.underbilled.outstanding)}" for one in point.money),
            ]
            for point in points
        ],
    )  # fmt: skip
    return EXIT_DONE
