"""An MSP whose vendors are the simulators behind real sockets, spoken to by the real adapters, on a state in memory.

Time is real but for waiting: a sleep moves the clock on at once. Every error that is met is kept, so that a test can
look for secrets in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from local.demo_proof import AskedLine, quantity_at
from local.simulators import DEFAULT_PSA, SIMULATED_PSAS, MimecastSimulator, SimulatedPsa, World, credentials, running
from local.simulators.demo_world import SERVICE_TO_PRODUCT
from local.simulators.server import Simulator
from tests.fakes.state import FakeState, fake_state
from tests.fakes.vault import FakeVault
from tests.simulation.auditor import Evidence, Report, audit, writes_of
from trueup.adapters.autotask import open_autotask
from trueup.adapters.connectwise import open_connectwise
from trueup.adapters.halopsa import open_halopsa
from trueup.adapters.mimecast.adapter import open_mimecast, parse_mimecast_address
from trueup.adapters.mimecast.customer_file import parse_customer_file
from trueup.adapters.name_similarity import RapidNameSimilarity
from trueup.adapters.outbound_address import parse_base_address
from trueup.adapters.pace import HttpLimits
from trueup.adapters.syncro import open_syncro
from trueup.domain.errors import TrueupError
from trueup.domain.guards import GuardPolicy
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.mapping import MappingState
from trueup.domain.plan import Change, Plan
from trueup.domain.uploads import Upload
from trueup.ports.psa import PsaBilling, PsaLineCreation
from trueup.ports.vendor import VendorBilling
from trueup.usecases import credential_validation, integrations, mapping, plans
from trueup.usecases.month import Systems, read_and_match, reconcile_run
from trueup.usecases.monthly_run import begin_run, end_run
from trueup.usecases.opening import connected, open_line_creation, open_psa, psa_capabilities
from trueup.usecases.plan_apply import LEASE_SECONDS, Applied, apply_plan
from trueup.usecases.reconciliation import Outcome, ReconciliationPolicy

MIMECAST_FIELDS = {
    "client_id": credentials.MIMECAST_CLIENT_ID,
    "client_secret": credentials.MIMECAST_CLIENT_SECRET,
}
SECRETS = (
    credentials.MIMECAST_CLIENT_SECRET,
    credentials.CONNECTWISE_PRIVATE_KEY,
    credentials.AUTOTASK_SECRET,
    credentials.AUTOTASK_INTEGRATION_CODE,
    credentials.HALOPSA_CLIENT_SECRET,
    credentials.SYNCRO_API_KEY,
    credentials.SYNCRO_USER_TOKEN_CANARY,
    credentials.PASSPHRASE_CANARY,
    credentials.SUPPORT_CODE_CANARY,
    "sim-token-",
)
HASTE = HttpLimits(
    connect_timeout_seconds=2.0, read_timeout_seconds=0.5, total_seconds=3.0, body_bytes=2_000_000, attempts=3
)
PERSON, APPROVER = "dana", "alex"
TIME_ZONE = ZoneInfo("Europe/London")


class HastyClock:
    """Real time whose waits are over at once."""

    def __init__(self) -> None:
        self._skipped_seconds = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._skipped_seconds)

    def monotonic_seconds(self) -> float:
        return time.monotonic() + self._skipped_seconds

    def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        self._skipped_seconds += seconds


@dataclass
class LoopbackConnections:
    """Implements Connections with the real adapters, on this machine only."""

    clock: HastyClock

    def address(self, name: IntegrationName, text: str) -> str:
        if name is IntegrationName.MIMECAST:
            return parse_mimecast_address(text, allow_loopback=True).url
        return parse_base_address(text, allowed_suffixes=(), integration=name.value, allow_loopback=True).url

    def vendor(
        self, name: IntegrationName, address: str, fields: Mapping[str, str], *, customer_file: Upload | None = None
    ) -> VendorBilling:
        return open_mimecast(
            address,
            fields,
            clock=self.clock,
            allow_loopback=True,
            limits=HASTE,
            page_size=20,
            customer_file=customer_file,
        )

    def customer_file_rows(self, name: IntegrationName, content: bytes) -> int:
        return len(parse_customer_file(content).customers)

    def psa(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PsaBilling:
        match name:
            case IntegrationName.AUTOTASK:
                return open_autotask(
                    address, fields, clock=self.clock, allow_loopback=True, time_zone=TIME_ZONE, limits=HASTE
                )
            case IntegrationName.HALOPSA:
                return open_halopsa(address, fields, clock=self.clock, allow_loopback=True, limits=HASTE)
            case IntegrationName.SYNCRO:
                return open_syncro(address, fields, clock=self.clock, allow_loopback=True, limits=HASTE)
        return open_connectwise(address, fields, clock=self.clock, allow_loopback=True, limits=HASTE)


@dataclass
class SimulatedOffice:
    """One MSP with its two simulators; ``psa_kind`` says which PSA it bills through."""

    world: World
    mimecast: MimecastSimulator
    psa_simulator: Simulator
    psa_kind: SimulatedPsa
    tenant: str
    clock: HastyClock
    state: FakeState
    vault: FakeVault = field(default_factory=FakeVault)
    troubles: list[str] = field(default_factory=list)

    @property
    def systems(self) -> Systems:
        connections = LoopbackConnections(self.clock)
        return Systems(self.state, self.vault, connections, RapidNameSimilarity(), self.clock)

    @property
    def policy(self) -> ReconciliationPolicy:
        return ReconciliationPolicy(self.tenant, TIME_ZONE, "USD", GuardPolicy())

    def set_up(self) -> None:
        """Connect, sync, map the services as the demo does, finish."""
        for name, url, fields in (
            (IntegrationName.MIMECAST, self.mimecast.url, MIMECAST_FIELDS),
            (IntegrationName(self.psa_kind.name), self.psa_simulator.url, self.psa_kind.fields),
        ):
            credential_validation.connect(
                name,
                address=url,
                fields=fields,
                actor=PERSON,
                integrations=self.state.integrations,
                vault=self.vault,
                connections=self.systems.connections,
                clock=self.clock,
            )
        run = begin_run(actor=PERSON, time_zone=self.policy.time_zone, runs=self.state.runs, clock=self.clock)
        read_and_match(run, self.systems, actor=PERSON)
        end_run(run.id, runs=self.state.runs, clock=self.clock)
        self.map_services()
        integrations.finish(
            actor=PERSON,
            integrations=self.state.integrations,
            accounts=self.state.accounts,
            services=self.state.services,
            clock=self.clock,
        )

    def map_services(self) -> None:
        for entry in self.state.services.all():
            product = SERVICE_TO_PRODUCT.get(str(entry.service_id))
            if str(entry.service_id).startswith("main:"):
                product = SERVICE_TO_PRODUCT["9702"]
            if product is not None and entry.state is MappingState.UNMAPPED:
                mapping.map_service(
                    str(entry.service_id),
                    product,
                    actor=PERSON,
                    services=self.state.services,
                    psa=self.psa(),
                    psa_integration=connected(Side.PSA, self.state.integrations),
                    clock=self.clock,
                )

    def psa(self) -> PsaBilling:
        return open_psa(integrations=self.state.integrations, vault=self.vault, connections=self.systems.connections)

    def line_creation(self) -> PsaLineCreation:
        return open_line_creation(
            integrations=self.state.integrations, vault=self.vault, connections=self.systems.connections
        )

    def run(self) -> Outcome:
        self.clock.advance(60)
        run = begin_run(actor=PERSON, time_zone=self.policy.time_zone, runs=self.state.runs, clock=self.clock)
        read_and_match(run, self.systems, actor=PERSON)
        return reconcile_run(run, self.systems, actor=PERSON, policy=self.policy)

    def try_run(self) -> Outcome | None:
        """A run that may fail; its error is kept."""
        try:
            return self.run()
        except TrueupError as trouble:
            self.keep(trouble)
            return None

    def keep(self, trouble: BaseException) -> None:
        """Everything that could be shown or logged of an error, with what it came from."""
        link: BaseException | None = trouble
        while link is not None:
            self.troubles.append(f"{type(link).__name__} {link!s} {link!r} {getattr(link, '__dict__', {})}")
            link = link.__cause__ or link.__context__

    def approve(self, plan: Plan, *, releases: bool = True) -> Plan:
        for change in plan.held if releases else ():
            plan = plans.release_change(
                plan.id, change.id, reason="checked", actor=PERSON, plans=self.state.plans, clock=self.clock
            )
        return plans.approve_plan(
            plan.id,
            checksum=plan.checksum,
            actor=APPROVER,
            two_person_approval=True,
            plans=self.state.plans,
            clock=self.clock,
        )

    def apply(self, plan: Plan) -> Applied:
        self.clock.advance(LEASE_SECONDS + 1)
        return apply_plan(
            plan.id,
            checksum=plan.checksum,
            actor=APPROVER,
            owner=f"process {self.clock.monotonic_seconds()}",
            period_now=plan.period,
            psa=self.psa(),
            psa_system=connected(Side.PSA, self.state.integrations).system,
            capabilities=psa_capabilities(self.state.integrations),
            open_line_creation=self.line_creation,
            accounts=self.state.accounts,
            services=self.state.services,
            snapshots=self.state.snapshots,
            plans=self.state.plans,
            plan_index=self.state.plan_index,
            leases=self.state.leases,
            clock=self.clock,
        )

    def try_apply(self, plan: Plan) -> Applied | None:
        """An apply that may fail; its error is kept."""
        try:
            return self.apply(plan)
        except TrueupError as trouble:
            self.keep(trouble)
            return None

    def quantity(self, line_id: str) -> Decimal:
        """What the world has on a line today."""
        return Decimal(str(self.world.additions[int(line_id)].quantity))

    def psa_says(self, change: Change) -> float:
        """The quantity that the PSA itself has on the line, on the day from which the change counts."""
        on = change.effective or self.clock.now().date()
        line = AskedLine(str(change.agreement_id), str(change.line_id), on)
        return quantity_at(self.psa_kind, self.psa_simulator.url, line)

    def audit(self, *, is_settled: bool = False) -> Report:
        """What the auditor says of everything so far; raises when it finds something."""
        report = audit(
            Evidence(
                self.state,
                writes=writes_of(self.world),
                policy=self.policy,
                texts=self.troubles,
                secrets=SECRETS,
                is_settled=is_settled,
            )
        )
        report.require_sound()
        return report


@contextmanager
def simulated(world: World, *, tenant: str = "example", psa: str = DEFAULT_PSA) -> Iterator[SimulatedOffice]:
    """Mimecast and that PSA on the world, and an MSP that has nothing connected yet."""
    clock, kind = HastyClock(), SIMULATED_PSAS[psa]
    # Waits are over at once here, so a limit by the minute would be met in seconds.
    with running(MimecastSimulator(world)) as mimecast, running(kind.open(world, limit_per_minute=0)) as simulator:
        yield SimulatedOffice(world, mimecast, simulator, kind, tenant, clock, fake_state(clock))
