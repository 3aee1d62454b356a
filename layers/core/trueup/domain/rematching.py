"""Which client of a newly connected PSA is the one that an account was mapped to in the PSA before.

In falling order of trust: its own mapping of an earlier time with this very PSA; the ids of the old PSA that the new
one stores; the old client's name, by the rules of every match. Doubt is left to the usual matching and to a person.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from trueup.domain.accounts import VendorAccountId
from trueup.domain.billing import PsaAccount, PsaAccountId
from trueup.domain.mapping import AccountEntry, Decision, FormerTarget, MappingState, ServiceEntry
from trueup.domain.matching import MatchRule, Named, match_names


@dataclass(frozen=True, slots=True)
class Rematch:
    """An account and its client in the PSA that is connected now.

    ``restored`` is the decision of the earlier time, where the mapping is just the one it had in this very PSA; None
    where ``rule`` and ``reason`` tell how the client was found.
    """

    vendor_id: VendorAccountId
    psa_id: PsaAccountId
    rule: MatchRule
    reason: str
    restored: Decision | None
    former: FormerTarget


def rematch(
    entries: Sequence[AccountEntry], clients: Mapping[PsaAccountId, PsaAccount], system: str
) -> tuple[Rematch, ...]:
    """The open entries that were mapped elsewhere before and whose client here is beyond doubt, by vendor id.

    ``entries`` are all of them, as they count in ``system``: what is mapped already takes part, because it takes its
    client and makes its name common. An entry that a person excluded or took back is left as it is, unless it was taken
    back in another PSA and has a mapping of its own here. The result does not depend on the order.
    """
    if all(entry.state is MappingState.MAPPED or not entry.former for entry in entries):
        return ()
    there = {key: client for key, client in clients.items() if not client.deleted}
    taken = {entry.psa_id for entry in entries if entry.state is MappingState.MAPPED and entry.psa_id is not None}
    waiting = {entry.vendor_id: entry for entry in entries if entry.state is not MappingState.MAPPED and entry.former}
    found: dict[VendorAccountId, Rematch] = {}
    for vendor_id, entry in sorted(waiting.items()):
        own = former_in(entry, system)
        if own is not None and entry.state is not MappingState.EXCLUDED and PsaAccountId(own.target_id) in there:
            psa_id = PsaAccountId(own.target_id)
            reason = "mapped to this client before another PSA was connected"
            rule = own.decision.rule if own.decision is not None else MatchRule.FORMER_NAME
            found[vendor_id] = Rematch(vendor_id, psa_id, rule, reason, own.decision, own)
    free = {key: entry for key, entry in waiting.items() if key not in found and is_free(entry)}
    taken |= {one.psa_id for one in found.values()}
    for step in (_by_stored_id, _by_former_name):
        for one in step(free, entries, there, taken):
            found[one.vendor_id] = one
        free = {key: entry for key, entry in free.items() if key not in found}
        taken |= {one.psa_id for one in found.values()}
    return tuple(found[key] for key in sorted(found))


def former_in(entry: AccountEntry | ServiceEntry, system: str) -> FormerTarget | None:
    """What the entry was mapped to in that very PSA, if it was."""
    return next((one for one in entry.former if system and one.system == system), None)


def is_free(entry: AccountEntry) -> bool:
    """Whether nobody has decided on the entry: a program may."""
    return entry.decision is None and not entry.is_decided


_Free = Mapping[VendorAccountId, AccountEntry]
_Clients = Mapping[PsaAccountId, PsaAccount]


def _by_stored_id(
    free: _Free, _all: Sequence[AccountEntry], clients: _Clients, taken: Collection[PsaAccountId]
) -> Iterator[Rematch]:
    """The one client that keeps the id which the account's client had in the PSA before.

    Several accounts may share their client, as they did before; two former clients never become one.
    """
    keeping: dict[tuple[str, str], set[PsaAccountId]] = defaultdict(set)
    for client in clients.values():
        for kind, stored_id in client.stored_ids:
            keeping[kind, stored_id].add(client.id)
    wanted: dict[VendorAccountId, tuple[FormerTarget, PsaAccountId]] = {}
    for vendor_id, entry in free.items():
        for target in _last_of_each_kind(entry.former):
            holders = keeping.get((target.integration, target.target_id), set())
            if len(holders) == 1:
                wanted[vendor_id] = target, next(iter(holders))
                break
    sources: dict[PsaAccountId, set[tuple[str, str]]] = defaultdict(set)
    for target, psa_id in wanted.values():
        sources[psa_id].add((target.system, target.target_id))
    for vendor_id, (target, psa_id) in wanted.items():
        if psa_id not in taken and len(sources[psa_id]) == 1:
            reason = f"this client carries the id {target.target_id} that it had in {_psa(target)}"
            yield Rematch(vendor_id, psa_id, MatchRule.STORED_ID, reason, None, target)


def _by_former_name(
    free: _Free, every: Sequence[AccountEntry], clients: _Clients, taken: Collection[PsaAccountId]
) -> Iterator[Rematch]:
    """The one client whose name is that of the account's client in the PSA before; unique on both sides."""
    if not free:
        return
    accounts: dict[str, list[VendorAccountId]] = defaultdict(list)
    targets: dict[str, FormerTarget] = {}
    settled: set[str] = set()
    for entry in every:
        for target in entry.former[:1]:
            key = f"{target.system}\n{target.target_id}"
            targets.setdefault(key, target)
            if entry.vendor_id in free:
                accounts[key].append(entry.vendor_id)
            else:
                settled.add(key)
    # A former client of which one account found its way already takes no other account along by its name.
    outcome = match_names(
        [Named(key, target.target_name) for key, target in targets.items()],
        [Named(client.id, client.name) for client in clients.values()],
        mapped_vendor_ids=settled,
        mapped_psa_ids=taken,
    )
    for match in outcome.matches:
        target = targets[match.vendor_id]
        reason = f"the client in {_psa(target)} was {target.target_name}; {match.reason}"
        for vendor_id in accounts[match.vendor_id]:
            yield Rematch(vendor_id, PsaAccountId(match.psa_id), MatchRule.FORMER_NAME, reason, None, target)


def _last_of_each_kind(former: Sequence[FormerTarget]) -> Iterator[FormerTarget]:
    """An id alone does not say of which company of that kind it is, so only the last one's is looked for."""
    kinds = Counter[str]()
    for target in former:
        kinds[target.integration] += 1
        if target.integration and kinds[target.integration] == 1:
            yield target


def _psa(target: FormerTarget) -> str:
    return f"{target.integration or 'the PSA before'} ({target.system})" if target.system else "the PSA before"


def former_words(target: FormerTarget) -> str:
    """What a person is told of an account that found no client after a change of PSA."""
    return f"was mapped to {target.target_id} {target.target_name} in {_psa(target)}"
