"""Numbers that forget themselves: each is one item that the table itself adds to.

Method: one conditional update while the window is open, another one that opens the next; the end of the window is
compared with the clock, and the table's own expiry only tidies up. Must not: hold a number that money depends on, for a
lost reply may make it one too high.
"""

from __future__ import annotations

from datetime import datetime

from trueup.adapters.dynamodb.conditions import ABSENT, Condition, ConditionsFailed
from trueup.adapters.dynamodb.keys import EXPIRY
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.errors import StateUnavailable

_TALLY = "tally"
_ENDS = "window_ends_at_epoch_milliseconds"
_ATTEMPTS = 10


class DynamoDbCounters:
    """The Counters port."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def add(self, name: str, *, seconds: int) -> int:
        key = self._table.keys.counter(name)
        for attempt in range(_ATTEMPTS):
            now = _milliseconds(self._table.clock.now())
            is_open = Condition(f"{_ENDS} > :now", {":now": now})
            is_over = Condition(f"{ABSENT.expression} OR {_ENDS} <= :now", {":now": now})
            ends = now + seconds * 1000
            opening = {":one": 1, ":ends": ends, ":expiry": ends // 1000 + 1}
            try:
                return int(self._table.update(key, f"SET {_TALLY} = {_TALLY} + :one", is_open, {":one": 1})[_TALLY])
            except ConditionsFailed:
                pass  # No window is open: the next update opens one.
            try:
                first = f"SET {_TALLY} = :one, {_ENDS} = :ends, {EXPIRY} = :expiry"
                return int(self._table.update(key, first, is_over, opening)[_TALLY])
            except ConditionsFailed:
                self._table.pause(attempt)  # Somebody else opened it in between.
        raise StateUnavailable(f"others opened and closed a window {_ATTEMPTS} times in a row")

    def value(self, name: str) -> int:
        item = self._table.get(self._table.keys.counter(name))
        if item is None or item[_ENDS] <= _milliseconds(self._table.clock.now()):
            return 0
        return int(item[_TALLY])


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
