"""The bytes and headers of a request as the sender sent them, out of an HTTP API event (payload format 2.0).

A signature is over bytes, so nothing may be decoded and encoded again on the way. Must not: read what the bytes say.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from trueup.domain.errors import CallbackForged

MESSAGE_BYTES_MAXIMUM = 256 * 1024
"""More than any callback has: they hold one record at most."""

_BASE64_GROWTH = 4 / 3


def raw_body(event: dict[str, Any]) -> bytes:
    """The body's own bytes. API Gateway hands on in base64 what it does not take for text.

    Raises CallbackForged for what is too large, before it is decoded, and for base64 that is none.
    """
    text = str(event.get("body") or "")
    is_encoded = bool(event.get("isBase64Encoded"))
    if len(text) > MESSAGE_BYTES_MAXIMUM * (_BASE64_GROWTH if is_encoded else 1) + 4:
        raise CallbackForged("the message is too large")
    try:
        body = base64.b64decode(text, validate=True) if is_encoded else text.encode()
    except (binascii.Error, ValueError, UnicodeEncodeError) as unreadable:
        raise CallbackForged("the message cannot be read") from unreadable
    if len(body) > MESSAGE_BYTES_MAXIMUM:
        raise CallbackForged("the message is too large")
    return body


def single_headers(event: dict[str, Any], *, proofs: frozenset[str]) -> dict[str, str]:
    """The headers with names in lower case. Raises CallbackForged when one that proves something came twice.

    API Gateway joins repeated headers with commas, and no proof has a comma in it.
    """
    headers: dict[str, str] = {}
    for name, value in (event.get("headers") or {}).items():
        key = str(name).lower()
        repeated = key in headers or "," in str(value)
        if key in proofs and repeated:
            raise CallbackForged("a header came twice")
        headers[key] = str(value)
    return headers
