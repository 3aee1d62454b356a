"""The token of one application: where it is asked for is found out first, and it is kept until shortly before it ends.

HaloPSA tells its token server and tenant without a credential (authinfo). The grant is a form with the secret in the
body (seen in the field). A token is never written anywhere and never shown; the secret goes to no server but one that
was checked to be the tenant's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

from trueup.adapters.halopsa.address import (
    HaloCredential,
    TokenServer,
    parse_token_server,
    tenant_label,
    token_server_beside,
)
from trueup.adapters.halopsa.replies import CREDENTIAL_REMEDY, raise_refusal, said_by
from trueup.adapters.halopsa.wire import INTEGRATION, AuthInfoWire, parse
from trueup.adapters.http import BaseAddress, HttpClient, HttpReply, RetryRule
from trueup.adapters.kept_tokens import Grant, TokenKeeper, grant_in
from trueup.domain.errors import CredentialRejected, SchemaUnknown, VendorUnavailable
from trueup.ports.clock import Clock

AUTH_INFO_PATH: Final = "/api/authinfo"
SCOPE: Final = "all"
"""The scope that is asked for; what is granted is what the application and its agent both have (documented)."""

_MARGIN_SECONDS = 60.0
_TENANT = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)

OpenClient = Callable[[BaseAddress], HttpClient]


class TokenSource(TokenKeeper):
    """The tokens of one application. Safe to share between threads."""

    def __init__(
        self,
        client: HttpClient,
        open_client: OpenClient,
        credential: HaloCredential,
        clock: Clock,
        additional_hosts: Collection[str],
    ) -> None:
        super().__init__(clock, margin_seconds=_MARGIN_SECONDS)
        self._client = client
        self._open_client = open_client
        self._credential = credential
        self._additional_hosts = tuple(additional_hosts)
        self._server: TokenServer | None = None
        self._tenant = ""
        self._token_client: HttpClient | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that no error may show."""
        kept = (self._token, self._credential.client_secret, self._credential.client_id)
        return tuple(sorted((text for text in kept if text), key=len, reverse=True))

    def close(self) -> None:
        """Close idle connections to a token server of its own."""
        if self._token_client is not None and self._token_client is not self._client:
            self._token_client.close()

    def _ask(self) -> Grant:
        """See TokenKeeper.

        Raises CredentialRejected (400, 401), UnsafeAddress for a token server that is not the tenant's, and what
        HttpClient.send raises.
        """
        server, client = self._found_server()
        reply = self._sent(client, server)
        if reply.status in (400, 401):
            raise CredentialRejected(
                f"HaloPSA does not accept the Client ID and secret: {said_by(reply, secrets=self.secrets)} "
                f"(status {reply.status})",
                integration=INTEGRATION,
                status=reply.status,
                request_id=reply.request_id,
                remedy=CREDENTIAL_REMEDY,
            )
        if reply.status != 200:
            raise_refusal(reply, doing="asking for a token", permission=SCOPE, secrets=self.secrets)
        grant = grant_in(reply.json())
        if grant is None:
            raise SchemaUnknown("HaloPSA's token reply holds no usable access_token", integration=INTEGRATION)
        return grant

    def _sent(self, client: HttpClient, server: TokenServer) -> HttpReply:
        try:
            return client.send(
                "POST",
                f"{server.path}/token",
                query=(("tenant", self._tenant),) if self._tenant else (),
                form={
                    "grant_type": "client_credentials",
                    "client_id": self._credential.client_id,
                    "client_secret": self._credential.client_secret,
                    "scope": SCOPE,
                },
                retry=RetryRule.SAFE,
            )
        except VendorUnavailable as trouble:
            if trouble.status != 500:
                raise
            raise VendorUnavailable(
                "HaloPSA answers the token request with status 500",
                integration=INTEGRATION,
                status=500,
                request_id=trouble.request_id,
                remedy="HaloPSA is known to answer so for a tenant that it does not know: check the address. "
                "Otherwise try again later.",
            ) from None

    def _found_server(self) -> tuple[TokenServer, HttpClient]:
        if self._server is None or self._token_client is None:
            info = self._auth_info()
            base = self._client.base
            if info is None or not info.auth_url:
                server = token_server_beside(base)
            else:
                server = parse_token_server(info.auth_url, base, self._additional_hosts)
            tenant = info.tenant_id if info is not None and info.tenant_id else tenant_label(base) or ""
            if tenant and not _TENANT.fullmatch(tenant):
                raise SchemaUnknown("HaloPSA's authinfo holds a tenant_id that is none", integration=INTEGRATION)
            self._tenant = tenant
            self._token_client = self._client if server.base == base else self._open_client(server.base)
            self._server = server
        return self._server, self._token_client

    def _auth_info(self) -> AuthInfoWire | None:
        """What the server says of itself without a credential; None where it has no such route."""
        reply = self._client.send("GET", AUTH_INFO_PATH, retry=RetryRule.SAFE)
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise_refusal(reply, doing="asking where tokens are given", permission="(none)", secrets=self.secrets)
        return parse(AuthInfoWire, reply.json(), source="authinfo")
