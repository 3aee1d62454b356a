"""Opens the Mimecast adapter on a running simulator and reads it whole. For the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from local.simulators.credentials import MIMECAST_CLIENT_ID, MIMECAST_CLIENT_SECRET
from local.simulators.mimecast import MimecastSimulator
from local.simulators.server import running
from local.simulators.world import ContractLine, VendorAccount, VendorContract, VendorProduct, World
from tests.fakes.clock import FakeClock
from trueup.adapters.http import HttpLimits
from trueup.adapters.mimecast import MimecastBilling, open_mimecast
from trueup.adapters.mimecast.on_behalf import OnBehalf
from trueup.domain.accounts import VendorPage
from trueup.domain.counts import Count
from trueup.domain.uploads import Upload

GIVEN_AT = datetime(2026, 8, 20, 9, 30, tzinfo=UTC)
"""When the customer file was given that a test connects with."""

FIELDS: Mapping[str, str] = {"client_id": MIMECAST_CLIENT_ID, "client_secret": MIMECAST_CLIENT_SECRET}
CUSTOMERS = "/partner/v1/customers"
CONTRACTS = "/partner/v1/msp/contracts"
PRODUCTS = "/partner/v1/msp/products"
GET_ACCOUNT = "/api/account/get-account"
SUPPORT_INFO = "/api/account/get-support-info"
WHOAMI = "/identity/whoami"
PACKAGES = ["Mimecast Platform [1033]", "Secure Email Gateway (Site) [1039]"]
SHORT_READS = HttpLimits(read_timeout_seconds=0.2, attempts=3)


def an_account(
    number: int, *, partner_seats: int | None = 10, account_seats: int | None = 10, name: str = "", **facts: object
) -> VendorAccount:
    return VendorAccount(
        code=f"CSIM10B{number}",
        name=name or f"Client {number}",
        partner_seats=partner_seats,
        account_seats=account_seats,
        packages=list(PACKAGES),
        **facts,  # type: ignore[arg-type]
    )


def a_world(*accounts: VendorAccount) -> World:
    """A vendor with these accounts, two products and no contracts."""
    world = World("scene", 0, VendorAccount("CSIM00A001", "Sim MSP NFR", partner_seats=25, account_seats=25))
    world.vendor_products = {
        "9702": VendorProduct("9702", "Email Security S1", "primary"),
        "9731": VendorProduct("9731", "Awareness Training", "addon"),
    }
    world.accounts = {account.code: account for account in accounts}
    return world


def contract(world: World, code: str, *lines: tuple[str, int], status: str = "active") -> str:
    """Put products with seats under a new contract of the account; returns its id."""
    contract_id = f"ctr-{70_011 + len(world.contracts)}"
    made = [ContractLine(product, world.vendor_products[product].name, seats) for product, seats in lines]
    world.contracts[contract_id] = VendorContract(contract_id, code, "org-1", made, status=status)
    return contract_id


@dataclass(slots=True)
class Connected:
    """The simulator, the adapter on it, and the clock that both go by."""

    simulator: MimecastSimulator
    vendor: MimecastBilling
    clock: FakeClock

    def pages(self, pages_maximum: int = 50) -> list[VendorPage]:
        pages: list[VendorPage] = []
        cursor = None
        for _ in range(pages_maximum):
            pages.append(self.vendor.read_page(cursor))
            cursor = pages[-1].next_cursor
            if cursor is None:
                return pages
        raise AssertionError("the read does not end")

    def counts(self) -> dict[tuple[str, str], Count]:
        """The counts of a whole read by account code and service id."""
        return {(str(one.account_id), str(one.service_id)): one.count for page in self.pages() for one in page.counts}

    def asked(self, method: str, path: str) -> int:
        return sum(1 for entry in self.simulator.requests.entries if (entry.method, entry.path) == (method, path))


@contextmanager
def connected(
    world: World,
    *,
    fields: Mapping[str, str] = FIELDS,
    limits: HttpLimits | None = None,
    page_size: int = 100,
    on_behalf: OnBehalf | None = None,
    customer_file: bytes | None = None,
    clock: FakeClock | None = None,
) -> Iterator[Connected]:
    clock = clock or FakeClock()
    simulator = MimecastSimulator(world)
    simulator.monotonic = clock.monotonic_seconds
    with running(simulator):
        vendor = open_mimecast(
            simulator.url,
            fields,
            clock=clock,
            allow_loopback=True,
            limits=limits,
            page_size=page_size,
            on_behalf=on_behalf,
            customer_file=None if customer_file is None else Upload("customers", customer_file, 1, GIVEN_AT, "ann"),
        )
        try:
            yield Connected(simulator, vendor, clock)
        finally:
            vendor.close()
