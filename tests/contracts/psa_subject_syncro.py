"""Syncro under the contract suite: the adapter over a real socket to the simulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

from local.simulators import credentials
from local.simulators.server import running
from local.simulators.syncro import SyncroSimulator
from local.simulators.syncro_records import line_record
from local.simulators.world import World
from tests.contracts.psa_simulated import Route, SimulatedSubject
from tests.contracts.psa_subject_connectwise import world_of
from tests.contracts.psa_subjects import Feature, Patch, Scene, Traits
from tests.fakes.clock import FakeClock
from trueup.adapters.http import HttpLimits
from trueup.adapters.syncro import SyncroBilling, open_syncro
from trueup.adapters.syncro.wire import CALCULATED_REASON, LineWire
from trueup.domain.billing import Agreement, AgreementState, Line, PsaAccount
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.integrations import IntegrationName

SYNCRO_FIELDS = {"api_key": credentials.SYNCRO_API_KEY}
TRAITS = Traits(
    name="syncro",
    capabilities=PSA_CAPABILITIES[IntegrationName.SYNCRO],
    # A schedule has no lines that are over or still to come.
    features=frozenset(Feature) - {Feature.LINE_DATES},
    states=(AgreementState.INACTIVE,),
    checks=frozenset({"read customers", "read recurring invoices", "search products"}),
    quantity_field="quantity",
)


class SyncroSubject(SimulatedSubject[SyncroBilling]):
    """Where the simulated Syncro can be hurt."""

    traits = TRAITS
    secrets = (credentials.SYNCRO_API_KEY,)
    authenticated = Route("*", "/api/v1/*")
    reads = Route("GET", "/api/v1/*s*")
    lists = Route("GET", "/customers")
    line_reads = Route("GET", "/schedules/*")
    product_reads = Route("GET", "/products*")
    write = Route("PUT", "*")
    creation = Route("POST", "*")
    refusal_status = 422

    simulator: SyncroSimulator

    def person_sets(self, line_id: str, quantity: int) -> None:
        self.simulator.world.edit_addition(int(line_id), quantity=float(quantity))

    def person_touches(self, line_id: str) -> None:
        # Syncro has no mark of a line's last edit, so what was edited must be seen.
        self.simulator.world.edit_addition(int(line_id), unit_price=9.99)

    def pages_of(self, rows: int) -> None:
        self.simulator.page_size = rows


@contextmanager
def syncro_subject(scene: Scene, patch: Patch) -> Iterator[SyncroSubject]:
    """A running simulator that holds the scene, with the adapter connected to it."""
    clock = FakeClock()
    world = world_of(scene)
    with running(SyncroSimulator(world)) as simulator:

        def open_psa(limits: HttpLimits | None) -> SyncroBilling:
            return open_syncro(simulator.url, SYNCRO_FIELDS, clock=clock, allow_loopback=True, limits=limits)

        subject = SyncroSubject(simulator, open_psa, held(scene, world), clock, patch)
        yield subject
        subject.psa.close()


def held(scene: Scene, world: World) -> Scene:
    """The scene in Syncro's words."""
    return Scene(
        tuple(map(held_account, scene.accounts)),
        tuple(map(held_agreement, scene.agreements)),
        tuple(held_line(line, world) for line in scene.lines),
        scene.products,
    )


def held_account(account: PsaAccount) -> PsaAccount:
    return replace(account, identifier="", status_text="Disabled" if account.deleted else "Active")


def held_agreement(agreement: Agreement) -> Agreement:
    """A schedule has no dates, never prorates and names no currency."""
    return replace(agreement, type_name="Monthly", starts_on=None, ends_on=None, prorates=False, currency=None)


def held_line(line: Line, world: World) -> Line:
    """No dates and no units free of charge; not billed is a price of zero; the version is a digest of the line."""
    sent = json.dumps(line_record(world, world.additions[int(line.id)]))
    wire = LineWire.model_validate(json.loads(sent, parse_float=Decimal))
    return replace(
        line,
        version=wire.version(),
        less_included=Decimal(0),
        unit_price=line.unit_price if line.billable else Decimal(0),
        billable=True,
        effective_from=None,
        effective_to=None,
        not_writable_reason=CALCULATED_REASON if line.not_writable_reason else None,
    )
