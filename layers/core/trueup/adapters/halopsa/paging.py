"""Numbered pages: what a page says about the next one, and the opaque cursor of a long read.

HaloPSA pages with ``pageinate`` (sic), ``page_size`` and ``page_no`` from 1, and tells ``record_count`` on each page
(seen in the field). Rows are added up until there are as many as it tells, whatever size its pages have. It must not
take a page that repeats, or one that is empty before the end, for an end.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from trueup.adapters.halopsa.session import HaloSession, Query
from trueup.adapters.halopsa.wire import INTEGRATION, RecordWire, list_under, parse
from trueup.domain.errors import InputInvalid, ReadIncomplete, SchemaUnknown

PAGES_MAXIMUM: Final = 2_000
_MARK_CHARACTERS = 6
_CURSOR = re.compile(
    r"1:(?P<phase>[a-z]+):(?P<page>[1-9][0-9]{0,4}):(?P<seen>[0-9]{1,9}):(?P<total>[0-9]{1,9}):"
    r"(?P<marks>[A-Za-z0-9_-]{0,12000})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Listing:
    """One list: its path, the name its rows stand under, what it is asked with, and the scope it needs."""

    path: str
    key: str
    query: tuple[tuple[str, str], ...]
    page_size: int
    doing: str
    permission: str


@dataclass(frozen=True, slots=True)
class Position:
    """How far a read has come. ``total`` is what the first page told; ``marks`` holds a digest of every page so far."""

    phase: str
    page: int = 1
    seen: int = 0
    total: int | None = None
    marks: str = ""

    def cursor(self) -> str:
        return f"1:{self.phase}:{self.page}:{self.seen}:{self.total or 0}:{self.marks}"

    @classmethod
    def of(cls, cursor: str, *, phases: Iterable[str]) -> Position:
        """The position that a cursor of ours names. Raises InputInvalid for any other text."""
        found = _CURSOR.fullmatch(cursor)
        if found is None or found["phase"] not in phases or len(found["marks"]) % _MARK_CHARACTERS:
            raise InputInvalid(
                "this is not a cursor of a HaloPSA read", field="cursor", remedy="Start the read anew, without one."
            )
        first = int(found["page"]) == 1
        return cls(
            phase=found["phase"],
            page=int(found["page"]),
            seen=int(found["seen"]),
            total=None if first else int(found["total"]),
            marks=found["marks"],
        )


@dataclass(frozen=True, slots=True)
class Page[Record: RecordWire]:
    """Rows in the order they came, what HaloPSA says there are, and where the next page is, None after the last.

    ``told_total`` is what to tell of the total: on the first page, and again when it moved, as rows may have slipped
    from a page still to come to one that was read.
    """

    records: tuple[Record, ...]
    told_total: int | None
    following: Position | None


def read_numbered[Record: RecordWire](
    session: HaloSession, listing: Listing, kind: type[Record], position: Position, *, query: Query = ()
) -> Page[Record]:
    """One page. Raises ReadIncomplete when it repeats or is empty too early, SchemaUnknown for another shape."""
    reply = session.read(
        listing.path,
        query=(
            *listing.query,
            *query,
            ("pageinate", "true"),
            ("page_size", str(listing.page_size)),
            ("page_no", str(position.page)),
        ),
        doing=listing.doing,
        permission=listing.permission,
    )
    document = reply.json()
    rows = list_under(document, listing.key, source=listing.doing)
    total = _record_count(document, listing)
    records = tuple(parse(kind, row, source=listing.doing) for row in rows)
    _require_distinct(records, listing)
    seen = position.seen + len(records)
    mark = _mark(records)
    if records and mark in _known(position.marks):
        raise ReadIncomplete(f"HaloPSA sent a page twice, {listing.doing}", integration=INTEGRATION)
    if not records and seen < total:
        raise ReadIncomplete(
            f"HaloPSA says there are {total} and its pages end after {seen}, {listing.doing}", integration=INTEGRATION
        )
    if position.page >= PAGES_MAXIMUM and seen < total:
        raise ReadIncomplete(f"HaloPSA sent more than {PAGES_MAXIMUM} pages, {listing.doing}", integration=INTEGRATION)
    first_total = total if position.total is None else position.total
    following = None
    if seen < total:
        following = replace(position, page=position.page + 1, seen=seen, total=first_total, marks=position.marks + mark)
    moved = position.total is not None and position.total != total
    return Page(records, total if position.total is None or moved else None, following)


def _record_count(document: object, listing: Listing) -> int:
    count = document.get("record_count") if isinstance(document, Mapping) else None
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 10**9:
        raise SchemaUnknown(
            f"HaloPSA {listing.doing}: record_count: required and not a whole number", integration=INTEGRATION
        )
    return count


def _require_distinct(records: tuple[RecordWire, ...], listing: Listing) -> None:
    if len({record.id for record in records}) != len(records):
        raise ReadIncomplete(f"HaloPSA sent a record twice on one page, {listing.doing}", integration=INTEGRATION)


def _mark(records: tuple[RecordWire, ...]) -> str:
    ids = ",".join(str(record.id) for record in records)
    digest = hashlib.sha256(ids.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_MARK_CHARACTERS]


def _known(marks: str) -> set[str]:
    return {marks[start : start + _MARK_CHARACTERS] for start in range(0, len(marks), _MARK_CHARACTERS)}
