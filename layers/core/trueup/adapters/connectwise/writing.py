"""Writes one quantity: read, compare with what was approved, PATCH only the quantity, read back, compare.

ConnectWise has no conditional writes, so the comparison before the PATCH narrows the race and the reading after it
decides what is reported. A PATCH names an absolute value, so sending it a second time after an unclear answer cannot
bill twice; even that is only done when the line was read again and still is what was approved, also after a wait that
ConnectWise asked for. It must send no field but the quantity and must never overwrite what somebody else has changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from decimal import Decimal
from typing import Final

from trueup.adapters.connectwise.reading import BillingReader, addition_path
from trueup.adapters.connectwise.sending import Answer, Attempts, Sent, send_once
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.connectwise.wire import INTEGRATION
from trueup.domain.billing import (
    Line,
    LineId,
    LineReference,
    LineState,
    WriteOutcome,
    WriteResult,
)
from trueup.domain.canonical import decimal_text
from trueup.domain.counts import Seats
from trueup.domain.errors import ReadIncomplete, ResourceAbsent, TrueupError
from trueup.domain.line_writes import Wish, decide_before, result_of, twin_of
from trueup.ports.clock import Clock

SENDS_MAXIMUM: Final = 2
"""The first PATCH and one more: after a refusal as edited or an unclear answer, with the line unchanged between."""


class QuantityWriter:
    """The write side; the only code here that changes anything at ConnectWise."""

    def __init__(self, session: ConnectWiseSession, reader: BillingReader, clock: Clock) -> None:
        self._session = session
        self._reader = reader
        self._clock = clock

    def set_quantity(
        self,
        reference: LineReference,
        *,
        expected: Decimal,
        expected_version: str,
        target: Seats,
        siblings: Collection[LineId] = (),
    ) -> WriteResult:
        """See PsaBilling.set_quantity. Raises VendorTrouble only when ConnectWise surely carried nothing out."""
        wish = Wish(expected, expected_version, Decimal(target), reference.product_id)
        try:
            state = self._reader.read_line(reference)
        except ResourceAbsent as absent:
            return WriteResult(WriteOutcome.REJECTED, f"the line or its agreement is gone: {absent.message}")
        today = self._clock.now().date()
        early = decide_before(state, wish, today) or self._decide_among(state, wish, siblings, today)
        return early if early is not None else self._write(reference, state, wish)

    def _decide_among(
        self, state: LineState, wish: Wish, siblings: Collection[LineId], today: date
    ) -> WriteResult | None:
        """The outcome when the lines beside this one forbid the write, else None. The list is the last look before it.

        Raises ReadIncomplete when the list does not hold the line.
        """
        lines = self._reader.lines_of(state.agreement)
        line = next((one for one in lines if one.id == state.line.id), None)
        if line is None:
            raise ReadIncomplete(
                f"ConnectWise does not list line {state.line.id} on its agreement; nothing was sent",
                integration=INTEGRATION,
            )
        early = decide_before(LineState(line, state.agreement, state.read_at), wish, today)
        if early is not None:
            return early
        return twin_of(line, lines, siblings, today) or _coming(line, lines, siblings, today)

    def _write(self, reference: LineReference, state: LineState, wish: Wish) -> WriteResult:
        line, attempts = state.line, Attempts()
        while True:
            operation = {"op": "replace", "path": "quantity", "value": int(wish.target)}
            sent = send_once(self._session, "PATCH", addition_path(reference), [operation])
            attempts.note(sent)
            if sent.answer is Answer.REFUSED:
                return _refused(line, sent, attempts)
            if sent.trouble is not None:
                wait_seconds = attempts.wait_seconds(sent.trouble)
                if wait_seconds is None and not attempts.maybe_carried_out:
                    raise sent.trouble
                if wait_seconds is None:
                    reason = f"an earlier attempt was not answered; now: {sent.reason}"
                    return result_of(WriteOutcome.UNKNOWN, reason, line)
                self._clock.sleep(wait_seconds)
            try:
                line = self._reader.read_line_of(state.agreement, reference)
            except TrueupError as trouble:
                if not attempts.sends:
                    raise
                reason = f"{sent.reason}; the line could not be read back: {trouble.message}"
                return WriteResult(WriteOutcome.UNKNOWN, reason)
            decided = _decide_after(line, wish, sent)
            if decided is not None:
                return decided
            if attempts.sends >= SENDS_MAXIMUM:
                return _give_up(line, sent, attempts)


def _coming(line: Line, beside: Iterable[Line], siblings: Collection[LineId], today: date) -> WriteResult | None:
    """A refusal when a line of the product is to begin while this one goes on: both would bill from then.

    That is what an unfinished dated change leaves behind; changing this line as well would make it worse.
    """
    for other in beside:
        if other.product_id != line.product_id or other.id in siblings or not other.is_future(today):
            continue
        if line.effective_to is None or (other.effective_from is not None and other.effective_from < line.effective_to):
            shown = f"line {other.id} of the product begins on {other.effective_from} while this one goes on"
            reason = f"nothing was sent: {shown}; finish that change or end one of the two in ConnectWise"
            return result_of(WriteOutcome.REJECTED, reason, line)
    return None


def _decide_after(line: Line, wish: Wish, sent: Sent) -> WriteResult | None:
    """What the line read back says about the PATCH; None when it may be sent once more."""
    if line.quantity == wish.target:
        if sent.answer in (Answer.STALE, Answer.UNSENT):
            return result_of(WriteOutcome.ALREADY, "somebody else set this quantity meanwhile", line)
        return result_of(WriteOutcome.APPLIED, f"read back as {decimal_text(wish.target)}", line)
    if sent.answer is Answer.ACCEPTED:
        return result_of(WriteOutcome.REJECTED, _not_taken_over(line, wish), line)
    return None if wish.still_holds(line) else result_of(WriteOutcome.CONFLICT, wish.moved(line), line)


def _refused(line: Line, sent: Sent, attempts: Attempts) -> WriteResult:
    """A refusal is final, unless an attempt before it may still be carried out."""
    if attempts.unanswered:
        reason = f"{sent.reason}; an earlier attempt was not answered and may still be carried out"
        return result_of(WriteOutcome.UNKNOWN, reason, line)
    return result_of(WriteOutcome.REJECTED, sent.reason, line)


def _give_up(line: Line, sent: Sent, attempts: Attempts) -> WriteResult:
    """Every PATCH failed and the line still is what it was."""
    if attempts.unanswered:
        return result_of(WriteOutcome.UNKNOWN, f"{attempts.unanswered}; the line was still unchanged right after", line)
    if sent.answer is Answer.STALE:
        return result_of(WriteOutcome.CONFLICT, sent.reason, line)
    return result_of(WriteOutcome.REJECTED, f"{sent.reason}; the line is unchanged", line)


def _not_taken_over(line: Line, wish: Wish) -> str:
    if line.quantity == wish.expected:
        return f"ConnectWise accepted {decimal_text(wish.target)} but the line still has {decimal_text(line.quantity)}"
    return (
        f"ConnectWise accepted {decimal_text(wish.target)} but the line now has {decimal_text(line.quantity)}: "
        "a rule of the PSA changed the value, or somebody edited it at that moment"
    )
