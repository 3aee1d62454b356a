"""Writes one quantity: read the schedule, compare with what was approved, PUT only the quantity, read back, compare.

Syncro has no conditional writes, so the comparison before the PUT narrows the race and the reading after it decides
what is reported. A PUT names an absolute value, so sending it a second time after an unclear answer cannot bill twice;
even that is only done when the line was read again and still is what was approved. It must send no field but the
quantity. A PUT has been seen to reset flags of other records that it did not name, so the rest of the line is compared
too, and a difference goes to a person.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from functools import partial
from typing import Final

from trueup.adapters.syncro.reading import BillingReader, line_path
from trueup.adapters.syncro.replies import SCHEDULES_EDIT_PERMISSION, vendor_message
from trueup.adapters.syncro.session import SyncroSession
from trueup.adapters.syncro.wire import LineWire
from trueup.adapters.write_sending import (
    Answer,
    AnswerWords,
    Attempts,
    Sent,
    given_up,
    judged,
    refused,
    send_once,
    waited_in_vain,
)
from trueup.domain.billing import Agreement, Line, LineId, LineReference, LineState, WriteOutcome, WriteResult
from trueup.domain.canonical import decimal_text
from trueup.domain.errors import ResourceAbsent, TrueupError
from trueup.domain.line_writes import Wish, decide_before, result_of, twin_of
from trueup.ports.clock import Clock

SENDS_MAXIMUM: Final = 2
"""The first PUT and one more: after an unclear answer, with the line unchanged between."""

_WORDS = AnswerWords(
    psa="Syncro",
    meanings={
        401: f"Syncro does not accept the token, or it lacks {SCHEDULES_EDIT_PERMISSION}",
        403: f"the API token lacks {SCHEDULES_EDIT_PERMISSION}",
        404: "the line or its recurring invoice is gone",
    },
)


class QuantityWriter:
    """The write side; the only code here that changes anything at Syncro."""

    def __init__(self, session: SyncroSession, reader: BillingReader, clock: Clock) -> None:
        self._session = session
        self._reader = reader
        self._clock = clock

    def set_quantity(self, reference: LineReference, wish: Wish, siblings: Collection[LineId]) -> WriteResult:
        """See PsaBilling.set_quantity. Raises VendorTrouble only when Syncro surely carried nothing out."""
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
        line, attempts = before.line(agreement), Attempts()
        while True:
            sent = self._put(path, wish.target)
            attempts.note(sent)
            if sent.answer is Answer.REFUSED:
                return refused(sent, attempts, line)
            if sent.trouble is not None and not attempts.wait(sent.trouble, self._clock):
                if not attempts.maybe_carried_out:
                    raise sent.trouble
                return waited_in_vain(sent, line)
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
                return given_up(sent, attempts, line)

    def _put(self, path: str, target: Decimal) -> Sent:
        """Send the quantity once. Raises as ``send_once``."""
        said_by = partial(vendor_message, secrets=self._session.secrets)
        send = partial(self._session.put_once, path, {"quantity": int(target)})
        return send_once(send, partial(judged, words=_WORDS, said_by=said_by))


def _decide_after(before: LineWire, after: LineWire, line: Line, wish: Wish, sent: Sent) -> WriteResult | None:
    """What the line read back says about the PUT; None when it may be sent once more."""
    if line.quantity == wish.target:
        if sent.answer is Answer.UNSENT:
            return result_of(WriteOutcome.ALREADY, "somebody else set this quantity meanwhile", line)
        moved = _moved_beside(before, after)
        if moved:
            reason = (
                f"read back as {decimal_text(wish.target)}, but {moved} changed with it: look at the line in Syncro"
            )
            return result_of(WriteOutcome.UNKNOWN, reason, line)
        return result_of(WriteOutcome.APPLIED, f"read back as {decimal_text(wish.target)}", line)
    if sent.answer is Answer.ACCEPTED:
        return result_of(WriteOutcome.REJECTED, _not_taken_over(line, wish), line)
    return None if wish.still_holds(line) else result_of(WriteOutcome.CONFLICT, wish.moved(line), line)


def _moved_beside(before: LineWire, after: LineWire) -> str:
    """The names of the fields, other than the quantity, that are not what they were."""
    old, new = before.beside_quantity(), after.beside_quantity()
    return ", ".join(sorted(name for name in old if old[name] != new[name]))


def _not_taken_over(line: Line, wish: Wish) -> str:
    found, wanted = decimal_text(line.quantity), decimal_text(wish.target)
    if line.quantity == wish.expected:
        return f"Syncro accepted {wanted} but the line still has {found}"
    return f"Syncro accepted {wanted} but the line now has {found}: Syncro changed it, or somebody edited it then"
