"""Opens the ConnectWise adapter on a running simulator, and reads it whole. For the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from local.simulators.connectwise import ConnectWiseSimulator
from local.simulators.server import running
from tests.contracts.psa_subject_connectwise import CONNECTWISE_FIELDS, world_of
from tests.contracts.psa_subjects import Scene, a_line, a_product, an_account, an_agreement
from tests.fakes.clock import FakeClock
from trueup.adapters.connectwise import ConnectWiseBilling, open_connectwise
from trueup.adapters.http import HttpLimits
from trueup.domain.billing import Agreement, Line, LineReference, PsaAccount

EMAIL = a_product(560, "MIME-EMAIL-S1")
HARBOR = an_account(250, "Harbor Dental Group")
MANAGED = an_agreement(1201, HARBOR)
LINE = a_line(88431, MANAGED, EMAIL)
REFERENCE = LineReference(MANAGED.id, LINE.id)
SCENE = Scene((HARBOR,), (MANAGED,), (LINE,), (EMAIL,))
SHORT_READS = HttpLimits(read_timeout_seconds=0.2, attempts=3)
COMPANY_INFO = "/login/companyinfo/*"
ADDITION = "/finance/agreements/*/additions/*"


def many_clients(clients: int) -> Scene:
    """So many companies, each with one agreement and one line."""
    accounts = tuple(an_account(100 + number) for number in range(clients))
    agreements = tuple(an_agreement(1000 + index, account) for index, account in enumerate(accounts))
    lines = tuple(a_line(5000 + index, agreement, EMAIL) for index, agreement in enumerate(agreements))
    return Scene(accounts, agreements, lines, (EMAIL,))


@dataclass(slots=True)
class Connected:
    """The simulator, the adapter on it, and the clock that the adapter waits by."""

    simulator: ConnectWiseSimulator
    psa: ConnectWiseBilling
    clock: FakeClock = field(default_factory=FakeClock)


@contextmanager
def connected(
    scene: Scene = SCENE,
    *,
    limits: HttpLimits | None = None,
    latency_seconds: float = 0.0,
    credential: Mapping[str, str] = CONNECTWISE_FIELDS,
) -> Iterator[Connected]:
    """A running simulator that holds the scene, and the adapter on it. Nothing is asked yet."""
    with running(ConnectWiseSimulator(world_of(scene), latency_seconds=latency_seconds)) as simulator:
        clock = FakeClock()
        psa = open_connectwise(simulator.url, credential, clock=clock, allow_loopback=True, limits=limits)
        yield Connected(simulator, psa, clock)
        psa.close()


@dataclass(slots=True)
class WholeRead:
    """Everything that the pages of one read held."""

    accounts: list[PsaAccount] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    pages: int = 0


def read_all(psa: ConnectWiseBilling) -> WholeRead:
    """Follow the cursors to the end."""
    whole, cursor = WholeRead(), None
    while True:
        page = psa.read_page(cursor)
        whole.accounts += page.accounts
        whole.agreements += page.agreements
        whole.lines += page.lines
        whole.pages += 1
        cursor = page.next_cursor
        if cursor is None:
            return whole
        assert whole.pages < 500, "the read does not end"
