"""Which servers are called with which credential: Microsoft Graph and the login server of the same cloud.

Method: a fixed table of pairs, matched whole; no other host exists. A client secret goes to the login server that
belongs to the Graph it was connected with, and nowhere else. No repr and no error shows the secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from trueup.adapters.outbound_address import BaseAddress, parse_base_address
from trueup.domain.errors import InputInvalid, UnsafeAddress

LOGIN_HOSTS: Final[Mapping[str, str]] = {
    "graph.microsoft.com": "login.microsoftonline.com",
    "graph.microsoft.us": "login.microsoftonline.us",
    "dod-graph.microsoft.us": "login.microsoftonline.us",
    "microsoftgraph.chinacloudapi.cn": "login.chinacloudapi.cn",
}
"""Graph and its login server in each cloud: global, US Government, US Government DoD, China (documented; the login host
of China is also documented as login.partner.microsoftonline.cn, of which this one is the older name).
"""

CREDENTIAL_FIELDS: Final = ("tenant_id", "client_id", "client_secret")

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_VISIBLE_ASCII = re.compile(r"[!-~]{1,512}")


@dataclass(frozen=True, slots=True)
class CloudAddress:
    """Graph and the login server of one cloud. On loopback one simulator plays both."""

    graph: BaseAddress
    login: BaseAddress


@dataclass(frozen=True, slots=True)
class GraphCredential:
    """The MSP's own tenant, and the id and secret of its multitenant application."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)


def parse_address(text: str, *, allow_loopback: bool) -> CloudAddress:
    """The checked pair of servers for the address of a Graph. Raises UnsafeAddress with the fix."""
    graph = parse_base_address(
        text, allowed_suffixes=tuple(LOGIN_HOSTS), integration="Microsoft 365", allow_loopback=allow_loopback
    )
    if graph.scheme == "http":
        return CloudAddress(graph, graph)
    login = LOGIN_HOSTS.get(graph.host)
    if login is None:
        raise UnsafeAddress(
            "this Microsoft Graph host is not one that is allowed",
            remedy=f"Give one of: {', '.join(f'https://{host}' for host in LOGIN_HOSTS)}.",
        )
    return CloudAddress(graph, BaseAddress("https", login, None))


def parse_credential(fields: Mapping[str, str]) -> GraphCredential:
    """The credential from its three stored fields. Raises InputInvalid naming the field, never its value."""
    for name in CREDENTIAL_FIELDS:
        value = fields.get(name)
        if not isinstance(value, str) or not _VISIBLE_ASCII.fullmatch(value):
            raise InputInvalid(
                f"the Microsoft 365 {name} is missing or holds spaces, control characters or letters outside ASCII",
                field=name,
                remedy=f"Copy the {name} from the Entra admin center again, without spaces or line ends.",
            )
    ids = {name: fields[name].lower() for name in ("tenant_id", "client_id")}
    for name, value in ids.items():
        # Both become a part of an address or are compared with what comes back: nothing but an id may be in them.
        if tenant_id_of(value) is None:
            raise InputInvalid(
                f"the Microsoft 365 {name} is not an id such as 00000000-0000-0000-0000-000000000000",
                field=name,
                remedy="Copy the id itself from the Entra admin center, not a name or a domain.",
            )
    return GraphCredential(ids["tenant_id"], ids["client_id"], fields["client_secret"])


def tenant_id_of(text: object) -> str | None:
    """The id in lower case, in which two spellings of it are the same; None for anything that is no id."""
    if not isinstance(text, str):
        return None
    lower = text.lower() if text.isascii() else ""
    return lower if _GUID.fullmatch(lower) else None
