"""Sets the units of one contract service from a day on: read, compare, adjust by the difference, once, and read back.

An adjustment is a difference, can be neither looked up nor taken back, and is carried out again when it is sent again.
So it is never repeated after an answer that leaves open what became of it: the units are read until they show it, or
until the server must have given up long ago. It names a contract service that exists, because Autotask makes one
without a word for a service that does not. It must not touch a period that somebody edited or posted since the plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from trueup.adapters.autotask.lines import POSTED_REASON, later_units, line_of, row_on, rows_in_order
from trueup.adapters.autotask.reading import BillingReader, record_id
from trueup.adapters.autotask.replies import ADJUST_PERMISSION, is_posted_period, lacks_permission, said_by
from trueup.adapters.autotask.session import AutotaskSession
from trueup.adapters.autotask.wire import ContractServiceWire, UnitsWire
from trueup.adapters.http import HttpReply, RetryRule
from trueup.adapters.write_sending import Answer, Attempts, Sent
from trueup.domain.billing import Agreement, Line, LineId, LineReference, LineState, WriteOutcome, WriteResult
from trueup.domain.canonical import decimal_text
from trueup.domain.errors import (
    InputInvalid,
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

ADJUSTMENTS_PATH: Final = "/ContractServiceAdjustments"

LOOKS_AFTER_SECONDS: Final = (0.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
"""Pauses before each look at what became of an adjustment that was not answered, about two minutes in all.

A web server of Autotask's kind gives a request up after 110 seconds (the default of its framework; assumed to hold
there). An adjustment that does not show by then is not carried out later. A second one is still not sent in the same
call: whoever applies the plan again reads the units first, and by then nothing can be under way. A process that is
killed right after sending has not waited; that somebody else was about to write the line is for the caller to know.
"""

LOOKS_AFTER_ANSWER: Final = 3
"""So many of these looks for an adjustment that Autotask says it has carried out, or has refused."""

LOOKS_SECONDS_MAXIMUM: Final = 200.0
"""The looks end after this however slow they are: another apply may begin when the lease of this one is over."""


@dataclass(frozen=True, slots=True)
class _Order:
    """One approved change: what is wanted, where, and from which day."""

    reference: LineReference
    wish: Wish
    effective: date
    siblings: Collection[LineId]

    @property
    def eve(self) -> date:
        """The day before, of which the units must stay as they are."""
        return self.effective - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The line as it bills on the day of the change, and its periods from then on, as one look found them."""

    line: Line
    agreement: Agreement
    service: ContractServiceWire
    rows: Sequence[UnitsWire]

    def units(self, day: date) -> UnitsWire | None:
        return row_on(self.rows, day)


