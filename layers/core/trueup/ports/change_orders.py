"""Where change orders are kept. At most one is open for each account and service, whoever drafts at the same moment."""

from __future__ import annotations

from typing import Protocol

from trueup.domain.audit import Audit
from trueup.domain.change_orders import ChangeOrder
from trueup.ports.state import Page


class ChangeOrders(Protocol):
    def open(self) -> tuple[ChangeOrder, ...]:
        """Every order that is open, by id; consistent, so that decisions may rest on it."""
        ...

    def get(self, order_id: str) -> ChangeOrder:
        """Raises NotFound."""
        ...

    def page(self, *, period: str | None, cursor: str | None, limit: int) -> Page[ChangeOrder]:
        """Orders of that month, or of all, the newest month first and by id within it."""
        ...

    def draft(self, order: ChangeOrder, audit: Audit) -> ChangeOrder:
        """Store a new order. Raises Conflict when its account and service have an open one, VersionConflict when there
        is one with that id, MonthSealed when its month is closed; then nothing is stored.
        """
        ...

    def save(self, order: ChangeOrder, audit: Audit) -> ChangeOrder:
        """Store the next step of an order; one that is no longer open makes room for the next. Raises VersionConflict
        when it moved since it was read.
        """
        ...
