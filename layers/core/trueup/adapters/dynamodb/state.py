"""Opens the state of one tenant on the table. Must not: hold a client of its own; it is given one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trueup.adapters.dynamodb.accounts import DynamoDbAccounts, DynamoDbServices
from trueup.adapters.dynamodb.allocations import DynamoDbAllocations
from trueup.adapters.dynamodb.api_keys import DynamoDbApiKeys
from trueup.adapters.dynamodb.change_orders import DynamoDbChangeOrders
from trueup.adapters.dynamodb.coordination import DynamoDbCheckpoints, DynamoDbIdempotency, DynamoDbLeases
from trueup.adapters.dynamodb.counters import DynamoDbCounters
from trueup.adapters.dynamodb.counting_policies import DynamoDbCountingPolicies
from trueup.adapters.dynamodb.history import DynamoDbHistory
from trueup.adapters.dynamodb.integrations import DynamoDbIntegrations
from trueup.adapters.dynamodb.keys import LICENSE_ACCOUNTS
from trueup.adapters.dynamodb.notices import DynamoDbNotices
from trueup.adapters.dynamodb.plans import DynamoDbPlans
from trueup.adapters.dynamodb.portal_users import DynamoDbPortalUsers
from trueup.adapters.dynamodb.reconciliations import DynamoDbReconciliations
from trueup.adapters.dynamodb.runs import DynamoDbRuns
from trueup.adapters.dynamodb.sealed_months import DynamoDbSealedMonths
from trueup.adapters.dynamodb.snapshots import DynamoDbSnapshots
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.adapters.dynamodb.uploads import DynamoDbUploads
from trueup.ports.clock import Clock
from trueup.ports.state_bundle import State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


def open_state(client: DynamoDBClient, *, table_name: str, tenant: str, clock: Clock) -> State:
    """Every store of that tenant. Raises ConfigurationInvalid for a tenant's name that a key cannot hold."""
    return state_on(DynamoDbTable(client, table_name, tenant, clock))


def state_on(table: DynamoDbTable) -> State:
    """Every store on that table."""
    plans = DynamoDbPlans(table)
    comparisons = DynamoDbReconciliations(table)
    return State(
        integrations=DynamoDbIntegrations(table),
        snapshots=DynamoDbSnapshots(table),
        accounts=DynamoDbAccounts(table),
        services=DynamoDbServices(table),
        allocations=DynamoDbAllocations(table),
        runs=DynamoDbRuns(table),
        reconciliations=comparisons,
        plans=plans,
        plan_index=plans,
        history=DynamoDbHistory(table),
        leases=DynamoDbLeases(table),
        checkpoints=DynamoDbCheckpoints(table),
        idempotency=DynamoDbIdempotency(table),
        uploads=DynamoDbUploads(table),
        api_keys=DynamoDbApiKeys(table),
        counters=DynamoDbCounters(table),
        notices=DynamoDbNotices(table),
        comparison_records=comparisons,
        sealed_months=DynamoDbSealedMonths(table),
        license_accounts=DynamoDbAccounts(table, LICENSE_ACCOUNTS),
        counting_policies=DynamoDbCountingPolicies(table),
        change_orders=DynamoDbChangeOrders(table),
        portal_users=DynamoDbPortalUsers(table),
    )
