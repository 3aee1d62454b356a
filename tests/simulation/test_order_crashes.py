"""A change order sent through the API, killed before and after every effect: the runs that follow never order twice.

Method: the effects of an undisturbed send are counted, store and sockets alike; then it is sent once for each of them
and each side of it, dies there, and is sent again. The simulated vendor adds the difference of every order that it
takes, and refuses none, so that a second one would be seen in the agreement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

import pytest
import requests

from local.simulators import MimecastSimulator, World, credentials, running
from local.simulators.mimecast_orders import orders_of
from local.simulators.world import ContractLine, VendorAccount, VendorContract
from tests.domain.order_samples import draft
from tests.fakes.state import FakeState, fake_state
from tests.fakes.state_memory import Memory
from tests.simulation.psa_stage import Effects, Killed, StageClock, When, counted
from tests.simulation.simulated import MIMECAST_FIELDS
from trueup.adapters.mimecast.adapter import open_mimecast
from trueup.adapters.mimecast.orders import open_mimecast_orders
from trueup.adapters.pace import HttpLimits
from trueup.domain.audit import Audit
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.errors import Conflict, LeaseHeld, RateLimited
from trueup.domain.integrations import Side
from trueup.domain.order_parts import OrderState, Signature
from trueup.domain.order_tracking import Patience
from trueup.domain.runs import Snapshot
from trueup.usecases.change_orders import Noted, note_reads
from trueup.usecases.order_decisions import mark_submitted, resolve_order
from trueup.usecases.order_submission import LEASE_SECONDS, OrderGate, send_order

ACCOUNT, PRODUCT, AGREED, WANTED = "C1", "9702", 40, 44
ORDERS = "/partner/v1/msp/orders"
PROCESS, ANOTHER = "the process", "another"
HASTE = HttpLimits(connect_timeout_seconds=2.0, read_timeout_seconds=0.5, total_seconds=3.0, attempts=1)


@dataclass
class Counter:
    """One client whose order is approved, at a vendor behind a real socket."""

    simulator: MimecastSimulator
    clock: StageClock
    effects: Effects
    gate: OrderGate
    state: FakeState
    order: ChangeOrder
    reads: int = 0

    def set_back(self, *, order_reads: int = 2) -> None:
        """The order approved, the agreement as it was, nothing ordered, no faults."""
        world = self.simulator.world
        self.simulator.faults.clear()
        self.simulator.order_reads = order_reads
        world.vendor_state.clear()
        world.set_agreed_seats(ACCOUNT, AGREED)
        self.state = fake_state(self.clock)
        self._place_order(draft(AGREED, WANTED))
        cast(Memory, self.state.plans._memory).switches = self.effects  # type: ignore[attr-defined]
        self.effects.begin()

    def _place_order(self, order: ChangeOrder) -> None:
        now = self.clock.now()
        audit = Audit(now, "ann", "change order drafted", order.id)
        drafted = self.state.change_orders.draft(order, audit)
        approved = drafted.approved_by(drafted.checksum, Signature("bob", now))
        self.order = self.state.change_orders.save(approved, audit)

    def send(self, *, owner: str = PROCESS) -> ChangeOrder:
        return send_order(
            self.order.id,
            actor="bob",
            agreement_acknowledged=True,
            owner=owner,
            gate=self.gate,
            change_orders=self.state.change_orders,
            leases=self.state.leases,
            clock=self.clock,
        )

    def die(self, number: int, when: When) -> None:
        self.effects.begin(number, when)
        with pytest.raises(Killed):
            self.send()
        self.simulator.faults.clear()
        self.effects.begin()

    def read(self) -> Noted:
        """A complete read of the vendor, as a sync makes it."""
        self.reads += 1
        began_at, page, addresses = self.clock.now(), self.gate.vendor.read_page(None), []
        addresses.append(self.state.snapshots.add_page(Side.VENDOR, page))
        name = f"read-{self.reads}"
        snapshot = Snapshot(
            name, Side.VENDOR, "2026-09", name, began_at, self.clock.now(), tuple(addresses), "d" * 64, 1, 1
        )
        self.state.snapshots.complete(snapshot, None)
        return note_reads(
            snapshot,
            snapshots=self.state.snapshots,
            change_orders=self.state.change_orders,
            patience=Patience(),
            clock=self.clock,
        )

    def place_beside(self) -> None:
        """An order beside one that is under way, which no store lets anybody make: the place is emptied by force."""
        cast(Memory, self.state.plans._memory).change_orders.clear()  # type: ignore[attr-defined]
        self._place_order(replace(draft(AGREED, WANTED), id="order-2026-09-0a1b2c3d-003"))

    @property
    def now(self) -> ChangeOrder:
        return self.state.change_orders.get(self.order.id)

    @property
    def agreed(self) -> int:
        contract = self.simulator.world.contract_of(ACCOUNT)
        assert contract is not None
        return contract.lines[0].quantity

    def finish(self, owner: str) -> None:
        """Whoever comes next: send again, read a few times, send again. Then look at everything."""
        if owner == ANOTHER:
            if self._is_leased():
                with pytest.raises(LeaseHeld):
                    self.send(owner=owner)
            self.clock.advance(LEASE_SECONDS + 1)
        for _ in range(3):
            self._try_to_send(owner)
            self.read()
        self._try_to_send(owner)
        self.require_sound()

    def _is_leased(self) -> bool:
        memory = cast(Memory, self.state.plans._memory)  # type: ignore[attr-defined]
        holder, _, until = memory.leases.get(f"order {self.order.id}", ("", 0, self.clock.now()))
        return bool(holder) and until > self.clock.now()

    def _try_to_send(self, owner: str) -> None:
        try:
            self.send(owner=owner)
        except Conflict:
            assert not self.now.is_open or self.now.state is OrderState.APPROVED

    def require_sound(self) -> None:
        """One order at most, its difference once, and reflected exactly when the agreement has it."""
        taken = orders_of(self.simulator.world)
        assert len(taken) <= 1
        assert self.agreed == (WANTED if taken else AGREED)
        assert (self.now.state is OrderState.REFLECTED) == bool(taken), self.now
        if not taken:
            assert self.now.state is OrderState.NEEDS_REVIEW, "nobody can tell from here that it never arrived"
            self._settle_and_order_anew()

    def _settle_and_order_anew(self) -> None:
        """A person finds no order at the vendor and says so; only then another one is drafted, and ordered once."""
        resolve_order(
            self.order.id,
            outcome="cancelled",
            reason="the portal shows no order",
            actor="ann",
            change_orders=self.state.change_orders,
            clock=self.clock,
        )
        self._place_order(replace(draft(AGREED, WANTED), id="order-2026-09-0a1b2c3d-002"))
        self.send(owner=ANOTHER)
        for _ in range(3):
            self.read()
        assert len(orders_of(self.simulator.world)) == 1
        assert (self.now.state, self.agreed) == (OrderState.REFLECTED, WANTED)


@pytest.fixture(scope="module")
def counter() -> Iterator[Counter]:
    world = World("one client", 0, VendorAccount(credentials.PARTNER_ACCOUNT_CODE, "Acme MSP"))
    world.accounts[ACCOUNT] = VendorAccount(ACCOUNT, "Birch & Bloom", partner_seats=AGREED, account_seats=AGREED)
    line = ContractLine(PRODUCT, "Email Security", AGREED)
    world.contracts["ctr-1"] = VendorContract("ctr-1", ACCOUNT, "org-1", [line])
    clock, effects = StageClock(), Effects()
    world.clock = clock.now
    with running(MimecastSimulator(world)) as simulator, counted(effects):
        billing = open_mimecast(simulator.url, MIMECAST_FIELDS, clock=clock, allow_loopback=True, limits=HASTE)
        orders = open_mimecast_orders(simulator.url, MIMECAST_FIELDS, clock=clock, allow_loopback=True, limits=HASTE)
        order = draft(AGREED, WANTED)
        made = Counter(simulator, clock, effects, OrderGate(billing, orders), fake_state(clock), order)
        # Tokens are kept between cases, so that each case is about the order.
        made.set_back()
        made.send()
        yield made
        billing.close()
        orders.close()


@pytest.fixture(scope="module")
def effects_of_a_send(counter: Counter) -> tuple[str, ...]:
    counter.set_back()
    counter.send()
    return tuple(counter.effects.calls)


def test_undisturbed_it_is_ordered_once_and_reflected_by_the_second_read(
    counter: Counter, effects_of_a_send: tuple[str, ...]
) -> None:
    counter.set_back()
    sent = counter.send()
    assert (sent.state, sent.sending is not None and sent.sending.status) == (OrderState.SUBMITTED, "in_progress")
    assert counter.read().reflected == ()
    assert counter.read().reflected == (sent.id,)
    counter.require_sound()
    posts = [one for one in effects_of_a_send if one.startswith("POST /partner")]
    assert posts == ["POST /partner/v1/msp/quotes", f"POST {ORDERS}"]
    before = effects_of_a_send[: effects_of_a_send.index(f"POST {ORDERS}")]
    assert before[-1] == "change_orders.save", "the mark is stored right before the post"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("owner", [PROCESS, ANOTHER])
@pytest.mark.fault("A1")
def test_A1_killed_at_any_effect_there_is_never_a_second_order(
    counter: Counter, effects_of_a_send: tuple[str, ...], when: When, owner: str
) -> None:
    for number in range(len(effects_of_a_send)):
        counter.set_back()
        counter.die(number, when)
        counter.finish(owner)


LOST = {
    "no answer, carried out": ("drop_after_commit", {}),
    "no answer, not carried out": ("drop_before_commit", {}),
    "500, carried out": ("error_after_commit", {}),
    "half an answer": ("truncated", {}),
}


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.fault("T6")
def test_T6_the_answer_to_the_order_is_lost_and_the_process_killed_after_any_effect_since(
    counter: Counter, effects_of_a_send: tuple[str, ...], kind: str
) -> None:
    """Undisturbed first, then killed at every effect from the post on: what may be there is not posted again."""
    fault, options = LOST[kind]
    post = effects_of_a_send.index(f"POST {ORDERS}")

    def lose() -> None:
        counter.set_back()
        counter.simulator.faults.add(fault, method="POST", path=ORDERS, **options)

    lose()
    counter.send()
    effects = len(counter.effects.calls)
    assert effects > post + 2
    counter.simulator.faults.clear()
    counter.finish(PROCESS)
    for number in range(post, effects):
        lose()
        counter.die(number, "after")
        counter.finish((PROCESS, ANOTHER)[number % 2])


@pytest.mark.parametrize("path", ["/partner/v1/msp/quotes", ORDERS])
@pytest.mark.parametrize("times", [1, 0], ids=["once", "for ever"])
def test_a_429_is_the_only_answer_after_which_it_is_posted_again(counter: Counter, path: str, times: int) -> None:
    counter.set_back()
    counter.simulator.faults.add("rate_limited", method="POST", path=path, times=times, reset_milliseconds=1500)
    if times:
        assert counter.send().state is OrderState.SUBMITTED
    else:
        with pytest.raises(RateLimited):
            counter.send()
        assert not counter.now.was_sent
        assert orders_of(counter.simulator.world) == []
        counter.simulator.faults.clear()
    counter.finish(PROCESS)


def test_an_order_that_comes_to_the_agreement_late_is_found_by_a_read(counter: Counter) -> None:
    """The server was slow: it took the order a minute after the connection broke, and a person was asked meanwhile."""
    counter.set_back()
    counter.simulator.faults.add("late_commit", method="POST", path=ORDERS, seconds=60)
    assert counter.send().state is OrderState.NEEDS_REVIEW
    counter.clock.advance(61)
    for _ in range(3):
        counter.read()
    counter.require_sound()
    assert counter.now.state is OrderState.REFLECTED


@pytest.mark.parametrize("kind", ["order_lost", "order_rejected"])
def test_an_order_that_never_comes_ends_with_a_person_or_a_no(counter: Counter, kind: str) -> None:
    counter.set_back()
    counter.simulator.faults.add(kind, method="POST", path=ORDERS)
    assert counter.send().state is OrderState.SUBMITTED
    counter.read()
    counter.read()
    if kind == "order_rejected":
        assert counter.send().state is OrderState.REJECTED
        return
    counter.clock.advance(timedelta(days=5).total_seconds())
    assert counter.read().chased == (counter.order.id,)
    counter.clock.advance(timedelta(days=26).total_seconds())
    assert counter.read().expired == (counter.order.id,)
    assert counter.now.is_open, "nobody said what became of it"
    assert counter.agreed == AGREED


def test_a_second_order_would_be_seen_in_the_agreement(counter: Counter) -> None:
    """So that the tests above cannot pass by accident: the simulated vendor takes it, and adds the difference again."""
    counter.set_back(order_reads=3)
    counter.send()
    counter.place_beside()
    counter.send(owner=ANOTHER)
    for _ in range(4):
        counter.read()
    assert (len(orders_of(counter.simulator.world)), counter.agreed) == (2, WANTED + WANTED - AGREED)


@pytest.mark.parametrize("lost", [False, True])
def test_an_order_that_a_person_typed_in_is_shown_by_a_later_read_or_never(counter: Counter, lost: bool) -> None:
    counter.set_back()
    control = {"operation": "type_order", "code": ACCOUNT, "seats": WANTED, "reads": 2, "lost": lost}
    counter.effects.begin()
    answer = requests.post(f"{counter.simulator.url}/_control/state", json=control, timeout=5)
    assert answer.status_code == 204
    mark_submitted(
        counter.order.id,
        order_number="SO-100431",
        actor="dana",
        agreement_acknowledged=True,
        change_orders=counter.state.change_orders,
        snapshots=counter.state.snapshots,
        clock=counter.clock,
    )
    assert counter.read() == Noted()
    assert (counter.read().reflected == (counter.order.id,)) is not lost
    assert counter.agreed == (AGREED if lost else WANTED)
