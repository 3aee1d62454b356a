"""JSON from outside, read so strictly that nothing is guessed.

Decimals stay exact, a key may come once, NaN and Infinity are not numbers, an endless integer or nesting is a bad body.
It must not repeat any of the body in an error.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import NoReturn

from trueup.domain.errors import ReplyUnreadable

_INTEGER_MAXIMUM_DIGITS = 20
_NUMBER_MAXIMUM_CHARACTERS = 64
_JSON_MEDIA_TYPE = re.compile(r"\s*application/(?:json|[a-z0-9!#$&^_.-]+\+json)\s*(?:;.*)?", re.ASCII | re.IGNORECASE)


class _Refused(ValueError):
    """A construct that JSON readers differ on; the message says which."""


def is_json_media_type(content_type: str | None) -> bool:
    """Whether the header names JSON: ``application/json`` or any ``application/...+json``, parameters or not."""
    return content_type is not None and _JSON_MEDIA_TYPE.fullmatch(content_type) is not None


def read_json(body: bytes, *, integration: str, path: str, status: int | None = None) -> object:
    """The value of a UTF-8 JSON body. Numbers with a point or exponent are Decimal, others int.

    Raises ReplyUnreadable for anything else: bad UTF-8, broken or empty JSON, a key that comes twice, NaN or Infinity,
    an integer of more than 20 digits, nesting too deep to read.
    """
    try:
        return json.loads(
            body.decode("utf-8-sig"),
            parse_float=_exact_decimal,
            parse_int=_bounded_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object_with_single_keys,
        )
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except RecursionError:
        reason = "it is nested too deep"
    except _Refused as refused:
        reason = str(refused)
    except json.JSONDecodeError:
        reason = "it is empty" if not body.strip() else "it is not whole JSON"
    raise ReplyUnreadable(
        f"the reply of {integration} to {path} cannot be read: {reason}", integration=integration, status=status
    )


def _exact_decimal(text: str) -> Decimal:
    if len(text) > _NUMBER_MAXIMUM_CHARACTERS:
        raise _Refused("it holds a number with too many digits")
    try:
        return Decimal(text)
    except ArithmeticError:
        raise _Refused("it holds a number beyond every range") from None


def _bounded_integer(text: str) -> int:
    if len(text.lstrip("-")) > _INTEGER_MAXIMUM_DIGITS:
        raise _Refused("it holds an integer with too many digits")
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused(f"it holds {name}, which is not a number")


def _object_with_single_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("an object in it holds the same key twice")
    return found
