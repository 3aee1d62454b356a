"""Numbered pages: what a page says about the next one, and the opaque cursor of a long read.

Syncro pages with ``page`` from 1. The description says that a page holds 25 rows and its own sample says 100, so no
size is counted on: rows are added up until there are as many as ``meta.total_entries`` tells. That is published for
customers alone; where a list tells nothing, it is read to its first empty page. It must not take a page that repeats,
or one that is empty before the end, for an end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from trueup.adapters.read_positions import NumberedPosition, mark_of, marks_in
from trueup.adapters.syncro.session import Query, SyncroSession
from trueup.adapters.syncro.wire import INTEGRATION, RecordWire, list_under, meta_of
from trueup.domain.errors import ReadIncomplete

PAGES_MAXIMUM: Final = 2_000
"""More pages than any account has: at 25 rows a page, fifty thousand customers."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One list: its path, the name its rows stand under, what it is asked with, and the permission it needs."""

    path: str
    key: str
    query: Query
    doing: str
    permission: str


class Position(NumberedPosition):
    """How far a read of Syncro has come; ``total`` is what the list told last."""

    __slots__ = ()
    of_read = "a Syncro read"


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
    mark = mark_of(record.id for record in records)
    _require_new(records, mark, position, listing)
    if not records and total is not None and seen < total:
        raise _incomplete(listing, f"it says there are {total} and its pages end after {seen}")
    is_last = not records if total is None else seen >= total
    if not is_last and position.page >= PAGES_MAXIMUM:
        raise _incomplete(listing, f"it has not ended after {PAGES_MAXIMUM} pages")
    marks = position.marks + mark
    following = None if is_last else replace(position, page=position.page + 1, seen=seen, total=total, marks=marks)
    is_news = position.page == 1 or total != position.total
    return Page(records, total if is_news else None, following)


def _require_new(records: tuple[RecordWire, ...], mark: str, position: Position, listing: Listing) -> None:
    if len({record.id for record in records}) != len(records):
        raise _incomplete(listing, "the same id comes twice on one page")
    if records and mark in marks_in(position.marks):
        raise _incomplete(listing, f"page {position.page} was seen before")


def _incomplete(listing: Listing, what: str) -> ReadIncomplete:
    return ReadIncomplete(f"Syncro, {listing.doing}: {what}", integration=INTEGRATION)
