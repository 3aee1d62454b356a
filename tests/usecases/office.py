"""An MSP in memory for use-case tests: both vendors, the state, the vault and the clock in one hand.

``Office`` does what a person or the month does, step by step, with the ports as fakes; a test changes what it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

from tests.fakes.clock import FakeClock
from tests.fakes.connections import LICENSES_HOST, PSA_HOST, VENDOR_HOST, FakeConnections
from tests.fakes.licenses import FakeLicenses
from tests.fakes.psa import FakePsa
from tests.fakes.state import FakeState, fake_state
from tests.fakes.vault import FakeVault
from tests.fakes.vendor import FakeVendor
from trueup.adapters.name_similarity import RapidNameSimilarity
from trueup.api.spreadsheets import mapping_sheets
from trueup.domain.billing import (
    Agreement,
    AgreementId,
    AgreementState,
    Line,
    LineId,
    Product,
    ProductId,
    PsaAccount,
    PsaAccountId,
)
from trueup.domain.counts import whole_seats
from trueup.domain.effective import PsaCapabilities
from trueup.domain.guards import GuardPolicy
from trueup.domain.integrations import Integration, IntegrationName, Side
from trueup.domain.mapping import AccountEntry, MatchingSummary
from trueup.domain.plan import Plan
from trueup.domain.runs import Run
from trueup.usecases import allocation, credential_validation, integrations, mapping, plan_lines, plans
from trueup.usecases.allocation import Division
from trueup.usecases.auto_matching import auto_match
from trueup.usecases.license_sync import LicensedLegs, licensed_legs, sync_licenses
from trueup.usecases.month import ReadSide, Systems, read_and_match, reconcile_run
from trueup.usecases.monthly_run import begin_run, chosen_wish, end_run
from trueup.usecases.opening import connected, connected_sides, psa_capabilities
from trueup.usecases.plan_apply import Applied, OnWait, apply_plan
from trueup.usecases.plan_undo import ProposedUndo, propose_undo
from trueup.usecases.psa_switch import Connected, connect_system
from trueup.usecases.psa_sync import sync_psa
from trueup.usecases.reading import ReadOrder, ReadResult
from trueup.usecases.reconciliation import Outcome, ReconciliationPolicy
from trueup.usecases.vendor_sync import sync_vendor

SECRET = "canary-secret-9f31"
PERSON, APPROVER = "dana", "alex"
TIME_ZONE = ZoneInfo("America/New_York")
PERIOD = "2026-09"

MIMECAST_FIELDS = {"client_id": "fake-client-id-0001", "client_secret": SECRET}
CONNECTWISE_FIELDS = {
    "company_id": "acmemsp",
    "public_key": "fakePublicKey0001",
    "private_key": SECRET,
    "client_id": "00000000-0000-4000-8000-00000000fake",
}

FIELDS: Mapping[IntegrationName, Mapping[str, str]] = {
    IntegrationName.MIMECAST: MIMECAST_FIELDS,
    IntegrationName.CONNECTWISE: CONNECTWISE_FIELDS,
    IntegrationName.AUTOTASK: {
        "user_name": "apiuser0001@acmemsp.example",
        "secret": SECRET,
        "integration_code": "FAKEINTEGRATIONCODE",
    },
    IntegrationName.HALOPSA: {"client_id": "fake-halo-client-0001", "client_secret": SECRET},
    IntegrationName.SYNCRO: {"api_key": SECRET},
    IntegrationName.VENDOR_FILES: {},
    IntegrationName.PSA_FILES: {},
    IntegrationName.MICROSOFT365: {
        "tenant_id": "00000000-0000-4000-8000-0000000000ff",
        "client_id": "00000000-0000-4000-8000-00000000app1",
        "client_secret": SECRET,
    },
    IntegrationName.LICENSE_FILES: {},
}

HOSTS = {Side.VENDOR: VENDOR_HOST, Side.PSA: PSA_HOST, Side.LICENSES: LICENSES_HOST}


@dataclass
class Office:
    """One MSP. Everything may be reached and changed."""

    clock: FakeClock
    vendor: FakeVendor
    psa: FakePsa
    state: FakeState
    vault: FakeVault
    connections: FakeConnections
    tenant: str = "example"

    @property
    def licenses(self) -> FakeLicenses:
        """What license counts are read from."""
        assert isinstance(self.connections.license_system, FakeLicenses)
        return self.connections.license_system

    @property
    def systems(self) -> Systems:
        return Systems(self.state, self.vault, self.connections, RapidNameSimilarity(), self.clock)

    @property
    def policy(self) -> ReconciliationPolicy:
        return ReconciliationPolicy(self.tenant, TIME_ZONE, "USD", GuardPolicy())

    # What both sides hold.

    def client(
        self,
        number: int,
        name: str,
        seats: int | None,
        billed: str | None,
        *,
        psa_name: str | None = None,
        version: str = "v1",
    ) -> None:
        """A client on both sides: ``seats`` in the agreement (None: not told), ``billed`` on its line (None: none)."""
        self.vendor.add_account(f"V{number}", name, seats)
        self.psa_client(number, name if psa_name is None else psa_name)
        if billed is not None:
            self.line(number, billed, version=version)

    def psa_client(self, number: int, name: str, *, deleted: bool = False) -> None:
        """A client of the PSA with an active agreement and no line."""
        account = PsaAccount(PsaAccountId(f"P{number}"), f"C{number}", name, "Active", deleted)
        self.psa.accounts[account.id] = account
        agreement = Agreement(
            AgreementId(f"A{number}"), account.id, f"Managed {number}", "Managed", AgreementState.ACTIVE
        )
        self.psa.agreements[agreement.id] = agreement

    def line(self, number: int, billed: str, *, line_id: str = "", version: str = "v1") -> None:
        """A live line of the product on the client's agreement."""
        line = Line(
            id=LineId(line_id or f"L{number}"),
            agreement_id=AgreementId(f"A{number}"),
            account_id=PsaAccountId(f"P{number}"),
            product_id=ProductId("560"),
            product_code="MIME-EMAIL",
            description="Email security",
            quantity=Decimal(billed),
            version=version,
            unit_price=Decimal("4.25"),
            effective_from=date(2024, 1, 1),
        )
        self.psa.lines[line.id] = line

    # What people do.

    def connect(self, name: IntegrationName, *, switch: bool = False, **fields: str) -> Integration:
        """Connect with the good credential, but for what is given."""
        return credential_validation.connect(
            name,
            address=HOSTS[name.side],
            fields={**FIELDS[name], **fields},
            actor=PERSON,
            integrations=self.state.integrations,
            vault=self.vault,
            connections=self.connections,
            clock=self.clock,
            switch=switch,
        )

    def connect_licenses(self, name: IntegrationName = IntegrationName.MICROSOFT365) -> FakeLicenses:
        """Connect license counts; what they are is for the test to say."""
        self.connect(name)
        return self.licenses

    def change_psa(self, name: IntegrationName, *, switch: bool = True, **fields: str) -> Connected:
        """Connect another PSA in place of the connected one, as the command line and the API do it."""
        return connect_system(
            name,
            address=PSA_HOST,
            fields={**FIELDS[name], **fields},
            switch=switch,
            sheets=mapping_sheets,
            actor=PERSON,
            integrations=self.state.integrations,
            vault=self.vault,
            connections=self.connections,
            snapshots=self.state.snapshots,
            accounts=self.state.accounts,
            services=self.state.services,
            uploads=self.state.uploads,
            clock=self.clock,
        )

    def connect_both(self) -> None:
        for name in (IntegrationName.MIMECAST, IntegrationName.CONNECTWISE):
            self.connect(name)

    def validate(self, name: IntegrationName = IntegrationName.MIMECAST) -> Integration:
        return credential_validation.validate(
            name,
            actor="schedule",
            integrations=self.state.integrations,
            vault=self.vault,
            connections=self.connections,
            clock=self.clock,
        )

    def map_account(self, vendor_id: str, psa_id: str) -> AccountEntry:
        return mapping.map_account(
            vendor_id,
            psa_id,
            actor=PERSON,
            accounts=self.state.accounts,
            snapshots=self.state.snapshots,
            clock=self.clock,
        )

    def exclude(self, vendor_id: str, reason: str = "our own account") -> AccountEntry:
        return mapping.exclude_account(
            vendor_id, reason=reason, actor=PERSON, accounts=self.state.accounts, clock=self.clock
        )

    def clear(self, vendor_id: str) -> AccountEntry:
        return mapping.clear_account(vendor_id, actor=PERSON, accounts=self.state.accounts, clock=self.clock)

    def map_service(self, service_id: str = "plan", product: str = "MIME-EMAIL") -> None:
        mapping.map_service(
            service_id,
            product,
            actor=PERSON,
            services=self.state.services,
            psa=self.psa,
            psa_integration=connected(Side.PSA, self.state.integrations),
            clock=self.clock,
        )

    def finish(self) -> tuple[Integration, ...]:
        return integrations.finish(
            actor=PERSON,
            integrations=self.state.integrations,
            accounts=self.state.accounts,
            services=self.state.services,
            clock=self.clock,
        )

    def account(self, vendor_id: str) -> AccountEntry:
        return next(entry for entry in self.state.accounts.all() if entry.vendor_id == vendor_id)

    # What the month does.

    def begin(self, *, accept_drop: bool = False, effective: str = "") -> Run:
        return begin_run(
            actor=PERSON,
            time_zone=TIME_ZONE,
            runs=self.state.runs,
            clock=self.clock,
            accept_drop=accept_drop,
            wish=chosen_wish(effective, integrations=self.state.integrations, time_zone=TIME_ZONE, clock=self.clock),
            sides=connected_sides(self.state.integrations),
        )

    def order(self, run_id: str, **more: object) -> ReadOrder:
        return ReadOrder(PERIOD, run_id, PERSON, **more)  # type: ignore[arg-type]

    def read_vendor(self, run_id: str = "2026-09-001", **more: object) -> ReadResult:
        return self._sync(partial(sync_vendor, uploads=self.state.uploads), run_id, more)

    def read_psa(self, run_id: str = "2026-09-001", **more: object) -> ReadResult:
        return self._sync(partial(sync_psa, accounts=self.state.accounts, services=self.state.services), run_id, more)

    def read_licenses(self, run_id: str = "2026-09-001", **more: object) -> ReadResult:
        return self._sync(sync_licenses, run_id, more)

    def licensed(self, run: Run) -> LicensedLegs:
        """The licensed count of each client by what that run has read."""
        return licensed_legs(
            run,
            psa_system=connected(Side.PSA, self.state.integrations).system,
            integrations=self.state.integrations,
            snapshots=self.state.snapshots,
            license_accounts=self.state.license_accounts,
            counting_policies=self.state.counting_policies,
        )

    def _sync(self, sync: object, run_id: str, more: Mapping[str, object]) -> ReadResult:
        assert callable(sync)
        result = sync(
            self.order(run_id, **more),
            integrations=self.state.integrations,
            vault=self.vault,
            connections=self.connections,
            snapshots=self.state.snapshots,
            checkpoints=self.state.checkpoints,
            clock=self.clock,
        )
        assert isinstance(result, ReadResult)
        return result

    def match(self, run_id: str = "2026-09-001") -> MatchingSummary:
        return auto_match(
            run_id=run_id,
            snapshots=self.state.snapshots,
            accounts=self.state.accounts,
            services=self.state.services,
            integrations=self.state.integrations,
            similarity=RapidNameSimilarity(),
            clock=self.clock,
        )

    def sync(self, *, accept_drop: bool = False) -> ReadSide:
        """A run that only reads and matches, as `trueup sync` does."""
        run = self.begin(accept_drop=accept_drop)
        side = read_and_match(run, self.systems, actor=PERSON)
        end_run(run.id, runs=self.state.runs, clock=self.clock)
        return side

    def run(self, effective: str = "") -> Outcome:
        """Read, match, reconcile and propose; the clock moves on a minute so that runs are told apart."""
        self.clock.advance(60)
        run = self.begin(effective=effective)
        read_and_match(run, self.systems, actor=PERSON)
        return reconcile_run(run, self.systems, actor=PERSON, policy=self.policy)

    def reconcile(self, run: Run) -> Outcome:
        """Compare and propose on what that run has read."""
        return reconcile_run(run, self.systems, actor=PERSON, policy=self.policy)

    def set_up(self) -> None:
        """Everything a person does before the first month."""
        self.connect_both()
        self.sync()
        self.map_service()
        self.finish()

    def release(self, plan: Plan, change_id: str, reason: str = "the client confirmed it") -> Plan:
        return plans.release_change(
            plan.id, change_id, reason=reason, actor=PERSON, plans=self.state.plans, clock=self.clock
        )

    def divide(self, fixed: Mapping[str, int], balance: str, *, client: str = "P1", product: str = "560") -> Division:
        return allocation.divide_lines(
            client,
            product,
            fixed=list(fixed.items()),
            balance=balance,
            reason="two sites",
            actor=PERSON,
            time_zone=TIME_ZONE,
            integrations=self.state.integrations,
            snapshots=self.state.snapshots,
            allocations=self.state.allocations,
            clock=self.clock,
        )

    def add_line(self, plan: Plan, row_id: str, agreement_id: str, *, effective: str = "", actor: str = PERSON) -> Plan:
        return plan_lines.add_line(
            plan.id,
            row_id,
            agreement_id=agreement_id,
            effective=effective,
            actor=actor,
            policy=self.policy,
            integrations=self.state.integrations,
            snapshots=self.state.snapshots,
            services=self.state.services,
            reconciliations=self.state.reconciliations,
            runs=self.state.runs,
            plans=self.state.plans,
            clock=self.clock,
        )

    def drop_line(self, plan: Plan, change_id: str) -> Plan:
        return plan_lines.drop_line(plan.id, change_id, actor=PERSON, plans=self.state.plans, clock=self.clock)

    def undo(self, plan: Plan, *change_ids: str, reason: str = "the wrong client", actor: str = PERSON) -> ProposedUndo:
        return propose_undo(
            plan.id,
            change_ids,
            reason=reason,
            actor=actor,
            policy=self.policy,
            integrations=self.state.integrations,
            snapshots=self.state.snapshots,
            plans=self.state.plans,
            plan_index=self.state.plan_index,
            clock=self.clock,
        )

    def approve(self, plan: Plan, *, actor: str = APPROVER, two_person: bool = False) -> Plan:
        return plans.approve_plan(
            plan.id,
            checksum=plan.checksum,
            actor=actor,
            two_person_approval=two_person,
            plans=self.state.plans,
            api_keys=self.state.api_keys,
            clock=self.clock,
        )

    def apply(
        self,
        plan: Plan,
        *,
        checksum: str | None = None,
        owner: str = "cli",
        period_now: str = PERIOD,
        stop_at_seconds: float | None = None,
        capabilities: PsaCapabilities | None = None,
        on_wait: OnWait | None = None,
    ) -> Applied:
        return apply_plan(
            plan.id,
            checksum=plan.checksum if checksum is None else checksum,
            actor=APPROVER,
            owner=owner,
            period_now=period_now,
            psa=self.psa,
            psa_system=connected(Side.PSA, self.state.integrations).system,
            capabilities=capabilities or psa_capabilities(self.state.integrations),
            open_line_creation=lambda: self.psa,
            accounts=self.state.accounts,
            services=self.state.services,
            snapshots=self.state.snapshots,
            plans=self.state.plans,
            plan_index=self.state.plan_index,
            leases=self.state.leases,
            clock=self.clock,
            stop_at_seconds=stop_at_seconds,
            on_wait=on_wait,
        )

    def quantity(self, line_id: str) -> int:
        return whole_seats(self.psa.lines[LineId(line_id)].quantity)

    def actions(self) -> list[str]:
        """What the history says was done, oldest first."""
        return [event.audit.action for event in self.state.history.all()]


def open_office(*, page_size: int = 100, tenant: str = "example") -> Office:
    """An MSP that has nothing connected and sells one plan, billed as one product."""
    clock = FakeClock()
    vendor = FakeVendor(clock, page_size=page_size)
    vendor.add_service("plan", "Email Security")
    product = Product(ProductId("560"), "MIME-EMAIL", "Mimecast Email Security", Decimal("4.25"))
    psa = FakePsa(clock, products=[product], page_size=page_size)
    licenses = FakeLicenses(clock, page_size=2)
    connections = FakeConnections(vendor, psa, accepted_secret=SECRET, license_system=licenses)
    return Office(clock, vendor, psa, fake_state(clock), FakeVault(), connections, tenant)


def small_month(**more: object) -> Office:
    """Four clients: one in line, one to bill more, one to bill less (held), one new; set up and not run yet."""
    office = open_office(**more)  # type: ignore[arg-type]
    office.client(1, "Harbor Dental Group", 12, "12")
    office.client(2, "Larkspur Legal", 15, "12")
    office.client(3, "Mossgate Freight", 8, "10")
    office.client(4, "Northgate Museum", 20, "18")
    office.set_up()
    return office
