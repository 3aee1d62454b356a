"""What a comparison makes of the orders, and what a complete read does."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.contracts.state_samples import NOW, PERIOD, known, reconciliation, row, vendor_page
from tests.fakes.clock import FakeClock
from tests.fakes.state import FakeState, fake_state
from trueup.domain.accounts import ServiceCount, ServiceId, VendorAccountId
from trueup.domain.audit import Audit
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.counts import Basis, Count, Evidence, Failed, Known, Missing, Seats
from trueup.domain.errors import Conflict, VersionConflict
from trueup.domain.integrations import Side
from trueup.domain.order_checks import OrderPolicy
from trueup.domain.order_parts import OrderRelease, OrderState, Place, Signature
from trueup.domain.order_tracking import Patience
from trueup.domain.runs import Snapshot
from trueup.domain.verdicts import ExcludedAccount, OrderNeed, Reconciliation, Row, RowCounts, Verdict
from trueup.usecases.change_orders import (
    Drafted,
    Noted,
    counts_of,
    draft_orders,
    late_orders,
    note_reads,
    open_ordered_seats,
    orders_outstanding,
    sent_order_seats,
)

SERVICE = ServiceId("s")
POLICY = OrderPolicy(implementation_lead="lead@example.com", patience=Patience(chase_days=5, expiry_days=30))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def state(clock: FakeClock) -> FakeState:
    return fake_state(clock)


def needing(
    number: int, agreement: int, licensed: Count | int, *, obstacle: str = "", target: int | None = None
) -> Row:
    """A row of one account whose agreement is off the licensed count, or is not."""
    count = known(licensed) if isinstance(licensed, int) else licensed
    wanted = target if target is not None else licensed if isinstance(licensed, int) else agreement
    need = OrderNeed(VendorAccountId(f"C{number}"), SERVICE, agreement, wanted, obstacle)
    base = row(number, Verdict.ORDER_MORE)
    return replace(
        base,
        counts=RowCounts(known(agreement), count, Missing("no line")),
        order=need if wanted != agreement else None,
    )


def compare(
    state: FakeState,
    clock: FakeClock,
    *rows: Row,
    run_id: str = "run-1",
    excluded: tuple[ExcludedAccount, ...] = (),
    policy: OrderPolicy = POLICY,
) -> Drafted:
    found: Reconciliation = replace(reconciliation(rows), excluded=excluded)
    return draft_orders(
        found,
        run_id=run_id,
        actor="schedule",
        policy=policy,
        time_zone=ZoneInfo("America/New_York"),
        change_orders=state.change_orders,
        clock=clock,
    )


def only(state: FakeState) -> ChangeOrder:
    (order,) = state.change_orders.open()
    return order


def step(state: FakeState, order: ChangeOrder) -> ChangeOrder:
    return state.change_orders.save(order, Audit(NOW, "test", "step", order.id))


def approved(state: FakeState, clock: FakeClock) -> ChangeOrder:
    order = only(state)
    return step(state, order.approved_by(order.checksum, Signature("bob", clock.now())))


def submitted(state: FakeState, clock: FakeClock) -> ChangeOrder:
    order = approved(state, clock)
    sent = order.submitted_in_portal(
        Signature("bob", clock.now()), order_number="SO-1", agreement_acknowledged=True, downsell=None
    )
    return step(state, sent)


class TestDrafting:
    def test_a_need_becomes_a_draft_that_says_why(self, state: FakeState, clock: FakeClock) -> None:
        counted = replace(
            known(44),
            evidence=(Evidence("counting policy", "version 3", "MSP", 44), Evidence("licensed users", "", "t", 44)),
        )
        assert compare(state, clock, needing(1, 40, counted, target=44)).drafted
        order = only(state)
        assert order.id.startswith(f"order-{PERIOD}-")
        assert (order.current, order.target, order.state) == (40, 44, OrderState.DRAFT)
        assert (order.reason.licensed, order.reason.policy) == (44, "MSP version 3")
        assert (order.vendor_name, order.psa_account_name) == ("Client 1", "Acme")
        assert order.terms.implementation_lead == "lead@example.com"
        (event,) = state.history.all()
        assert (event.audit.action, event.audit.actor) == ("change order drafted", "schedule")

    def test_the_same_need_again_changes_nothing_but_who_asked_last(self, state: FakeState, clock: FakeClock) -> None:
        compare(state, clock, needing(1, 40, 44))
        first = only(state)
        clock.advance(3600)
        assert compare(state, clock, needing(1, 40, 44)) == Drafted(kept=(first.id,))
        assert only(state) == first
        clock.advance(3600)
        assert compare(state, clock, needing(1, 40, 44), run_id="run-2") == Drafted(kept=(first.id,))
        again = only(state)
        assert (again.run_id, again.confirmed_at, again.checksum) == ("run-2", clock.now(), first.checksum)

    def test_a_draft_that_another_limit_holds_now_loses_its_release(self, state: FakeState, clock: FakeClock) -> None:
        compare(state, clock, needing(1, 40, 90))
        step(state, only(state).released(OrderRelease("ann", clock.now(), "counted")))
        compare(state, clock, needing(1, 40, 90), run_id="run-2")
        assert not only(state).is_held, "nothing but the run is another one"
        compare(state, clock, needing(1, 40, 90), run_id="run-3", policy=replace(POLICY, change_seats=7))
        assert (only(state).is_held, only(state).release) == (True, None)
        compare(state, clock, needing(1, 40, 90), run_id="run-4", policy=replace(POLICY, change_percent=Decimal(500)))
        assert only(state).holds == ()

    def test_other_figures_make_the_draft_anew_and_its_release_falls(self, state: FakeState, clock: FakeClock) -> None:
        compare(state, clock, needing(1, 40, 90))
        held = only(state)
        assert held.is_held
        step(state, held.released(OrderRelease("ann", clock.now(), "counted")))
        assert compare(state, clock, needing(1, 40, 95)).redrafted == (held.id,)
        fresh = only(state)
        assert (fresh.target, fresh.release, fresh.is_held) == (95, None, True)

    def test_an_order_in_somebodys_hand_is_left_alone(self, state: FakeState, clock: FakeClock) -> None:
        compare(state, clock, needing(1, 40, 44))
        order = approved(state, clock)
        assert compare(state, clock, needing(1, 40, 50)) == Drafted(kept=(order.id,))
        assert compare(state, clock, needing(1, 44, 44)) == Drafted()
        assert only(state) == order

    def test_a_draft_that_is_not_needed_any_more_is_cancelled_with_the_reason(
        self, state: FakeState, clock: FakeClock
    ) -> None:
        compare(state, clock, needing(1, 40, 44), needing(2, 40, 44), needing(3, 40, 44))
        ids = [order.id for order in state.change_orders.open()]
        gone = ExcludedAccount(VendorAccountId("C3"), "Client 3", "our own", "ann")
        found = compare(
            state, clock, needing(1, 44, 44), needing(2, 40, 44, obstacle="C2 is suspended"), excluded=(gone,)
        )
        assert sorted(found.cancelled) == sorted(ids)
        assert found.obstacles == (("C2", "C2 is suspended"),)
        whys = {state.change_orders.get(one).vendor_id: state.change_orders.get(one).settled_why for one in ids}
        assert whys == {
            "C1": "agreement and licensed count are both 44",
            "C2": "it cannot be ordered as things stand: C2 is suspended",
            "C3": "the account was excluded: our own",
        }

    @pytest.mark.parametrize("unknown", [Missing("no tenant"), Failed("could not be read")])
    def test_a_count_that_is_not_known_is_no_reason_to_cancel(
        self, state: FakeState, clock: FakeClock, unknown: Count
    ) -> None:
        compare(state, clock, needing(1, 40, 44))
        assert compare(state, clock, needing(1, 40, unknown)) == Drafted()
        assert compare(state, clock) == Drafted()
        assert only(state).state is OrderState.DRAFT

    def test_the_next_order_of_a_place_has_the_next_number(self, state: FakeState, clock: FakeClock) -> None:
        compare(state, clock, needing(1, 40, 44))
        first = only(state)
        compare(state, clock, needing(1, 44, 44))
        compare(state, clock, needing(1, 44, 46))
        second = only(state)
        assert (first.id[-3:], second.id[-3:]) == ("001", "002")
        assert first.id[:-3] == second.id[:-3]

    @pytest.mark.fault("A5")
    def test_A5_two_drafters_at_once_make_one_draft(self, state: FakeState, clock: FakeClock) -> None:
        barrier = threading.Barrier(4)
        found: list[Drafted] = []

        def run(number: int) -> None:
            barrier.wait()
            found.append(compare(state, clock, needing(1, 40, 44), needing(2, 9, 11), run_id=f"run-{number}"))

        threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert sorted(order.target for order in state.change_orders.open()) == [11, 44]
        drafted = [event for event in state.history.all() if event.audit.action == "change order drafted"]
        assert len(drafted) == 2

    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.fault("A1")
    def test_A1_killed_at_any_write_the_next_comparison_ends_with_the_same_drafts(
        self, clock: FakeClock, when: str
    ) -> None:
        rows = [needing(1, 40, 44), needing(2, 30, 28)]
        for number in range(2):
            state = fake_state(clock)
            state.switches.fail("*", when=when, skip=number)  # type: ignore[arg-type]
            with pytest.raises(Exception, match="away"):
                compare(state, clock, *rows)
            state.switches.heal()
            compare(state, clock, *rows)
            assert sorted((one.current, one.target) for one in state.change_orders.open()) == [(30, 28), (40, 44)]

    def test_an_approval_at_the_same_moment_wins_over_a_new_draft(
        self, state: FakeState, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compare(state, clock, needing(1, 40, 44))
        save = type(state.change_orders).save

        def late(store: object, order: ChangeOrder, audit: Audit) -> ChangeOrder:
            monkeypatch.undo()
            approved(state, clock)
            return save(store, order, audit)  # type: ignore[arg-type]

        monkeypatch.setattr(type(state.change_orders), "save", late)
        assert compare(state, clock, needing(1, 40, 45)).kept == (only(state).id,)
        assert (only(state).target, only(state).state) == (44, OrderState.APPROVED)


def read(
    state: FakeState, clock: FakeClock, seats: int | Count, *, number: int = 1, patience: Patience = POLICY.patience
) -> Noted:
    """A complete read of the vendor that tells this of the first client."""
    clock.advance(60)
    now = clock.now()
    count: Count = Known(Seats(seats), Basis.CONTRACT, now) if isinstance(seats, int) else seats
    page = replace(vendor_page(), counts=(ServiceCount(VendorAccountId("C1"), SERVICE, count),))
    address = state.snapshots.add_page(Side.VENDOR, page)
    snapshot = Snapshot(f"read-{now}", Side.VENDOR, PERIOD, "run-9", now, now, (address,), "d" * 64, 1, 1)
    return note_reads(
        snapshot, snapshots=state.snapshots, change_orders=state.change_orders, patience=patience, clock=clock
    )


class TestFollowing:
    def test_an_order_is_reflected_by_the_read_that_shows_the_target_and_no_other(
        self, state: FakeState, clock: FakeClock
    ) -> None:
        compare(state, clock, needing(1, 40, 44))
        assert read(state, clock, 44) == Noted(), "a draft was never ordered"
        order = submitted(state, clock)
        assert read(state, clock, 40) == Noted()
        assert read(state, clock, Missing("not told")) == Noted()
        assert read(state, clock, 44) == Noted(reflected=(order.id,))
        done = state.change_orders.get(order.id)
        assert (done.state, done.settled is not None) == (OrderState.REFLECTED, True)
        last = list(state.history.all())[-1].audit
        assert (last.action, last.actor, last.run_id) == ("change order reflected", "trueup", "run-9")
        assert last.evidence == "d" * 64, "the read that shows it"
        assert read(state, clock, 44) == Noted()

    def test_a_count_that_went_elsewhere_needs_a_person(self, state: FakeState, clock: FakeClock) -> None:
        compare(state, clock, needing(1, 40, 44))
        order = submitted(state, clock)
        assert read(state, clock, 48) == Noted(needs_review=(order.id,))
        assert read(state, clock, 48) == Noted()
        assert read(state, clock, 44) == Noted(reflected=(order.id,))

    def test_a_late_one_is_chased_and_given_up_and_keeps_its_place(self, state: FakeState, clock: FakeClock) -> None:
        compare(state, clock, needing(1, 40, 44))
        order = submitted(state, clock)
        clock.advance(timedelta(days=5).total_seconds())
        assert late_orders(change_orders=state.change_orders, patience=POLICY.patience, now=clock.now())
        assert read(state, clock, 40) == Noted(chased=(order.id,))
        assert read(state, clock, 40) == Noted()
        clock.advance(timedelta(days=26).total_seconds())
        assert read(state, clock, 40) == Noted(expired=(order.id,))
        assert only(state).state is OrderState.EXPIRED
        assert compare(state, clock, needing(1, 40, 44)).drafted == ()
        assert read(state, clock, 44) == Noted(reflected=(order.id,))

    def test_what_was_sent_is_not_ordered_again_and_bills_only_where_the_tenant_says_so(
        self, state: FakeState, clock: FakeClock
    ) -> None:
        def seats(bills: bool) -> list[tuple[str, int]]:
            found = open_ordered_seats(change_orders=state.change_orders, bills_on_order=bills)
            return [(one.vendor_id, one.seats) for one in found]

        compare(state, clock, needing(1, 40, 44))
        approved(state, clock)
        assert sent_order_seats(change_orders=state.change_orders) == ()
        order = only(state)
        step(
            state,
            order.submitted_in_portal(
                Signature("bob", clock.now()), order_number="SO-1", agreement_acknowledged=True, downsell=None
            ),
        )
        assert (seats(False), seats(True)) == ([], [("C1", 44)])
        assert [one.seats for one in sent_order_seats(change_orders=state.change_orders)] == [44]
        read(state, clock, 48)
        assert seats(True) == []
        assert [one.seats for one in sent_order_seats(change_orders=state.change_orders)] == [44]

    def test_outstanding_is_what_was_decided_and_is_not_settled(self, state: FakeState, clock: FakeClock) -> None:
        compare(state, clock, needing(1, 40, 44), needing(2, 9, 11))
        assert orders_outstanding(PERIOD, change_orders=state.change_orders) == ()
        first = next(order for order in state.change_orders.open() if order.vendor_id == "C1")
        step(state, first.approved_by(first.checksum, Signature("bob", clock.now())))
        assert [one.vendor_id for one in orders_outstanding(PERIOD, change_orders=state.change_orders)] == ["C1"]
        assert orders_outstanding("2026-01", change_orders=state.change_orders) == ()

    def test_two_numbers_of_one_account_in_one_read_say_nothing(self, state: FakeState, clock: FakeClock) -> None:
        place: Place = (VendorAccountId("C1"), SERVICE)
        pages = [
            replace(vendor_page(), counts=(ServiceCount(*place, Known(Seats(seats), Basis.CONTRACT, clock.now())),))
            for seats in (44, 40)
        ]
        assert counts_of(pages, [place]) == {}
        assert set(counts_of(pages[:1] * 2, [place])) == {place}

    def test_a_person_who_moves_the_order_at_the_same_moment_wins(
        self, state: FakeState, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compare(state, clock, needing(1, 40, 44))
        order = submitted(state, clock)
        state.switches.fail("change_orders.save", VersionConflict("moved"))
        assert read(state, clock, 44) == Noted()
        assert read(state, clock, 44) == Noted(reflected=(order.id,))


def test_of_two_approvers_at_once_one_is_told_that_it_moved(state: FakeState, clock: FakeClock) -> None:
    compare(state, clock, needing(1, 40, 44))
    order = only(state)
    done = step(state, order.approved_by(order.checksum, Signature("bob", clock.now())))
    with pytest.raises(Conflict):
        step(state, order.approved_by(order.checksum, Signature("eve", clock.now())))
    assert only(state) == done
