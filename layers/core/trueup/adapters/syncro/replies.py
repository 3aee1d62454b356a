"""What a refusal from Syncro means. Only ``{"error": [texts]}`` of a 422 is published; ``{"message": [texts]}`` is
shown with other records, and ``error`` as one text was seen.

It must not pass on more of a body than a short, printable, redacted sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NoReturn

from trueup.adapters.http import HttpReply
from trueup.adapters.refusals import RefusedCall, raise_by_status, short_text
from trueup.adapters.syncro.wire import INTEGRATION
from trueup.domain.errors import ReplyUnreadable

CUSTOMERS_PERMISSION: Final = "Customers - List/Search"
SCHEDULES_PERMISSION: Final = "Recurring Invoices - List"
SCHEDULES_EDIT_PERMISSION: Final = "Recurring Invoices - Edit"
PRODUCTS_PERMISSION: Final = "Products - List/Search"
"""The names of the rows of a token's permissions (published schema)."""

CREDENTIAL_REMEDY: Final = (
    "Make a new API token in Syncro (Admin, API Tokens) and connect again; check that the address is that of your "
    "account, and that the token is not limited to other IP addresses."
)


def vendor_message(reply: HttpReply, *, secrets: Collection[str]) -> str:
    """What Syncro says about a refusal, cut and made printable; a body that is not JSON says nothing."""
    try:
        body = reply.json()
    except ReplyUnreadable:
        return "the reply is not JSON"
    said = next((body[key] for key in ("error", "message") if body.get(key)), None) if isinstance(body, Mapping) else ""
    texts = [said] if isinstance(said, str) else [one for one in said if isinstance(one, str)] if said else []
    return short_text("; ".join(texts), secrets) or "no reason given"


def raise_refusal(reply: HttpReply, *, doing: str, permission: str, secrets: Collection[str]) -> NoReturn:
    """Raise what a reply other than the awaited one means. ``doing`` and ``permission`` name the call and its row."""
    call = RefusedCall(
        psa="Syncro",
        integration=INTEGRATION,
        doing=doing,
        permission=permission,
        credential_remedy=CREDENTIAL_REMEDY,
        permission_remedy=f"Give the API token the permission {permission}.",
        # Which status a missing permission has is not published, so the row is named here too.
        credential_note=f"; the token is not accepted, or it lacks {permission}",
    )
    raise_by_status(reply, call, vendor_message(reply, secrets=secrets))
