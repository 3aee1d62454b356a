"""Queries of one kind of record, page after page, and the opaque cursor of a long read.

Autotask sends at most 500 records and the address of the next page, to be asked for with the same verb and body. That
address is remote-supplied and its mark is opaque and of unknown life, so it is not followed: the next page is asked for
with ``id`` above the last one that was seen (records come by rising id, as its older API documents for the same use).
A cursor is then good for ever, and records made meanwhile shift nothing. It must not take a page whose ids do not rise
for progress.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trueup.adapters.autotask.session import AutotaskSession
from trueup.adapters.autotask.wire import CountWire, RecordWire, ResultWire, parse, parse_list
from trueup.adapters.http import HttpReply
from trueup.domain.errors import InputInvalid, ReadIncomplete, ReplyUnreadable, RequestRefused, ResourceAbsent
from trueup.domain.integrations import IntegrationName

MAX_RECORDS: Final = 500
PAGES_MAXIMUM: Final = 4_000
"""More pages than any tenant has: two million records of one kind."""

IDS_AT_ONCE: Final = 200
"""Documented are at most 500 conditions joined by OR; that a list counts as so many is assumed."""

_INTEGRATION: Final = IntegrationName.AUTOTASK.value
_CURSOR = re.compile(r"1:(?P<phase>[a-z]+):(?P<page>[1-9][0-9]{0,3}):(?P<after>|0|[1-9][0-9]{0,17})", re.ASCII)

Condition = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Listing:
    """One kind of record: where it is queried, which fields are wanted, and the permission it needs."""

    entity: str
    fields: Sequence[str]
    doing: str
    permission: str
    page_size: int = MAX_RECORDS


@dataclass(frozen=True, slots=True)
class Position:
    """How far a read has come: the number of its next page, and the last id seen in this phase, None at its start.

    The MSP's own company has the id 0 (seen in the field), so 0 is an id like any other.
    """

    phase: str
    page: int = 1
    after: int | None = None

    def cursor(self) -> str:
        return f"1:{self.phase}:{self.page}:{'' if self.after is None else self.after}"

    @classmethod
    def of(cls, cursor: str, *, phases: Iterable[str]) -> Position:
        """The position that a cursor of ours names. Raises InputInvalid for any other text."""
        found = _CURSOR.fullmatch(cursor)
        if found is None or found["phase"] not in phases or (found["page"] == "1") != (found["after"] == ""):
            raise InputInvalid(
                "this is not a cursor of an Autotask read", field="cursor", remedy="Start the read anew, without one."
            )
        return cls(found["phase"], int(found["page"]), int(found["after"]) if found["after"] else None)


def equal(field: str, value: object) -> Condition:
    return {"op": "eq", "field": field, "value": value}


def among(field: str, values: Sequence[int]) -> Condition:
    return {"op": "in", "field": field, "value": list(values)}


def everything() -> Condition:
    """A filter is required (published schema): every record has an id."""
    return {"op": "exist", "field": "id"}


def query_page[Record: RecordWire](
    session: AutotaskSession, listing: Listing, kind: type[Record], conditions: Sequence[Condition], position: Position
) -> tuple[list[Record], Position | None]:
    """One page and the position after it, None after the last.

    A page ends the read only when it is short and names no next one: a server that caps pages sends short ones, one
    that forgets the address sends full ones. Raises ReadIncomplete for ids that do not rise, SchemaUnknown for another
    shape, and what AutotaskSession.read does.
    """
    asked = list(conditions)
    if position.after is not None:
        asked.append({"op": "gt", "field": "id", "value": position.after})
    reply = _ask(session, listing, {"MaxRecords": listing.page_size, "filter": asked})
    result = parse(ResultWire, reply.json(), source=listing.doing)
    records = parse_list(kind, result.items, source=listing.doing)
    last = position.after
    for record in records:
        if last is not None and record.id <= last:
            raise ReadIncomplete(
                f"Autotask, {listing.doing}: page {position.page} repeats a record or is out of order",
                integration=_INTEGRATION,
            )
        last = record.id
    if not records or (not result.pageDetails.nextPageUrl and len(records) < listing.page_size):
        return records, None
    if position.page >= PAGES_MAXIMUM:
        raise ReadIncomplete(
            f"Autotask, {listing.doing}: it has not ended after {PAGES_MAXIMUM} pages", integration=_INTEGRATION
        )
    return records, Position(position.phase, position.page + 1, last)


def _ask(session: AutotaskSession, listing: Listing, body: Mapping[str, object]) -> HttpReply:
    """The query for the wanted fields only, or for whole records where Autotask does not know one of these fields."""
    path, doing, permission = f"/{listing.entity}/query", listing.doing, listing.permission
    try:
        narrow = {**body, "IncludeFields": list(listing.fields)}
        return session.read("POST", path, json_body=narrow, doing=doing, permission=permission)
    except (RequestRefused, ResourceAbsent) as refused:
        if not any(re.search(rf"\b{name}\b", refused.message, re.IGNORECASE) for name in listing.fields[1:]):
            raise
    return session.read("POST", path, json_body=dict(body), doing=doing, permission=permission)


def query_all[Record: RecordWire](
    session: AutotaskSession, listing: Listing, kind: type[Record], conditions: Sequence[Condition]
) -> Iterator[Record]:
    """Every record, page after page. Raises as query_page."""
    position: Position | None = Position("all")
    while position is not None:
        records, position = query_page(session, listing, kind, conditions, position)
        yield from records


def count(session: AutotaskSession, listing: Listing, conditions: Sequence[Condition]) -> int:
    """How many records Autotask says there are."""
    reply = session.read(
        "POST",
        f"/{listing.entity}/query/count",
        json_body={"filter": list(conditions)},
        doing=f"{listing.doing} (count)",
        permission=listing.permission,
    )
    found = parse(CountWire, reply.json(), source=f"{listing.doing} (count)").queryCount
    if found < 0:
        raise ReplyUnreadable(f"Autotask counts {found} records, {listing.doing}", integration=_INTEGRATION)
    return found


def batches(ids: Iterable[int]) -> Iterator[list[int]]:
    """The ids, each once and by rising value, in lists that are short enough to ask for."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), IDS_AT_ONCE):
        yield ordered[start : start + IDS_AT_ONCE]
