"""Forward-only paging: what a page says about the next one, and the opaque cursor of a long read.

ConnectWise documents the request header ``pagination-type: forward-only`` and a ``Link: rel="next"`` that carries a
``pageId``; it is also documented to be there on the last page. Over-large page sizes have been seen to be capped
without a word, so a short page alone does not end a list. A server that pages by number all the same, or that sends no
link, is read to its end too. It must not follow a link to another server.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import requests

from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.connectwise.wire import INTEGRATION, RecordWire, parse_list
from trueup.adapters.http import HttpReply
from trueup.domain.errors import InputInvalid, ReadIncomplete, UnsafeAddress

PAGE_SIZE_MAXIMUM: Final = 1_000
"""The largest page that ConnectWise documents."""

PAGES_MAXIMUM: Final = 2_000
"""More pages than any real site has: two million companies. Beyond it the paging does not end."""

_SMALLEST_CAP = 25
"""The documented default page size: no server is expected to cap below it."""

_FORWARD_ONLY = {"pagination-type": "forward-only"}
_NUMBERED = "page="
"""Before a page number: the server sent a link by number, so it does not know forward-only paging."""

_PROBED = "after="
"""Before the last id of a page that came without a link although more is to be expected."""

_PAGE_ID = re.compile(r"[A-Za-z0-9._~=+/-]{1,180}", re.ASCII)
_PAGE_NUMBER = re.compile(r"[1-9][0-9]{0,6}", re.ASCII)
_MARK_CHARACTERS = 6
_CURSOR = re.compile(
    r"1:(?P<phase>[a-z]+):(?P<page>[1-9][0-9]{0,4})(?:c(?P<cap>[1-9][0-9]{0,5}))?:"
    r"(?P<seen>[0-9]{1,9}):(?P<total>[0-9]{0,9}):(?P<marks>[A-Za-z0-9_-]{0,12000}):(?P<page_id>[A-Za-z0-9._~=+/-]{0,200})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Listing:
    """One list to be read: its path, how its records look, and the security row it needs. ``conditions`` cut it down.

    ``is_one_of_many`` tells of a short list that is read for each of many parents: its end is not asked for with a call
    of its own when the page is clearly the last.
    """

    path: str
    fields: str
    page_size: int
    doing: str
    permission: str
    is_one_of_many: bool = False
    conditions: str = ""


@dataclass(frozen=True, slots=True)
class NextLink:
    """Where the next page is; ``page_size`` is the one the server says it used, None where it does not say.

    ``problem`` tells why the link must not or cannot be followed; it only matters when there is more to read.
    """

    page_id: str
    page_size: int | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a read has come. ``marks`` holds a digest of every page so far, so that a repeated page is noticed.

    ``cap`` is the fewest rows of a short page that was not the last, 0 while there was none: the server sends no more.
    """

    phase: str
    page: int = 1
    seen: int = 0
    total: int | None = None
    marks: str = ""
    page_id: str = ""
    cap: int = 0

    def cursor(self) -> str:
        total = "" if self.total is None else str(self.total)
        cap = f"c{self.cap}" if self.cap else ""
        return f"1:{self.phase}:{self.page}{cap}:{self.seen}:{total}:{self.marks}:{self.page_id}"

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
            cap=int(found["cap"] or 0),
        )

    def is_repeat_of_probe(self, ids: list[int]) -> bool:
        """Whether a page without a link was asked on from in vain: the server sends the same rows whatever is asked."""
        return self.page_id.startswith(_PROBED) and _mark(ids) in self._known_marks()

    def after(self, ids: list[int], link: NextLink | None, *, listing: Listing) -> Position | None:
        """The position after a page with these ids, or None when it was the last.

        Raises ReadIncomplete when the page was seen before, when the link leads nowhere new, or when there is no end.
        """
        if len(set(ids)) != len(ids):
            raise _incomplete(listing, "the same id comes twice on one page")
        if not ids:
            return None
        mark = _mark(ids)
        if mark in self._known_marks():
            raise _incomplete(listing, f"page {self.page} was seen before")
        seen = self.seen + len(ids)
        link = link or self._probe(ids, seen, listing)
        if link is None or self._is_last(len(ids), seen, link, listing):
            return None
        if link.problem:
            raise _incomplete(listing, link.problem)
        if link.page_id == self.page_id:
            raise _incomplete(listing, f"the link on page {self.page} leads back to itself")
        if self.page >= PAGES_MAXIMUM:
            raise _incomplete(listing, f"it has not ended after {PAGES_MAXIMUM} pages")
        caps = [cap for cap in (self.cap, len(ids)) if 0 < cap < listing.page_size]
        cap = min(caps, default=0)
        return Position(self.phase, self.page + 1, seen, self.total, self.marks + mark, link.page_id, cap)

    def _is_last(self, rows: int, seen: int, link: NextLink, listing: Listing) -> bool:
        """Whether a page that has a link is the last all the same.

        Only when it is shorter than a page of the size that the link shows to have been used. Where the server told
        how many records there are, they must have been seen too; where it did not, a list is followed to an empty page,
        but for one list of many, of which a page of 25 rows or more may have been capped. A link by number is only
        sent when there is more, and one that cannot be followed is only passed over when nothing is missing.
        """
        if not link.problem:
            if link.page_id.startswith((_NUMBERED, _PROBED)):
                return False
            if link.page_size != listing.page_size or rows >= listing.page_size:
                return False
        if self.total is not None:
            return seen >= self.total
        return listing.is_one_of_many and rows < self._smallest_cap()

    def _probe(self, ids: list[int], seen: int, listing: Listing) -> NextLink | None:
        """Where to ask on from a page without a link: the rows are too few, or as many as a capped page may hold."""
        if self.page_id.startswith(_NUMBERED):
            return None
        more = seen < self.total if self.total is not None else len(ids) >= self._smallest_cap()
        return NextLink(f"{_PROBED}{max(ids)}", None) if more else None

    def _smallest_cap(self) -> int:
        return min(self.cap or _SMALLEST_CAP, _SMALLEST_CAP)

    def _known_marks(self) -> set[str]:
        return {self.marks[at : at + _MARK_CHARACTERS] for at in range(0, len(self.marks), _MARK_CHARACTERS)}


