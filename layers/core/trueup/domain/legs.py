"""The two legs of a row: what the members of the agreement add up to, and what the lines of the PSA bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from trueup.domain.billing import Agreement, AgreementId, AgreementState, Line
from trueup.domain.canonical import decimal_text
from trueup.domain.counts import Basis, Count, Evidence, Failed, Known, Missing, Seats, whole_seats
from trueup.domain.errors import InputInvalid
from trueup.domain.verdicts import Member, Verdict

LICENSED_NOT_READ = Missing("Microsoft 365 license counts are not read in this version")


@dataclass(frozen=True, slots=True)
class Billing:
    """What the PSA bills for one client and product.

    ``verdict`` is set when the lines themselves decide the outcome (ambiguous or held) and None when there is a number
    to compare or plainly no line. ``line`` is the one line that a change would go to.
    """

    count: Count
    line: Line | None
    agreement: Agreement | None
    verdict: Verdict | None
    reasons: tuple[str, ...]


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


def billed_leg(
    lines: Sequence[Line], agreements: Mapping[AgreementId, Agreement], *, on: date, read_at: datetime
) -> Billing:
    """What live lines of one product bill one client on that day; ``read_at`` is when the PSA was read.

    The lines come sorted by id; the one named in a reason is then always the same.
    """
    live = [line for line in lines if line.is_live(on)]
    active = [line for line in live if _state(line, agreements, on) is AgreementState.ACTIVE]
    if len(active) > 1:
        return _several(active, agreements, read_at)
    if len(active) == 1:
        asleep = [line for line in live if line is not active[0]]
        notes = tuple(f"line {line.id} on an agreement that is not active is left out" for line in asleep)
        later = [line for line in lines if line.is_future(on)]
        notes += tuple(f"line {line.id} begins on {line.effective_from} with {units(line.quantity)}" for line in later)
        return _one(active[0], agreements[active[0].agreement_id], notes, read_at)
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


def monthly_difference(line: Line, target: int) -> Decimal | None:
    """What a month gains when the line goes to the target: units free of charge stay free. None without a price."""
    if not line.billable:
        return Decimal(0)
    if line.unit_price is None:
        return None
    before = max(line.quantity - line.less_included, Decimal(0))
    after = max(Decimal(target) - line.less_included, Decimal(0))
    return (after - before) * line.unit_price


def units(quantity: Decimal) -> str:
    """A quantity for a sentence; one far outside of any real quantity keeps its exponent and stays short."""
    far = not quantity.is_finite() or abs(quantity.adjusted()) > DIGITS_WRITTEN_OUT
    return str(quantity) if far else decimal_text(quantity)


DIGITS_WRITTEN_OUT = 15


def _state(line: Line, agreements: Mapping[AgreementId, Agreement], on: date) -> AgreementState:
    """The state of the line's agreement that day: its dates count too, whatever its flag still says."""
    agreement = agreements.get(line.agreement_id)
    if agreement is None:
        return AgreementState.UNKNOWN
    if agreement.state is AgreementState.ACTIVE:
        if agreement.ends_on is not None and agreement.ends_on < on:
            return AgreementState.EXPIRED
        if agreement.starts_on is not None and agreement.starts_on > on:
            return AgreementState.INACTIVE
    return agreement.state


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


def _several(lines: Sequence[Line], agreements: Mapping[AgreementId, Agreement], read_at: datetime) -> Billing:
    named = ", ".join(f"{line.id} ({units(line.quantity)} on {agreements[line.agreement_id].name})" for line in lines)
    reason = f"{len(lines)} live lines bill the same product: {named}; end all but one"
    counts = [_count(line, read_at) for line in lines]
    known = [count for count in counts if isinstance(count, Known)]
    if len(known) < len(counts):
        return Billing(Failed("one of the lines has no whole quantity"), None, None, Verdict.AMBIGUOUS, (reason,))
    total = Known(
        seats=Seats(sum(count.seats for count in known)),
        basis=Basis.SUM,
        as_of=read_at,
        evidence=tuple(piece for count in known for piece in count.evidence),
    )
    return Billing(total, None, None, Verdict.AMBIGUOUS, (reason,))
