"""Follows a list of Graph from page to page by ``@odata.nextLink`` (documented), on the same server only.

A page with a link is not the last, however empty it is (documented). A link that was followed before, or more pages
than any tenant has, means that the paging does not end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from trueup.adapters.microsoft365.session import GraphSession, Query
from trueup.adapters.microsoft365.wire import INTEGRATION, VENDOR, ListPage, parse_page
from trueup.adapters.wire_values import WireModel
from trueup.domain.errors import ReadIncomplete

PAGES_MAXIMUM: Final = 20_000
"""Graph has been seen to give pages of about a hundred users: two million users, which no client of an MSP has."""


def read_pages[Record: WireModel](
    session: GraphSession, kind: type[Record], path: str, *, query: Query = (), doing: str, permission: str
) -> Iterator[ListPage[Record]]:
    """Every page of a list, from the path of the first. Raises ReadIncomplete, and as GraphSession.

    The caller decides what an end without a further link means.
    """
    followed: set[bytes] = set()
    while True:
        reply = session.checked(session.get(path, query=query), doing=doing, permission=permission)
        page = parse_page(kind, reply.json(), source=doing)
        yield page
        if not page.next_link:
            return
        path, query = session.path_of(page.next_link), ()
        mark = hashlib.sha256(path.encode()).digest()
        if mark in followed or len(followed) >= PAGES_MAXIMUM:
            raise ReadIncomplete(
                f"{VENDOR}, {doing}: the pages lead back to one that was read or do not end", integration=INTEGRATION
            )
        followed.add(mark)
