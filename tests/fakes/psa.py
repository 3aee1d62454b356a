"""A PSA in memory behind the PsaBilling port, with people who edit it and switches that make it misbehave.

It passes the same contract suite as the real adapters, so a use case tested on it meets the same outcomes.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from trueup.domain.billing import (
    Agreement,
    AgreementState,
    Capability,
    CapabilityReport,
    Line,
    LineReference,
    LineState,
    Product,
    PsaAccount,
    PsaPage,
    WriteOutcome,
    WriteResult,
)
from trueup.domain.counts import Seats
from trueup.domain.errors import InputInvalid, ResourceAbsent, TrueupError
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


@dataclass(frozen=True, slots=True)
class CommittedWrite:
    """A write that changed a line: what it had, what was asked for, what it has since."""

    reference: LineReference
    before: Decimal
    asked: Decimal
    after: Decimal


class FakePsa:
    """Implements PsaBilling. Safe to use from several threads.

    ``writes`` are the changes that happened, ``sent`` counts what was sent at all, ``calls`` counts calls by method.
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
    ) -> None:
        self.accounts = {account.id: account for account in accounts}
        self.agreements = {agreement.id: agreement for agreement in agreements}
        self.lines = {line.id: line for line in lines}
        self.products = {product.id: product for product in products}
        self.page_size = page_size
        self.capabilities: tuple[Capability, ...] = CAPABILITIES
        self.writes: list[CommittedWrite] = []
        self.sent = 0
        self.calls: Counter[str] = Counter()
        self.clamp_maximum = Decimal(1)
        self._clock = clock
        self._errors: dict[str, deque[TrueupError]] = {}
        self._lasting_errors: dict[str, TrueupError] = {}
        self._write_faults: deque[WriteFault] = deque()
        self._edits = 0
        self._lock = threading.RLock()

    # What a test may make happen.

    def fail_next(self, method: str, *errors: TrueupError) -> None:
        """Raise these, one for each of the next calls of that method."""
        self._errors.setdefault(method, deque()).extend(errors)

    def fail_always(self, method: str, error: TrueupError) -> None:
        """Raise this on every call of that method."""
        self._lasting_errors[method] = error

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

    def revoke(self, name: str) -> None:
        """Take one capability away from the credential."""
        self.capabilities = tuple(
            replace(one, granted=False, detail="forbidden") if one.name == name else one for one in self.capabilities
        )

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
        self, reference: LineReference, *, expected: Decimal, expected_version: str, target: Seats
    ) -> WriteResult:
        """Read, compare, write, read back: the outcomes of the port."""
        self._enter("set_quantity")
        with self._lock:
            try:
                state = self._state(reference)
            except ResourceAbsent as absent:
                return WriteResult(WriteOutcome.REJECTED, absent.message)
            line = state.line
            if reference.product_id not in (None, line.product_id):
                return self._result(WriteOutcome.CONFLICT, "the line is of another product", line)
            if line.quantity == target:
                return self._result(WriteOutcome.ALREADY, "it already has this quantity", line)
            if line.quantity != expected or expected_version not in ("", line.version):
                return self._result(WriteOutcome.CONFLICT, "the line moved", line)
            obstacle = self._obstacle(state)
            if obstacle is not None:
                return self._result(WriteOutcome.REJECTED, obstacle, line)
            return self._write(reference, line, Decimal(target))

    # Inside.

    def _enter(self, method: str) -> None:
        with self._lock:
            self.calls[method] += 1
            waiting = self._errors.get(method)
            if waiting:
                raise waiting.popleft()
            if method in self._lasting_errors:
                raise self._lasting_errors[method]

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
        over = (AgreementState.CANCELLED, AgreementState.EXPIRED)
        billing = {agreement.id for agreement in page if agreement.state not in over}
        return PsaPage(
            accounts=(),
            agreements=page,
            lines=tuple(line for line in self.lines.values() if line.agreement_id in billing),
            next_cursor=f"fake:agreements:{end}" if end < len(agreements) else None,
            agreements_total=len(agreements) if start == 0 else None,
        )

    def _state(self, reference: LineReference) -> LineState:
        with self._lock:
            agreement = self.agreements.get(reference.agreement_id)
            line = self.lines.get(reference.line_id)
            if agreement is None or line is None or line.agreement_id != reference.agreement_id:
                raise ResourceAbsent("the line or its agreement is gone", integration=INTEGRATION, status=404)
            return LineState(line, agreement, self._clock.now())

    def _obstacle(self, state: LineState) -> str | None:
        if state.agreement.state is not AgreementState.ACTIVE:
            return f"the agreement is {state.agreement.state.value}"
        today = self._clock.now().date()
        if not state.line.is_live(today):
            return "the line is not live today"
        for other in self.lines.values():
            same = (other.agreement_id, other.product_id) == (state.line.agreement_id, state.line.product_id)
            if same and other.id != state.line.id and other.is_live(today):
                return f"line {other.id} bills the same product"
        return state.line.not_writable_reason

    def _write(self, reference: LineReference, line: Line, target: Decimal) -> WriteResult:
        fault = self._write_faults.popleft() if self._write_faults else None
        self.sent += 1
        if fault is WriteFault.REFUSED:
            return self._result(WriteOutcome.REJECTED, "the PSA refused the change", line)
        if fault is WriteFault.LOST:
            return WriteResult(WriteOutcome.UNKNOWN, "nobody answered, and the line could not be read back")
        if fault is WriteFault.IGNORED:
            return self._result(WriteOutcome.REJECTED, "accepted, but the line is unchanged", line)
        stored = min(target, self.clamp_maximum) if fault is WriteFault.CLAMPED else target
        after = self.person_edits(line.id, quantity=stored)
        self.writes.append(CommittedWrite(reference, line.quantity, target, stored))
        if fault is WriteFault.UNREADABLE:
            return WriteResult(WriteOutcome.UNKNOWN, "the line could not be read back")
        if stored != target:
            return self._result(WriteOutcome.REJECTED, f"accepted, but the line now has {stored}", after)
        return self._result(WriteOutcome.APPLIED, "read back", after)

    @staticmethod
    def _result(outcome: WriteOutcome, reason: str, line: Line) -> WriteResult:
        return WriteResult(outcome, reason, quantity_seen=line.quantity, version_seen=line.version)
