"""The mark of a closed period, and the condition by which every store refuses to change one.

Method: the mark is an item of its own that moves together with the link that closes or reopens the period, and a check
of it is part of each transaction that changes the period: no writer can come between. Must not: decide what is closed.
"""

from __future__ import annotations

from datetime import datetime

from trueup.adapters.dynamodb.conditions import ABSENT, Check, Condition, ConditionsFailed, Put, at
from trueup.adapters.dynamodb.keys import moment
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.sealing import LinkKind, SealLink, month_sealed

_CLOSED = "period_closed"
_BY = "closed_by"
_AT = "closed_at"


class ClosedPeriods:
    """Which periods are closed."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def mark(self, link: SealLink) -> Put:
        """What closes the period of a sealing, and opens that of a reopening."""
        closed = int(link.kind is LinkKind.SEALED)
        return Put(
            at(self._table.keys.sealed_period(link.period), {_CLOSED: closed, _BY: link.by, _AT: moment(link.at)})
        )

    def is_closed(self, period: str) -> bool:
        item = self._table.get(self._table.keys.sealed_period(period))
        return item is not None and item[_CLOSED] == 1

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
            closed_at = datetime.fromisoformat(str(item[_AT]))
            raise month_sealed(period, by=str(item[_BY]), at=closed_at) from refused
