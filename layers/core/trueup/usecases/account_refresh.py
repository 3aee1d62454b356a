"""What a callback told of: read that one client again, and let what was read stand in for what is known of it.

A callback is a hint, so the client is read through the PSA's own API whatever the message said. What comes of it is a
snapshot derived from the latest complete read: the records of one client are replaced, everything else, its run, its
period and its times included, stays. A plan may therefore be made on it as on the complete read itself: each client's
records come from one read, none is older than the complete read says, and a comparison never crosses clients. While a
run is still reading, its own complete read takes the place of whatever was derived before; a client that it read just
before a change is then as old as the rest, and nothing wrong is written, for every line is read again first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from trueup.domain.account_refreshing import (
    ClientRecords,
    client_of_agreement,
    doubtful,
    records_of,
    refreshed_pages,
    strange,
)
from trueup.domain.audit import Audit
from trueup.domain.billing import PsaAccountId, PsaPage
from trueup.domain.callbacks import CallbackHint
from trueup.domain.canonical import sha256
from trueup.domain.errors import NotConnected, ReadIncomplete, ResourceAbsent, VersionConflict
from trueup.domain.integrations import Integration, Side
from trueup.domain.mapping import AccountEntry
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.psa import PsaAccountReading
from trueup.ports.state import Accounts, Integrations, Snapshots
from trueup.ports.vault import Vault
from trueup.usecases.opening import connected, stored_fields

CALLBACK = "callback of the PSA"
"""The actor of what no person did."""

REFRESHED = "psa account read"
DELETED_WARNING = "the client is deleted in the PSA"

CLOCK_SKEW = timedelta(minutes=5)
"""How far the PSA's clock may be from ours: only a change that is older by more than this is sure to have been seen."""

ATTEMPTS = 5
"""Another refresh, or a complete read, may come in between; then the client is read again upon that one."""


class RefreshOutcome(StrEnum):
    """refreshed: something was different. unchanged: nothing was. older: the change had been seen already.
    left: what was read is left for the next complete read. ignored: it is of nothing that Trueup has read.
    """

    REFRESHED = "refreshed"
    UNCHANGED = "unchanged"
    OLDER = "older"
    LEFT = "left"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Refresh:
    outcome: RefreshOutcome
    reason: str = ""
    account_id: PsaAccountId | None = None
    snapshot_id: str = ""


def refresh_account(
    hint: CallbackHint,
    *,
    integrations: Integrations,
    vault: Vault,
    connections: Connections,
    snapshots: Snapshots,
    accounts: Accounts,
    clock: Clock,
) -> Refresh:
    """Act on one hint. Safe to repeat and in any order: what is read is always what the PSA says now.

    Raises VendorTrouble when the PSA cannot be read (the hint is to be kept and tried again), VersionConflict when
    others refresh faster than this reads.
    """
    integration = _asked(hint, integrations)
    if integration is None:
        return Refresh(RefreshOutcome.IGNORED, f"{hint.psa} is not the connected PSA")
    fields = stored_fields(integration, vault)
    psa = connections.account_reading(integration.name, integration.address, fields)
    for _ in range(ATTEMPTS - 1):
        try:
            return _refresh(hint, integration, psa, snapshots, accounts, clock)
        except VersionConflict:
            continue
    return _refresh(hint, integration, psa, snapshots, accounts, clock)


def _asked(hint: CallbackHint, integrations: Integrations) -> Integration | None:
    """The integration that the hint is of, if it is the one that is connected now."""
    try:
        integration = connected(Side.PSA, integrations)
    except NotConnected:
        return None
    return integration if integration.name is hint.psa else None


