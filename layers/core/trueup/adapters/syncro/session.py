"""Calls one Syncro account with its token. It knows paths and the token, and nothing of what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trueup.adapters.http import HttpClient, HttpReply, RetryRule
from trueup.adapters.syncro.address import SyncroCredential
from trueup.adapters.syncro.replies import raise_refusal

PREFIX: Final = "/api/v1"

Query = Sequence[tuple[str, str]]


class SyncroSession:
    """Authenticated calls to one account; safe to share between threads."""

    def __init__(self, client: HttpClient, credential: SyncroCredential) -> None:
        self._client = client
        self._credential = credential

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that no error may show."""
        return self._credential.secrets()

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    def get(self, path: str, *, query: Query = ()) -> HttpReply:
        """A read, whatever it is answered with. Raises as HttpClient.send."""
        return self._client.send(
            "GET", f"{PREFIX}{path}", query=query, headers=self._credential.headers(), retry=RetryRule.SAFE
        )

    def read(self, path: str, *, query: Query = (), doing: str, permission: str) -> HttpReply:
        """A read that must answer 200; ``permission`` is the row it needs. Raises as raise_refusal and get."""
        reply = self.get(path, query=query)
        if reply.status != 200:
            raise_refusal(reply, doing=doing, permission=permission, secrets=self.secrets)
        return reply

    def put_once(self, path: str, body: dict[str, int]) -> HttpReply:
        """Send a change, once. Raises WriteOutcomeUnknown where nobody can say whether it was carried out."""
        return self._client.send(
            "PUT", f"{PREFIX}{path}", headers=self._credential.headers(), json_body=body, retry=RetryRule.ONCE
        )
