"""Send an approved change order through the vendor's API, once, and find out what became of it by reading.

Method: read the count, have it quoted, store that the order is about to be posted, post it once, record the answer. A
crash anywhere is mended by calling again: an order that may have been posted is never posted again; it is looked for.
Off unless the tenant switches it on: that the vendor's API takes a change of seats is assumed and not documented.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from trueup.domain.change_orders import ChangeOrder
from trueup.domain.counts import Basis, Count, Known, Missing
from trueup.domain.errors import (
    ConfigurationInvalid,
    Conflict,
    RateLimited,
    ReadIncomplete,
    VendorTrouble,
    VendorUnavailable,
    VersionConflict,
)
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.order_parts import AnswerKind, OrderAnswer, OrderAsk, OrderState, Place, RequestState, Signature
from trueup.domain.order_tracking import after_read
from trueup.ports.change_orders import ChangeOrders
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.orders import OrderSubmission
from trueup.ports.state import Integrations, Leases, Uploads
from trueup.ports.vault import Vault
from trueup.ports.vendor import VendorBilling
from trueup.usecases.change_orders import audit_of, counts_of
from trueup.usecases.customer_file import kept_customer_file
from trueup.usecases.opening import connected, open_vendor, stored_fields
from trueup.usecases.reading import PAGES_MAXIMUM

LEASE_SECONDS = 300
WAIT_SECONDS_MAXIMUM = 60.0
"""How long the vendor may ask to wait before an order is given back to whoever sends it."""

POST_WITHIN = timedelta(seconds=60)
"""So long after its mark an order may be posted; a lease lasts longer, and a person is asked for later still."""

_WAITS_MAXIMUM = 3
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class OrderGate:
    """The vendor as it is needed to order: a fresh look at the count, and the API that takes orders."""

    vendor: VendorBilling
    submission: OrderSubmission


def open_order_gate(
    *, enabled: bool, integrations: Integrations, vault: Vault, connections: Connections, uploads: Uploads
) -> OrderGate:
    """The connected vendor. Raises ConfigurationInvalid while orders by API are switched off, NotConnected, and
    InputInvalid for a vendor without such an API.
    """
    if not enabled:
        raise ConfigurationInvalid(
            "orders through the Mimecast API are switched off; that it takes them is assumed and not documented",
            remedy="Type the order into the partner portal (trueup orders show ID), or switch the API on after a "
            "supervised trial: TRUEUP_ORDERS_API=true.",
        )
    integration = connected(Side.VENDOR, integrations)
    file = kept_customer_file(integration.name, uploads=uploads)
    vendor = open_vendor(integrations=integrations, vault=vault, connections=connections, customer_file=file)
    fields = stored_fields(integration, vault)
    return OrderGate(vendor, connections.order_submission(integration.name, integration.address, fields))


def send_order(
    order_id: str,
    *,
    actor: str,
    agreement_acknowledged: bool,
    owner: str,
    gate: OrderGate,
    change_orders: ChangeOrders,
    leases: Leases,
    clock: Clock,
    wait_seconds_maximum: float = WAIT_SECONDS_MAXIMUM,
) -> ChangeOrder:
    """Send it, or find out what became of it when it was sent before. Calling it again never sends it again.

    ``owner`` names this very execution: two at once are refused. A vendor that asks to wait longer than
    ``wait_seconds_maximum`` is not waited for. Raises NotFound, LeaseHeld, Conflict when it is not
    approved or the count moved (with the figures), InputInvalid without the word on the agreement, and VendorTrouble of
    any kind only when surely nothing was ordered.
    """
    lease = f"order {order_id}"
    hold = partial(leases.acquire, lease, owner=owner, seconds=LEASE_SECONDS)
    hold()
    try:
        sender = _Sender(actor, gate, change_orders, clock, hold)
        order = change_orders.get(order_id)
        if order.was_sent or order.state in {OrderState.NEEDS_REVIEW, OrderState.EXPIRED}:
            return sender.find_out(order)
        return sender.send(order, agreement_acknowledged, wait_seconds_maximum)
    finally:
        leases.release(lease, owner=owner)


def fresh_count(vendor: VendorBilling, place: Place) -> Count:
    """What the vendor says of one account and service right now, by the same read that a sync makes, up to the page
    that holds the account. Raises what a page raises, ReadIncomplete when the pages do not end.
    """
    cursor: str | None = None
    for _ in range(PAGES_MAXIMUM):
        page = vendor.read_page(cursor)
        if any(account.id == place[0] for account in page.accounts):
            return counts_of([page], [place]).get(place, Missing("the vendor tells no one number for it"))
        if page.next_cursor is None:
            return Missing("the vendor does not list the account")
        cursor = page.next_cursor
    raise ReadIncomplete("the vendor's list of accounts does not end", integration=IntegrationName.MIMECAST)


class _Sender:
    """One order on its way."""

    def __init__(
        self, actor: str, gate: OrderGate, change_orders: ChangeOrders, clock: Clock, hold: Callable[[], object]
    ) -> None:
        self._actor = actor
        self._gate = gate
        self._orders = change_orders
        self._clock = clock
        self._hold = hold

    def send(self, order: ChangeOrder, agreement_acknowledged: bool, wait_seconds_maximum: float) -> ChangeOrder:
        """A 429 is documented as not executed, so it alone is waited for, a bounded number of times; the count is read
        again after every wait.
        """
        for attempt in range(_WAITS_MAXIMUM + 1):
            try:
                return self._try(order, agreement_acknowledged=agreement_acknowledged)
            except RateLimited as limited:
                if attempt == _WAITS_MAXIMUM or limited.wait_seconds > wait_seconds_maximum:
                    raise
                self._clock.sleep(limited.wait_seconds)
                self._hold()
                order = self._orders.get(order.id)
        raise AssertionError("the last attempt returns or raises")

    def find_out(self, order: ChangeOrder) -> ChangeOrder:
        """What became of an order that may be at the vendor: its own word where there is a request, then the count."""
        if not order.is_open:
            raise Conflict(f"order {order.id} is {order.state.value}", remedy="Nothing is open about it.")
        sending = order.sending
        if sending is not None and sending.request_id:
            order = self._with_status(order)
            if not order.is_open:
                return order
        began_at = self._clock.now()
        seen = after_read(order, fresh_count(self._gate.vendor, order.place), began_at=began_at, at=self._clock.now())
        if seen is not order:
            return self._save(seen, seen.state.value.replace("_", " "), seen.settled_why)
        if order.state is OrderState.APPROVED:
            why = "it was about to be posted when the sender stopped, and the agreement still has its old count"
            return self._save(order.unclear(why, self._clock.now()), "needs review", why)
        return order

    def _try(self, order: ChangeOrder, *, agreement_acknowledged: bool) -> ChangeOrder:
        signature = Signature(self._actor, self._clock.now())
        if order.state is not OrderState.APPROVED:
            # Said before anything is read: the order's own words name the state it is in.
            order.sending_begun(signature, current=order.current, agreement_acknowledged=agreement_acknowledged)
        began_at = self._clock.now()
        count = fresh_count(self._gate.vendor, order.place)
        if doubt := _doubt(count, began_at):
            raise Conflict(
                f"the count of {order.vendor_id} is not known right now: {doubt}",
                remedy="Nothing was sent. Send it again once the vendor tells one number.",
            )
        assert isinstance(count, Known)
        if count.seats == order.target:
            seen = after_read(order, count, began_at=began_at, at=self._clock.now())
            return self._save(seen, "reflected", seen.settled_why)
        begun = order.sending_begun(signature, current=count.seats, agreement_acknowledged=agreement_acknowledged)
        order = self._save(begun, "being quoted", f"{count.seats} seats read just now")
        ask = _ask(order, count)
        quote = self._gate.submission.quote(ask)
        if quote.kind is AnswerKind.REFUSED:
            return self._save(order.refused(self._clock.now(), quote.reason), "rejected", quote.reason)
        if quote.kind is AnswerKind.UNKNOWN:
            raise VendorUnavailable(
                f"the quote was not answered ({quote.reason}); nothing was ordered",
                integration=IntegrationName.MIMECAST,
                remedy="Send the order again: a quote orders nothing.",
            )
        order = self._save(order.quoted(quote.reference), "quoted", f"quote {quote.reference}")
        return self._post(order, ask)

    def _post(self, order: ChangeOrder, ask: OrderAsk) -> ChangeOrder:
        """The one call that orders, with its mark stored before."""
        assert order.sending is not None
        quote_id = order.sending.quote_id
        self._hold()
        marked = order.order_begun(self._clock.now())
        order = self._save(marked, "about to be posted", f"{ask.expected} {ask.delta:+d} seats")
        self._require_prompt(order)
        try:
            answer = self._gate.submission.order(ask, quote_id)
        except VendorTrouble as trouble:
            why = trouble.message
            self._record(order, lambda now: now.order_not_taken(why), "not taken", why)
            raise
        if answer.kind is AnswerKind.REFUSED:
            at = self._clock.now()
            return self._record(order, lambda now: now.refused(at, answer.reason), "rejected", answer.reason)
        if answer.kind is AnswerKind.UNKNOWN:
            return self._unanswered(order, answer)
        order = self._record(order, partial(self._taken, answer=answer), "submitted", answer.reason)
        return self._with_status(order) if order.state is OrderState.SUBMITTED and answer.reference else order

    def _require_prompt(self, order: ChangeOrder) -> None:
        """Raises Conflict, with nothing posted, when the process stood still after the mark (a laptop that slept): by
        now somebody else may have settled the order and made another one.
        """
        begun_at = order.sending.order_begun_at if order.sending is not None else None
        if begun_at is not None and self._clock.now() - begun_at > POST_WITHIN:
            why = f"more than {POST_WITHIN.seconds} seconds went by before it could be posted"
            self._record(order, lambda now: now.order_not_taken(why), "not taken", why)
            raise Conflict(f"order {order.id} was not sent: {why}", remedy="Send it again.")

    def _taken(self, order: ChangeOrder, *, answer: OrderAnswer) -> ChangeOrder:
        return order.order_taken(self._clock.now(), request_id=answer.reference, order_number=answer.order_number)

    def _unanswered(self, order: ChangeOrder, answer: OrderAnswer) -> ChangeOrder:
        """Reading alone says more: the target is there, or a person has to look."""
        began_at = self._clock.now()
        try:
            count: Count = fresh_count(self._gate.vendor, order.place)
        except VendorTrouble as trouble:
            count = Missing(trouble.message)

        def step(now: ChangeOrder) -> ChangeOrder:
            seen = after_read(now, count, began_at=began_at, at=self._clock.now())
            return seen if seen is not now else now.unclear(answer.reason, self._clock.now())

        return self._record(order, step, "not answered", answer.reason)

    def _with_status(self, order: ChangeOrder) -> ChangeOrder:
        """The vendor's word on its request. Not to have it is no trouble: reads decide in the end."""
        assert order.sending is not None
        try:
            status = self._gate.submission.status(order.sending.request_id)
        except VendorTrouble:
            return order
        told = order.with_status(status.word, order_number=status.order_number)
        if status.state is RequestState.REJECTED:
            why = status.reason or f"the vendor says {status.word}"
            return self._save(told.refused(self._clock.now(), why), "rejected", why)
        return order if told == order else self._save(told, "status read", status.word)

    def _record(
        self, order: ChangeOrder, step: Callable[[ChangeOrder], ChangeOrder], action: str, why: str
    ) -> ChangeOrder:
        """Store what became of the post. Where somebody moved the order meanwhile, it is taken up as it is now: only a
        read can have moved it, and what a read found stands.
        """
        for _ in range(_ATTEMPTS):
            try:
                return self._save(step(order), action, why)
            except VersionConflict:
                order = self._orders.get(order.id)
                if order.state is not OrderState.APPROVED:
                    return order
        raise VersionConflict(f"others changed order {order.id} {_ATTEMPTS} times in a row")

    def _save(self, order: ChangeOrder, action: str, why: str) -> ChangeOrder:
        audit = audit_of(order, action, actor=self._actor, at=self._clock.now(), why=why)
        return self._orders.save(order, audit)


def _ask(order: ChangeOrder, count: Known) -> OrderAsk:
    assert order.sending is not None
    contracts = [one.reference for one in count.evidence if one.reference] if count.basis is Basis.CONTRACT else []
    return OrderAsk(
        reference=order.id,
        vendor_id=order.vendor_id,
        service_id=order.service_id,
        expected=order.sending.expected,
        target=order.target,
        delta=order.sending.delta,
        po_number=order.terms.po_number,
        contract_reference=contracts[0] if len(contracts) == 1 else "",
    )


def _doubt(count: Count, began_at: datetime) -> str:
    """Why nothing can be worked out from this count; empty when it can."""
    if not isinstance(count, Known):
        return count.reason
    if count.as_of < began_at:
        return f"the newest number is of {count.as_of:%Y-%m-%d}, from a file"
    return count.conflict or ""
