"""Opens the Syncro adapter on a running simulator, and reads it whole. For the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from local.simulators.server import running
from local.simulators.syncro import SyncroSimulator
from tests.contracts.psa_subject_connectwise import world_of
from tests.contracts.psa_subject_syncro import SYNCRO_FIELDS
from tests.contracts.psa_subjects import Scene, a_line, a_product, an_account, an_agreement
from tests.fakes.clock import FakeClock
from trueup.adapters.http import HttpLimits
from trueup.adapters.syncro import SyncroBilling, open_syncro
from trueup.domain.billing import Agreement, Line, LineReference, PsaAccount, PsaPage

EMAIL = a_product(560, "MIME-EMAIL-S1")
HARBOR = an_account(250, "Harbor Dental Group")
MANAGED = an_agreement(1201, HARBOR)
LINE = a_line(88431, MANAGED, EMAIL)
REFERENCE = LineReference(MANAGED.id, LINE.id)
SCENE = Scene((HARBOR,), (MANAGED,), (LINE,), (EMAIL,))
SHORT_READS = HttpLimits(read_timeout_seconds=0.2, attempts=3)
SCHEDULE, LINE_ITEM = "/schedules/*", "/schedules/*/line_items/*"


def many_customers(customers: int) -> Scene:
    """So many customers, each with one schedule and one line."""
    accounts = tuple(an_account(100 + number) for number in range(customers))
    agreements = tuple(an_agreement(1000 + index, account) for index, account in enumerate(accounts))
    lines = tuple(a_line(5000 + index, agreement, EMAIL) for index, agreement in enumerate(agreements))
    return Scene(accounts, agreements, lines, (EMAIL,))


@dataclass(slots=True)
class Connected:
    """The simulator, the adapter on it, and the clock that the adapter waits by."""

    simulator: SyncroSimulator
    psa: SyncroBilling
    clock: FakeClock

    def calls(self, path: str = "/") -> int:
        """How many requests there were whose path begins so below /api/v1."""
        return sum(entry.path.startswith(f"/api/v1{path}") for entry in self.simulator.requests.entries)


@contextmanager
def connected(
    scene: Scene = SCENE, *, limits: HttpLimits | None = None, credential: Mapping[str, str] = SYNCRO_FIELDS
) -> Iterator[Connected]:
    """A running simulator that holds the scene, and the adapter on it. Nothing is asked yet."""
    with running(SyncroSimulator(world_of(scene))) as simulator:
        clock = FakeClock()
        psa = open_syncro(simulator.url, credential, clock=clock, allow_loopback=True, limits=limits)
        yield Connected(simulator, psa, clock)
        psa.close()


def pages_of(psa: SyncroBilling) -> list[PsaPage]:
    """Follow the cursors to the end."""
    pages, cursor = [], None
    while True:
        pages.append(psa.read_page(cursor))
        cursor = pages[-1].next_cursor
        if cursor is None:
            return pages
        assert len(pages) < 500, "the read does not end"


def read_all(psa: SyncroBilling) -> tuple[list[PsaAccount], list[Agreement], list[Line]]:
    """Everything that the pages of one read held."""
    pages = pages_of(psa)
    return (
        [one for page in pages for one in page.accounts],
        [one for page in pages for one in page.agreements],
        [one for page in pages for one in page.lines],
    )
