"""What a refusal from Microsoft Graph or its login server means, and which permission or consent mends it.

Graph answers ``{"error": {"code", "message"}}``, the login server ``{"error", "error_description"}`` (documented). It
must not pass on more of a body than a short, printable, redacted sentence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final, NoReturn

from trueup.adapters.http import HttpReply
from trueup.adapters.microsoft365.wire import INTEGRATION, VENDOR
from trueup.adapters.refusals import RefusedCall, raise_by_status, short_text
from trueup.domain.errors import ReplyUnreadable

CUSTOMERS_PERMISSION: Final = "DelegatedAdminRelationship.Read.All"
CONTRACTS_PERMISSION: Final = "Directory.Read.All"
SKUS_PERMISSION: Final = "Organization.Read.All"
USERS_PERMISSION: Final = "User.Read.All"
MAILBOXES_PERMISSION: Final = "MailboxSettings.Read"
"""Application permissions of Microsoft Graph, by the names its consent page shows (documented). Directory.Read.All does
for the licenses and the users too. That GDAP customers may be listed without a signed-in user is documented of late;
older pages deny it, so the partner contracts are there as another way.
"""

CREDENTIAL_REMEDY: Final = (
    "Check the directory ID, the application ID and the client secret (its Value, not its ID) in the Entra admin "
    "center; make a new secret if it has expired, then connect again."
)

_AADSTS = re.compile(r"AADSTS[0-9]{5,8}", re.ASCII)
_LOGIN_TEXT_MAXIMUM = 2_000


def raise_refusal(reply: HttpReply, *, doing: str, permission: str, secrets: Collection[str]) -> NoReturn:
    """Raise what a reply other than the awaited one means. ``doing`` and ``permission`` name the call and its right."""
    call = RefusedCall(
        psa=VENDOR,
        integration=INTEGRATION,
        doing=doing,
        permission=permission,
        credential_remedy=CREDENTIAL_REMEDY,
        permission_remedy=f"Give the application the permission {permission} in the Entra admin center, have an "
        "administrator of that tenant consent to it, and check that the delegated relationship (GDAP) has not ended.",
    )
    code, message = graph_error(_document(reply), secrets=secrets)
    raise_by_status(reply, call, message or code or "no reason given", vendor_code=code or None)


def error_code(reply: HttpReply, *, secrets: Collection[str]) -> str:
    """Graph's own word for what went wrong; empty where it says none."""
    return graph_error(_document(reply), secrets=secrets)[0]


def graph_error(document: object, *, secrets: Collection[str]) -> tuple[str, str]:
    """Code and message of an error body, cut and made printable; empty where there is none."""
    error = document.get("error") if isinstance(document, Mapping) else None
    if not isinstance(error, Mapping):
        return "", ""
    said = [error.get(name) for name in ("code", "message")]
    code, message = (short_text(one, secrets) if isinstance(one, str) else "" for one in said)
    return code, message


def login_error(reply: HttpReply) -> tuple[str, str]:
    """What the login server says: the OAuth error word, and the AADSTS code in its description; empty where none.

    The codes are documented as subject to change and not to be leaned upon: they choose the words of a remedy and
    nothing else. The description itself is not passed on; it names addresses and moments, and is long.
    """
    document = _document(reply)
    told: Mapping[object, object] = document if isinstance(document, Mapping) else {}
    word, description = (told.get(name) for name in ("error", "error_description"))
    found = _AADSTS.search(description[:_LOGIN_TEXT_MAXIMUM]) if isinstance(description, str) else None
    return short_text(word, ()) if isinstance(word, str) else "", found.group() if found is not None else ""


def _document(reply: HttpReply) -> object:
    try:
        return reply.json()
    except ReplyUnreadable:
        return None
