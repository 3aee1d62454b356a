"""What a refusal from Syncro means. Only ``{"error": [texts]}`` of a 422 is published; ``{"message": [texts]}`` is
shown with other records, and ``error`` as one text was seen.

It must not pass on more of a body than a short, printable, redacted sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NoReturn

from trueup.adapters.http import HttpReply
from trueup.adapters.redaction import printable, redact
from trueup.adapters.syncro.wire import INTEGRATION
from trueup.domain.errors import (
    CredentialRejected,
    EditConflict,
    PermissionMissing,
    ReplyUnreadable,
    RequestRefused,
    ResourceAbsent,
)

CUSTOMERS_PERMISSION: Final = "Customers - List/Search"
SCHEDULES_PERMISSION: Final = "Recurring Invoices - List"
SCHEDULES_EDIT_PERMISSION: Final = "Recurring Invoices - Edit"
PRODUCTS_PERMISSION: Final = "Products - List/Search"
"""The names of the rows of a token's permissions (published schema)."""

CREDENTIAL_REMEDY: Final = (
    "Make a new API token in Syncro (Admin, API Tokens) and connect again; check that the address is that of your "
    "account, and that the token is not limited to other IP addresses."
)

_MESSAGE_CHARACTERS_MAXIMUM = 200


def vendor_message(reply: HttpReply, *, secrets: Collection[str]) -> str:
    """What Syncro says about a refusal, cut and made printable; a body that is not JSON says nothing."""
    try:
        body = reply.json()
    except ReplyUnreadable:
        return "the reply is not JSON"
    said = next((body[key] for key in ("error", "message") if body.get(key)), None) if isinstance(body, Mapping) else ""
    texts = [said] if isinstance(said, str) else [one for one in said if isinstance(one, str)] if said else []
    # Secrets are taken out before the text is cut, so that no half of one is left.
    text = printable(redact("; ".join(texts), secrets), _MESSAGE_CHARACTERS_MAXIMUM)
    return text or "no reason given"


def raise_refusal(reply: HttpReply, *, doing: str, permission: str, secrets: Collection[str]) -> NoReturn:
    """Raise what a reply other than the awaited one means. ``doing`` and ``permission`` name the call and its row."""
    status, request_id = reply.status, reply.request_id
    said = f"Syncro, {doing}: {vendor_message(reply, secrets=secrets)} (status {status})"
    if status == 401:
        # Which status a missing permission has is not published, so the row is named here too.
        raise CredentialRejected(
            f"{said}; the token is not accepted, or it lacks {permission}",
            integration=INTEGRATION,
            status=status,
            request_id=request_id,
            remedy=CREDENTIAL_REMEDY,
        )
    if status == 403:
        raise PermissionMissing(
            f"{said}; it needs {permission}",
            integration=INTEGRATION,
            permission=permission,
            request_id=request_id,
            remedy=f"Give the API token the permission {permission}.",
        )
    if status == 404:
        raise ResourceAbsent(said, integration=INTEGRATION, status=status, request_id=request_id)
    if status in (409, 412):
        raise EditConflict(said, integration=INTEGRATION, status=status, request_id=request_id)
    if 400 <= status < 500:
        raise RequestRefused(said, integration=INTEGRATION, status=status, request_id=request_id)
    raise ReplyUnreadable(
        f"Syncro, {doing}: status {status} where 200 is due",
        integration=INTEGRATION,
        status=status,
        request_id=request_id,
    )
