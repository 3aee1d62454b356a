"""What later reads and the passing of time make of an order: reflected, in need of a person, chased, expired.

Must not: take an answer of the vendor for proof. Only a count that was read afterwards shows that the seats changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from trueup.domain.change_orders import ChangeOrder
from trueup.domain.counts import Count, Known
from trueup.domain.order_parts import OrderState, Signature

UNHEARD_OF_AFTER = timedelta(hours=1)
"""So long after an order was about to be posted nobody is at it any more."""


@dataclass(frozen=True, slots=True)
class Patience:
    """After how many days without the new count an order is late, and after how many it is given up."""

    chase_days: int = 5
    expiry_days: int = 30


def after_read(order: ChangeOrder, count: Count, *, began_at: datetime, at: datetime) -> ChangeOrder:
    """The order after a complete read of the vendor that began at ``began_at`` and told ``count``.

    Only a number that was read after the order was approved or sent says anything; one that another source contradicts
    says nothing either, and neither does a number that is missing.
    """
    if order.state is OrderState.DRAFT or not order.is_open or not isinstance(count, Known):
        return order
    since = _waits_since(order)
    if began_at < since or count.as_of < since or count.conflict is not None:
        return order
    if count.seats == order.target:
        unmarked = "" if order.was_sent else "; nobody had marked the order as submitted"
        shown = f"read {count.as_of:%Y-%m-%d %H:%M} UTC: {count.seats} seats ({count.basis.value}){unmarked}"
        return order.ended(OrderState.REFLECTED, Signature("", at), shown)
    if count.seats == order.current or order.state is OrderState.NEEDS_REVIEW:
        return order
    figures = f"the order goes from {order.current} to {order.target}"
    return order.unclear(f"the agreement went to {count.seats} seats; {figures}", at)


def after_time(order: ChangeOrder, now: datetime, patience: Patience) -> ChangeOrder:
    """Chased while it is late, expired in the end. An order that was approved and never sent expires too; one that was
    being sent when nobody was heard of any more needs a person.
    """
    if order.state is OrderState.SUBMITTED:
        return _submitted_after(order, now, patience)
    if order.state is not OrderState.APPROVED or order.approved is None:
        return order
    if order.sending is not None and order.sending.order_begun_at is not None:
        if now - order.sending.order_begun_at < UNHEARD_OF_AFTER:
            return order
        return order.unclear("it was being sent through the API, and what became of that was never recorded", now)
    waited = now - order.approved.at
    if waited < timedelta(days=patience.expiry_days):
        return order
    why = f"approved {waited.days} days ago and never submitted"
    return order.ended(OrderState.EXPIRED, Signature("", now), why)


def due_from(order: ChangeOrder) -> datetime | None:
    """From when the new count can be expected, None for an order that is not submitted.

    A decrease counts from the next billing date at the earliest.
    """
    if order.submitted is None:
        return None
    if order.downsell is None or order.downsell.effective_on is None:
        return order.submitted.at
    counts_from = datetime.combine(order.downsell.effective_on, datetime.min.time(), order.submitted.at.tzinfo)
    return max(order.submitted.at, counts_from)


def is_late(order: ChangeOrder, now: datetime, patience: Patience) -> bool:
    """Whether it is submitted and should have shown by now."""
    due = due_from(order)
    return order.state is OrderState.SUBMITTED and due is not None and now - due >= timedelta(days=patience.chase_days)


def _submitted_after(order: ChangeOrder, now: datetime, patience: Patience) -> ChangeOrder:
    due = due_from(order)
    assert due is not None
    waited = now - due
    said = f"{waited.days} days after it should show, no read shows the new count"
    if waited >= timedelta(days=patience.expiry_days):
        # It stays open, because it was sent: a second order beside it could come to twice the change.
        return order.ended(OrderState.EXPIRED, Signature("", now), said)
    again = order.chased_at is None or now - order.chased_at >= timedelta(days=patience.chase_days)
    if waited >= timedelta(days=patience.chase_days) and again:
        return replace(order, chased_at=now, chases=order.chases + 1, remark=said)
    return order


def _waits_since(order: ChangeOrder) -> datetime:
    """When it was sent, or approved where nobody said that it was."""
    if order.sending is not None and order.sending.order_begun_at is not None:
        return order.sending.order_begun_at
    return (order.submitted or order.approved or order.drafted).at
