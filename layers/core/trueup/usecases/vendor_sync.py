"""Read the vendor in full: a complete snapshot or nothing."""

from __future__ import annotations

from trueup.domain.integrations import Side
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.state import Checkpoints, Integrations, Snapshots
from trueup.ports.vault import Vault
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
    clock: Clock,
) -> ReadResult:
    """Read on until done or out of time; see ``read_side`` for what is raised. Raises NotConnected without a vendor."""
    return read_side(
        order,
        integration=connected(Side.VENDOR, integrations).name,
        read_page=open_vendor(
            integrations=integrations, vault=vault, connections=connections, customer_file=order.customer_file
        ).read_page,
        snapshots=snapshots,
        checkpoints=checkpoints,
        clock=clock,
    )
