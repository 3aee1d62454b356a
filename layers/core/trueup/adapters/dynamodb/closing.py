"""The mark of a closed period, and the condition by which every store refuses to change one.

Method: the mark is an item of its own that moves together with the link that closes or reopens the period, and a check
of it is part of each transaction that changes the period: no writer can come between. Must not: decide what is closed.
"""

from __future__ import annotations

from trueup.adapters.dynamodb.conditions import ABSENT, CONTENT, Check, Condition, ConditionsFailed, Put, at
from trueup.adapters.dynamodb.records import Codec
from trueup.adapters.dynamodb.table import DynamoDbTable, StoredItem
from trueup.domain.errors import StateUnavailable
from trueup.domain.sealing import LinkKind, SealLink, month_sealed

SEAL_LINK = Codec[SealLink]("seal link", SealLink)
_CLOSED = "period_closed"
_LINK = "link_number"


class ClosedPeriods:
    """Which periods are closed."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def mark(self, link: SealLink) -> Put:
        """What closes the period of a sealing, and opens that of a reopening."""
        closed = int(link.kind is LinkKind.SEALED)
        return Put(at(self._table.keys.sealed_period(link.period), {_CLOSED: closed, _LINK: link.number}))

    def is_closed(self, period: str) -> bool:
        """Raises StateUnavailable when the mark does not say what the link says that it names."""
        item = self._table.get(self._table.keys.sealed_period(period))
        if item is None:
            return False
        link = self._link(period, item)
        if (link.period, link.kind is LinkKind.SEALED) != (period, item[_CLOSED] == 1):
            raise StateUnavailable(f"the mark of {period} names link {link.number}, which says otherwise")
        return link.kind is LinkKind.SEALED

    def check(self, period: str) -> Check:
        """The period is open: it has no mark, or was opened again."""
        condition = Condition(f"{ABSENT.expression} OR {_CLOSED} = :open", {":open": 0})
        return Check(self._table.keys.sealed_period(period), condition)

    def refuse_if(self, refused: ConditionsFailed, place: int, period: str) -> None:
        """Raises MonthSealed when the operation at that place, which was ``check``, is what refused the write."""
        if place not in refused.failed:
            return
        item = self._table.get(self._table.keys.sealed_period(period))
        if item is not None and item[_CLOSED] == 1:
            link = self._link(period, item)
            raise month_sealed(period, by=link.by, at=link.at) from refused

    def _link(self, period: str, mark: StoredItem) -> SealLink:
        item = self._table.get(self._table.keys.sealed_link(int(mark[_LINK])))
        if item is None:
            raise StateUnavailable(f"the link that closed or opened {period} is gone")
        return SEAL_LINK.unpack(item[CONTENT])
