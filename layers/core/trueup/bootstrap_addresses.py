"""Which adapter checks the address of which system. Beside bootstrap, and for it alone.

Imports of adapters are inside the function on purpose, as in bootstrap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trueup.domain.integrations import IntegrationName
from trueup.settings import Settings

if TYPE_CHECKING:
    from trueup.adapters.outbound_address import BaseAddress


def parsed_address(name: IntegrationName, text: str, chosen: Settings) -> BaseAddress:
    """The server that may be called for that system. Raises UnsafeAddress."""
    loopback = chosen.allow_loopback
    match name:
        case IntegrationName.CONNECTWISE:
            from trueup.adapters.connectwise.address import parse_address

            return parse_address(text, allow_loopback=loopback, additional_hosts=chosen.connectwise_hosts)
        case IntegrationName.AUTOTASK:
            from trueup.adapters.autotask.address import parse_address as parse_autotask

            return parse_autotask(text, allow_loopback=loopback)
        case IntegrationName.HALOPSA:
            from trueup.adapters.halopsa.address import parse_address as parse_halopsa

            return parse_halopsa(text, allow_loopback=loopback, additional_hosts=chosen.halopsa_hosts)
        case IntegrationName.SYNCRO:
            from trueup.adapters.syncro.address import parse_address as parse_syncro

            return parse_syncro(text, allow_loopback=loopback)
        case IntegrationName.MICROSOFT365:
            from trueup.adapters.microsoft365.address import parse_address as parse_microsoft365

            return parse_microsoft365(text, allow_loopback=loopback).graph
    from trueup.adapters.mimecast.adapter import parse_mimecast_address

    return parse_mimecast_address(text, allow_loopback=loopback)
