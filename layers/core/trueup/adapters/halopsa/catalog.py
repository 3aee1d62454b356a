"""Searches the items by what a person types.

How HaloPSA matches its ``search`` is not documented, so the hits are compared here once more. An item does not say
whether it is active: the list is asked for the active ones and for the others, so each answer says which they are.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from trueup.adapters.halopsa.paging import Listing, Position, read_numbered
from trueup.adapters.halopsa.replies import ITEMS_PERMISSION
from trueup.adapters.halopsa.session import HaloSession
from trueup.adapters.halopsa.wire import INTEGRATION, ItemWire, parse
from trueup.domain.billing import Product
from trueup.domain.errors import ReplyUnreadable, ResourceAbsent
from trueup.domain.product_search import found_products, searched_text

ITEMS_PATH: Final = "/Item"
ITEMS: Final = Listing(ITEMS_PATH, "items", (), 100, "searching items", ITEMS_PERMISSION)
_PAGES_MAXIMUM = 5
_INTERNAL_ID = re.compile(r"[0-9]{1,9}", re.ASCII)


def search_items(session: HaloSession, text: str, limit: int) -> tuple[Product, ...]:
    """Products whose code or name contains the text or whose id it is: exact hits first, inactive ones last.

    Raises InputInvalid for a text that is empty or too long.
    """
    wanted = searched_text(text, limit)
    found = [*_query(session, wanted, inactive=False), *_query(session, wanted, inactive=True)]
    if _INTERNAL_ID.fullmatch(wanted):
        found += _by_id(session, wanted)
    # Found by its id an item does not say whether it is active; the searches before it do, so they count.
    return found_products(reversed(found), wanted, limit=limit)


def read_item(session: HaloSession, item_id: str) -> ItemWire:
    """One item by its id. Raises ResourceAbsent when there is none."""
    reply = session.read(
        f"{ITEMS_PATH}/{item_id}",
        query=(("includedetails", "true"),),
        doing=f"reading item {item_id}",
        permission=ITEMS_PERMISSION,
    )
    item = parse(ItemWire, reply.json(), source="reading an item")
    if str(item.id) != item_id:
        raise ReplyUnreadable(f"HaloPSA answered with item {item.id} when asked for {item_id}", integration=INTEGRATION)
    return item


def _query(session: HaloSession, wanted: str, *, inactive: bool) -> list[Product]:
    """Every hit on the first pages: how HaloPSA orders them is not documented, and a true hit may come late."""
    listing = replace(
        ITEMS,
        query=(
            ("search", wanted),
            ("includeactive", "false" if inactive else "true"),
            ("includeinactive", "true" if inactive else "false"),
        ),
    )
    found: list[Product] = []
    position: Position | None = Position("items")
    while position is not None and position.page <= _PAGES_MAXIMUM:
        page = read_numbered(session, listing, ItemWire, position)
        found += [item.product(inactive=inactive) for item in page.records]
        position = page.following
    return found


def _by_id(session: HaloSession, wanted: str) -> list[Product]:
    try:
        return [read_item(session, wanted).product(inactive=False)]
    except ResourceAbsent:
        return []
