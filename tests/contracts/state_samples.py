"""Small values of every kind of record, for the state's contract suite."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from trueup.domain.accounts import (
    AccountState,
    Service,
    ServiceCount,
    ServiceId,
    ServiceKind,
    VendorAccount,
    VendorAccountId,
    VendorPage,
)
from trueup.domain.audit import Audit
from trueup.domain.billing import (
    Agreement,
    AgreementId,
    AgreementState,
    Line,
    LineId,
    ProductId,
    PsaAccount,
    PsaAccountId,
    PsaPage,
    WriteOutcome,
)
from trueup.domain.counts import Basis, Evidence, Failed, Known, Missing, Seats
from trueup.domain.guards import Hold
from trueup.domain.integrations import Side
from trueup.domain.mapping import AccountEntry, Decision, FormerTarget, MappingState, MappingTotals, ServiceEntry
from trueup.domain.matching import MatchRule, Suggestion
from trueup.domain.plan import Change, ChangeResult, Plan
from trueup.domain.runs import Run, RunState, Snapshot, Step
from trueup.domain.uploads import Upload
from trueup.domain.verdicts import (
    ExcludedAccount,
    Member,
    OpenAccount,
    Reconciliation,
    Row,
    RowCounts,
    Totals,
    Verdict,
)

NOW = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)
PERIOD = "2026-09"
HOSTILE_NAMES = (
    "\ud800 lone surrogate \udfff",
    "nul \x00 inside",
    "\u202egnitirw thgir-to-left",
    "\ufeffbom first",
    "n" * 10_000,
    "\U0001f600" * 3_000,
    "a#b#c \\ud800 \ufffd",
    "",
)


def audit(action: str = "thing done", subject: str = "thing", at: datetime = NOW, **named: str) -> Audit:
    return Audit(at, "ann@example.com", action, subject, **named)


def known(seats: int) -> Known:
    evidence = (Evidence("contract", "users", "c-1", seats),)
    return Known(Seats(seats), Basis.CONTRACT, NOW, evidence, conflict="another says 3" if seats == 7 else None)


def entry(vendor_id: str, name: str = "", state: MappingState = MappingState.UNMAPPED) -> AccountEntry:
    decision = Decision("ann", NOW, next(iter(MatchRule)), "same name") if state is MappingState.MAPPED else None
    return AccountEntry(
        vendor_id=VendorAccountId(vendor_id),
        vendor_name=name or f"Client {vendor_id}",
        account_state=AccountState.ACTIVE,
        state=state,
        decision=decision,
        suggestions=(Suggestion("19", "Klient", 88, ("rare word: klient",)),),
        psa_system="https://acme.halopsa.com",
        psa_integration="halopsa",
        former=(FormerTarget("https://api-na.myconnectwise.net acme", "connectwise", "271", "Klient", decision),),
    )


def service(service_id: str) -> ServiceEntry:
    return ServiceEntry(
        ServiceId(service_id),
        "Email Security",
        ServiceKind.PLAN,
        MappingState.MAPPED,
        product_id=ProductId("p"),
        catalog_price=Decimal("3.10"),
        psa_system="https://acme.halopsa.com",
        psa_integration="halopsa",
        former=(FormerTarget("https://api-na.myconnectwise.net acme", "connectwise", "560", "Mail", code="MIME"),),
    )


def line(number: int = 1, quantity: str = "40.0") -> Line:
    return Line(
        id=LineId(f"line-{number}"),
        agreement_id=AgreementId("agr-1"),
        account_id=PsaAccountId("19"),
        product_id=ProductId("p"),
        product_code="MIME-ES",
        description="seats",
        quantity=Decimal(quantity),
        version="2026-08-01T00:00:00Z",
        unit_price=Decimal("2.500"),
        effective_from=date(2026, 1, 31),
    )


def agreement() -> Agreement:
    return Agreement(
        AgreementId("agr-1"), PsaAccountId("19"), "Managed", "MSA", AgreementState.ACTIVE, starts_on=date(2026, 1, 1)
    )


def vendor_page(number: int = 1, cursor: str | None = None, name: str = "Client") -> VendorPage:
    account = VendorAccountId(f"C{number}")
    return VendorPage(
        accounts=(VendorAccount(account, name, AccountState.ACTIVE, "active"),),
        services=(Service(ServiceId("s"), "Email", ServiceKind.PLAN),),
        counts=(
            ServiceCount(account, ServiceId("s"), known(number)),
            ServiceCount(account, ServiceId("m"), Missing("nobody says")),
            ServiceCount(account, ServiceId("f"), Failed("unreadable")),
        ),
        next_cursor=cursor,
        accounts_total=3,
    )


def psa_page(number: int = 1) -> PsaPage:
    account = PsaAccount(PsaAccountId("19"), "ACME", "Acme", "Active", deleted=False)
    return PsaPage((account,), (agreement(),), (line(number),), None, agreements_total=1)


def snapshot(pages: tuple[str, ...], side: Side = Side.VENDOR, number: int = 1, minutes: int = 0) -> Snapshot:
    at = NOW + timedelta(minutes=minutes)
    return Snapshot(f"snap-{number}", side, PERIOD, "run-1", NOW, at, pages, "d" * 64, len(pages), len(pages))


def run(number: int = 1, state: RunState = RunState.RUNNING, at: datetime = NOW) -> Run:
    return Run(f"run-{PERIOD}-{number}", PERIOD, state, Step.SYNC, at, "schedule", at)


def row(number: int, verdict: Verdict, reason: str = "") -> Row:
    member = Member(
        VendorAccountId(f"C{number}"), f"Client {number}", AccountState.ACTIVE, "", ServiceId("s"), "E", known(number)
    )
    counts = RowCounts(known(number), Missing("not read"), Failed("no whole quantity"))
    return Row(
        id=f"row-{number}",
        members=(member,),
        psa_account_id=PsaAccountId("19"),
        psa_account_name="Acme",
        product_id=ProductId("p"),
        product_code="MIME-ES",
        counts=counts,
        verdict=verdict,
        monthly_money=Decimal("12.50"),
        currency="EUR",
        reasons=(reason or "because",),
        line=line(number),
        agreement=agreement(),
    )


def reconciliation(rows: tuple[Row, ...], period: str = PERIOD) -> Reconciliation:
    return Reconciliation(
        period=period,
        rows=rows,
        excluded=(ExcludedAccount(VendorAccountId("X"), "Excluded", "our own", "ann"),),
        unmapped=(OpenAccount(VendorAccountId("U"), "Open", "no match"),),
        ambiguous=(),
        totals=Totals(
            rows=len(rows),
            verdicts=((Verdict.BILL_MORE, len(rows)),),
            accounts=MappingTotals(mapped=1),
            agreement_seats=5,
            billed_seats=4,
            money=(("EUR", Verdict.BILL_MORE, Decimal("12.50")),),
            rows_without_price=0,
        ),
    )


def change(number: int, *, held: bool = False) -> Change:
    return Change(
        id=f"chg-{number:05d}",
        row_id=f"row-{number}",
        vendor_ids=(f"C{number}",),
        psa_account_id=PsaAccountId("19"),
        psa_account_name="Acme",
        agreement_id=AgreementId("agr-1"),
        agreement_name="Managed",
        line_id=LineId(f"line-{number}"),
        product_id=ProductId("p"),
        product_code="MIME-ES",
        expected=Decimal("40.0"),
        expected_version="v",
        target=Seats(42),
        effective=None,
        monthly_money=Decimal("5.00"),
        currency="EUR",
        reasons=("two more",),
        evidence="e" * 64,
        holds=(Hold("jump", "40 -> 42", "a person confirms"),) if held else (),
    )


def plan(name: str = "a", changes: int = 2, period: str = PERIOD, minutes: int = 0, held: int = 0) -> Plan:
    made = tuple(change(number, held=number <= held) for number in range(1, changes + 1))
    return Plan(
        id=f"plan-{period}-{name}",
        tenant="example",
        period=period,
        run_id="run-1",
        created_at=NOW + timedelta(minutes=minutes),
        changes=made,
        prepared_by="ann",
        snapshots=("snap-1",),
    )


def approved(proposed: Plan) -> Plan:
    return proposed.approved(proposed.checksum, by="bob", at=NOW)


def result(number: int, outcome: WriteOutcome = WriteOutcome.APPLIED) -> ChangeResult:
    return ChangeResult(f"chg-{number:05d}", outcome, "done", NOW, quantity_seen=Decimal("42.00"))


def upload(content: bytes = b"Account Code,Account Name\nC1,Acme\n", rows: int = 1, hours: int = 0) -> Upload:
    return Upload("mimecast customers", content, rows, NOW + timedelta(hours=hours), "ann")


def finished(started: Run, at: datetime = NOW) -> Run:
    return replace(started, state=RunState.DONE, updated_at=at, ended_at=at)
