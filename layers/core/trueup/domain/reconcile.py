"""Legs and mappings in, rows and verdicts out. A pure function: the same input gives the same bytes.

A row is one comparison: one client of the PSA, one product, and the vendor accounts and services mapped to them. All
that the vendor or the PSA says lands in exactly one row or is named as excluded; nothing is dropped in silence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from trueup.domain.accounts import Service, ServiceCount, ServiceId, ServiceKind, VendorAccountId, VendorFacts
from trueup.domain.billing import Agreement, AgreementId, Line, ProductId, PsaAccount, PsaAccountId, PsaFacts
from trueup.domain.canonical import sha256
from trueup.domain.counts import Count, Known, Missing
from trueup.domain.legs import LICENSED_NOT_READ, Billing, agreement_leg, billed_leg, monthly_difference
from trueup.domain.mapping import AccountEntry, MappingState, MappingTotals, ServiceEntry
from trueup.domain.verdicts import (
    VERDICT_ORDER,
    ExcludedAccount,
    Member,
    OpenAccount,
    Reconciliation,
    Row,
    RowCounts,
    Totals,
    Verdict,
)

_Pair = tuple[PsaAccountId, ProductId]


@dataclass(frozen=True, slots=True)
class Legs:
    """All that one reconciliation looks at.

    ``on`` is the MSP's calendar day at the start of the run, ``psa_read_at`` when the PSA was read, ``currency`` what a
    line is in when its agreement names none.
    """

    period: str
    on: date
    vendor: VendorFacts
    psa: PsaFacts
    psa_read_at: datetime
    accounts: tuple[AccountEntry, ...]
    services: tuple[ServiceEntry, ...]
    currency: str


class _View:
    """The input, indexed once."""

    def __init__(self, legs: Legs) -> None:
        self.legs = legs
        self.psa_accounts: Mapping[PsaAccountId, PsaAccount] = {item.id: item for item in legs.psa.accounts}
        self.agreements: Mapping[AgreementId, Agreement] = {item.id: item for item in legs.psa.agreements}
        self.services: Mapping[ServiceId, ServiceEntry] = {item.service_id: item for item in legs.services}
        self.vendor_services: Mapping[ServiceId, Service] = {item.id: item for item in legs.vendor.services}
        self.listed = {account.id for account in legs.vendor.accounts}
        self.counts: dict[VendorAccountId, list[ServiceCount]] = defaultdict(list)
        for count in legs.vendor.counts:
            self.counts[count.account_id].append(count)
        self.products = {
            entry.product_id: entry
            for entry in sorted(legs.services, key=lambda entry: entry.service_id, reverse=True)
            if entry.state is MappingState.MAPPED and entry.product_id is not None
        }
        self.lines: dict[_Pair, list[Line]] = defaultdict(list)
        for line in legs.psa.lines:
            if line.product_id in self.products:
                self.lines[(line.account_id, line.product_id)].append(line)

    def billing(self, pair: _Pair) -> Billing:
        return billed_leg(self.lines.get(pair, ()), self.agreements, on=self.legs.on, read_at=self.legs.psa_read_at)

    def currency(self, agreement: Agreement | None) -> str:
        return (agreement.currency if agreement is not None else None) or self.legs.currency

    def service_name(self, service_id: ServiceId) -> str:
        service = self.vendor_services.get(service_id)
        return service.name if service is not None else str(service_id)


def reconcile(legs: Legs) -> Reconciliation:
    """Compare the legs of one complete read of both sides."""
    view = _View(legs)
    members: dict[_Pair, list[Member]] = defaultdict(list)
    rows: list[Row] = []
    waiting: set[PsaAccountId] = set()
    for entry in legs.accounts:
        if entry.state is MappingState.EXCLUDED:
            continue
        if entry.state is not MappingState.MAPPED or entry.psa_id is None:
            rows.extend(_open_rows(view, entry))
        elif entry.vendor_id not in view.listed:
            waiting.add(entry.psa_id)
            rows.extend(_absent_rows(view, entry))
        else:
            rows.extend(_sort_members(view, entry, members))
    rows.extend(_compared(view, pair, tuple(found)) for pair, found in members.items())
    told = {(row.psa_account_id, row.product_id) for row in rows}
    rows.extend(_not_sold(view, told, waiting))
    ordered = tuple(sorted(rows, key=_row_order))
    return Reconciliation(
        period=legs.period,
        rows=ordered,
        excluded=tuple(_excluded(legs.accounts)),
        unmapped=tuple(_open(legs.accounts, MappingState.UNMAPPED)),
        ambiguous=tuple(_open(legs.accounts, MappingState.AMBIGUOUS)),
        totals=_totals(ordered, mapping_totals(legs.accounts)),
    )


def mapping_totals(accounts: Iterable[AccountEntry]) -> MappingTotals:
    """How many accounts are in each mapping state."""
    found: dict[MappingState, int] = defaultdict(int)
    for entry in accounts:
        found[entry.state] += 1
    return MappingTotals(
        mapped=found[MappingState.MAPPED],
        excluded=found[MappingState.EXCLUDED],
        ambiguous=found[MappingState.AMBIGUOUS],
        unmapped=found[MappingState.UNMAPPED],
    )


def _member(view: _View, entry: AccountEntry, count: ServiceCount) -> Member:
    return Member(
        vendor_id=entry.vendor_id,
        vendor_name=entry.vendor_name,
        account_state=entry.account_state,
        status_text=entry.status_text,
        service_id=count.service_id,
        service_name=view.service_name(count.service_id),
        count=count.count,
    )


def _billable(view: _View, entry: AccountEntry) -> list[ServiceCount]:
    """The counts of an account that ask for a decision: an unmapped package is a feature and asks for none."""
    found = sorted(view.counts.get(entry.vendor_id, ()), key=lambda count: count.service_id)
    wanted = []
    for count in found:
        service = view.services.get(count.service_id)
        kind = service.kind if service is not None else view.vendor_services[count.service_id].kind
        mapped = service is not None and service.state is not MappingState.UNMAPPED
        if mapped or kind is not ServiceKind.PACKAGE:
            wanted.append(count)
    return wanted or found[:1]


def _open_rows(view: _View, entry: AccountEntry) -> Iterator[Row]:
    """An account nobody has decided on still shows its seats, one row a service."""
    ambiguous = entry.state is MappingState.AMBIGUOUS
    verdict = Verdict.AMBIGUOUS if ambiguous else Verdict.UNMAPPED
    reason = entry.ambiguity if ambiguous else "this account is not mapped to a client of the PSA"
    counts = _billable(view, entry)
    if not counts:
        yield _row(view, (), verdict, (reason,), entry=entry)
    for count in counts:
        yield _row(view, (_member(view, entry, count),), verdict, (reason,))


def _absent_rows(view: _View, entry: AccountEntry) -> Iterator[Row]:
    """A mapped account that the vendor no longer lists: its lines keep their quantity until a person decides."""
    times = f"in {entry.absent_runs} complete reads in a row" if entry.absent_runs > 1 else "in the last complete read"
    reason = f"the vendor did not list account {entry.vendor_id} {times}"
    if entry.absent_runs >= ABSENT_RUNS_TO_PROPOSE_END:
        reason += "; if the client has left, end its line in the PSA and exclude the account"
    assert entry.psa_id is not None
    pairs = sorted(pair for pair in view.lines if pair[0] == entry.psa_id)
    for pair in pairs:
        billing = view.billing(pair)
        yield _row(view, (), Verdict.MISSING_DATA, (reason,), entry=entry, pair=pair, billing=billing)
    if not pairs:
        yield _row(view, (), Verdict.MISSING_DATA, (reason,), entry=entry)


def _sort_members(view: _View, entry: AccountEntry, members: dict[_Pair, list[Member]]) -> Iterator[Row]:
    """Put each count of a mapped account where it is compared; yields the rows that cannot be compared yet."""
    assert entry.psa_id is not None
    counts = _billable(view, entry)
    if not counts:
        yield _row(view, (), Verdict.MISSING_DATA, ("the vendor says nothing about this account",), entry=entry)
    for count in counts:
        service = view.services.get(count.service_id)
        if service is not None and service.state is MappingState.EXCLUDED:
            continue
        if service is None or service.state is not MappingState.MAPPED or service.product_id is None:
            name = view.service_name(count.service_id)
            reason = f"the service {count.service_id} ({name}) is not mapped to a product"
            yield _row(view, (_member(view, entry, count),), Verdict.UNMAPPED, (reason,), entry=entry)
            continue
        members[(entry.psa_id, service.product_id)].append(_member(view, entry, count))


def _compared(view: _View, pair: _Pair, members: tuple[Member, ...]) -> Row:
    """One client and product with everything mapped to it."""
    members = tuple(sorted(members, key=lambda member: (member.vendor_id, member.service_id)))
    billing = view.billing(pair)
    account = view.psa_accounts.get(pair[0])
    verdict, reasons = _judge(account, members, billing)
    return _row(view, members, verdict, reasons, pair=pair, billing=billing)


def _judge(account: PsaAccount | None, members: Sequence[Member], billing: Billing) -> tuple[Verdict, tuple[str, ...]]:
    if account is None or account.deleted:
        state = "deleted" if account is not None else "no longer listed"
        return Verdict.HELD, (f"the mapped client is {state} in the PSA; map the account to another or exclude it",)
    doubled = _doubled(members)
    if doubled is not None:
        return Verdict.AMBIGUOUS, (doubled, *billing.reasons)
    agreement = agreement_leg(members)
    if billing.verdict is not None:
        return billing.verdict, billing.reasons
    if not isinstance(agreement, Known):
        return Verdict.MISSING_DATA, (agreement.reason, *billing.reasons)
    notes = billing.reasons
    if len(members) > 1:
        parts = " + ".join(f"{member.vendor_id} {_seats(member.count)}" for member in members)
        notes = (f"{len(members)} vendor accounts are billed on this line: {parts}", *notes)
    if not isinstance(billing.count, Known):
        if agreement.seats == 0:
            return Verdict.IN_LINE, ("no seats in the agreement and no line in the PSA", *notes)
        return Verdict.NEW_REVENUE, (f"the vendor bills {agreement.seats} seats and no line bills them on", *notes)
    difference = agreement.seats - billing.count.seats
    if difference == 0:
        return Verdict.IN_LINE, notes
    words = f"agreement {agreement.seats}, billed {billing.count.seats}"
    if difference > 0:
        return Verdict.BILL_MORE, (f"{words}: bill {difference} more", *notes)
    return Verdict.BILL_LESS, (f"{words}: bill {-difference} less", *notes)


def _seats(count: Count) -> str:
    return str(count.seats) if isinstance(count, Known) else count.state


def _doubled(members: Sequence[Member]) -> str | None:
    """Two services of one account on one product would bill the same users twice, so a person must choose one."""
    seen: dict[VendorAccountId, Member] = {}
    for member in members:
        other = seen.setdefault(member.vendor_id, member)
        if other is not member:
            return (
                f"services {other.service_id} and {member.service_id} of account {member.vendor_id} are both mapped to "
                "this product; exclude one of them"
            )
    return None


def _not_sold(
    view: _View, told: set[tuple[PsaAccountId | None, ProductId | None]], waiting: set[PsaAccountId]
) -> Iterator[Row]:
    """Lines of mapped products that nothing from the vendor is compared with. They are shown, never edited."""
    mapped = defaultdict(list)
    for entry in view.legs.accounts:
        if entry.state is MappingState.MAPPED and entry.psa_id is not None:
            mapped[entry.psa_id].append(entry)
    for pair in sorted(view.lines):
        if pair in told or pair[0] in waiting or not any(line.is_live(view.legs.on) for line in view.lines[pair]):
            continue
        owners = mapped.get(pair[0], [])
        if owners:
            names = ", ".join(f"{entry.vendor_id}" for entry in owners)
            reason = (
                f"the vendor's agreement of {names} lists no service for this product; end the line or check the order"
            )
        else:
            reason = "the PSA bills this product and no vendor account is mapped to the client"
        owner = owners[0] if len(owners) == 1 else None
        yield _row(view, (), Verdict.NOT_SOLD, (reason,), entry=owner, pair=pair, billing=view.billing(pair))


def _row(
    view: _View,
    members: tuple[Member, ...],
    verdict: Verdict,
    reasons: tuple[str, ...],
    *,
    entry: AccountEntry | None = None,
    pair: _Pair | None = None,
    billing: Billing | None = None,
) -> Row:
    if entry is not None and not members:
        absent = Missing(reasons[0])
        members = (
            Member(
                entry.vendor_id,
                entry.vendor_name,
                entry.account_state,
                entry.status_text,
                ServiceId(""),
                "",
                absent,
            ),
        )
    psa_id = pair[0] if pair is not None else (entry.psa_id if entry is not None else None)
    account = view.psa_accounts.get(psa_id) if psa_id is not None else None
    product = view.products.get(pair[1]) if pair is not None else None
    agreement_count = agreement_leg(members)
    billed = billing.count if billing is not None else Missing("nothing is mapped to compare with")
    line = billing.line if billing is not None else None
    agreement = billing.agreement if billing is not None else None
    return Row(
        id=sha256([[m.vendor_id, m.service_id] for m in members] + [psa_id, pair[1] if pair else None])[:16],
        members=members,
        psa_account_id=psa_id,
        psa_account_name=account.name if account is not None else (entry.psa_name if entry is not None else ""),
        product_id=pair[1] if pair is not None else None,
        product_code=product.product_code if product is not None else "",
        counts=RowCounts(agreement=agreement_count, licensed=LICENSED_NOT_READ, billed=billed),
        verdict=verdict,
        monthly_money=_money(verdict, agreement_count, billing, product),
        currency=view.currency(agreement),
        reasons=reasons,
        line=line,
        agreement=agreement,
    )


def _money(verdict: Verdict, agreement: Count, billing: Billing | None, product: ServiceEntry | None) -> Decimal | None:
    """What a month gains by correcting the row; new revenue is priced at the catalog's price, where there is one."""
    if verdict is Verdict.IN_LINE:
        return Decimal(0)
    if verdict in {Verdict.BILL_MORE, Verdict.BILL_LESS} and billing is not None and billing.line is not None:
        assert isinstance(agreement, Known)
        return monthly_difference(billing.line, agreement.seats)
    if verdict is Verdict.NEW_REVENUE and isinstance(agreement, Known) and product is not None:
        return None if product.catalog_price is None else product.catalog_price * agreement.seats
    if verdict is Verdict.NOT_SOLD and billing is not None and billing.line is not None:
        return monthly_difference(billing.line, 0)
    return None


