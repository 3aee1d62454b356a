"""Calls one HaloPSA server below ``/api`` with a token, and renews the token once when it is refused.

A 401 means that nothing was done, so a call that was refused with an old token is sent again with a new one, writes
too. It must not send the token anywhere but to this server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trueup.adapters.halopsa.replies import raise_refusal
from trueup.adapters.halopsa.tokens import TokenSource
from trueup.adapters.http import HttpClient, HttpReply, RetryRule

API_PREFIX: Final = "/api"

Query = Sequence[tuple[str, str]]


class HaloSession:
    """Authenticated calls to one server; safe to share between threads."""

    def __init__(self, client: HttpClient, tokens: TokenSource) -> None:
        self._client = client
        self._tokens = tokens

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that no error may show."""
        return self._tokens.secrets

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()
        self._tokens.close()

    def read(self, path: str, *, query: Query = (), doing: str, permission: str) -> HttpReply:
        """A GET that must answer 200; ``permission`` is the scope it needs. Raises as raise_refusal and send."""
        reply = self.send("GET", path, query=query, retry=RetryRule.SAFE)
        if reply.status != 200:
            raise_refusal(reply, doing=doing, permission=permission, secrets=self.secrets)
        return reply

    def send(
        self, method: str, path: str, *, query: Query = (), json_body: object = None, retry: RetryRule
    ) -> HttpReply:
        """Send below ``/api``. Raises what HttpClient.send and the token source raise; a second 401 is returned."""
        token = self._tokens.current()
        reply = self._send(token, method, path, query, json_body, retry)
        if reply.status == 401:
            reply = self._send(self._tokens.renewed(token), method, path, query, json_body, retry)
        return reply

    def _send(self, token: str, method: str, path: str, query: Query, json_body: object, retry: RetryRule) -> HttpReply:
        headers = {"Authorization": f"Bearer {token}"}
        target = f"{API_PREFIX}{path}"
        if json_body is None:
            return self._client.send(method, target, query=query, headers=headers, retry=retry)
        return self._client.send(method, target, query=query, headers=headers, json_body=json_body, retry=retry)
