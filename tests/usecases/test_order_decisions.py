"""What people decide about an order: who may, what is refused with its figures, what is kept in the history."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.contracts.state_samples import vendor_page
from tests.domain.order_samples import draft, posted
from tests.fakes.clock import FakeClock
from tests.fakes.state import FakeState, fake_state
from trueup.domain.accounts import ServiceCount
from trueup.domain.api_keys import ApiKey
from trueup.domain.audit import Audit
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.counts import Basis, Count, Known, Missing, Seats
from trueup.domain.errors import ChecksumMismatch, Conflict, InputInvalid, NotAllowed, NotFound
from trueup.domain.integrations import Side
from trueup.domain.order_checks import OrderPolicy
from trueup.domain.order_parts import Downsell, OrderState, Signature
from trueup.domain.runs import Snapshot
from trueup.usecases.order_decisions import (
    approve_order,
    cancel_order,
    mark_submitted,
    reject_order,
    release_order,
    resolve_order,
    set_terms,
)

ID = draft().id


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def state(clock: FakeClock) -> FakeState:
    return fake_state(clock)


def kept(state: FakeState, clock: FakeClock, order: ChangeOrder) -> ChangeOrder:
    """That order in the store, drafted just now by dana."""
    now = clock.now()
    fresh = replace(order, drafted=Signature("dana", now), confirmed_at=now)
    made = state.change_orders.draft(fresh, Audit(now, "dana", "change order drafted", order.id))
    clock.advance(60)
    return made


def approve(
    state: FakeState, clock: FakeClock, *, actor: str = "alex", checksum: str = "", two: bool = True
) -> ChangeOrder:
    return approve_order(
        ID,
        checksum=checksum or state.change_orders.get(ID).checksum,
        actor=actor,
        two_person_approval=two,
        change_orders=state.change_orders,
        api_keys=state.api_keys,
        clock=clock,
    )


def typed_in(state: FakeState, clock: FakeClock, *, number: str = "SO-1", **more: object) -> ChangeOrder:
    return mark_submitted(
        ID,
        order_number=number,
        actor="dana",
        agreement_acknowledged=True,
        change_orders=state.change_orders,
        snapshots=state.snapshots,
        clock=clock,
        **more,  # type: ignore[arg-type]
    )


def vendor_says(state: FakeState, clock: FakeClock, count: Count | int) -> None:
    """A complete read of the vendor, just now."""
    now = clock.now()
    told: Count = Known(Seats(count), Basis.CONTRACT, now) if isinstance(count, int) else count
    page = replace(vendor_page(), counts=(ServiceCount(*draft().place, told),))
    address = state.snapshots.add_page(Side.VENDOR, page)
    read = Snapshot(f"read-{now}", Side.VENDOR, "2026-09", "run-9", now, now, (address,), "d" * 64, 1, 1)
    state.snapshots.complete(read, None)


def last(state: FakeState) -> tuple[str, str, str]:
    audit = list(state.history.all())[-1].audit
    return audit.action.removeprefix("change order "), audit.actor, audit.why


class TestTerms:
    def say(self, state: FakeState, clock: FakeClock, **terms: object) -> ChangeOrder:
        return set_terms(
            ID,
            actor="dana",
            policy=OrderPolicy(),
            time_zone=ZoneInfo("Europe/London"),
            change_orders=state.change_orders,
            clock=clock,
            **terms,  # type: ignore[arg-type]
        )

    def test_what_is_not_given_stays(self, state: FakeState, clock: FakeClock) -> None:
        kept(state, clock, draft())
        self.say(state, clock, implementation_lead=" lead@example.com ")
        order = self.say(state, clock, po_number="PO 7")
        assert (order.terms.implementation_lead, order.terms.po_number) == ("lead@example.com", "PO 7")
        assert order.notes == ()
        assert self.say(state, clock, po_number="").terms.po_number == ""
        assert last(state)[:2] == ("terms set", "dana")

    def test_a_contract_that_began_lately_holds_a_decrease(self, state: FakeState, clock: FakeClock) -> None:
        kept(state, clock, draft(40, 38))
        order = self.say(state, clock, contract_starts_on=date(2026, 3, 1))
        assert [hold.guard for hold in order.holds] == ["term"]

    def test_a_decrease_takes_no_product_change(self, state: FakeState, clock: FakeClock) -> None:
        kept(state, clock, draft(40, 38))
        with pytest.raises(InputInvalid) as refused:
            self.say(state, clock, product_change="Plus")
        assert refused.value.field == "product_change"
        assert state.change_orders.get(ID).terms.product_change == ""


class TestApproval:
    def test_another_person_approves_what_was_shown(self, state: FakeState, clock: FakeClock) -> None:
        order = kept(state, clock, draft())
        with pytest.raises(NotAllowed):
            approve(state, clock, actor="dana")
        with pytest.raises(ChecksumMismatch):
            approve(state, clock, checksum="0" * 64)
        done = approve(state, clock)
        assert (done.state, done.approved_checksum) == (OrderState.APPROVED, order.checksum)
        assert last(state)[:2] == ("approved", "alex")
        assert approve(state, clock) == done, "again changes nothing"

    def test_one_person_may_where_the_tenant_lets_it(self, state: FakeState, clock: FakeClock) -> None:
        kept(state, clock, draft())
        assert approve(state, clock, actor="dana", two=False).state is OrderState.APPROVED

    def test_who_released_it_does_not_approve_it_be_it_by_a_key(self, state: FakeState, clock: FakeClock) -> None:
        kept(state, clock, draft(40, 90))
        with pytest.raises(Conflict, match="large_change"):
            approve(state, clock)
        with pytest.raises(InputInvalid):
            release_order(ID, reason=" ", actor="kim", change_orders=state.change_orders, clock=clock)
        release_order(ID, reason="counted", actor="kim", change_orders=state.change_orders, clock=clock)
        assert last(state) == ("released", "kim", "counted")
        key = ApiKey("k1", "robot", frozenset(), "h" * 64, clock.now(), "kim")
        state.api_keys.save(key, Audit(clock.now(), "kim", "api key created", "k1"))
        for actor in ("kim", key.actor):
            with pytest.raises(NotAllowed):
                approve(state, clock, actor=actor)
        assert approve(state, clock).state is OrderState.APPROVED

    def test_a_draft_that_nobody_asked_for_lately_is_stale(self, state: FakeState, clock: FakeClock) -> None:
        kept(state, clock, draft())
        clock.advance(timedelta(days=15).total_seconds())
        with pytest.raises(Conflict, match="14 days"):
            approve(state, clock)


class TestSubmitted:
    def test_it_is_marked_with_its_number(self, state: FakeState, clock: FakeClock) -> None:
        kept(state, clock, draft())
        approve(state, clock)
        vendor_says(state, clock, 40)
        done = typed_in(state, clock)
        assert (done.state, done.order_number) == (OrderState.SUBMITTED, "SO-1")
        assert last(state) == ("submitted", "dana", "order number SO-1")
        assert typed_in(state, clock) == done, "again changes nothing"
        with pytest.raises(Conflict):
            typed_in(state, clock, number="SO-2")

    def test_a_count_that_moved_is_refused_with_the_figures(self, state: FakeState, clock: FakeClock) -> None:
        kept(state, clock, draft())
        approve(state, clock)
        vendor_says(state, clock, 42)
        with pytest.raises(Conflict, match=r"from 40 to 44 seats, and by the read of .* the agreement has 42 now"):
            typed_in(state, clock)
        assert state.change_orders.get(ID).state is OrderState.APPROVED

    @pytest.mark.parametrize("count", [44, Missing("not told")])
    def test_a_read_that_shows_the_target_or_nothing_is_no_objection(
        self, state: FakeState, clock: FakeClock, count: Count | int
    ) -> None:
        kept(state, clock, draft())
        approve(state, clock)
        vendor_says(state, clock, count)
        assert typed_in(state, clock).state is OrderState.SUBMITTED

    def test_a_decrease_comes_with_its_deadline(self, state: FakeState, clock: FakeClock) -> None:
        kept(state, clock, draft(40, 38))
        approve(state, clock)
        for more in ({}, {"effective_on": date(2026, 10, 1)}):
            with pytest.raises(InputInvalid) as refused:
                typed_in(state, clock, **more)
            assert refused.value.field == "downsell_deadline"
        done = typed_in(state, clock, downsell_deadline=date(2026, 9, 20), effective_on=date(2026, 10, 1))
        assert done.downsell == Downsell(date(2026, 9, 20), date(2026, 10, 1))


class TestEnds:
    @pytest.mark.parametrize(("step", "expected"), [(cancel_order, "cancelled"), (reject_order, "rejected")])
    def test_who_ends_it_says_why(self, state: FakeState, clock: FakeClock, step: object, expected: str) -> None:
        assert callable(step)
        kept(state, clock, draft())
        with pytest.raises(InputInvalid):
            step(ID, reason="", actor="alex", change_orders=state.change_orders, clock=clock)
        done = step(ID, reason="the client left", actor="alex", change_orders=state.change_orders, clock=clock)
        assert (done.state.value, state.change_orders.open()) == (expected, ())
        assert last(state) == (expected, "alex", "the client left")
        with pytest.raises(Conflict):
            step(ID, reason="again", actor="alex", change_orders=state.change_orders, clock=clock)

    def test_what_is_unclear_is_settled_by_a_person(self, state: FakeState, clock: FakeClock) -> None:
        kept(state, clock, posted().unclear("no answer", clock.now()))

        def resolve(outcome: str) -> ChangeOrder:
            return resolve_order(
                ID, outcome=outcome, reason="looked", actor="alex", change_orders=state.change_orders, clock=clock
            )

        for nonsense in ("reflected", "done", ""):
            with pytest.raises(InputInvalid) as refused:
                resolve(nonsense)
            assert refused.value.field == "outcome"
        assert resolve("submitted").state is OrderState.SUBMITTED
        assert last(state) == ("resolved as submitted", "alex", "looked")
        with pytest.raises(Conflict):
            resolve("cancelled")

    def test_nothing_is_decided_about_an_order_that_is_not_there(self, state: FakeState, clock: FakeClock) -> None:
        with pytest.raises(NotFound):
            approve_order(
                "x",
                checksum="",
                actor="alex",
                two_person_approval=False,
                change_orders=state.change_orders,
                api_keys=state.api_keys,
                clock=clock,
            )
        with pytest.raises(NotFound):
            cancel_order("x", reason="y", actor="alex", change_orders=state.change_orders, clock=clock)
