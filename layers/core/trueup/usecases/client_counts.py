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
from trueup.ports.clock import Clock
from trueup.ports.state import Accounts, Allocations, Integrations, Services, Snapshots
from trueup.usecases.opening import connected
from trueup.usecases.reconciliation import ReconciliationPolicy


@dataclass(frozen=True, slots=True)
class ClientCounts:
    """What the reads say of one client now. ``psa_read_at`` is when this client's own records were read."""

    account: PsaAccount
    found: Reconciliation
    vendor_read_at: datetime
    psa_read_at: datetime
    at: datetime


def client_counts(
    account_id: PsaAccountId,
    *,
    policy: ReconciliationPolicy,
    integrations: Integrations,
    snapshots: Snapshots,
    accounts: Accounts,
    services: Services,
    allocations: Allocations,
    clock: Clock,
) -> ClientCounts:
    """Raises NotFound when the client was not in the last complete read of the PSA, or a side was never read."""
    system = connected(Side.PSA, integrations).system
    psa_read, vendor_read = _latest(snapshots, Side.PSA), _latest(snapshots, Side.VENDOR)
    if psa_read.system != system:
        raise NotFound("the connected PSA was not read in full yet", remedy="Start a run first.")
    records = records_of(snapshots.psa_pages(psa_read), account_id)
    if records.account is None:
        raise NotFound(
            f"the PSA listed no client {account_id!r} when it was last read", remedy="Check the client's id."
        )
    entries = tuple(
        entry for entry in accounts.all() if entry.psa_id == account_id and entry.psa_system in ("", system)
    )
    mine = {entry.vendor_id for entry in entries}
    now = clock.now()
    psa_read_at = dict(psa_read.refreshed).get(str(account_id), psa_read.accounts_as_of or psa_read.completed_at)
    found = reconcile(
        Legs(
            period=str(Period.at(now, policy.time_zone)),
            on=local_day(now, policy.time_zone),
            vendor=vendor_facts(_only(snapshots.vendor_pages(vendor_read), mine)),
            psa=PsaFacts((records.account,), records.agreements, records.lines),
            psa_read_at=psa_read_at,
            accounts=entries,
            services=in_system(services.all(), system),
            currency=policy.currency,
            allocations=tuple(
                one for one in allocations.all() if one.psa_account_id == account_id and one.psa_system in ("", system)
            ),
        )
    )
    return ClientCounts(records.account, found, vendor_read.completed_at, psa_read_at, now)


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
