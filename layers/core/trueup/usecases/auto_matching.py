"""Bring the lists of vendor accounts and of tenants up to date, map equal names, and rank suggestions for the rest.

Only accounts that nobody has decided on are touched: a mapping holds by id through every rename, and what a person
decided, mapped, excluded or taken back, stays as decided. A mapping counts in the PSA it was made in: once another one
was read, it is kept as a former one and the account is matched again (trueup.domain.rematching).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from trueup.domain.accounts import AccountState, VendorAccount, VendorAccountId, VendorFacts
from trueup.domain.audit import Audit
from trueup.domain.canonical import sha256
from trueup.domain.errors import NotFound, VersionConflict
from trueup.domain.facts import psa_facts, vendor_facts
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.mapping import AccountEntry, MappingState, MatchingSummary, ServiceEntry, kinds_of_systems
from trueup.domain.matching import MatchRule
from trueup.domain.reconcile import mapping_totals
from trueup.domain.runs import Snapshot
from trueup.ports.clock import Clock
from trueup.ports.similarity import NameSimilarity
from trueup.ports.state import Accounts, Integrations, Services, Snapshots
from trueup.usecases.account_matching import AUTOMATIC, Here, Matched, match_accounts
from trueup.usecases.license_sync import is_told_by
from trueup.usecases.opening import connected, connected_sides

RULE_WORDS = {
    MatchRule.EXACT: "exact names, unique on both sides",
    MatchRule.SAFE_KEY: "safe keys, unique on both sides",
    MatchRule.STORED_ID: "ids of the PSA before that this one stores",
    MatchRule.FORMER_NAME: "names of the clients in the PSA before",
    MatchRule.PERSON: "decided by a person when this PSA was connected before",
    MatchRule.IMPORT: "imported when this PSA was connected before",
}

ATTEMPTS = 3
"""A person may decide on an account while names are compared; then all is looked at again."""


def auto_match(
    *,
    run_id: str,
    snapshots: Snapshots,
    accounts: Accounts,
    services: Services,
    integrations: Integrations,
    similarity: NameSimilarity,
    clock: Clock,
) -> MatchingSummary:
    """Match on the latest complete read of both sides. Safe to repeat.

    Raises NotFound when a side was never read, VersionConflict when people go on deciding faster than this compares.
    """
    for attempt in range(ATTEMPTS):
        try:
            return _auto_match(run_id, snapshots, accounts, services, integrations, similarity, clock)
        except VersionConflict:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the loop returns or raises")


def _auto_match(
    run_id: str,
    snapshots: Snapshots,
    accounts: Accounts,
    services: Services,
    integrations: Integrations,
    similarity: NameSimilarity,
    clock: Clock,
) -> MatchingSummary:
    vendor_read, psa_read = _latest(snapshots, Side.VENDOR), _latest(snapshots, Side.PSA)
    vendor = vendor_facts(snapshots.vendor_pages(vendor_read))
    now = clock.now()
    before = {entry.vendor_id: entry for entry in accounts.all()}
    matched = match_accounts(
        before,
        vendor.accounts,
        {account.id: account for account in psa_facts(snapshots.psa_pages(psa_read)).accounts},
        here=_here(psa_read, integrations),
        kinds=kinds_of_systems([*before.values(), *services.all()]),
        read=vendor_read,
        similarity=similarity,
        now=now,
    )
    accounts.save(matched.changed(before), _audits(matched.newly, "accounts", now, run_id, vendor_read, psa_read))
    services.save(_services(services.all(), vendor), [])
    return _summary(matched)


def match_tenants(
    *,
    run_id: str,
    snapshots: Snapshots,
    license_accounts: Accounts,
    integrations: Integrations,
    similarity: NameSimilarity,
    clock: Clock,
) -> MatchingSummary | None:
    """The same for the tenants whose licenses are counted, by the names that Microsoft 365 gives them. Safe to repeat.

    None when licenses are not connected, or were not read yet. Raises as ``auto_match``.
    """
    if Side.LICENSES not in connected_sides(integrations):
        return None
    integration = connected(Side.LICENSES, integrations)
    read = snapshots.latest(Side.LICENSES)
    if read is None or read.system != integration.system:
        return None
    for attempt in range(ATTEMPTS):
        try:
            return _match_tenants(
                run_id, integration.name, read, snapshots, license_accounts, integrations, similarity, clock
            )
        except VersionConflict:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the loop returns or raises")


def _match_tenants(
    run_id: str,
    source: IntegrationName,
    read: Snapshot,
    snapshots: Snapshots,
    license_accounts: Accounts,
    integrations: Integrations,
    similarity: NameSimilarity,
    clock: Clock,
) -> MatchingSummary:
    psa_read = _latest(snapshots, Side.PSA)
    now = clock.now()
    # What another source of licenses listed has other ids: it is neither gone nor does it hold a client's place here.
    before = {entry.vendor_id: entry for entry in license_accounts.all() if is_told_by(entry.vendor_id, source)}
    listed = [
        VendorAccount(VendorAccountId(tenant.id), tenant.name, AccountState.ACTIVE, tenant.failure)
        for page in snapshots.license_pages(read)
        for tenant in page.accounts
    ]
    matched = match_accounts(
        before,
        listed,
        {account.id: account for account in psa_facts(snapshots.psa_pages(psa_read)).accounts},
        here=_here(psa_read, integrations),
        kinds=kinds_of_systems(before.values()),
        read=read,
        similarity=similarity,
        now=now,
    )
    license_accounts.save(matched.changed(before), _audits(matched.newly, "tenants", now, run_id, read, psa_read))
    return _summary(matched)


def _summary(matched: Matched) -> MatchingSummary:
    return MatchingSummary(
        totals=mapping_totals(matched.entries.values()), newly_mapped=len(matched.newly), renamed=matched.renamed
    )


def _latest(snapshots: Snapshots, side: Side) -> Snapshot:
    snapshot = snapshots.latest(side)
    if snapshot is None:
        raise NotFound(f"the {side.value} was never read in full", remedy="Sync first: trueup sync.")
    return snapshot


def _here(psa_read: Snapshot, integrations: Integrations) -> Here:
    """The PSA that was read; of no kind when another one is connected by now."""
    system = psa_read.system
    named = [item.name.value for item in integrations.all() if item.name.side is Side.PSA and item.system == system]
    return Here(system, named[0] if named and system else "")


def _services(before: Iterable[ServiceEntry], vendor: VendorFacts) -> list[ServiceEntry]:
    """Service entries that are new or changed by this read; one that is no longer sold keeps its mapping."""
    known = {entry.service_id: entry for entry in before}
    counted: dict[str, int] = {}
    for count in vendor.counts:
        counted[count.service_id] = counted.get(count.service_id, 0) + 1
    changed = []
    for service in vendor.services:
        entry = known.get(service.id) or ServiceEntry(service.id, service.name, service.kind, MappingState.UNMAPPED)
        new = replace(entry, name=service.name, kind=service.kind, accounts_counted=counted.get(service.id, 0))
        if new != known.get(service.id):
            changed.append(new)
    return changed


def _audits(newly: Sequence[AccountEntry], what: str, now: datetime, run_id: str, *reads: Snapshot) -> list[Audit]:
    """What the history says of everything that was mapped just now, in one event; none when nothing was."""
    if not newly:
        return []
    pairs = [[entry.vendor_id, entry.psa_id, entry.decision.rule if entry.decision else ""] for entry in newly]
    audit = Audit(
        at=now,
        actor=AUTOMATIC,
        action=f"{what} mapped",
        subject=f"{len(newly)} {what}",
        after=sha256(pairs),
        why="; ".join(sorted({RULE_WORDS[entry.decision.rule] for entry in newly if entry.decision is not None})),
        evidence=sha256([read.digest for read in reads]),
        run_id=run_id,
    )
    return [audit]
