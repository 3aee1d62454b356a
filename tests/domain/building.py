"""Small builders for domain examples: each gives a plain, valid thing, and a test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from trueup.domain.accounts import (
    AccountState,
    Service,
    ServiceCount,
    ServiceId,
    ServiceKind,
    VendorAccount,
    VendorAccountId,
    VendorFacts,
)
from trueup.domain.allocation import Allocation
from trueup.domain.billing import (
    Agreement,
    AgreementId,
    AgreementState,
    Line,
    LineId,
    ProductId,
    PsaAccount,
    PsaAccountId,
    PsaFacts,
)
from trueup.domain.counts import Basis, BillingBasis, Count, Evidence, Known, Missing, Seats
from trueup.domain.effective import AS_THE_PSA_DOES, PSA_CAPABILITIES, EffectiveWish, PsaCapabilities
from trueup.domain.guards import GuardPolicy
from trueup.domain.integrations import IntegrationName
from trueup.domain.legs_view import OrderedSeats
from trueup.domain.mapping import AccountEntry, Decision, MappingState, ServiceEntry
from trueup.domain.matching import MatchRule
from trueup.domain.plan import Plan
from trueup.domain.plan_building import PlanTerms, build_plan
from trueup.domain.reconcile import Legs, reconcile
from trueup.domain.verdicts import Reconciliation, Row, Verdict

READ_AT = datetime(2026, 11, 15, 8, 30, tzinfo=UTC)
TODAY = date(2026, 11, 15)
PERIOD = "2026-11"
POLICY = GuardPolicy()
CONNECTWISE = PSA_CAPABILITIES[IntegrationName.CONNECTWISE]


def known(seats: int, *, conflict: str | None = None, reference: str = "contract 1") -> Known:
    evidence = Evidence(source="contract", key="userCount", reference=reference, seats=seats)
    return Known(Seats(seats), Basis.CONTRACT, READ_AT, (evidence,), conflict)


def entry(
    vendor_id: str = "V1",
    psa_id: str | None = "P1",
    *,
    state: MappingState | None = None,
    name: str | None = None,
    account_state: AccountState = AccountState.ACTIVE,
    status_text: str = "",
    reason: str = "same name",
    ambiguity: str = "",
    absent_runs: int = 0,
) -> AccountEntry:
    """A mapped account; without a PSA id an unmapped one."""
    state = state or (MappingState.MAPPED if psa_id is not None else MappingState.UNMAPPED)
    return AccountEntry(
        vendor_id=VendorAccountId(vendor_id),
        vendor_name=name if name is not None else f"Client {vendor_id}",
        account_state=account_state,
        state=state,
        status_text=status_text,
        psa_id=PsaAccountId(psa_id) if psa_id is not None else None,
        psa_name="" if psa_id is None else f"Client {psa_id}",
        decision=Decision("dana", READ_AT, MatchRule.PERSON, reason),
        ambiguity=ambiguity,
        absent_runs=absent_runs,
    )


def service(
    service_id: str = "S1",
    product_id: str | None = "X",
    *,
    state: MappingState | None = None,
    kind: ServiceKind = ServiceKind.PLAN,
    catalog_price: Decimal | None = Decimal("3.50"),
    is_per_user: bool = True,
) -> ServiceEntry:
    """A mapped service; without a product an unmapped one."""
    state = state or (MappingState.MAPPED if product_id is not None else MappingState.UNMAPPED)
    return ServiceEntry(
        service_id=ServiceId(service_id),
        name=f"Service {service_id}",
        kind=kind,
        state=state,
        product_id=ProductId(product_id) if product_id is not None else None,
        product_code="" if product_id is None else f"MIME-{product_id}",
        catalog_price=catalog_price,
        is_per_user=is_per_user,
    )


def line(
    line_id: str = "L1",
    quantity: str = "10",
    *,
    psa_id: str = "P1",
    product_id: str = "X",
    agreement_id: str = "A1",
    price: str | None = "2.00",
    free: str = "0",
    version: str = "v1",
    begins: date | None = date(2026, 1, 1),
    ends: date | None = None,
    billable: bool = True,
    not_writable_reason: str | None = None,
) -> Line:
    return Line(
        id=LineId(line_id),
        agreement_id=AgreementId(agreement_id),
        account_id=PsaAccountId(psa_id),
        product_id=ProductId(product_id),
        product_code=f"MIME-{product_id}",
        description="Email security",
        quantity=Decimal(quantity),
        version=version,
        less_included=Decimal(free),
        unit_price=None if price is None else Decimal(price),
        effective_from=begins,
        effective_to=ends,
        billable=billable,
        not_writable_reason=not_writable_reason,
    )


def agreement(
    agreement_id: str = "A1",
    psa_id: str = "P1",
    *,
    state: AgreementState = AgreementState.ACTIVE,
    starts: date | None = None,
    ends: date | None = None,
    currency: str | None = None,
    prorates: bool = False,
    next_invoice_on: date | None = None,
) -> Agreement:
    return Agreement(
        id=AgreementId(agreement_id),
        account_id=PsaAccountId(psa_id),
        name=f"Agreement {agreement_id}",
        type_name="Managed services",
        state=state,
        starts_on=starts,
        ends_on=ends,
        currency=currency,
        prorates=prorates,
        next_invoice_on=next_invoice_on,
    )


def client(psa_id: str = "P1", *, deleted: bool = False, name: str | None = None) -> PsaAccount:
    return PsaAccount(PsaAccountId(psa_id), psa_id, f"Client {psa_id}" if name is None else name, deleted=deleted)


def legs(
    counts: Mapping[tuple[str, str], Count] | None = None,
    lines: Iterable[Line] | None = None,
    *,
    entries: Iterable[AccountEntry] | None = None,
    services: Iterable[ServiceEntry] | None = None,
    agreements: Iterable[Agreement] | None = None,
    clients: Iterable[PsaAccount] | None = None,
    not_listed: Iterable[str] = (),
    on: date = TODAY,
    allocations: Iterable[Allocation] = (),
    licensed: Mapping[str, Count] | None = None,
    ordered: Iterable[OrderedSeats] = (),
    open_orders: Iterable[OrderedSeats] = (),
    basis: BillingBasis = BillingBasis.AGREEMENT,
) -> Legs:
    """One vendor account of ten seats, mapped to a client with one line of ten, but for what is given.

    Licenses are read where ``licensed`` is given, be it for no client.
    """
    counts = {("V1", "S1"): known(10)} if counts is None else counts
    entries = (entry(),) if entries is None else tuple(entries)
    services = (service(),) if services is None else tuple(services)
    gone = set(not_listed)
    names = {item.vendor_id: item.vendor_name for item in entries}
    ids = sorted({str(item) for item in names} | {vendor_id for vendor_id, _ in counts})
    kinds = {str(item.service_id): item.kind for item in services}
    return Legs(
        period=PERIOD,
        on=on,
        vendor=VendorFacts(
            accounts=tuple(
                VendorAccount(VendorAccountId(item), names.get(VendorAccountId(item), item), AccountState.ACTIVE)
                for item in ids
                if item not in gone
            ),
            services=tuple(
                Service(ServiceId(item), f"Service {item}", kinds.get(item, ServiceKind.PLAN))
                for item in sorted({service_id for _, service_id in counts} | set(kinds))
            ),
            counts=tuple(
                ServiceCount(VendorAccountId(vendor_id), ServiceId(service_id), count)
                for (vendor_id, service_id), count in counts.items()
            ),
        ),
        psa=PsaFacts(
            accounts=(client(),) if clients is None else tuple(clients),
            agreements=(agreement(),) if agreements is None else tuple(agreements),
            lines=(line(),) if lines is None else tuple(lines),
        ),
        psa_read_at=READ_AT,
        accounts=entries,
        services=services,
        currency="USD",
        allocations=tuple(allocations),
        licensed={PsaAccountId(psa_id): count for psa_id, count in (licensed or {}).items()},
        ordered=tuple(ordered),
        basis=basis,
        open_orders=tuple(open_orders),
        licenses_are_connected=licensed is not None,
    )


def licensed(seats: int, *, conflict: str | None = None) -> Known:
    """So many licensed users."""
    evidence = Evidence(source="Microsoft 365", key="licensed users", reference="tenant 1", seats=seats)
    return Known(Seats(seats), Basis.LICENSED_USERS, READ_AT, (evidence,), conflict)


def order(seats: int, *, vendor_id: str = "V1", service_id: str = "S1", order_id: str = "order-1") -> OrderedSeats:
    return OrderedSeats(VendorAccountId(vendor_id), ServiceId(service_id), seats, order_id)


def allocation(balancing: str = "L2", *, psa_id: str = "P1", product_id: str = "X", **fixed: int) -> Allocation:
    """A division: ``L1=5`` fixes five seats on line L1."""
    return Allocation(
        psa_account_id=PsaAccountId(psa_id),
        product_id=ProductId(product_id),
        fixed=tuple((LineId(line_id), seats) for line_id, seats in sorted(fixed.items())),
        balancing=LineId(balancing),
        by="dana",
        at=READ_AT,
        reason="two sites",
    )


def only_row(given: Legs) -> Row:
    rows = reconcile(given).rows
    assert len(rows) == 1, [(row.verdict, row.reasons) for row in rows]
    return rows[0]


def by_verdict(given: Legs) -> dict[Verdict, Row]:
    """The rows of a month in which no verdict comes twice."""
    rows = reconcile(given).rows
    assert len({row.verdict for row in rows}) == len(rows)
    return {row.verdict: row for row in rows}


def seats_of(row: Row) -> tuple[int | str, int | str]:
    """What the agreement and the bill say: a number of seats, or the word for why there is none."""
    first, second = (
        count.seats if isinstance(count, Known) else count.state for count in (row.counts.agreement, row.counts.billed)
    )
    return first, second


def is_left_alone(given: Legs) -> bool:
    """Whether no change at all is proposed."""
    return proposed(reconcile(given)).changes == ()


def proposed(
    reconciliation: Reconciliation,
    *,
    policy: GuardPolicy = POLICY,
    ages: tuple[str, ...] = ("0.1", "0.2"),
    created_at: datetime = READ_AT,
    run_id: str = "run-1",
    wish: EffectiveWish = AS_THE_PSA_DOES,
    capabilities: PsaCapabilities = CONNECTWISE,
) -> Plan:
    return build_plan(
        reconciliation,
        terms=PlanTerms("example", reconciliation.period, TODAY, policy, capabilities, wish),
        run_id=run_id,
        created_at=created_at,
        read_ages_hours=(Decimal(age) for age in ages),
        snapshots=(f"vendor of {run_id}", f"psa of {run_id}"),
        prepared_by="the monthly run",
    )


def missing(reason: str = "the contract names no count") -> Missing:
    return Missing(reason)


def month_of(*numbers: tuple[int, int]) -> Legs:
    """One client for each (billed, agreement)."""
    places = range(len(numbers))
    return legs(
        {(f"V{place}", "S1"): known(agreed) for place, (_, agreed) in enumerate(numbers)},
        [
            line(f"L{place}", str(billed), psa_id=f"P{place}", agreement_id=f"A{place}")
            for place, (billed, _) in enumerate(numbers)
        ],
        entries=[entry(f"V{place}", f"P{place}") for place in places],
        agreements=[agreement(f"A{place}", f"P{place}") for place in places],
        clients=[client(f"P{place}") for place in places],
    )


def plan_of(*numbers: tuple[int, int]) -> Plan:
    """What is proposed for that month."""
    return proposed(reconcile(month_of(*numbers)))
