"""Change orders for tests: a draft, and the same one some steps later."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from trueup.domain.accounts import ServiceId, VendorAccountId
from trueup.domain.billing import PsaAccountId
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.counts import Basis, Known, Seats
from trueup.domain.order_checks import OrderPolicy, checks_of, notes_of
from trueup.domain.order_parts import Downsell, OrderReason, OrderState, Signature

NOW = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
TODAY = date(2026, 9, 1)
ANN, BOB = Signature("ann", NOW), Signature("bob", NOW)
POLICY = OrderPolicy()


def draft(current: int = 40, target: int = 44, *, policy: OrderPolicy = POLICY) -> ChangeOrder:
    order = ChangeOrder(
        id="order-2026-09-0a1b2c3d-001",
        period="2026-09",
        run_id="run-2026-09-001",
        vendor_id=VendorAccountId("C1"),
        vendor_name="Birch & Bloom",
        service_id=ServiceId("9702"),
        service_name="Email Security",
        psa_account_id=PsaAccountId("19"),
        psa_account_name="Birch & Bloom LLC",
        current=current,
        target=target,
        reason=OrderReason(target, NOW, "MSP version 2"),
        drafted=ANN,
        confirmed_at=NOW,
    )
    return order.with_checks(checks_of(order, policy, on=TODAY), notes_of(order))


def approved(order: ChangeOrder | None = None) -> ChangeOrder:
    order = order or draft()
    return order.approved_by(order.checksum, BOB)


def submitted(order: ChangeOrder | None = None, *, deadline: date | None = None) -> ChangeOrder:
    order = order or approved()
    downsell = Downsell(deadline or date(2026, 9, 20), date(2026, 10, 1)) if order.delta < 0 else None
    return order.submitted_in_portal(
        replace(BOB, at=NOW + timedelta(hours=1)),
        order_number="SO-100431",
        agreement_acknowledged=True,
        downsell=downsell,
    )


def posted(order: ChangeOrder | None = None) -> ChangeOrder:
    """Being sent through the API when everything went quiet: it may have been carried out."""
    order = order or approved()
    begun = order.sending_begun(BOB, current=order.current, agreement_acknowledged=True)
    return begun.quoted("qt-1").order_begun(NOW)


def seen(seats: int, *, hours: float = 2, conflict: str | None = None) -> Known:
    return Known(Seats(seats), Basis.CONTRACT, NOW + timedelta(hours=hours), conflict=conflict)


ENDS = frozenset({OrderState.REFLECTED, OrderState.REJECTED, OrderState.CANCELLED})