class UnitsWriter:
    """The write side; the only code here that changes anything that is billed."""

    def __init__(self, session: AutotaskSession, reader: BillingReader, clock: Clock) -> None:
        self._session = session
        self._reader = reader
        self._clock = clock

    def set_quantity(
        self, reference: LineReference, wish: Wish, effective: date | None, siblings: Collection[LineId]
    ) -> WriteResult:
        """See PsaBilling.set_quantity. Raises VendorTrouble only when nothing was sent."""
        if effective is None:
            raise InputInvalid(
                "Autotask keeps units by period, so a change needs the day from which it counts",
                field="effective",
                remedy="Give the first day of the next billing month, or another day.",
            )
        order = _Order(reference, wish, effective, siblings)
        attempts = Attempts()
        while True:
            seen = self._look_first(order)
            if isinstance(seen, WriteResult):
                return seen
            # Once it is sent, nothing may stand in the way of finding out what became of it.
            self._session.budget.require_room()
            sent = self._adjust(order, seen)
            if sent.trouble is None:
                return self._settle(order, seen, sent)
            if not attempts.wait(sent.trouble, self._clock):
                raise sent.trouble

    def _look_first(self, order: _Order) -> _Seen | WriteResult:
        """The line as it may be adjusted, or the outcome when nothing is to be sent."""
        service_id = record_id(order.reference.line_id, "line_id")
        days = replace(self._reader.days(), counts_from=order.effective)
        try:
            agreement = self._reader.read_agreement(order.reference.agreement_id)
            services = self._reader.services_of([agreement])
            service = self._reader.service_on(agreement, service_id, services)
        except ResourceAbsent as absent:
            return WriteResult(WriteOutcome.REJECTED, f"the line or its contract is gone: {absent.message}")
        planned_on = _day_of(order.wish.version) or order.effective
        rows = self._reader.units_from([int(agreement.id)], min(order.eve, planned_on, days.today))
        lines = {
            one.id: line_of(
                one, rows_in_order(rows, one), agreement, product_code=f"service {one.serviceID}", days=days
            )
            for one in services
        }
        own_rows = rows_in_order(rows, service)
        planned = row_on(own_rows, planned_on)
        # What was approved is compared with the period it was read from, whatever day the change counts from.
        line = replace(lines[service_id], version=planned.version if planned is not None else "")
        early = _decide(LineState(line, agreement, self._clock.now()), order, own_rows, lines.values(), days.today)
        return early if early is not None else _Seen(line, agreement, service, own_rows)

    def _adjust(self, order: _Order, seen: _Seen) -> Sent:
        """Send the difference once. Raises VendorTrouble other than a wait or an outage when it surely was not sent.

        Of the answers, FAILED is a 500 that says why, so it most likely was not carried out. A failure without a word
        is UNCLEAR here, whatever its status: a difference is never sent again on a guess. An unreadable reply can only
        be one before the adjustment (of the zone), so it is raised; that of the adjustment itself is UNCLEAR.
        """
        adjustment = {
            "contractID": int(seen.agreement.id),
            "contractServiceID": seen.service.id,
            "effectiveDate": f"{order.effective.isoformat()}T00:00:00",
            "unitChange": int(order.wish.target - seen.line.quantity),
        }
        try:
            reply = self._session.send("POST", ADJUSTMENTS_PATH, json_body=adjustment, retry=RetryRule.ONCE)
        except WriteOutcomeUnknown as trouble:
            return Sent(Answer.UNCLEAR, trouble.message)
        except UnsafeAddress as trouble:
            return Sent(Answer.REFUSED, trouble.message)
        except (RateLimited, VendorUnavailable) as trouble:
            return Sent(Answer.UNSENT, trouble.message, trouble)
        return self._judged(reply)

    def _judged(self, reply: HttpReply) -> Sent:
        if reply.succeeded:
            # A page of a proxy under status 200 says nothing of what became of it.
            answer = Answer.ACCEPTED if _names_an_item(reply) else Answer.UNCLEAR
            return Sent(answer, f"Autotask answered with status {reply.status}")
        said = said_by(reply, secrets=self._session.secrets)
        if reply.status == 401:
            meaning = "Autotask does not accept the credential"
        elif lacks_permission(reply):
            meaning = f"the API user lacks {ADJUST_PERMISSION}"
        elif is_posted_period(reply):
            meaning = POSTED_REASON
        else:
            meaning = "Autotask refused the change"
        answer = Answer.REFUSED if reply.status < 500 else Answer.FAILED
        return Sent(answer, f"{meaning}: {said} (status {reply.status})")

    def _settle(self, order: _Order, seen: _Seen, sent: Sent) -> WriteResult:
        """Read the units until they say what became of the adjustment, or until it cannot come any more."""
        if sent.answer is Answer.REFUSED:
            return result_of(WriteOutcome.REJECTED, sent.reason, seen.line)
        looks = LOOKS_AFTER_SECONDS if sent.answer is Answer.UNCLEAR else LOOKS_AFTER_SECONDS[:LOOKS_AFTER_ANSWER]
        trouble = ""
        line: Line | None = None
        ends_at_seconds = self._clock.monotonic_seconds() + LOOKS_SECONDS_MAXIMUM
        for pause_seconds in looks:
            if self._clock.monotonic_seconds() + pause_seconds > ends_at_seconds:
                break
            self._clock.sleep(pause_seconds)
            try:
                rows = self._rows_after(order, seen)
            except TrueupError as unread:
                trouble, line = unread.message, None
                continue
            row = row_on(rows, order.effective)
            if row is None:
                return WriteResult(WriteOutcome.CONFLICT, f"{sent.reason}; there is no period on {order.effective} now")
            line = replace(seen.line, quantity=row.units, version=row.version)
            if row.units != seen.line.quantity:
                return _moved_to(order, line, seen.rows, rows, sent)
        if line is None:
            return WriteResult(WriteOutcome.UNKNOWN, f"{sent.reason}; the units could not be read back: {trouble}")
        return _unmoved(order, line, sent)

    def _rows_after(self, order: _Order, seen: _Seen) -> Sequence[UnitsWire]:
        rows = self._reader.units_from([int(seen.agreement.id)], order.eve)
        return rows_in_order(rows, seen.service)


