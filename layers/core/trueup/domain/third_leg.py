"""The licensed count of a row, what the PSA is to bill by the tenant's basis, and what to order from the vendor.

Method: rules over three counts. A target that needs a count which is not known is not known, never smaller.
Must not: take an absent licensed count for zero, or name a new order where an open one asks for the same already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trueup.domain.billing import PsaAccount
from trueup.domain.counts import Basis, BillingBasis, Count, Evidence, Failed, Known, Missing, Seats
from trueup.domain.legs import agreement_leg
from trueup.domain.legs_view import LegsView, OrderedSeats, Pair
from trueup.domain.verdicts import Member, OrderNeed

LICENSED_NOT_READ = Missing("license counts are not connected")
NOT_COMPARED = Missing("nothing is mapped to compare with")
NO_TENANT = Missing("no Microsoft 365 tenant and no row of a license file is mapped to this client")


@dataclass(frozen=True, slots=True)
class ThirdLeg:
    """What the licensed count means for one row.

    ``target`` is what the PSA is to bill, ``words`` where it comes from (``agreement 40``), and ``is_agreement``
    whether it is the agreement's count as it was read. ``notes`` are sentences that hold whatever the verdict.
    """

    licensed: Count
    target: Count
    words: str
    is_agreement: bool = True
    order: OrderNeed | None = None
    notes: tuple[str, ...] = ()


def third_leg(
    view: LegsView, pair: Pair, members: Sequence[Member], agreement: Count, account: PsaAccount | None
) -> ThirdLeg:
    """The licensed leg of one client and product, with the target and the order that follow from it."""
    not_by_user = _not_by_user(view, pair, members)
    licensed = Missing(not_by_user) if not_by_user else _licensed(view, pair)
    # The licensed count says nothing of what is not sold by the user, so that the agreement decides there.
    basis = BillingBasis.AGREEMENT if not_by_user else view.legs.basis
    found = _target(basis, view, members, agreement, licensed)
    order, words = _order(view, members, agreement, licensed, account)
    if basis is BillingBasis.AGREEMENT and isinstance(licensed, Failed):
        words = (*words, f"licensed: {licensed.reason}")
    return replace(found, order=order, notes=(*found.notes, *words))


def licensed_alone(view: LegsView, pair: Pair) -> ThirdLeg:
    """The licensed leg of a line that nothing from the vendor is compared with; no order follows from it."""
    not_by_user = _not_by_user(view, pair, ())
    licensed = Missing(not_by_user) if not_by_user else _licensed(view, pair)
    return ThirdLeg(licensed, agreement_leg(()), "")


def _not_by_user(view: LegsView, pair: Pair, members: Sequence[Member]) -> str:
    """Why the licensed count does not apply to this product; empty when it does."""
    named = {member.service_id for member in members if member.service_id}
    for service_id in sorted(named or set(view.services_of.get(pair[1], ()))):
        if not view.services[service_id].is_per_user:
            return f"{view.service_name(service_id)} is not sold by the user, so licenses say nothing of it"
    return ""


def _licensed(view: LegsView, pair: Pair) -> Count:
    found = view.legs.licensed.get(pair[0])
    if found is not None:
        return found
    return NO_TENANT if view.legs.licenses_are_connected else LICENSED_NOT_READ


def _target(
    basis: BillingBasis, view: LegsView, members: Sequence[Member], agreement: Count, licensed: Count
) -> ThirdLeg:
    if basis is BillingBasis.LICENSED:
        if isinstance(licensed, Known):
            return ThirdLeg(licensed, licensed, f"licensed {licensed.seats}", is_agreement=False)
        reason = f"the PSA bills the licensed count here, and there is none: {licensed.reason}"
        return ThirdLeg(licensed, _lacking(reason, licensed), "", is_agreement=False)
    agreed, notes = _with_orders(view, members, agreement)
    what = "ordered" if notes else "agreement"
    if basis is BillingBasis.LARGER:
        return replace(_larger(agreed, licensed, what), notes=notes)
    words = f"{what} {agreed.seats}" if isinstance(agreed, Known) else ""
    return ThirdLeg(licensed, agreed, words, is_agreement=not notes, notes=notes)


def _larger(agreed: Count, licensed: Count, what: str) -> ThirdLeg:
    if isinstance(agreed, Known) and isinstance(licensed, Known):
        larger = licensed if licensed.seats > agreed.seats else agreed
        conflicts = [count.conflict for count in (agreed, licensed) if count.conflict]
        target = Known(
            seats=larger.seats,
            basis=larger.basis,
            as_of=min(agreed.as_of, licensed.as_of),
            evidence=(*agreed.evidence, *licensed.evidence),
            conflict="; ".join(conflicts) or None,
        )
        return ThirdLeg(licensed, target, f"{what} {agreed.seats}, licensed {licensed.seats}", is_agreement=False)
    lacking = [count for count in (agreed, licensed) if not isinstance(count, Known)]
    reasons = "; ".join(count.reason for count in lacking)
    reason = f"the PSA bills the larger of agreement and licensed count here, and one is not known: {reasons}"
    return ThirdLeg(licensed, _lacking(reason, *lacking), "", is_agreement=False)


def _lacking(reason: str, *counts: Count) -> Count:
    return Failed(reason) if any(isinstance(count, Failed) for count in counts) else Missing(reason)


def _with_orders(view: LegsView, members: Sequence[Member], agreement: Count) -> tuple[Count, tuple[str, ...]]:
    """The sum with the seats of sent orders in it, where the tenant bills on order, and which orders these are."""
    parts, notes = [], []
    for member in members:
        order = view.ordered.get((member.vendor_id, member.service_id))
        said = member.count.seats if isinstance(member.count, Known) else None
        if order is None or order.seats == said:
            parts.append(member)
            continue
        parts.append(replace(member, count=_as_ordered(order, member.count, view)))
        notes.append(f"order {order.order_id} counts as agreed: {order.seats} seats for {member.vendor_id}")
    return (agreement_leg(parts), tuple(notes)) if notes else (agreement, ())


def _as_ordered(order: OrderedSeats, count: Count, view: LegsView) -> Known:
    """The ordered seats in place of what the vendor shows; what was doubtful about the vendor's number stays so."""
    evidence = Evidence(source="change order", key="target", reference=order.order_id, seats=order.seats)
    return Known(
        seats=Seats(order.seats),
        basis=Basis.ORDERED,
        as_of=count.as_of if isinstance(count, Known) else view.legs.psa_read_at,
        evidence=(evidence,),
        conflict=count.conflict if isinstance(count, Known) else None,
    )


