"""One byte form for a value, so that the same content always has the same SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum

from trueup.domain.periods import utc

Plain = None | bool | int | str | Sequence["Plain"] | Mapping[str, "Plain"]


def decimal_text(value: Decimal) -> str:
    """A decimal without exponent and trailing zeros: ``42.0`` and ``42.00`` are both ``42``, and ``-0`` is ``0``."""
    if value.is_zero():
        return "0"
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def plain(value: object) -> Plain:
    """The value as JSON can hold it; a moment is written in UTC, so that equal moments are equal bytes.

    Raises TypeError on a float or anything unknown (money never goes through one), ValueError on a naive datetime.
    """
    match value:
        case None | bool() | str() if not isinstance(value, Enum):
            return value
        case Enum():
            return plain(value.value)
        case int():
            return value
        case Decimal():
            return decimal_text(value)
        case datetime():
            return utc(value).isoformat()
        case date():
            return value.isoformat()
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                raise TypeError("a key that is not a string has no canonical form")
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            raise TypeError(f"{type(value).__name__} has no canonical form")


def canonical_bytes(value: object) -> bytes:
    """UTF-8 JSON with sorted keys and no white space."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", errors="backslashreplace"
    )


def sha256(value: object) -> str:
    """The hexadecimal SHA-256 of the canonical bytes."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()
