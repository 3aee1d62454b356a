"""Read the vendor in full: a complete snapshot or nothing. The customer file that is kept stands in where it must."""

from __future__ import annotations

from trueup.domain.integrations import Side
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.state import Checkpoints, Integrations, Snapshots, Uploads
from trueup.ports.vault import Vault
from trueup.usecases.customer_file import kept_customer_file
from trueup.usecases.opening import connected, open_vendor
from trueup.usecases.reading import ReadOrder, ReadResult, read_side


def sync_vendor(
    order: ReadOrder,
    *,
    integrations: Integrations,
    vault: Vault,
    connections: Connections,
    snapshots: Snapshots,
    checkpoints: Checkpoints,
    uploads: Uploads,
    clock: Clock,
) -> ReadResult:
    """Read on until done or out of time; see ``read_side`` for what is raised. Raises NotConnected without a vendor."""
    integration = connected(Side.VENDOR, integrations)
    file = kept_customer_file(integration.name, uploads=uploads)
    vendor = open_vendor(integrations=integrations, vault=vault, connections=connections, customer_file=file)
    return read_side(
        order,
        integration=integration.name,
        system=integration.system,
        read_page=vendor.read_page,
        snapshots=snapshots,
        checkpoints=checkpoints,
        clock=clock,
    )