def _order(
    view: LegsView, members: Sequence[Member], agreement: Count, licensed: Count, account: PsaAccount | None
) -> tuple[OrderNeed | None, tuple[str, ...]]:
    """What to order, and what is said of orders that are open. None where agreement and licensed count agree."""
    sent = [
        (member, order)
        for member in members
        if (order := view.open_orders.get((member.vendor_id, member.service_id))) is not None
    ]
    notes = tuple(
        f"order {order.order_id} for {order.seats} seats of {member.vendor_id} is open: the vendor does not show it yet"
        for member, order in sent
        if not isinstance(member.count, Known) or member.count.seats != order.seats
    )
    if not isinstance(agreement, Known) or not isinstance(licensed, Known) or agreement.seats == licensed.seats:
        return None, notes
    if not members:
        return None, notes
    coming = {(member.vendor_id, member.service_id): order.seats for member, order in sent}
    if sum(coming.get((one.vendor_id, one.service_id), _seats(one)) for one in members) == licensed.seats:
        return None, notes
    need = OrderNeed(
        vendor_id=members[0].vendor_id,
        service_id=members[0].service_id,
        agreement=agreement.seats,
        target=licensed.seats,
        obstacle="; ".join(_obstacles(members, agreement, licensed, account, [order.order_id for _, order in sent])),
    )
    return need, (*notes, *([f"no change order can be drafted yet: {need.obstacle}"] if need.obstacle else []))


def _obstacles(
    members: Sequence[Member], agreement: Known, licensed: Known, account: PsaAccount | None, open_orders: list[str]
) -> list[str]:
    found = []
    if account is None or account.deleted:
        found.append("the mapped client is not in the PSA any more")
    if len(members) > 1:
        parts = " + ".join(f"{member.vendor_id} {_seats(member)}" for member in members)
        found.append(f"{len(members)} vendor accounts share the client's users ({parts}); say who gets the seats")
    found.extend(count.conflict for count in (agreement, licensed) if count.conflict is not None)
    found.extend(f"{member.vendor_id} is {member.status}" for member in members if member.is_doubtful)
    found.extend(f"order {order_id} is open" for order_id in open_orders)
    return found


def _seats(member: Member) -> int:
    return member.count.seats if isinstance(member.count, Known) else 0
