"""What every state must do for change orders: one open order at most for each account and service, whatever happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.contracts.state_samples import HOSTILE_NAMES, NOW, audit
from tests.contracts.test_state_contract import actions, interleaved
from tests.store_fixture import StateSubject
from trueup.domain.accounts import ServiceId, VendorAccountId
from trueup.domain.billing import PsaAccountId
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.errors import Conflict, InputInvalid, NotFound, VersionConflict
from trueup.domain.guards import Hold
from trueup.domain.order_parts import (
    Downsell,
    OrderReason,
    OrderRelease,
    OrderRoute,
    OrderState,
    OrderTerms,
    Sending,
    Signature,
)
from trueup.ports.state_bundle import State

ANN = Signature("ann@example.com", NOW)


def order(number: int = 1, account: str = "C1", service: str = "9702", period: str = "2026-08") -> ChangeOrder:
    return ChangeOrder(
        id=f"order-{period}-{number:04d}",
        period=period,
        run_id="run-1",
        vendor_id=VendorAccountId(account),
        vendor_name="Example Client",
        service_id=ServiceId(service),
        service_name="Email Security",
        psa_account_id=PsaAccountId("19"),
        psa_account_name="Example Client",
        current=10,
        target=14,
        reason=OrderReason(14, NOW, "policy 3"),
        drafted=ANN,
        confirmed_at=NOW,
    )


def full(one: ChangeOrder) -> ChangeOrder:
    """One with every field set that an order can have."""
    return replace(
        one,
        terms=OrderTerms("lead@example.com", "PO 7", "Other plan", date(2026, 1, 31)),
        holds=(Hold("large_change", "10 -> 14", "a person confirms"),),
        notes=("note",),
        release=OrderRelease("ann@example.com", NOW, "it is real"),
        state=OrderState.SUBMITTED,
        approved=Signature("bob@example.com", NOW),
        approved_checksum="c" * 64,
        route=OrderRoute.API,
        agreement_acknowledged=ANN,
        submitted=ANN,
        order_number="SO-1",
        downsell=Downsell(date(2026, 9, 1), date(2026, 10, 1)),
        sending=Sending("ann@example.com", NOW, 10, 4, "qt-1", NOW, "req-1", "in_progress"),
        chased_at=NOW + timedelta(days=5),
        chases=1,
        remark="late",
    )


class TestChangeOrders:
    def test_one_comes_back_whole(self, subject: StateSubject) -> None:
        assert subject.state.change_orders.open() == ()
        drafted = subject.state.change_orders.draft(order(), audit("drafted"))
        assert drafted == replace(order(), version=1)
        saved = subject.state.change_orders.save(full(drafted), audit("submitted"))
        assert saved == replace(full(drafted), version=2)
        assert subject.reopen().change_orders.get(order().id) == saved
        assert subject.reopen().change_orders.open() == (saved,)
        assert actions(subject.state) == ["drafted", "submitted"]

    def test_one_that_is_not_there_is_not_found(self, state: State) -> None:
        for wanted in ("", "order-2026-08-0009", *HOSTILE_NAMES):
            with pytest.raises(NotFound):
                state.change_orders.get(wanted)

    def test_an_account_and_service_has_one_open_order(self, state: State) -> None:
        state.change_orders.draft(order(1), audit("drafted"))
        with pytest.raises(Conflict):
            state.change_orders.draft(order(2), audit("lost"))
        state.change_orders.draft(order(3, service="9703"), audit("other service"))
        state.change_orders.draft(order(4, account="C2"), audit("other account"))
        assert [one.id[-4:] for one in state.change_orders.open()] == ["0001", "0003", "0004"]
        assert actions(state) == ["drafted", "other service", "other account"]

    def test_the_same_id_is_not_drafted_twice(self, state: State) -> None:
        state.change_orders.draft(order(1), audit("drafted"))
        with pytest.raises(VersionConflict):
            state.change_orders.draft(order(1, account="C2"), audit("lost"))
        assert actions(state) == ["drafted"]

    @pytest.mark.parametrize("end", [OrderState.REFLECTED, OrderState.REJECTED, OrderState.CANCELLED])
    def test_an_order_that_is_over_makes_room_for_the_next(self, state: State, end: OrderState) -> None:
        first = state.change_orders.draft(order(1), audit("drafted"))
        over = state.change_orders.save(replace(first, state=end, settled=ANN), audit("over"))
        assert state.change_orders.open() == ()
        second = state.change_orders.draft(order(2), audit("drafted"))
        # A late word on the first one must not free the place that the second one has by now.
        state.change_orders.save(replace(over, remark="looked at again"), audit("remarked"))
        assert state.change_orders.open() == (second,)
        with pytest.raises(Conflict):
            state.change_orders.draft(order(3), audit("lost"))

    def test_one_that_expired_after_it_was_sent_keeps_its_place(self, state: State) -> None:
        first = state.change_orders.draft(order(1), audit("drafted"))
        expired = replace(first, state=OrderState.EXPIRED, submitted=ANN)
        kept = state.change_orders.save(expired, audit("expired"))
        assert state.change_orders.open() == (kept,)
        with pytest.raises(Conflict):
            state.change_orders.draft(order(2), audit("lost"))

    def test_one_that_moved_is_refused_and_nothing_is_stored(self, state: State) -> None:
        first = state.change_orders.draft(order(), audit("drafted"))
        moved = state.change_orders.save(replace(first, target=15), audit("redrafted"))
        for stale in (first, replace(first, state=OrderState.CANCELLED), replace(first, version=9)):
            with pytest.raises(VersionConflict):
                state.change_orders.save(stale, audit("lost"))
        assert state.change_orders.open() == (moved,)
        assert actions(state) == ["drafted", "redrafted"]

    def test_of_many_drafters_at_once_one_gets_the_place(self, state: State) -> None:
        def draft(number: int) -> str:
            try:
                state.change_orders.draft(order(number), audit(f"drafted {number}"))
            except Conflict:
                return "open already"
            return "drafted"

        said = interleaved([lambda number=number: draft(number) for number in range(4)])
        assert sorted(said) == ["drafted", "open already", "open already", "open already"]
        (kept,) = state.change_orders.open()
        assert actions(state) == [f"drafted {int(kept.id[-4:])}"]

    def test_of_many_at_once_one_takes_the_next_step(self, state: State) -> None:
        first = state.change_orders.draft(order(), audit("drafted"))

        def approve(number: int) -> str:
            approved = first.approved_by(first.checksum, Signature(f"person {number}", NOW))
            try:
                state.change_orders.save(approved, audit(f"approved {number}"))
            except VersionConflict:
                return "moved"
            return "approved"

        said = interleaved([lambda number=number: approve(number) for number in range(4)])
        assert sorted(said) == ["approved", "moved", "moved", "moved"]
        (kept,) = state.change_orders.open()
        assert kept.approved is not None
        assert actions(state) == ["drafted", f"approved {kept.approved.by[-1]}"]

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_ids_of_any_shape_are_kept_apart(self, state: State, name: str) -> None:
        one = state.change_orders.draft(order(1, account=name, service="560"), audit())
        other = state.change_orders.draft(order(2, account="560", service=name), audit())
        assert set(state.change_orders.open()) == {one, other}
        state.change_orders.save(replace(one, state=OrderState.CANCELLED), audit())
        assert state.change_orders.open() == (other,)

    def test_pages_go_from_the_newest_month_to_the_oldest(self, state: State) -> None:
        made = [
            state.change_orders.draft(order(number, account=f"C{number}", period=period), audit())
            for number, period in ((1, "2026-07"), (2, "2026-08"), (3, "2026-08"), (4, "2026-09"))
        ]
        expected = [one.id for one in reversed(made)]
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = state.change_orders.page(period=None, cursor=cursor, limit=3)
            found += [one.id for one in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == expected
        of_august = state.change_orders.page(period="2026-08", cursor=None, limit=10)
        assert [one.id for one in of_august.items] == expected[1:3]
        assert of_august.next_cursor is None
        with pytest.raises(InputInvalid):
            state.change_orders.page(period="2026-08", cursor="nonsense", limit=10)
        with pytest.raises(InputInvalid):
            state.change_orders.page(period=None, cursor=None, limit=0)


def test_a_record_of_before_a_field_was_kept_is_still_read(subject: StateSubject) -> None:
    """What an older release stored lacks what was added since; the defaults stand for it."""
    from trueup.adapters.dynamodb.records import CHANGE_ORDER

    plain = CHANGE_ORDER.plain(order())
    older = plain.replace(b'"remark":"",', b"").replace(b'"chases":0,', b"")
    assert older != plain
    assert CHANGE_ORDER.read(older) == order()
    assert CHANGE_ORDER.read(plain).terms == OrderTerms()
