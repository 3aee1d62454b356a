"""The vendors that the contract suite is run against, each holding the same accounts and able to misbehave alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from local.simulators import credentials
from local.simulators.mimecast import MimecastSimulator
from local.simulators.server import running
from local.simulators.world import VendorAccount, World
from tests.fakes.clock import FakeClock
from tests.fakes.vendor import FakeVendor
from trueup.adapters.mimecast.adapter import MimecastBilling, open_mimecast
from trueup.adapters.pace import HttpLimits
from trueup.domain.errors import (
    CredentialRejected,
    PermissionMissing,
    RateLimited,
    SchemaUnknown,
    VendorUnavailable,
)
from trueup.ports.vendor import VendorBilling

MIMECAST_FIELDS = {
    "client_id": credentials.MIMECAST_CLIENT_ID,
    "client_secret": credentials.MIMECAST_CLIENT_SECRET,
}
CUSTOMERS = "/partner/v1/customers"
HASTE = HttpLimits(connect_timeout_seconds=2.0, read_timeout_seconds=0.3, attempts=2)


@dataclass(frozen=True, slots=True)
class Customer:
    """An account of the scene; ``seats`` None is an account whose seats nobody tells."""

    id: str
    name: str
    seats: int | None = 10


class Subject(Protocol):
    """A vendor under test and what can be done to it from outside."""

    clock: FakeClock

    @property
    def vendor(self) -> VendorBilling: ...
    def pages_of(self, accounts: int) -> None: ...
    def repeat_page_marks(self) -> None: ...
    def send_pages_again(self) -> None: ...
    def tell_total_off_by(self, difference: int) -> None: ...
    def reject_credential(self) -> None: ...
    def forbid_customers(self) -> None: ...
    def limit_next_page(self) -> None: ...
    def be_away_for_next_page(self) -> None: ...
    def never_answer(self) -> None: ...
    def add_unknown_fields(self) -> None: ...
    def leave_out_account_codes(self) -> None: ...
    def writes(self) -> int: ...


class FakeSubject:
    """The fake in memory."""

    def __init__(self, scene: tuple[Customer, ...]) -> None:
        self.clock = FakeClock()
        self.fake = FakeVendor(self.clock)
        for customer in scene:
            self.fake.add_account(customer.id, customer.name, customer.seats)

    @property
    def vendor(self) -> VendorBilling:
        return self.fake

    def pages_of(self, accounts: int) -> None:
        self.fake.page_size = accounts

    def repeat_page_marks(self) -> None:
        self.fake.repeats_marks = True

    def send_pages_again(self) -> None:
        self.fake.repeats_pages = True

    def tell_total_off_by(self, difference: int) -> None:
        self.fake.told_total = lambda actual: actual + difference

    def reject_credential(self) -> None:
        for method in ("check", "read_page"):
            self.fake.fail_always(method, CredentialRejected("it says no", integration="mimecast", status=401))

    def forbid_customers(self) -> None:
        self.fake.revoke("customers", "contracts", "account_detail")
        self.fake.fail_always(
            "read_page", PermissionMissing("forbidden", integration="mimecast", permission="Partner: read")
        )

    def limit_next_page(self) -> None:
        self.fake.fail_next("read_page", RateLimited("wait", integration="mimecast", wait_seconds=2.75))

    def be_away_for_next_page(self) -> None:
        self.fake.fail_next("read_page", VendorUnavailable("no answer", integration="mimecast", status=503))

    def never_answer(self) -> None:
        self.fake.fail_always("read_page", VendorUnavailable("no answer in time", integration="mimecast"))

    def add_unknown_fields(self) -> None:
        """Nothing to do: the fake gives what the port promises, and no fields."""

    def leave_out_account_codes(self) -> None:
        self.fake.fail_always("read_page", SchemaUnknown("a record has no accountCode", integration="mimecast"))

    def writes(self) -> int:
        return 0


class MimecastSubject:
    """The Mimecast adapter over a real socket to the simulator."""

    def __init__(self, simulator: MimecastSimulator) -> None:
        self.clock = FakeClock()
        self.simulator = simulator
        self.mimecast = self._open(100)

    def _open(self, page_size: int) -> MimecastBilling:
        return open_mimecast(
            self.simulator.url,
            MIMECAST_FIELDS,
            clock=self.clock,
            allow_loopback=True,
            limits=HASTE,
            page_size=page_size,
        )

    @property
    def vendor(self) -> VendorBilling:
        return self.mimecast

    def pages_of(self, accounts: int) -> None:
        self.mimecast.close()
        self.mimecast = self._open(accounts)

    def repeat_page_marks(self) -> None:
        self.simulator.faults.add("repeated_token", path=CUSTOMERS, nth=2, times=0)

    def send_pages_again(self) -> None:
        self.simulator.faults.add("duplicate_page", path=CUSTOMERS, nth=2, times=1)

    def tell_total_off_by(self, difference: int) -> None:
        self.simulator.faults.add("total_disagrees", path=CUSTOMERS, times=0, difference=difference)

    def reject_credential(self) -> None:
        self.simulator.faults.add("unauthorized", method="GET", times=0, code="plain")

    def forbid_customers(self) -> None:
        self.simulator.partner_allowed = False

    def limit_next_page(self) -> None:
        self.simulator.faults.add("rate_limited", path=CUSTOMERS, reset_milliseconds=2750)

    def be_away_for_next_page(self) -> None:
        self.simulator.faults.add("status", path=CUSTOMERS, status=503)

    def never_answer(self) -> None:
        self.simulator.faults.add("late_reply", path=CUSTOMERS, times=0, seconds=5)

    def add_unknown_fields(self) -> None:
        self.simulator.faults.add("unknown_fields", times=0)

    def leave_out_account_codes(self) -> None:
        self.simulator.faults.add("set_field", path=CUSTOMERS, times=0, field="accountCode", remove=True)

    def writes(self) -> int:
        return len(self.simulator.world.writes)


@contextmanager
def mimecast_subject(scene: tuple[Customer, ...]) -> Iterator[MimecastSubject]:
    """A running simulator that holds the scene, with the adapter connected to it."""
    world = World("scene", 0, VendorAccount(credentials.PARTNER_ACCOUNT_CODE, "Acme MSP"))
    for customer in scene:
        world.accounts[customer.id] = VendorAccount(
            customer.id, customer.name, partner_seats=customer.seats, account_seats=customer.seats
        )
    with running(MimecastSimulator(world)) as simulator:
        subject = MimecastSubject(simulator)
        yield subject
        subject.mimecast.close()
