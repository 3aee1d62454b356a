"""Everything Trueup remembers, in one hand: one field for each state port, so that wiring passes a single value.

Use cases never take the bundle; they take the ports they need by keyword.
"""

from __future__ import annotations

from dataclasses import dataclass

from trueup.ports.change_orders import ChangeOrders
from trueup.ports.comparisons import ComparisonRecords
from trueup.ports.counting_policies import CountingPolicies
from trueup.ports.notices import Notices
from trueup.ports.portal_users import PortalUsers
from trueup.ports.sealing import SealedStore
from trueup.ports.state import (
    Accounts,
    Allocations,
    ApiKeys,
    Checkpoints,
    Counters,
    History,
    Idempotency,
    Integrations,
    Leases,
    PlanIndex,
    Plans,
    Reconciliations,
    Runs,
    Services,
    Snapshots,
    Uploads,
)


@dataclass(frozen=True, slots=True)
class State:
    """The stores of one tenant; all of them are on the same table, so what belongs together is written together."""

    integrations: Integrations
    snapshots: Snapshots
    accounts: Accounts
    services: Services
    allocations: Allocations
    runs: Runs
    reconciliations: Reconciliations
    plans: Plans
    plan_index: PlanIndex
    history: History
    leases: Leases
    checkpoints: Checkpoints
    idempotency: Idempotency
    uploads: Uploads
    api_keys: ApiKeys
    counters: Counters
    notices: Notices
    comparison_records: ComparisonRecords
    sealed_months: SealedStore
    license_accounts: Accounts
    counting_policies: CountingPolicies
    change_orders: ChangeOrders
    portal_users: PortalUsers
