"""Writes one quantity: read, compare with what was approved, PATCH only the quantity, read back, compare.

ConnectWise has no conditional writes, so the comparison before the PATCH narrows the race and the reading after it
decides what is reported. A PATCH names an absolute value, so sending it a second time after an unclear answer cannot
bill twice; even that is only done when the line was read again and still is what was approved, also after a wait that
ConnectWise asked for. It must send no field but the quantity and must never overwrite what somebody else has changed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum, auto
from typing import Final

from trueup.adapters.connectwise.reading import BillingReader, addition_path
from trueup.adapters.connectwise.replies import AGREEMENTS_EDIT_PERMISSION, vendor_message
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.connectwise.wire import INTEGRATION
from trueup.adapters.http import HttpReply, RetryRule
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
from trueup.domain.errors import (
    RateLimited,
    ReadIncomplete,
    ReplyUnreadable,
    ResourceAbsent,
    TrueupError,
    UnsafeAddress,
    VendorUnavailable,
    WriteOutcomeUnknown,
)
from trueup.domain.line_writes import Wish, decide_before, result_of, twin_of
from trueup.ports.clock import Clock

SENDS_MAXIMUM: Final = 2
"""The first PATCH and one more: after a refusal as edited or an unclear answer, with the line unchanged between."""

WAITS_MAXIMUM: Final = 4
WAIT_BUDGET_SECONDS: Final = 60.0
"""How often and how long one change waits for ConnectWise to take a PATCH at all; beyond it the caller waits."""

_FIRST_WAIT_SECONDS = 0.5


class _Answer(Enum):
    ACCEPTED = auto()
    REFUSED = auto()
    STALE = auto()
    FAILED = auto()
    UNCLEAR = auto()
    UNSENT = auto()


@dataclass(frozen=True, slots=True)
class _Sent:
    """How a PATCH was answered: FAILED is a 5xx, UNCLEAR no whole answer; either may have been carried out.

    UNSENT surely was not: ConnectWise asked to wait or could not be reached, which ``trouble`` says.
    """

    answer: _Answer
    reason: str
    trouble: RateLimited | VendorUnavailable | None = None


@dataclass(slots=True)
class _Attempts:
    """What was tried so far for one change."""

    sends: int = 0
    waits: int = 0
    waited_seconds: float = 0.0
    maybe_carried_out: bool = False
    unanswered: str = ""
    """Why one attempt has no answer: it may be carried out late, so nobody can say that it was not."""

    def note(self, sent: _Sent) -> None:
        if sent.answer is _Answer.UNSENT:
            return
        self.sends += 1
        self.maybe_carried_out = self.maybe_carried_out or sent.answer not in (_Answer.STALE, _Answer.REFUSED)
        if sent.answer is _Answer.UNCLEAR:
            self.unanswered = sent.reason

    def wait_seconds(self, trouble: RateLimited | VendorUnavailable) -> float | None:
        """How long to wait before ConnectWise is asked once more, or None when it is not."""
        doubled_seconds: float = _FIRST_WAIT_SECONDS * 2.0**self.waits
        wait = trouble.wait_seconds if isinstance(trouble, RateLimited) else doubled_seconds
        if self.waits >= WAITS_MAXIMUM or self.waited_seconds + wait > WAIT_BUDGET_SECONDS:
            return None
        self.waits += 1
        self.waited_seconds += wait
        return wait


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
        return twin_of(line, lines, siblings, today)

    def _write(self, reference: LineReference, state: LineState, wish: Wish) -> WriteResult:
        line, attempts = state.line, _Attempts()
        while True:
            sent = self._patch(reference, wish.target)
            attempts.note(sent)
            if sent.answer is _Answer.REFUSED:
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

    def _patch(self, reference: LineReference, target: Decimal) -> _Sent:
        """Send the quantity once. Raises VendorTrouble other than a wait or an outage when it surely was not sent."""
        operation = {"op": "replace", "path": "quantity", "value": int(target)}
        try:
            reply = self._session.send("PATCH", addition_path(reference), json_body=[operation], retry=RetryRule.ONCE)
        except WriteOutcomeUnknown as trouble:
            return _Sent(_Answer.UNCLEAR if trouble.status is None else _Answer.FAILED, trouble.message)
        except ReplyUnreadable as trouble:
            return _Sent(_Answer.UNCLEAR, trouble.message)
        except UnsafeAddress as trouble:
            return _Sent(_Answer.REFUSED, trouble.message)
        except (RateLimited, VendorUnavailable) as trouble:
            return _Sent(_Answer.UNSENT, trouble.message, trouble)
        return self._judged(reply)

    def _judged(self, reply: HttpReply) -> _Sent:
        if reply.succeeded:
            return _Sent(_Answer.ACCEPTED, f"ConnectWise answered with status {reply.status}")
        said = vendor_message(reply, secrets=self._session.secrets).sentence()
        if reply.status in (409, 412):
            return _Sent(_Answer.STALE, f"ConnectWise says the line is being edited: {said} (status {reply.status})")
        meaning = {
            401: "ConnectWise does not accept the credential",
            403: f"the API member's security role lacks {AGREEMENTS_EDIT_PERMISSION}",
            404: "the line or its agreement is gone",
        }.get(reply.status, "ConnectWise refused the change")
        return _Sent(_Answer.REFUSED, f"{meaning}: {said} (status {reply.status})")


def _decide_after(line: Line, wish: Wish, sent: _Sent) -> WriteResult | None:
    """What the line read back says about the PATCH; None when it may be sent once more."""
    if line.quantity == wish.target:
        if sent.answer in (_Answer.STALE, _Answer.UNSENT):
            return result_of(WriteOutcome.ALREADY, "somebody else set this quantity meanwhile", line)
        return result_of(WriteOutcome.APPLIED, f"read back as {decimal_text(wish.target)}", line)
    if sent.answer is _Answer.ACCEPTED:
        return result_of(WriteOutcome.REJECTED, _not_taken_over(line, wish), line)
    return None if wish.still_holds(line) else result_of(WriteOutcome.CONFLICT, wish.moved(line), line)


def _refused(line: Line, sent: _Sent, attempts: _Attempts) -> WriteResult:
    """A refusal is final, unless an attempt before it may still be carried out."""
    if attempts.unanswered:
        reason = f"{sent.reason}; an earlier attempt was not answered and may still be carried out"
        return result_of(WriteOutcome.UNKNOWN, reason, line)
    return result_of(WriteOutcome.REJECTED, sent.reason, line)


def _give_up(line: Line, sent: _Sent, attempts: _Attempts) -> WriteResult:
    """Every PATCH failed and the line still is what it was."""
    if attempts.unanswered:
        return result_of(WriteOutcome.UNKNOWN, f"{attempts.unanswered}; the line was still unchanged right after", line)
    if sent.answer is _Answer.STALE:
        return result_of(WriteOutcome.CONFLICT, sent.reason, line)
    return result_of(WriteOutcome.REJECTED, f"{sent.reason}; the line is unchanged", line)


def _not_taken_over(line: Line, wish: Wish) -> str:
    if line.quantity == wish.expected:
        return f"ConnectWise accepted {decimal_text(wish.target)} but the line still has {decimal_text(line.quantity)}"
    return (
        f"ConnectWise accepted {decimal_text(wish.target)} but the line now has {decimal_text(line.quantity)}: "
        "a rule of the PSA changed the value, or somebody edited it at that moment"
    )
