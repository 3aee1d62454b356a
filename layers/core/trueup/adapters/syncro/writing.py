"""Writes one quantity: read the schedule, compare with what was approved, PUT only the quantity, read back, compare.

Syncro has no conditional writes, so the comparison before the PUT narrows the race and the reading after it decides
what is reported. A PUT names an absolute value, so sending it a second time after an unclear answer cannot bill twice;
even that is only done when the line was read again and still is what was approved. It must send no field but the
quantity. A PUT has been seen to reset flags of other records that it did not name, so the rest of the line is compared
too, and a difference goes to a person.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from typing import Final

from trueup.adapters.http import HttpReply
from trueup.adapters.syncro.reading import BillingReader, line_path
from trueup.adapters.syncro.replies import SCHEDULES_EDIT_PERMISSION, vendor_message
from trueup.adapters.syncro.session import SyncroSession
from trueup.adapters.syncro.wire import LineWire
from trueup.domain.billing import Agreement, Line, LineId, LineReference, LineState, WriteOutcome, WriteResult
from trueup.domain.canonical import decimal_text
from trueup.domain.counts import Seats
from trueup.domain.errors import (
    RateLimited,
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
"""The first PUT and one more: after an unclear answer, with the line unchanged between."""

WAITS_MAXIMUM: Final = 4
WAIT_BUDGET_SECONDS: Final = 60.0
"""How often and how long one change waits for Syncro to take a PUT at all; beyond it the caller waits."""

_FIRST_WAIT_SECONDS = 0.5


class _Answer(Enum):
    """FAILED is a 5xx, UNCLEAR no whole answer; either may have been carried out. UNSENT surely was not."""

    ACCEPTED = auto()
    REFUSED = auto()
    FAILED = auto()
    UNCLEAR = auto()
    UNSENT = auto()


@dataclass(frozen=True, slots=True)
class _Sent:
    answer: _Answer
    reason: str
    trouble: RateLimited | VendorUnavailable | None = None


@dataclass(slots=True)
class _Attempts:
    """What was tried so far for one change. ``unanswered`` says why one attempt may still be carried out late."""

    sends: int = 0
    waits: int = 0
    waited_seconds: float = 0.0
    unanswered: str = ""

    def note(self, sent: _Sent) -> None:
        self.sends += sent.answer is not _Answer.UNSENT
        if sent.answer is _Answer.UNCLEAR:
            self.unanswered = sent.reason

    def wait_seconds(self, trouble: RateLimited | VendorUnavailable) -> float | None:
        """How long to wait before Syncro is asked once more, or None when it is not."""
        doubled_seconds: float = _FIRST_WAIT_SECONDS * 2.0**self.waits
        wait = trouble.wait_seconds if isinstance(trouble, RateLimited) else doubled_seconds
        if self.waits >= WAITS_MAXIMUM or self.waited_seconds + wait > WAIT_BUDGET_SECONDS:
            return None
        self.waits += 1
        self.waited_seconds += wait
        return wait


class QuantityWriter:
    """The write side; the only code here that changes anything at Syncro."""

    def __init__(self, session: SyncroSession, reader: BillingReader, clock: Clock) -> None:
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
        """See PsaBilling.set_quantity. Raises VendorTrouble only when Syncro surely carried nothing out."""
        wish = Wish(expected, expected_version, Decimal(target), reference.product_id)
        path = line_path(reference)
        try:
            schedule = self._reader.read_schedule(reference.agreement_id)
            wire = schedule.wire_of(reference)
        except ResourceAbsent as absent:
            return WriteResult(WriteOutcome.REJECTED, f"the line or its agreement is gone: {absent.message}")
        line, now = wire.line(schedule.agreement), self._clock.now()
        early = decide_before(LineState(line, schedule.agreement, now), wish, now.date())
        early = early or twin_of(line, schedule.lines, siblings, now.date())
        return early if early is not None else self._write(reference, path, wire, schedule.agreement, wish)

    def _write(
        self, reference: LineReference, path: str, before: LineWire, agreement: Agreement, wish: Wish
    ) -> WriteResult:
        line, attempts = before.line(agreement), _Attempts()
        while True:
            sent = self._put(path, wish.target)
            attempts.note(sent)
            if sent.answer is _Answer.REFUSED:
                return _refused(line, sent, attempts)
            if sent.trouble is not None:
                wait_seconds = attempts.wait_seconds(sent.trouble)
                if wait_seconds is None and not attempts.sends:
                    raise sent.trouble
                if wait_seconds is None:
                    reason = f"an earlier attempt was not answered; now: {sent.reason}"
                    return result_of(WriteOutcome.UNKNOWN, reason, line)
                self._clock.sleep(wait_seconds)
            try:
                after = self._reader.read_schedule(reference.agreement_id).wire_of(reference)
            except TrueupError as trouble:
                if not attempts.sends:
                    raise
                return WriteResult(
                    WriteOutcome.UNKNOWN, f"{sent.reason}; the line could not be read back: {trouble.message}"
                )
            line = after.line(agreement)
            decided = _decide_after(before, after, line, wish, sent)
            if decided is not None:
                return decided
            if attempts.sends >= SENDS_MAXIMUM:
                return _give_up(line, sent, attempts)

    def _put(self, path: str, target: Decimal) -> _Sent:
        """Send the quantity once. Raises VendorTrouble other than a wait or an outage when it surely was not sent."""
        try:
            reply = self._session.put_once(path, {"quantity": int(target)})
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
            return _Sent(_Answer.ACCEPTED, f"Syncro answered with status {reply.status}")
        said = vendor_message(reply, secrets=self._session.secrets)
        meaning = {
            401: f"Syncro does not accept the token, or it lacks {SCHEDULES_EDIT_PERMISSION}",
            403: f"the API token lacks {SCHEDULES_EDIT_PERMISSION}",
            404: "the line or its recurring invoice is gone",
        }.get(reply.status, "Syncro refused the change")
        return _Sent(_Answer.REFUSED, f"{meaning}: {said} (status {reply.status})")


def _decide_after(before: LineWire, after: LineWire, line: Line, wish: Wish, sent: _Sent) -> WriteResult | None:
    """What the line read back says about the PUT; None when it may be sent once more."""
    if line.quantity == wish.target:
        if sent.answer is _Answer.UNSENT:
            return result_of(WriteOutcome.ALREADY, "somebody else set this quantity meanwhile", line)
        moved = _moved_beside(before, after)
        if moved:
            reason = (
                f"read back as {decimal_text(wish.target)}, but {moved} changed with it: look at the line in Syncro"
            )
            return result_of(WriteOutcome.UNKNOWN, reason, line)
        return result_of(WriteOutcome.APPLIED, f"read back as {decimal_text(wish.target)}", line)
    if sent.answer is _Answer.ACCEPTED:
        return result_of(WriteOutcome.REJECTED, _not_taken_over(line, wish), line)
    return None if wish.still_holds(line) else result_of(WriteOutcome.CONFLICT, wish.moved(line), line)


def _moved_beside(before: LineWire, after: LineWire) -> str:
    """The names of the fields, other than the quantity, that are not what they were."""
    old, new = before.beside_quantity(), after.beside_quantity()
    return ", ".join(sorted(name for name in old if old[name] != new[name]))


def _refused(line: Line, sent: _Sent, attempts: _Attempts) -> WriteResult:
    """A refusal is final, unless an attempt before it may still be carried out."""
    if attempts.unanswered:
        reason = f"{sent.reason}; an earlier attempt was not answered and may still be carried out"
        return result_of(WriteOutcome.UNKNOWN, reason, line)
    return result_of(WriteOutcome.REJECTED, sent.reason, line)


def _give_up(line: Line, sent: _Sent, attempts: _Attempts) -> WriteResult:
    """Every PUT failed and the line still is what it was."""
    if attempts.unanswered:
        return result_of(WriteOutcome.UNKNOWN, f"{attempts.unanswered}; the line was still unchanged right after", line)
    return result_of(WriteOutcome.REJECTED, f"{sent.reason}; the line is unchanged", line)


def _not_taken_over(line: Line, wish: Wish) -> str:
    found, wanted = decimal_text(line.quantity), decimal_text(wish.target)
    if line.quantity == wish.expected:
        return f"Syncro accepted {wanted} but the line still has {found}"
    return f"Syncro accepted {wanted} but the line now has {found}: Syncro changed it, or somebody edited it then"
