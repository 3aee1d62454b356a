"""An approved order through the vendor's API: posted once at most, whatever is answered, and then looked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from tests.domain.order_samples import draft, submitted
from tests.fakes.clock import FakeClock
from tests.fakes.orders import FakeOrders
from tests.fakes.state import FakeState, fake_state
from tests.fakes.vendor import FakeVendor
from tests.usecases.office import Office
from trueup.domain.audit import Audit
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.counts import Basis, Count, Known, Missing, Seats
from trueup.domain.errors import (
    ConfigurationInvalid,
    Conflict,
    CredentialRejected,
    InputInvalid,
    LeaseHeld,
    NotFound,
    RateLimited,
    TrueupError,
    VendorUnavailable,
)
from trueup.domain.order_parts import AnswerKind, OrderAnswer, OrderState, RequestState, RequestStatus, Signature
from trueup.usecases.order_submission import OrderGate, fresh_count, open_order_gate, send_order

ACCOUNT, SERVICE = "C1", "9702"
NO_ANSWER = OrderAnswer(AnswerKind.UNKNOWN, "no answer in time")
REFUSED = OrderAnswer(AnswerKind.REFUSED, "another order is open")


@dataclass
class Desk:
    """One approved order, from 40 to 44 seats, and a vendor whose count can be set."""

    clock: FakeClock = field(default_factory=FakeClock)
    seats: int | Count = 40
    orders: FakeOrders = field(default_factory=FakeOrders)

    def __post_init__(self) -> None:
        self.state: FakeState = fake_state(self.clock)
        self.vendor = FakeVendor(self.clock, page_size=1)
        self.vendor.add_account("A0", "Somebody else", 3, service_id=SERVICE)
        self.vendor.add_account(ACCOUNT, "Birch & Bloom", 40, service_id=SERVICE)
        self.vendor.on_page = lambda _start: self.vendor.sets(ACCOUNT, self.seats, SERVICE)
        now = self.clock.now()
        made = replace(draft(), drafted=Signature("ann", now), confirmed_at=now)
        self.save(
            self.state.change_orders.draft(made, self.audit(made)).approved_by(made.checksum, Signature("bob", now))
        )
        self.clock.advance(60)

    def audit(self, order: ChangeOrder) -> Audit:
        return Audit(self.clock.now(), "test", "change order set", order.id)

    def save(self, order: ChangeOrder) -> ChangeOrder:
        return self.state.change_orders.save(order, self.audit(order))

    @property
    def order(self) -> ChangeOrder:
        return self.state.change_orders.get(draft().id)

    def send(self, *, owner: str = "me", acknowledged: bool = True) -> ChangeOrder:
        self.clock.advance(1)
        return send_order(
            draft().id,
            actor="bob",
            agreement_acknowledged=acknowledged,
            owner=owner,
            gate=OrderGate(self.vendor, self.orders),
            change_orders=self.state.change_orders,
            leases=self.state.leases,
            clock=self.clock,
        )

    def actions(self) -> list[str]:
        return [event.audit.action.removeprefix("change order ") for event in self.state.history.all()][2:]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def becomes(desk: Desk, seats: int | Count) -> Callable[[object], None]:
    def change(_ask: object) -> None:
        desk.seats = seats

    return change


class TestSending:
    def test_it_is_quoted_marked_and_posted_once(self, desk: Desk) -> None:
        sent = desk.send()
        assert (sent.state, sent.submitted is not None and sent.submitted.by) == (OrderState.SUBMITTED, "bob")
        (ask,) = desk.orders.quotes
        assert (ask.expected, ask.target, ask.delta, ask.reference) == (40, 44, 4, sent.id)
        assert desk.orders.orders == [(ask, "ref-1")]
        assert desk.actions() == ["being quoted", "quoted", "about to be posted", "submitted", "status read"]
        assert sent.sending is not None
        assert (sent.sending.request_id, sent.sending.status) == ("ref-1", "in_progress")

    def test_sent_again_it_is_only_looked_for(self, desk: Desk) -> None:
        desk.send()
        assert desk.send().state is OrderState.SUBMITTED
        desk.seats = 44
        assert desk.send().state is OrderState.REFLECTED
        with pytest.raises(Conflict, match="reflected"):
            desk.send()
        assert len(desk.orders.orders) == 1

    def test_a_count_that_moved_stops_it_with_the_figures(self, desk: Desk) -> None:
        desk.seats = 41
        with pytest.raises(Conflict, match="from 40 to 44 seats, and read just now, the agreement has 41 now"):
            desk.send()
        assert desk.orders.quotes == []
        assert desk.order.state is OrderState.APPROVED

    def test_a_count_that_is_there_already_needs_no_order(self, desk: Desk) -> None:
        desk.seats = 44
        assert desk.send().state is OrderState.REFLECTED
        assert desk.orders.quotes == []

    def test_a_count_that_is_not_known_orders_nothing(self, desk: Desk) -> None:
        now = desk.clock.now()
        for unknown, why in (
            (Missing("not told"), "not told"),
            (Known(Seats(40), Basis.CONTRACT, now + timedelta(hours=1), conflict="two say"), "two say"),
            (Known(Seats(40), Basis.MANUAL_FILE, now - timedelta(days=3)), "from a file"),
        ):
            desk.seats = unknown
            with pytest.raises(Conflict, match=why):
                desk.send()
        desk.vendor.removes(ACCOUNT)
        desk.vendor.on_page = None
        with pytest.raises(Conflict, match="does not list"):
            desk.send()
        assert desk.orders.quotes == []

    def test_nobody_orders_without_a_word_on_the_agreement(self, desk: Desk) -> None:
        with pytest.raises(InputInvalid) as refused:
            desk.send(acknowledged=False)
        assert refused.value.field == "agreement_acknowledged"
        assert desk.orders.quotes == []

    @pytest.mark.parametrize("steps", [0, 2])
    def test_only_an_approved_order_is_sent(self, desk: Desk, steps: int) -> None:
        desk.state = fake_state(desk.clock)
        made = desk.state.change_orders.draft(draft(), desk.audit(draft()))
        if steps:
            desk.save(replace(submitted(), version=made.version, state=OrderState.CANCELLED))
        with pytest.raises(Conflict):
            desk.send()
        assert desk.orders.quotes == []
        with pytest.raises(NotFound):
            desk.state.change_orders.get("no such order")

    def test_two_at_once_are_refused(self, desk: Desk) -> None:
        desk.state.leases.acquire(f"order {draft().id}", owner="another", seconds=300)
        with pytest.raises(LeaseHeld):
            desk.send()
        assert desk.orders.quotes == []


class TestAnswers:
    @pytest.mark.parametrize("which", ["quote_answers", "order_answers"])
    def test_a_plain_no_rejects_the_order(self, desk: Desk, which: str) -> None:
        getattr(desk.orders, which).append(REFUSED)
        order = desk.send()
        assert (order.state, order.settled_why, order.is_open) == (OrderState.REJECTED, REFUSED.reason, False)

    def test_a_quote_that_got_lost_is_asked_for_again(self, desk: Desk) -> None:
        desk.orders.quote_answers.append(NO_ANSWER)
        with pytest.raises(VendorUnavailable, match="nothing was ordered"):
            desk.send()
        assert desk.send().state is OrderState.SUBMITTED
        assert (len(desk.orders.quotes), len(desk.orders.orders)) == (2, 1)

    @pytest.mark.fault("T6")
    def test_T6_no_answer_and_the_count_is_there(self, desk: Desk) -> None:
        desk.orders.order_answers.append(NO_ANSWER)
        desk.orders.on_order = becomes(desk, 44)
        assert desk.send().state is OrderState.REFLECTED

    @pytest.mark.fault("T6")
    def test_T6_no_answer_and_the_old_count_needs_a_person_and_is_never_posted_again(self, desk: Desk) -> None:
        desk.orders.order_answers.append(NO_ANSWER)
        assert desk.send().state is OrderState.NEEDS_REVIEW
        assert desk.send().state is OrderState.NEEDS_REVIEW
        desk.seats = 44
        assert desk.send().state is OrderState.REFLECTED
        assert len(desk.orders.orders) == 1

    @pytest.mark.fault("T6")
    def test_T6_no_answer_and_no_read_needs_a_person(self, desk: Desk) -> None:
        desk.orders.order_answers.append(NO_ANSWER)
        away = VendorUnavailable("away", integration="mimecast")
        desk.orders.on_order = lambda _ask: desk.vendor.fail_always("read_page", away)
        assert desk.send().state is OrderState.NEEDS_REVIEW

    def test_no_answer_and_another_count_needs_a_person(self, desk: Desk) -> None:
        desk.orders.order_answers.append(NO_ANSWER)
        desk.orders.on_order = becomes(desk, 42)
        order = desk.send()
        assert order.state is OrderState.NEEDS_REVIEW
        assert "42 seats" in order.remark

    @pytest.mark.parametrize("which", ["quote_answers", "order_answers"])
    def test_a_429_is_waited_for_and_the_count_read_again(self, desk: Desk, which: str) -> None:
        getattr(desk.orders, which).append(RateLimited("wait", integration="mimecast", wait_seconds=5))
        assert desk.send().state is OrderState.SUBMITTED
        assert desk.clock.sleeps == [5]
        assert desk.vendor.calls["read_page"] == 4, "two pages, twice"

    def test_a_429_after_which_the_count_moved_stops_it(self, desk: Desk) -> None:
        desk.orders.order_answers.append(RateLimited("wait", integration="mimecast", wait_seconds=5))
        desk.orders.on_order = becomes(desk, 43)
        with pytest.raises(Conflict, match="43 now"):
            desk.send()
        assert (desk.order.state, desk.order.was_sent) == (OrderState.APPROVED, False)

    @pytest.mark.parametrize("wait_seconds", [5.0, 3600.0])
    def test_a_429_that_lasts_is_told_and_the_order_may_be_sent_later(self, desk: Desk, wait_seconds: float) -> None:
        limited = [RateLimited("wait", integration="mimecast", wait_seconds=wait_seconds) for _ in range(9)]
        desk.orders.order_answers = [*limited]
        with pytest.raises(RateLimited):
            desk.send()
        assert (desk.order.state, desk.order.was_sent) == (OrderState.APPROVED, False)
        desk.orders.order_answers.clear()
        assert desk.send().state is OrderState.SUBMITTED

    @pytest.mark.parametrize(
        "trouble",
        [
            VendorUnavailable("no connection", integration="mimecast"),
            CredentialRejected("no", integration="mimecast", status=401),
        ],
    )
    def test_what_surely_was_not_taken_may_be_sent_again(self, desk: Desk, trouble: TrueupError) -> None:
        desk.orders.order_answers.append(trouble)
        with pytest.raises(type(trouble)):
            desk.send()
        assert (desk.order.state, desk.order.was_sent) == (OrderState.APPROVED, False)
        assert desk.send().state is OrderState.SUBMITTED

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (RequestStatus(RequestState.COMPLETED, "completed", "SO-9"), OrderState.SUBMITTED),
            (RequestStatus(RequestState.UNKNOWN, "parked"), OrderState.SUBMITTED),
            (RequestStatus(RequestState.REJECTED, "rejected", reason="price list"), OrderState.REJECTED),
            (VendorUnavailable("away", integration="mimecast"), OrderState.SUBMITTED),
        ],
    )
    def test_the_vendors_word_proves_nothing_but_a_no(
        self, desk: Desk, status: RequestStatus | Exception, expected: OrderState
    ) -> None:
        desk.orders.status_answer = status
        order = desk.send()
        assert order.state is expected
        if isinstance(status, RequestStatus):
            assert order.sending is not None
            assert order.sending.status == status.word
            assert order.order_number == status.order_number


def test_a_read_that_finds_it_while_it_is_answered_stands(desk: Desk) -> None:
    def reflected(_ask: object) -> None:
        desk.seats = 44
        order = desk.order
        desk.save(order.ended(OrderState.REFLECTED, Signature("", desk.clock.now()), "read: 44 seats"))

    desk.orders.on_order = reflected
    assert desk.send().state is OrderState.REFLECTED
    assert len(desk.orders.orders) == 1


@pytest.mark.parametrize("settled", [False, True])
def test_a_sender_that_slept_after_its_mark_posts_nothing(desk: Desk, settled: bool) -> None:
    """Whether or not a person has settled the order meanwhile, who then counts."""
    save = desk.state.change_orders.save

    def slept(order: ChangeOrder, audit: Audit) -> ChangeOrder:
        stored = save(order, audit)
        if audit.action == "change order about to be posted":
            desk.clock.advance(1000)
            if settled:
                unclear = save(stored.unclear("nobody was heard of", desk.clock.now()), audit)
                save(unclear.resolved(OrderState.CANCELLED, Signature("ann", desk.clock.now()), "no order"), audit)
        return stored

    object.__setattr__(desk.state.change_orders, "save", slept)
    with pytest.raises(Conflict, match="60 seconds"):
        desk.send()
    assert desk.orders.orders == []
    assert (desk.order.state, desk.order.was_sent) == (
        (OrderState.CANCELLED, True) if settled else (OrderState.APPROVED, False)
    )


def test_a_fresh_count_reads_no_further_than_the_account(desk: Desk) -> None:
    desk.vendor.add_account("Z9", "Last", 1, service_id=SERVICE)
    count = fresh_count(desk.vendor, draft().place)
    assert isinstance(count, Known)
    assert (count.seats, desk.vendor.calls["read_page"]) == (40, 2)


class TestTheGate:
    def open(self, office: Office, *, enabled: bool) -> OrderGate:
        return open_order_gate(
            enabled=enabled,
            integrations=office.state.integrations,
            vault=office.vault,
            connections=office.connections,
            uploads=office.state.uploads,
        )

    def test_it_is_shut_unless_the_tenant_opens_it(self, month: Office) -> None:
        month.connections.orders = FakeOrders()
        with pytest.raises(ConfigurationInvalid, match="assumed and not documented"):
            self.open(month, enabled=False)
        gate = self.open(month, enabled=True)
        assert (gate.vendor, gate.submission) == (month.vendor, month.connections.orders)

    def test_a_vendor_without_such_an_api_is_told(self, month: Office) -> None:
        with pytest.raises(InputInvalid, match="takes no orders"):
            self.open(month, enabled=True)
