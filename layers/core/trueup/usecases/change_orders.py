"""Change orders from a comparison to the read that shows them: drafted, followed, chased.

What people decide about an order is in order_decisions, what is sent through the vendor's API in order_submission.
Must not: take a count that nobody told for a reason to draft, to cancel or to call an order done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from trueup.domain.accounts import VendorPage
from trueup.domain.audit import Audit
from trueup.domain.canonical import sha256
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.counts import Count, Known
from trueup.domain.errors import Conflict, NotFound, VersionConflict
from trueup.domain.integrations import Side
from trueup.domain.legs_view import OrderedSeats
from trueup.domain.order_checks import OrderPolicy, checks_of, notes_of
from trueup.domain.order_parts import OrderReason, OrderState, Place, Signature
from trueup.domain.order_tracking import Patience, after_read, after_time, is_late
from trueup.domain.periods import local_day
from trueup.domain.runs import Snapshot
from trueup.domain.verdicts import OrderNeed, Reconciliation, Row
from trueup.ports.change_orders import ChangeOrders
from trueup.ports.clock import Clock
from trueup.ports.state import Snapshots
from trueup.ports.state_bundle import State

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Drafted:
    """What one comparison did to the orders, by id. ``obstacles`` are needs that no order can be drafted for, as
    (account, why).
    """

    drafted: tuple[str, ...] = ()
    redrafted: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    obstacles: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Noted:
    """What a complete read, and the time that went by, did to the orders, by id."""

    reflected: tuple[str, ...] = ()
    needs_review: tuple[str, ...] = ()
    chased: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()


def draft_orders(
    reconciliation: Reconciliation,
    *,
    run_id: str,
    actor: str,
    policy: OrderPolicy,
    time_zone: ZoneInfo,
    change_orders: ChangeOrders,
    clock: Clock,
) -> Drafted:
    """Draft what the comparison asks to order. Safe to repeat, also by two at once: the store takes one draft for each
    account and service, and a draft that moved is looked at again.

    A draft with other figures gets the new ones and is looked at afresh; one that is approved or sent is left alone. A
    draft that the comparison plainly does not need any more is cancelled; where a count is not known it is kept.
    """
    on = local_day(clock.now(), time_zone)
    drafting = _Drafting(reconciliation.period, run_id, actor, policy, on, change_orders, clock)
    needs = {_place(row.order): (row, row.order) for row in reconciliation.rows if row.order is not None}
    done: dict[str, list[str]] = {"drafted": [], "redrafted": [], "kept": [], "cancelled": []}
    obstacles = []
    for place, (row, need) in sorted(needs.items()):
        if need.obstacle:
            obstacles.append((str(need.vendor_id), need.obstacle))
            continue
        what, order_id = drafting.for_need(place, row, need)
        done[what].append(order_id)
    for place, why in sorted(_not_needed(reconciliation, drafting.drafts).items()):
        done["cancelled"].extend(drafting.withdraw(place, why))
    return Drafted(**{what: tuple(sorted(ids)) for what, ids in done.items()}, obstacles=tuple(obstacles))


def note_reads(
    snapshot: Snapshot, *, snapshots: Snapshots, change_orders: ChangeOrders, patience: Patience, clock: Clock
) -> Noted:
    """What a complete read of the vendor says of the open orders, then what the time that went by does. Safe to repeat:
    an order moves on once. Reads the pages of the snapshot only when an order waits for one.
    """
    waiting = {order.place: order for order in change_orders.open() if order.state is not OrderState.DRAFT}
    if not waiting:
        return Noted()
    told = counts_of(snapshots.vendor_pages(snapshot), waiting)
    noted: dict[OrderState | str, list[str]] = {}
    for place, order in sorted(waiting.items()):
        moved = _after(order, told.get(place), snapshot, patience, clock.now())
        if moved is order:
            continue
        what: OrderState | str = moved.state if moved.state is not order.state else "chased"
        if _save_if_unmoved(moved, order, change_orders, snapshot, clock.now()):
            noted.setdefault(what, []).append(order.id)
    return Noted(
        reflected=tuple(noted.get(OrderState.REFLECTED, ())),
        needs_review=tuple(noted.get(OrderState.NEEDS_REVIEW, ())),
        chased=tuple(noted.get("chased", ())),
        expired=tuple(noted.get(OrderState.EXPIRED, ())),
    )


def note_run_read(run_id: str, state: State, patience: Patience, clock: Clock) -> Noted:
    """``note_reads`` on what this run has read of the vendor; nothing when that is not the newest read any more."""
    read = state.snapshots.latest(Side.VENDOR)
    if read is None or read.run_id != run_id:
        return Noted()
    return note_reads(
        read, snapshots=state.snapshots, change_orders=state.change_orders, patience=patience, clock=clock
    )


def orders_outstanding(period: str, *, change_orders: ChangeOrders) -> tuple[ChangeOrder, ...]:
    """The orders of that month and of earlier ones that something is still to come of: drafts that nobody approved are
    not among them, because nothing was decided about them.
    """
    return tuple(
        order for order in change_orders.open() if order.period <= period and order.state is not OrderState.DRAFT
    )


def late_orders(*, change_orders: ChangeOrders, patience: Patience, now: datetime) -> tuple[ChangeOrder, ...]:
    """The submitted orders whose new count should show by now and does not."""
    return tuple(order for order in change_orders.open() if is_late(order, now, patience))


def open_ordered_seats(*, change_orders: ChangeOrders, bills_on_order: bool) -> tuple[OrderedSeats, ...]:
    """What the agreement will hold by orders that were submitted, for a tenant that bills at once; nothing for one that
    bills when the vendor shows it.
    """
    if not bills_on_order:
        return ()
    return tuple(_seats(order) for order in change_orders.open() if order.state is OrderState.SUBMITTED)


def sent_order_seats(*, change_orders: ChangeOrders) -> tuple[OrderedSeats, ...]:
    """What the vendor was asked for and does not show yet, so that nobody asks for it again. Drafts and orders that
    were only approved are not among them.
    """
    return tuple(
        _seats(order)
        for order in change_orders.open()
        if order.was_sent or order.state in {OrderState.NEEDS_REVIEW, OrderState.EXPIRED}
    )


def counts_of(pages: Iterable[VendorPage], places: Iterable[Place]) -> dict[Place, Count]:
    """What the pages tell of these accounts and services; one page in memory at a time. Two different counts of one
    place are no answer, so that place is left out.
    """
    wanted = set(places)
    told: dict[Place, Count] = {}
    contested: set[Place] = set()
    for page in pages:
        for count in page.counts:
            place = (count.account_id, count.service_id)
            if place not in wanted:
                continue
            if place in told and _number(told[place]) != _number(count.count):
                contested.add(place)
            told.setdefault(place, count.count)
    return {place: count for place, count in told.items() if place not in contested}


def checked(order: ChangeOrder, policy: OrderPolicy, on: date) -> ChangeOrder:
    """The order with its checks and notes as they are on that day."""
    return order.with_checks(checks_of(order, policy, on=on), notes_of(order))


def audit_of(order: ChangeOrder, action: str, *, actor: str, at: datetime, why: str = "", run_id: str = "") -> Audit:
    """What the history says of one step of an order."""
    return Audit(
        at=at,
        actor=actor,
        action=f"change order {action}",
        subject=order.id,
        before=f"{order.vendor_id} {order.service_id}: {order.current} seats",
        after=f"{order.target} seats, {order.state.value}",
        why=why,
        evidence=order.approved_checksum or order.checksum,
        run_id=run_id or order.run_id,
    )


class _Drafting:
    """The drafts of one comparison."""

    def __init__(
        self,
        period: str,
        run_id: str,
        actor: str,
        policy: OrderPolicy,
        on: date,
        change_orders: ChangeOrders,
        clock: Clock,
    ) -> None:
        self._period = period
        self._run_id = run_id
        self._actor = actor
        self._policy = policy
        self._orders = change_orders
        self._clock = clock
        self._on = on
        self._open: Mapping[Place, ChangeOrder] = {}
        self._look()

    @property
    def drafts(self) -> tuple[ChangeOrder, ...]:
        """The open ones that nobody approved yet."""
        return tuple(order for order in self._open.values() if order.state is OrderState.DRAFT)

    def for_need(self, place: Place, row: Row, need: OrderNeed) -> tuple[str, str]:
        """What was done for one need, and the order's id."""
        for _ in range(_ATTEMPTS):
            found = self._open.get(place)
            try:
                if found is None:
                    return "drafted", self._draft(row, need).id
                return self._with(found, row, need)
            except Conflict:
                # Somebody else drafted, approved or ended it at the same moment.
                self._look()
        raise VersionConflict(f"others changed the order of {need.vendor_id} {_ATTEMPTS} times in a row")

    def withdraw(self, place: Place, why: str) -> list[str]:
        """Cancel the draft at that place, if there is one; an order that a person has in hand is left alone."""
        for _ in range(_ATTEMPTS):
            found = self._open.get(place)
            if found is None or found.state is not OrderState.DRAFT:
                return []
            at = self._clock.now()
            cancelled = found.cancelled(Signature(self._actor, at), why)
            try:
                self._orders.save(cancelled, self._audit(cancelled, "cancelled", at, why))
            except VersionConflict:
                self._look()
            else:
                return [found.id]
        raise VersionConflict(f"others changed the order of {place[0]} {_ATTEMPTS} times in a row")

    def _with(self, found: ChangeOrder, row: Row, need: OrderNeed) -> tuple[str, str]:
        at = self._clock.now()
        if found.state is not OrderState.DRAFT:
            return "kept", found.id
        reason = _reason(row, need, at)
        if (found.current, found.target) == (need.agreement, need.target):
            if found.run_id != self._run_id:
                again = replace(found, run_id=self._run_id, reason=reason, confirmed_at=at)
                again = checked(again, self._policy, self._on)
                if again.holds != found.holds:
                    # The limits are others now, or a term is over: a release was given for what held it then.
                    again = replace(again, release=None)
                self._orders.save(again, self._audit(again, "still needed", at))
            return "kept", found.id
        fresh = found.redrafted(current=need.agreement, target=need.target, reason=reason, by=self._actor, at=at)
        fresh = checked(replace(fresh, run_id=self._run_id), self._policy, self._on)
        self._orders.save(fresh, self._audit(fresh, "drafted anew", at, f"was {found.current} -> {found.target}"))
        return "redrafted", found.id

    def _draft(self, row: Row, need: OrderNeed) -> ChangeOrder:
        at = self._clock.now()
        names = {(one.vendor_id, one.service_id): (one.vendor_name, one.service_name) for one in row.members}
        vendor_name, service_name = names.get(_place(need), ("", ""))
        order = ChangeOrder(
            id=self._unused_id(_place(need)),
            period=self._period,
            run_id=self._run_id,
            vendor_id=need.vendor_id,
            vendor_name=vendor_name or str(need.vendor_id),
            service_id=need.service_id,
            service_name=service_name or str(need.service_id),
            psa_account_id=row.psa_account_id,
            psa_account_name=row.psa_account_name,
            current=need.agreement,
            target=need.target,
            reason=_reason(row, need, at),
            drafted=Signature(self._actor, at),
            confirmed_at=at,
        )
        terms = replace(
            order.terms, implementation_lead=self._policy.implementation_lead, po_number=self._policy.po_number
        )
        order = checked(replace(order, terms=terms), self._policy, self._on)
        return self._orders.draft(order, self._audit(order, "drafted", at))

    def _unused_id(self, place: Place) -> str:
        """The month, the place as a short hash, and a number that no order of the place has had."""
        stem = f"order-{self._period}-{sha256(list(place))[:8]}"
        number = 1
        while True:
            try:
                self._orders.get(f"{stem}-{number:03d}")
            except NotFound:
                return f"{stem}-{number:03d}"
            number += 1

    def _look(self) -> None:
        self._open = {order.place: order for order in self._orders.open()}

    def _audit(self, order: ChangeOrder, action: str, at: datetime, why: str = "") -> Audit:
        said = why or f"{order.reason.licensed} users licensed"
        return audit_of(order, action, actor=self._actor, at=at, why=said, run_id=self._run_id)


