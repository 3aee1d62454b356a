"""A PSA in memory behind the PsaBilling port, with people who edit it and switches that make it misbehave.

It passes the same contract suite as the real adapters, so a use case tested on it meets the same outcomes. What it
can do follows the PsaCapabilities it is given: plain quantities, a dated change by a second line, or quantities by day.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from tests.fakes.misbehaving import Misbehaving
from trueup.domain.billing import (
    Agreement,
    AgreementState,
    Capability,
    CapabilityReport,
    Line,
    LineId,
    LineReference,
    LineState,
    NewLine,
    Product,
    PsaAccount,
    PsaAccountId,
    PsaPage,
    QuantityStep,
    WriteOutcome,
    WriteResult,
)
from trueup.domain.counts import Seats
from trueup.domain.effective import PSA_CAPABILITIES, EffectiveRule, PsaCapabilities
from trueup.domain.errors import InputInvalid, ResourceAbsent
from trueup.domain.integrations import IntegrationName
from trueup.domain.periods import Period
from trueup.ports.clock import Clock

INTEGRATION = "fake-psa"
CAPABILITIES = (
    Capability("read companies", True, "Accounts: read"),
    Capability("read agreements", True, "Agreements: read"),
    Capability("read lines", True, "Lines: read"),
    Capability("search products", True, "Products: read"),
)


class WriteFault(StrEnum):
    """What one write meets after it passed every check."""

    CLAMPED = "the PSA stores a smaller number and says yes"
    IGNORED = "the PSA says yes and stores nothing"
    REFUSED = "the PSA says no"
    REPLY_LOST = "it is stored; the reply is lost; reading back settles it"
    UNREADABLE = "it is stored; the line cannot be read back"
    LOST = "it is not stored; nothing can be read back"
    HALF = "of a dated change the new line is made, the old one not ended; then nobody answers"


@dataclass(frozen=True, slots=True)
class CommittedWrite:
    """A write that changed a line: what it had, what was asked for, what it has since."""

    reference: LineReference
    before: Decimal
    asked: Decimal
    after: Decimal
    made: bool = False
    """Whether it made the line."""


class FakePsa(Misbehaving):
    """Implements PsaBilling, PsaLineCreation and PsaAccountReading. Safe to use from several threads.

    ``writes`` are the changes that happened, ``sent`` counts what was sent at all, ``calls`` counts calls by method.
    ``can`` says how it bills: with ``delta_write`` lines have dated quantities (``steps``) and every change names a
    day; without, a change from a day on is a second line, where the agreement prorates.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        accounts: Iterable[PsaAccount] = (),
        agreements: Iterable[Agreement] = (),
        lines: Iterable[Line] = (),
        products: Iterable[Product] = (),
        page_size: int = 100,
        can: PsaCapabilities = PSA_CAPABILITIES[IntegrationName.CONNECTWISE],
    ) -> None:
        super().__init__(CAPABILITIES)
        self.can = can
        self.accounts = {account.id: account for account in accounts}
        self.agreements = {agreement.id: agreement for agreement in agreements}
        self.lines = {line.id: line for line in lines}
        self.products = {product.id: product for product in products}
        self.page_size = page_size
        self.writes: list[CommittedWrite] = []
        self.sent = 0
        self.clamp_maximum = Decimal(1)
        self._clock = clock
        self._write_faults: deque[WriteFault] = deque()
        self._edits = 0

    # What a test may make happen.

    def mend(self) -> None:
        """Nothing fails any more, writes included."""
        self.heal()
        self._write_faults.clear()

    def next_write(self, *faults: WriteFault) -> None:
        """What the next writes that are really sent will meet."""
        self._write_faults.extend(faults)

    def person_edits(self, line_id: str, **changes: object) -> Line:
        """Somebody edits a line at the PSA; its version moves on even when nothing else does."""
        with self._lock:
            line = next(line for line in self.lines.values() if line.id == line_id)
            self._edits += 1
            moment = self._clock.now() + timedelta(seconds=self._edits)
            edited = replace(line, **changes, version=moment.isoformat())  # type: ignore[arg-type]
            self.lines[line.id] = edited
            return edited

    # The port.

    def check(self) -> CapabilityReport:
        """The capabilities as they stand."""
        self._enter("check")
        return CapabilityReport("Fake MSP (in memory)", self.capabilities)

    def read_page(self, cursor: str | None) -> PsaPage:
        """Accounts first, then agreements with their lines, ``page_size`` at a time."""
        self._enter("read_page")
        found = re.fullmatch(r"fake:(accounts|agreements):([0-9]{1,9})", cursor or "fake:accounts:0", re.ASCII)
        if found is None:
            raise InputInvalid("this is not a cursor of this PSA", field="cursor")
        start = int(found[2])
        with self._lock:
            return self._account_page(start) if found[1] == "accounts" else self._agreement_page(start)

    def search_products(self, text: str, *, limit: int = 25) -> tuple[Product, ...]:
        """By code, name or id, exact hits first, inactive ones last."""
        self._enter("search_products")
        wanted = text.strip().casefold()
        if not wanted or limit < 1:
            raise InputInvalid("a product search needs a text and a limit", field="search")
        found = [
            product
            for product in self.products.values()
            if product.id == text.strip() or wanted in product.code.casefold() or wanted in product.name.casefold()
        ]
        found.sort(key=lambda one: (one.code.casefold() != wanted, one.id != text.strip(), one.inactive, one.code))
        return tuple(found[:limit])

    def read_line(self, reference: LineReference) -> LineState:
        """The line and its agreement. ResourceAbsent when either is gone."""
        self._enter("read_line")
        return self._state(reference)

    def set_quantity(
        self,
        reference: LineReference,
        *,
        expected: Decimal,
        expected_version: str,
        target: Seats,
        effective: date | None = None,
        siblings: Collection[LineId] = (),
    ) -> WriteResult:
        """Read, compare, write, read back: the outcomes of the port."""
        self._enter("set_quantity")
        self._require_possible(effective)
        with self._lock:
            try:
                state = self._state(reference)
            except ResourceAbsent as absent:
                return WriteResult(WriteOutcome.REJECTED, absent.message)
            line = state.line
            if reference.product_id not in (None, line.product_id):
                return self._result(WriteOutcome.CONFLICT, "the line is of another product", line)
            begun = self._begun(line, target, effective)
            if begun is not None:
                return self._end(line, begun)
            that_day = replace(line, quantity=self._quantity_on(line, effective))
            if that_day.quantity == target:
                return self._result(WriteOutcome.ALREADY, "it already has this quantity", that_day)
            if that_day.quantity != expected or expected_version not in ("", line.version):
                return self._result(WriteOutcome.CONFLICT, "the line moved", that_day)
            obstacle = self._obstacle(state, effective, siblings)
            if obstacle is not None:
                return self._result(WriteOutcome.REJECTED, obstacle, that_day)
            return self._write(reference, line, Decimal(target), effective)

    def create_line(self, order: NewLine) -> WriteResult:
        """A line of a product of the catalog, on an active agreement that has none."""
        self._enter("create_line")
        with self._lock:
            agreement = self.agreements.get(order.agreement_id)
            product = self.products.get(order.product_id)
            if agreement is None or agreement.account_id != order.account_id or product is None:
                return WriteResult(WriteOutcome.REJECTED, "the agreement or the product is gone")
            if agreement.state is not AgreementState.ACTIVE:
                return WriteResult(WriteOutcome.REJECTED, f"the agreement is {agreement.state.value}")
            today = self._clock.now().date()
            for line in self.lines.values():
                there = (line.agreement_id, line.product_id) == (order.agreement_id, order.product_id)
                if there and (line.is_live(today) or line.is_future(today)):
                    same = line.quantity == order.quantity
                    outcome = WriteOutcome.ALREADY if same else WriteOutcome.CONFLICT
                    return self._result(outcome, "the agreement has such a line", line, line.id)
            return self._make(agreement, product, Decimal(order.quantity), order.effective or today)

    def read_account(self, account_id: PsaAccountId) -> PsaPage:
        """One client with all its agreements and lines."""
        self._enter("read_account")
        with self._lock:
            account = self.accounts.get(account_id)
            if account is None:
                raise ResourceAbsent("the client is gone", integration=INTEGRATION, status=404)
            agreements = tuple(one for one in self.agreements.values() if one.account_id == account_id)
            return PsaPage((account,), agreements, self._lines_of(agreements), None)

    # Inside.

    def _account_page(self, start: int) -> PsaPage:
        accounts = list(self.accounts.values())
        end = start + self.page_size
        return PsaPage(
            accounts=tuple(accounts[start:end]),
            agreements=(),
            lines=(),
            next_cursor=f"fake:accounts:{end}" if end < len(accounts) else "fake:agreements:0",
            accounts_total=len(accounts) if start == 0 else None,
        )

    def _agreement_page(self, start: int) -> PsaPage:
        agreements = list(self.agreements.values())
        end = start + self.page_size
        page = tuple(agreements[start:end])
        return PsaPage(
            accounts=(),
            agreements=page,
            lines=self._lines_of(page),
            next_cursor=f"fake:agreements:{end}" if end < len(agreements) else None,
            agreements_total=len(agreements) if start == 0 else None,
        )

    def _lines_of(self, agreements: Iterable[Agreement]) -> tuple[Line, ...]:
        over = (AgreementState.CANCELLED, AgreementState.EXPIRED)
        billing = {agreement.id for agreement in agreements if agreement.state not in over}
        return tuple(line for line in self.lines.values() if line.agreement_id in billing)

    def _require_possible(self, effective: date | None) -> None:
        if self.can.delta_write and effective is None:
            raise InputInvalid("a change needs the day it counts from", field="effective")
        if effective is not None and EffectiveRule.DATED not in self.can.rules:
            raise InputInvalid("no day can be given here", field="effective")

    def _quantity_on(self, line: Line, day: date | None) -> Decimal:
        """What the line bills on that day, as far as its steps say; None is the day a change of today counts from."""
        reached = [step.quantity for step in line.steps if day is not None and step.starts_on <= day]
        return reached[-1] if reached and self.can.delta_write else line.quantity

    def _begun(self, line: Line, target: Seats, effective: date | None) -> Line | None:
        """The line that a dated change has already made, if it did."""
        if effective is None or self.can.delta_write:
            return None
        for other in self.lines.values():
            same = (other.agreement_id, other.product_id) == (line.agreement_id, line.product_id)
            if same and other.id != line.id and other.effective_from == effective and other.quantity == target:
                return other
        return None

    def _end(self, line: Line, successor: Line) -> WriteResult:
        """The second step of a dated change: the old line ends when the new one begins."""
        if line.effective_to is not None:
            return self._result(WriteOutcome.ALREADY, "the new line is there", successor, successor.id)
        self.person_edits(line.id, effective_to=successor.effective_from)
        return self._result(WriteOutcome.APPLIED, "the new line is there, the old one ends", successor, successor.id)

    def _state(self, reference: LineReference) -> LineState:
        with self._lock:
            agreement = self.agreements.get(reference.agreement_id)
            line = self.lines.get(reference.line_id)
            if agreement is None or line is None or line.agreement_id != reference.agreement_id:
                raise ResourceAbsent("the line or its agreement is gone", integration=INTEGRATION, status=404)
            return LineState(line, agreement, self._clock.now())

    def _obstacle(self, state: LineState, effective: date | None, siblings: Collection[LineId]) -> str | None:
        if state.agreement.state is not AgreementState.ACTIVE:
            return f"the agreement is {state.agreement.state.value}"
        if effective is not None and self.can.dates_need_proration and not state.agreement.prorates:
            return "the agreement does not prorate"
        today = self._clock.now().date()
        if not state.line.is_live(today):
            return "the line is not live today"
        for other in self.lines.values():
            same = (other.agreement_id, other.product_id) == (state.line.agreement_id, state.line.product_id)
            if same and other.id not in (state.line.id, *siblings) and other.is_live(today):
                return f"line {other.id} bills the same product"
        return state.line.not_writable_reason

    def _write(self, reference: LineReference, line: Line, target: Decimal, effective: date | None) -> WriteResult:
        fault = self._write_faults.popleft() if self._write_faults else None
        self.sent += 1
        if fault is WriteFault.REFUSED:
            return self._result(WriteOutcome.REJECTED, "the PSA refused the change", line)
        if fault is WriteFault.LOST:
            return WriteResult(WriteOutcome.UNKNOWN, "nobody answered, and the line could not be read back")
        if fault is WriteFault.IGNORED:
            return self._result(WriteOutcome.REJECTED, "accepted, but the line is unchanged", line)
        stored = min(target, self.clamp_maximum) if fault is WriteFault.CLAMPED else target
        before = self._quantity_on(line, effective)
        after = self._store(line, stored, effective, ends=fault is not WriteFault.HALF)
        self.writes.append(CommittedWrite(reference, before, target, stored))
        if fault in (WriteFault.UNREADABLE, WriteFault.HALF):
            return WriteResult(WriteOutcome.UNKNOWN, "the line could not be read back")
        after = replace(after, quantity=self._quantity_on(after, effective))
        if stored != target:
            return self._result(WriteOutcome.REJECTED, f"accepted, but the line now has {stored}", after)
        return self._result(WriteOutcome.APPLIED, "read back", after, None if after.id == line.id else after.id)

    def _store(self, line: Line, quantity: Decimal, effective: date | None, *, ends: bool) -> Line:
        if effective is None:
            return self.person_edits(line.id, quantity=quantity)
        if self.can.delta_write:
            return self._store_by_day(line, quantity, effective)
        successor = replace(line, id=self._new_id(), quantity=quantity, effective_from=effective, effective_to=None)
        self.lines[successor.id] = successor
        if ends:
            self.person_edits(line.id, effective_to=effective)
        return successor

    def _store_by_day(self, line: Line, quantity: Decimal, effective: date) -> Line:
        """As Autotask does: the day splits its period, and later periods move by the same difference."""
        difference = quantity - self._quantity_on(line, effective)
        steps = {step.starts_on: step.quantity for step in line.steps}
        steps = {day: old + (difference if day > effective else 0) for day, old in steps.items()} | {
            effective: quantity
        }
        today = self._clock.now().date()
        counts_from = Period(today.year, today.month).next().first_day
        return self.person_edits(
            line.id,
            quantity=quantity if effective <= counts_from else line.quantity,
            steps=tuple(QuantityStep(day, steps[day]) for day in sorted(steps)),
        )

    def _make(self, agreement: Agreement, product: Product, quantity: Decimal, begins: date) -> WriteResult:
        fault = self._write_faults.popleft() if self._write_faults else None
        self.sent += 1
        if fault is WriteFault.REFUSED:
            return WriteResult(WriteOutcome.REJECTED, "the PSA refused the line")
        if fault in (WriteFault.LOST, WriteFault.IGNORED):
            return WriteResult(WriteOutcome.UNKNOWN, "nobody answered, and there is no such line yet")
        line = Line(
            id=self._new_id(),
            agreement_id=agreement.id,
            account_id=agreement.account_id,
            product_id=product.id,
            product_code=product.code,
            description=product.name,
            quantity=quantity,
            version=self._clock.now().isoformat(),
            unit_price=product.price,
            unit_cost=product.cost,
            effective_from=begins,
        )
        self.lines[line.id] = line
        reference = LineReference(agreement.id, line.id, product.id)
        self.writes.append(CommittedWrite(reference, Decimal(0), quantity, quantity, made=True))
        if fault is WriteFault.UNREADABLE:
            return WriteResult(WriteOutcome.UNKNOWN, "nobody answered, and the lines could not be read")
        return self._result(WriteOutcome.APPLIED, "the line is there", line, line.id)

    def _new_id(self) -> LineId:
        numbers = [int(line_id) for line_id in self.lines if line_id.isdecimal()]
        return LineId(str(max(numbers, default=88_430) + 1))

    @staticmethod
    def _result(outcome: WriteOutcome, reason: str, line: Line, line_id: LineId | None = None) -> WriteResult:
        return WriteResult(outcome, reason, quantity_seen=line.quantity, version_seen=line.version, line_id=line_id)
