"""Calls Microsoft Graph in one tenant, and renews the token once when it is refused.

A wait that Graph asks for is waited here and holds back nobody else: limits are kept by tenant first (documented). It
must not follow a link to another server, nor send a tenant's token anywhere but to Graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trueup.adapters.http import HttpClient, HttpReply, RetryRule
from trueup.adapters.microsoft365.replies import raise_refusal
from trueup.adapters.microsoft365.tokens import TenantToken

PREFIX: Final = "/v1.0"

Query = Sequence[tuple[str, str]]


class GraphSession:
    """Authenticated calls in one tenant; safe to share between threads."""

    def __init__(self, graph: HttpClient, token: TenantToken) -> None:
        self._graph = graph
        self._token = token

    @property
    def client(self) -> HttpClient:
        """What the calls go through, for its clock and its bounds."""
        return self._graph

    @property
    def tenant_id(self) -> str:
        return self._token.tenant_id

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that no error may show."""
        return self._token.secrets

    def sign_in(self) -> None:
        """Get a token if there is none yet. Raises as TenantToken."""
        self._token.current()

    def sign_in_again(self) -> None:
        """Get a new token, to find out whether the credential still works. Raises as TenantToken."""
        self._token.renewed(self._token.current())

    def read(self, path: str, *, query: Query = (), doing: str, permission: str) -> object:
        """The JSON of a GET below ``/v1.0`` that must answer 200. Raises as raise_refusal and HttpClient.send."""
        return self.checked(self.get(f"{PREFIX}{path}", query=query), doing=doing, permission=permission).json()

    def checked(self, reply: HttpReply, *, doing: str, permission: str) -> HttpReply:
        """The reply if it is the awaited 200. Raises as raise_refusal."""
        if reply.status != 200:
            raise_refusal(reply, doing=doing, permission=permission, secrets=self.secrets)
        return reply

    def get(self, path: str, *, query: Query = ()) -> HttpReply:
        """A GET of a whole path, whatever it is answered with; a second 401 is returned. Raises as HttpClient.send."""
        return self._send("GET", path, query, None)

    def batch(self, requests: Sequence[dict[str, str]]) -> HttpReply:
        """Several reads in one call. A batch of reads may be repeated like a read."""
        return self._send("POST", f"{PREFIX}/$batch", (), {"requests": list(requests)})

    def path_of(self, link: str) -> str:
        """Path and query of a link that Graph sent, if it leads to this very server; else UnsafeAddress."""
        return self._graph.same_origin_path(link)

    def _send(self, method: str, path: str, query: Query, body: object) -> HttpReply:
        token = self._token.current()
        reply = self._send_with(token, method, path, query, body)
        if reply.status == 401:
            reply = self._send_with(self._token.renewed(token), method, path, query, body)
        return reply

    def _send_with(self, token: str, method: str, path: str, query: Query, body: object) -> HttpReply:
        headers = {"Authorization": f"Bearer {token}"}
        if body is None:
            return self._graph.send(method, path, query=query, headers=headers, retry=RetryRule.SAFE)
        return self._graph.send(method, path, query=query, headers=headers, json_body=body, retry=RetryRule.SAFE)
