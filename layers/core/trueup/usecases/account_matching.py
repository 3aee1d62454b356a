"""Which client each listed account is: by stored ids and exact names, with ranked suggestions for the rest.

The same for accounts of the vendor and for tenants whose licenses are counted. Only what nobody has decided on is
touched: a mapping holds by id through every rename, and what a person decided stays. Must not: read or store anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from trueup.domain.accounts import VendorAccount, VendorAccountId
from trueup.domain.billing import PsaAccount, PsaAccountId
from trueup.domain.mapping import AccountEntry, Decision, MappingState, without_former
from trueup.domain.matching import Named, Suggestion, match_names, name_warnings, safe_key
from trueup.domain.rematching import former_words, is_free, rematch
from trueup.domain.runs import Snapshot
from trueup.ports.similarity import NameSimilarity

AUTOMATIC = "automatic matching"
"""The actor of what no person decided."""

SUGGESTIONS_EACH = 3

RETURNED_SCORE = 95
"""Of the client of an account of the same name that left the list."""


@dataclass(frozen=True, slots=True)
class Here:
    """The PSA that was read: Integration.system and its kind (empty when another one is connected by now)."""

    system: str
    integration: str


@dataclass(frozen=True, slots=True)
class Matched:
    """Every entry as it is after matching, by its id, and those that were mapped just now."""

    entries: Mapping[VendorAccountId, AccountEntry]
    newly: tuple[AccountEntry, ...]

    @property
    def renamed(self) -> tuple[str, ...]:
        """Ids of what is mapped and has another name than when that was decided."""
        return tuple(entry.vendor_id for entry in self.entries.values() if _is_renamed(entry))

    def changed(self, before: Mapping[VendorAccountId, AccountEntry]) -> list[AccountEntry]:
        """The entries that are not as they were, by id."""
        return [entry for key, entry in sorted(self.entries.items()) if entry != before.get(key)]


def match_accounts(
    before: Mapping[VendorAccountId, AccountEntry],
    listed: Sequence[VendorAccount],
    clients: Mapping[PsaAccountId, PsaAccount],
    *,
    here: Here,
    kinds: Mapping[str, str],
    read: Snapshot,
    similarity: NameSimilarity,
    now: datetime,
) -> Matched:
    """Bring the entries up to date with what is listed in ``read``, and match what is undecided.

    ``kinds`` tells the kind of a PSA by its system, for entries that were mapped after its last read.
    """
    moved = _moved(before, here, kinds)
    entries = {entry.vendor_id: entry for entry in _brought_up_to_date(moved, listed, clients, read)}
    found_again = _found_again(entries.values(), clients, here, now)
    entries.update((entry.vendor_id, entry) for entry in found_again)
    matched = [*found_again, *_match(entries.values(), clients, here, now)]
    entries.update((entry.vendor_id, entry) for entry in matched)
    entries.update((entry.vendor_id, entry) for entry in _suggest(entries.values(), clients, similarity))
    return Matched(entries, tuple(entry for entry in matched if entry.state is MappingState.MAPPED))


def _moved(
    before: Mapping[VendorAccountId, AccountEntry], here: Here, kinds: Mapping[str, str]
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
    entries: Iterable[AccountEntry], clients: Mapping[PsaAccountId, PsaAccount], here: Here, now: datetime
) -> list[AccountEntry]:
    """The entries that were mapped in another PSA and whose client in this one is beyond doubt, mapped to it."""
    everything = {entry.vendor_id: entry for entry in entries}
    found = []
    for one in rematch(list(everything.values()), clients, here.system):
        decision = one.restored or Decision(AUTOMATIC, now, one.rule, one.reason, one.former.target_id)
        entry = _bound(everything[one.vendor_id], clients[one.psa_id], here, decision)
        found.append(replace(entry, former=without_former(entry.former, here.system)))
    return found


def _bound(entry: AccountEntry, client: PsaAccount, here: Here, decision: Decision) -> AccountEntry:
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
    listed: Sequence[VendorAccount],
    clients: Mapping[PsaAccountId, PsaAccount],
    read: Snapshot,
) -> Iterable[AccountEntry]:
    by_id = {account.id: account for account in listed}
    for account in listed:
        yield _refreshed(before.get(account.id), account, clients, read.id)
    for key, entry in before.items():
        if entry.vendor_id not in by_id and entry.snapshot_id != read.id:
            yield replace(entry, snapshot_id=read.id, absent_runs=entry.absent_runs + 1)
        elif key not in by_id:
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
    entries: Iterable[AccountEntry], clients: Mapping[PsaAccountId, PsaAccount], here: Here, now: datetime
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


def _is_renamed(entry: AccountEntry) -> bool:
    return bool(entry.vendor_name_decided) and entry.vendor_name_decided != entry.vendor_name
