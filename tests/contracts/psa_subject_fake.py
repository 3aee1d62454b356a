"""The fake in memory under the contract suite. What needs a socket is not asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from tests.contracts.psa_subjects import Feature, Patch, Scene, Traits
from tests.fakes.clock import FakeClock
from tests.fakes.psa import CAPABILITIES, FakePsa, WriteFault
from trueup.domain.billing import AgreementState
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.errors import CredentialRejected, PermissionMissing, VendorUnavailable
from trueup.domain.integrations import IntegrationName

TRAITS = Traits(
    name="fake",
    capabilities=PSA_CAPABILITIES[IntegrationName.CONNECTWISE],
    features=frozenset(Feature) - {Feature.TRANSPORT},
    states=(AgreementState.INACTIVE, AgreementState.CANCELLED, AgreementState.EXPIRED),
    checks=frozenset(capability.name for capability in CAPABILITIES),
    quantity_field="quantity",
)
READING = ("read_page", "read_line", "read_account", "set_quantity", "create_line", "search_products")


class FakeSubject:
    """The fake, and what its switches do."""

    secrets = ()

    def __init__(self, scene: Scene, traits: Traits = TRAITS) -> None:
        self.traits = traits
        self.holds = scene
        self.psa = FakePsa(
            FakeClock(),
            accounts=scene.accounts,
            agreements=scene.agreements,
            lines=scene.lines,
            products=scene.products,
            can=traits.capabilities,
        )
        self.maker = self.reader = self.psa

    def person_sets(self, line_id: str, quantity: int) -> None:
        self.psa.person_edits(line_id, quantity=Decimal(quantity))

    def person_touches(self, line_id: str) -> None:
        self.psa.person_edits(line_id)

    def clamp_next_write(self, maximum: int) -> None:
        self.psa.clamp_maximum = Decimal(maximum)
        self.psa.next_write(WriteFault.CLAMPED)

    def ignore_next_write(self) -> None:
        self.psa.next_write(WriteFault.IGNORED)

    def refuse_next_write(self) -> None:
        self.psa.next_write(WriteFault.REFUSED)

    def forbid_writing(self) -> None:
        self.psa.next_write(WriteFault.REFUSED)

    def lose_next_write(self, *, committed: bool) -> None:
        self.psa.next_write(WriteFault.REPLY_LOST if committed else WriteFault.LOST)

    def break_reading_after_next_write(self) -> None:
        self.psa.next_write(WriteFault.UNREADABLE)

    def lose_next_creation(self, *, committed: bool) -> None:
        self.psa.next_write(WriteFault.REPLY_LOST if committed else WriteFault.LOST)

    def refuse_next_creation(self) -> None:
        self.psa.next_write(WriteFault.REFUSED)

    def lose_next_write_of_dated_change(self, *, committed: bool) -> None:
        self.lose_next_write(committed=committed)

    def lose_second_step(self, *, committed: bool) -> None:
        self.psa.next_write(WriteFault.UNREADABLE if committed else WriteFault.HALF)

    def pages_of(self, rows: int) -> None:
        self.psa.page_size = rows

    def break_reading(self) -> None:
        for method in READING:
            self.psa.fail_always(method, VendorUnavailable("it is away", integration="fake-psa", status=503))

    def mend(self) -> None:
        self.psa.mend()

    def reject_credential(self) -> None:
        for method in ("check", *READING):
            self.psa.fail_always(method, CredentialRejected("no", integration="fake-psa", status=401))

    def forbid_reading(self) -> None:
        for method in READING:
            self.psa.fail_always(method, PermissionMissing("no", integration="fake-psa", permission="Accounts: read"))

    def forbid_products(self) -> None:
        self.psa.revoke("search products")

    def writes_sent(self) -> int:
        return self.psa.sent

    # These need a socket: Feature.TRANSPORT is not among the traits, so no test asks for them.

    def limit_next_write(self) -> None:
        raise AssertionError("the fake has no socket")

    def limit_next_read(self) -> None:
        raise AssertionError("the fake has no socket")

    def stall_next_read(self) -> None:
        raise AssertionError("the fake has no socket")

    def lose_next_read(self) -> None:
        raise AssertionError("the fake has no socket")

    def repeat_pages(self) -> None:
        raise AssertionError("the fake has no socket")

    def add_unknown_fields(self) -> None:
        raise AssertionError("the fake has no socket")

    def drop_quantity_field(self) -> None:
        raise AssertionError("the fake has no socket")

    def answer_everything(self, status: int, text: str) -> None:
        raise AssertionError("the fake has no socket")

    def waited_seconds(self) -> float:
        raise AssertionError("the fake has no socket")


@contextmanager
def fake_subject(scene: Scene, _patch: Patch) -> Iterator[FakeSubject]:
    """The fake holding the scene."""
    yield FakeSubject(scene)
