"""Opening the connected systems with the credential that is kept for them."""

from __future__ import annotations

from trueup.domain.errors import NotConnected
from trueup.domain.integrations import ConnectionState, Integration, IntegrationName, Side
from trueup.domain.uploads import Upload
from trueup.ports.connections import Connections
from trueup.ports.psa import PsaBilling
from trueup.ports.state import Integrations
from trueup.ports.vault import Vault
from trueup.ports.vendor import VendorBilling


def connected(side: Side, integrations: Integrations) -> Integration:
    """The integration that feeds that side. Raises NotConnected naming what to connect."""
    for integration in integrations.all():
        if integration.name.side is side and integration.state is not ConnectionState.NOT_CONNECTED:
            return integration
    wanted = next(name for name in IntegrationName if name.side is side)
    raise NotConnected(f"no {side.value} is connected", remedy=f"Connect one first: trueup connect {wanted.value}.")


def open_vendor(
    *, integrations: Integrations, vault: Vault, connections: Connections, customer_file: Upload | None = None
) -> VendorBilling:
    """The connected vendor. Raises NotConnected."""
    integration = connected(Side.VENDOR, integrations)
    fields = vault.get(integration.name, host=integration.address)
    return connections.vendor(integration.name, integration.address, fields, customer_file=customer_file)


def open_psa(*, integrations: Integrations, vault: Vault, connections: Connections) -> PsaBilling:
    """The connected PSA. Raises NotConnected."""
    integration = connected(Side.PSA, integrations)
    fields = vault.get(integration.name, host=integration.address)
    return connections.psa(integration.name, integration.address, fields)
