"""Raises what a PSA's refusal means, by its status, and makes outside text fit for an error.

What the PSA said, and a status that means another one there, come from its adapter. It must not pass on more of a body
than a short, printable, redacted sentence.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NoReturn

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

MESSAGE_CHARACTERS_MAXIMUM: Final = 200


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A call that was not answered as awaited: whom it went to, what was being done, and what helps.

    ``permission`` is the PSA's own name of the row that the call needs. ``credential_note`` follows what was said when
    the credential is not accepted.
    """

    psa: str
    integration: str
    doing: str
    permission: str
    credential_remedy: str
    permission_remedy: str
    credential_note: str = ""


def short_text(text: str, secrets: Collection[str]) -> str:
    """Text of a body as an error may show it. Secrets go before it is cut, so that no half of one is left."""
    return printable(redact(text, secrets), MESSAGE_CHARACTERS_MAXIMUM) or ""


def raise_by_status(
    reply: HttpReply, call: RefusedCall, said: str, *, vendor_code: str | None = None, counts_as: int | None = None
) -> NoReturn:
    """Raise what the reply means. ``counts_as`` is the status it is to be taken for; its own one is still shown."""
    meaning = reply.status if counts_as is None else counts_as
    status, request_id, integration = reply.status, reply.request_id, call.integration
    message = f"{call.psa}, {call.doing}: {said} (status {status})"
    if meaning == 401:
        raise CredentialRejected(
            f"{message}{call.credential_note}",
            integration=integration,
            status=status,
            vendor_code=vendor_code,
            request_id=request_id,
            remedy=call.credential_remedy,
        )
    if meaning == 403:
        raise PermissionMissing(
            f"{message}; it needs {call.permission}",
            integration=integration,
            permission=call.permission,
            status=status,
            vendor_code=vendor_code,
            request_id=request_id,
            remedy=call.permission_remedy,
        )
    if 400 <= meaning < 500:
        kind = {404: ResourceAbsent, 409: EditConflict, 412: EditConflict}.get(meaning, RequestRefused)
        raise kind(message, integration=integration, status=status, vendor_code=vendor_code, request_id=request_id)
    raise ReplyUnreadable(
        f"{call.psa}, {call.doing}: status {status} where 200 is due",
        integration=integration,
        status=status,
        request_id=request_id,
    )