def _row_order(row: Row) -> tuple[int, Decimal, str, str, str]:
    """Verdicts in the table's order, most money first, then names; the id makes the order total."""
    money = -abs(row.monthly_money) if row.monthly_money is not None else Decimal(1)
    name = row.members[0].vendor_name if row.members else row.psa_account_name
    return VERDICT_ORDER.index(row.verdict), money, name, str(row.product_id or ""), row.id


def _excluded(accounts: Iterable[AccountEntry]) -> Iterator[ExcludedAccount]:
    for entry in accounts:
        if entry.state is MappingState.EXCLUDED:
            decision = entry.decision
            reason = decision.reason if decision is not None else ""
            yield ExcludedAccount(
                entry.vendor_id, entry.vendor_name, reason, decision.by if decision is not None else ""
            )


def _open(accounts: Iterable[AccountEntry], state: MappingState) -> Iterator[OpenAccount]:
    for entry in accounts:
        if entry.state is state:
            yield OpenAccount(entry.vendor_id, entry.vendor_name, entry.ambiguity or "not decided yet")


def _totals(rows: Sequence[Row], accounts: MappingTotals) -> Totals:
    verdicts: dict[Verdict, int] = defaultdict(int)
    money: dict[tuple[str, Verdict], Decimal] = defaultdict(Decimal)
    for row in rows:
        verdicts[row.verdict] += 1
        if row.monthly_money:
            money[(row.currency, row.verdict)] += row.monthly_money
    return Totals(
        rows=len(rows),
        verdicts=tuple((verdict, verdicts[verdict]) for verdict in VERDICT_ORDER),
        accounts=accounts,
        agreement_seats=sum(row.counts.agreement.seats for row in rows if isinstance(row.counts.agreement, Known)),
        billed_seats=sum(row.counts.billed.seats for row in rows if isinstance(row.counts.billed, Known)),
        money=tuple((currency, verdict, amount) for (currency, verdict), amount in sorted(money.items())),
        rows_without_price=sum(1 for row in rows if row.verdict.is_exception and row.monthly_money is None),
    )


ABSENT_RUNS_TO_PROPOSE_END = 3
"""After this many complete reads without an account, a person is asked to end its line. Nothing is deleted."""
