"""Searches the products by what a person types. It must not believe that what Syncro finds is what was asked for."""

from __future__ import annotations

import re
from typing import Final

from trueup.adapters.syncro.paging import Listing, Position, read_numbered
from trueup.adapters.syncro.replies import PRODUCTS_PERMISSION
from trueup.adapters.syncro.session import Query, SyncroSession
from trueup.adapters.syncro.wire import ProductWire, parse_under
from trueup.domain.billing import Product
from trueup.domain.errors import InputInvalid, ResourceAbsent

TEXT_CHARACTERS_MAXIMUM: Final = 100
PAGES_MAXIMUM: Final = 4
"""How many pages of one search are looked at: a hit behind a hundred others is found by a longer text."""

_DOING = "searching products"
_INTERNAL_ID = re.compile(r"[0-9]{1,9}", re.ASCII)


def search_products(session: SyncroSession, text: str, limit: int) -> tuple[Product, ...]:
    """Products whose name, description or SKU contains the text or whose id it is: exact hits first, disabled last.

    Syncro is asked with ``query`` and with ``sku``; in which fields it looks for the first is not published, so the
    whole text is compared here. Raises InputInvalid for a text that is empty or too long.
    """
    wanted = text.strip()
    if not wanted or len(wanted) > TEXT_CHARACTERS_MAXIMUM or limit < 1:
        raise InputInvalid(
            f"a product search needs one to {TEXT_CHARACTERS_MAXIMUM} characters, and a limit",
            field="search",
            remedy="Type a part of the product's name.",
        )
    found = _listed(session, (("query", wanted),)) + _listed(session, (("sku", wanted),))
    if _INTERNAL_ID.fullmatch(wanted):
        found += _by_id(session, wanted)
    unique = {str(one.id): one for one in found if _matches(one, wanted)}
    products = [one.product() for one in sorted(unique.values(), key=lambda one: _rank(one, wanted))]
    return tuple(products[:limit])


def _listed(session: SyncroSession, query: Query) -> list[ProductWire]:
    listing = Listing("/products", "products", query, _DOING, PRODUCTS_PERMISSION)
    found: list[ProductWire] = []
    position: Position | None = Position("products")
    while position is not None and position.page <= PAGES_MAXIMUM:
        page = read_numbered(session, listing, ProductWire, position)
        found += page.records
        position = page.following
    return found


def _by_id(session: SyncroSession, product_id: str) -> list[ProductWire]:
    try:
        reply = session.read(f"/products/{product_id}", doing=_DOING, permission=PRODUCTS_PERMISSION)
    except ResourceAbsent:
        return []
    return [parse_under(ProductWire, reply.json(), "product", source=_DOING)]


def _matches(wire: ProductWire, wanted: str) -> bool:
    folded = wanted.casefold()
    texts = (wire.name, wire.description, *wire.skus())
    return str(wire.id) == wanted or any(folded in text.casefold() for text in texts)


def _rank(wire: ProductWire, wanted: str) -> tuple[bool, bool, bool, bool, bool, str, int]:
    folded = wanted.casefold()
    return (
        wire.name != wanted,
        wire.name.casefold() != folded,
        folded not in (sku.casefold() for sku in wire.skus()),
        str(wire.id) != wanted,
        bool(wire.disabled),
        wire.name.casefold(),
        wire.id,
    )
