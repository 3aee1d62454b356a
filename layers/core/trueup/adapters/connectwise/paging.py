"""Forward-only paging: what a page says about the next one, and the opaque cursor of a long read.

ConnectWise documents the request header ``pagination-type: forward-only`` and a ``Link: rel="next"`` that carries a
``pageId``; it is also documented to be there on the last page. Over-large page sizes have been seen to be capped
without a word, so a short page alone does not end a list. It must not follow a link to another server.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from requests.utils import parse_header_links

from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.connectwise.wire import INTEGRATION, RecordWire, parse_list
from trueup.adapters.http import HttpReply
from trueup.domain.errors import InputInvalid, ReadIncomplete

PAGE_SIZE_MAXIMUM: Final = 1_000
"""The largest page that ConnectWise documents."""

PAGES_MAXIMUM: Final = 2_000
"""More pages than any real site has: two million companies. Beyond it the paging does not end."""

_SMALLEST_CAP = 25
"""The documented default page size: no server is expected to cap below it."""

_FORWARD_ONLY = {"pagination-type": "forward-only"}
_PAGE_ID = re.compile(r"[A-Za-z0-9._~=+/-]{1,200}", re.ASCII)
_MARK_CHARACTERS = 6
_CURSOR = re.compile(
    r"1:(?P<phase>[a-z]+):(?P<page>[1-9][0-9]{0,4}):(?P<seen>[0-9]{1,9}):(?P<total>[0-9]{0,9}):"
    r"(?P<marks>[A-Za-z0-9_-]{0,12000}):(?P<page_id>[A-Za-z0-9._~=+/-]{0,200})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Listing:
    """One list to be read: its path, how its records look, and the security row it needs."""

    path: str
    fields: str
    page_size: int
    doing: str
    permission: str


@dataclass(frozen=True, slots=True)
class NextLink:
    """Where the next page is; ``page_size`` is the one the server says it used, None where it does not say."""

    page_id: str
    page_size: int | None


@dataclass(frozen=True, slots=True)
class Position:
    """How far a read has come. ``marks`` holds a digest of every page so far, so that a repeated page is noticed."""

    phase: str
    page: int = 1
    seen: int = 0
    total: int | None = None
    marks: str = ""
    page_id: str = ""

    def cursor(self) -> str:
        total = "" if self.total is None else str(self.total)
        return f"1:{self.phase}:{self.page}:{self.seen}:{total}:{self.marks}:{self.page_id}"

    @classmethod
    def of(cls, cursor: str, *, phases: Iterable[str]) -> Position:
        """The position that a cursor of ours names. Raises InputInvalid for any other text."""
        found = _CURSOR.fullmatch(cursor)
        if found is None or found["phase"] not in phases or len(found["marks"]) % _MARK_CHARACTERS:
            raise InputInvalid(
                "this is not a cursor of a ConnectWise read", field="cursor", remedy="Start the read anew, without one."
            )
        return cls(
            phase=found["phase"],
            page=int(found["page"]),
            seen=int(found["seen"]),
            total=int(found["total"]) if found["total"] else None,
            marks=found["marks"],
            page_id=found["page_id"],
        )

    def after(self, ids: list[int], link: NextLink | None, *, listing: Listing) -> Position | None:
        """The position after a page with these ids, or None when it was the last.

        Raises ReadIncomplete when the page was seen before, when the link leads nowhere new, or when there is no end.
        """
        if len(set(ids)) != len(ids):
            raise _incomplete(listing, "the same id comes twice on one page")
        if not ids:
            return None
        mark = _mark(ids)
        known = {self.marks[at : at + _MARK_CHARACTERS] for at in range(0, len(self.marks), _MARK_CHARACTERS)}
        if mark in known:
            raise _incomplete(listing, f"page {self.page} was seen before")
        seen = self.seen + len(ids)
        if link is None or self._is_last(len(ids), seen, link, listing):
            return None
        if link.page_id == self.page_id:
            raise _incomplete(listing, f"the link on page {self.page} leads back to itself")
        if self.page >= PAGES_MAXIMUM:
            raise _incomplete(listing, f"it has not ended after {PAGES_MAXIMUM} pages")
        return Position(self.phase, self.page + 1, seen, self.total, self.marks + mark, link.page_id)

    def _is_last(self, rows: int, seen: int, link: NextLink, listing: Listing) -> bool:
        """Whether a page that has a link is the last all the same.

        Only when it is shorter than a page of the size that the link shows to have been used. Where the server told
        how many records there are, they must have been seen too; where it did not, a page of 25 rows or more may have
        been capped.
        """
        if link.page_size != listing.page_size or rows >= listing.page_size:
            return False
        return rows < _SMALLEST_CAP if self.total is None else seen >= self.total


def read_list_page[Record: RecordWire](
    session: ConnectWiseSession, listing: Listing, kind: type[Record], page_id: str
) -> tuple[list[Record], NextLink | None]:
    """One page of a list and where the next one is. Raises SchemaUnknown, ReadIncomplete, and as session.read does."""
    query = [("fields", listing.fields), ("pageSize", str(listing.page_size))]
    if page_id:
        query.append(("pageId", page_id))
    reply = session.read(
        listing.path, query=query, headers=_FORWARD_ONLY, doing=listing.doing, permission=listing.permission
    )
    return parse_list(kind, reply.json(), source=listing.doing), _next_link(session, reply, listing)


def read_whole_list[Record: RecordWire](
    session: ConnectWiseSession, listing: Listing, kind: type[Record]
) -> Iterator[Record]:
    """Every record of a short list, page after page. Raises ReadIncomplete for a repeated page or id."""
    position: Position | None = Position("whole")
    seen: set[int] = set()
    while position is not None:
        records, link = read_list_page(session, listing, kind, position.page_id)
        ids = [record.id for record in records]
        following = position.after(ids, link, listing=listing)
        if not seen.isdisjoint(ids):
            raise _incomplete(listing, "an id comes on two pages")
        seen.update(ids)
        yield from records
        position = following


def _next_link(session: ConnectWiseSession, reply: HttpReply, listing: Listing) -> NextLink | None:
    header = reply.headers.get("link", "")
    urls = [link["url"] for link in parse_header_links(header) if link.get("rel", "").casefold() == "next"]
    if not urls:
        return None
    path = session.same_origin_path(urls[0])
    parameters = {name.casefold(): value for name, value in parse_qsl(urlsplit(path).query)}
    page_id, page_size = parameters.get("pageid", ""), parameters.get("pagesize", "")
    if _PAGE_ID.fullmatch(page_id) is None:
        raise _incomplete(listing, "the next link has no usable pageId, so forward-only paging was not honored")
    known_size = page_size.isascii() and page_size.isdecimal() and len(page_size) < 10
    return NextLink(page_id, int(page_size) if known_size else None)


def _mark(ids: list[int]) -> str:
    digest = hashlib.sha256(",".join(map(str, ids)).encode()).digest()
    return base64.urlsafe_b64encode(digest)[:_MARK_CHARACTERS].decode("ascii")


def _incomplete(listing: Listing, what: str) -> ReadIncomplete:
    return ReadIncomplete(f"ConnectWise, {listing.doing}: {what}", integration=INTEGRATION)
