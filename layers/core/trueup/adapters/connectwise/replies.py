"""What a refusal from ConnectWise means. It sends two shapes of error body, and proxies before it send none.

``{code, message, errors: [{code, message, resource, field}]}`` is its own; ``{error, message}`` comes from its rate
limiter. It must not pass on more of a body than a short, printable, redacted sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from trueup.adapters.connectwise.wire import INTEGRATION
from trueup.adapters.http import HttpReply
from trueup.adapters.redaction import printable, redact
from trueup.domain.errors import (
    ConfigurationInvalid,
    CredentialRejected,
    EditConflict,
    PermissionMissing,
    ReplyUnreadable,
    RequestRefused,
    ResourceAbsent,
)

COMPANIES_PERMISSION: Final = "Companies > Company Maintenance: Inquire All"
AGREEMENTS_PERMISSION: Final = "Finance > Agreements: Inquire All"
AGREEMENTS_EDIT_PERMISSION: Final = "Finance > Agreements: Edit All"
AGREEMENTS_ADD_PERMISSION: Final = "Finance > Agreements: Add All"
CATALOG_PERMISSION: Final = "Procurement > Product Catalog: Inquire All"

CLOUD_404_HINT: Final = (
    "On the ConnectWise cloud a 404 may also mean wrong keys or a wrong company id: check company id, public and "
    "private key, and that the address is the API host of your region."
)

_MESSAGE_CHARACTERS_MAXIMUM = 200
_SSL_REQUIRED = "ssl is required"


@dataclass(frozen=True, slots=True)
class VendorMessage:
    """What ConnectWise says about a refusal, cut and made printable. ``field`` is the one it objects to, or empty."""

    code: str = ""
    text: str = ""
    field: str = ""

    def sentence(self) -> str:
        """Field and text as one phrase; what there is to say when the body said nothing."""
        said = self.text or self.code or "no reason given"
        return f"{self.field}: {said}" if self.field else said


def vendor_message(reply: HttpReply, *, secrets: Collection[str]) -> VendorMessage:
    """The first inner error where there is one, else the outer one; a body that is not JSON says nothing."""
    try:
        body = reply.json()
    except ReplyUnreadable:
        return VendorMessage(text="the reply is not JSON")
    if not isinstance(body, Mapping):
        return VendorMessage()
    inner = body.get("errors")
    first = inner[0] if isinstance(inner, list) and inner and isinstance(inner[0], Mapping) else {}
    return VendorMessage(
        code=_short(first.get("code"), secrets)
        or _short(body.get("code"), secrets)
        or _short(body.get("error"), secrets),
        text=_short(first.get("message"), secrets) or _short(body.get("message"), secrets),
        field=_short(first.get("field"), secrets),
    )


def _short(value: object, secrets: Collection[str]) -> str:
    if not isinstance(value, str):
        return ""
    # Secrets are taken out before the text is cut, so that no half of one is left.
    return printable(redact(value, secrets), _MESSAGE_CHARACTERS_MAXIMUM) or ""


def refuse_bare_host(message: VendorMessage) -> None:
    """Raise ConfigurationInvalid when ConnectWise says that this host does not take API calls."""
    if _SSL_REQUIRED in message.text.casefold():
        raise ConfigurationInvalid(
            "ConnectWise answers 'SSL is required': this host takes no API calls",
            remedy="Use the host with the api- prefix, such as https://api-na.myconnectwise.net.",
        )


def raise_refusal(reply: HttpReply, *, doing: str, permission: str, secrets: Collection[str]) -> NoReturn:
    """Raise what a reply other than the awaited one means. ``doing`` and ``permission`` name the call and its row."""
    message = vendor_message(reply, secrets=secrets)
    refuse_bare_host(message)
    status, code, request_id = reply.status, message.code or None, reply.request_id
    said = f"ConnectWise, {doing}: {message.sentence()} (status {status})"
    if status == 401:
        raise CredentialRejected(
            said,
            integration=INTEGRATION,
            status=status,
            vendor_code=code,
            request_id=request_id,
            remedy="Make a new API key for the API member, check the company id, and connect again.",
        )
    if status == 403:
        raise PermissionMissing(
            f"{said}; it needs {permission}",
            integration=INTEGRATION,
            permission=permission,
            vendor_code=code,
            request_id=request_id,
            remedy=f"Give the API member's security role {permission}, or check the client id.",
        )
    if status == 404:
        raise ResourceAbsent(said, integration=INTEGRATION, status=status, vendor_code=code, request_id=request_id)
    if status in (409, 412):
        raise EditConflict(said, integration=INTEGRATION, status=status, vendor_code=code, request_id=request_id)
    if 400 <= status < 500:
        raise RequestRefused(said, integration=INTEGRATION, status=status, vendor_code=code, request_id=request_id)
    raise ReplyUnreadable(
        f"ConnectWise, {doing}: status {status} where 200 is due",
        integration=INTEGRATION,
        status=status,
        request_id=request_id,
    )
