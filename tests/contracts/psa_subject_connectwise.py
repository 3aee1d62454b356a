"""ConnectWise under the contract suite: the adapter over a real socket to the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from local.simulators import connectwise as connectwise_simulator
from local.simulators import credentials
from local.simulators.connectwise import ConnectWiseSimulator
from local.simulators.server import running
from local.simulators.world import CatalogItem, PsaAddition, PsaAgreement, PsaCompany, VendorAccount, World
from tests.contracts.psa_simulated import Route, SimulatedSubject
from tests.contracts.psa_subjects import Feature, Patch, Scene, Traits
from tests.fakes.clock import FakeClock
from trueup.adapters.connectwise import ConnectWiseBilling, open_connectwise
from trueup.adapters.http import HttpLimits
from trueup.domain.billing import AgreementState
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.integrations import IntegrationName

CONNECTWISE_FIELDS = {
    "company_id": credentials.CONNECTWISE_COMPANY_ID,
    "public_key": credentials.CONNECTWISE_PUBLIC_KEY,
    "private_key": credentials.CONNECTWISE_PRIVATE_KEY,
    "client_id": credentials.CONNECTWISE_CLIENT_ID,
}
TRAITS = Traits(
    name="connectwise",
    capabilities=PSA_CAPABILITIES[IntegrationName.CONNECTWISE],
    features=frozenset(Feature),
    states=(AgreementState.INACTIVE, AgreementState.CANCELLED, AgreementState.EXPIRED),
    checks=frozenset({"read companies", "read agreements", "read lines", "search products"}),
    quantity_field="quantity",
)


class ConnectWiseSubject(SimulatedSubject[ConnectWiseBilling]):
    """Where the simulated ConnectWise can be hurt."""

    traits = TRAITS
    secrets = (credentials.CONNECTWISE_PRIVATE_KEY, credentials.CONNECTWISE_PUBLIC_KEY)
    authenticated = Route("*", "/*/apis/*")
    reads = Route("GET", "/*/apis/*")
    lists = Route("GET", "/company/companies")
    line_reads = Route("GET", "/finance/agreements/*/additions/*")
    product_reads = Route("GET", "/procurement/*")
    write = Route("PATCH", "*")
    creation = Route("POST", "*")
    second_step = Route("PATCH", "*")

    def person_sets(self, line_id: str, quantity: int) -> None:
        self.simulator.world.edit_addition(int(line_id), quantity=float(quantity))

    def person_touches(self, line_id: str) -> None:
        self.simulator.world.edit_addition(int(line_id))

    def pages_of(self, rows: int) -> None:
        self.patch(connectwise_simulator, "MAX_PAGE_SIZE", rows)


@contextmanager
def connectwise_subject(scene: Scene, patch: Patch) -> Iterator[ConnectWiseSubject]:
    """A running simulator that holds the scene, with the adapter connected to it."""
    clock = FakeClock()
    with running(ConnectWiseSimulator(world_of(scene))) as simulator:

        def open_psa(limits: HttpLimits | None) -> ConnectWiseBilling:
            return open_connectwise(simulator.url, CONNECTWISE_FIELDS, clock=clock, allow_loopback=True, limits=limits)

        subject = ConnectWiseSubject(simulator, open_psa, scene, clock, patch)
        yield subject
        subject.psa.close()


def world_of(scene: Scene) -> World:
    """The scene as the simulator keeps it."""
    world = World("scene", 0, VendorAccount("CSIM00A001", "Acme MSP"))
    for account in scene.accounts:
        company = PsaCompany(int(account.id), account.identifier, account.name, account.status_text, account.deleted)
        world.companies[company.id] = company
    for agreement in scene.agreements:
        world.agreements[int(agreement.id)] = PsaAgreement(
            int(agreement.id),
            int(agreement.account_id),
            agreement.name,
            agreement.state.value.title(),
            start_date=_wire_day(agreement.starts_on) or "",
            end_date=_wire_day(agreement.ends_on),
            prorate=agreement.prorates,
        )
    for product in scene.products:
        world.catalog[int(product.id)] = CatalogItem(
            int(product.id),
            product.code,
            product.name,
            float(product.price or 0),
            float(product.cost or 0),
            inactive=product.inactive,
        )
    for line in scene.lines:
        world.catalog[int(line.product_id)].serialized = line.not_writable_reason is not None
        world.add_addition(
            PsaAddition(
                int(line.id),
                int(line.agreement_id),
                int(line.product_id),
                float(line.quantity),
                float(line.unit_price or 0),
                float(line.unit_cost or 0),
                less_included=float(line.less_included),
                bill_customer="Billable" if line.billable else "DoNotBill",
                effective_date=_wire_day(line.effective_from) or "",
                cancelled_date=_wire_day(line.effective_to),
                description=line.description,
                last_updated=line.version,
            )
        )
    return world


def _wire_day(day: date | None) -> str | None:
    return None if day is None else f"{day.isoformat()}T00:00:00Z"