def _after(
    order: ChangeOrder, count: Count | None, snapshot: Snapshot, patience: Patience, now: datetime
) -> ChangeOrder:
    read = order if count is None else after_read(order, count, began_at=snapshot.started_at, at=now)
    return read if read is not order else after_time(order, now, patience)


def _save_if_unmoved(
    moved: ChangeOrder, before: ChangeOrder, change_orders: ChangeOrders, snapshot: Snapshot, at: datetime
) -> bool:
    """Whether it was stored, with the read as its evidence. An order that a person has moved waits for the next one."""
    action = "chased" if moved.state is before.state else moved.state.value.replace("_", " ")
    why = moved.settled_why or moved.remark
    audit = audit_of(moved, action, actor="trueup", at=at, why=why, run_id=snapshot.run_id)
    try:
        change_orders.save(moved, replace(audit, evidence=snapshot.digest))
    except VersionConflict:
        return False
    return True


def _not_needed(reconciliation: Reconciliation, drafts: Iterable[ChangeOrder]) -> dict[Place, str]:
    """Accounts and services that plainly need no order as things stand, with the reason: counts that agree, a need that
    cannot be drafted from, or an account that a person took out of the comparison.
    """
    excluded = {one.vendor_id: one.reason for one in reconciliation.excluded}
    found = {
        order.place: f"the account was excluded: {excluded[order.vendor_id]}"
        for order in drafts
        if order.vendor_id in excluded
    }
    for row in reconciliation.rows:
        if row.order is not None:
            if row.order.obstacle:
                found[_place(row.order)] = f"it cannot be ordered as things stand: {row.order.obstacle}"
            continue
        agreement, licensed = row.counts.agreement, row.counts.licensed
        if isinstance(agreement, Known) and isinstance(licensed, Known) and agreement.seats == licensed.seats:
            why = f"agreement and licensed count are both {agreement.seats}"
            found.update(((member.vendor_id, member.service_id), why) for member in row.members)
    return found


def _reason(row: Row, need: OrderNeed, at: datetime) -> OrderReason:
    licensed = row.counts.licensed
    if not isinstance(licensed, Known):
        return OrderReason(need.target, at)
    policies = [one for one in licensed.evidence if one.source == "counting policy"]
    named = ", ".join(sorted({f"{one.reference} {one.key}" for one in policies}))
    return OrderReason(licensed.seats, licensed.as_of, named)


def _place(need: OrderNeed) -> Place:
    return need.vendor_id, need.service_id


def _seats(order: ChangeOrder) -> OrderedSeats:
    return OrderedSeats(order.vendor_id, order.service_id, order.target, order.id)


def _number(count: Count) -> int | None:
    return count.seats if isinstance(count, Known) else None