def _decide(
    state: LineState, order: _Order, rows: Sequence[UnitsWire], lines: Collection[Line], today: date
) -> WriteResult | None:
    """The outcome when nothing is to be sent, else None."""
    line, wish = state.line, order.wish
    row = row_on(rows, order.effective)
    if row is None:
        reason = f"nothing was sent: Autotask has no billing period of this line on {order.effective}"
        return result_of(WriteOutcome.REJECTED, reason, line)
    unchanged = wish.is_for(line) and line.quantity == wish.expected != wish.target
    if unchanged and row.approveAndPostDate:
        return result_of(WriteOutcome.REJECTED, f"nothing was sent: {POSTED_REASON}", line)
    is_default = order.effective.day == 1 or order.effective == state.agreement.next_period_on
    if unchanged and is_default and row.startDate != order.effective:
        return result_of(WriteOutcome.REJECTED, _inside(row, order.effective), line)
    early = decide_before(state, wish, today)
    if early is not None:
        return early
    # A second line may also begin on the very day of the change.
    return twin_of(line, lines, order.siblings, today) or twin_of(line, lines, order.siblings, order.effective)


def _inside(row: UnitsWire, effective: date) -> str:
    """Why the first of a month, or of what was taken for the contract's next period, is refused when none begins on it.

    Such a day is taken when nobody names one. Inside a longer period it would be billed pro rata,
    by lines that Autotask lets nobody delete (documented); another day of it was named by a person.
    """
    next_day = row.endDate + timedelta(days=1)
    return (
        f"nothing was sent: {effective} lies inside a billing period, from {row.startDate} to {row.endDate}, and would "
        f"be billed pro rata; name {next_day} as the day from which the change counts, or another day"
    )


def _moved_to(
    order: _Order, line: Line, before: Sequence[UnitsWire], rows: Sequence[UnitsWire], sent: Sent
) -> WriteResult:
    """The units moved after the adjustment was sent."""
    found, target = decimal_text(line.quantity), decimal_text(order.wish.target)
    if line.quantity == order.wish.target:
        reason = f"read back as {found} from {order.effective}"
        later = later_units(rows, order.effective)
        if later:
            reason += f"; later periods differ and moved by as much: {later}"
        eve_before, eve_after = row_on(before, order.eve), row_on(rows, order.eve)
        if eve_before is not None and eve_after is not None and eve_before.units != eve_after.units:
            # A day that Autotask takes for the one before it, in another time zone, would show so.
            reason += f"; the units of {order.eve} moved too, from {eve_before.units} to {eve_after.units}"
        return result_of(WriteOutcome.APPLIED, reason, line)
    if sent.answer is Answer.ACCEPTED:
        reason = (
            f"Autotask accepted {target} from {order.effective} but the line now has {found}: "
            "a rule of the PSA changed the value, or somebody adjusted it at that moment"
        )
        return result_of(WriteOutcome.REJECTED, reason, line)
    if sent.answer is Answer.FAILED:
        return result_of(WriteOutcome.REJECTED, f"{sent.reason}; the line has {found} now", line)
    return result_of(WriteOutcome.CONFLICT, f"{sent.reason}; the line has {found} now, not {target}", line)


def _unmoved(order: _Order, line: Line, sent: Sent) -> WriteResult:
    """The units still are what they were before the adjustment was sent."""
    found = decimal_text(line.quantity)
    if sent.answer is Answer.ACCEPTED:
        reason = f"Autotask accepted {decimal_text(order.wish.target)} but the line still has {found}"
        return result_of(WriteOutcome.REJECTED, reason, line)
    if sent.answer is Answer.FAILED:
        return result_of(WriteOutcome.REJECTED, f"{sent.reason}; the line still has {found}", line)
    seconds = sum(LOOKS_AFTER_SECONDS)
    reason = (
        f"{sent.reason}; the line still had {found} after {seconds:.0f} seconds. It was not sent again: "
        "apply the plan once more, which reads the line first"
    )
    return result_of(WriteOutcome.UNKNOWN, reason, line)


def _names_an_item(reply: HttpReply) -> bool:
    """Whether the answer is the documented one: the id of the adjustment."""
    try:
        body = reply.json()
    except ReplyUnreadable:
        return False
    return isinstance(body, Mapping) and isinstance(body.get("itemId"), int)


def _day_of(version: str) -> date | None:
    """The first day of the period that a version of ours was made of; None for any other text."""
    parts = version.split("|")
    try:
        return date.fromisoformat(parts[1]) if len(parts) == 4 else None
    except ValueError:
        return None
