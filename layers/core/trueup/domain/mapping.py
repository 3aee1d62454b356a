"""Who decided that this vendor account is that PSA account, and this service that product. Bindings are by id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from trueup.domain.accounts import AccountState, ServiceId, ServiceKind, VendorAccountId
from trueup.domain.billing import ProductId, PsaAccountId
from trueup.domain.matching import MatchRule, Suggestion


class MappingState(StrEnum):
    """Mapped and excluded are decisions; ambiguous and unmapped are what is left for a person."""

    MAPPED = "mapped"
    EXCLUDED = "excluded"
    AMBIGUOUS = "ambiguous"
    UNMAPPED = "unmapped"


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided, when, by what rule, why, and what it replaced (the former target's id, empty when there was
    none).

    An exclusion may have an ``owner``, who answers for it, and a day on which it is to be looked at again.
    """

    by: str
    at: datetime
    rule: MatchRule
    reason: str
    replaced: str = ""
    owner: str = ""
    review_on: date | None = None

    def is_review_due(self, today: date) -> bool:
        """Whether the day on which the exclusion was to be looked at again has come."""
        return self.review_on is not None and self.review_on <= today


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What a person says when an account is left out: why, who answers for it, when it is to be looked at again."""

    reason: str
    owner: str = ""
    review_on: date | None = None


@dataclass(frozen=True, slots=True)
class FormerTarget:
    """What an account or service was mapped to in a PSA that is not the connected one any more; nothing is forgotten.

    ``system`` is that PSA (Integration.system) and ``integration`` its kind. ``code`` is the product's code, empty for
    an account.
    """

    system: str
    integration: str
    target_id: str
    target_name: str
    decision: Decision | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """One vendor account with what is decided about it: the row of the account-mapping screen.

    ``vendor_name`` and ``psa_name`` are as last read; ``vendor_name_decided`` is the name when the mapping was decided,
    kept to show a rename (the mapping itself holds by id). ``snapshot_id`` is the vendor read that the entry was last
    brought up to date with. ``absent_runs`` counts the complete reads in a row in which the vendor no longer listed the
    account. ``psa_system`` is the PSA that ``psa_id`` is an id of (Integration.system; empty in records of before it
    was kept, which are of the PSA that was connected then) and ``former`` are mappings in other PSAs, the last first.
    ``version`` grows by one with every stored change.
    """

    vendor_id: VendorAccountId
    vendor_name: str
    account_state: AccountState
    state: MappingState
    status_text: str = ""
    psa_id: PsaAccountId | None = None
    psa_name: str = ""
    vendor_name_decided: str = ""
    decision: Decision | None = None
    ambiguity: str = ""
    warnings: tuple[str, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    snapshot_id: str = ""
    absent_runs: int = 0
    version: int = 0
    psa_system: str = ""
    former: tuple[FormerTarget, ...] = ()
    psa_integration: str = ""

    @property
    def is_decided(self) -> bool:
        return self.state in {MappingState.MAPPED, MappingState.EXCLUDED}

    def counts_in(self, system: str) -> bool:
        """Whether what is decided here holds in that PSA: a mapping is true of no other PSA than its own."""
        return self.state is not MappingState.MAPPED or is_of(self.psa_system, system)

    def left(self, integration: str = "") -> AccountEntry:
        """The entry with its mapping among the former ones, free to be matched in another PSA. Other states stay.

        ``integration`` is the kind of the PSA that is left, where the entry does not say.
        """
        if self.state is not MappingState.MAPPED or self.psa_id is None:
            return self
        kind = self.psa_integration or integration
        target = FormerTarget(self.psa_system, kind, self.psa_id, self.psa_name, self.decision)
        return replace(
            self,
            state=MappingState.UNMAPPED,
            psa_id=None,
            psa_name="",
            vendor_name_decided="",
            decision=None,
            ambiguity="",
            psa_system="",
            psa_integration="",
            former=with_former(self.former, target),
        )


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One vendor service with the product it is billed as.

    ``catalog_price`` is the product's price in the PSA's catalog when it was mapped: it values what no line bills yet.
    ``is_per_user`` is whether it is sold by the licensed user, so that the licensed count says what to order of it.
    """

    service_id: ServiceId
    name: str
    kind: ServiceKind
    state: MappingState
    product_id: ProductId | None = None
    product_code: str = ""
    product_name: str = ""
    decision: Decision | None = None
    catalog_price: Decimal | None = None
    accounts_counted: int = 0
    version: int = 0
    psa_system: str = ""
    former: tuple[FormerTarget, ...] = ()
    psa_integration: str = ""
    is_per_user: bool = True

    def counts_in(self, system: str) -> bool:
        """Whether what is decided here holds in that PSA: a mapping is true of no other PSA than its own."""
        return self.state is not MappingState.MAPPED or is_of(self.psa_system, system)

    def left(self, integration: str = "") -> ServiceEntry:
        """The entry with its mapping among the former ones, to be matched in another PSA's catalog. Others stay."""
        if self.state is not MappingState.MAPPED or self.product_id is None:
            return self
        kind = self.psa_integration or integration
        target = FormerTarget(
            self.psa_system, kind, self.product_id, self.product_name, self.decision, self.product_code
        )
        return replace(
            self,
            state=MappingState.UNMAPPED,
            product_id=None,
            product_code="",
            product_name="",
            catalog_price=None,
            decision=None,
            psa_system="",
            psa_integration="",
            former=with_former(self.former, target),
        )


FORMER_MAXIMUM = 10
"""Mappings kept from other PSAs; who changes more often than that has the exported files."""


def is_of(system: str, other: str) -> bool:
    """Whether two names of systems may mean one: a record of before it was kept is of whatever was connected then."""
    return not system or not other or system == other


def with_former(former: tuple[FormerTarget, ...], target: FormerTarget) -> tuple[FormerTarget, ...]:
    """The former mappings with one more, each system once, the last one first."""
    others = tuple(one for one in former if one.system != target.system)
    return (target, *others)[:FORMER_MAXIMUM]


def without_former(former: tuple[FormerTarget, ...], system: str) -> tuple[FormerTarget, ...]:
    """The former mappings but that of one system, which is the present one again."""
    return tuple(one for one in former if one.system != system)


def kinds_of_systems(entries: Iterable[AccountEntry | ServiceEntry]) -> dict[str, str]:
    """The kind of each PSA, as far as any mapping tells it, a former one too."""
    kinds: dict[str, str] = {}
    for entry in entries:
        told = [(one.system, one.integration) for one in entry.former]
        kinds.update(
            (system, kind) for system, kind in [*told, (entry.psa_system, entry.psa_integration)] if system and kind
        )
    return kinds


def in_system[Entry: (AccountEntry, ServiceEntry)](entries: Iterable[Entry], system: str) -> tuple[Entry, ...]:
    """The entries as they count in one PSA: what is mapped in another one is open here."""
    return tuple(entry if entry.counts_in(system) else entry.left() for entry in entries)


@dataclass(frozen=True, slots=True)
class MappingTotals:
    """How many vendor accounts are in each state; they add up to all vendor accounts (invariant I4)."""

    mapped: int = 0
    excluded: int = 0
    ambiguous: int = 0
    unmapped: int = 0

    @property
    def all(self) -> int:
        return self.mapped + self.excluded + self.ambiguous + self.unmapped


@dataclass(frozen=True, slots=True)
class MatchingSummary:
    """What one pass of automatic matching did."""

    totals: MappingTotals
    newly_mapped: int
    renamed: tuple[str, ...] = field(default=())
