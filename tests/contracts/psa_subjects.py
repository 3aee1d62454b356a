"""What the contract suite asks of a PSA under test: its traits as data, the scene it holds, and how it can be made to
misbehave.

Each PSA has a module ``psa_subject_NAME`` beside this one with ``TRAITS`` and ``NAME_subject(scene, patch)``, a context
manager that gives a Subject. Nothing here asks which PSA it is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from importlib import import_module
from typing import Protocol

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
from trueup.domain.effective import PsaCapabilities
from trueup.ports.psa import PsaAccountReading, PsaBilling, PsaLineCreation

VERSION = "2025-10-31T18:22:10Z"
type Patch = Callable[[object, str, object], None]
"""Replaces an attribute until the test is over (pytest's monkeypatch.setattr)."""


class Feature(StrEnum):
    """What a PSA can show or be asked, where not all can. A test that needs one is run for those that have it."""

    TRANSPORT = "it is spoken to over a socket"
    FRACTIONS = "a quantity may be no whole number"
    LINE_DATES = "a line has days on which it begins and ends"
    VERSIONS = "a line has a mark of its last edit"
    TWINS = "an agreement may have two lines of one product"
    UNWRITABLE = "there are lines that no program may write"
    INACTIVE_PRODUCTS = "a product may be inactive"


@dataclass(frozen=True, slots=True)
class Traits:
    """What differs between the PSAs, as the suite needs it.

    ``states`` are the states other than active that an agreement can be shown in. ``effective`` is the day that every
    write of the suite names, None where a plain change names none. ``checks`` are the names that a check reports on.
    ``quantity_field`` is the PSA's own name of the field that holds a line's quantity. ``counts`` says whether totals
    are told of accounts and of agreements.
    """

    name: str
    capabilities: PsaCapabilities
    features: frozenset[Feature]
    states: tuple[AgreementState, ...]
    checks: frozenset[str]
    quantity_field: str
    effective: date | None = None
    counts: tuple[bool, bool] = (True, True)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a PSA holds at the start of a test."""

    accounts: tuple[PsaAccount, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    lines: tuple[Line, ...] = ()
    products: tuple[Product, ...] = ()


class Subject(Protocol):
    """A PSA under test and what can be done to it from outside.

    ``holds`` is the scene in the words of this PSA: what reading it must give, field by field. Ids, names, products and
    quantities are those of the scene. ``secrets`` are texts that nothing may show.
    """

    @property
    def psa(self) -> PsaBilling: ...
    @property
    def maker(self) -> PsaLineCreation: ...
    @property
    def reader(self) -> PsaAccountReading: ...
    @property
    def traits(self) -> Traits: ...
    @property
    def holds(self) -> Scene: ...
    @property
    def secrets(self) -> tuple[str, ...]: ...

    # People at the PSA.
    def person_sets(self, line_id: str, quantity: int) -> None: ...
    def person_touches(self, line_id: str) -> None: ...

    # The next write.
    def clamp_next_write(self, maximum: int) -> None: ...
    def ignore_next_write(self) -> None: ...
    def refuse_next_write(self) -> None: ...
    def limit_next_write(self) -> None: ...
    def forbid_writing(self) -> None: ...
    def lose_next_write(self, *, committed: bool) -> None: ...
    def break_reading_after_next_write(self) -> None: ...
    def lose_next_creation(self, *, committed: bool) -> None: ...
    def refuse_next_creation(self) -> None: ...
    def lose_next_write_of_dated_change(self, *, committed: bool) -> None: ...
    def lose_second_step(self, *, committed: bool) -> None: ...

    # Reading.
    def pages_of(self, rows: int) -> None: ...
    def break_reading(self) -> None: ...
    def mend(self) -> None: ...
    def limit_next_read(self) -> None: ...
    def stall_next_read(self) -> None: ...
    def lose_next_read(self) -> None: ...
    def repeat_pages(self) -> None: ...
    def add_unknown_fields(self) -> None: ...
    def drop_quantity_field(self) -> None: ...
    def answer_everything(self, status: int, text: str) -> None: ...

    # The credential.
    def reject_credential(self) -> None: ...
    def forbid_reading(self) -> None: ...
    def forbid_products(self) -> None: ...

    # What was seen.
    def writes_sent(self) -> int: ...
    def waited_seconds(self) -> float: ...


type OpenSubject = Callable[[Scene, Patch], AbstractContextManager[Subject]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One PSA that is under contract; ``problem`` is why its subject could not be had."""

    name: str
    traits: Traits | None = None
    open: OpenSubject | None = None
    problem: ImportError | None = field(default=None, compare=False)


def find_kind(name: str) -> Kind:
    """The PSA's subject. A module that cannot be imported is a failed test of its own and takes no other PSA along."""
    try:
        module = import_module(f"tests.contracts.psa_subject_{name}")
    except ImportError as error:
        return Kind(name, problem=error)
    return Kind(name, module.TRAITS, getattr(module, f"{name}_subject"))


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
