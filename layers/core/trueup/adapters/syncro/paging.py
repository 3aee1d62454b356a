"""Numbered pages: what a page says about the next one, and the opaque cursor of a long read.

Syncro pages with ``page`` from 1. The description says that a page holds 25 rows and its own sample says 100, so no
size is counted on: rows are added up until there are as many as ``meta.total_entries`` tells. That is published for
customers alone; where a list tells nothing, it is read to its first empty page. It must not take a page that repeats,
or one that is empty before the end, for an end.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from trueup.adapters.syncro.session import Query, SyncroSession
from trueup.adapters.syncro.wire import INTEGRATION, RecordWire, list_under, meta_of
from trueup.domain.errors import InputInvalid, ReadIncomplete

PAGES_MAXIMUM: Final = 2_000
"""More pages than any account has: at 25 rows a page, fifty thousand customers."""

_MARK_CHARACTERS = 6
_CURSOR = re.compile(
    r"1:(?P<phase>[a-z]+):(?P<page>[1-9][0-9]{0,4}):(?P<seen>[0-9]{1,9}):(?P<total>[0-9]{0,9}):"
    r"(?P<marks>[A-Za-z0-9_-]{0,12000})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Listing:
    """One list: its path, the name its rows stand under, what it is asked with, and the permission it needs."""

    path: str
    key: str
    query: Query
    doing: str
    permission: str


@dataclass(frozen=True, slots=True)
class Position:
    """How far a read has come. ``total`` is what the list told last; ``marks`` holds a digest of every page so far."""

    phase: str
    page: int = 1
    seen: int = 0
    total: int | None = None
    marks: str = ""

    def cursor(self) -> str:
        total = "" if self.total is None else str(self.total)
        return f"1:{self.phase}:{self.page}:{self.seen}:{total}:{self.marks}"

    @classmethod
    def of(cls, cursor: str, *, phases: Iterable[str]) -> Position:
        """The position that a cursor of ours names. Raises InputInvalid for any other text."""
        found = _CURSOR.fullmatch(cursor)
        if found is None or found["phase"] not in phases or len(found["marks"]) % _MARK_CHARACTERS:
            raise InputInvalid(
                "this is not a cursor of a Syncro read", field="cursor", remedy="Start the read anew, without one."
            )
        total = int(found["total"]) if found["total"] else None
        return cls(found["phase"], int(found["page"]), int(found["seen"]), total, found["marks"])


@dataclass(frozen=True, slots=True)
class Page[Record: RecordWire]:
    """Rows in the order they came, what the list says there are where that is news, and where the next page is.

    A total is news on the first page and when it moved: rows may have slipped from a page still to come to one that was
    read. ``following`` is None after the last page.
    """

    records: tuple[Record, ...]
    told_total: int | None
    following: Position | None


def read_numbered[Record: RecordWire](
    session: SyncroSession, listing: Listing, kind: type[Record], position: Position
) -> Page[Record]:
    """One page. Raises ReadIncomplete when it repeats or is empty too early, SchemaUnknown for another shape."""
    query = (*listing.query, ("page", str(position.page)))
    reply = session.read(listing.path, query=query, doing=listing.doing, permission=listing.permission)
    document = reply.json()
    records = tuple(list_under(kind, document, listing.key, source=listing.doing))
    meta = meta_of(document, source=listing.doing)
    if meta is not None and meta.page not in (None, position.page):
        raise _incomplete(listing, f"it sent page {meta.page} when asked for page {position.page}")
    total = position.total if meta is None else meta.total_entries
    seen = position.seen + len(records)
    _require_new(records, position, listing)
    if not records and total is not None and seen < total:
        raise _incomplete(listing, f"it says there are {total} and its pages end after {seen}")
    is_last = not records if total is None else seen >= total
    if not is_last and position.page >= PAGES_MAXIMUM:
        raise _incomplete(listing, f"it has not ended after {PAGES_MAXIMUM} pages")
    marks = position.marks + _mark(records)
    following = None if is_last else replace(position, page=position.page + 1, seen=seen, total=total, marks=marks)
    is_news = position.page == 1 or total != position.total
    return Page(records, total if is_news else None, following)


def _require_new(records: tuple[RecordWire, ...], position: Position, listing: Listing) -> None:
    if len({record.id for record in records}) != len(records):
        raise _incomplete(listing, "the same id comes twice on one page")
    known = {position.marks[at : at + _MARK_CHARACTERS] for at in range(0, len(position.marks), _MARK_CHARACTERS)}
    if records and _mark(records) in known:
        raise _incomplete(listing, f"page {position.page} was seen before")


def _mark(records: tuple[RecordWire, ...]) -> str:
    digest = hashlib.sha256(",".join(str(record.id) for record in records).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii")[:_MARK_CHARACTERS]


def _incomplete(listing: Listing, what: str) -> ReadIncomplete:
    return ReadIncomplete(f"Syncro, {listing.doing}: {what}", integration=INTEGRATION)
