"""Which notices a run, a credential or a day asks for. Sending them is usecases/notices.py's.

Method: everything is read from the stores by the run's id, so that whoever asks for a notice need not carry figures,
and asking again gives the same notice. Must not: fail a run because nobody could be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from trueup.domain.change_orders import ChangeOrder
from trueup.domain.errors import InputInvalid, NotFound
from trueup.domain.integrations import ConnectionState, Integration
from trueup.domain.notice_wording import (
    approval_wanted,
    credential_expiring,
    credential_failing,
    drop_or_jump_held,
    month_sealed,
    order_late,
    order_reflected,
    run_finished,
    run_missed,
    sync_incomplete,
)
from trueup.domain.notices import Delivery, Notice, NoticeKind, NoticeLine
from trueup.domain.order_parts import OrderState
from trueup.domain.order_tracking import Patience, due_from
from trueup.domain.periods import Period
from trueup.domain.plan import Plan
from trueup.domain.runs import Run
from trueup.domain.sealing import LinkKind
from trueup.domain.verdicts import Totals
from trueup.ports.change_orders import ChangeOrders
from trueup.ports.sealing import SealedMonths
from trueup.ports.state import Plans, Reconciliations, Runs
from trueup.usecases.change_orders import late_orders
from trueup.usecases.notices import NoticeSystems, notify

EXPIRY_TOLD_BEFORE = timedelta(days=30)
"""How long before its end a credential is told of; once a month until it is replaced."""

RUN_KINDS: frozenset[NoticeKind] = frozenset(
    {
        NoticeKind.RUN_FINISHED,
        NoticeKind.APPROVAL_WANTED,
        NoticeKind.SYNC_INCOMPLETE,
        NoticeKind.DROP_OR_JUMP_HELD,
    }
)
"""What is said of a run and can be made from its records alone."""

CHAIN_KINDS: frozenset[NoticeKind] = frozenset({NoticeKind.SEALED})
"""What is said of months that a run has closed, from the chain of closed months."""

ORDER_KINDS: frozenset[NoticeKind] = frozenset({NoticeKind.ORDER_LATE, NoticeKind.ORDER_REFLECTED})
"""What is said of the orders of a run's month, each order by itself and once."""


def send_for_run(
    kind: NoticeKind,
    run_id: str,
    *,
    runs: Runs,
    plans: Plans,
    reconciliations: Reconciliations,
    change_orders: ChangeOrders,
    patience: Patience,
    sealed_months: SealedMonths,
    systems: NoticeSystems,
) -> tuple[Delivery, ...]:
    """Tell of a run; nothing is sent where the run does not ask for such a notice (it has no plan, holds no jump).

    Raises InputInvalid for a kind that is of no run, NotFound for a run that is not there, StateTrouble. A channel that
    fails raises nothing.
    """
    known = RUN_KINDS | ORDER_KINDS | CHAIN_KINDS
    if kind not in known:
        words = ", ".join(sorted(one.value for one in known))
        raise InputInvalid(f"{kind.value} is not said of a run", field="kind", remedy=f"Give one of {words}.")
    run = runs.get(run_id)
    if kind is NoticeKind.SEALED:
        closed = _of_closed_months(run, sealed_months, systems.clock.now())
        return tuple(delivery for notice in closed for delivery in notify(notice, systems=systems))
    if kind in ORDER_KINDS:
        wanted = _of_orders(kind, run, change_orders, patience, systems.clock.now())
        return tuple(delivery for notice in wanted for delivery in notify(notice, systems=systems))
    plan = plans.get(run.plan_id) if run.plan_id else None
    notice = _of_run(kind, run, plan, _totals(run, reconciliations), systems)
    return () if notice is None else notify(notice, systems=systems)


