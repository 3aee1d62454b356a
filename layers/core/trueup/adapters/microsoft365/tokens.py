"""The token of the MSP's application in one tenant: its own, or a client's. Each tenant has a token of its own.

The client credentials grant at the login host, with the id of the tenant in the path (documented). Tokens are kept in
memory only and never read: their inside is not for the application (documented). The secret goes to the login host of
the connected cloud and nowhere else.
"""

from __future__ import annotations

from typing import Final

from trueup.adapters.http import HttpClient, HttpReply, RetryRule
from trueup.adapters.kept_tokens import Grant, TokenKeeper, grant_in
from trueup.adapters.microsoft365.address import CloudAddress, GraphCredential
from trueup.adapters.microsoft365.replies import CREDENTIAL_REMEDY, login_error
from trueup.adapters.microsoft365.wire import INTEGRATION, schema_unknown
from trueup.adapters.outbound_address import path_segment
from trueup.domain.errors import CredentialRejected, RequestRefused
from trueup.ports.clock import Clock

_MARGIN_SECONDS = 120.0

_NO_CONSENT: Final = frozenset({"AADSTS65001", "AADSTS700016", "AADSTS7000229", "AADSTS650052", "AADSTS500011"})
"""Seen in the field when an application is not in a tenant or nobody consented to it there."""

_NO_TENANT: Final = frozenset({"AADSTS90002", "AADSTS900023", "AADSTS5000224"})
"""Seen in the field for a tenant that does not exist, or not in this cloud."""

_SECRET: Final = frozenset({"AADSTS7000215", "AADSTS7000222", "AADSTS7000218"})
"""Seen in the field for a secret that is wrong, expired or missing."""


class TenantToken(TokenKeeper):
    """The tokens of the application in one tenant. Safe to share between threads."""

    def __init__(
        self, login: HttpClient, address: CloudAddress, credential: GraphCredential, tenant_id: str, clock: Clock
    ) -> None:
        super().__init__(clock, margin_seconds=_MARGIN_SECONDS)
        self._login = login
        self._scope = f"{address.graph.url}/.default"
        self._credential = credential
        self.tenant_id = tenant_id

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that no error may show."""
        kept = (self._token, self._credential.client_secret)
        return tuple(sorted((text for text in kept if text), key=len, reverse=True))

    def _ask(self) -> Grant:
        """See TokenKeeper. Raises CredentialRejected (400, 401, 403) and what HttpClient.send raises."""
        reply = self._login.send(
            "POST",
            f"/{path_segment(self.tenant_id)}/oauth2/v2.0/token",
            form={
                "grant_type": "client_credentials",
                "client_id": self._credential.client_id,
                "client_secret": self._credential.client_secret,
                "scope": self._scope,
            },
            retry=RetryRule.SAFE,
        )
        if reply.status != 200:
            raise self._refusal(reply)
        grant = grant_in(reply.json())
        if grant is None:
            raise schema_unknown("asking for a token", "the reply holds no usable access_token")
        return grant

    def _refusal(self, reply: HttpReply) -> CredentialRejected | RequestRefused:
        word, code = login_error(reply)
        said = " ".join(part for part in (word, code) if part) or "no reason given"
        if reply.status not in (400, 401, 403):
            return RequestRefused(
                f"Microsoft's login server answered the token request with status {reply.status}: {said}",
                integration=INTEGRATION,
                status=reply.status,
                vendor_code=code or word or None,
            )
        return CredentialRejected(
            f"Microsoft's login server does not let the application into this tenant: {said} (status {reply.status})",
            integration=INTEGRATION,
            status=reply.status,
            vendor_code=code or word or None,
            request_id=reply.request_id,
            remedy=self._remedy(code),
        )

    def _remedy(self, code: str) -> str:
        if code in _SECRET:
            return CREDENTIAL_REMEDY
        if self.tenant_id == self._credential.tenant_id:
            return CREDENTIAL_REMEDY
        if code in _NO_TENANT:
            return "Check that the client's tenant still exists and is in the cloud that was connected."
        page = f"{self._login.base.url}/{self.tenant_id}/adminconsent?client_id={self._credential.client_id}"
        if code in _NO_CONSENT or not code:
            return f"Have an administrator of the client consent to the application: {page}"
        return (
            f"Look up {code} at {self._login.base.url}/error. Where consent is missing, an administrator of the client "
            f"gives it at {page}"
        )
