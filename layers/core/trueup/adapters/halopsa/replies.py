"""What a refusal from HaloPSA means. Most carry no body; those that do have one of four shapes (seen in the field).

``{ClassName, Message}``, ``{Message}``, ``{resultCode, errorMessage}`` and ``{error, error_description}``. It must not
pass on more of a body than a short, printable, redacted sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NoReturn

from trueup.adapters.halopsa.wire import INTEGRATION
from trueup.adapters.http import HttpReply
from trueup.adapters.redaction import printable, redact
from trueup.domain.errors import (
    CredentialRejected,
    EditConflict,
    PermissionMissing,
    ReplyUnreadable,
    RequestRefused,
    ResourceAbsent,
)

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

_MESSAGE_CHARACTERS_MAXIMUM = 200
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
    text = next((value for value in values if isinstance(value, str) and value.strip()), "")
    # Secrets are taken out before the text is cut, so that no half of one is left.
    return printable(redact(text, secrets), _MESSAGE_CHARACTERS_MAXIMUM) or ""


def raise_refusal(reply: HttpReply, *, doing: str, permission: str, secrets: Collection[str]) -> NoReturn:
    """Raise what a reply other than the awaited one means. ``doing`` and ``permission`` name the call and its scope."""
    status, request_id = reply.status, reply.request_id
    code = _first(reply, _CODE_FIELDS, secrets) or None
    said = f"HaloPSA, {doing}: {said_by(reply, secrets=secrets)} (status {status})"
    if status == 401:
        raise CredentialRejected(
            said,
            integration=INTEGRATION,
            status=status,
            vendor_code=code,
            request_id=request_id,
            remedy=CREDENTIAL_REMEDY,
        )
    if status == 403:
        raise PermissionMissing(
            f"{said}; it needs {permission}",
            integration=INTEGRATION,
            permission=permission,
            vendor_code=code,
            request_id=request_id,
            remedy=f"Give the application the scope {permission}, and its agent the same right in HaloPSA: "
            "both are needed.",
        )
    if status == 404:
        raise ResourceAbsent(said, integration=INTEGRATION, status=status, vendor_code=code, request_id=request_id)
    if status in (409, 412):
        raise EditConflict(said, integration=INTEGRATION, status=status, vendor_code=code, request_id=request_id)
    if 400 <= status < 500:
        raise RequestRefused(said, integration=INTEGRATION, status=status, vendor_code=code, request_id=request_id)
    raise ReplyUnreadable(
        f"HaloPSA, {doing}: status {status} where 200 is due",
        integration=INTEGRATION,
        status=status,
        request_id=request_id,
    )
