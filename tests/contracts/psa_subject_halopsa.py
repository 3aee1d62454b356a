"""HaloPSA under the contract suite: the adapter over a real socket to the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

from local.simulators import credentials
from local.simulators import halopsa as halopsa_simulator
from local.simulators.halopsa import HaloPsaSimulator
from local.simulators.server import running
from tests.contracts.psa_simulated import Route, SimulatedSubject
from tests.contracts.psa_subject_connectwise import world_of
from tests.contracts.psa_subjects import Feature, Patch, Scene, Traits
from tests.fakes.clock import FakeClock
from trueup.adapters.halopsa import HaloPsaBilling, open_halopsa
from trueup.adapters.halopsa.wire import CALCULATED_REASON, LineWire
from trueup.adapters.http import HttpLimits
from trueup.domain.billing import Agreement, AgreementState, Line, PsaAccount
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.integrations import IntegrationName

HALOPSA_FIELDS = {
    "client_id": credentials.HALOPSA_CLIENT_ID,
    "client_secret": credentials.HALOPSA_CLIENT_SECRET,
}
TRAITS = Traits(
    name="halopsa",
    capabilities=PSA_CAPABILITIES[IntegrationName.HALOPSA],
    features=frozenset(Feature),
    states=(AgreementState.INACTIVE, AgreementState.EXPIRED),
    checks=frozenset({"read companies", "read agreements", "read lines", "search products"}),
    quantity_field="qty_order",
)


class HaloPsaSubject(SimulatedSubject[HaloPsaBilling]):
    """Where the simulated HaloPSA can be hurt. Paths below /api begin with a capital, but for authinfo."""

    traits = TRAITS
    secrets = (credentials.HALOPSA_CLIENT_SECRET,)
    authenticated = Route("*", "/api/[A-Z]*")
    reads = Route("GET", "/api/[A-Z]*")
    lists = Route("GET", "/api/Client")
    line_reads = Route("GET", "/api/RecurringInvoice/*")
    product_reads = Route("GET", "/api/Item*")
    write = Route("POST", "/api/RecurringInvoice")
    creation = Route("POST", "/api/RecurringInvoice")

    def person_sets(self, line_id: str, quantity: int) -> None:
        self.simulator.world.edit_addition(int(line_id), quantity=float(quantity))

    def person_touches(self, line_id: str) -> None:
        # HaloPSA has no mark of a line's last edit, so what was edited must be seen.
        self.simulator.world.edit_addition(int(line_id), unit_price=9.99)

    def pages_of(self, rows: int) -> None:
        self.patch(halopsa_simulator, "MAX_PAGE_SIZE", rows)


@contextmanager
def halopsa_subject(scene: Scene, patch: Patch) -> Iterator[HaloPsaSubject]:
    """A running simulator that holds the scene, with the adapter connected to it."""
    clock = FakeClock()
    with running(HaloPsaSimulator(world_of(scene))) as simulator:

        def open_psa(limits: HttpLimits | None) -> HaloPsaBilling:
            return open_halopsa(simulator.url, HALOPSA_FIELDS, clock=clock, allow_loopback=True, limits=limits)

        subject = HaloPsaSubject(simulator, open_psa, held(scene), clock, patch)
        yield subject
        subject.psa.close()


def held(scene: Scene) -> Scene:
    """The scene in HaloPSA's words."""
    return Scene(
        tuple(map(held_account, scene.accounts)),
        tuple(map(held_agreement, scene.agreements)),
        tuple(map(held_line, scene.lines)),
        scene.products,
    )


def held_account(account: PsaAccount) -> PsaAccount:
    return replace(account, status_text="Inactive" if account.deleted else "Active")


def held_agreement(agreement: Agreement) -> Agreement:
    """A recurring invoice bills a period and never prorates by itself."""
    return replace(agreement, type_name="Monthly", prorates=False)


def held_line(line: Line) -> Line:
    """No units are free of charge; not billed is a price of zero; the version is made of what the line bills."""
    calculated = line.not_writable_reason is not None
    price = line.unit_price if line.billable else Decimal(0)
    wire = LineWire.model_validate(
        {
            "id": int(line.id),
            "_itemid": int(line.product_id),
            "item_code": line.product_code,
            "item_shortdescription": line.description,
            "qty_order": line.quantity,
            "unit_price": price,
            "unit_cost": line.unit_cost,
            "startdate": line.effective_from.isoformat() if line.effective_from else None,
            "enddate": line.effective_to.isoformat() if line.effective_to else None,
            "isinactive": False,
            "onetimecharge": False,
            "recurring_invoice_quantity_type": 3 if calculated else 0,
        }
    )
    return replace(
        line,
        version=wire.version(),
        less_included=Decimal(0),
        unit_price=price,
        not_writable_reason=CALCULATED_REASON if calculated else None,
    )
