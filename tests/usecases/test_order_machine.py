"""Orders under anything that may happen in any order: comparisons, people, a vendor that answers or not, reads, time.

Method: a Hypothesis state machine on the real use cases. The vendor of the model adds the difference of every order it
took, whenever it likes; people tell the truth about what they see in its portal. Whatever happens, it never has two
orders of ours at a time, and an order counts as reflected only when the last look showed its target.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.contracts.state_samples import known, reconciliation, row, vendor_page
from tests.fakes.clock import FakeClock
from tests.fakes.orders import FakeOrders
from tests.fakes.state import fake_state
from tests.fakes.vendor import FakeVendor
from trueup.domain.accounts import ServiceCount, ServiceId, VendorAccountId
from trueup.domain.audit import first_broken
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.counts import Basis, Known, Missing, Seats
from trueup.domain.errors import Conflict, RateLimited, VendorUnavailable
from trueup.domain.integrations import Side
from trueup.domain.order_checks import OrderPolicy
from trueup.domain.order_parts import AnswerKind, OrderAnswer, OrderState, Place
from trueup.domain.order_tracking import Patience
from trueup.domain.runs import Snapshot
from trueup.domain.verdicts import OrderNeed, RowCounts, Verdict
from trueup.usecases import order_decisions
from trueup.usecases.change_orders import draft_orders, note_reads
from trueup.usecases.order_submission import OrderGate, send_order

PLACE: Place = (VendorAccountId("C1"), ServiceId("s"))
POLICY = OrderPolicy(change_seats=1000)
ANSWERS: tuple[OrderAnswer | Exception, ...] = (
    OrderAnswer(AnswerKind.TAKEN, "taken", "ref-1"),
    OrderAnswer(AnswerKind.REFUSED, "no"),
    OrderAnswer(AnswerKind.UNKNOWN, "no answer"),
    RateLimited("wait", integration="mimecast", wait_seconds=3600),
    VendorUnavailable("away", integration="mimecast"),
)
seats = st.integers(min_value=1, max_value=12)


class Killed(BaseException):
    """The process is gone."""


class Orders(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.state = fake_state(self.clock)
        self.agreed = 5
        self.taken: list[int] = []
        """Differences that the vendor has taken and not booked."""
        self.reflected: set[str] = set()
        self.posted: set[str] = set()
        """Orders that the vendor may have."""
        self.vendor = FakeVendor(self.clock)
        self.vendor.add_account("C1", "Client 1", service_id="s")
        self.vendor.on_page = lambda _start: self.vendor.sets("C1", self.agreed, "s")
        self.runs = 0

    def tick(self, **time: float) -> None:
        self.clock.advance(timedelta(**(time or {"minutes": 7})).total_seconds())

    @property
    def open(self) -> ChangeOrder | None:
        found = self.state.change_orders.open()
        return found[0] if found else None

    def is_in(self, *states: OrderState) -> bool:
        return self.open is not None and self.open.state in states

    # What happens.

    @rule(licensed=seats, is_known=st.booleans())
    def compare(self, licensed: int, is_known: bool) -> None:
        self.tick()
        self.runs += 1
        need = OrderNeed(*PLACE, self.agreed, licensed) if is_known and licensed != self.agreed else None
        counts = RowCounts(known(self.agreed), known(licensed) if is_known else Missing("not read"), Missing("no line"))
        draft_orders(
            reconciliation((replace(row(1, Verdict.ORDER_MORE), counts=counts, order=need),)),
            run_id=f"run-{self.runs}",
            actor="schedule",
            policy=POLICY,
            time_zone=ZoneInfo("UTC"),
            change_orders=self.state.change_orders,
            clock=self.clock,
        )

    @precondition(lambda self: self.is_in(OrderState.DRAFT))
    @rule()
    def approve(self) -> None:
        self.tick()
        order = self.open
        assert order is not None
        if order.is_held:
            order = order_decisions.release_order(
                order.id, reason="real", actor="ann", change_orders=self.state.change_orders, clock=self.clock
            )
        with suppress(Conflict):  # Asked for too long ago: the next comparison asks again or cancels it.
            order_decisions.approve_order(
                order.id,
                checksum=order.checksum,
                actor="bob",
                two_person_approval=True,
                change_orders=self.state.change_orders,
                api_keys=self.state.api_keys,
                clock=self.clock,
            )

    @precondition(lambda self: self.is_in(OrderState.APPROVED) and not self.open.was_sent)
    @rule()
    def type_in(self) -> None:
        """A person types it in once and marks it; the portal shows the person the count as it is."""
        self.tick()
        order = self.open
        assert order is not None
        if self.agreed != order.current:
            return
        try:
            order_decisions.mark_submitted(
                order.id,
                order_number="SO-1",
                actor="dana",
                agreement_acknowledged=True,
                change_orders=self.state.change_orders,
                snapshots=self.state.snapshots,
                clock=self.clock,
                downsell_deadline=self.clock.now().date() if order.delta < 0 else None,
            )
        except Conflict:
            # The last read shows another count than the portal: the person waits for the next one.
            return
        self.taken.append(order.delta)

    @precondition(lambda self: self.open is not None and self.open.state is not OrderState.DRAFT)
    @rule(
        answer=st.sampled_from(ANSWERS),
        is_carried_out=st.booleans(),
        dies_at=st.none() | st.tuples(st.integers(0, 5), st.sampled_from(["before", "after"])),
    )
    def send(
        self,
        answer: OrderAnswer | Exception,
        is_carried_out: bool,
        dies_at: tuple[int, Literal["before", "after"]] | None,
    ) -> None:
        """Through the API; the sender may die at any of its writes."""
        self.tick()
        order = self.open
        assert order is not None
        api = FakeOrders(order_answers=[answer])
        takes = isinstance(answer, OrderAnswer) and (
            answer.kind is AnswerKind.TAKEN or (answer.kind is AnswerKind.UNKNOWN and is_carried_out)
        )
        api.on_order = lambda ask: self.taken.append(ask.delta) if takes else None
        if dies_at is not None:
            self.state.switches.fail("change_orders.save", Killed(), when=dies_at[1], skip=dies_at[0])
        with suppress(Conflict, RateLimited, VendorUnavailable, Killed):
            send_order(
                order.id,
                actor="bob",
                agreement_acknowledged=True,
                owner="me",
                gate=OrderGate(self.vendor, api),
                change_orders=self.state.change_orders,
                leases=self.state.leases,
                clock=self.clock,
            )
        self.state.switches.heal()
        assert len(api.orders) <= (order.id not in self.posted), "what was posted is never posted again"
        if api.orders and not isinstance(answer, Exception):
            self.posted.add(order.id)
        self.note(order.id, self.agreed)

    @precondition(lambda self: bool(self.taken))
    @rule()
    def book(self) -> None:
        """The vendor carries out what it took."""
        self.agreed = max(self.agreed + self.taken.pop(0), 0)

    @rule(change=st.sampled_from([-1, 1]))
    def edit(self, change: int) -> None:
        """Somebody else changes the agreement; that it was to the target of an order on its way, no read could tell."""
        edited = max(self.agreed + change, 0)
        if not (self.taken and self.open is not None and self.open.target == edited):
            self.agreed = edited

    @rule(tells=st.booleans())
    def read(self, tells: bool) -> None:
        self.tick()
        now = self.clock.now()
        count = Known(Seats(self.agreed), Basis.CONTRACT, now) if tells else Missing("not told")
        page = replace(vendor_page(), counts=(ServiceCount(*PLACE, count),))
        address = self.state.snapshots.add_page(Side.VENDOR, page)
        name = f"read-{now.isoformat()}"
        snapshot = Snapshot(name, Side.VENDOR, "2026-09", name, now, now, (address,), "d" * 64, 1, 1)
        self.state.snapshots.complete(snapshot, None)
        noted = note_reads(
            snapshot,
            snapshots=self.state.snapshots,
            change_orders=self.state.change_orders,
            patience=Patience(),
            clock=self.clock,
        )
        for order_id in noted.reflected:
            assert tells
            self.note(order_id, self.agreed)

    def note(self, order_id: str, shown: int) -> None:
        """Reflected only by a look that showed the target."""
        order = self.state.change_orders.get(order_id)
        if order.state is OrderState.REFLECTED and order_id not in self.reflected:
            assert shown == order.target
            self.reflected.add(order_id)

    @rule(days=st.sampled_from([1, 6, 31]))
    def wait(self, days: int) -> None:
        self.tick(days=days)

    @precondition(lambda self: self.is_in(OrderState.DRAFT, OrderState.APPROVED, OrderState.SUBMITTED))
    @rule()
    def cancel(self) -> None:
        """Somebody who submitted it cancels it in the portal first."""
        order = self.open
        assert order is not None
        try:
            order_decisions.cancel_order(
                order.id, reason="not wanted", actor="ann", change_orders=self.state.change_orders, clock=self.clock
            )
        except Conflict:
            assert order.was_sent
            return
        self.taken.clear()

    @precondition(lambda self: self.is_in(OrderState.NEEDS_REVIEW, OrderState.EXPIRED))
    @rule()
    def resolve(self) -> None:
        """A person looks at the portal, and says what is there."""
        self.tick()
        order = self.open
        assert order is not None
        order_decisions.resolve_order(
            order.id,
            outcome="submitted" if self.taken else "cancelled",
            reason="looked",
            actor="ann",
            change_orders=self.state.change_orders,
            clock=self.clock,
        )

    # What holds.

    @invariant()
    def one_order_at_a_time(self) -> None:
        assert len(self.state.change_orders.open()) <= 1
        assert len(self.taken) <= 1, "the vendor has two orders of ours"

    @invariant()
    def nothing_is_under_way_that_nobody_watches(self) -> None:
        if self.taken:
            assert self.open is not None
            assert self.open.was_sent

    @invariant()
    def the_history_is_whole(self) -> None:
        assert first_broken(list(self.state.history.all())) is None


Orders.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestOrdersUnderAnythingThatMayHappen = Orders.TestCase
