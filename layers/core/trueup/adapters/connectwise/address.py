"""Which server is called and with which credential, checked before anything is sent.

The private key never leaves this object but inside the Authorization header; no repr and no error shows it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from trueup.adapters.connectwise.wire import INTEGRATION
from trueup.adapters.http import BaseAddress, parse_base_address
from trueup.domain.errors import InputInvalid, UnsafeAddress

CLOUD_SUFFIXES: Final = ("connectwisedev.com", "myconnectwise.net")
CREDENTIAL_FIELDS: Final = ("company_id", "public_key", "private_key", "client_id")

_VISIBLE_ASCII = re.compile(r"[!-~]{1,256}")


@dataclass(frozen=True, slots=True)
class ConnectWiseCredential:
    """Login company, the key pair of one API member, and the integration's client id."""

    company_id: str
    public_key: str
    private_key: str = field(repr=False)
    client_id: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        """What every authenticated call carries: Basic ``company+public:private`` and the client id."""
        return {"Authorization": f"Basic {self._basic()}", "clientId": self.client_id}

    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown, longest first, so that none is cut by the redaction of another."""
        return (self._basic(), self.private_key, self.public_key, self.client_id)

    def _basic(self) -> str:
        pair = f"{self.company_id}+{self.public_key}:{self.private_key}"
        return base64.b64encode(pair.encode("ascii")).decode("ascii")


def parse_credential(fields: Mapping[str, str]) -> ConnectWiseCredential:
    """The credential from its four stored fields. Raises InputInvalid naming the field, never its value."""
    for name in CREDENTIAL_FIELDS:
        value = fields.get(name)
        if not isinstance(value, str) or not _VISIBLE_ASCII.fullmatch(value):
            raise InputInvalid(
                f"the ConnectWise {name} is missing or holds spaces, control characters or letters outside ASCII",
                field=name,
                remedy=f"Copy the {name} from ConnectWise again, without spaces or line ends.",
            )
    for name in ("company_id", "public_key"):
        # Basic authentication ends the user name at the first colon: one inside would move the split.
        if ":" in fields[name]:
            raise InputInvalid(f"the ConnectWise {name} must not hold a colon", field=name)
    return ConnectWiseCredential(**{name: fields[name] for name in CREDENTIAL_FIELDS})


def parse_address(url: str, *, allow_loopback: bool, additional_hosts: Collection[str] = ()) -> BaseAddress:
    """The checked server of a ConnectWise site.

    Cloud hosts are those ConnectWise documents, with the ``api-`` prefix that it demands for its API.
    ``additional_hosts`` are exact names of on-premise servers, each allowed on purpose by whoever deploys; they carry
    no prefix. Raises UnsafeAddress with the fix.
    """
    exact = frozenset(additional_hosts)
    base = parse_base_address(
        url, allowed_suffixes=(*CLOUD_SUFFIXES, *exact), integration=INTEGRATION, allow_loopback=allow_loopback
    )
    if base.host in exact or base.scheme == "http":
        return base
    zone = next((suffix for suffix in CLOUD_SUFFIXES if base.host.endswith(f".{suffix}")), None)
    if zone is None:
        raise UnsafeAddress(
            "this ConnectWise host is not one that is allowed",
            remedy="Give the API host of your region such as https://api-na.myconnectwise.net; "
            "an on-premise host is named whole in TRUEUP_CONNECTWISE_HOSTS.",
        )
    if not base.host.startswith("api-"):
        raise UnsafeAddress(
            f"{base.host} is where people sign in; ConnectWise answers API calls on another host",
            remedy=f"use api-{base.host}",
        )
    return base
