"""The mark of what a line bills, made here because HaloPSA marks only whole invoices (``last_modified``).

Several changes of one plan may go to one invoice, and each moves the invoice's mark; so a mark of the line alone is
compared. It is a short digest of each field, in a fixed order: a list may tell fewer fields than a single record does
(not documented), so a field that one of two marks does not tell is not compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

_UNTOLD = "-"
_DIGITS = 6


def version_of(fields: Sequence[Decimal | date | str | bool | int | None]) -> str:
    """The mark of a line with these fields; None is not told. A number counts by its value, however it is written."""
    return ".".join(_UNTOLD if field is None else _digest(field) for field in fields)


def is_same_version(one: str, other: str) -> bool:
    """Whether two marks agree in every field that both tell."""
    first, second = one.split("."), other.split(".")
    if len(first) != len(second):
        return False
    return all(_UNTOLD in pair or pair[0] == pair[1] for pair in zip(first, second, strict=True))


def _digest(field: Decimal | date | str | bool | int) -> str:
    text = f"{field.normalize():f}" if isinstance(field, Decimal) else str(field)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
