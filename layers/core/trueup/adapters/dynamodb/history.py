"""The hash-chained history, and the one way every store writes an audit: in the same transaction as what it tells of.

Method: the chain's head (number and hash of the last event) is an item of its own; a transaction moves it on only from
where it was read, so that two writers can never fork it. The one who comes second reads the head and tries again.
Must not: store an event apart from its cause, or change one that is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC

from trueup.adapters.dynamodb.conditions import (
    ABSENT,
    CONTENT,
    VERSION,
    ConditionsFailed,
    Operation,
    Put,
    at,
    version_is,
)
from trueup.adapters.dynamodb.cursors import read_cursor, require_limit, write_cursor
from trueup.adapters.dynamodb.keys import SORT_KEY
from trueup.adapters.dynamodb.records import EVENT
from trueup.adapters.dynamodb.table import TRANSACTION_MAXIMUM_OPERATIONS, DynamoDbTable
from trueup.domain.audit import GENESIS, Audit, AuditEvent, chained
from trueup.domain.errors import StateUnavailable
from trueup.ports.state import Page

_HEAD_HASH = "head_hash"
_ATTEMPTS = 25
_CURSOR = "history"


class Chain:
    """Writes operations together with their audits."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def write(self, operations: Sequence[Operation], audits: Sequence[Audit | None]) -> None:
        """All operations and all audits, or nothing. Raises ConditionsFailed for the operations, by their places.

        Somebody else's event in between is no failure: the head is read again, a bounded number of times.
        """
        told = [replace(audit, at=audit.at.astimezone(UTC)) for audit in audits if audit is not None]
        if not told:
            if operations:
                self._table.write(operations)
            return
        for attempt in range(_ATTEMPTS):
            try:
                self._table.write([*operations, *self._links(told)])
            except ConditionsFailed as refused:
                mine = frozenset(place for place in refused.failed if place < len(operations))
                if mine:
                    raise ConditionsFailed(mine) from refused
                self._table.pause(attempt // 3)
            else:
                return
        raise StateUnavailable(f"others wrote history {_ATTEMPTS} times in a row; nothing of this was stored")

    def _links(self, audits: Sequence[Audit]) -> list[Operation]:
        head = self._table.get(self._table.keys.history_head())
        number = 0 if head is None else int(head[VERSION])
        previous = GENESIS if head is None else str(head[_HEAD_HASH])
        condition = version_is(number)
        links: list[Operation] = []
        for audit in audits:
            number += 1
            event = chained(audit, number=number, previous_hash=previous)
            previous = event.hash
            item = at(self._table.keys.event(number), {CONTENT: EVENT.pack(event)})
            links.append(Put(item, ABSENT))
        item = at(self._table.keys.history_head(), {VERSION: number, _HEAD_HASH: previous})
        return [*links, Put(item, condition)]


class DynamoDbHistory:
    """The History port."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)

    def append(self, audits: Sequence[Audit]) -> None:
        """More than 99 events go in several transactions, in order; a failure leaves the first ones stored."""
        most = TRANSACTION_MAXIMUM_OPERATIONS - 1
        for start in range(0, len(audits), most):
            self._chain.write([], audits[start : start + most])

    def page(self, *, cursor: str | None, limit: int) -> Page[AuditEvent]:
        require_limit(limit)
        after = None if cursor is None else read_cursor(cursor, _CURSOR, parts=1)[0]
        found = self._table.query(self._table.keys.history(), limit=limit + 1, forward=False, after=after)
        shown = found.items[:limit]
        more = found.has_more or len(found.items) > limit
        next_cursor = write_cursor(_CURSOR, shown[-1][SORT_KEY]) if more and shown else None
        return Page(tuple(EVENT.unpack(item[CONTENT]) for item in shown), next_cursor)

    def all(self) -> Iterator[AuditEvent]:
        for item in self._table.query_all(self._table.keys.history()):
            yield EVENT.unpack(item[CONTENT])
