"""Which server is called and with which credential, checked before anything is sent.

The API token never leaves this object but inside the Authorization header; no repr and no error shows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from trueup.adapters.http import BaseAddress, parse_base_address
from trueup.domain.errors import InputInvalid, UnsafeAddress

ZONE: Final = "syncromsp.com"
"""Where every Syncro account lives, as ``https://SUBDOMAIN.syncromsp.com`` (published schema)."""

_VISIBLE_ASCII = re.compile(r"[!-~]{1,512}")


@dataclass(frozen=True, slots=True)
class SyncroCredential:
    """One API token."""

    api_key: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        """What every call carries."""
        return {"Authorization": f"Bearer {self.api_key}"}

    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown."""
        return (self.api_key,)


def parse_credential(fields: Mapping[str, str]) -> SyncroCredential:
    """The credential from its stored field. Raises InputInvalid naming the field, never its value."""
    value = fields.get("api_key")
    if not isinstance(value, str) or not _VISIBLE_ASCII.fullmatch(value):
        raise InputInvalid(
            "the Syncro api_key is missing or holds spaces, control characters or letters outside ASCII",
            field="api_key",
            remedy="Copy the API token from Syncro again, without spaces or line ends.",
        )
    return SyncroCredential(value)


def parse_address(text: str, *, allow_loopback: bool) -> BaseAddress:
    """The checked server of a Syncro account: exactly one label before ``syncromsp.com``.

    Raises UnsafeAddress with the fix.
    """
    base = parse_base_address(text, allowed_suffixes=(ZONE,), integration="Syncro", allow_loopback=allow_loopback)
    if base.scheme == "https" and base.host.count(".") != ZONE.count(".") + 1:
        raise UnsafeAddress(
            "the Syncro address must be https://SUBDOMAIN.syncromsp.com",
            remedy="Give the address that your browser shows when you are signed in to Syncro.",
        )
    return base
