"""An order of the small month, some steps along, and a look at what became of it."""

from __future__ import annotations

from dataclasses import replace

from tests.domain.order_samples import draft
from tests.usecases.office import TIME_ZONE, Office
from trueup.domain.accounts import ServiceId, VendorAccountId
from trueup.domain.audit import Audit
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.order_parts import Signature
from trueup.domain.order_tracking import Patience
from trueup.domain.runs import Run
from trueup.usecases.order_following import Followed, follow_orders

V1 = VendorAccountId("V1")


def drafted_order(month: Office) -> ChangeOrder:
    """Twelve seats to fourteen for the first client."""
    now = month.clock.now()
    order = replace(
        draft(12, 14), vendor_id=V1, service_id=ServiceId("plan"), drafted=Signature("ann", now), confirmed_at=now
    )
    return month.state.change_orders.draft(order, Audit(now, "ann", "change order drafted", order.id))


def submitted_order(month: Office) -> ChangeOrder:
    order = drafted_order(month)
    now = month.clock.now()
    sent = order.approved_by(order.checksum, Signature("bob", now)).submitted_in_portal(
        Signature("bob", now), order_number="SO-1", agreement_acknowledged=True, downsell=None
    )
    return month.state.change_orders.save(sent, Audit(now, "bob", "change order submitted", order.id))


def follow(month: Office, run: Run, *, stop_at_seconds: float | None = None) -> Followed:
    month.clock.advance(60)
    return follow_orders(
        run.id,
        actor="schedule",
        patience=Patience(),
        time_zone=TIME_ZONE,
        state=month.state,
        vault=month.vault,
        connections=month.connections,
        clock=month.clock,
        stop_at_seconds=stop_at_seconds,
    )
