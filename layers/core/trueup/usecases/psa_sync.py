"""Read the PSA in full: a complete snapshot or nothing. Services that were billed in another PSA find their product."""

from __future__ import annotations

from trueup.domain.integrations import Side
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.state import Accounts, Checkpoints, Integrations, Services, Snapshots
from trueup.ports.vault import Vault
from trueup.usecases.opening import connected, open_psa
from trueup.usecases.psa_switch import name_system_left, rematch_services
from trueup.usecases.reading import ReadOrder, ReadResult, read_side


def sync_psa(
    order: ReadOrder,
    *,
    integrations: Integrations,
    vault: Vault,
    connections: Connections,
    snapshots: Snapshots,
    checkpoints: Checkpoints,
    accounts: Accounts,
    services: Services,
    clock: Clock,
) -> ReadResult:
    """Read on until done or out of time; see ``read_side`` for what is raised. Raises NotConnected without a PSA."""
    psa = open_psa(integrations=integrations, vault=vault, connections=connections)
    integration = connected(Side.PSA, integrations)
    name_system_left(integration, snapshots=snapshots, accounts=accounts, services=services)
    result = read_side(
        order,
        integration=integration.name,
        system=integration.system,
        read_page=psa.read_page,
        snapshots=snapshots,
        checkpoints=checkpoints,
        clock=clock,
    )
    if result.snapshot is not None:
        rematch_services(integration, psa=psa, services=services, run_id=order.run_id, clock=clock)
    return result
