"""Which Autotask server is called and with which credential, checked before anything is sent.

Every tenant lives in a zone with a server of its own, which Autotask tells without a credential; what it tells is
checked like what a person types. The secret never leaves this object but inside its header; no repr and no error shows
it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from trueup.adapters.autotask.wire import INTEGRATION
from trueup.adapters.outbound_address import BaseAddress, parse_base_address
from trueup.domain.errors import InputInvalid, UnsafeAddress

API_PATH: Final = "/ATServicesRest/V1.0"
CREDENTIAL_FIELDS: Final = ("user_name", "secret", "integration_code")

_ZONE = "autotask.net"
_HOST = re.compile(r"webservices[0-9]{0,3}\.autotask\.net", re.ASCII)
_ZONE_URL = re.compile(r"(?P<server>https?://[^/?#\\@\s]{1,260})/atservicesrest(?:/v1\.0)?/?", re.ASCII | re.IGNORECASE)
_VISIBLE_ASCII = re.compile(r"[!-~]{1,256}")


@dataclass(frozen=True, slots=True)
class AutotaskCredential:
    """User name and secret of an API-only user, and the tracking identifier of the integration."""

    user_name: str
    secret: str = field(repr=False)
    integration_code: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        """What every call but the one for the zone carries (published schema)."""
        return {"ApiIntegrationCode": self.integration_code, "UserName": self.user_name, "Secret": self.secret}

    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown, longest first, so that none is cut by the redaction of another."""
        return tuple(sorted((self.secret, self.integration_code), key=len, reverse=True))


def parse_credential(fields: Mapping[str, str]) -> AutotaskCredential:
    """The credential from its three stored fields. Raises InputInvalid naming the field, never its value."""
    for name in CREDENTIAL_FIELDS:
        value = fields.get(name)
        if not isinstance(value, str) or not _VISIBLE_ASCII.fullmatch(value):
            raise InputInvalid(
                f"the Autotask {name} is missing or holds spaces, control characters or letters outside ASCII",
                field=name,
                remedy=f"Copy the {name} from Autotask again, without spaces or line ends.",
            )
    return AutotaskCredential(**{name: fields[name] for name in CREDENTIAL_FIELDS})


def parse_address(text: str, *, allow_loopback: bool) -> BaseAddress:
    """The checked server: ``https://webservices.autotask.net`` or that of one zone, ``webservices5`` and the like.

    Raises UnsafeAddress with the fix.
    """
    base = parse_base_address(text, allowed_suffixes=(_ZONE,), integration=INTEGRATION, allow_loopback=allow_loopback)
    if base.scheme == "http" or _HOST.fullmatch(base.host) is not None:
        return base
    raise UnsafeAddress(
        "this Autotask host takes no API calls",
        remedy="Give https://webservices.autotask.net: the server of your zone is found from the user name.",
    )


def parse_zone(url: str, *, allow_loopback: bool) -> BaseAddress:
    """The server of a zone as Autotask names it (``https://webservices5.autotask.net/ATServicesRest/``).

    Only its host is taken; the path is Trueup's own. Raises UnsafeAddress before any secret was sent there.
    """
    found = _ZONE_URL.fullmatch(url) if len(url) <= 300 else None
    try:
        if found is not None:
            return parse_address(found["server"].lower(), allow_loopback=allow_loopback)
    except UnsafeAddress:
        found = None
    raise UnsafeAddress(
        "the zone information names a server that is not one of Autotask's own; nothing was sent there",
        remedy="Check the Autotask address; a genuine answer names a host such as webservices5.autotask.net.",
    )
