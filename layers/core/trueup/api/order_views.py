"""Change orders as people and programs are shown them, with what a person types into the vendor's portal."""

from __future__ import annotations

from datetime import date, datetime

from trueup.api.views import View, time_text
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.order_parts import OrderRoute, Sending, Signature
from trueup.domain.order_tracking import Patience, due_from, is_late
from trueup.domain.order_work_items import work_item


def order_view(order: ChangeOrder, *, patience: Patience, now: datetime) -> View:
    """One order. ``to`` is the new total and ``change`` the difference, both in seats; ``guard`` what holds it."""
    terms, reason = order.terms, order.reason
    return {
        "id": order.id,
        "checksum": order.checksum,
        "state": order.state.value,
        "is_open": order.is_open,
        "is_late": is_late(order, now, patience),
        "period": order.period,
        "run_id": order.run_id,
        "kind": order.kind.value,
        "vendor_account_id": order.vendor_id,
        "vendor_account_name": order.vendor_name,
        "service_id": order.service_id,
        "service_name": order.service_name,
        "psa_account_id": order.psa_account_id,
        "psa_account_name": order.psa_account_name,
        "from": order.current,
        "to": order.target,
        "change": order.delta,
        "reason": {
            "licensed": reason.licensed,
            "counted_at": time_text(reason.counted_at),
            "policy": reason.policy or None,
        },
        "implementation_lead": terms.implementation_lead or None,
        "po_number": terms.po_number or None,
        "product_change": terms.product_change or None,
        "contract_starts_on": _day(terms.contract_starts_on),
        "guard": _guard_view(order),
        "notes": list(order.notes),
        "remark": order.remark or None,
        "drafted": _signed(order.drafted),
        "approved": _signed(order.approved),
        "submitted": _submission_view(order),
        "due_from": time_text(due_from(order)),
        "chased": {"times": order.chases, "at": time_text(order.chased_at)},
        "settled": None
        if order.settled is None
        else {"by": order.settled.by or None, "at": time_text(order.settled.at), "why": order.settled_why},
    }


def order_with_work_view(order: ChangeOrder, *, patience: Patience, now: datetime) -> View:
    """One order with its work item, which is the same whatever state the order is in."""
    item = work_item(order)
    steps = [{"id": one.id, "label": one.label, "value": one.value, "note": one.note or None} for one in item.steps]
    shown = order_view(order, patience=patience, now=now)
    return {**shown, "work_item": {"title": item.title, "path": list(item.path), "steps": steps}}


def _guard_view(order: ChangeOrder) -> View | None:
    if not order.holds:
        return None
    release = order.release
    return {
        "state": "held" if order.is_held else "released",
        "name": order.holds[0].guard,
        "holds": [{"name": hold.guard, "figures": hold.figures, "release": hold.release} for hold in order.holds],
        "released": None
        if release is None
        else {"by": release.by, "at": time_text(release.at), "reason": release.reason},
    }


def _submission_view(order: ChangeOrder) -> View | None:
    """How it went to the vendor; None while nobody said or saw that it did."""
    if not order.was_sent:
        return None
    downsell = order.downsell
    return {
        "route": (OrderRoute.API if order.was_posted else order.route).value,
        "by": None if order.submitted is None else order.submitted.by,
        "at": None if order.submitted is None else time_text(order.submitted.at),
        "order_number": order.order_number or None,
        "agreement_acknowledged": _signed(order.agreement_acknowledged),
        "downsell_deadline": None if downsell is None else _day(downsell.deadline),
        "effective_on": None if downsell is None else _day(downsell.effective_on),
        "request": None if order.sending is None else _request_view(order.sending),
    }


def _request_view(sending: Sending) -> View:
    return {
        "expected": sending.expected,
        "change": sending.delta,
        "quote_id": sending.quote_id or None,
        "request_id": sending.request_id or None,
        "status": sending.status or None,
        "posted_at": time_text(sending.order_begun_at),
    }


def _signed(signature: Signature | None) -> View | None:
    return None if signature is None else {"by": signature.by, "at": time_text(signature.at)}


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
