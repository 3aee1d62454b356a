"""List positions as opaque, signed text: a cursor works only for the tenant and the very list it was given for."""

from __future__ import annotations

import base64
import hashlib
import hmac

from trueup.domain.errors import InputInvalid

_SIGNATURE_BYTES = 16


def seal(position: str | None, *, key: bytes, list_name: str) -> str | None:
    """The position signed for that list; None stays None."""
    if position is None:
        return None
    content = position.encode()
    return base64.urlsafe_b64encode(_signature(content, key, list_name) + content).decode().rstrip("=")


def unseal(cursor: str | None, *, key: bytes, list_name: str) -> str | None:
    """The position again. Raises InputInvalid (``cursor``) for anything that was not given out for that list."""
    if not cursor:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = raw[_SIGNATURE_BYTES:].decode()
    except ValueError:
        raw, position = b"", ""
    expected = _signature(raw[_SIGNATURE_BYTES:], key, list_name)
    if not position or not hmac.compare_digest(raw[:_SIGNATURE_BYTES], expected):
        raise InputInvalid(
            "the cursor is not one of this list", field="cursor", remedy="Start the list again without a cursor."
        )
    return position


def _signature(content: bytes, key: bytes, list_name: str) -> bytes:
    return hmac.new(key, list_name.encode() + b"\0" + content, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
