"""Decides which vendor account and PSA account carry the same name: exactly, then by safe key, and only when unique.

A wrong match bills one client for another, so every doubt is an Ambiguity for a person and everything weaker than the
safe key is left to suggestions. Names are used once: what comes out is bound by id, and a later rename changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from trueup.domain.errors import InputInvalid
from trueup.domain.names import FoldedName, display_key, fold_name, name_warnings, printable, safe_key

__all__ = [
    "SAFE_KEY_CHARACTERS_MINIMUM",
    "Ambiguity",
    "Match",
    "MatchOutcome",
    "MatchRule",
    "Named",
    "Suggestion",
    "display_key",
    "match_names",
    "name_warnings",
    "safe_key",
]

SAFE_KEY_CHARACTERS_MINIMUM: Final = 4
"""A key with fewer letters and digits (``IBM``, ``ABC Group``) is shared by too many companies to match on."""


@dataclass(frozen=True, slots=True)
class Named:
    """One thing with a name, on either side."""

    id: str
    name: str


class MatchRule(StrEnum):
    """Who or what decided that two accounts are one client."""

    EXACT = "exact"
    SAFE_KEY = "safe_key"
    PERSON = "person"
    IMPORT = "import"
    STORED_ID = "stored_id"
    FORMER_NAME = "former_name"


@dataclass(frozen=True, slots=True)
class Match:
    """Two accounts that are one client, the rule that says so, and why in plain words."""

    vendor_id: str
    psa_id: str
    rule: MatchRule
    reason: str


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """Accounts that share a name, so that a person must decide.

    ``vendor_ids`` are the vendor accounts left undecided; ``psa_ids`` are all PSA accounts of that name, also one that
    another vendor account already has (the reason then says so).
    """

    vendor_ids: tuple[str, ...]
    psa_ids: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class MatchOutcome:
    """Every vendor account that was free is in exactly one of the three. All tuples are sorted by id."""

    matches: tuple[Match, ...]
    ambiguous: tuple[Ambiguity, ...]
    unmatched_vendor_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A PSA account that a person may want to map. ``score`` runs from 0 to 100; ``reasons`` are in plain words."""

    psa_id: str
    psa_name: str
    score: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Account:
    """One account whose name may match, with the folded name."""

    id: str
    name: str
    folded: FoldedName


@dataclass(frozen=True, slots=True)
class _Group:
    """The accounts on both sides that share something: a name, a key, or a look."""

    vendor: list[_Account]
    psa: list[_Account]


def match_names(
    vendor: Sequence[Named],
    psa: Sequence[Named],
    *,
    mapped_vendor_ids: Collection[str] = (),
    mapped_psa_ids: Collection[str] = (),
) -> MatchOutcome:
    """Match by exact name, then by safe key, each only where the name is unique on both sides.

    Exact means equal code point for code point, with nothing trimmed or normalized; it beats a neighbor that only looks
    alike. The safe key ignores case, accents, punctuation, spacing and how the legal form is spelled. Two names with
    different legal forms never match. A name with a form and one without match only when no third account shares the
    key, whatever its form. Keys of fewer than SAFE_KEY_CHARACTERS_MINIMUM characters match exactly or not at all, and a
    placeholder (``Test``, ``Inc.``) never does.

    Accounts in ``mapped_vendor_ids`` and ``mapped_psa_ids`` have a mapping. Give them too: they make a name common, and
    are neither matched nor reported. The result does not depend on the order of the input. Raises InputInvalid
    when an id occurs twice on one side, which a complete snapshot rules out.
    """
    _require_unique_ids(vendor, "vendor")
    _require_unique_ids(psa, "psa")
    vendor_accounts, psa_accounts = _accounts(vendor), _accounts(psa)
    matching = _Matching(set(mapped_vendor_ids), set(mapped_psa_ids))
    for group in _grouped(vendor_accounts, psa_accounts, lambda account: account.name):
        matching.match_exactly(group)
    for group in _grouped(vendor_accounts, psa_accounts, lambda account: account.folded.lookalike):
        matching.match_by_safe_key(group)
    decided = set(matching.taken_vendor_ids)
    for ambiguity in matching.ambiguous:
        decided.update(ambiguity.vendor_ids)
    return MatchOutcome(
        matches=tuple(sorted(matching.matches, key=lambda match: match.vendor_id)),
        ambiguous=tuple(sorted(matching.ambiguous, key=lambda ambiguity: ambiguity.vendor_ids)),
        unmatched_vendor_ids=tuple(sorted({account.id for account in vendor} - decided)),
    )


