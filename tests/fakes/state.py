"""Every state port in memory, held to the same contract suite as the table. For use-case tests.

Method: one lock and one set of dictionaries; a write checks everything before it changes anything, so that it is whole.
``FakeState.switches`` makes a chosen call fail before or after its effect, and lists every call, so that a test can
crash a use case at each of its effects in turn. Must not: know how the table keeps things.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fakes.state_memory import Memory, Switches
from tests.fakes.state_notices import FakeNotices
from tests.fakes.state_orders import FakeChangeOrders
from tests.fakes.state_plans import FakePlans
from tests.fakes.state_portal import FakePortalUsers
from tests.fakes.state_records import (
    FakeAccounts,
    FakeCountingPolicies,
    FakeHistory,
    FakeIntegrations,
    FakeLicenseAccounts,
    FakeServices,
    FakeSnapshots,
)
from tests.fakes.state_sealing import FakeSealedMonths
from tests.fakes.state_work import (
    FakeAllocations,
    FakeApiKeys,
    FakeCheckpoints,
    FakeCounters,
    FakeIdempotency,
    FakeLeases,
    FakeReconciliations,
    FakeRuns,
    FakeUploads,
)
from trueup.ports.clock import Clock
from trueup.ports.state_bundle import State


@dataclass(frozen=True, slots=True)
class FakeState(State):
    """The bundle with its switches."""

    switches: Switches


def fake_state(clock: Clock) -> FakeState:
    """An empty state of one tenant."""
    memory = Memory(clock)
    plans = FakePlans(memory)
    comparisons = FakeReconciliations(memory)
    stores: dict[str, Any] = {
        "integrations": FakeIntegrations(memory),
        "snapshots": FakeSnapshots(memory),
        "accounts": FakeAccounts(memory),
        "services": FakeServices(memory),
        "allocations": FakeAllocations(memory),
        "runs": FakeRuns(memory),
        "reconciliations": comparisons,
        "plans": plans,
        "plan_index": plans,
        "history": FakeHistory(memory),
        "leases": FakeLeases(memory),
        "checkpoints": FakeCheckpoints(memory),
        "idempotency": FakeIdempotency(memory),
        "uploads": FakeUploads(memory),
        "api_keys": FakeApiKeys(memory),
        "counters": FakeCounters(memory),
        "notices": FakeNotices(memory),
        "comparison_records": comparisons,
        "sealed_months": FakeSealedMonths(memory),
        "license_accounts": FakeLicenseAccounts(memory),
        "counting_policies": FakeCountingPolicies(memory),
        "change_orders": FakeChangeOrders(memory),
        "portal_users": FakePortalUsers(memory),
    }
    return FakeState(**stores, switches=memory.switches)
