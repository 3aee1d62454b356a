"""Closed months: one item a link, the parts by their content address.

Method: a link is stored only where none is, together with a check of the link before, with the mark of its period and
with its event in the history. Must not: change or delete a link or a part.
"""

from __future__ import annotations

from trueup.adapters.dynamodb.closing import SEAL_LINK, ClosedPeriods
from trueup.adapters.dynamodb.conditions import (
    ABSENT,
    CONTENT,
    Check,
    ConditionsFailed,
    Operation,
    Put,
    at,
    attribute_is,
)
from trueup.adapters.dynamodb.contents import Contents
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.sealed_forms import SealedPartForms
from trueup.adapters.dynamodb.table import DynamoDbTable, StoredItem
from trueup.domain.audit import Audit
from trueup.domain.errors import StateUnavailable, VersionConflict
from trueup.domain.sealing import SealedPart, SealLink

_HASH = "link_hash"


class DynamoDbSealedMonths(SealedPartForms):
    """The SealedStore port."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)
        self._contents = Contents(table)
        self._closed = ClosedPeriods(table)

    def links(self) -> tuple[SealLink, ...]:
        found: list[SealLink] = []
        for item in self._table.query_all(self._table.keys.sealed_links()):
            try:
                found.append(_proven(item))
            except StateUnavailable as damaged:
                last = found[-1].period if found else "none"
                raise StateUnavailable(
                    f"link {len(found) + 1} of the sealed months, after that of {last}, cannot be read: "
                    f"{damaged.message}",
                    remedy="Restore the table to a time before the damage and compare.",
                ) from damaged
        return tuple(found)

    def append(self, link: SealLink, audit: Audit) -> None:
        place = self._table.keys.sealed_link(link.number)
        operations: list[Operation] = [
            Put(at(place, {CONTENT: SEAL_LINK.pack(link), _HASH: link.hash}), ABSENT),
            self._closed.mark(link),
        ]
        if link.number > 1:
            before = self._table.keys.sealed_link(link.number - 1)
            operations.append(Check(before, attribute_is(_HASH, link.previous_hash)))
        try:
            self._chain.write(operations, [audit])
        except ConditionsFailed as refused:
            item = self._table.get(place)
            if item is not None and item[_HASH] == link.hash:
                return
            raise VersionConflict(f"another link took place {link.number} of the sealed months") from refused

    def put(self, content: bytes) -> None:
        self._contents.put(content)

    def part(self, part: SealedPart) -> bytes:
        return self._contents.get(part.sha256)

    def is_closed(self, period: str) -> bool:
        return self._closed.is_closed(period)


def _proven(item: StoredItem) -> SealLink:
    """The link of an item. Raises StateUnavailable when the hash beside it, which the next link is put upon, is not its
    own.
    """
    link = SEAL_LINK.unpack(item[CONTENT])
    if item[_HASH] != link.hash:
        raise StateUnavailable(f"the hash beside link {link.number} is not the link's")
    return link
