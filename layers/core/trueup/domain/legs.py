"""The two legs of a row: what the members of the agreement add up to, and what the lines of the PSA bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from trueup.domain.allocation import Allocation
from trueup.domain.billing import Agreement, AgreementId, AgreementState, Line
from trueup.domain.canonical import decimal_text
from trueup.domain.counts import Basis, Count, Evidence, Failed, Known, Missing, Seats, whole_seats
from trueup.domain.errors import InputInvalid
from trueup.domain.verdicts import Member, Verdict


@dataclass(frozen=True, slots=True)
class Billing:
    """What the PSA bills for one client and product.

    ``verdict`` is set when the lines themselves decide the outcome (ambiguous or held) and None when there is a number
    to compare or plainly no line. ``line`` is the one line that a change would go to. ``divided`` are the lines that a
    person divided the seats among by ``allocation``. ``pending`` is why no change may be made now though there is a
    number: a dated change is under way.
    """

    count: Count
    line: Line | None
    agreement: Agreement | None
    verdict: Verdict | None
    reasons: tuple[str, ...]
    divided: tuple[tuple[Line, Agreement], ...] = ()
    allocation: Allocation | None = None
    pending: str = ""


def agreement_leg(members: Sequence[Member]) -> Count:
    """The sum over the members; one count that is not known makes the sum not known, never smaller."""
    if not members:
        return Missing("no vendor account is mapped to this client")
    if len(members) == 1:
        return members[0].count
    known: list[Known] = []
    for member in members:
        if not isinstance(member.count, Known):
            kind = Failed if isinstance(member.count, Failed) else Missing
            named = f"{member.vendor_id} {member.service_id}: " if member.service_id else ""
            return kind(f"{named}{member.count.reason}")
        known.append(member.count)
    conflicts = [count.conflict for count in known if count.conflict]
    return Known(
        seats=Seats(sum(count.seats for count in known)),
        basis=Basis.SUM,
        as_of=min(count.as_of for count in known),
        evidence=tuple(piece for count in known for piece in count.evidence),
        conflict="; ".join(conflicts) or None,
    )


SUCCESSOR_GAP = timedelta(days=2)
"""A line that begins within this of another's end on the same agreement takes its place: PSAs differ on whether the
last day of a line is billed.
"""


def billed_leg(
    lines: Sequence[Line],
    agreements: Mapping[AgreementId, Agreement],
    *,
    on: date,
    read_at: datetime,
    allocation: Allocation | None = None,
) -> Billing:
    """What live lines of one product bill one client on that day; ``read_at`` is when the PSA was read.

    The lines come sorted by id; the one named in a reason is then always the same. A line that ends and is followed by
    another on its agreement is one line with a dated change: what it will bill is what counts.
    """
    live = [line for line in lines if line.is_live(on)]
    active = [line for line in live if _state(line, agreements, on) is AgreementState.ACTIVE]
    if len(active) > 1:
        return _several(active, agreements, read_at, allocation, _changing(active, lines, on))
    ending = active[0] if active else _just_ended(lines, agreements, on)
    successor = _successor(ending, lines, on) if ending is not None else None
    if ending is not None and successor is not None:
        return _followed(ending, successor, agreements[ending.agreement_id], read_at)
    if len(active) == 1:
        asleep = [line for line in live if line is not active[0]]
        notes = tuple(f"line {line.id} on an agreement that is not active is left out" for line in asleep)
        later = [line for line in lines if line.is_future(on)]
        notes += tuple(f"line {line.id} begins on {line.effective_from} with {units(line.quantity)}" for line in later)
        return _one(active[0], agreements[active[0].agreement_id], (*notes, *_dated(active[0])), read_at)
    if live:
        line = live[0]
        reasons = tuple(
            f"the agreement of line {asleep.id} is {_state(asleep, agreements, on).value}, not active; "
            "reactivate it or end the line in the PSA"
            for asleep in live
        )
        return Billing(_count(line, read_at), None, agreements.get(line.agreement_id), Verdict.HELD, reasons)
    future = [line for line in lines if line.is_future(on)]
    if future:
        line = future[0]
        reason = f"line {line.id} begins on {line.effective_from}; nothing is billed before that"
        return Billing(Missing(reason), None, agreements.get(line.agreement_id), Verdict.HELD, (reason,))
    ended = tuple(f"line {line.id} ended on {line.effective_to}" for line in lines if line.effective_to is not None)
    return Billing(Missing("no live line bills this product"), None, None, None, ended[:3])


def _just_ended(lines: Sequence[Line], agreements: Mapping[AgreementId, Agreement], on: date) -> Line | None:
    """A line that ended so lately that its successor may begin only tomorrow."""
    for line in lines:
        just_ended = line.effective_to is not None and on - SUCCESSOR_GAP <= line.effective_to <= on
        if just_ended and _state(line, agreements, on) is AgreementState.ACTIVE:
            return line
    return None


def _successor(line: Line, lines: Sequence[Line], on: date) -> Line | None:
    """The one line that takes the place of this one on its agreement, and has not begun yet."""
    ends = line.effective_to
    if ends is None:
        return None
    found = [
        other
        for other in lines
        if other.agreement_id == line.agreement_id
        and other.is_future(on)
        and other.effective_from is not None
        and timedelta(0) <= other.effective_from - ends <= SUCCESSOR_GAP
    ]
    return found[0] if len(found) == 1 else None


def _changing(active: Sequence[Line], lines: Sequence[Line], on: date) -> str:
    """Which of several lines ends and is followed by another, in words; empty when none is."""
    followed = [(line, _successor(line, lines, on)) for line in active]
    return "; ".join(_change_words(line, successor) for line, successor in followed if successor is not None)


def _change_words(line: Line, successor: Line) -> str:
    return (
        f"line {line.id} bills {units(line.quantity)} until {line.effective_to}, "
        f"then line {successor.id} bills {units(successor.quantity)} from {successor.effective_from}"
    )


def _followed(line: Line, successor: Line, agreement: Agreement, read_at: datetime) -> Billing:
    """A dated change that is under way: nothing may be written until it counts."""
    words = _change_words(line, successor)
    found = _one(successor, agreement, (words,), read_at)
    pending = f"a dated change is under way: {words}; wait until it counts, or correct it in the PSA"
    return replace(found, pending=pending)


def _dated(line: Line) -> tuple[str, ...]:
    """The dated quantities of a line in words, where they are not all the same."""
    if len({step.quantity for step in line.steps}) < 2:
        return ()
    steps = ", ".join(f"{units(step.quantity)} from {step.starts_on}" for step in line.steps)
    return (f"line {line.id} has dated quantities: {steps}",)


def monthly_difference(line: Line, target: int) -> Decimal | None:
    """What a month gains when the line goes to the target: units free of charge stay free. None without a price."""
    if not line.billable:
        return Decimal(0)
    if line.unit_price is None:
        return None
    before = max(line.quantity - line.less_included, Decimal(0))
    after = max(Decimal(target) - line.less_included, Decimal(0))
    return (after - before) * line.unit_price


def drifted_shares(billing: Billing, seats: int) -> tuple[str, ...]:
    """In words, where lines bill the right sum and not as a person divided it: nothing is wrong with the count."""
    targets = dict((billing.allocation.targets(seats) if billing.allocation is not None else None) or ())
    moved = [
        f"line {line.id} bills {units(line.quantity)} and not {targets[line.id]}"
        for line, _ in billing.divided
        if line.id in targets and line.quantity != targets[line.id]
    ]
    return (f"the sum is right and the seats are divided otherwise: {', '.join(moved)}",) if moved else ()


def units(quantity: Decimal) -> str:
    """A quantity for a sentence; one far outside of any real quantity keeps its exponent and stays short."""
    far = not quantity.is_finite() or abs(quantity.adjusted()) > DIGITS_WRITTEN_OUT
    return str(quantity) if far else decimal_text(quantity)


DIGITS_WRITTEN_OUT = 15


def _state(line: Line, agreements: Mapping[AgreementId, Agreement], on: date) -> AgreementState:
    agreement = agreements.get(line.agreement_id)
    return AgreementState.UNKNOWN if agreement is None else agreement.state_on(on)


def _count(line: Line, read_at: datetime) -> Count:
    try:
        quantity = whole_seats(line.quantity)
    except InputInvalid as refused:
        return Failed(f"line {line.id}: {refused.message}")
    evidence = Evidence(source="PSA line", key="quantity", reference=str(line.id), seats=quantity)
    return Known(seats=quantity, basis=Basis.PSA_LINE, as_of=read_at, evidence=(evidence,))


def _one(line: Line, agreement: Agreement, notes: tuple[str, ...], read_at: datetime) -> Billing:
    count = _count(line, read_at)
    if line.less_included:
        notes = (*notes, f"{units(line.less_included)} of the line's units are included free of charge")
    if not line.billable:
        notes = (*notes, "the line is set to not billable in the PSA")
    if isinstance(count, Failed):
        reason = f"{count.reason}; correct the line in the PSA"
        return Billing(count, None, agreement, Verdict.HELD, (reason, *notes))
    if line.not_writable_reason is not None:
        return Billing(count, None, agreement, Verdict.HELD, (line.not_writable_reason, *notes))
    return Billing(count, line, agreement, None, notes)


def _dividing(lines: Sequence[Line]) -> str:
    """The command that divides the seats among these lines, with what it still needs in capital letters."""
    fixed = " ".join(f"--fixed {line.id}=SEATS" for line in lines[:-1])
    first = lines[0]
    return f"trueup lines divide {first.account_id} {first.product_id} {fixed} --balance {lines[-1].id} --reason WHY"


def _several(
    lines: Sequence[Line],
    agreements: Mapping[AgreementId, Agreement],
    read_at: datetime,
    allocation: Allocation | None,
    changing: str,
) -> Billing:
    named = ", ".join(f"{line.id} ({units(line.quantity)} on {agreements[line.agreement_id].name})" for line in lines)
    counts = [_count(line, read_at) for line in lines]
    known = [count for count in counts if isinstance(count, Known)]
    what_to_do = f"end all but one, or say how the seats are divided among them: {_dividing(lines)}"
    if allocation is not None and not allocation.covers([line.id for line in lines]):
        what_to_do = f"the division that {allocation.by} gave is for other lines; give it again, or end all but one"
    reason = f"{len(lines)} live lines bill the same product: {named}; {what_to_do}"
    if len(known) < len(counts):
        return Billing(Failed("one of the lines has no whole quantity"), None, None, Verdict.AMBIGUOUS, (reason,))
    total = Known(
        seats=Seats(sum(count.seats for count in known)),
        basis=Basis.SUM,
        as_of=read_at,
        evidence=tuple(piece for count in known for piece in count.evidence),
    )
    if allocation is None or not allocation.covers([line.id for line in lines]):
        return Billing(total, None, None, Verdict.AMBIGUOUS, (reason,))
    if changing:
        reason = f"a dated change is under way: {changing}; wait until it counts, then divide the seats again"
        return Billing(total, None, agreements.get(lines[0].agreement_id), Verdict.HELD, (reason,))
    fixed = ", ".join(f"{seats} on line {line}" for line, seats in allocation.fixed)
    note = f"divided by {allocation.by}: {fixed}, the rest on line {allocation.balancing}; now {named}"
    closed = next((line for line in lines if line.not_writable_reason is not None), None)
    if closed is not None:
        reason = f"line {closed.id}: {closed.not_writable_reason}"
        return Billing(total, None, agreements.get(closed.agreement_id), Verdict.HELD, (reason, note))
    divided = tuple((line, agreements[line.agreement_id]) for line in lines)
    return Billing(total, None, divided[0][1], None, (note,), divided, allocation)
