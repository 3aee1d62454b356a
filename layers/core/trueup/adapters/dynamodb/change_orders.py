"""Change orders: one item each, and one for each account and service that has an open one.

Method: the second item is written and removed in the transaction of the step that opens or ends the order, so that of
two drafters at the same moment one is refused by the table itself. Must not: leave a place taken by an order that is
over, or open one that somebody else has.
"""

from __future__ import annotations

from dataclasses import replace

from trueup.adapters.dynamodb.closing import ClosedPeriods
from trueup.adapters.dynamodb.conditions import (
    ABSENT,
    CONTENT,
    VERSION,
    ConditionsFailed,
    Delete,
    Operation,
    Put,
    at,
    attribute_is,
    version_is,
)
from trueup.adapters.dynamodb.cursors import read_cursor, require_limit, write_cursor
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.keys import SORT_KEY
from trueup.adapters.dynamodb.records import CHANGE_ORDER
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.audit import Audit
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.errors import Conflict, NotFound, VersionConflict
from trueup.ports.state import Page

_ORDER_ID = "order_id"
_LIST = "change orders"


class DynamoDbChangeOrders:
    """The ChangeOrders port."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)
        self._closed = ClosedPeriods(table)

    def open(self) -> tuple[ChangeOrder, ...]:
        keys = self._table.keys
        ids = sorted(str(item[_ORDER_ID]) for item in self._table.query_all(keys.open_orders()))
        found = self._table.get_many([keys.change_order(order_id) for order_id in ids])
        orders = (CHANGE_ORDER.unpack(item[CONTENT]) for item in found.values())
        # One that was ended between the two reads has left its place by now.
        return tuple(sorted((order for order in orders if order.is_open), key=lambda order: order.id))

    def get(self, order_id: str) -> ChangeOrder:
        item = self._table.get(self._table.keys.change_order(order_id))
        if item is None:
            raise NotFound(f"there is no change order {order_id!r}")
        return CHANGE_ORDER.unpack(item[CONTENT])

    def page(self, *, period: str | None, cursor: str | None, limit: int) -> Page[ChangeOrder]:
        require_limit(limit)
        name = f"{_LIST} {period or ''}"
        after = None if cursor is None else read_cursor(cursor, name, parts=1)[0]
        prefix = self._table.keys.change_orders(period)
        found = self._table.query(prefix, limit=limit + 1, forward=False, after=after)
        shown = found.items[:limit]
        more = found.has_more or len(found.items) > limit
        next_cursor = write_cursor(name, shown[-1][SORT_KEY]) if more and shown else None
        return Page(tuple(CHANGE_ORDER.unpack(item[CONTENT]) for item in shown), next_cursor)

    def draft(self, order: ChangeOrder, audit: Audit) -> ChangeOrder:
        stored = replace(order, version=1)
        place = at(self._table.keys.open_order(*order.place), {_ORDER_ID: order.id})
        try:
            self._chain.write([self._put(stored, 0), Put(place, ABSENT), self._closed.check(order.period)], [audit])
        except ConditionsFailed as refused:
            self._closed.refuse_if(refused, 2, order.period)
            if 1 in refused.failed:
                raise Conflict(
                    f"account {order.vendor_id} has an open order for {order.service_id} already",
                    remedy="Settle that one first: trueup orders list.",
                ) from refused
            raise _moved(order) from refused
        return stored

    def save(self, order: ChangeOrder, audit: Audit) -> ChangeOrder:
        stored = replace(order, version=order.version + 1)
        operations: list[Operation] = [self._put(stored, order.version)]
        place = self._table.keys.open_order(*order.place)
        holder = self._table.get(place)
        if not order.is_open and holder is not None and holder[_ORDER_ID] == order.id:
            operations.append(Delete(place, attribute_is(_ORDER_ID, order.id)))
        try:
            self._chain.write(operations, [audit])
        except ConditionsFailed as refused:
            raise _moved(order) from refused
        return stored

    def _put(self, order: ChangeOrder, version: int) -> Put:
        key = self._table.keys.change_order(order.id)
        return Put(at(key, {CONTENT: CHANGE_ORDER.pack(order), VERSION: order.version}), version_is(version))


def _moved(order: ChangeOrder) -> VersionConflict:
    return VersionConflict(f"order {order.id} was changed by somebody else since it was read")
