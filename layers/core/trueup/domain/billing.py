"""What the PSA bills: accounts, agreements, their lines, products, and money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

PsaAccountId = NewType("PsaAccountId", str)
AgreementId = NewType("AgreementId", str)
LineId = NewType("LineId", str)
ProductId = NewType("ProductId", str)


@dataclass(frozen=True, slots=True)
class PsaAccount:
    """The client in the PSA (ConnectWise and Autotask: company; HaloPSA: client; Syncro: customer).

    ``identifier`` is its short code; ``deleted`` as the PSA flags it. ``status_text`` is the PSA's own word: MSPs
    rename statuses, so no rule reads it. ``stored_ids`` are ids of the same client in other PSAs that this one keeps,
    as (integration name, id); HaloPSA keeps those of clients it took over from ConnectWise and Autotask.
    """

    id: PsaAccountId
    identifier: str
    name: str
    status_text: str = ""
    deleted: bool = False
    stored_ids: tuple[tuple[str, str], ...] = ()


class AgreementState(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Agreement:
    """A PSA contract with one client. ``currency`` is None where the PSA names none (then its own default applies)."""

    id: AgreementId
    account_id: PsaAccountId
    name: str
    type_name: str
    state: AgreementState
    starts_on: date | None = None
    ends_on: date | None = None
    prorates: bool = False
    next_invoice_on: date | None = None
    currency: str | None = None

    def state_on(self, day: date) -> AgreementState:
        """The state on that day: its dates count too, whatever its flag still says."""
        if self.state is AgreementState.ACTIVE:
            if self.ends_on is not None and self.ends_on < day:
                return AgreementState.EXPIRED
            if self.starts_on is not None and self.starts_on > day:
                return AgreementState.INACTIVE
        return self.state


@dataclass(frozen=True, slots=True)
class QuantityStep:
    """What a line bills from a day on, where the PSA keeps quantities by date."""

    starts_on: date
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """One billed line (ConnectWise: addition; Autotask: contract service; HaloPSA: recurring invoice line; Syncro:
    schedule line item).

    ``quantity`` is what the line bills from the day on which a change of today would count: at once in most PSAs, the
    first of the next period in Autotask, which keeps units by period (PsaCapabilities.default_rule). ``steps`` are the
    dated quantities the PSA tells of, by day, the one of today first; empty where a line has one quantity only.
    ``quantity`` is the whole quantity; ``less_included`` are units given free of charge and only shown. ``version`` is
    the PSA's own opaque mark of the last edit, empty where it gives none. ``not_writable_reason`` says why a line may
    not be written by a program (for instance a serialized product), and is None when it may.
    """

    id: LineId
    agreement_id: AgreementId
    account_id: PsaAccountId
    product_id: ProductId
    product_code: str
    description: str
    quantity: Decimal
    version: str
    less_included: Decimal = Decimal(0)
    unit_price: Decimal | None = None
    unit_cost: Decimal | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    billable: bool = True
    not_writable_reason: str | None = None
    steps: tuple[QuantityStep, ...] = ()

    def is_live(self, on: date) -> bool:
        """Whether the line bills on that day: begun, and not ended on or before it."""
        begun = self.effective_from is None or self.effective_from <= on
        return begun and (self.effective_to is None or self.effective_to > on)

    def is_future(self, on: date) -> bool:
        """Whether the line has not begun on that day and is not ended before it begins."""
        if self.effective_from is None or self.effective_from <= on:
            return False
        return self.effective_to is None or self.effective_to > self.effective_from


@dataclass(frozen=True, slots=True)
class Product:
    """A thing in the PSA's catalog. ``code`` is what a person calls its Product ID."""

    id: ProductId
    code: str
    name: str
    price: Decimal | None = None
    cost: Decimal | None = None
    inactive: bool = False


@dataclass(frozen=True, slots=True)
class PsaPage:
    """One page of a complete read of the PSA; ``accounts_total`` and ``agreements_total`` are what it says there are.

    ``accounts_as_of`` is set where all of it is older than this read: when the file was given that it comes from.
    """

    accounts: tuple[PsaAccount, ...]
    agreements: tuple[Agreement, ...]
    lines: tuple[Line, ...]
    next_cursor: str | None
    accounts_total: int | None = None
    agreements_total: int | None = None
    accounts_as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class PsaFacts:
    """All that one complete snapshot of the PSA says. Ids are unique in each tuple."""

    accounts: tuple[PsaAccount, ...]
    agreements: tuple[Agreement, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class LineReference:
    """Where a line is: enough to read and write it. ``product_id`` is what it must bill to be written, None any."""

    agreement_id: AgreementId
    line_id: LineId
    product_id: ProductId | None = None


@dataclass(frozen=True, slots=True)
class LineState:
    """A line as it is right now, with its agreement, and when it was read."""

    line: Line
    agreement: Agreement
    read_at: datetime


class WriteOutcome(StrEnum):
    """What became of one write.

    applied: the line had the old quantity and now has the new one, verified by reading back. already: it had the new
    one before anything was sent. conflict: it had neither, or was edited; nothing was sent. rejected: the PSA refused
    it or changed the value (the reason says which). unknown: it could not be read back; a person must look.
    """

    APPLIED = "applied"
    ALREADY = "already"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The outcome of one write with the quantity last seen on the line (None when it could not be read)."""

    outcome: WriteOutcome
    reason: str
    quantity_seen: Decimal | None = None
    version_seen: str | None = None
    line_id: LineId | None = None
    """The line that now bills it, where it is another than the one that was asked to change (a line that was made)."""


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to be made on an agreement a person chose. ``effective`` None counts as a plain new line counts there."""

    account_id: PsaAccountId
    agreement_id: AgreementId
    product_id: ProductId
    product_code: str
    quantity: int
    effective: date | None = None


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing a credential was tried for. ``permission`` is the PSA's or vendor's own name of the needed row."""

    name: str
    granted: bool
    permission: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CapabilityReport:
    """What a credential can do. ``identity`` is whom it belongs to in the vendor's words, with no secret in it."""

    identity: str
    capabilities: tuple[Capability, ...]
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Capability, ...]:
        return tuple(capability for capability in self.capabilities if not capability.granted)
