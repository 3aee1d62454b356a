"""Bring the list of vendor accounts up to date, map equal names, and rank suggestions for the rest.

Only accounts that nobody has decided on are touched: a mapping holds by id through every rename, and what a person
decided, mapped, excluded or taken back, stays as decided. A mapping counts in the PSA it was made in: once another one
was read, it is kept as a former one and the account is matched again (trueup.domain.rematching).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from trueup.domain.accounts import VendorAccount, VendorAccountId, VendorFacts
from trueup.domain.audit import Audit
from trueup.domain.billing import PsaAccount, PsaAccountId
from trueup.domain.canonical import sha256
from trueup.domain.errors import NotFound, VersionConflict
from trueup.domain.facts import psa_facts, vendor_facts
from trueup.domain.integrations import Side
from trueup.domain.mapping import (
    AccountEntry,
    Decision,
    MappingState,
    MatchingSummary,
    ServiceEntry,
    kinds_of_systems,
    without_former,
)
from trueup.domain.matching import MatchRule, Named, Suggestion, match_names, name_warnings, safe_key
from trueup.domain.reconcile import mapping_totals
from trueup.domain.rematching import former_words, is_free, rematch
from trueup.domain.runs import Snapshot
from trueup.ports.clock import Clock
from trueup.ports.similarity import NameSimilarity
from trueup.ports.state import Accounts, Integrations, Services, Snapshots

AUTOMATIC = "automatic matching"
"""The actor of what no person decided."""

SUGGESTIONS_EACH = 3

RULE_WORDS = {
    MatchRule.EXACT: "exact names, unique on both sides",
    MatchRule.SAFE_KEY: "safe keys, unique on both sides",
    MatchRule.STORED_ID: "ids of the PSA before that this one stores",
    MatchRule.FORMER_NAME: "names of the clients in the PSA before",
    MatchRule.PERSON: "decided by a person when this PSA was connected before",
    MatchRule.IMPORT: "imported when this PSA was connected before",
}

RETURNED_SCORE = 95
"""Of the client of an account of the same name that left the vendor's list."""

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
    clients = {account.id: account for account in psa_facts(snapshots.psa_pages(psa_read)).accounts}
    now = clock.now()
    before = {entry.vendor_id: entry for entry in accounts.all()}
    here = _Here(psa_read.system, _kind_of(psa_read.system, integrations))
    moved = _moved(before, here, kinds_of_systems([*before.values(), *services.all()]))
    entries = {entry.vendor_id: entry for entry in _brought_up_to_date(moved, vendor, clients, vendor_read)}
    found_again = _found_again(entries.values(), clients, here, now)
    entries.update((entry.vendor_id, entry) for entry in found_again)
    matched = [*found_again, *_match(entries.values(), clients, here, now)]
    entries.update((entry.vendor_id, entry) for entry in matched)
    entries.update((entry.vendor_id, entry) for entry in _suggest(entries.values(), clients, similarity))
    changed = [entry for key, entry in sorted(entries.items()) if entry != before.get(key)]
    newly = [entry for entry in matched if entry.state is MappingState.MAPPED]
    audits = [_audit(newly, now, run_id, [vendor_read.digest, psa_read.digest])] if newly else []
    accounts.save(changed, audits)
    services.save(_services(services.all(), vendor), [])
    return MatchingSummary(
        totals=mapping_totals(entries.values()),
        newly_mapped=len(newly),
        renamed=tuple(entry.vendor_id for entry in entries.values() if _is_renamed(entry)),
    )


def _latest(snapshots: Snapshots, side: Side) -> Snapshot:
    snapshot = snapshots.latest(side)
    if snapshot is None:
        raise NotFound(f"the {side.value} was never read in full", remedy="Sync first: trueup sync.")
    return snapshot


@dataclass(frozen=True, slots=True)
class _Here:
    """The PSA that was read: Integration.system and its kind (empty when another one is connected by now)."""

    system: str
    integration: str


def _kind_of(system: str, integrations: Integrations) -> str:
    """The kind of the PSA that was read."""
    named = [item.name.value for item in integrations.all() if item.name.side is Side.PSA and item.system == system]
    return named[0] if named and system else ""


