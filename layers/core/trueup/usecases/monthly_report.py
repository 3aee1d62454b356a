"""The report of a month and the trend over a year: of closed months as they were closed, of open ones as they stand.

Must not: show a month that was never compared as one in which nothing was found; it is missing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from trueup.domain.change_orders import ChangeOrder
from trueup.domain.comparison import Figure, figures_of
from trueup.domain.errors import InputInvalid, NotFound
from trueup.domain.monthly_report import MonthlyReport, ReportRow, ReportSum, monthly_report, sums
from trueup.domain.periods import Period
from trueup.domain.plan import Plan
from trueup.domain.report_sources import adjustments_of, corrections_of, order_counts, reasons_of
from trueup.domain.sealed_contents import SealedContents
from trueup.domain.sealing import LinkKind, SealLink, standing
from trueup.ports.sealing import SealedMonths, SealedStore
from trueup.ports.state import PlanIndex
from trueup.ports.state_bundle import State

PLANS_LOOKED_AT = 200
"""How many of the newest plans are asked whether they are of the period."""

TREND_MONTHS_MAXIMUM = 36

REPORT_PARTS = ("report", "report_rows")


def report_of(period: str, *, state: State) -> MonthlyReport:
    """The report of that month. Raises InputInvalid (``period``), NotFound for a month that was never compared."""
    Period.parse(period)
    link = closed_by(period, state.sealed_months)
    if link is not None:
        sealed = contents_of(link, state.sealed_months, only=REPORT_PARTS).report
        if sealed is not None:
            return sealed
    try:
        figures = figures_of(state.reconciliations.get(period).rows)
    except NotFound as none:
        raise NotFound(f"{period} was never compared", remedy="Compare first: trueup run.") from none
    return _as_it_stands(period, figures, state)


def _as_it_stands(period: str, figures: tuple[Figure, ...], state: State) -> MonthlyReport:
    return built_report(
        period,
        plans=plans_of(period, state.plan_index),
        orders=orders_of(period, state),
        figures=figures,
        before=figures_before(Period.parse(period), state.sealed_months),
        state=state,
    )


def built_report(
    period: str,
    *,
    plans: Sequence[Plan],
    orders: Sequence[ChangeOrder],
    figures: tuple[Figure, ...],
    before: tuple[Figure, ...],
    state: State,
    version: int = 0,
) -> MonthlyReport:
    """The report of what is stored of the period now; with a ``version`` it is the one the month is closed with."""
    return monthly_report(
        period,
        findings=state.comparison_records.findings(period),
        corrections=corrections_of(plans),
        why=reasons_of(plans),
        is_closed=version > 0,
        version=version,
        orders=order_counts(orders),
        adjustments=adjustments_of(before, figures),
    )


def plans_of(period: str, plan_index: PlanIndex) -> tuple[Plan, ...]:
    """Every plan of the period, the oldest first, the replaced ones too."""
    plans = [plan for plan in plan_index.latest(PLANS_LOOKED_AT) if plan.period == period]
    return tuple(sorted(plans, key=lambda plan: (plan.created_at, plan.id)))


def orders_of(period: str, state: State) -> tuple[ChangeOrder, ...]:
    """The change orders of the period, and those of earlier months that are open still, by id."""
    found = {order.id: order for order in state.change_orders.open() if order.period <= period}
    cursor: str | None = None
    while True:
        page = state.change_orders.page(period=period, cursor=cursor, limit=200)
        found.update({order.id: order for order in page.items})
        cursor = page.next_cursor
        if cursor is None:
            return tuple(found[order_id] for order_id in sorted(found))


def closed_by(period: str, sealed_months: SealedMonths) -> SealLink | None:
    """The link that closes the period now; None while it is open, or open again."""
    link = standing(period, sealed_months.links())
    return link if link is not None and link.kind is LinkKind.SEALED else None


def contents_of(link: SealLink, store: SealedStore, *, only: Sequence[str] = ()) -> SealedContents:
    """What a month was closed with; with ``only``, nothing but the totals and those kinds of parts is read.

    Raises StateUnavailable when a part is gone or damaged.
    """
    wanted = {"totals", *only}
    parts = [part for part in link.parts if not only or part.name.partition(" ")[0] in wanted]
    return store.contents((part.name, store.part(part)) for part in parts)


def figures_before(period: Period, store: SealedStore) -> tuple[Figure, ...]:
    """The figures with which the month before was closed; none when it is open."""
    link = closed_by(str(period.previous()), store)
    return () if link is None else contents_of(link, store, only=("figures",)).figures


class MonthState(StrEnum):
    """missing: the month was never compared, so there is nothing to show, not even zero."""

    CLOSED = "closed"
    OPEN = "open"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One month of a trend. A leg is None where no row of it has a known count; ``rows_unknown`` are rows of which at
    least one of agreement and billed is not known and which are in no sum of that leg."""

    period: str
    state: MonthState
    agreement: int | None = None
    licensed: int | None = None
    billed: int | None = None
    rows: int = 0
    rows_unknown: int = 0
    money: tuple[ReportSum, ...] = ()


