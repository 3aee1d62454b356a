"""What one reconciliation looks at, indexed once and put in order: no result depends on the order it came in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from trueup.domain.accounts import AccountState, ServiceCount, ServiceId, ServiceKind, VendorAccountId, VendorFacts
from trueup.domain.allocation import Allocation
from trueup.domain.billing import (
    Agreement,
    AgreementId,
    AgreementState,
    Line,
    ProductId,
    PsaAccount,
    PsaAccountId,
    PsaFacts,
)
from trueup.domain.counts import BillingBasis, Count
from trueup.domain.legs import Billing, billed_leg
from trueup.domain.mapping import AccountEntry, MappingState, ServiceEntry

Pair = tuple[PsaAccountId, ProductId]
"""One client and one product: what is compared."""


@dataclass(frozen=True, slots=True)
class OrderedSeats:
    """A change order that was sent to the vendor and is not reflected yet: what the agreement will hold."""

    vendor_id: VendorAccountId
    service_id: ServiceId
    seats: int
    order_id: str


@dataclass(frozen=True, slots=True)
class Legs:
    """All that one reconciliation looks at.

    ``on`` is the MSP's calendar day at the start of the run, ``psa_read_at`` when the PSA was read, ``currency`` what a
    line is in when its agreement names none. ``allocations`` are what people said of lines of the PSA that was read.
    ``licensed`` is the licensed count of each client, by the counting policy that holds for it; a client that is not in
    it has none: no tenant is mapped to it, or ``licenses_are_connected`` is off because nothing that counts licenses is
    connected. ``ordered`` are seats that count as agreed though the vendor does not show them yet (a tenant that bills
    on order), ``open_orders`` those that nobody need order again. ``basis`` is which count the PSA is to bill.
    """

    period: str
    on: date
    vendor: VendorFacts
    psa: PsaFacts
    psa_read_at: datetime
    accounts: tuple[AccountEntry, ...]
    services: tuple[ServiceEntry, ...]
    currency: str
    allocations: tuple[Allocation, ...] = ()
    licensed: Mapping[PsaAccountId, Count] = field(default_factory=dict)
    ordered: tuple[OrderedSeats, ...] = ()
    basis: BillingBasis = BillingBasis.AGREEMENT
    open_orders: tuple[OrderedSeats, ...] = ()
    licenses_are_connected: bool = False


class LegsView:
    """The input, indexed once and put in order, so that no result depends on the order it came in."""

    def __init__(self, legs: Legs) -> None:
        self.legs = legs
        self.psa_accounts: Mapping[PsaAccountId, PsaAccount] = {item.id: item for item in legs.psa.accounts}
        self.agreements: Mapping[AgreementId, Agreement] = {item.id: item for item in legs.psa.agreements}
        self._active: dict[PsaAccountId, list[Agreement]] = defaultdict(list)
        for agreement in sorted(legs.psa.agreements, key=lambda agreement: agreement.id):
            if agreement.state_on(legs.on) is AgreementState.ACTIVE:
                self._active[agreement.account_id].append(agreement)
        self.services: Mapping[ServiceId, ServiceEntry] = {item.service_id: item for item in legs.services}
        self.service_names: Mapping[ServiceId, str] = {item.id: item.name for item in legs.vendor.services}
        self.service_kinds: Mapping[ServiceId, ServiceKind] = {item.id: item.kind for item in legs.vendor.services}
        self.counts: dict[VendorAccountId, list[ServiceCount]] = defaultdict(list)
        for count in sorted(legs.vendor.counts, key=lambda count: count.service_id):
            self.counts[count.account_id].append(count)
        self.listed = {account.id for account in legs.vendor.accounts} | set(self.counts)
        self.entries = _all_entries(legs.accounts, legs.vendor, self.listed)
        # Several services may be billed as one product: the first with a price speaks for it.
        by_price = sorted(legs.services, key=lambda entry: (entry.catalog_price is None, entry.service_id))
        self.products = {
            entry.product_id: entry
            for entry in reversed(by_price)
            if entry.state is MappingState.MAPPED and entry.product_id is not None
        }
        self.services_of: dict[ProductId, list[ServiceId]] = defaultdict(list)
        for entry in legs.services:
            if entry.state is MappingState.MAPPED and entry.product_id is not None:
                self.services_of[entry.product_id].append(entry.service_id)
        self.ordered, self.open_orders = _by_service(legs.ordered), _by_service(legs.open_orders)
        self.lines: dict[Pair, list[Line]] = defaultdict(list)
        for line in sorted(legs.psa.lines, key=lambda line: line.id):
            if line.product_id in self.products:
                self.lines[(line.account_id, line.product_id)].append(line)
        self.allocations: dict[Pair, Allocation] = {
            (one.psa_account_id, one.product_id): one for one in legs.allocations
        }
        self.live_pairs: dict[PsaAccountId, list[Pair]] = defaultdict(list)
        for pair in sorted(self.lines):
            if any(line.is_live(legs.on) for line in self.lines[pair]):
                self.live_pairs[pair[0]].append(pair)

    def billing(self, pair: Pair) -> Billing:
        return billed_leg(
            self.lines.get(pair, ()),
            self.agreements,
            on=self.legs.on,
            read_at=self.legs.psa_read_at,
            allocation=self.allocations.get(pair),
        )

    def active_agreements(self, account_id: PsaAccountId | None) -> tuple[Agreement, ...]:
        """The client's agreements that bill on the day of the run, by id."""
        return tuple(self._active.get(account_id, ())) if account_id is not None else ()

    def currency(self, agreement: Agreement | None) -> str:
        return (agreement.currency if agreement is not None else None) or self.legs.currency

    def service_name(self, service_id: ServiceId) -> str:
        return self.service_names.get(service_id, str(service_id))


def _by_service(orders: Iterable[OrderedSeats]) -> dict[tuple[VendorAccountId, ServiceId], OrderedSeats]:
    """There is one open order for an account and service; of several, the one with the greatest id counts."""
    return {(one.vendor_id, one.service_id): one for one in sorted(orders, key=lambda order: order.order_id)}


def _all_entries(
    known: Sequence[AccountEntry], vendor: VendorFacts, listed: Iterable[VendorAccountId]
) -> tuple[AccountEntry, ...]:
    """The entries by id, with an unmapped one for each account that the vendor lists and no entry is kept for yet."""
    entries = {entry.vendor_id: entry for entry in known}
    for account in vendor.accounts:
        if account.id not in entries:
            entries[account.id] = AccountEntry(
                account.id, account.name, account.state, MappingState.UNMAPPED, status_text=account.status_text
            )
    for vendor_id in listed:
        if vendor_id not in entries:
            entries[vendor_id] = AccountEntry(vendor_id, str(vendor_id), AccountState.UNKNOWN, MappingState.UNMAPPED)
    return tuple(entries[vendor_id] for vendor_id in sorted(entries))
