"""Which HaloPSA server is called, and where its tokens may be asked for, checked before anything is sent.

The address of the token server is told by HaloPSA itself (authinfo), so it is remote-supplied: it must be the same
server, or the same tenant's host in another of Halo's own zones. No repr and no error shows the secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from trueup.adapters.halopsa.wire import INTEGRATION
from trueup.adapters.outbound_address import BaseAddress, parse_base_address
from trueup.domain.errors import InputInvalid, UnsafeAddress

CLOUD_SUFFIXES: Final = ("halopsa.com", "haloservicedesk.com", "haloitsm.com")
"""Where Halo hosts its tenants, each as one label before the zone: HaloPSA's own, the older name of the same product,
and its sister product, which some MSPs run on the same code (seen in the field)."""

CREDENTIAL_FIELDS: Final = ("client_id", "client_secret")

_VISIBLE_ASCII = re.compile(r"[!-~]{1,512}")
_AUTH_URL = re.compile(r"(?P<server>https?://[^/?#\\@\s]{1,260})(?P<path>(?:/[A-Za-z0-9_-]{1,60}){0,3})/?", re.ASCII)


@dataclass(frozen=True, slots=True)
class HaloCredential:
    """The Client ID and secret of a Halo API application of the kind Client ID and Secret (Services)."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenServer:
    """Where tokens are asked for: a checked server and the path below which ``/token`` is."""

    base: BaseAddress
    path: str


def parse_credential(fields: Mapping[str, str]) -> HaloCredential:
    """The credential from its two stored fields. Raises InputInvalid naming the field, never its value."""
    for name in CREDENTIAL_FIELDS:
        value = fields.get(name)
        if not isinstance(value, str) or not _VISIBLE_ASCII.fullmatch(value):
            raise InputInvalid(
                f"the HaloPSA {name} is missing or holds spaces, control characters or letters outside ASCII",
                field=name,
                remedy=f"Copy the {name} from HaloPSA again, without spaces or line ends.",
            )
    return HaloCredential(fields["client_id"], fields["client_secret"])


def parse_address(text: str, *, allow_loopback: bool, additional_hosts: Collection[str] = ()) -> BaseAddress:
    """The checked server of a HaloPSA tenant: ``https://TENANT.halopsa.com`` or a host that was allowed by name.

    ``additional_hosts`` are exact names of servers an MSP runs itself or has given a name of its own. Raises
    UnsafeAddress with the fix.
    """
    exact = frozenset(additional_hosts)
    base = parse_base_address(
        text, allowed_suffixes=(*CLOUD_SUFFIXES, *exact), integration="HaloPSA", allow_loopback=allow_loopback
    )
    if base.scheme == "http" or base.host in exact or tenant_label(base) is not None:
        return base
    raise UnsafeAddress(
        "this HaloPSA host is not one that is allowed",
        remedy="Give the address you sign in at, such as https://yourname.halopsa.com; a server with a name of its own "
        "is named whole in TRUEUP_HALOPSA_HOSTS.",
    )


def tenant_label(base: BaseAddress) -> str | None:
    """The one label before a zone of Halo's, or None for any other host."""
    for suffix in CLOUD_SUFFIXES:
        label = base.host.removesuffix(f".{suffix}")
        if label != base.host and "." not in label:
            return label
    return None


def token_server_beside(base: BaseAddress) -> TokenServer:
    """Where tokens are asked for when HaloPSA does not say: seen in the field."""
    return TokenServer(base, "/auth")


def parse_token_server(text: str, base: BaseAddress, additional_hosts: Collection[str] = ()) -> TokenServer:
    """The token server that ``base`` names, when it is its own or the same tenant's. Raises UnsafeAddress otherwise,
    before the secret was sent anywhere.
    """
    found = _AUTH_URL.fullmatch(text)
    if found is None:
        raise _refusal()
    try:
        server = parse_address(found["server"], allow_loopback=base.scheme == "http", additional_hosts=additional_hosts)
    except UnsafeAddress:
        raise _refusal() from None
    label = tenant_label(base)
    if server != base and (label is None or tenant_label(server) != label):
        raise _refusal()
    return TokenServer(server, found["path"])


def _refusal() -> UnsafeAddress:
    return UnsafeAddress(
        f"{INTEGRATION} names a token server that is not this tenant's own; the secret was not sent",
        remedy="Check the HaloPSA address. If a server of your own gives tokens, name both hosts as one: serve them "
        "under the same name.",
    )
