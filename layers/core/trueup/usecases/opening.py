"""Opening the connected systems with the credential that is kept for them."""

from __future__ import annotations

from collections.abc import Mapping

from trueup.domain.effective import PSA_CAPABILITIES, PsaCapabilities
from trueup.domain.errors import Conflict, NotConnected
from trueup.domain.integrations import CREDENTIAL_FIELDS, ConnectionState, Integration, IntegrationName, Side
from trueup.domain.uploads import Upload
from trueup.ports.connections import Connections
from trueup.ports.licenses import EarlierReads, LicenseReading
from trueup.ports.portal_users import PortalUserReading
from trueup.ports.psa import PsaBilling, PsaLineCreation
from trueup.ports.state import Integrations
from trueup.ports.vault import Vault
from trueup.ports.vendor import VendorBilling


def connected(side: Side, integrations: Integrations) -> Integration:
    """The one integration that feeds that side.

    Raises NotConnected naming what to connect, Conflict when two are connected: which of them is meant is a person's
    to say.
    """
    found = [
        integration
        for integration in integrations.all()
        if integration.name.side is side and integration.state is not ConnectionState.NOT_CONNECTED
    ]
    if len(found) > 1:
        names = " and ".join(integration.name.label for integration in found)
        raise Conflict(
            f"{names} are connected at the same time, and only one {side.value} can be",
            remedy=f"Disconnect the one that is not used any more: trueup disconnect {found[0].name.value}.",
        )
    if found:
        return found[0]
    wanted = next(name for name in IntegrationName if name.side is side)
    raise NotConnected(f"no {side.value} is connected", remedy=f"Connect one first: trueup connect {wanted.value}.")


def connected_sides(integrations: Integrations) -> tuple[Side, ...]:
    """The sides that a run reads: the required ones whatever is connected, the others where they are."""
    there = {item.name.side for item in integrations.all() if item.state is not ConnectionState.NOT_CONNECTED}
    return tuple(side for side in Side if side.is_required or side in there)


def psa_capabilities(integrations: Integrations) -> PsaCapabilities:
    """What the connected PSA can do. Raises NotConnected."""
    return PSA_CAPABILITIES[connected(Side.PSA, integrations).name]


def stored_fields(integration: Integration, vault: Vault) -> Mapping[str, str]:
    """The credential kept for it; files have none. Raises NotConnected."""
    return vault.get(integration.name, host=integration.address) if CREDENTIAL_FIELDS[integration.name] else {}


def open_vendor(
    *, integrations: Integrations, vault: Vault, connections: Connections, customer_file: Upload | None = None
) -> VendorBilling:
    """The connected vendor. Raises NotConnected."""
    integration = connected(Side.VENDOR, integrations)
    fields = stored_fields(integration, vault)
    return connections.vendor(integration.name, integration.address, fields, customer_file=customer_file)


def open_portal_users(*, integrations: Integrations, vault: Vault, connections: Connections) -> PortalUserReading:
    """The partner's own account at the connected vendor. Raises NotConnected, also where only files are connected."""
    integration = connected(Side.VENDOR, integrations)
    if not CREDENTIAL_FIELDS[integration.name]:
        raise NotConnected(
            f"portal users are checked on your own account, and only {integration.name.label} are connected",
            remedy="Connect Mimecast itself: trueup connect mimecast --switch.",
        )
    fields = stored_fields(integration, vault)
    return connections.portal_users(integration.name, integration.address, fields)


def open_line_creation(*, integrations: Integrations, vault: Vault, connections: Connections) -> PsaLineCreation:
    """What makes lines in the connected PSA. Raises NotConnected, InputInvalid for a PSA where none can be made."""
    integration = connected(Side.PSA, integrations)
    fields = stored_fields(integration, vault)
    return connections.line_creation(integration.name, integration.address, fields)


def open_licenses(
    *, integrations: Integrations, vault: Vault, connections: Connections, earlier: EarlierReads | None = None
) -> LicenseReading:
    """What tells license counts. Raises NotConnected."""
    integration = connected(Side.LICENSES, integrations)
    fields = stored_fields(integration, vault)
    return connections.licenses(integration.name, integration.address, fields, earlier=earlier)


def open_psa(*, integrations: Integrations, vault: Vault, connections: Connections) -> PsaBilling:
    """The connected PSA. Raises NotConnected."""
    integration = connected(Side.PSA, integrations)
    fields = stored_fields(integration, vault)
    return connections.psa(integration.name, integration.address, fields)
