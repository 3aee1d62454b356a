"""Opaque cursors: where the next page of one list begins.

Method: the list's own name is in the cursor, so that one of another list is refused; partition keys never are, so that
a cursor cannot lead out of the tenant. Must not: be trusted further than that; the API signs what it hands out.
"""

from __future__ import annotations

import base64
import binascii
import json

from trueup.domain.errors import InputInvalid


def write_cursor(name: str, *parts: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([name, *parts]).encode()).decode().rstrip("=")


def read_cursor(cursor: str, name: str, *, parts: int) -> list[str]:
    """Raises InputInvalid naming the cursor when it is not one that this list gave."""
    refused = InputInvalid(
        "the cursor is not one of this list", field="cursor", remedy="Begin again with the first page."
    )
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise refused from error
    if not isinstance(found, list) or len(found) != parts + 1 or not all(isinstance(part, str) for part in found):
        raise refused
    if found[0] != name:
        raise refused
    return found[1:]


def require_limit(limit: int) -> None:
    if limit < 1:
        raise InputInvalid("the limit must be at least 1", field="limit", remedy="Ask for 1 to 1000 entries a page.")
