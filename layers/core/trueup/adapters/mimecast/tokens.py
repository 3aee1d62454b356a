"""The OAuth token of one credential: asked for when needed, kept until shortly before it expires, shared by threads.

Mimecast's samples send the client credentials grant as a form with the secret in the body; the lifetime is whatever
``expires_in`` says. A token is never written anywhere and never shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from trueup.adapters.http import HttpClient, HttpReply, RetryRule
from trueup.adapters.kept_tokens import Grant, TokenKeeper, grant_in
from trueup.adapters.mimecast.fault_bodies import PASSING_401_CODES, Fault, faults_of_reply
from trueup.adapters.mimecast.permissions import CREDENTIAL_REMEDY, PARTNER, PERMISSION_REMEDY
from trueup.adapters.mimecast.reading import INTEGRATION, schema_unknown
from trueup.domain.errors import CredentialRejected, InputInvalid, PermissionMissing, RequestRefused, VendorUnavailable
from trueup.ports.clock import Clock

TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 - an address, not a secret
CREDENTIAL_FIELDS: Final = ("client_id", "client_secret")

_MARGIN_SECONDS = 120.0
_VISIBLE_ASCII = re.compile(r"[!-~]{1,512}")


@dataclass(frozen=True, slots=True)
class MimecastCredential:
    """The Client ID and Client Secret of a Tenant API Gateway credential."""

    client_id: str
    client_secret: str = field(repr=False)


def parse_credential(fields: Mapping[str, str]) -> MimecastCredential:
    """The credential from its stored fields. Raises InputInvalid naming the field, never its value."""
    for name in CREDENTIAL_FIELDS:
        value = fields.get(name)
        if not isinstance(value, str) or not _VISIBLE_ASCII.fullmatch(value):
            raise InputInvalid(
                f"the Mimecast {name} is missing or holds spaces, control characters or letters outside ASCII",
                field=name,
                remedy=f"Copy the {name} from Mimecast again, without spaces or line ends.",
            )
    return MimecastCredential(fields["client_id"], fields["client_secret"])


class TokenSource(TokenKeeper):
    """The tokens of one credential. Safe to share between threads."""

    def __init__(self, client: HttpClient, credential: MimecastCredential, clock: Clock) -> None:
        super().__init__(clock, margin_seconds=_MARGIN_SECONDS)
        self._client = client
        self._credential = credential

    def _ask(self) -> Grant:
        """See TokenKeeper.

        Raises CredentialRejected (400, 401), PermissionMissing (403), and what HttpClient.send raises.
        """
        reply = self._client.send(
            "POST",
            TOKEN_PATH,
            form={
                "grant_type": "client_credentials",
                "client_id": self._credential.client_id,
                "client_secret": self._credential.client_secret,
            },
            retry=RetryRule.SAFE,
            find_passing_trouble=passing_401,
        )
        if reply.status != 200:
            _refuse(reply)
        document = reply.json()
        grant = grant_in(document)
        if grant is None:
            raise schema_unknown("the token reply holds no usable access_token", document, "none")
        return grant


def passing_401(reply: HttpReply) -> VendorUnavailable | None:
    """The error for a 401 that is known to be trouble at Mimecast and not the credential; None for any other reply."""
    if reply.status != 401:
        return None
    code = _first_code(faults_of_reply(reply))
    if code is None or code.casefold() not in PASSING_401_CODES:
        return None
    return VendorUnavailable(
        "Mimecast could not verify the token; it is known to do so for a while without the credential being wrong",
        integration=INTEGRATION,
        status=401,
        vendor_code=code,
        request_id=reply.request_id,
    )


def _first_code(faults: tuple[Fault, ...]) -> str | None:
    return faults[0].code if faults else None


def _refuse(reply: HttpReply) -> None:
    """Raise what a refused token request means. No body of it is public, so the status decides and not the body."""
    code = _first_code(faults_of_reply(reply))
    if reply.status in (400, 401):
        raise CredentialRejected(
            f"Mimecast does not accept the Client ID and Client Secret (status {reply.status})",
            integration=INTEGRATION,
            status=reply.status,
            vendor_code=code,
            request_id=reply.request_id,
            remedy=CREDENTIAL_REMEDY,
        )
    if reply.status == 403:
        raise PermissionMissing(
            "Mimecast does not allow this credential here",
            integration=INTEGRATION,
            permission=PARTNER,
            vendor_code=code,
            request_id=reply.request_id,
            remedy=PERMISSION_REMEDY,
        )
    raise RequestRefused(
        f"Mimecast answered the token request with status {reply.status}",
        integration=INTEGRATION,
        status=reply.status,
        vendor_code=code,
        request_id=reply.request_id,
        remedy="Check the API address: it is https://api.services.mimecast.com or a regional host of that zone.",
    )
