"""What a refusal from HaloPSA means. Most carry no body; those that do have one of four shapes (seen in the field).

``{ClassName, Message}``, ``{Message}``, ``{resultCode, errorMessage}`` and ``{error, error_description}``. It must not
pass on more of a body than a short, printable, redacted sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NoReturn

from trueup.adapters.halopsa.wire import INTEGRATION
from trueup.adapters.http import HttpReply
from trueup.adapters.refusals import RefusedCall, raise_by_status, short_text
from trueup.domain.errors import ReplyUnreadable

CLIENTS_PERMISSION: Final = "read:customers"
INVOICES_PERMISSION: Final = "read:invoices"
INVOICES_EDIT_PERMISSION: Final = "edit:invoices"
ITEMS_PERMISSION: Final = "read:items"
WEBHOOKS_PERMISSION: Final = "admin:webhooks (an agent with the Administrator role)"
"""Names of scopes as one client library lists them; the one for webhooks is assumed."""

CREDENTIAL_REMEDY: Final = (
    "Check Client ID and secret under Configuration, Integrations, Halo API, Applications: method Client ID and Secret "
    "(Services), login type Agent, an active agent; then connect again."
)

_TEXT_FIELDS = ("Message", "message", "errorMessage", "error_description", "error")
_CODE_FIELDS = ("error", "resultCode", "ClassName")


def vendor_text(reply: HttpReply, *, secrets: Collection[str]) -> str:
    """What HaloPSA says, cut and made printable; a body that says nothing gives an empty text."""
    return _first(reply, _TEXT_FIELDS, secrets)


def said_by(reply: HttpReply, *, secrets: Collection[str]) -> str:
    """The same as a phrase for a sentence."""
    return vendor_text(reply, secrets=secrets) or "no reason given"


def _first(reply: HttpReply, names: tuple[str, ...], secrets: Collection[str]) -> str:
    try:
        body = reply.json()
    except ReplyUnreadable:
        return ""
    if not isinstance(body, Mapping):
        return ""
    values = (body.get(name) for name in names)
    return short_text(next((value for value in values if isinstance(value, str) and value.strip()), ""), secrets)


def raise_refusal(reply: HttpReply, *, doing: str, permission: str, secrets: Collection[str]) -> NoReturn:
    """Raise what a reply other than the awaited one means. ``doing`` and ``permission`` name the call and its scope."""
    call = RefusedCall(
        psa="HaloPSA",
        integration=INTEGRATION,
        doing=doing,
        permission=permission,
        credential_remedy=CREDENTIAL_REMEDY,
        permission_remedy=f"Give the application the scope {permission}, and its agent the same right in HaloPSA: "
        "both are needed.",
    )
    vendor_code = _first(reply, _CODE_FIELDS, secrets) or None
    raise_by_status(reply, call, said_by(reply, secrets=secrets), vendor_code=vendor_code)
