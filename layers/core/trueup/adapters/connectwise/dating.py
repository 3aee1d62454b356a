"""Changes a quantity from a day on: a copy of the line begins then with the new quantity, the old line ends before it.

ConnectWise has no dated quantity, so this is two writes. The new line is made first: the other way round a crash
between the two would leave the client without a line from that day on. After such a crash both lines would bill, so the
same call finishes what was begun (the repair step): it knows the new line by product, first day and quantity, makes
none a second time, and ends the old one. It must not change any other field, and must not begin on an agreement that
does not prorate, where ConnectWise bills whole periods whatever the days say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from trueup.adapters.connectwise.adding import AdditionMaker, wire_day
from trueup.adapters.connectwise.reading import BillingReader, addition_path
from trueup.adapters.connectwise.sending import Answer, Attempts, send_once
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.connectwise.wire import INTEGRATION
from trueup.domain.billing import Line, LineId, LineReference, LineState, WriteOutcome, WriteResult
from trueup.domain.canonical import decimal_text
from trueup.domain.counts import Seats
from trueup.domain.errors import ReadIncomplete, ResourceAbsent, TrueupError
from trueup.domain.line_writes import Wish, decide_before, result_of, twin_of
from trueup.ports.clock import Clock

COPIED_FIELDS: Final = (
    "lessIncluded",
    "unitPrice",
    "unitCost",
    "billCustomer",
    "taxableFlag",
    "invoiceDescription",
    "description",
    "purchaseItemFlag",
    "specialOrderFlag",
    "uom",
    "sequenceNumber",
    "invoiceGrouping",
    "customFields",
)
"""What the new line takes over, all of them fields of the published Addition that may be set.

