"""Walks Mimecast's token paging and refuses every walk that does not come to a whole end.

Mimecast documents a token under ``meta.pagination`` for its other services; for the partner routes nothing is public,
so the places to look are in the field mapping. ``pageSize`` of a reply is the number of rows in it, not what was asked
for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from trueup.adapters.mimecast.calls import MimecastCalls
from trueup.adapters.mimecast.field_mapping import Candidates, PagingFields
from trueup.adapters.mimecast.reading import INTEGRATION, find, find_list, find_told, schema_unknown, type_name
from trueup.domain.errors import ReadIncomplete

PAGES_MAXIMUM: Final = 10_000
"""A million accounts at 100 a page: a walk that goes on longer does not end."""

_TOKEN_CHARACTERS = 4_000
_MARK_PLACES = ("$", "meta", "meta.pagination", "pagination", "paging", "page", "links", "_links")
_MARK_WORDS = ("next", "cursor", "hasmore", "has_more")
_STALE_PAGES_MAXIMUM = 3


@dataclass(frozen=True, slots=True)
class RecordPage:
    """The records of one page, the token of the next (None on the last), and the total if the vendor tells one."""

    records: list[object]
    next_token: str | None
    total: int | None


class PageTrail:
    """Which token led to which and what ids were met, so that a walk without an end or without progress is noticed.

    Asking for the same page again stays allowed. A single page that repeats is allowed too: records move between pages
    while a list is read, and whether everything was seen is decided by the total.
    """

    def __init__(self, what: str, pages_maximum: int = PAGES_MAXIMUM) -> None:
        self._what = what
        self._pages_maximum = pages_maximum
        self._lock = threading.Lock()
        self._came_from: dict[str, str | None] = {}
        self._stale_pages = 0
        self._seen: set[int] = set()

    def start(self) -> None:
        """Forget the last walk."""
        with self._lock:
            self._came_from.clear()
            self._seen.clear()
            self._stale_pages = 0

    def step(self, token: str | None, next_token: str | None, ids: Iterable[str]) -> None:
        """Note a page and where it leads. Raises ReadIncomplete for a loop, a walk without end or without progress."""
        if next_token is None:
            return
        with self._lock:
            is_new_step = next_token not in self._came_from
            known = self._came_from.setdefault(next_token, token)
            if is_new_step:
                before = len(self._seen)
                self._seen.update(map(hash, ids))
                self._stale_pages = 0 if len(self._seen) > before else self._stale_pages + 1
            stale_pages, length = self._stale_pages, len(self._came_from)
        if next_token == token or known != token:
            self._refuse("sent the same page mark twice")
        if stale_pages >= _STALE_PAGES_MAXIMUM:
            self._refuse(f"sent {stale_pages} pages in a row with nothing new")
        if length > self._pages_maximum:
            self._refuse(f"sent more than {self._pages_maximum} pages")

    def _refuse(self, what_happened: str) -> NoReturn:
        raise ReadIncomplete(
            f"Mimecast {what_happened} of its {self._what} list; the list does not end", integration=INTEGRATION
        )


def read_record_page(
    calls: MimecastCalls,
    path: str,
    candidates: Candidates,
    paging: PagingFields,
    *,
    what: str,
    token: str | None,
    page_size: int,
    permission: str,
    mapping_version: str,
) -> RecordPage:
    """One page of a partner list. Raises what MimecastCalls raises, and SchemaUnknown."""
    query = {paging.size_parameter: str(page_size)}
    if token is not None:
        query[paging.token_parameter] = token
    document = calls.get(path, query=query, permission=permission)
    return record_page(document, candidates, paging, what=what, mapping_version=mapping_version)


def record_page(
    document: object, candidates: Candidates, paging: PagingFields, *, what: str, mapping_version: str
) -> RecordPage:
    """The records of one reply and where it leads. Raises SchemaUnknown."""
    records = find_list(document, candidates, what=what, mapping_version=mapping_version)
    marks = [find_told(document, (candidate,)) for candidate in paging.next_token]
    key, next_token = next((mark for mark in marks if mark[1] not in (None, "")), ("", None))
    if next_token is None:
        _refuse_unknown_mark(document, paging, what=what, mapping_version=mapping_version)
    elif not isinstance(next_token, str) or len(next_token) > _TOKEN_CHARACTERS:
        raise schema_unknown(f"{key} is {type_name(next_token)}, which is no page mark", document, mapping_version)
    key, total = find_told(document, paging.total)
    if total is not None and (not isinstance(total, int) or isinstance(total, bool) or total < 0):
        raise schema_unknown(f"{key} is no total", document, mapping_version)
    return RecordPage(records, next_token, total)


def _refuse_unknown_mark(document: object, paging: PagingFields, *, what: str, mapping_version: str) -> None:
    """Raise SchemaUnknown where a reply speaks of a next page under a name that the mapping does not know.

    A list that is cut after its first page would look whole. Empty and false values speak of no next page.
    """
    for place in _MARK_PLACES:
        fields = find(document, (place,))[1]
        for name, value in fields.items() if isinstance(fields, Mapping) else ():
            key = name if place == "$" else f"{place}.{name}"
            speaks_of_more = any(word in name.casefold() for word in _MARK_WORDS)
            if speaks_of_more and value and key not in (*paging.next_token, *_MARK_PLACES):
                raise schema_unknown(f"the reply about {what} tells of a next page in {key}", document, mapping_version)


def walk(
    read: Callable[[str | None], RecordPage],
    identify: Callable[[object], str],
    *,
    what: str,
    pages_maximum: int = PAGES_MAXIMUM,
) -> dict[str, list[object]]:
    """Every record of a list under its id; a record that comes again unchanged is kept once, a changed one beside it.

    For lists that are read in one go. When the vendor's total is not what was seen, the list is walked once more:
    records move between pages when the list changes meanwhile. Raises ReadIncomplete when it still does not add up or
    never ends.
    """
    total, seen = 0, 0
    for _ in range(2):
        trail = PageTrail(what, pages_maximum)
        found: dict[str, list[object]] = {}
        token: str | None = None
        told: int | None = None
        while True:
            page = read(token)
            ids = [identify(record) for record in page.records]
            for identity, record in zip(ids, page.records, strict=True):
                versions = found.setdefault(identity, [])
                if record not in versions:
                    versions.append(record)
            told = page.total if page.total is not None else told
            trail.step(token, page.next_token, ids)
            if page.next_token is None:
                break
            token = page.next_token
        if told is None or told == len(found):
            return found
        total, seen = told, len(found)
    raise ReadIncomplete(
        f"Mimecast says that its {what} list has {total} records and sent {seen}", integration=INTEGRATION
    )
