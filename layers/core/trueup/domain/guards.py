"""Rules that hold a change back until a person releases it. Each names itself, its figures and what releases it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from trueup.domain.billing import Line
from trueup.domain.canonical import decimal_text
from trueup.domain.counts import Known
from trueup.domain.effective import Effect
from trueup.domain.legs import monthly_difference
from trueup.domain.verdicts import Row


@dataclass(frozen=True, slots=True)
class Hold:
    """One guard that holds one change."""

    guard: str
    figures: str
    release: str


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """The limits of one tenant.

    An increase is a jump when it is more than ``increase_seats`` seats, or more than ``increase_percent`` percent of
    what is billed now and more than ``SMALL_INCREASE_SEATS``. Both limits are there because a percentage alone lets a
    large client's jump through, and a number alone a small client's. ``read_age_hours`` is how old a read may be.
    """

    increase_percent: Decimal = Decimal(50)
    increase_seats: int = 25
    read_age_hours: Decimal = Decimal(24)


SMALL_INCREASE_SEATS = 2
"""One or two more seats are never a jump, however small the client."""

COUNT_AGE_MAXIMUM = timedelta(days=7)
"""A count this much older than the read of the PSA (it is from a file that a person gave) may be of another month."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One line and what it should bill: a row has one, or one for each line that its seats are divided among.

    ``expected`` is what the line bills on the day the change counts from.
    """

    line: Line
    expected: Decimal
    target: int
    effect: Effect


def holds_for(
    row: Row, proposal: Proposal, *, policy: GuardPolicy, read_ages_hours: tuple[Decimal, ...]
) -> tuple[Hold, ...]:
    """The guards that hold the change of this line; empty when it may go with the plan."""
    wanted, billed = row.to_bill, row.counts.billed
    assert isinstance(wanted, Known) and isinstance(billed, Known)
    line, target = proposal.line, proposal.target
    found = [*_quantity_holds(proposal, policy), *_count_holds(row, wanted, billed.as_of)]
    if monthly_difference(line, target) is None:
        found.append(Hold("price_missing", f"line {line.id} has no unit price", "a person enters or accepts the price"))
    if not line.billable:
        found.append(Hold("not_billable", f"line {line.id} is not billable", "a person confirms the line as it is"))
    found.extend(_date_holds(proposal, target))
    if any(age > policy.read_age_hours for age in read_ages_hours):
        # The limit and not the age: the figures are under the plan's checksum, which no clock reading may change.
        figures = f"read more than {policy.read_age_hours.normalize():f} hours ago"
        found.append(Hold("old_read", figures, "a new run reads both sides again"))
    return tuple(found)


def holds_for_new_line(row: Row, effect: Effect, *, psa_read_at: datetime) -> tuple[Hold, ...]:
    """The guards that hold a line which a person asked for: what is doubtful about the count stays doubtful."""
    wanted = row.to_bill
    assert isinstance(wanted, Known)
    found = _count_holds(row, wanted, psa_read_at)
    if row.monthly_money is None:
        figures = f"product {row.product_code or row.product_id} has no price in the catalog"
        found.append(Hold("price_missing", figures, "a person enters or accepts the price"))
    found.extend(_refused_date(effect))
    return tuple(found)


def _count_holds(row: Row, wanted: Known, psa_read_at: datetime) -> list[Hold]:
    """What speaks against the count itself, whatever it is compared with."""
    found = []
    if wanted.conflict is not None:
        found.append(Hold("counts_disagree", wanted.conflict, "a person says which number is right"))
    found.extend(
        Hold(
            "account_not_active",
            f"{member.vendor_id} is {member.status}",
            "a person confirms that the account is to be billed",
        )
        for member in row.members
        if member.is_doubtful
    )
    # Only where the licensed count decides: any other sum that lacks an account is not known.
    found.extend(
        Hold("account_silent", member.count.reason, "a person confirms that the account is to be billed")
        for member in row.members
        if not member.service_id and not isinstance(member.count, Known)
    )
    if psa_read_at - wanted.as_of > COUNT_AGE_MAXIMUM:
        figures = f"counted more than {COUNT_AGE_MAXIMUM.days} days before the PSA was read"
        found.append(Hold("old_count", figures, "a newer customer file is given, or a person confirms the count"))
    if wanted.as_of - psa_read_at > COUNT_AGE_MAXIMUM:
        figures = f"the PSA's lines are from a file given more than {COUNT_AGE_MAXIMUM.days} days before the count"
        found.append(Hold("old_billing", figures, "newer lines are given, or a person confirms what is billed"))
    return found


def _quantity_holds(proposal: Proposal, policy: GuardPolicy) -> list[Hold]:
    before, target = decimal_text(proposal.expected), proposal.target
    change = target - proposal.expected
    figures = f"{before} -> {target}"
    if target == 0:
        return [Hold("to_zero", figures, "a person confirms that the client has no seats left")]
    if change < 0:
        return [Hold("decrease", f"{figures} ({decimal_text(change)})", "a person confirms that fewer seats are right")]
    if _is_jump(change, proposal.expected, policy):
        limits = f"limits {policy.increase_seats} seats, {policy.increase_percent.normalize():f} %"
        figures = f"{figures} (+{decimal_text(change)}; {limits})"
        return [Hold("jump", figures, "a person confirms that the increase is real")]
    return []


def _date_holds(proposal: Proposal, target: int) -> list[Hold]:
    """What speaks against the day: it cannot be had, or the line has another quantity from a later day on."""
    found = _refused_date(proposal.effect)
    day = proposal.effect.day
    later = [step for step in proposal.line.steps if day is not None and step.starts_on > day]
    moved = [step for step in later if step.quantity != proposal.expected]
    if moved:
        steps = ", ".join(f"{decimal_text(step.quantity)} from {step.starts_on}" for step in moved)
        figures = f"the line is set to {steps} already; a change to {target} from {day} moves that too"
        found.append(Hold("scheduled_change", figures, "a person confirms what the later quantity is to be"))
    return found


def _refused_date(effect: Effect) -> list[Hold]:
    if not effect.refusal:
        return []
    words = f"a person accepts that it counts by the rule {effect.rule.value.replace('_', ' ')}"
    return [Hold("date_not_possible", effect.refusal, words)]


def _is_jump(change: Decimal, billed: Decimal, policy: GuardPolicy) -> bool:
    if change > policy.increase_seats:
        return True
    return change > SMALL_INCREASE_SEATS and change * 100 > policy.increase_percent * billed