def _of_run(
    kind: NoticeKind, run: Run, plan: Plan | None, totals: Totals | None, systems: NoticeSystems
) -> Notice | None:
    now = systems.clock.now()
    match kind:
        case NoticeKind.APPROVAL_WANTED:
            return approval_wanted(run, plan, totals, now) if plan is not None and plan.changes else None
        case NoticeKind.SYNC_INCOMPLETE:
            return sync_incomplete(run, now)
        case NoticeKind.DROP_OR_JUMP_HELD:
            return drop_or_jump_held(run, plan, now)
    return run_finished(run, totals, now)


def _of_closed_months(run: Run, sealed_months: SealedMonths, now: datetime) -> list[Notice]:
    """One notice for each month that this run has closed, with what was not finished then."""
    return [
        month_sealed(
            link.period,
            seal=link.hash,
            lines=tuple(NoticeLine(text, "Not finished") for text in link.outstanding),
            at=now,
        )
        for link in sealed_months.links()
        if link.run_id == run.id and link.kind is LinkKind.SEALED
    ]


def _of_orders(
    kind: NoticeKind, run: Run, change_orders: ChangeOrders, patience: Patience, now: datetime
) -> list[Notice]:
    """One notice for each order that is late, or that a read of the vendor has shown."""
    if kind is NoticeKind.ORDER_LATE:
        late = late_orders(change_orders=change_orders, patience=patience, now=now)
        return [_late(order, run.period, now) for order in late]
    found: list[Notice] = []
    cursor: str | None = None
    while True:
        page = change_orders.page(period=run.period, cursor=cursor, limit=100)
        found.extend(_reflected(order, now) for order in page.items if order.state is OrderState.REFLECTED)
        cursor = page.next_cursor
        if cursor is None:
            return found


def _late(order: ChangeOrder, period: str, now: datetime) -> Notice:
    due = due_from(order)
    assert order.submitted is not None and due is not None, "only a submitted order is late"
    return order_late(
        order.id,
        period=period,
        account=order.vendor_name,
        service=order.service_name,
        target=order.target,
        delta=order.delta,
        order_number=order.order_number,
        submitted_on=order.submitted.at.date(),
        days_late=(now - due).days,
        at=now,
    )


def _reflected(order: ChangeOrder, now: datetime) -> Notice:
    return order_reflected(
        order.id,
        period=order.period,
        account=order.vendor_name,
        service=order.service_name,
        target=order.target,
        delta=order.delta,
        order_number=order.order_number,
        at=now,
    )


def _totals(run: Run, reconciliations: Reconciliations) -> Totals | None:
    """The totals of what this run compared; None when it compared nothing, or a later run has compared since."""
    try:
        summary = reconciliations.summary(run.period)
    except NotFound:
        return None
    return summary.totals if summary.run_id == run.id else None


def send_for_credentials(
    checked: Sequence[Integration],
    *,
    time_zone: ZoneInfo,
    systems: NoticeSystems,
) -> tuple[Delivery, ...]:
    """Tell of credentials that do not work, once for each time they began to fail, and of those that soon end.

    A single rejected reply is no reason: an integration needs attention only after two, some minutes apart.
    """
    now = systems.clock.now()
    period = str(Period.at(now, time_zone))
    wanted = [
        credential_failing(one, period, now)
        for one in checked
        if one.state is ConnectionState.NEEDS_ATTENTION and one.cause
    ]
    today = now.astimezone(time_zone).date()
    wanted += [
        credential_expiring(one.name.value, one.name.label, one.credential_ends_on, period, now)
        for one in checked
        if one.credential_ends_on is not None and one.credential_ends_on - today <= EXPIRY_TOLD_BEFORE
    ]
    return tuple(delivery for notice in wanted for delivery in notify(notice, systems=systems))


def check_overdue(
    days_overdue: int, *, run_day: int, time_zone: ZoneInfo, systems: NoticeSystems
) -> tuple[Delivery, ...]:
    """Tell once in a month that its run is overdue; ``days_overdue`` is usecases/monthly_run.days_overdue."""
    if days_overdue <= 0:
        return ()
    now = systems.clock.now()
    period = str(Period.at(now, time_zone))
    return notify(run_missed(period, days=days_overdue, run_day=run_day, at=now), systems=systems)
