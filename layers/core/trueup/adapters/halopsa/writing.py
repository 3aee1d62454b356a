"""Writes one line's quantity: read the whole invoice, compare, post all lines with one changed, read back, compare all.

HaloPSA replaces every line by what is posted and has no conditional writes. So everything is sent back as it was read,
the comparison before the POST narrows the race, and the reading after it, with HaloPSA's own record of changes, decides
what is reported. When another line moved or went because of the POST, the invoice is put back as it was read, unless
somebody else edited it since; either way the result says so in a sentence that begins with ALARM. A POST names
absolute values, so sending it a second time after an unclear answer cannot bill twice; even that is done only on a
fresh reading.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trueup.adapters.halopsa.changes import changes_since, newest_change
from trueup.adapters.halopsa.document import Invoice, RawLine
from trueup.adapters.halopsa.judging import (
    Wish,
    amount_problem,
    decide_before,
    differences,
    run_wait,
    with_quantity,
)
from trueup.adapters.halopsa.posting import SENDS_MAXIMUM, WAIT_BUDGET_SECONDS, Answer, Attempts, Sent, post_lines
from trueup.adapters.halopsa.reading import BillingReader, record_id
from trueup.adapters.halopsa.restoring import Aftermath, alarm_of_lost_lines, put_back, put_back_overwritten
from trueup.adapters.halopsa.session import HaloSession
from trueup.adapters.halopsa.wire import INTEGRATION, InvoiceWire, plain
from trueup.domain.billing import Line, LineId, LineReference, WriteOutcome, WriteResult
from trueup.domain.counts import Seats
from trueup.domain.errors import InputInvalid, RateLimited, ResourceAbsent, TrueupError
from trueup.domain.line_writes import result_of
from trueup.ports.clock import Clock


class InvoiceLocks:
    """One writer at a time for each invoice in this process, as each write replaces all its lines."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    @contextmanager
    def held(self, invoice_id: str) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(invoice_id, threading.Lock())
        with lock:
            yield


@dataclass(frozen=True, slots=True)
class _Read:
    """The invoice as it was read for one attempt, and the last row of HaloPSA's record of changes before that."""

    invoice: Invoice
    newest_change: int | None


class QuantityWriter:
    """The write side for quantities."""

    def __init__(self, session: HaloSession, reader: BillingReader, clock: Clock, locks: InvoiceLocks) -> None:
        self._session = session
        self._reader = reader
        self._clock = clock
        self._locks = locks

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
        """See PsaBilling.set_quantity. Raises VendorTrouble only when HaloPSA surely carried nothing out; RateLimited
        also when HaloPSA may be making the invoice right now.
        """
        require_no_day(effective)
        record_id(reference.line_id, "line_id")
        wish = Wish(expected, expected_version, Decimal(target), reference.product_id, reference, frozenset(siblings))
        with self._locks.held(reference.agreement_id):
            try:
                read = self._read(reference)
            except ResourceAbsent as absent:
                return WriteResult(WriteOutcome.REJECTED, f"the line or its agreement is gone: {absent.message}")
            return decide_before(read.invoice, wish, self._clock.now()) or self._write(read, wish)

    def _write(self, read: _Read, wish: Wish) -> WriteResult:
        attempts = Attempts()
        while True:
            if wait_out_run(self._clock, read.invoice.header, may_raise=not attempts.maybe_carried_out):
                read = self._read(wish.reference)
                early = decide_before(read.invoice, wish, self._clock.now())
                if early is not None:
                    return early
            sent = post_lines(self._session, read.invoice.header.id, _changed(read.invoice, wish))
            attempts.note(sent)
            if sent.answer is Answer.REFUSED:
                return _refused(read.invoice, wish, sent, attempts)
            if sent.trouble is not None and not attempts.wait(sent.trouble, self._clock):
                if not attempts.maybe_carried_out:
                    raise sent.trouble
                reason = f"an earlier attempt was not answered; now: {sent.reason}"
                return WriteResult(WriteOutcome.UNKNOWN, reason)
            try:
                again = self._read_again(wish.reference, read.newest_change)
            except TrueupError as trouble:
                if not attempts.sends:
                    raise
                reason = f"{sent.reason}; the invoice could not be read back: {trouble.message}"
                return WriteResult(WriteOutcome.UNKNOWN, reason)
            decided = self._decide_after(read, again.invoice, wish, sent)
            if decided is not None:
                return decided
            if attempts.sends >= SENDS_MAXIMUM:
                return _give_up(again.invoice, wish, sent, attempts)
            read = again

    def _decide_after(self, read: _Read, after: Invoice, wish: Wish, sent: Sent) -> WriteResult | None:
        """What the invoice read back says about the POST; None when it may be sent once more, on this reading."""
        line = after.line(wish.reference.line_id)
        is_done = line is not None and line.quantity == wish.target and wish.is_for(line)
        was_sent = sent.answer not in (Answer.STALE, Answer.UNSENT)
        if was_sent and (is_done or sent.answer is Answer.ACCEPTED):
            damage = differences(read.invoice, after, besides=wish.reference.line_id)
            if damage:
                return self._repair(read, after, wish, sent)
        if was_sent and not is_done:
            # Half of a failed POST may have been carried out; sending the rest again would make its loss final.
            alarm = alarm_of_lost_lines(read.invoice, after, wish.reference.line_id, sent)
            if alarm is not None:
                return alarm
        if line is None:
            return WriteResult(WriteOutcome.REJECTED, f"the line is gone now; {sent.reason}")
        if is_done and not was_sent:
            return result_of(WriteOutcome.ALREADY, "somebody else set this quantity meanwhile", line)
        if is_done:
            return self._applied(read, after, wish, line, sent)
        if sent.answer is Answer.ACCEPTED:
            return result_of(WriteOutcome.REJECTED, _not_taken_over(line, wish), line)
        if wish.still_holds(line):
            return decide_before(after, wish, self._clock.now())
        return result_of(WriteOutcome.CONFLICT, wish.moved(line), line)

    def _applied(self, read: _Read, after: Invoice, wish: Wish, line: Line, sent: Sent) -> WriteResult:
        """The target moved and every other line stayed: now whether it was right to the cent and overwrote nobody."""
        aftermath = self._aftermath(read, wish, sent)
        repaired = put_back_overwritten(self._session, self._reader, after, aftermath)
        alarm = " ".join(filter(None, (amount_problem(read.invoice, after, line.id), repaired.alarm)))
        if alarm:
            return result_of(WriteOutcome.UNKNOWN, f"{alarm}. The line itself reads {plain(line.quantity)}.", line)
        notes = [f"read back as {plain(wish.target)}", *repaired.notes]
        if read.invoice.header.lastcreated != after.header.lastcreated:
            notes.append(
                "HaloPSA made an invoice from it meanwhile: check whether that one has "
                f"{plain(wish.expected)} or {plain(wish.target)}"
            )
        return result_of(WriteOutcome.APPLIED, "; ".join(notes), line)

    def _repair(self, read: _Read, after: Invoice, wish: Wish, sent: Sent) -> WriteResult:
        aftermath = self._aftermath(read, wish, sent)
        return put_back(self._session, self._reader, read.invoice, after, aftermath)

    def _aftermath(self, read: _Read, wish: Wish, sent: Sent) -> Aftermath:
        changes = changes_since(self._session, read.invoice.header.id, read.newest_change)
        return Aftermath(wish.reference.line_id, wish.target, changes, sent)

    def _read(self, reference: LineReference) -> _Read:
        # The record of changes comes first: what is saved between the two readings is then in the newer one of both.
        invoice_id = record_id(reference.agreement_id, "agreement_id")
        newest = newest_change(self._session, int(invoice_id))
        return _Read(self._reader.read_invoice(invoice_id), newest)

    def _read_again(self, reference: LineReference, newest: int | None) -> _Read:
        return _Read(self._reader.read_invoice(reference.agreement_id), newest)