class _Matching:
    """One call of match_names under way: what is decided so far, and which accounts are no longer free."""

    def __init__(self, taken_vendor_ids: set[str], taken_psa_ids: set[str]) -> None:
        self.taken_vendor_ids = taken_vendor_ids
        self.taken_psa_ids = taken_psa_ids
        self.matches: list[Match] = []
        self.ambiguous: list[Ambiguity] = []

    def match_exactly(self, group: _Group) -> None:
        """Match a group of one name, when it has one free account on each side."""
        if self._is_free_pair(group):
            self._match(
                group.vendor[0], group.psa[0], MatchRule.EXACT, "The names are the same, character by character."
            )

    def match_by_safe_key(self, group: _Group) -> None:
        """Match a group of one look. All accounts of the group count for doubt, free or not."""
        everyone = [*group.vendor, *group.psa]
        parts = _parts_of_one_key(group)
        crowded = [part for part in parts if self._is_crowded(part)]
        pairs = [part for part in parts if self._is_free_pair(part) and _may_match_by_key(part)]
        if (crowded or pairs) and len({account.folded.stem for account in everyone}) > 1:
            self._leave_to_person(group, "Some of these names look the same and differ in characters that hardly show.")
            return
        for part in crowded:
            self._leave_to_person(part, "Several accounts share this name, at most apart from its legal form.")
        for part in pairs:
            vendor, psa = part.vendor[0], part.psa[0]
            self._match(vendor, psa, MatchRule.SAFE_KEY, _safe_key_reason(vendor, psa))

    def _is_crowded(self, group: _Group) -> bool:
        """Whether a free vendor account shares its key with a second account on either side."""
        has_free = any(account.id not in self.taken_vendor_ids for account in group.vendor)
        return has_free and (len(group.vendor) > 1 or len(group.psa) > 1)

    def _is_free_pair(self, group: _Group) -> bool:
        return (
            len(group.vendor) == len(group.psa) == 1
            and group.vendor[0].id not in self.taken_vendor_ids
            and group.psa[0].id not in self.taken_psa_ids
        )

    def _match(self, vendor: _Account, psa: _Account, rule: MatchRule, reason: str) -> None:
        self.matches.append(Match(vendor_id=vendor.id, psa_id=psa.id, rule=rule, reason=reason))
        self.taken_vendor_ids.add(vendor.id)
        self.taken_psa_ids.add(psa.id)

    def _leave_to_person(self, group: _Group, reason: str) -> None:
        vendor_ids = tuple(sorted(account.id for account in group.vendor if account.id not in self.taken_vendor_ids))
        psa_ids = tuple(sorted(account.id for account in group.psa))
        taken = [psa_id for psa_id in psa_ids if psa_id in self.taken_psa_ids]
        if taken:
            reason += f" Mapped or matched already: {', '.join(taken)}."
        self.ambiguous.append(Ambiguity(vendor_ids=vendor_ids, psa_ids=psa_ids, reason=reason))


def _require_unique_ids(side: Sequence[Named], field: str) -> None:
    if len({account.id for account in side}) != len(side):
        twice = next(account_id for account_id, count in Counter(account.id for account in side).items() if count > 1)
        raise InputInvalid(f"The id {printable(twice)} occurs more than once among the {field} accounts.", field=field)


def _accounts(side: Sequence[Named]) -> list[_Account]:
    """The accounts whose names may match, folded. Those with a name that never may are left out here, once for all."""
    folded = ((account, fold_name(account.name)) for account in side)
    return [_Account(account.id, account.name, name) for account, name in folded if name is not None]


def _grouped(vendor: list[_Account], psa: list[_Account], key: Callable[[_Account], str]) -> list[_Group]:
    """The accounts of both sides by key; only groups with accounts on both."""
    groups: dict[str, _Group] = {}
    for account in vendor:
        groups.setdefault(key(account), _Group([], [])).vendor.append(account)
    for account in psa:
        if group := groups.get(key(account)):
            group.psa.append(account)
    return [group for group in groups.values() if group.psa]


def _parts_of_one_key(group: _Group) -> list[_Group]:
    """The parts of a group within which accounts compete for each other.

    Short keys compete by exact name only. With an account that shows no legal form in the group, all forms compete,
    since it could be any of them; otherwise each form is apart.
    """
    everyone = [*group.vendor, *group.psa]
    if any(account.folded.significant_characters < SAFE_KEY_CHARACTERS_MINIMUM for account in everyone):
        return _grouped(group.vendor, group.psa, lambda account: account.name)
    if any(account.folded.form is None for account in everyone):
        return _grouped(group.vendor, group.psa, lambda account: account.folded.stem)
    return _grouped(group.vendor, group.psa, lambda account: f"{account.folded.stem}\n{account.folded.form}")


def _may_match_by_key(pair: _Group) -> bool:
    """Whether the key is long enough and the legal forms do not contradict each other."""
    vendor, psa = pair.vendor[0].folded, pair.psa[0].folded
    forms_agree = vendor.form == psa.form or vendor.form is None or psa.form is None
    return forms_agree and vendor.significant_characters >= SAFE_KEY_CHARACTERS_MINIMUM


def _safe_key_reason(vendor: _Account, psa: _Account) -> str:
    reason = "The same words, apart from capitals, accents, punctuation and spacing"
    written = [account.folded.form_as_written for account in (vendor, psa)]
    if written[0] == written[1]:
        return f"{reason}."
    if all(written):
        return f"{reason}; “{written[0]}” and “{written[1]}” are the same legal form."
    return f"{reason}; only one of the names ends in the legal form “{written[0] or written[1]}”."
