"""The token of one application: where it is asked for is found out first, and it is kept until shortly before it ends.

HaloPSA tells its token server and tenant without a credential (authinfo). The grant is a form with the secret in the
body (seen in the field). A token is never written anywhere and never shown; the secret goes to no server but one that
was checked to be the tenant's own.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
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
from trueup.domain.errors import CredentialRejected, SchemaUnknown, VendorUnavailable
from trueup.ports.clock import Clock

AUTH_INFO_PATH: Final = "/api/authinfo"
SCOPE: Final = "all"
"""The scope that is asked for; what is granted is what the application and its agent both have (documented)."""

_MARGIN_SECONDS = 60.0
_UNTOLD_LIFETIME_SECONDS = 300.0
_LIFETIME_MAXIMUM_SECONDS = 86_400.0
_USED_AT_LEAST_SECONDS = 30.0
"""A token is kept this long even when it claims less, so that a lifetime of nothing does not ask for one per call."""

_TOKEN = re.compile(r"[!-~]{1,8192}")
_TENANT = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)

OpenClient = Callable[[BaseAddress], HttpClient]


class TokenSource:
    """Gives the current token, and a new one to whoever was refused with the old. Safe to share between threads."""

    def __init__(
        self,
        client: HttpClient,
        open_client: OpenClient,
        credential: HaloCredential,
        clock: Clock,
        additional_hosts: Collection[str],
    ) -> None:
        self._client = client
        self._open_client = open_client
        self._credential = credential
        self._clock = clock
        self._additional_hosts = tuple(additional_hosts)
        self._lock = threading.Lock()
        self._server: TokenServer | None = None
        self._tenant = ""
        self._token_client: HttpClient | None = None
        self._token: str | None = None
        self._use_until_seconds = 0.0

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that no error may show."""
        kept = (self._token, self._credential.client_secret, self._credential.client_id)
        return tuple(sorted((text for text in kept if text), key=len, reverse=True))

    def close(self) -> None:
        """Close idle connections to a token server of its own."""
        if self._token_client is not None and self._token_client is not self._client:
            self._token_client.close()

    def current(self) -> str:
        """A token that should be valid now. Raises as ``_ask``."""
        with self._lock:
            if self._token is None or self._clock.monotonic_seconds() >= self._use_until_seconds:
                return self._ask()
            return self._token

    def renewed(self, refused: str) -> str:
        """A token other than the one that was refused; many threads refused at once ask for one new token together."""
        with self._lock:
            if self._token is not None and self._token != refused:
                return self._token
            return self._ask()

    def _ask(self) -> str:
        """Ask for a token and keep it. The caller holds the lock.

        Raises CredentialRejected (400, 401), UnsafeAddress for a token server that is not the tenant's, and what
        HttpClient.send raises.
        """
        self._token = None
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
        document = reply.json()
        told: Mapping[object, object] = document if isinstance(document, Mapping) else {}
        token = told.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise SchemaUnknown("HaloPSA's token reply holds no usable access_token", integration=INTEGRATION)
        self._use_until_seconds = self._clock.monotonic_seconds() + _usable_seconds(told.get("expires_in"))
        self._token = token
        return token

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


def _usable_seconds(lifetime: object) -> float:
    """How long to use a token that claims this lifetime: all but the last minute, and five minutes for no claim."""
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | Decimal) or lifetime <= 0:
        seconds = _UNTOLD_LIFETIME_SECONDS
    else:
        seconds = min(float(lifetime), _LIFETIME_MAXIMUM_SECONDS)
    return max(seconds - min(_MARGIN_SECONDS, seconds / 2), _USED_AT_LEAST_SECONDS)
