"""Autotask under the contract suite: the adapter over a real socket to the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import cast
from zoneinfo import ZoneInfo

from local.simulators import autotask as autotask_simulator
from local.simulators import credentials
from local.simulators.autotask import AutotaskSimulator
from local.simulators.autotask_records import FAR_END
from local.simulators.server import running
from tests.contracts.psa_simulated import Route, SimulatedSubject
from tests.contracts.psa_subject_connectwise import world_of
from tests.contracts.psa_subjects import Feature, Patch, Scene, Traits
from tests.fakes.clock import FakeClock
from trueup.adapters.autotask import AutotaskBilling, open_autotask
from trueup.adapters.autotask.checking import CHECKS
from trueup.adapters.http import HttpLimits
from trueup.domain.billing import Agreement, AgreementState, Line, PsaAccount
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.integrations import IntegrationName

AUTOTASK_FIELDS = {
    "user_name": credentials.AUTOTASK_USER_NAME,
    "secret": credentials.AUTOTASK_SECRET,
    "integration_code": credentials.AUTOTASK_INTEGRATION_CODE,
}
TIME_ZONE = ZoneInfo("Europe/London")
TODAY = date(2026, 9, 1)
NEXT_PERIOD = date(2026, 10, 1)
TRAITS = Traits(
    name="autotask",
    capabilities=PSA_CAPABILITIES[IntegrationName.AUTOTASK],
    features=frozenset(
        {Feature.TRANSPORT, Feature.LINE_DATES, Feature.VERSIONS, Feature.TWINS, Feature.INACTIVE_PRODUCTS}
    ),
    states=(AgreementState.INACTIVE,),
    checks=frozenset(CHECKS),
    quantity_field="units",
    effective=NEXT_PERIOD,
)


class AutotaskSubject(SimulatedSubject[AutotaskBilling]):
    """Where the simulated Autotask can be hurt."""

    traits = TRAITS
    secrets = (credentials.AUTOTASK_SECRET, credentials.AUTOTASK_INTEGRATION_CODE)
    authenticated = Route("*", "/ATServicesRest/*")
    reads = Route("*", "/*/query*")
    lists = Route("POST", "/Companies/query")
    line_reads = Route("POST", "/ContractServiceUnits/query")
    product_reads = Route("*", "/Services/*")
    write = Route("POST", "/ContractServiceAdjustments")
    creation = Route("POST", "/ContractServiceAdjustments")

    @property
    def autotask(self) -> AutotaskSimulator:
        return cast(AutotaskSimulator, self.simulator)

    def person_sets(self, line_id: str, quantity: int) -> None:
        self.simulator.world.edit_addition(int(line_id), quantity=float(quantity))

    def person_touches(self, line_id: str) -> None:
        """Cut the next period in two with the same units on both sides."""
        self.autotask.units.split(self.simulator.world.additions[int(line_id)], NEXT_PERIOD.replace(day=15))

    def pages_of(self, rows: int) -> None:
        self.patch(autotask_simulator, "MAX_RECORDS", rows)

    def repeat_pages(self) -> None:
        """Pages are asked for by the last id, and the server forgets that condition."""
        self._fault("page_ignored", self.lists, times=0)


@contextmanager
def autotask_subject(scene: Scene, patch: Patch) -> Iterator[AutotaskSubject]:
    """A running simulator that holds the scene on the first day the clock shows, with the adapter connected to it."""
    clock = FakeClock()
    world = world_of(scene)
    world.clock = clock.now
    with running(AutotaskSimulator(world)) as simulator:

        def open_psa(limits: HttpLimits | None) -> AutotaskBilling:
            return open_autotask(
                simulator.url, AUTOTASK_FIELDS, clock=clock, allow_loopback=True, time_zone=TIME_ZONE, limits=limits
            )

        subject = AutotaskSubject(simulator, open_psa, as_autotask_says(scene), clock, patch)
        yield subject
        subject.psa.close()


def as_autotask_says(scene: Scene) -> Scene:
    """The scene in Autotask's words: no status of one's own, an end to every contract, units by period."""
    return Scene(
        tuple(_account(account) for account in scene.accounts),
        tuple(_agreement(agreement) for agreement in scene.agreements),
        tuple(_line(line) for line in scene.lines),
        scene.products,
    )


def _account(account: PsaAccount) -> PsaAccount:
    return replace(account, status_text="Inactive" if account.deleted else "Active")


def _agreement(agreement: Agreement) -> Agreement:
    ends_on = agreement.ends_on or date.fromisoformat(FAR_END)
    return replace(
        agreement,
        type_name="Recurring Service",
        ends_on=ends_on,
        prorates=True,
        next_invoice_on=None,
        currency=None,
    )


def _line(line: Line) -> Line:
    period = "2026-10-01|2026-10-31"
    if line.effective_to is not None and line.effective_to <= NEXT_PERIOD:
        period = f"{line.effective_to.replace(day=1)}|{line.effective_to.replace(day=line.effective_to.day - 1)}"
    begun = line.effective_from is None or line.effective_from <= TODAY
    return replace(
        line,
        version=f"{line.quantity}|{period}|",
        less_included=Decimal(0),
        unit_price=line.unit_price if line.billable else Decimal(0),
        effective_from=None if begun else line.effective_from,
        not_writable_reason=None,
    )
