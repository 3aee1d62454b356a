"""The PSAs that the contract suite is run against, each holding the same small scene and able to misbehave alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

from local.simulators import connectwise as connectwise_simulator
from local.simulators import credentials
from local.simulators.connectwise import ConnectWiseSimulator
from local.simulators.server import running
from local.simulators.world import CatalogItem, PsaAddition, PsaAgreement, PsaCompany, VendorAccount, World
from tests.fakes.clock import FakeClock
from tests.fakes.psa import FakePsa, WriteFault
from trueup.adapters.connectwise import open_connectwise
from trueup.domain.billing import (
    Agreement,
    AgreementId,
    AgreementState,
    Line,
    LineId,
    Product,
    ProductId,
    PsaAccount,
    PsaAccountId,
)
from trueup.domain.errors import CredentialRejected, VendorUnavailable
from trueup.ports.psa import PsaBilling

CONNECTWISE_FIELDS = {
    "company_id": credentials.CONNECTWISE_COMPANY_ID,
    "public_key": credentials.CONNECTWISE_PUBLIC_KEY,
    "private_key": credentials.CONNECTWISE_PRIVATE_KEY,
    "client_id": credentials.CONNECTWISE_CLIENT_ID,
}
VERSION = "2025-10-31T18:22:10Z"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a PSA holds at the start of a test."""

    accounts: tuple[PsaAccount, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    lines: tuple[Line, ...] = ()
    products: tuple[Product, ...] = ()


class Subject(Protocol):
    """A PSA under test and what can be done to it from outside."""

    @property
    def psa(self) -> PsaBilling: ...
    def person_sets(self, line_id: str, quantity: int) -> None: ...
    def person_touches(self, line_id: str) -> None: ...
    def clamp_next_write(self, maximum: int) -> None: ...
    def ignore_next_write(self) -> None: ...
    def refuse_next_write(self) -> None: ...
    def lose_next_write_reply(self) -> None: ...
    def break_reading_after_next_write(self) -> None: ...
    def break_reading(self) -> None: ...
    def reject_credential(self) -> None: ...
    def forbid_products(self) -> None: ...
    def writes_sent(self) -> int: ...
    def pages_of(self, rows: int) -> None: ...


class FakeSubject:
    """The fake in memory."""

    def __init__(self, scene: Scene) -> None:
        self.fake = FakePsa(
            FakeClock(),
            accounts=scene.accounts,
            agreements=scene.agreements,
            lines=scene.lines,
            products=scene.products,
        )

    @property
    def psa(self) -> PsaBilling:
        return self.fake

    def person_sets(self, line_id: str, quantity: int) -> None:
        self.fake.person_edits(line_id, quantity=Decimal(quantity))

    def person_touches(self, line_id: str) -> None:
        self.fake.person_edits(line_id)

    def clamp_next_write(self, maximum: int) -> None:
        self.fake.clamp_maximum = Decimal(maximum)
        self.fake.next_write(WriteFault.CLAMPED)

    def ignore_next_write(self) -> None:
        self.fake.next_write(WriteFault.IGNORED)

    def refuse_next_write(self) -> None:
        self.fake.next_write(WriteFault.REFUSED)

    def lose_next_write_reply(self) -> None:
        self.fake.next_write(WriteFault.REPLY_LOST)

    def break_reading_after_next_write(self) -> None:
        self.fake.next_write(WriteFault.UNREADABLE)

    def break_reading(self) -> None:
        trouble = VendorUnavailable("it is away", integration="fake-psa", status=503)
        for method in ("read_page", "read_line", "set_quantity", "search_products"):
            self.fake.fail_always(method, trouble)

    def reject_credential(self) -> None:
        self.fake.fail_always("check", CredentialRejected("no", integration="fake-psa", status=401))

    def forbid_products(self) -> None:
        self.fake.revoke("search products")

    def writes_sent(self) -> int:
        return self.fake.sent

    def pages_of(self, rows: int) -> None:
        self.fake.page_size = rows


class ConnectWiseSubject:
    """The ConnectWise adapter over a real socket to the simulator."""

    def __init__(self, simulator: ConnectWiseSimulator, patch: Callable[[object, str, object], None]) -> None:
        self.simulator = simulator
        self._patch = patch
        self.connectwise = open_connectwise(simulator.url, CONNECTWISE_FIELDS, clock=FakeClock(), allow_loopback=True)

    @property
    def psa(self) -> PsaBilling:
        return self.connectwise

    def person_sets(self, line_id: str, quantity: int) -> None:
        self.simulator.world.edit_addition(int(line_id), quantity=float(quantity))

    def person_touches(self, line_id: str) -> None:
        self.simulator.world.edit_addition(int(line_id))

    def clamp_next_write(self, maximum: int) -> None:
        self.simulator.faults.add("clamped_quantity", method="PATCH", maximum=maximum)

    def ignore_next_write(self) -> None:
        self.simulator.faults.add("false_success", method="PATCH")

    def refuse_next_write(self) -> None:
        self.simulator.faults.add("status", method="PATCH", status=400)

    def lose_next_write_reply(self) -> None:
        self.simulator.faults.add("drop_after_commit", method="PATCH")

    def break_reading_after_next_write(self) -> None:
        # The first read of the line, before the write, still works.
        self.simulator.faults.add("status", method="GET", path="/finance/*/additions/*", nth=2, times=0, status=503)

    def break_reading(self) -> None:
        self.simulator.faults.add("status", method="GET", times=0, status=503)

    def reject_credential(self) -> None:
        self.simulator.faults.add("unauthorized", path="/*/apis/*", times=0)

    def forbid_products(self) -> None:
        self.simulator.faults.add("status", path="/procurement/*", times=0, status=403)

    def writes_sent(self) -> int:
        return len(self.simulator.world.writes)

    def pages_of(self, rows: int) -> None:
        self._patch(connectwise_simulator, "MAX_PAGE_SIZE", rows)


@contextmanager
def connectwise_subject(scene: Scene, patch: Callable[[object, str, object], None]) -> Iterator[ConnectWiseSubject]:
    """A running simulator that holds the scene, with the adapter connected to it."""
    with running(ConnectWiseSimulator(world_of(scene))) as simulator:
        subject = ConnectWiseSubject(simulator, patch)
        yield subject
        subject.connectwise.close()


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


# Pieces of scenes.


def an_account(number: int, name: str = "") -> PsaAccount:
    return PsaAccount(PsaAccountId(str(number)), f"C{number}", name or f"Client {number}", "Active")


def an_agreement(
    number: int, account: PsaAccount, state: AgreementState = AgreementState.ACTIVE, ends_on: date | None = None
) -> Agreement:
    return Agreement(
        id=AgreementId(str(number)),
        account_id=account.id,
        name=f"Managed {number}",
        type_name="Managed Services",
        state=state,
        starts_on=date(2024, 1, 1),
        ends_on=ends_on,
        prorates=True,
        next_invoice_on=date(2026, 12, 1),
        currency="USD",
    )


def a_product(number: int, code: str, name: str = "Mimecast Email Security", *, inactive: bool = False) -> Product:
    return Product(ProductId(str(number)), code, name, Decimal("4.25"), Decimal("2.9"), inactive)


def a_line(
    number: int,
    agreement: Agreement,
    product: Product,
    quantity: str = "12",
    *,
    effective_from: date = date(2024, 1, 1),
    effective_to: date | None = None,
    billable: bool = True,
    less_included: str = "0",
    not_writable_reason: str | None = None,
) -> Line:
    return Line(
        id=LineId(str(number)),
        agreement_id=agreement.id,
        account_id=agreement.account_id,
        product_id=product.id,
        product_code=product.code,
        description="Email security, per user",
        quantity=Decimal(quantity),
        version=VERSION,
        less_included=Decimal(less_included),
        unit_price=Decimal("4.25"),
        unit_cost=Decimal("2.9"),
        effective_from=effective_from,
        effective_to=effective_to,
        billable=billable,
        not_writable_reason=not_writable_reason,
    )