def require_no_day(effective: date | None) -> None:
    """HaloPSA counts a change from the next invoice it makes. Raises InputInvalid for a day."""
    if effective is not None:
        raise InputInvalid(
            "HaloPSA lets a change count from the next invoice only",
            field="effective",
            remedy="Leave the day out, or ask for next_invoice.",
        )


def wait_out_run(clock: Clock, header: InvoiceWire, *, may_raise: bool) -> bool:
    """Wait while HaloPSA may be making the invoice; True when it was waited, so that it is to be read again.

    Raises RateLimited with the wait when it is longer than one change may wait here. Where something was sent before,
    nothing is raised and nothing is waited for: its outcome is what matters then.
    """
    seconds = run_wait(header, clock.now()).total_seconds()
    if seconds <= 0 or not may_raise:
        return False
    if seconds > WAIT_BUDGET_SECONDS:
        raise RateLimited(
            f"HaloPSA may be making the invoice of recurring invoice {header.id} right now (it is due at "
            f"{header.nextcreationdate:%Y-%m-%d %H:%M} UTC); nothing was sent",
            integration=INTEGRATION,
            wait_seconds=seconds,
            status=None,
        )
    clock.sleep(seconds)
    return True


def _changed(invoice: Invoice, wish: Wish) -> list[RawLine]:
    """All lines as they were read, the one with its new quantity."""
    return [
        with_quantity(raw, wish.target) if str(raw.get("id")) == wish.reference.line_id else raw
        for raw in invoice.raw_lines
    ]


def _refused(invoice: Invoice, wish: Wish, sent: Sent, attempts: Attempts) -> WriteResult:
    """A refusal is final, unless an attempt before it may still be carried out."""
    line = invoice.line(wish.reference.line_id)
    outcome, reason = WriteOutcome.REJECTED, sent.reason
    if attempts.unanswered:
        outcome = WriteOutcome.UNKNOWN
        reason = f"{sent.reason}; an earlier attempt was not answered and may still be carried out"
    return WriteResult(outcome, reason) if line is None else result_of(outcome, reason, line)


def _give_up(invoice: Invoice, wish: Wish, sent: Sent, attempts: Attempts) -> WriteResult:
    """Every POST failed and the line still is what it was."""
    line = invoice.line(wish.reference.line_id)
    if attempts.unanswered:
        outcome, reason = WriteOutcome.UNKNOWN, f"{attempts.unanswered}; the line was still unchanged right after"
    elif sent.answer is Answer.STALE:
        outcome, reason = WriteOutcome.CONFLICT, sent.reason
    else:
        outcome, reason = WriteOutcome.REJECTED, f"{sent.reason}; the line is unchanged"
    return WriteResult(outcome, reason) if line is None else result_of(outcome, reason, line)


def _not_taken_over(line: Line, wish: Wish) -> str:
    if line.quantity == wish.expected:
        return f"HaloPSA accepted {plain(wish.target)} but the line still has {plain(line.quantity)}"
    return (
        f"HaloPSA accepted {plain(wish.target)} but the line now has {plain(line.quantity)}: "
        "a rule of the PSA changed the value, or somebody edited it at that moment"
    )
