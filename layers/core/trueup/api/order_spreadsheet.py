"""Change orders as a table for a spreadsheet: what is ordered for whom, how it stands, and who took which step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trueup.api.spreadsheets import csv_table
from trueup.api.views import time_text
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.order_parts import Signature
from trueup.ports.change_orders import ChangeOrders

_PAGE_ORDERS = 200

ORDER_COLUMNS = (
    "order_id",
    "period",
    "state",
    "kind",
    "vendor_account_id",
    "vendor_account_name",
    "service_id",
    "service",
    "client_id",
    "client",
    "from",
    "to",
    "change",
    "licensed",
    "guard",
    "order_number",
    "drafted_by",
    "approved_by",
    "approved_at",
    "submitted_by",
    "submitted_at",
    "downsell_deadline",
    "settled_at",
    "why",
)


def orders_csv(orders: Iterable[ChangeOrder]) -> str:
    """One line an order, in the order given. What is not known is an empty cell."""
    return csv_table(ORDER_COLUMNS, (_cells(order) for order in orders))


def all_orders(change_orders: ChangeOrders, period: str | None) -> Iterator[ChangeOrder]:
    """Every order of that month, or of all months, page after page."""
    cursor: str | None = None
    while True:
        page = change_orders.page(period=period, cursor=cursor, limit=_PAGE_ORDERS)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def _cells(order: ChangeOrder) -> tuple[str, ...]:
    names = ", ".join(hold.guard for hold in order.holds)
    return (
        order.id,
        order.period,
        order.state.value,
        order.kind.value,
        order.vendor_id,
        order.vendor_name,
        order.service_id,
        order.service_name,
        order.psa_account_id or "",
        order.psa_account_name,
        str(order.current),
        str(order.target),
        str(order.delta),
        str(order.reason.licensed),
        names and f"{'held' if order.is_held else 'released'}: {names}",
        order.order_number,
        order.drafted.by,
        "" if order.approved is None else order.approved.by,
        _at(order.approved),
        "" if order.submitted is None else order.submitted.by,
        _at(order.submitted),
        "" if order.downsell is None else order.downsell.deadline.isoformat(),
        _at(order.settled),
        order.settled_why or order.remark,
    )


def _at(signature: Signature | None) -> str:
    return "" if signature is None else time_text(signature.at) or ""
