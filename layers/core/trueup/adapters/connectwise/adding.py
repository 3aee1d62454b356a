"""Makes an addition on an agreement: looks first, sends once, looks again.

Making is not repeatable: ConnectWise takes a second POST as a second line. So after an answer that leaves the outcome
open nothing is sent again here; the agreement's lines are read, and what they do not settle is said to be unknown. Only
a request that ConnectWise surely did not take (it asked to wait, or could not be reached) is sent again, after another
look. It must not send a field that is not in the published description of an addition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from trueup.adapters.connectwise.catalog import read_catalog_item
from trueup.adapters.connectwise.reading import BillingReader, record_id
from trueup.adapters.connectwise.sending import Answer, Attempts, Sent, send_once
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.domain.billing import (
    Agreement,
    AgreementState,
    Line,
    LineId,
    NewLine,
    ProductId,
    WriteOutcome,
    WriteResult,
)
from trueup.domain.canonical import decimal_text
from trueup.domain.errors import ResourceAbsent, TrueupError
from trueup.ports.clock import Clock

BILLABLE: Final = "Billable"


@dataclass(frozen=True, slots=True)
class Made:
    """What became of making a line. ``lines`` are the agreement's lines after it, empty when they could not be read.

    ``line`` is the one that was made, ``problem`` why there is none or none that can be named.
    """

    line: Line | None
    problem: str = ""
    outcome: WriteOutcome = WriteOutcome.UNKNOWN


class AdditionMaker:
    """Making lines; it decides nothing about what a line is for."""

    def __init__(self, session: ConnectWiseSession, reader: BillingReader, clock: Clock) -> None:
        self._session = session
        self._reader = reader
        self._clock = clock

    def make(
        self, agreement: Agreement, product_id: ProductId, body: Mapping[str, object], known: frozenset[LineId]
    ) -> Made:
        """Send one new line and find it: a line of that product on the agreement that is not among the ``known`` ones.

        Raises VendorTrouble only when nothing was sent.
        """
        attempts = Attempts()
        while True:
            sent = send_once(self._session, "POST", f"/finance/agreements/{agreement.id}/additions", body)
            attempts.note(sent)
            if sent.answer in (Answer.REFUSED, Answer.STALE):
                return Made(None, sent.reason, WriteOutcome.REJECTED)
            if sent.trouble is not None:
                wait_seconds = attempts.wait_seconds(sent.trouble)
                if wait_seconds is None:
                    raise sent.trouble
                self._clock.sleep(wait_seconds)
            try:
                lines = self._reader.lines_of(agreement)
            except TrueupError as trouble:
                if not attempts.sends:
                    raise
                return Made(None, f"{sent.reason}; the agreement could not be read after it: {trouble.message}")
            made = [line for line in lines if line.product_id == product_id and line.id not in known]
            if made or sent.answer is not Answer.UNSENT:
                return _found(made, sent)

    def create_line(self, order: NewLine) -> WriteResult:
        """See PsaLineCreation.create_line.

        The price, cost and descriptions are those that ConnectWise takes from its catalog. Without a day the line bills
        from today; a day is sent as the addition's effective date.
        """
        record_id(order.agreement_id, "agreement_id")
        record_id(order.product_id, "product_id")
        try:
            agreement = self._reader.read_agreement(order.agreement_id)
        except ResourceAbsent as absent:
            return WriteResult(WriteOutcome.REJECTED, f"the agreement is gone: {absent.message}")
        today = self._clock.now().date()
        begins = order.effective or today
        refusal = _refusal(order, agreement, begins, today) or self._refusal_of_product(order)
        if refusal is not None:
            return refusal
        lines = self._reader.lines_of(agreement)
        there = _existing(order, lines, today)
        if there is not None:
            return there
        body = {
            "product": {"id": int(order.product_id)},
            "quantity": order.quantity,
            "billCustomer": BILLABLE,
            "effectiveDate": wire_day(begins),
        }
        made = self.make(agreement, order.product_id, body, frozenset(line.id for line in lines))
        if made.line is None:
            return WriteResult(made.outcome, made.problem)
        return _judged(made.line, Decimal(order.quantity), begins)

    def _refusal_of_product(self, order: NewLine) -> WriteResult | None:
        try:
            product = read_catalog_item(self._session, order.product_id)
        except ResourceAbsent as absent:
            return WriteResult(WriteOutcome.REJECTED, f"nothing was sent: the product is gone: {absent.message}")
        if product.code != order.product_code:
            reason = f"product {product.id} is {product.code} now, not {order.product_code}"
            return WriteResult(WriteOutcome.CONFLICT, f"nothing was sent: {reason}")
        if product.inactive:
            return WriteResult(WriteOutcome.REJECTED, f"nothing was sent: product {product.code} is inactive")
        return None


def wire_day(day: date) -> str:
    """A day as ConnectWise writes it."""
    return f"{day.isoformat()}T00:00:00Z"


def _refusal(order: NewLine, agreement: Agreement, begins: date, today: date) -> WriteResult | None:
    problem = None
    if agreement.account_id != order.account_id:
        problem = f"agreement {agreement.name} is another client's"
    elif agreement.state is not AgreementState.ACTIVE:
        problem = f"the agreement is {agreement.state.value}, not active"
    elif agreement.ends_on is not None and agreement.ends_on < max(begins, today):
        problem = f"the agreement ends on {agreement.ends_on}"
    elif order.quantity < 0:
        problem = "a quantity cannot be below zero"
    return None if problem is None else WriteResult(WriteOutcome.REJECTED, f"nothing was sent: {problem}")


def _existing(order: NewLine, lines: tuple[Line, ...], today: date) -> WriteResult | None:
    """The outcome when the agreement has such a line, or will have one, else None."""
    there = [
        line for line in lines if line.product_id == order.product_id and (line.is_live(today) or line.is_future(today))
    ]
    if not there:
        return None
    line = there[0]
    if len(there) == 1 and line.quantity == order.quantity:
        return _result(WriteOutcome.ALREADY, f"line {line.id} bills it", line)
    shown = ", ".join(f"{one.id} with {decimal_text(one.quantity)}" for one in there)
    return _result(WriteOutcome.CONFLICT, f"nothing was sent: the agreement has line {shown} of this product", line)


def _found(made: list[Line], sent: Sent) -> Made:
    if len(made) == 1:
        return Made(made[0])
    if made:
        named = " and ".join(line.id for line in made)
        return Made(None, f"{sent.reason}; lines {named} of the product were made meanwhile: look at them")
    if sent.answer is Answer.ACCEPTED:
        return Made(None, f"{sent.reason}, but the agreement does not list the new line")
    return Made(None, f"{sent.reason}; there was no new line right after it, but it may still be made")


def _judged(line: Line, quantity: Decimal, begins: date) -> WriteResult:
    if line.quantity != quantity or line.effective_from != begins:
        reason = (
            f"line {line.id} was made, but with {decimal_text(line.quantity)} from {line.effective_from} "
            f"and not {decimal_text(quantity)} from {begins}: correct it in ConnectWise"
        )
        return _result(WriteOutcome.REJECTED, reason, line)
    return _result(WriteOutcome.APPLIED, f"line {line.id} was made and read back", line)


def _result(outcome: WriteOutcome, reason: str, line: Line) -> WriteResult:
    return WriteResult(outcome, reason, quantity_seen=line.quantity, version_seen=line.version, line_id=line.id)