def _moved(
    before: Mapping[VendorAccountId, AccountEntry], here: _Here, kinds: Mapping[str, str]
) -> dict[VendorAccountId, AccountEntry]:
    """The entries as they stand in this PSA: mappings of another one become former ones, those of this one say so.

    ``kinds`` tells the kind of a system, for entries that were mapped after its last read.
    """
    moved = {}
    for key, entry in before.items():
        if not entry.counts_in(here.system):
            moved[key] = entry.left(kinds.get(entry.psa_system, ""))
        elif entry.state is MappingState.MAPPED and here.system:
            moved[key] = replace(
                entry, psa_system=here.system, psa_integration=here.integration or entry.psa_integration
            )
        else:
            moved[key] = entry
    return moved


def _found_again(
    entries: Iterable[AccountEntry], clients: Mapping[PsaAccountId, PsaAccount], here: _Here, now: datetime
) -> list[AccountEntry]:
    """The entries that were mapped in another PSA and whose client in this one is beyond doubt, mapped to it."""
    everything = {entry.vendor_id: entry for entry in entries}
    found = []
    for one in rematch(list(everything.values()), clients, here.system):
        decision = one.restored or Decision(AUTOMATIC, now, one.rule, one.reason, one.former.target_id)
        entry = _bound(everything[one.vendor_id], clients[one.psa_id], here, decision)
        found.append(replace(entry, former=without_former(entry.former, here.system)))
    return found


def _bound(entry: AccountEntry, client: PsaAccount, here: _Here, decision: Decision) -> AccountEntry:
    return replace(
        entry,
        state=MappingState.MAPPED,
        psa_id=client.id,
        psa_name=client.name,
        psa_system=here.system,
        psa_integration=here.integration,
        vendor_name_decided=entry.vendor_name,
        decision=decision,
        ambiguity="",
        suggestions=(),
    )


def _brought_up_to_date(
    before: Mapping[VendorAccountId, AccountEntry],
    vendor: VendorFacts,
    clients: Mapping[PsaAccountId, PsaAccount],
    read: Snapshot,
) -> Iterable[AccountEntry]:
    listed = {account.id: account for account in vendor.accounts}
    for account in vendor.accounts:
        yield _refreshed(before.get(account.id), account, clients, read.id)
    for key, entry in before.items():
        if entry.vendor_id not in listed and entry.snapshot_id != read.id:
            yield replace(entry, snapshot_id=read.id, absent_runs=entry.absent_runs + 1)
        elif key not in listed:
            yield entry


def _refreshed(
    entry: AccountEntry | None, account: VendorAccount, clients: Mapping[PsaAccountId, PsaAccount], snapshot_id: str
) -> AccountEntry:
    known = entry or AccountEntry(account.id, account.name, account.state, MappingState.UNMAPPED)
    client = clients.get(known.psa_id) if known.psa_id is not None else None
    drift: tuple[str, ...] = ()
    if known.vendor_name_decided and known.vendor_name_decided != account.name:
        drift = (f"renamed since it was mapped; it was {known.vendor_name_decided}",)
    return replace(
        known,
        vendor_name=account.name,
        account_state=account.state,
        status_text=account.status_text,
        psa_name=client.name if client is not None else known.psa_name,
        warnings=(*drift, *name_warnings(account.name)),
        snapshot_id=snapshot_id if entry is None or entry.absent_runs else entry.snapshot_id,
        absent_runs=0,
    )


def _is_undecided(entry: AccountEntry) -> bool:
    return is_free(entry) and entry.absent_runs == 0


def _free(entries: Iterable[AccountEntry], clients: Mapping[PsaAccountId, PsaAccount]) -> list[Named]:
    """PSA accounts that no vendor account is mapped to yet; deleted ones are no partner for anybody."""
    taken = {entry.psa_id for entry in entries if entry.state is MappingState.MAPPED}
    return [
        Named(client.id, client.name) for client in clients.values() if not client.deleted and client.id not in taken
    ]


