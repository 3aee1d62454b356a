"""One client's counts and verdicts, worked out live on the latest complete reads; nothing is stored or proposed.

Only what concerns the client is looked at, with the very rules that a run compares everything with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from trueup.domain.account_refreshing import records_of
from trueup.domain.accounts import VendorAccountId, VendorPage
from trueup.domain.billing import PsaAccount, PsaAccountId, PsaFacts
from trueup.domain.errors import NotFound
from trueup.domain.facts import vendor_facts
from trueup.domain.integrations import Side
from trueup.domain.mapping import in_system
from trueup.domain.periods import Period, local_day
from trueup.domain.reconcile import Legs, reconcile
from trueup.domain.runs import Snapshot
from trueup.domain.verdicts import Reconciliation
from trueup.ports.change_orders import ChangeOrders
from trueup.ports.clock import Clock
from trueup.ports.counting_policies import CountingPolicies
from trueup.ports.state import Accounts, Allocations, Integrations, Services, Snapshots
from trueup.usecases.license_sync import latest_licensed_legs
from trueup.usecases.opening import connected
from trueup.usecases.reconciliation import ReconciliationPolicy, sent_orders


@dataclass(frozen=True, slots=True)
class ClientCounts:
    """What the reads say of one client now. ``psa_read_at`` is when this client's own records were read,
    ``licenses_read_at`` is None where license counts are not connected or were never read.
    """

    account: PsaAccount
    found: Reconciliation
    vendor_read_at: datetime
    psa_read_at: datetime
    at: datetime
    licenses_read_at: datetime | None = None


def client_counts(
    account_id: PsaAccountId,
    *,
    policy: ReconciliationPolicy,
    integrations: Integrations,
    snapshots: Snapshots,
    accounts: Accounts,
    services: Services,
    allocations: Allocations,
    license_accounts: Accounts,
    counting_policies: CountingPolicies,
    change_orders: ChangeOrders,
    clock: Clock,
) -> ClientCounts:
    """Raises NotFound when the client was not in the last complete read of the PSA, or a side was never read."""
    system = connected(Side.PSA, integrations).system
    psa_read, vendor_read = _latest(snapshots, Side.PSA), _latest(snapshots, Side.VENDOR)
    if psa_read.system != system:
        raise NotFound("the connected PSA was not read in full yet", remedy="Start a run first.")
    client, facts = _records(snapshots, psa_read, account_id)
    entries = tuple(
        entry for entry in accounts.all() if entry.psa_id == account_id and entry.psa_system in ("", system)
    )
    mine = {entry.vendor_id for entry in entries}
    now = clock.now()
    psa_read_at = dict(psa_read.refreshed).get(str(account_id), psa_read.accounts_as_of or psa_read.completed_at)
    licensed = latest_licensed_legs(
        account_id,
        psa_system=system,
        integrations=integrations,
        snapshots=snapshots,
        license_accounts=license_accounts,
        counting_policies=counting_policies,
    )
    orders = sent_orders(policy, change_orders)
    found = reconcile(
        Legs(
            period=str(Period.at(now, policy.time_zone)),
            on=local_day(now, policy.time_zone),
            vendor=vendor_facts(_only(snapshots.vendor_pages(vendor_read), mine)),
            psa=facts,
            psa_read_at=psa_read_at,
            accounts=entries,
            services=in_system(services.all(), system),
            currency=policy.currency,
            allocations=tuple(
                one for one in allocations.all() if one.psa_account_id == account_id and one.psa_system in ("", system)
            ),
            licensed=licensed.counts,
            ordered=orders.counted,
            basis=policy.billing_basis,
            open_orders=orders.open,
            licenses_are_connected=licensed.is_connected,
        )
    )
    licenses_read_at = licensed.snapshot.completed_at if licensed.snapshot is not None else None
    return ClientCounts(client, found, vendor_read.completed_at, psa_read_at, now, licenses_read_at)


def _records(snapshots: Snapshots, read: Snapshot, account_id: PsaAccountId) -> tuple[PsaAccount, PsaFacts]:
    """The client and what is its own in the PSA. Raises NotFound."""
    found = records_of(snapshots.psa_pages(read), account_id)
    if found.account is None:
        raise NotFound(
            f"the PSA listed no client {account_id!r} when it was last read", remedy="Check the client's id."
        )
    return found.account, PsaFacts((found.account,), found.agreements, found.lines)


def _latest(snapshots: Snapshots, side: Side) -> Snapshot:
    snapshot = snapshots.latest(side)
    if snapshot is None:
        raise NotFound(f"the {side.value} was never read in full", remedy="Start a run first.")
    return snapshot


def _only(pages: Iterable[VendorPage], wanted: set[VendorAccountId]) -> Iterator[VendorPage]:
    """The pages with nothing but those accounts; services stay, for they carry the names."""
    for page in pages:
        yield replace(
            page,
            accounts=tuple(item for item in page.accounts if item.id in wanted),
            counts=tuple(item for item in page.counts if item.account_id in wanted),
        )