def _refresh(
    hint: CallbackHint,
    integration: Integration,
    psa: PsaAccountReading,
    snapshots: Snapshots,
    accounts: Accounts,
    clock: Clock,
) -> Refresh:
    base = snapshots.latest(Side.PSA)
    if base is None or base.system != integration.system:
        return Refresh(RefreshOutcome.IGNORED, "this PSA was not read in full yet")
    pages = tuple(snapshots.psa_pages(base))
    account_id = _account_of(hint, pages)
    if account_id is None:
        return Refresh(RefreshOutcome.IGNORED, "no client that was read has this agreement")
    if hint.changed_at is not None and hint.changed_at + CLOCK_SKEW <= base.account_read_at(account_id):
        return Refresh(RefreshOutcome.OLDER, "it was read in full after this change", account_id, base.id)
    before = records_of(pages, account_id)
    began_at = clock.now()
    fresh = _read(psa, account_id, before, integration)
    if fresh == before or fresh.account is None:
        return Refresh(RefreshOutcome.UNCHANGED, "", account_id, base.id)
    doubt = doubtful(before, fresh)
    if doubt is not None:
        return Refresh(RefreshOutcome.LEFT, doubt, account_id, base.id)
    if before.account is None or (before.account.name, before.account.deleted) != (
        fresh.account.name,
        fresh.account.deleted,
    ):
        # First, for a repeat after a crash finds the records equal and would not come here again.
        _tell_entries(fresh, account_id, integration.system, accounts)
    changed = {place: snapshots.add_page(Side.PSA, page) for place, page in _changes(pages, fresh, account_id)}
    addresses = tuple(changed.get(place, address) for place, address in enumerate(base.pages))
    now = clock.now()
    digest = sha256(addresses)
    derived = replace(
        base,
        id=f"{base.side.value}-{base.run_id}-{sha256([digest, base.id, now])[:8]}",
        pages=addresses,
        digest=digest,
        accounts=base.accounts + (before.account is None),
        # Never fewer than before: what the next complete read is measured against is not for a callback to lower.
        records=base.records + max(0, fresh.count - before.count),
        refreshed=tuple(sorted({**dict(base.refreshed), str(account_id): began_at}.items())),
    )
    snapshots.refresh(
        base,
        derived,
        Audit(
            at=now,
            actor=CALLBACK,
            action=REFRESHED,
            subject=derived.id,
            before=base.digest,
            after=f"client {account_id}: {len(fresh.agreements)} agreements, {len(fresh.lines)} lines",
            evidence=digest,
            run_id=base.run_id,
        ),
    )
    return Refresh(RefreshOutcome.REFRESHED, "", account_id, derived.id)


def _changes(
    pages: tuple[PsaPage, ...], fresh: ClientRecords, account_id: PsaAccountId
) -> tuple[tuple[int, PsaPage], ...]:
    return tuple(sorted(refreshed_pages(pages, fresh, account_id).items()))


def _account_of(hint: CallbackHint, pages: tuple[PsaPage, ...]) -> PsaAccountId | None:
    if hint.account_id is not None:
        return hint.account_id
    return None if hint.agreement_id is None else client_of_agreement(pages, hint.agreement_id)


def _read(
    psa: PsaAccountReading, account_id: PsaAccountId, before: ClientRecords, integration: Integration
) -> ClientRecords:
    """The client as it is now. One that is gone keeps its records and is marked: that holds every row of it."""
    try:
        page = psa.read_account(account_id)
    except ResourceAbsent:
        return before.gone
    reason = strange(page, account_id)
    if reason is not None:
        raise ReadIncomplete(f"reading client {account_id} alone: {reason}", integration=integration.name)
    return records_of((page,), account_id)


def _tell_entries(fresh: ClientRecords, account_id: PsaAccountId, system: str, accounts: Accounts) -> None:
    """Bring the name and the warning of every account that is mapped to the client up to date."""
    client = fresh.account
    if client is None:
        return
    changed: list[AccountEntry] = []
    for entry in accounts.all():
        if entry.psa_id != account_id or entry.psa_system not in ("", system):
            continue
        others = tuple(text for text in entry.warnings if text != DELETED_WARNING)
        warnings = (*others, DELETED_WARNING) if client.deleted else others
        told = replace(entry, psa_name=client.name, warnings=warnings)
        if told != entry:
            changed.append(told)
    accounts.save(changed, [])