def _match(
    entries: Iterable[AccountEntry], clients: Mapping[PsaAccountId, PsaAccount], here: _Here, now: datetime
) -> list[AccountEntry]:
    """The undecided entries after matching. The decided ones take part, because they make a name common: a second
    client of a name that is mapped already is never matched by its name alone.
    """
    everything = list(entries)
    undecided = {entry.vendor_id: entry for entry in everything if _is_undecided(entry)}
    # One that left the vendor's list and was mapped before still has its name: whoever comes under it is another one.
    present = [entry for entry in everything if entry.is_decided or entry.former or entry.absent_runs == 0]
    outcome = match_names(
        [Named(entry.vendor_id, entry.vendor_name) for entry in present],
        [Named(client.id, client.name) for client in clients.values() if not client.deleted],
        mapped_vendor_ids={entry.vendor_id for entry in present if entry.vendor_id not in undecided},
        mapped_psa_ids={entry.psa_id for entry in everything if entry.psa_id is not None},
    )
    found: dict[str, AccountEntry] = {
        key: replace(entry, state=MappingState.UNMAPPED, ambiguity="") for key, entry in undecided.items()
    }
    for match in outcome.matches:
        entry = found[match.vendor_id]
        client = clients[PsaAccountId(match.psa_id)]
        found[match.vendor_id] = _bound(entry, client, here, Decision(AUTOMATIC, now, match.rule, match.reason))
    for ambiguity in outcome.ambiguous:
        names = ", ".join(f"{psa_id}" for psa_id in ambiguity.psa_ids)
        for vendor_id in ambiguity.vendor_ids:
            text = f"{ambiguity.reason} (PSA accounts {names})" if names else ambiguity.reason
            found[vendor_id] = replace(found[vendor_id], state=MappingState.AMBIGUOUS, ambiguity=text)
    return list(found.values())


def _suggest(
    entries: Iterable[AccountEntry], clients: Mapping[PsaAccountId, PsaAccount], similarity: NameSimilarity
) -> Iterable[AccountEntry]:
    """The waiting entries with suggestions: clients of a like name, by the name of the client in the PSA before too,
    and the client of an account that is no longer listed and had the same name.
    """
    everything = list(entries)
    waiting = {entry.vendor_id: entry for entry in everything if not entry.is_decided and entry.absent_runs == 0}
    free = _free(everything, clients)
    named = [Named(entry.vendor_id, entry.vendor_name) for entry in waiting.values()]
    found: dict[str, tuple[Suggestion, ...]] = dict(similarity.suggest(named, free, limit=SUGGESTIONS_EACH))
    formers = [Named(entry.vendor_id, entry.former[0].target_name) for entry in waiting.values() if entry.former]
    by_former = dict(similarity.suggest(formers, free, limit=SUGGESTIONS_EACH)) if formers else {}
    returned = _returned(everything, clients)
    for key, entry in waiting.items():
        former = [
            replace(one, reasons=("by the name of its client in the PSA before", *one.reasons))
            for one in by_former.get(key, ())
        ]
        ranked = sorted([*former, *found.get(key, ())], key=lambda one: -one.score)
        first = [one for one in returned.get(_same_name(entry.vendor_name), ()) if entry.decision is None]
        unique = {one.psa_id: one for one in reversed([*first, *ranked])}
        shown = [one for one in dict.fromkeys(one.psa_id for one in [*first, *ranked])][:SUGGESTIONS_EACH]
        before = (former_words(entry.former[0]),) if entry.former else ()
        yield replace(entry, suggestions=tuple(unique[psa_id] for psa_id in shown), warnings=(*before, *entry.warnings))


def _same_name(name: str) -> str:
    return safe_key(name) or name


def _returned(
    entries: Iterable[AccountEntry], clients: Mapping[PsaAccountId, PsaAccount]
) -> dict[str, list[Suggestion]]:
    """By name, the clients of accounts that the vendor no longer lists: the account may have come back under a new id.

    Only ever a suggestion: it may as well be somebody else of the same name.
    """
    found: dict[str, list[Suggestion]] = {}
    for entry in entries:
        client = clients.get(entry.psa_id) if entry.psa_id is not None else None
        if entry.state is not MappingState.MAPPED or not entry.absent_runs or client is None:
            continue
        reason = f"account {entry.vendor_id} of the same name is no longer listed; it is mapped to this client"
        suggestion = Suggestion(client.id, client.name, RETURNED_SCORE, (reason,))
        found.setdefault(_same_name(entry.vendor_name), []).append(suggestion)
    return found


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


def _is_renamed(entry: AccountEntry) -> bool:
    return bool(entry.vendor_name_decided) and entry.vendor_name_decided != entry.vendor_name


def _audit(newly: list[AccountEntry], now: datetime, run_id: str, digests: list[str]) -> Audit:
    pairs = [[entry.vendor_id, entry.psa_id, entry.decision.rule if entry.decision else ""] for entry in newly]
    return Audit(
        at=now,
        actor=AUTOMATIC,
        action="accounts mapped",
        subject=f"{len(newly)} accounts",
        after=sha256(pairs),
        why="; ".join(sorted({RULE_WORDS[entry.decision.rule] for entry in newly if entry.decision is not None})),
        evidence=sha256(digests),
        run_id=run_id,
    )
