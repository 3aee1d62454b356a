"""What speaks against an order before anybody approves it. Each check names itself, its figures and what releases it.

Must not: take what nobody says for an answer; an unknown contract term is told as unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from trueup.domain.change_orders import ChangeOrder
from trueup.domain.guards import SMALL_INCREASE_SEATS, Hold
from trueup.domain.order_parts import OrderKind
from trueup.domain.order_tracking import Patience

TERM_MONTHS = 12
"""The vendor's documents name an obligation of twelve months for a new subscription (cancelling opens after eleven).
What they do not say is whether a decrease inside it is refused, so a person has to know.
"""


@dataclass(frozen=True, slots=True)
class OrderPolicy:
    """The limits of one tenant for change orders.

    ``minimum_seats`` holds for every service that ``minimums`` does not name. A change is large when it is more than
    ``change_seats`` seats, or more than ``change_percent`` percent of what is agreed now and more than two seats.
    ``implementation_lead`` and ``po_number`` are what a draft says unless a person says otherwise.
    """

    minimum_seats: int = 1
    minimums: Mapping[str, int] = field(default_factory=dict)
    change_seats: int = 100
    change_percent: Decimal = Decimal(50)
    implementation_lead: str = ""
    po_number: str = ""
    patience: Patience = Patience()

    def minimum_of(self, service_id: str) -> int:
        return self.minimums.get(service_id, self.minimum_seats)


def checks_of(order: ChangeOrder, policy: OrderPolicy, *, on: date) -> tuple[Hold, ...]:
    """The checks that hold the order on that day; empty when it may be approved as it is."""
    found = [*_target_holds(order, policy), *_size_holds(order, policy)]
    if order.kind is OrderKind.DECREASE:
        found.extend(_decrease_holds(order, on))
    return tuple(found)


def notes_of(order: ChangeOrder) -> tuple[str, ...]:
    """What the person who approves has to know and no source tells."""
    found = []
    if order.kind is OrderKind.DECREASE:
        if order.terms.contract_starts_on is None:
            found.append(
                f"When the contract began is not known here: no source of Trueup tells it. Look in the portal whether "
                f"the {TERM_MONTHS} months of the subscription are over."
            )
        found.append(
            "The portal's Downsell Notice tells the next billing date and until when the order can be cancelled; both "
            "are typed in when the order is marked as submitted."
        )
    if not order.terms.implementation_lead:
        found.append("The portal's form asks for a Primary Implementation Lead, and nobody is named here yet.")
    return tuple(found)


def _target_holds(order: ChangeOrder, policy: OrderPolicy) -> list[Hold]:
    figures = f"{order.current} -> {order.target}"
    minimum = policy.minimum_of(order.service_id)
    if order.target == 0:
        words = "a person confirms that the client leaves; the portal's Cancel form may be the right one then"
        return [Hold("to_zero", figures, words)]
    if order.target < minimum:
        words = "the minimum of this service is corrected in the settings, or the count reaches it"
        return [Hold("below_minimum", f"{figures}; {order.service_name} is sold from {minimum} seats", words)]
    return []


def _size_holds(order: ChangeOrder, policy: OrderPolicy) -> list[Hold]:
    size = abs(order.delta)
    by_share = size > SMALL_INCREASE_SEATS and size * 100 > policy.change_percent * order.current
    if size <= policy.change_seats and not by_share:
        return []
    limits = f"limits {policy.change_seats} seats, {policy.change_percent.normalize():f} %"
    figures = f"{order.current} -> {order.target} ({order.delta:+d}; {limits})"
    return [Hold("large_change", figures, "a person confirms that the licensed count is real")]


def _decrease_holds(order: ChangeOrder, on: date) -> list[Hold]:
    found = []
    if order.terms.product_change:
        figures = f"{order.current} -> {order.target} seats together with {order.terms.product_change!r}"
        words = "the product change is ordered by itself, before or after"
        found.append(Hold("product_change_with_decrease", figures, words))
    starts_on = order.terms.contract_starts_on
    ends_on = None if starts_on is None else _months_later(starts_on, TERM_MONTHS)
    if ends_on is not None and on < ends_on:
        figures = f"the contract began on {starts_on}; its {TERM_MONTHS} months end on {ends_on}"
        found.append(Hold("term", figures, "a person confirms with the vendor that fewer seats are possible before"))
    return found


def _months_later(day: date, months: int) -> date:
    """The same day so many months later; where that month lacks it, the first of the next one: a term ends no earlier
    than it says.
    """
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    try:
        return day.replace(year=year, month=month)
    except ValueError:
        return date(year + month // 12, month % 12 + 1, 1)
