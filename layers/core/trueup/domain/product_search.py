"""What a person's text finds in a catalog, and in which order: one meaning of a product search for every PSA.

An adapter asks its PSA for more than is wanted, in whatever way that PSA searches, and passes what came back through
here. Must not: call anything, or know a PSA.
"""

from __future__ import annotations

from collections.abc import Iterable

from trueup.domain.billing import Product
from trueup.domain.errors import InputInvalid

TEXT_CHARACTERS_MAXIMUM = 75
"""The longest Product ID that any of the PSAs documents (ConnectWise)."""


def searched_text(text: str, limit: int) -> str:
    """The text without spaces around it. Raises InputInvalid (``search``) when it is empty, too long, or the limit is
    no number of products.
    """
    wanted = text.strip()
    if not wanted or len(wanted) > TEXT_CHARACTERS_MAXIMUM or limit < 1:
        raise InputInvalid(
            f"a product search needs one to {TEXT_CHARACTERS_MAXIMUM} characters with a letter or digit, and a limit",
            field="search",
            remedy="Type a part of the Product ID or of the name.",
        )
    return wanted


def found_products(products: Iterable[Product], wanted: str, *, limit: int) -> tuple[Product, ...]:
    """Products whose Product ID or name contains the text, or whose internal id it is, each once: exact hits first,
    inactive ones last among equals, then by Product ID.
    """
    unique = {product.id: product for product in products if _matches(product, wanted)}
    return tuple(sorted(unique.values(), key=lambda product: _rank(product, wanted))[:limit])


def _matches(product: Product, wanted: str) -> bool:
    folded = wanted.casefold()
    return product.id == wanted or folded in product.code.casefold() or folded in product.name.casefold()


def _rank(product: Product, wanted: str) -> tuple[bool, bool, bool, bool, str, str]:
    folded = wanted.casefold()
    return (
        product.code != wanted,
        product.code.casefold() != folded,
        product.id != wanted,
        product.inactive,
        product.code.casefold(),
        product.id,
    )
