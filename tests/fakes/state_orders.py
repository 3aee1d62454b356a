"""Change orders in memory: one open at most for each account and service."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.state_lists import cut
from tests.fakes.state_memory import Store, effect, require_version
from trueup.domain.audit import Audit
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.errors import Conflict, NotFound, VersionConflict
from trueup.domain.sealing import require_open
from trueup.ports.state import Page


class _Backwards(str):
    """A text that sorts the other way round."""

    __slots__ = ()

    def __gt__(self, other: str) -> bool:
        return str(self) < str(other)


class FakeChangeOrders(Store):
    def open(self) -> tuple[ChangeOrder, ...]:
        with self._memory.lock:
            return tuple(order for _, order in sorted(self._memory.change_orders.items()) if order.is_open)

    def get(self, order_id: str) -> ChangeOrder:
        found = self._memory.change_orders.get(order_id)
        if found is None:
            raise NotFound(f"there is no change order {order_id!r}")
        return found

    def page(self, *, period: str | None, cursor: str | None, limit: int) -> Page[ChangeOrder]:
        prefix = "" if period is None else f"order-{period}-"
        with self._memory.lock:
            known = sorted(self._memory.change_orders.items(), reverse=True)
        orders = [order for order_id, order in known if order_id.startswith(prefix)]
        return cut(orders, cursor=cursor, limit=limit, name=f"orders {period}", key=lambda order: _Backwards(order.id))

    @effect("change_orders.draft")
    def draft(self, order: ChangeOrder, audit: Audit) -> ChangeOrder:
        require_open(order.period, self._memory.links)
        known = self._memory.change_orders
        if any(other.is_open and other.place == order.place for other in known.values()):
            raise Conflict(f"account {order.vendor_id} has an open order for {order.service_id} already")
        if order.id in known:
            raise VersionConflict(f"order {order.id} was changed by somebody else since it was read")
        known[order.id] = replace(order, version=1)
        self._memory.log(audit)
        return known[order.id]

    @effect("change_orders.save")
    def save(self, order: ChangeOrder, audit: Audit) -> ChangeOrder:
        known = self._memory.change_orders.get(order.id)
        require_version(f"order {order.id}", order.version, known.version if known else 0)
        self._memory.change_orders[order.id] = replace(order, version=order.version + 1)
        self._memory.log(audit)
        return self._memory.change_orders[order.id]
