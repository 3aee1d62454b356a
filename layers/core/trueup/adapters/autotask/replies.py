"""What a refusal from Autotask means. Its body is ``{"errors": ["text", ...]}`` (seen in the field).

A 500 with such a body is an answer and no outage: missing rights, records that are not there and broken rules all come
so, and only the text tells them apart. It must not pass on more of a body than a short, printable, redacted sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NoReturn

from trueup.adapters.autotask.wire import INTEGRATION
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

COMPANIES_PERMISSION: Final = "CRM > Companies: View All"
CONTRACTS_PERMISSION: Final = "Contracts: View All"
ADJUST_PERMISSION: Final = "Contracts: Edit All"
SERVICES_PERMISSION: Final = "Admin > Products and Services: View"
WEBHOOKS_PERMISSION: Final = "Admin > Webhooks: Add and Delete"
"""Names as an Autotask security level shows them; their spelling is assumed. "API User (API-only)" has them all."""

CREDENTIAL_REMEDY: Final = (
    "Check the API user's Username (Key), generate a new Password (Secret), compare the API Tracking Identifier, and "
    "that the user is active; then connect again."
)

_MESSAGE_CHARACTERS_MAXIMUM = 200
_PERMISSION_WORDS = ("permission", "not authorized", "unauthorized", "access denied", "do not have access")
_ABSENT_WORDS = ("not found", "no matching record", "could not be found", "unable to find")
_POSTED_WORDS = "approved and posted"


def error_texts(reply: HttpReply) -> tuple[str, ...]:
    """The texts of ``errors``; nothing for a body of another shape."""
    try:
        body = reply.json()
    except ReplyUnreadable:
        return ()
    errors = body.get("errors") if isinstance(body, Mapping) else None
    return tuple(one for one in errors if isinstance(one, str) and one.strip()) if isinstance(errors, list) else ()


def answers_the_request(reply: HttpReply) -> bool:
    """Whether a 500 says why the request was refused; without such a text the server failed."""
    return bool(error_texts(reply))


def said_by(reply: HttpReply, *, secrets: Collection[str]) -> str:
    """The first text, printable. Secrets are taken out before it is cut, so that no half of one is left."""
    texts = error_texts(reply)
    if not texts:
        return "no reason given"
    return printable(redact(texts[0], secrets), _MESSAGE_CHARACTERS_MAXIMUM) or "no reason given"


def is_posted_period(reply: HttpReply) -> bool:
    """Whether the period was approved and posted (the text is documented for changes of end dates)."""
    return any(_POSTED_WORDS in text.casefold() for text in error_texts(reply))


def lacks_permission(reply: HttpReply) -> bool:
    return reply.status == 403 or _any_word(reply, _PERMISSION_WORDS)


def raise_refusal(reply: HttpReply, *, doing: str, permission: str, secrets: Collection[str]) -> NoReturn:
    """Raise what a reply other than the awaited one means. ``doing`` and ``permission`` name the call and its row."""
    status, request_id = reply.status, reply.request_id
    said = f"Autotask, {doing}: {said_by(reply, secrets=secrets)} (status {status})"
    if status == 401:
        raise CredentialRejected(
            said, integration=INTEGRATION, status=status, request_id=request_id, remedy=CREDENTIAL_REMEDY
        )
    if lacks_permission(reply):
        raise PermissionMissing(
            f"{said}; it needs {permission}",
            integration=INTEGRATION,
            permission=permission,
            status=status,
            request_id=request_id,
            remedy=f"Give the API user's security level {permission}.",
        )
    if status == 404 or (status == 500 and _any_word(reply, _ABSENT_WORDS)):
        raise ResourceAbsent(said, integration=INTEGRATION, status=status, request_id=request_id)
    if status in (409, 412):
        raise EditConflict(said, integration=INTEGRATION, status=status, request_id=request_id)
    if 400 <= status <= 500:
        raise RequestRefused(said, integration=INTEGRATION, status=status, request_id=request_id)
    raise ReplyUnreadable(
        f"Autotask, {doing}: status {status} where 200 is due",
        integration=INTEGRATION,
        status=status,
        request_id=request_id,
    )


def _any_word(reply: HttpReply, words: tuple[str, ...]) -> bool:
    return any(word in text.casefold() for text in error_texts(reply) for word in words)
