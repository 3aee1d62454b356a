"""Keys for machines that call Trueup, the PSA above all. Only the hash of a key is ever kept."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from trueup.domain.errors import InputInvalid

KEY_PREFIX = "tu"
"""A key is ``tu_ID_SECRET``: what starts like this can be found by secret scanners, and the id needs no search."""

KEY_NAME_CHARACTERS_MAXIMUM = 60


class KeyScope(StrEnum):
    """What a key may do. Approving is a scope of its own, because it lets quantities be written."""

    RUNS_START = "runs:start"
    COUNTS_READ = "counts:read"
    PLAN_READ = "plan:read"
    PLAN_APPROVE = "plan:approve"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key. ``secret_hash`` is the SHA-256 of the secret part in hex; the secret has 256 random bits, so a slow hash
    would add nothing. ``calls_a_minute`` is its own limit.
    """

    id: str
    name: str
    scopes: frozenset[KeyScope]
    secret_hash: str
    created_at: datetime
    created_by: str
    calls_a_minute: int = 60
    revoked_at: datetime | None = None
    revoked_by: str = ""
    version: int = 0

    @property
    def actor(self) -> str:
        """How it is named in the history."""
        return f"key {self.name} ({self.id})"

    def accepts(self, secret: str) -> bool:
        """Whether the secret is this key's and the key still counts; takes the same time for every wrong secret."""
        same = hmac.compare_digest(secret_hash(secret), self.secret_hash)
        return same and self.revoked_at is None

    def allows(self, scope: KeyScope) -> bool:
        return self.revoked_at is None and scope in self.scopes


def secret_hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", errors="surrogatepass")).hexdigest()


def split_key(text: str) -> tuple[str, str]:
    """The id and the secret of a key as it was shown. Raises InputInvalid for anything that is no key of ours."""
    parts = text.strip().split("_", 2)
    if len(parts) != 3 or parts[0] != KEY_PREFIX or not all(part.isascii() and part.isprintable() for part in parts):
        raise InputInvalid("this is no API key of Trueup", field="x-api-key", remedy="Send a key made by trueup keys.")
    return parts[1], parts[2]
