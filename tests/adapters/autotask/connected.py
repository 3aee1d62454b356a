"""Opens the Autotask adapter on a running simulator, and reads it whole. For the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from local.simulators.autotask import AutotaskSimulator
from local.simulators.server import running
from local.simulators.world import World
from tests.contracts.psa_subject_autotask import AUTOTASK_FIELDS, NEXT_PERIOD, TIME_ZONE
from tests.contracts.psa_subject_connectwise import world_of
from tests.contracts.psa_subjects import Scene, a_line, a_product, an_account, an_agreement
from tests.fakes.clock import DEFAULT_START, FakeClock
from trueup.adapters.autotask import AutotaskBilling, open_autotask
from trueup.adapters.autotask.budget import SHARE_DEFAULT
from trueup.adapters.http import HttpLimits
from trueup.domain.billing import Agreement, Line, LineId, LineReference, PsaAccount, PsaPage, WriteResult
from trueup.domain.counts import Seats

EMAIL = a_product(560, "MIME-EMAIL-S1")
AWARENESS = a_product(561, "MIME-AWARE", "Mimecast Awareness Training")
HARBOR = an_account(250, "Harbor Dental Group")
MANAGED = an_agreement(1201, HARBOR)
LINE = a_line(88431, MANAGED, EMAIL)
REFERENCE = LineReference(MANAGED.id, LINE.id, EMAIL.id)
SCENE = Scene((HARBOR,), (MANAGED,), (LINE,), (EMAIL, AWARENESS))
SHORT_READS = HttpLimits(read_timeout_seconds=0.2, attempts=3)
ZONE = "/ZoneInformation"
THRESHOLD = "/ThresholdInformation"
UNITS = "/ContractServiceUnits/query"
ADJUSTMENTS = "/ContractServiceAdjustments"


def many_clients(clients: int, lines_each: int = 1) -> Scene:
    """So many companies, each with one contract and so many lines of products of their own."""
    products = tuple(a_product(560 + number, f"MIME-{number}") for number in range(lines_each))
    accounts = tuple(an_account(100 + number) for number in range(clients))
    agreements = tuple(an_agreement(1000 + index, account) for index, account in enumerate(accounts))
    lines = tuple(
        a_line(5000 + index * lines_each + number, agreement, product)
        for index, agreement in enumerate(agreements)
        for number, product in enumerate(products)
    )
    return Scene(accounts, agreements, lines, products)


@dataclass(slots=True)
class Connected:
    """The simulator, the adapter on it, and the clock that both go by."""

    simulator: AutotaskSimulator
    psa: AutotaskBilling
    clock: FakeClock = field(default_factory=FakeClock)

    @property
    def world(self) -> World:
        return self.simulator.world

    def units(self, day: date = NEXT_PERIOD, line_id: int = int(LINE.id)) -> int:
        """The units that the simulator has for a day."""
        return self.simulator.units.units_on(self.world.additions[line_id], day)

    def adjustments(self) -> int:
        """How often units were adjusted, whatever was answered."""
        return sum(write.committed for write in self.world.writes)

    def sent(self, resource: str) -> int:
        """How many requests ended in this path, whatever was answered."""
        return sum(entry.path.casefold().endswith(resource.casefold()) for entry in self.simulator.requests.entries)


@contextmanager
def connected(
    scene: Scene | World = SCENE,
    *,
    limits: HttpLimits | None = None,
    latency_seconds: float = 0.0,
    credential: Mapping[str, str] = AUTOTASK_FIELDS,
    share: float = SHARE_DEFAULT,
    start: datetime = DEFAULT_START,
) -> Iterator[Connected]:
    """A running simulator that holds the scene, and the adapter on it. Nothing is asked yet."""
    clock = FakeClock(start)
    world = scene if isinstance(scene, World) else world_of(scene)
    world.clock = clock.now
    with running(AutotaskSimulator(world, latency_seconds=latency_seconds)) as simulator:
        simulator.monotonic = clock.monotonic_seconds
        psa = open_autotask(
            simulator.url,
            credential,
            clock=clock,
            allow_loopback=True,
            time_zone=TIME_ZONE,
            limits=limits,
            share=share,
        )
        yield Connected(simulator, psa, clock)
        psa.close()


@dataclass(slots=True)
class WholeRead:
    """Everything that the pages of one read held."""

    accounts: list[PsaAccount] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    pages: list[PsaPage] = field(default_factory=list)


def read_all(psa: AutotaskBilling) -> WholeRead:
    """Follow the cursors to the end."""
    whole, cursor = WholeRead(), None
    while True:
        page = psa.read_page(cursor)
        whole.accounts += page.accounts
        whole.agreements += page.agreements
        whole.lines += page.lines
        whole.pages.append(page)
        cursor = page.next_cursor
        if cursor is None:
            return whole
        assert len(whole.pages) < 500, "the read does not end"


def write(
    site: Connected,
    target: int = 15,
    *,
    expected: str = "12",
    version: str | None = None,
    effective: date = NEXT_PERIOD,
    siblings: tuple[LineId, ...] = (),
) -> WriteResult:
    """Set the line's quantity; ``version`` None is the one it has now."""
    if version is None:
        version = site.psa.read_line(REFERENCE).line.version
    return site.psa.set_quantity(
        REFERENCE,
        expected=Decimal(expected),
        expected_version=version,
        target=Seats(target),
        effective=effective,
        siblings=siblings,
    )
