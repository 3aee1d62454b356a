"""Where credentials are kept. Write-only for people: no screen or reply ever shows what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Vault(Protocol):
    """One secret per integration, tied to the host it was saved for."""

    def put(self, name: str, *, host: str, fields: Mapping[str, str]) -> None:
        """Store the fields for that integration and host, replacing what was there."""
        ...

    def get(self, name: str, *, host: str) -> Mapping[str, str]:
        """The fields. Raises NotConnected when there are none, or when they were saved for another host."""
        ...

    def delete(self, name: str) -> None:
        """Forget the secret; no error when there is none."""
        ...
