"""A change order from draft to done: who may take which step, and what proves what."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.domain.order_samples import ANN, BOB, NOW, TODAY, approved, draft, posted, seen, submitted
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.counts import Failed, Missing
from trueup.domain.errors import ChecksumMismatch, Conflict, InputInvalid
from trueup.domain.order_checks import OrderPolicy, checks_of, notes_of
from trueup.domain.order_parts import Downsell, OrderKind, OrderRelease, OrderRoute, OrderState, OrderTerms, Signature
from trueup.domain.order_tracking import Patience, after_read, after_time, due_from, is_late
from trueup.domain.order_work_items import work_item

RELEASE = OrderRelease("ann", NOW, "counted by hand")


class TestBeforeApproval:
    def test_what_is_approved_is_what_was_shown(self) -> None:
        order = draft()
        shown = order.checksum
        moved = order.redrafted(current=40, target=45, reason=order.reason, by="ann", at=NOW)
        with pytest.raises(ChecksumMismatch):
            moved.approved_by(shown, BOB)
        with pytest.raises(ChecksumMismatch):
            order.approved_by("", BOB)
        done = order.approved_by(shown, BOB)
        assert (done.state, done.approved, done.approved_checksum) == (OrderState.APPROVED, BOB, shown)

    @pytest.mark.parametrize(
        "change",
        [
            lambda order: replace(order, target=45),
            lambda order: replace(order, current=41),
            lambda order: order.with_terms(OrderTerms(po_number="PO 8")),
            lambda order: order.with_terms(OrderTerms(implementation_lead="lead@example.com")),
            lambda order: order.with_terms(OrderTerms(contract_starts_on=TODAY)),
            lambda order: replace(order, release=RELEASE),
        ],
    )
    def test_everything_ordered_is_under_the_checksum(self, change: object) -> None:
        assert callable(change)
        assert change(draft()).checksum != draft().checksum

    def test_a_held_order_waits_for_a_release_and_a_release_falls_with_new_figures(self) -> None:
        held = draft(40, 90)
        assert [hold.guard for hold in held.holds] == ["large_change"]
        with pytest.raises(Conflict, match="large_change"):
            held.approved_by(held.checksum, BOB)
        released = held.released(RELEASE)
        assert released.approved_by(released.checksum, BOB).state is OrderState.APPROVED
        again = released.redrafted(current=40, target=95, reason=held.reason, by="ann", at=NOW)
        assert again.release is None
        assert released.with_terms(OrderTerms(po_number="7")).release is None

    def test_nothing_releases_an_order_below_the_minimum(self) -> None:
        policy = OrderPolicy(minimums={"9702": 25})
        order = draft(40, 24, policy=policy)
        with pytest.raises(Conflict, match="below_minimum"):
            order.released(RELEASE)
        assert replace(order, release=RELEASE).is_held
        with pytest.raises(Conflict):
            draft().released(RELEASE)

    @pytest.mark.parametrize("step", ["approve", "terms", "redraft", "release"])
    def test_an_approved_order_is_not_changed_any_more(self, step: str) -> None:
        order = approved()
        steps = {
            "approve": lambda: order.approved_by(order.checksum, BOB),
            "terms": lambda: order.with_terms(OrderTerms()),
            "redraft": lambda: order.redrafted(current=1, target=2, reason=order.reason, by="", at=NOW),
            "release": lambda: order.released(RELEASE),
        }
        with pytest.raises(Conflict, match="approved"):
            steps[step]()

    @pytest.mark.parametrize("text", ["x" * 201, "two\nlines", "bell\x07"])
    def test_texts_for_the_form_are_one_short_line(self, text: str) -> None:
        with pytest.raises(InputInvalid) as refused:
            draft().with_terms(OrderTerms(implementation_lead=text))
        assert refused.value.field == "implementation_lead"


class TestChecks:
    def guards(self, order: ChangeOrder, policy: OrderPolicy | None = None) -> list[str]:
        return [hold.guard for hold in checks_of(order, policy or OrderPolicy(), on=TODAY)]

    @pytest.mark.parametrize(
        ("current", "target", "expected"),
        [
            (40, 44, []),
            (1, 3, []),
            (1, 4, ["large_change"]),
            (0, 2, []),
            (0, 3, ["large_change"]),
            (40, 60, []),
            (40, 61, ["large_change"]),
            (1000, 1100, []),
            (1000, 1101, ["large_change"]),
            (1000, 899, ["large_change"]),
            (40, 0, ["to_zero", "large_change"]),
            (2, 0, ["to_zero"]),
        ],
    )
    def test_size_and_zero(self, current: int, target: int, expected: list[str]) -> None:
        assert self.guards(draft(current, target)) == expected

    def test_each_service_has_its_minimum(self) -> None:
        policy = OrderPolicy(minimum_seats=5, minimums={"9702": 25})
        assert self.guards(draft(30, 24), policy) == ["below_minimum"]
        assert self.guards(draft(30, 25), policy) == []
        assert self.guards(replace(draft(6, 4), service_id=draft().service_id.__class__("other")), policy) == [
            "below_minimum"
        ]

    def test_a_decrease_goes_with_no_product_change(self) -> None:
        fewer = draft(40, 38).with_terms(OrderTerms(product_change="Email Security Plus"))
        assert self.guards(fewer) == ["product_change_with_decrease"]
        more = draft(38, 40).with_terms(OrderTerms(product_change="Email Security Plus"))
        assert self.guards(more) == []

    @pytest.mark.parametrize(
        ("starts_on", "expected"),
        [
            (date(2025, 9, 1), []),
            (date(2025, 9, 2), ["term"]),
            (date(2026, 8, 1), ["term"]),
            (date(2024, 2, 29), []),
            (None, []),
        ],
    )
    def test_a_decrease_inside_the_twelve_months_is_held(self, starts_on: date | None, expected: list[str]) -> None:
        order = draft(40, 38).with_terms(OrderTerms(contract_starts_on=starts_on))
        assert self.guards(order) == expected
        assert self.guards(draft(38, 40).with_terms(OrderTerms(contract_starts_on=starts_on))) == []

    def test_a_term_that_began_on_a_leap_day_ends_no_earlier_than_it_says(self) -> None:
        order = draft(40, 38).with_terms(OrderTerms(contract_starts_on=date(2024, 2, 29)))
        (hold,) = checks_of(order, OrderPolicy(), on=date(2025, 2, 28))
        assert "2025-03-01" in hold.figures
        assert checks_of(order, OrderPolicy(), on=date(2025, 3, 1)) == ()

    def test_an_unknown_start_is_told_as_unknown(self) -> None:
        assert any("is not known here" in note for note in notes_of(draft(40, 38)))
        known = draft(40, 38).with_terms(OrderTerms("lead@example.com", contract_starts_on=date(2020, 1, 1)))
        assert not any("is not known" in note for note in notes_of(known))
        assert notes_of(draft(38, 40).with_terms(OrderTerms("lead@example.com"))) == ()


class TestSubmittedInThePortal:
    def test_the_whole_way(self) -> None:
        order = submitted()
        assert (order.state, order.order_number, order.route) == (
            OrderState.SUBMITTED,
            "SO-100431",
            OrderRoute.PORTAL,
        )
        assert order.agreement_acknowledged == order.submitted
        assert order.downsell is None

    @pytest.mark.parametrize(
        ("field", "given"),
        [
            ("order_number", {"order_number": "  "}),
            ("order_number", {"order_number": "x" * 201}),
            ("agreement_acknowledged", {"agreement_acknowledged": False}),
            ("downsell_deadline", {"downsell": None}),
        ],
    )
    def test_what_is_missing_is_named(self, field: str, given: dict[str, object]) -> None:
        whole: dict[str, object] = {
            "order_number": "SO-1",
            "agreement_acknowledged": True,
            "downsell": Downsell(date(2026, 9, 20)),
        }
        with pytest.raises(InputInvalid) as refused:
            approved(draft(40, 38)).submitted_in_portal(BOB, **(whole | given))  # type: ignore[arg-type]
        assert refused.value.field == field

    def test_only_an_approved_order_is_submitted_and_not_one_that_is_on_its_way(self) -> None:
        for order in (draft(), submitted()):
            with pytest.raises(Conflict):
                order.submitted_in_portal(BOB, order_number="1", agreement_acknowledged=True, downsell=None)
        with pytest.raises(Conflict, match="being sent"):
            posted().submitted_in_portal(BOB, order_number="1", agreement_acknowledged=True, downsell=None)

    def test_a_count_that_moved_is_told_with_its_figures(self) -> None:
        approved().require_count(40, told_by="")
        with pytest.raises(Conflict, match=r"40 to 44 seats, and by the read the agreement has 41 now"):
            approved().require_count(41, told_by="by the read")


class TestSentThroughTheApi:
    def test_the_difference_is_worked_out_when_it_is_sent(self) -> None:
        begun = approved().sending_begun(BOB, current=40, agreement_acknowledged=True)
        assert begun.sending is not None
        assert (begun.sending.expected, begun.sending.delta) == (40, 4)
        with pytest.raises(Conflict, match="41 now"):
            approved().sending_begun(BOB, current=41, agreement_acknowledged=True)
        with pytest.raises(InputInvalid):
            approved().sending_begun(BOB, current=40, agreement_acknowledged=False)

    def test_it_is_posted_once(self) -> None:
        order = posted()
        assert order.was_sent
        with pytest.raises(Conflict, match="never posted again"):
            order.order_begun(NOW)
        with pytest.raises(Conflict, match="never posted again"):
            order.sending_begun(BOB, current=40, agreement_acknowledged=True)
        for step in (order.cancelled, order.rejected):
            with pytest.raises(Conflict, match="being sent"):
                step(ANN, "why")

    def test_one_that_was_surely_not_taken_may_go_again(self) -> None:
        order = posted().order_not_taken("asked to wait")
        assert not order.was_sent
        assert order.sending_begun(BOB, current=40, agreement_acknowledged=True).order_begun(NOW).was_sent

    def test_a_lost_quote_orders_nothing(self) -> None:
        quoted = approved().sending_begun(BOB, current=40, agreement_acknowledged=True).quoted("qt-1")
        assert not quoted.was_sent
        assert quoted.cancelled(ANN, "not wanted").state is OrderState.CANCELLED

    def test_it_is_taken_and_told_of(self) -> None:
        order = (
            posted().order_taken(NOW, request_id="req-1", order_number="").with_status("completed", order_number="SO")
        )
        assert (order.state, order.route, order.order_number) == (OrderState.SUBMITTED, OrderRoute.API, "SO")
        assert order.sending is not None
        assert (order.sending.request_id, order.sending.status) == ("req-1", "completed")


class TestWhatProvesIt:
    def read(self, order: ChangeOrder, seats: int, hours: float = 2, conflict: str | None = None) -> ChangeOrder:
        began_at = NOW + timedelta(hours=hours)
        return after_read(order, seen(seats, hours=hours, conflict=conflict), began_at=began_at, at=began_at)

    def test_only_a_later_read_of_exactly_the_target_does(self) -> None:
        order = submitted()
        assert self.read(order, 44).state is OrderState.REFLECTED
        assert "44 seats (contract)" in self.read(order, 44).settled_why
        assert self.read(order, 44, hours=0.5) is order
        assert self.read(order, 40) is order
        assert self.read(order, 44, conflict="the list says 40") is order

    @pytest.mark.parametrize("count", [Missing("not told"), Failed("unreadable")])
    def test_no_number_proves_nothing(self, count: Missing | Failed) -> None:
        assert after_read(submitted(), count, began_at=NOW + timedelta(days=9), at=NOW) == submitted()

    def test_an_old_number_in_a_new_read_proves_nothing(self) -> None:
        """A file that a person gave last week is read again every time."""
        order = submitted()
        assert after_read(order, seen(44, hours=-100), began_at=NOW + timedelta(days=9), at=NOW) is order

    @pytest.mark.parametrize("seats", [39, 41, 45, 48, 0])
    def test_a_count_that_went_elsewhere_needs_a_person(self, seats: int) -> None:
        order = self.read(submitted(), seats)
        assert order.state is OrderState.NEEDS_REVIEW
        assert f"{seats} seats" in order.remark
        assert order.is_open
        assert self.read(order, seats, hours=3) is order
        assert self.read(order, 44, hours=4).state is OrderState.REFLECTED

    def test_an_order_nobody_marked_is_reflected_too(self) -> None:
        order = self.read(approved(), 44)
        assert order.state is OrderState.REFLECTED
        assert "nobody had marked" in order.settled_why

    def test_a_draft_is_not_for_reads(self) -> None:
        assert self.read(draft(), 44) == draft()

    @pytest.mark.parametrize("seats", [44, 40])
    def test_one_that_went_quiet_is_settled_by_a_read_or_waits(self, seats: int) -> None:
        found = self.read(posted(), seats)
        assert (found.state is OrderState.REFLECTED) == (seats == 44)


class TestTime:
    patience = Patience(chase_days=5, expiry_days=30)

    def at(self, order: ChangeOrder, days: float) -> ChangeOrder:
        return after_time(order, NOW + timedelta(days=days), self.patience)

    def test_a_late_one_is_chased_every_so_many_days_and_expires(self) -> None:
        order = submitted()
        assert self.at(order, 4) is order
        chased = self.at(order, 5.1)
        assert (chased.chases, chased.state) == (1, OrderState.SUBMITTED)
        assert self.at(chased, 9) is chased
        assert self.at(chased, 10.2).chases == 2
        expired = self.at(chased, 31)
        assert (expired.state, expired.is_open) == (OrderState.EXPIRED, True)
        assert self.at(expired, 99) is expired
        assert after_read(expired, seen(44, hours=999), began_at=NOW + timedelta(days=40), at=NOW).state is (
            OrderState.REFLECTED
        )

    def test_a_decrease_is_late_only_after_its_billing_date(self) -> None:
        order = submitted(approved(draft(40, 38)))
        assert order.kind is OrderKind.DECREASE
        assert due_from(order) == NOW.replace(month=10, day=1, hour=0)
        assert not is_late(order, NOW + timedelta(days=10), self.patience)
        assert is_late(order, NOW + timedelta(days=35), self.patience)
        assert due_from(approved()) is None

    def test_one_that_was_approved_and_never_sent_expires_and_makes_room(self) -> None:
        expired = self.at(approved(), 30)
        assert (expired.state, expired.is_open) == (OrderState.EXPIRED, False)
        assert self.at(approved(), 29).state is OrderState.APPROVED
        with pytest.raises(Conflict, match="is over"):
            expired.resolved(OrderState.CANCELLED, ANN, "gone")

    def test_one_whose_sender_was_not_heard_of_needs_a_person(self) -> None:
        assert self.at(posted(), 0.01) == posted()
        assert self.at(posted(), 0.1).state is OrderState.NEEDS_REVIEW


class TestAPersonSettlesIt:
    @pytest.mark.parametrize("outcome", [OrderState.CANCELLED, OrderState.REJECTED])
    def test_it_does_not_come(self, outcome: OrderState) -> None:
        order = posted().unclear("no answer", NOW).resolved(outcome, ANN, "the portal shows no order")
        assert (order.state, order.is_open, order.settled) == (outcome, False, ANN)

    def test_it_still_comes(self) -> None:
        later = Signature("ann", NOW + timedelta(days=31))
        expired = after_time(submitted(), NOW + timedelta(days=40), Patience())
        order = expired.resolved(OrderState.SUBMITTED, later, "the vendor says next week")
        assert (order.state, order.submitted, order.chased_at) == (OrderState.SUBMITTED, later, None)

    @pytest.mark.parametrize("outcome", [OrderState.REFLECTED, OrderState.DRAFT, OrderState.APPROVED])
    def test_no_word_makes_it_reflected(self, outcome: OrderState) -> None:
        with pytest.raises(InputInvalid) as refused:
            posted().unclear("no answer", NOW).resolved(outcome, ANN, "I think so")
        assert refused.value.field == "outcome"

    def test_only_what_is_unclear_is_resolved(self) -> None:
        for order in (draft(), approved(), submitted()):
            with pytest.raises(Conflict):
                order.resolved(OrderState.CANCELLED, ANN, "why")

    def test_who_withdraws_it_says_why(self) -> None:
        for order in (draft(), approved(), submitted()):
            for step, state in ((order.cancelled, OrderState.CANCELLED), (order.rejected, OrderState.REJECTED)):
                done = step(ANN, "the client left")
                assert (done.state, done.settled, done.settled_why) == (state, ANN, "the client left")
                with pytest.raises(Conflict):
                    done.cancelled(ANN, "again")


class TestTheWorkItem:
    def test_it_shows_the_total_and_the_change_and_where(self) -> None:
        order = draft().with_terms(OrderTerms("lead@example.com", "PO 7"))
        item = work_item(order)
        assert item.path == ("Customers | Complete", "Birch & Bloom (C1)", "Change Options")
        steps = {step.id: step for step in item.steps}
        assert steps["seats"].value == "44"
        assert "the change is +4" in steps["seats"].note
        assert "differ" in steps["seats"].note
        assert steps["implementation_lead"].value == "lead@example.com"
        assert steps["product"].value == "Keep Existing"
        assert steps["po_number"].value == "PO 7"
        assert "40 -> 44 (+4)" in steps["preview_changes"].value
        assert "downsell_notice" not in steps
        assert [step.id for step in item.steps][-1] == "mark_submitted"

    def test_a_decrease_asks_for_what_the_downsell_notice_says(self) -> None:
        steps = {step.id: step for step in work_item(draft(40, 38)).steps}
        assert "deadline to cancel" in steps["downsell_notice"].value
        assert steps["po_number"].value == "Order Number Not Required"
        assert "cannot be combined" in steps["product"].note
        assert "the change is -2" in steps["seats"].note

    def test_a_client_who_leaves_may_need_the_other_form(self) -> None:
        assert work_item(draft(40, 0)).steps[0].id == "cancellation"
