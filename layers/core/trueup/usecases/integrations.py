"""Finishing the mapping: from pending to active."""

from __future__ import annotations

from dataclasses import replace

from trueup.domain.audit import Audit
from trueup.domain.errors import Conflict
from trueup.domain.integrations import ConnectionState, Integration, Side
from trueup.domain.mapping import MappingState, in_system
from trueup.ports.clock import Clock
from trueup.ports.state import Accounts, Integrations, Services


def finish(
    *, actor: str, integrations: Integrations, accounts: Accounts, services: Services, clock: Clock
) -> tuple[Integration, ...]:
    """Make every connected integration active. The caller starts the sync that follows.

    Raises Conflict saying what is missing: both sides connected, one account mapped, one service mapped. What is mapped
    in a PSA that is not the connected one does not count. License counts need not be connected, and no tenant mapped.
    """
    missing = []
    connected = [item for item in integrations.all() if item.state is not ConnectionState.NOT_CONNECTED]
    sides = {item.name.side for item in connected}
    if any(side.is_required and side not in sides for side in Side):
        missing.append("a vendor and a PSA must be connected")
    systems = [item.system for item in connected if item.name.side is Side.PSA]
    system = systems[0] if systems else ""
    if not any(entry.state is MappingState.MAPPED for entry in in_system(accounts.all(), system)):
        missing.append("at least one account must be mapped")
    if not any(entry.state is MappingState.MAPPED for entry in in_system(services.all(), system)):
        missing.append("at least one service must be mapped")
    if missing:
        raise Conflict("not ready to finish: " + "; ".join(missing), remedy="Do that first, then finish again.")
    now = clock.now()
    done = []
    for integration in connected:
        if integration.state is ConnectionState.PENDING:
            audit = Audit(at=now, actor=actor, action="mapping finished", subject=integration.name)
            integration = integrations.save(replace(integration, state=ConnectionState.ACTIVE, finished_at=now), audit)
        done.append(integration)
    return tuple(done)
