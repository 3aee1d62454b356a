"""Searches the product catalog by what a person types.

Text in a condition stands between double quotes and ``*`` and ``%`` are wildcards there; no way to write those
characters themselves is documented. So ConnectWise is asked for the longest part of the text without them, and the
whole text is compared here. It must not let typed text change the meaning of a condition.
"""

from __future__ import annotations

import re
from typing import Final

from trueup.adapters.connectwise.paging import PAGE_SIZE_MAXIMUM
from trueup.adapters.connectwise.replies import CATALOG_PERMISSION
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.connectwise.wire import CATALOG_FIELDS, INTEGRATION, CatalogItemWire, parse, parse_list
from trueup.domain.billing import Product, ProductId
from trueup.domain.errors import ReplyUnreadable
from trueup.domain.product_search import found_products, searched_text

CATALOG_PATH: Final = "/procurement/catalog"

_FEWEST_ROWS_OF_A_CAPPED_PAGE = 25
"""The documented default page size: with fewer rows than that nothing was left out."""

_NOT_LITERAL = re.compile(r'["*%\\\x00-\x1f\x7f]+')
_INTERNAL_ID = re.compile(r"[0-9]{1,9}", re.ASCII)


def search_catalog(session: ConnectWiseSession, text: str, limit: int) -> tuple[Product, ...]:
    """Products whose Product ID or name contains the text or whose id it is: exact hits first, inactive ones last.

    Raises InputInvalid for a text that is empty, too long, or only made of characters that cannot be searched for.
    """
    wanted = searched_text(text, limit)
    literal = searched_text(max((part.strip() for part in _NOT_LITERAL.split(wanted)), key=len), limit)
    # More rows than asked for: those that match only in part are dropped here and must not push out a true hit.
    page_size = min(PAGE_SIZE_MAXIMUM, max(100, limit * 4))
    # One comparison a call, as in ConnectWise's own sample: a stand-in need not know how conditions are joined.
    found = _query(session, f'identifier contains "{literal}"', page_size)
    found += _query(session, f'description contains "{literal}"', page_size)
    if _INTERNAL_ID.fullmatch(wanted):
        found += _query(session, f"id={wanted}", page_size)
    if len(found) >= _FEWEST_ROWS_OF_A_CAPPED_PAGE and literal == wanted:
        found += _query(session, f'identifier="{literal}"', page_size)
    return found_products(found, wanted, limit=limit)


def read_catalog_item(session: ConnectWiseSession, product_id: ProductId) -> Product:
    """One product as it is now. Raises ResourceAbsent when it is gone."""
    reply = session.read(
        f"{CATALOG_PATH}/{product_id}",
        query=[("fields", CATALOG_FIELDS)],
        doing=f"reading product {product_id}",
        permission=CATALOG_PERMISSION,
    )
    product = parse(CatalogItemWire, reply.json(), source="reading a product").product()
    if product.id != product_id:
        raise ReplyUnreadable(
            f"ConnectWise answered with product {product.id} when asked for {product_id}", integration=INTEGRATION
        )
    return product


def _query(session: ConnectWiseSession, conditions: str, page_size: int) -> list[Product]:
    reply = session.read(
        CATALOG_PATH,
        query=[("conditions", conditions), ("fields", CATALOG_FIELDS), ("pageSize", str(page_size))],
        doing="searching the catalog",
        permission=CATALOG_PERMISSION,
    )
    return [item.product() for item in parse_list(CatalogItemWire, reply.json(), source="searching the catalog")]
