"""Read the PSA in full: a complete snapshot or nothing."""

from __future__ import annotations

from trueup.domain.integrations import Side
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.state import Checkpoints, Integrations, Snapshots
from trueup.ports.vault import Vault
from trueup.usecases.opening import connected, open_psa
from trueup.usecases.reading import ReadOrder, ReadResult, read_side


def sync_psa(
    order: ReadOrder,
    *,
    integrations: Integrations,
    vault: Vault,
    connections: Connections,
    snapshots: Snapshots,
    checkpoints: Checkpoints,
    clock: Clock,
) -> ReadResult:
    """Read on until done or out of time; see ``read_side`` for what is raised. Raises NotConnected without a PSA."""
    psa = open_psa(integrations=integrations, vault=vault, connections=connections)
    integration = connected(Side.PSA, integrations)
    return read_side(
        order,
        integration=integration.name,
        system=integration.system,
        read_page=psa.read_page,
        snapshots=snapshots,
        checkpoints=checkpoints,
        clock=clock,
    )
