"""What people decide about a change order: its terms, its release and approval, and what became of it in the portal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from trueup.domain.change_orders import ChangeOrder
from trueup.domain.counts import Known
from trueup.domain.errors import Conflict, InputInvalid, NotAllowed
from trueup.domain.integrations import Side
from trueup.domain.order_checks import OrderPolicy
from trueup.domain.order_parts import Downsell, OrderRelease, OrderState, OrderTerms, Signature
from trueup.domain.periods import local_day
from trueup.ports.change_orders import ChangeOrders
from trueup.ports.clock import Clock
from trueup.ports.state import ApiKeys, Snapshots
from trueup.usecases.change_orders import audit_of, checked, counts_of
from trueup.usecases.mapping import require_reason
from trueup.usecases.plans import shares_a_person

DRAFT_AGE_MAXIMUM = timedelta(days=14)
"""A draft that no comparison has asked for so long is stale: what it was drafted from has had time to change."""


def set_terms(
    order_id: str,
    *,
    actor: str,
    policy: OrderPolicy,
    time_zone: ZoneInfo,
    change_orders: ChangeOrders,
    clock: Clock,
    implementation_lead: str | None = None,
    po_number: str | None = None,
    product_change: str | None = None,
    contract_starts_on: date | None = None,
) -> ChangeOrder:
    """Say more of a draft; what is None stays as it is. Its checks are made again, and a release given before falls.

    Raises NotFound, Conflict once it is approved, InputInvalid for a text that is too long, and for a product change
    together with a decrease, which the vendor does not take.
    """
    order = change_orders.get(order_id)
    given = {"implementation_lead": implementation_lead, "po_number": po_number, "product_change": product_change}
    texts = {name: text.strip() for name, text in given.items() if text is not None}
    starts_on = contract_starts_on or order.terms.contract_starts_on
    terms: OrderTerms = replace(order.terms, **texts, contract_starts_on=starts_on)
    if terms.product_change and order.delta < 0:
        raise InputInvalid(
            f"order {order_id} takes seats away, and a product change cannot be combined with that",
            field="product_change",
            remedy="Order the product change by itself in the portal, before or after.",
        )
    now = clock.now()
    changed = checked(order.with_terms(terms), policy, local_day(now, time_zone))
    return change_orders.save(changed, audit_of(changed, "terms set", actor=actor, at=now))


def release_order(order_id: str, *, reason: str, actor: str, change_orders: ChangeOrders, clock: Clock) -> ChangeOrder:
    """Let a held draft be approved. Raises NotFound, InputInvalid (``reason``), Conflict when nothing holds it or a
    check that no word lifts.
    """
    why = require_reason(reason)
    order = change_orders.get(order_id)
    now = clock.now()
    released = order.released(OrderRelease(actor, now, why))
    return change_orders.save(released, audit_of(released, "released", actor=actor, at=now, why=why))


def approve_order(
    order_id: str,
    *,
    checksum: str,
    actor: str,
    two_person_approval: bool,
    change_orders: ChangeOrders,
    api_keys: ApiKeys,
    clock: Clock,
) -> ChangeOrder:
    """Approve exactly what that checksum is of; approving the same again changes nothing.

    Raises NotFound, ChecksumMismatch, Conflict when it is held, stale or no draft, and NotAllowed when the tenant wants
    a second person and the actor drafted or released it, be it by an API key.
    """
    order = change_orders.get(order_id)
    if order.approved_checksum and order.approved_checksum == checksum and order.state is OrderState.APPROVED:
        return order
    if two_person_approval and shares_a_person(actor, order.hands, api_keys):
        raise NotAllowed(f"{actor} drafted or released order {order_id}", remedy="Have another person approve it.")
    now = clock.now()
    if order.state is OrderState.DRAFT and now - order.confirmed_at > DRAFT_AGE_MAXIMUM:
        raise Conflict(
            f"no comparison has asked for order {order_id} in {DRAFT_AGE_MAXIMUM.days} days",
            remedy="Run again; the order is then confirmed, drafted anew or cancelled.",
        )
    approved = order.approved_by(checksum, Signature(actor, now))
    return change_orders.save(approved, audit_of(approved, "approved", actor=actor, at=now))


def mark_submitted(
    order_id: str,
    *,
    order_number: str,
    actor: str,
    agreement_acknowledged: bool,
    change_orders: ChangeOrders,
    snapshots: Snapshots,
    clock: Clock,
    downsell_deadline: date | None = None,
    effective_on: date | None = None,
) -> ChangeOrder:
    """A person typed it into the portal. Marking the same again changes nothing.

    Raises NotFound, InputInvalid naming what is missing, and Conflict with the figures when the last complete read
    shows another count than the order starts from.
    """
    order = change_orders.get(order_id)
    if order.state is OrderState.SUBMITTED and order.order_number == order_number.strip():
        return order
    downsell = None if downsell_deadline is None else Downsell(downsell_deadline, effective_on)
    if effective_on is not None and downsell is None:
        raise InputInvalid(
            "the next billing date comes with the deadline until which the order can be cancelled",
            field="downsell_deadline",
            remedy="Give both as the portal's Downsell Notice shows them.",
        )
    now = clock.now()
    submitted = order.submitted_in_portal(
        Signature(actor, now),
        order_number=order_number,
        agreement_acknowledged=agreement_acknowledged,
        downsell=downsell,
    )
    _require_count_of_last_read(order, snapshots)
    number = f"order number {submitted.order_number}"
    return change_orders.save(submitted, audit_of(submitted, "submitted", actor=actor, at=now, why=number))


def cancel_order(order_id: str, *, reason: str, actor: str, change_orders: ChangeOrders, clock: Clock) -> ChangeOrder:
    """Withdraw it; one that was submitted has to be cancelled in the portal first, which no read can tell."""
    return _ended(order_id, "cancelled", ChangeOrder.cancelled, reason, actor, change_orders, clock)


def reject_order(order_id: str, *, reason: str, actor: str, change_orders: ChangeOrders, clock: Clock) -> ChangeOrder:
    """Say no to a draft, or record that the vendor did."""
    return _ended(order_id, "rejected", ChangeOrder.rejected, reason, actor, change_orders, clock)


def resolve_order(
    order_id: str, *, outcome: str, reason: str, actor: str, change_orders: ChangeOrders, clock: Clock
) -> ChangeOrder:
    """A person looked at the vendor and says what became of an order that needs review or expired after it was sent:
    ``submitted`` (it is still coming), ``rejected`` or ``cancelled``. Raises NotFound, InputInvalid, Conflict.
    """
    why = require_reason(reason)
    order = change_orders.get(order_id)
    if outcome not in set(OrderState):
        raise InputInvalid(
            f"{outcome[:40]!r} is nothing that can become of an order",
            field="outcome",
            remedy="Say submitted, rejected or cancelled.",
        )
    now = clock.now()
    resolved = order.resolved(OrderState(outcome), Signature(actor, now), why)
    audit = audit_of(resolved, f"resolved as {outcome}", actor=actor, at=now, why=why)
    return change_orders.save(resolved, audit)


def _ended(
    order_id: str,
    action: str,
    step: Callable[[ChangeOrder, Signature, str], ChangeOrder],
    reason: str,
    actor: str,
    change_orders: ChangeOrders,
    clock: Clock,
) -> ChangeOrder:
    why = require_reason(reason)
    order = change_orders.get(order_id)
    now = clock.now()
    ended = step(order, Signature(actor, now), why)
    return change_orders.save(ended, audit_of(ended, action, actor=actor, at=now, why=why))


def _require_count_of_last_read(order: ChangeOrder, snapshots: Snapshots) -> None:
    """Raises Conflict when the last complete read shows another count than the order starts from.

    A read that shows the target is no objection: the order may have come through before anybody marked it.
    """
    read = snapshots.latest(Side.VENDOR)
    if read is None:
        return
    count = counts_of(snapshots.vendor_pages(read), [order.place]).get(order.place)
    if isinstance(count, Known) and count.seats != order.target:
        order.require_count(count.seats, told_by=f"by the read of {read.completed_at:%Y-%m-%d %H:%M} UTC")