Left out: ids, what ConnectWise works out itself (extended and prorated amounts, margin, billed quantity), the serial
number (serialized lines are not written), the opportunity (one sale is not two) and ``prorateCurrentPeriodFlag``, which
by its name is about the period in which the old line began; the new one follows what its agreement says (assumed).
"""

ENDING_SENDS_MAXIMUM: Final = 2


@dataclass(frozen=True, slots=True)
class _Order:
    """The change: what was approved, from which day, and beside which lines it may live."""

    reference: LineReference
    wish: Wish
    begins: date
    siblings: Collection[LineId]

    @property
    def ends(self) -> date:
        """The last day of the old line. In the field ``cancelledDate`` is set to the last day that is billed."""
        return self.begins - timedelta(days=1)

    def is_successor(self, line: Line) -> bool:
        same = line.effective_from == self.begins and line.quantity == self.wish.target
        return same and line.id != self.reference.line_id and self.wish.is_for(line)


class DatedWriter:
    """The writer of changes that count from a day."""

    def __init__(self, session: ConnectWiseSession, reader: BillingReader, maker: AdditionMaker, clock: Clock) -> None:
        self._session = session
        self._reader = reader
        self._maker = maker
        self._clock = clock

    def set_quantity(
        self,
        reference: LineReference,
        *,
        expected: Decimal,
        expected_version: str,
        target: Seats,
        effective: date,
        siblings: Collection[LineId] = (),
    ) -> WriteResult:
        """See PsaBilling.set_quantity. The result names the new line.

        ``unknown`` with a ``line_id`` means that the new line is there and the old one may not have been ended: calling
        again with the same values ends it. Raises VendorTrouble only when nothing was sent.
        """
        try:
            state = self._reader.read_line(reference)
        except ResourceAbsent as absent:
            return WriteResult(WriteOutcome.REJECTED, f"the line or its agreement is gone: {absent.message}")
        product_id = reference.product_id or state.line.product_id
        wish = Wish(expected, expected_version, Decimal(target), product_id)
        order = _Order(reference, wish, effective, siblings)
        if not wish.is_for(state.line):
            return result_of(WriteOutcome.CONFLICT, wish.moved(state.line), state.line)
        lines = self._reader.lines_of(state.agreement)
        line = next((one for one in lines if one.id == state.line.id), None)
        if line is None:
            raise ReadIncomplete(
                f"ConnectWise does not list line {state.line.id} on its agreement; nothing was sent",
                integration=INTEGRATION,
            )
        state = LineState(line, state.agreement, state.read_at)
        begun = [one for one in lines if one.product_id == product_id and order.is_successor(one)]
        if begun:
            return self._finish_begun(order, state, begun)
        early = _decide_before(order, state, lines, self._clock.now().date())
        return early if early is not None else self._begin(order, state, lines)

    def _finish_begun(self, order: _Order, state: LineState, begun: list[Line]) -> WriteResult:
        """What is to be done when the new line is there already: by an earlier attempt, or by a person."""
        line, successor = state.line, begun[0]
        if len(begun) > 1:
            named = " and ".join(one.id for one in begun)
            reason = f"nothing was sent: lines {named} both begin on {order.begins}; end all but one in ConnectWise"
            return result_of(WriteOutcome.CONFLICT, reason, line)
        if line.effective_to is not None and line.effective_to <= order.begins:
            return _settled(WriteOutcome.ALREADY, order, successor, f"line {line.id} ends on {line.effective_to}")
        if line.quantity != order.wish.expected or line.effective_to is not None:
            reason = (
                f"nothing was sent: line {successor.id} begins on {order.begins}, but line {line.id} has "
                f"{decimal_text(line.quantity)} and ends on {line.effective_to or 'no day'}; end it in ConnectWise"
            )
            return result_of(WriteOutcome.CONFLICT, reason, line)
        return self._end(order, state, successor)

    def _begin(self, order: _Order, state: LineState, lines: tuple[Line, ...]) -> WriteResult:
        """First step: the new line. Raises VendorTrouble only when nothing was sent."""
        line, record = self._reader.read_whole_addition(state.agreement, order.reference)
        if not order.wish.still_holds(line):
            return result_of(WriteOutcome.CONFLICT, order.wish.moved(line), line)
        copied = _copied(record)
        if isinstance(copied, str):
            return result_of(WriteOutcome.REJECTED, f"nothing was sent: {copied}", state.line)
        body = {
            "product": {"id": int(state.line.product_id)},
            "quantity": int(order.wish.target),
            "effectiveDate": wire_day(order.begins),
            **copied,
        }
        known = frozenset(one.id for one in lines)
        made = self._maker.make(state.agreement, state.line.product_id, body, known)
        if made.line is None and made.outcome is WriteOutcome.REJECTED:
            return result_of(WriteOutcome.REJECTED, made.problem, state.line)
        if made.line is None:
            reason = f"{made.problem}; line {state.line.id} was left as it is, repeat the change to finish it"
            return WriteResult(WriteOutcome.UNKNOWN, reason)
        if not order.is_successor(made.line):
            reason = (
                f"line {made.line.id} was made, but with {decimal_text(made.line.quantity)} from "
                f"{made.line.effective_from}; line {state.line.id} was not ended: end one of the two in ConnectWise"
            )
            return _result(WriteOutcome.REJECTED, reason, made.line)
        return self._end(order, state, made.line)

    def _end(self, order: _Order, state: LineState, successor: Line) -> WriteResult:
        """Second step: the old line ends. Naming a day again does no harm, so it is sent twice at most."""
        attempts = Attempts()
        operation = {"op": "replace", "path": "cancelledDate", "value": wire_day(order.ends)}
        while True:
            try:
                line = self._reader.read_line_of(state.agreement, order.reference)
                decided = _decide_ending(order, line, successor)
                if decided is not None:
                    return decided
                if attempts.sends >= ENDING_SENDS_MAXIMUM:
                    return _half(order, successor, "ConnectWise took the end of the line twice and it has none")
                sent = send_once(self._session, "PATCH", addition_path(order.reference), [operation])
            except TrueupError as trouble:
                return _half(order, successor, trouble.message)
            attempts.note(sent)
            if sent.answer is Answer.REFUSED:
                return _half(order, successor, sent.reason)
            if sent.trouble is not None:
                wait_seconds = attempts.wait_seconds(sent.trouble)
                if wait_seconds is None:
                    return _half(order, successor, sent.reason)
                self._clock.sleep(wait_seconds)


def _decide_before(order: _Order, state: LineState, lines: tuple[Line, ...], today: date) -> WriteResult | None:
    """The outcome when nothing is to be sent, else None."""
    line, agreement, begins = state.line, state.agreement, order.begins
    early = decide_before(state, order.wish, today)
    if early is not None:
        return early
    problem = None
    if not agreement.prorates:
        problem = f"agreement {agreement.name} does not prorate, so a change cannot count from a day of its own"
    elif begins <= today:
        problem = f"{begins} is not in the future"
    elif agreement.ends_on is not None and agreement.ends_on < begins:
        problem = f"the agreement ends on {agreement.ends_on}, before {begins}"
    elif line.effective_to is not None:
        problem = f"the line ends on {line.effective_to}; a dated change is for a line without an end"
    if problem is not None:
        return result_of(WriteOutcome.REJECTED, f"nothing was sent: {problem}", line)
    for other in lines:
        if other.product_id == line.product_id and other.is_future(today) and other.id not in order.siblings:
            shown = f"line {other.id} of the product begins on {other.effective_from}"
            reason = f"nothing was sent: {shown} with {decimal_text(other.quantity)}"
            return result_of(WriteOutcome.CONFLICT, reason, line)
    return twin_of(line, lines, order.siblings, today)


def _copied(record: Mapping[str, object]) -> dict[str, object] | str:
    """The fields of the old line that the new one takes over, or why they cannot be sent."""
    try:
        return {name: _plain(record[name]) for name in COPIED_FIELDS if record.get(name) is not None}
    except ValueError as inexact:
        return str(inexact)


def _plain(value: object) -> object:
    """A value as JSON writes it, with numbers to the same digit. Raises ValueError where that cannot be."""
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
        if Decimal(repr(float(value))) != value:
            raise ValueError("the line holds a number with more digits than can be sent on exactly")
        return float(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def _decide_ending(order: _Order, line: Line, successor: Line) -> WriteResult | None:
    """What the old line says; None when its end may be sent."""
    if line.effective_to == order.ends:
        return _settled(WriteOutcome.APPLIED, order, successor, f"line {line.id} ends on {line.effective_to}")
    if line.effective_to is not None or line.quantity != order.wish.expected or not order.wish.is_for(line):
        return _half(order, successor, f"somebody edited line {line.id} meanwhile")
    return None


def _settled(outcome: WriteOutcome, order: _Order, successor: Line, old: str) -> WriteResult:
    reason = f"line {successor.id} bills {decimal_text(successor.quantity)} from {order.begins}, {old}"
    return _result(outcome, reason, successor)


def _half(order: _Order, successor: Line, why: str) -> WriteResult:
    reason = (
        f"{why}; line {successor.id} begins on {order.begins} and line {order.reference.line_id} may not end before "
        "it: repeat the change to finish it, or end the old line in ConnectWise"
    )
    return WriteResult(WriteOutcome.UNKNOWN, reason, line_id=successor.id)


def _result(outcome: WriteOutcome, reason: str, line: Line) -> WriteResult:
    return WriteResult(outcome, reason, quantity_seen=line.quantity, version_seen=line.version, line_id=line.id)
