"""A change that counts from a day: two writes, and everything that can happen between and around them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.simulators.connectwise import ConnectWiseSimulator
from local.simulators.connectwise_records import keep_more
from local.simulators.server import running
from tests.adapters.connectwise.connected import (
    ADDITION,
    EMAIL,
    HARBOR,
    LINE,
    MANAGED,
    REFERENCE,
    SCENE,
    Connected,
    connected,
)
from tests.contracts.psa_subject_connectwise import CONNECTWISE_FIELDS, world_of
from tests.contracts.psa_subjects import Scene, a_line
from tests.fakes.clock import FakeClock
from trueup.adapters.connectwise import ConnectWiseBilling, open_connectwise
from trueup.adapters.connectwise.dating import COPIED_FIELDS
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.domain.billing import AgreementState, Line, WriteOutcome, WriteResult
from trueup.domain.counts import Known, Seats
from trueup.domain.errors import RateLimited, VendorTrouble, VendorUnavailable
from trueup.domain.legs import billed_leg

DAY = date(2026, 11, 1)
LAST_DAY = date(2026, 10, 31)
ADDITIONS = "/finance/agreements/*/additions"
DONE = (WriteOutcome.APPLIED, WriteOutcome.ALREADY)


def change(psa: ConnectWiseBilling, target: int = 15, *, day: date = DAY, version: str = "") -> WriteResult:
    return psa.set_quantity(
        REFERENCE, expected=Decimal(12), expected_version=version, target=Seats(target), effective=day
    )


def scene_with(*beside: Line, line: Line = LINE) -> Scene:
    return Scene((HARBOR,), (MANAGED,), (line, *beside), (EMAIL,))


def lines_of(site: Connected) -> list[tuple[float, str, str | None]]:
    """Quantity, first and last day of each addition of the agreement."""
    return [
        (line.quantity, line.effective_date[:10], line.cancelled_date and line.cancelled_date[:10])
        for line in site.simulator.world.lines_of(1201)
    ]


SETTLED = [(12.0, "2024-01-01", "2026-10-31"), (15.0, "2026-11-01", None)]
HALF = [(12.0, "2024-01-01", None), (15.0, "2026-11-01", None)]


def bodies(site: Connected) -> list[tuple[str, Any]]:
    return [(record.method, json.loads(record.body)) for record in site.simulator.world.writes]


def test_the_new_line_is_made_first_then_the_old_one_ends_the_day_before() -> None:
    with connected() as site:
        result = change(site.psa, version=LINE.version)
        assert result.outcome is WriteOutcome.APPLIED
        assert lines_of(site) == SETTLED
        (first, made), (second, ended) = bodies(site)
    assert (first, second) == ("POST", "PATCH")
    assert (made["product"], made["quantity"], made["effectiveDate"]) == ({"id": 560}, 15, "2026-11-01T00:00:00Z")
    assert ended == [{"op": "replace", "path": "cancelledDate", "value": "2026-10-31T00:00:00Z"}]


def test_only_fields_that_may_be_set_are_copied_and_each_of_them_is() -> None:
    more = {
        "taxableFlag": False,
        "uom": "User",
        "invoiceGrouping": {"id": 3, "name": "Security"},
        "customFields": [{"id": 7, "caption": "Cost center", "value": "A-1", "number": 1.25}],
        "purchaseItemFlag": True,
    }
    with connected(scene_with(line=replace(LINE, less_included=Decimal("2.5"), billable=False))) as site:
        keep_more(site.simulator.world, 88431, more)
        site.simulator.world.edit_addition(88431, unit_price=4.05, invoice_description="Mail, per user")
        result = change(site.psa)
        assert result.outcome is WriteOutcome.APPLIED
        body = bodies(site)[0][1]
        again = site.psa.read_line(replace(REFERENCE, line_id=result.line_id)).line  # type: ignore[arg-type]
    assert set(body) <= {"product", "quantity", "effectiveDate", *COPIED_FIELDS}
    assert {name: body[name] for name in more} == more
    assert (body["unitPrice"], body["lessIncluded"], body["billCustomer"]) == (4.05, 2.5, "DoNotBill")
    assert (body["invoiceDescription"], body["sequenceNumber"]) == ("Mail, per user", 10)
    assert (again.unit_price, again.less_included, again.billable) == (Decimal("4.05"), Decimal("2.5"), False)


def test_a_price_that_cannot_be_sent_on_to_the_same_digit_is_refused() -> None:
    with connected() as site:
        raw = "4.1234567890123456789"
        site.simulator.faults.add("set_field", path=ADDITION, times=0, field="unitPrice", raw=raw)
        site.simulator.faults.add("set_field", path=ADDITIONS, times=0, field="unitPrice", raw=raw)
        result = change(site.psa)
        assert (result.outcome, site.simulator.world.writes) == (WriteOutcome.REJECTED, [])
    assert "digits" in result.reason


@pytest.mark.parametrize(
    ("scene", "day", "outcome", "said"),
    [
        (replace(SCENE, agreements=(replace(MANAGED, prorates=False),)), DAY, WriteOutcome.REJECTED, "prorate"),
        (SCENE, date(2026, 9, 1), WriteOutcome.REJECTED, "not in the future"),
        (SCENE, date(2026, 8, 1), WriteOutcome.REJECTED, "not in the future"),
        (
            replace(SCENE, agreements=(replace(MANAGED, ends_on=date(2026, 10, 15)),)),
            DAY,
            WriteOutcome.REJECTED,
            "ends on 2026-10-15",
        ),
        (
            replace(SCENE, agreements=(replace(MANAGED, state=AgreementState.CANCELLED),)),
            DAY,
            WriteOutcome.REJECTED,
            "cancelled",
        ),
        (
            scene_with(line=replace(LINE, effective_to=date(2026, 12, 31))),
            DAY,
            WriteOutcome.REJECTED,
            "ends on 2026-12-31",
        ),
        (scene_with(a_line(88432, MANAGED, EMAIL, "3")), DAY, WriteOutcome.REJECTED, "88432"),
        (
            scene_with(a_line(88432, MANAGED, EMAIL, "20", effective_from=date(2026, 12, 1))),
            DAY,
            WriteOutcome.CONFLICT,
            "88432",
        ),
        (
            scene_with(a_line(88432, MANAGED, EMAIL, "20", effective_from=DAY)),
            DAY,
            WriteOutcome.CONFLICT,
            "88432",
        ),
        (
            scene_with(
                a_line(88432, MANAGED, EMAIL, "15", effective_from=DAY),
                a_line(88433, MANAGED, EMAIL, "15", effective_from=DAY),
            ),
            DAY,
            WriteOutcome.CONFLICT,
            "88432 and 88433",
        ),
    ],
)
def test_what_forbids_a_dated_change_is_said_and_nothing_is_sent(
    scene: Scene, day: date, outcome: WriteOutcome, said: str
) -> None:
    with connected(scene) as site:
        result = change(site.psa, day=day)
        assert (result.outcome, site.simulator.world.writes) == (outcome, [])
    assert said in result.reason


def test_a_line_that_a_person_edited_at_the_last_moment_is_left_as_it_is() -> None:
    with connected() as site:
        # The second read of the line is the last look before the new one is made.
        site.simulator.faults.add("moved_line", method="GET", path=ADDITION, nth=2, quantity=13)
        assert change(site.psa).outcome is WriteOutcome.CONFLICT
        assert site.simulator.world.writes == []


# Every crash point.


class _KilledError(BaseException):
    """The process ends here: nothing of ours catches it."""


def _die_at(monkeypatch: pytest.MonkeyPatch, call: int, *, sent: bool) -> None:
    """The process ends at that call to ConnectWise: before it is sent, or after it was carried out."""
    calls = 0
    send: Callable[..., Any] = ConnectWiseSession.send

    def dying(self: ConnectWiseSession, *arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not sent:
            raise _KilledError
        reply = send(self, *arguments, **options)
        if calls == call:
            raise _KilledError
        return reply

    monkeypatch.setattr(ConnectWiseSession, "send", dying)


CALLS_OF_A_DATED_CHANGE = 9


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(1, CALLS_OF_A_DATED_CHANGE + 2))
def test_a_crash_at_any_call_is_finished_by_the_same_change_and_never_twice(
    monkeypatch: pytest.MonkeyPatch, call: int, sent: bool
) -> None:
    with running(ConnectWiseSimulator(world_of(SCENE))) as simulator:

        def fresh() -> ConnectWiseBilling:
            return open_connectwise(simulator.url, CONNECTWISE_FIELDS, clock=FakeClock(), allow_loopback=True)

        with monkeypatch.context() as patch:
            _die_at(patch, call, sent=sent)
            killed = False
            try:
                change(fresh(), version=LINE.version)
            except _KilledError:
                killed = True
        assert killed == (call <= CALLS_OF_A_DATED_CHANGE)
        assert change(fresh(), version=LINE.version).outcome in DONE
        assert change(fresh(), version=LINE.version).outcome is WriteOutcome.ALREADY
        assert lines_of(Connected(simulator, fresh())) == SETTLED
        assert [record.method for record in simulator.world.writes if record.committed] == ["POST", "PATCH"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("kind", ["drop_after_commit", "error_after_commit", "drop_before_commit", "status"])
def test_either_write_that_is_answered_badly_is_settled_by_looking(method: str, kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, method=method)
        outcome = change(site.psa).outcome
        assert outcome in (WriteOutcome.APPLIED, WriteOutcome.UNKNOWN)
        assert change(site.psa).outcome in DONE
        assert lines_of(site) == SETTLED


def test_a_line_that_may_have_been_made_is_not_made_again_by_the_same_call() -> None:
    with connected() as site:
        site.simulator.faults.add("drop_before_commit", method="POST", times=0)
        result = change(site.psa)
        assert result.outcome is WriteOutcome.UNKNOWN
        assert [method for method, _ in bodies(site)] == ["POST"]
        assert lines_of(site) == [(12.0, "2024-01-01", None)]
    assert "may still be made" in result.reason


def test_an_old_line_that_could_not_be_ended_is_said_with_both_lines_named() -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="PATCH", times=0, status=403)
        result = change(site.psa)
        assert (result.outcome, result.line_id) == (WriteOutcome.UNKNOWN, "88432")
        assert lines_of(site) == HALF
        site.simulator.faults.clear()
        repaired = change(site.psa)
        assert (repaired.outcome, repaired.line_id) == (WriteOutcome.APPLIED, "88432")
        assert lines_of(site) == SETTLED
    assert "Finance > Agreements: Edit All" in result.reason
    assert "88431" in result.reason


def test_the_repair_also_comes_after_the_day_when_both_lines_already_bill() -> None:
    with connected(scene_with(a_line(88432, MANAGED, EMAIL, "15", effective_from=date(2026, 8, 20)))) as site:
        result = change(site.psa, day=date(2026, 8, 20))
        assert (result.outcome, result.line_id) == (WriteOutcome.APPLIED, "88432")
        assert lines_of(site)[0] == (12.0, "2024-01-01", "2026-08-19")


def test_a_half_made_change_whose_old_line_somebody_edited_is_theirs_to_decide() -> None:
    scene = scene_with(
        a_line(88432, MANAGED, EMAIL, "15", effective_from=DAY), line=replace(LINE, quantity=Decimal(13))
    )
    with connected(scene) as site:
        result = change(site.psa)
        assert (result.outcome, site.simulator.world.writes) == (WriteOutcome.CONFLICT, [])
    assert "88432" in result.reason


@pytest.mark.parametrize(
    ("status", "said"), [(403, "Finance > Agreements: Add All"), (400, "refused"), (409, "being edited")]
)
def test_a_refused_new_line_leaves_the_old_one_as_it_is(status: int, said: str) -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="POST", status=status)
        result = change(site.psa)
        assert result.outcome is WriteOutcome.REJECTED
        assert lines_of(site) == [(12.0, "2024-01-01", None)]
    assert said in result.reason


def test_a_new_line_with_another_quantity_than_was_sent_does_not_end_the_old_one() -> None:
    with connected() as site:
        site.simulator.faults.add("clamped_quantity", method="POST", maximum=14)
        result = change(site.psa)
        assert (result.outcome, result.line_id, result.quantity_seen) == (WriteOutcome.REJECTED, "88432", Decimal(14))
        assert lines_of(site)[0] == (12.0, "2024-01-01", None)
    assert "end one of the two" in result.reason


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_limit_is_waited_out_and_the_line_looked_at_again(method: str) -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", method=method, retry_after="3")
        assert change(site.psa).outcome is WriteOutcome.APPLIED
        assert lines_of(site) == SETTLED
        assert max(site.clock.sleeps) >= 3


def test_a_limit_that_does_not_end_is_raised_while_nothing_was_sent() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", method="POST", times=0, retry_after="300")
        with pytest.raises(RateLimited):
            change(site.psa)
        assert lines_of(site) == [(12.0, "2024-01-01", None)]


def test_an_agreement_that_cannot_be_read_after_the_new_line_was_made_is_unknown() -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="GET", path=ADDITIONS, nth=2, times=0, status=503)
        assert change(site.psa).outcome is WriteOutcome.UNKNOWN
        site.simulator.faults.clear()
        assert change(site.psa).outcome is WriteOutcome.APPLIED
        assert lines_of(site) == SETTLED


def test_nothing_is_sent_when_the_agreement_cannot_be_read_first() -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="GET", path=ADDITIONS, times=0, status=503)
        with pytest.raises(VendorUnavailable):
            change(site.psa)
        assert site.simulator.world.writes == []


def test_what_is_read_after_it_is_the_ending_line_and_the_coming_one() -> None:
    with connected() as site:
        change(site.psa)
        cursor, lines = None, []
        while True:
            page = site.psa.read_page(cursor)
            lines += page.lines
            cursor = page.next_cursor
            if cursor is None:
                break
    old, new = lines
    assert (old.effective_to, new.effective_from) == (LAST_DAY, DAY)
    assert [line.is_live(date(2026, 10, 30)) for line in lines] == [True, False]
    assert [line.is_live(DAY) for line in lines] == [False, True]
    assert new.is_future(LAST_DAY)


@pytest.mark.parametrize(
    ("on", "waits"),
    [
        (date(2026, 9, 2), True),
        (date(2026, 10, 30), True),
        (LAST_DAY, True),
        (DAY, False),
        (date(2026, 11, 2), False),
    ],
)
def test_the_comparison_takes_both_lines_for_one_on_every_day(on: date, waits: bool) -> None:
    """Before the day nothing is proposed again and nothing called missing; from the day on the new line is the line."""
    with connected() as site:
        change(site.psa)
        page = site.psa.read_account(HARBOR.id)
    agreements = {one.id: one for one in page.agreements}
    billing = billed_leg(page.lines, agreements, on=on, read_at=datetime(2026, 9, 2, tzinfo=UTC))
    assert isinstance(billing.count, Known)
    assert (billing.count.seats, bool(billing.pending), billing.verdict) == (15, waits, None)


def test_a_new_line_that_is_made_late_is_found_by_the_next_call() -> None:
    """The answer was lost, the line was not there yet, and ConnectWise made it after we had looked."""
    with connected() as site:
        site.simulator.faults.add("drop_before_commit", method="POST")
        assert change(site.psa).outcome is WriteOutcome.UNKNOWN
        late = replace(
            site.simulator.world.additions[88431], id=88432, quantity=15.0, effective_date="2026-11-01T00:00:00Z"
        )
        site.simulator.world.add_addition(late)
        result = change(site.psa)
        assert (result.outcome, result.line_id) == (WriteOutcome.APPLIED, "88432")
        assert lines_of(site) == SETTLED


@pytest.mark.parametrize(
    ("ends", "outcome"),
    [(None, WriteOutcome.REJECTED), (date(2026, 12, 31), WriteOutcome.REJECTED), (LAST_DAY, WriteOutcome.APPLIED)],
)
def test_a_plain_change_waits_for_a_dated_one_that_is_half_made(ends: date | None, outcome: WriteOutcome) -> None:
    """Otherwise both lines would bill the new seats from the day on."""
    coming = a_line(88432, MANAGED, EMAIL, "15", effective_from=DAY)
    with connected(scene_with(coming, line=replace(LINE, effective_to=ends))) as site:
        result = site.psa.set_quantity(REFERENCE, expected=Decimal(12), expected_version="", target=Seats(15))
        assert result.outcome is outcome
        assert len(site.simulator.world.writes) == int(outcome is WriteOutcome.APPLIED)
    assert outcome is WriteOutcome.APPLIED or "88432" in result.reason


FAULTS = st.tuples(
    st.sampled_from(["POST", "PATCH", "GET"]),
    st.sampled_from(
        ["drop_after_commit", "error_after_commit", "drop_before_commit", "status", "rate_limited", "html"]
    ),
    st.integers(1, 4),
    st.integers(1, 6),
)


@settings(max_examples=25, deadline=None)
@given(faults=st.lists(FAULTS, max_size=4))
def test_whatever_goes_wrong_the_same_call_ends_settled_with_one_new_line(
    faults: list[tuple[str, str, int, int]],
) -> None:
    with connected() as site:
        for method, kind, nth, times in faults:
            site.simulator.faults.add(kind, method=method, path="/finance/*", nth=nth, times=times)
        seen = set()
        for _ in range(30):
            try:
                outcome = change(site.psa).outcome
            except VendorTrouble:
                continue
            seen.add(outcome)
            assert len(site.simulator.world.lines_of(1201)) <= 2
            if outcome in DONE:
                break
        assert lines_of(site) == SETTLED
        assert change(site.psa).outcome is WriteOutcome.ALREADY
    assert WriteOutcome.CONFLICT not in seen