def trend(*, months: int, until: str, client_id: str = "", service: str = "", state: State) -> tuple[TrendPoint, ...]:
    """The last so many months up to ``until``, the oldest first: of all clients, or of one client, or of one service.

    Raises InputInvalid (``months``, ``period``).
    """
    if not 1 <= months <= TREND_MONTHS_MAXIMUM:
        raise InputInvalid(
            f"the number of months must lie between 1 and {TREND_MONTHS_MAXIMUM}",
            field="months",
            remedy="For example 12.",
        )
    periods = [Period.parse(until)]
    while len(periods) < months:
        periods.append(periods[-1].previous())
    return tuple(_point(str(period), client_id, service, state) for period in reversed(periods))


def _point(period: str, client_id: str, service: str, state: State) -> TrendPoint:
    link = closed_by(period, state.sealed_months)
    if link is not None:
        figures, rows = _closed_figures(link, client_id, state.sealed_months)
    else:
        try:
            figures = figures_of(state.reconciliations.get(period).rows)
        except NotFound:
            return TrendPoint(period, MonthState.MISSING)
        rows = _as_it_stands(period, figures, state).rows

    def is_wanted(one: Figure | ReportRow) -> bool:
        return client_id in ("", one.client_id) and service in ("", one.service)

    chosen = [figure for figure in figures if is_wanted(figure)]
    if not chosen and (client_id or service):
        return TrendPoint(period, MonthState.MISSING)
    return TrendPoint(
        period=period,
        state=MonthState.OPEN if link is None else MonthState.CLOSED,
        agreement=_sum([figure.agreement for figure in chosen]),
        licensed=_sum([figure.licensed for figure in chosen]),
        billed=_sum([figure.billed for figure in chosen]),
        rows=len(chosen),
        rows_unknown=sum(1 for figure in chosen if None in (figure.agreement, figure.billed)),
        money=sums([row for row in rows if is_wanted(row)], lambda _: ("", "")),
    )


def _closed_figures(
    link: SealLink, client_id: str, store: SealedStore
) -> tuple[tuple[Figure, ...], tuple[ReportRow, ...]]:
    """The figures and the rows of the report of a closed month: of all clients, or of one without reading all."""
    if client_id:
        return _of_client(link, "figures", client_id, store), _of_client(link, "report_rows", client_id, store)
    contents = contents_of(link, store, only=("figures", *REPORT_PARTS))
    return contents.figures, () if contents.report is None else contents.report.rows


def _of_client(link: SealLink, kind: str, client_id: str, store: SealedStore) -> tuple[Any, ...]:
    """The items of one client. They lie by client over the parts, so that few of these are read."""
    parts = [part for part in link.parts if part.name.partition(" ")[0] == kind]

    @cache
    def read(place: int) -> tuple[Any, ...]:
        return store.items(parts[place].name, store.part(parts[place]))

    first = bisect_left(range(len(parts)), client_id, key=lambda place: read(place)[-1].client_id)
    found: list[Any] = []
    for place in range(first, len(parts)):
        if read(place)[0].client_id > client_id:
            break
        found.extend(item for item in read(place) if item.client_id == client_id)
    return tuple(found)


def _sum(seats: Sequence[int | None]) -> int | None:
    known = [number for number in seats if number is not None]
    return sum(known) if known else None