def read_list_page[Record: RecordWire](
    session: ConnectWiseSession, listing: Listing, kind: type[Record], page_id: str
) -> tuple[list[Record], NextLink | None]:
    """One page of a list and where the next one is. Raises SchemaUnknown, ReadIncomplete, and as session.read does."""
    query = [("fields", listing.fields), ("pageSize", str(listing.page_size))]
    if listing.conditions:
        query.append(("conditions", listing.conditions))
    headers = _FORWARD_ONLY
    if page_id.startswith(_NUMBERED):
        headers = {}
        query.append(("page", page_id.removeprefix(_NUMBERED)))
    elif page_id:
        query.append(("pageId", page_id.removeprefix(_PROBED)))
    reply = session.read(listing.path, query=query, headers=headers, doing=listing.doing, permission=listing.permission)
    return parse_list(kind, reply.json(), source=listing.doing), _next_link(session, reply)


def read_whole_list[Record: RecordWire](
    session: ConnectWiseSession, listing: Listing, kind: type[Record], *, cap: int = 0
) -> Iterator[Record]:
    """Every record of a short list, page after page; ``cap`` as in Position, learned from another list.

    Raises ReadIncomplete for a repeated page or id.
    """
    position: Position | None = Position("whole", cap=cap)
    seen: set[int] = set()
    while position is not None:
        records, following = read_positioned(session, listing, kind, position)
        ids = [record.id for record in records]
        if not seen.isdisjoint(ids):
            raise _incomplete(listing, "an id comes on two pages")
        seen.update(ids)
        yield from records
        position = following


def read_positioned[Record: RecordWire](
    session: ConnectWiseSession, listing: Listing, kind: type[Record], position: Position
) -> tuple[list[Record], Position | None]:
    """The new records at a position and the position after them, None at the end. Raises as read_list_page and after.

    A server that sends everything at once, without a link and whatever page is asked for, has no more to send.
    """
    records, link = read_list_page(session, listing, kind, position.page_id)
    ids = [record.id for record in records]
    if position.is_repeat_of_probe(ids):
        return [], None
    return records, position.after(ids, link, listing=listing)


def _next_link(session: ConnectWiseSession, reply: HttpReply) -> NextLink | None:
    # Named through the package: two threads that begin with different parts of it would wait for each other.
    header = reply.headers.get("link", "")
    urls = [
        link["url"] for link in requests.utils.parse_header_links(header) if link.get("rel", "").casefold() == "next"
    ]
    if not urls:
        return None
    parameters = {name.casefold(): value for name, value in parse_qsl(urlsplit(urls[0]).query)}
    page_id, number, page_size = (parameters.get(name, "") for name in ("pageid", "page", "pagesize"))
    known_size = page_size.isascii() and page_size.isdecimal() and len(page_size) < 10
    size = int(page_size) if known_size else None
    try:
        session.same_origin_path(urls[0])
    except UnsafeAddress:
        return NextLink("", size, problem="the next link leads to another server; it was not called")
    if _PAGE_ID.fullmatch(page_id) is not None:
        return NextLink(page_id, size)
    if not page_id and _PAGE_NUMBER.fullmatch(number) is not None:
        return NextLink(f"{_NUMBERED}{number}", size)
    return NextLink("", size, problem="the next link has neither a usable pageId nor a page number")


def _mark(ids: list[int]) -> str:
    digest = hashlib.sha256(",".join(map(str, ids)).encode()).digest()
    return base64.urlsafe_b64encode(digest)[:_MARK_CHARACTERS].decode("ascii")


def _incomplete(listing: Listing, what: str) -> ReadIncomplete:
    return ReadIncomplete(f"ConnectWise, {listing.doing}: {what}", integration=INTEGRATION)
