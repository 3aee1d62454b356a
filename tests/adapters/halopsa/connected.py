"""Opens the HaloPSA adapter on a running simulator, and reads it whole. For the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from local.simulators.halopsa import HaloPsaSimulator
from local.simulators.server import running
from tests.contracts.psa_subject_connectwise import world_of
from tests.contracts.psa_subject_halopsa import HALOPSA_FIELDS, held_line
from tests.contracts.psa_subjects import Scene, a_line, a_product, an_account, an_agreement
from tests.fakes.clock import FakeClock
from trueup.adapters.halopsa import HaloPsaBilling, open_halopsa
from trueup.adapters.http import HttpLimits
from trueup.domain.billing import Agreement, Line, LineReference, PsaAccount

EMAIL = a_product(560, "MIME-EMAIL-S1")
AWARENESS = a_product(561, "MIME-AWARE", "Mimecast Awareness Training")
HARBOR = an_account(250, "Harbor Dental Group")
MANAGED = an_agreement(1201, HARBOR)
BILLED = (a_line(88431, MANAGED, EMAIL), a_line(88432, MANAGED, AWARENESS, "3"))
LINE, OTHER = map(held_line, BILLED)
REFERENCE = LineReference(MANAGED.id, LINE.id, EMAIL.id)
SCENE = Scene((HARBOR,), (MANAGED,), BILLED, (EMAIL, AWARENESS))
SHORT_READS = HttpLimits(read_timeout_seconds=0.2, attempts=3)
AUTH_INFO = "/api/authinfo"
TOKEN = "/auth/token"
CLIENTS = "/api/Client"
INVOICES = "/api/RecurringInvoice"
INVOICE = "/api/RecurringInvoice/*"
CHANGES = "/api/InvoiceChange"


def many_clients(clients: int) -> Scene:
    """So many clients, each with one recurring invoice and one line."""
    accounts = tuple(an_account(100 + number) for number in range(clients))
    agreements = tuple(an_agreement(1000 + index, account) for index, account in enumerate(accounts))
    lines = tuple(a_line(5000 + index, agreement, EMAIL) for index, agreement in enumerate(agreements))
    return Scene(accounts, agreements, lines, (EMAIL,))


@dataclass(slots=True)
class Connected:
    """The simulator, the adapter on it, and the clock that the adapter waits by."""

    simulator: HaloPsaSimulator
    psa: HaloPsaBilling
    clock: FakeClock = field(default_factory=FakeClock)

    def quantities(self) -> dict[int, float]:
        """What every line of the world has."""
        return {key: line.quantity for key, line in sorted(self.simulator.world.additions.items())}

    def posts(self) -> int:
        """How often a recurring invoice was posted and answered or dropped."""
        return sum(entry.method == "POST" and entry.path == INVOICES for entry in self.simulator.requests.entries)


@contextmanager
def connected(
    scene: Scene = SCENE,
    *,
    limits: HttpLimits | None = None,
    credential: Mapping[str, str] = HALOPSA_FIELDS,
    clock: FakeClock | None = None,
) -> Iterator[Connected]:
    """A running simulator that holds the scene, and the adapter on it. Nothing is asked yet."""
    with running(HaloPsaSimulator(world_of(scene))) as simulator:
        used = clock or FakeClock()
        psa = open_halopsa(simulator.url, credential, clock=used, allow_loopback=True, limits=limits)
        yield Connected(simulator, psa, used)
        psa.close()


@dataclass(slots=True)
class WholeRead:
    """Everything that the pages of one read held."""

    accounts: list[PsaAccount] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    accounts_totals: list[int] = field(default_factory=list)
    pages: int = 0


def read_all(psa: HaloPsaBilling) -> WholeRead:
    """Follow the cursors to the end."""
    whole, cursor = WholeRead(), None
    while True:
        page = psa.read_page(cursor)
        whole.accounts += page.accounts
        whole.agreements += page.agreements
        whole.lines += page.lines
        whole.accounts_totals += [] if page.accounts_total is None else [page.accounts_total]
        whole.pages += 1
        cursor = page.next_cursor
        if cursor is None:
            return whole
