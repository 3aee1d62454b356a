"""One write of a whole document and everything that can become of it and of the lines beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from local.simulators import credentials
from local.simulators.halopsa_records import memory
from tests.adapters.halopsa.connected import (
    AWARENESS,
    BILLED,
    CHANGES,
    EMAIL,
    HARBOR,
    INVOICE,
    INVOICES,
    LINE,
    MANAGED,
    OTHER,
    REFERENCE,
    SHORT_READS,
    Connected,
    connected,
)
from tests.contracts.psa_subjects import Scene, a_line
from tests.fakes.clock import FakeClock
from trueup.adapters.halopsa.changes import ChangesSince
from trueup.adapters.halopsa.document import Invoice
from trueup.adapters.halopsa.restoring import ALARM, Aftermath, Repaired, put_back_overwritten
from trueup.adapters.halopsa.wire import ChangeWire
from trueup.domain.billing import AgreementId, LineId, LineReference, WriteOutcome, WriteResult
from trueup.domain.counts import Seats
from trueup.domain.errors import InputInvalid, RateLimited, VendorTrouble, VendorUnavailable

THIRD = a_line(88433, MANAGED, AWARENESS, "7", effective_to=date(2025, 1, 1))
THREE_LINES = Scene((HARBOR,), (MANAGED,), (*BILLED, THIRD), (EMAIL, AWARENESS))
DUE = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)
"""When FakeClock begins."""


def write(
    site: Connected, target: int = 15, *, version: str = LINE.version, reference: LineReference = REFERENCE, **more: Any
) -> WriteResult:
    return site.psa.set_quantity(
        reference, expected=Decimal(12), expected_version=version, target=Seats(target), **more
    )


def keep(site: Connected, line_id: int, **fields: Any) -> None:
    memory(site.simulator.world)["lines"][str(line_id)] = fields


def keep_header(site: Connected, **fields: Any) -> None:
    memory(site.simulator.world)["invoices"]["1201"] = fields


def body_of(site: Connected) -> str:
    return site.simulator.world.writes[0].body


# What is sent.


def test_all_lines_are_sent_with_one_quantity_changed_and_nothing_else() -> None:
    with connected() as site:
        before = site.psa._reader.read_invoice("1201").raw_lines
        assert write(site).outcome is WriteOutcome.APPLIED
        record = site.simulator.world.writes[0]
        posted = json.loads(record.body, parse_float=Decimal)
    assert (record.method, record.path, record.line_id, record.before, record.after) == (
        "POST",
        "/RecurringInvoice",
        88431,
        12,
        15,
    )
    assert [set(one) for one in posted] == [{"id", "lines"}]
    changed, untouched = posted[0]["lines"]
    assert untouched == before[1]
    assert changed == {**before[0], "qty_order": 15}


def test_unknown_fields_go_back_byte_for_byte() -> None:
    """Numbers keep their digits, texts their characters, and what is nested its order."""
    odd = '{"b":[1.50,12345678901234567890,1E+2,-0.0],"a":{"deep":[null,true,"\\u2028\\ud800\\"</script>"]}}'
    with connected() as site:
        site.simulator.faults.add("set_field", method="GET", path=INVOICE, times=0, field="customfields", raw=odd)
        write(site)
        sent = body_of(site)
    assert sent.count(f'"customfields":{odd}') == 2


def test_lines_nested_too_deep_to_be_sent_back_are_not_sent_at_all() -> None:
    deep = "[" * 60 + "]" * 60
    with connected() as site:
        site.simulator.faults.add("set_field", method="GET", path=INVOICE, field="customfields", raw=deep, times=0)
        with pytest.raises(VendorTrouble):
            write(site)
        assert site.posts() == 0


def test_a_heading_stays_where_it_is() -> None:
    with connected(THREE_LINES) as site:
        keep(site, 88432, isgroupdesc=True)
        assert write(site).outcome is WriteOutcome.APPLIED
        assert [line["id"] for line in json.loads(body_of(site))[0]["lines"]] == [88431, 88432, 88433]
        assert site.quantities() == {88431: 15, 88432: 3, 88433: 7}


def test_one_change_costs_five_calls() -> None:
    with connected() as site:
        site.psa.read_page(None)
        site.simulator.requests.clear()
        assert write(site).outcome is WriteOutcome.APPLIED
        asked = [(entry.method, entry.path) for entry in site.simulator.requests.entries]
    one = "/api/RecurringInvoice/1201"
    assert asked == [("GET", CHANGES), ("GET", one), ("POST", INVOICES), ("GET", one), ("GET", CHANGES)]


def test_a_day_to_count_from_is_refused() -> None:
    with connected() as site:
        with pytest.raises(InputInvalid) as caught:
            write(site, effective=date(2026, 10, 1))
        assert caught.value.field == "effective"
        assert site.simulator.requests.total == 0


@pytest.mark.parametrize(("agreement_id", "line_id"), [("1201/..", "1"), ("", "1"), ("1201", "88431?x=1"), ("1", "٣")])
def test_an_id_that_is_no_id_never_goes_into_an_address(agreement_id: str, line_id: str) -> None:
    with connected() as site:
        with pytest.raises(InputInvalid):
            write(site, reference=LineReference(AgreementId(agreement_id), LineId(line_id)))
        assert not any("RecurringInvoice/" in entry.path for entry in site.simulator.requests.entries)


# What is not written to.


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"recurring_invoice_quantity_type": 1}, "itself"),
        ({"quantity_subscriptions": [{"id": 9, "invoice_line_id": 88431}]}, "itself"),
        ({"prorata_data": [{"id": 4, "quantity": 2}]}, "pro-rata"),
        ({"onetimecharge": True}, "one-time"),
    ],
)
def test_a_line_that_halo_would_work_out_or_add_to_is_refused(fields: dict[str, Any], word: str) -> None:
    with connected() as site:
        keep(site, 88431, **fields)
        result = write(site, version="")
        assert (result.outcome, result.quantity_seen, site.posts()) == (WriteOutcome.REJECTED, Decimal(12), 0)
        assert word in result.reason


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"reviewrequired": True}, "review"),
        ({"approval_status": 1}, "approval"),
        ({"disabled": True}, "inactive"),
        ({"enddate": "2026-08-01T00:00:00"}, "ended on 2026-08-01"),
        ({"is_recurring_invoice": False}, "unknown"),
    ],
)
def test_an_invoice_that_waits_for_somebody_or_is_over_is_refused(fields: dict[str, Any], word: str) -> None:
    with connected() as site:
        keep_header(site, **fields)
        result = write(site)
        assert (result.outcome, site.posts()) == (WriteOutcome.REJECTED, 0)
        assert word in result.reason


def test_an_invoice_without_its_lines_is_never_written_to() -> None:
    """An empty list posted back would take every line away."""
    with connected() as site:
        site.simulator.faults.add("set_field", method="GET", path=INVOICE, field="lines", remove=True, times=0)
        with pytest.raises(VendorTrouble):
            write(site)
        assert site.posts() == 0


def test_an_edit_of_another_line_is_no_conflict_so_several_changes_fit_one_invoice() -> None:
    with connected() as site:
        first = write(site)
        second = site.psa.set_quantity(
            LineReference(MANAGED.id, OTHER.id, AWARENESS.id),
            expected=Decimal(3),
            expected_version=OTHER.version,
            target=Seats(5),
        )
        assert (first.outcome, second.outcome) == (WriteOutcome.APPLIED, WriteOutcome.APPLIED)
        assert ALARM not in first.reason + second.reason
        assert site.quantities() == {88431: 15, 88432: 5}


def test_two_changes_of_one_invoice_at_once_lose_neither() -> None:
    with connected() as site:
        site.simulator.latency_seconds = 0.01

        def change(line: LineReference, expected: int, target: int) -> WriteOutcome:
            return site.psa.set_quantity(
                line, expected=Decimal(expected), expected_version="", target=Seats(target)
            ).outcome

        orders = [(REFERENCE, 12, 15), (LineReference(MANAGED.id, OTHER.id), 3, 5)]
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(lambda order: change(*order), orders))
        assert outcomes == [WriteOutcome.APPLIED] * 2
        assert site.quantities() == {88431: 15, 88432: 5}


def test_the_result_carries_the_new_version_so_that_a_next_write_can_be_compared() -> None:
    with connected() as site:
        first = write(site)
        assert first.version_seen is not None
        second = site.psa.set_quantity(
            REFERENCE, expected=Decimal(15), expected_version=first.version_seen, target=Seats(16)
        )
    assert second.outcome is WriteOutcome.APPLIED


# The invoice run.


@pytest.mark.parametrize("minutes", [-13, 0, 14])
def test_a_run_that_may_be_making_the_invoice_is_waited_for(minutes: int) -> None:
    with connected(clock=FakeClock(datetime(2026, 9, 1, 6, 0, tzinfo=UTC))) as site:
        due = DUE.replace(hour=6 if minutes >= 0 else 5, minute=minutes % 60)
        keep_header(site, nextcreationdate=due.strftime("%Y-%m-%dT%H:%M:%S"), lastcreated="2026-08-01T00:05:00")
        with pytest.raises(RateLimited) as caught:
            write(site)
        assert caught.value.wait_seconds == pytest.approx((minutes + 15) * 60, abs=1)
        assert site.posts() == 0
        site.clock.advance(caught.value.wait_seconds)
        assert write(site).outcome is WriteOutcome.APPLIED


@pytest.mark.parametrize(
    ("next_creation", "last_created"),
    [
        ("2026-09-01T06:16:00", "2026-08-01T00:05:00"),
        ("2026-09-01T05:44:00", "2026-08-01T00:05:00"),
        ("2026-09-01T06:00:00", "2026-09-01T06:00:02"),
        ("1899-12-30T00:00:00", "1899-12-30T00:00:00"),
        (None, None),
    ],
)
def test_no_run_is_waited_for_that_is_far_over_or_done(next_creation: str | None, last_created: str | None) -> None:
    with connected() as site:
        keep_header(site, nextcreationdate=next_creation, lastcreated=last_created)
        assert write(site).outcome is WriteOutcome.APPLIED
        assert site.clock.sleeps == [] or max(site.clock.sleeps) < 1


def test_a_short_rest_of_the_wait_is_waited_here_and_the_invoice_read_again() -> None:
    with connected() as site:
        keep_header(site, nextcreationdate="2026-09-01T05:45:30", lastcreated="2026-08-01T00:05:00")
        site.simulator.faults.add("moved_line", method="GET", path=INVOICE, nth=2, line_id=88431, quantity=13)
        result = write(site)
        assert (result.outcome, site.posts()) == (WriteOutcome.CONFLICT, 0)
        assert max(site.clock.sleeps) == pytest.approx(30, abs=1)


def test_an_invoice_that_was_made_in_between_is_told() -> None:
    with connected() as site:
        site.simulator.faults.add("invoice_run", method="POST", path=INVOICES)
        result = write(site)
        assert result.outcome is WriteOutcome.APPLIED
        assert "check whether that one has 12 or 15" in result.reason


# Other lines.


@pytest.mark.fault("P8")
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("other_line_lost", "line 88432 (MIME-AWARE, quantity 3) is gone"),
        ("other_line_moved", "line 88432 (MIME-AWARE) changed in qty_order from 3 to 4"),
    ],
)
def test_P8_another_line_that_goes_or_moves_is_put_back_and_said(kind: str, said: str) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, method="POST", path=INVOICES)
        result = write(site)
        assert result.outcome is WriteOutcome.REJECTED
        assert result.reason.startswith(ALARM)
        assert said in result.reason
        assert "put back as it was read" in result.reason
        assert result.quantity_seen == 12
        assert sorted(site.quantities().values()) == [3, 12]
        assert site.posts() == 2


def test_a_line_that_was_made_again_is_named_with_its_new_id() -> None:
    with connected(THREE_LINES) as site:
        site.simulator.faults.add("other_line_lost", method="POST", path=INVOICES, line_id=88432)
        result = write(site)
        assert "line 88432 as line 88434" in result.reason
        assert site.quantities() == {88431: 12, 88433: 7, 88434: 3}


@pytest.mark.parametrize("kind", ["other_line_lost", "other_line_moved"])
def test_nothing_is_put_back_over_an_edit_that_came_after(kind: str) -> None:
    with connected(THREE_LINES) as site:
        site.simulator.faults.add(kind, method="POST", path=INVOICES, line_id=88432)
        site.simulator.faults.add("moved_line", method="GET", path=INVOICE, nth=2, line_id=88433, quantity=70)
        result = write(site)
        assert (result.outcome, site.posts()) == (WriteOutcome.UNKNOWN, 1)
        assert result.reason.startswith(ALARM)
        assert "nothing was put back" in result.reason
        assert site.quantities()[88433] == 70


@pytest.mark.parametrize("kind", ["other_line_lost", "other_line_moved"])
def test_damage_of_a_write_whose_answer_was_lost_is_put_back_by_halos_own_record(kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, method="POST", path=INVOICES)
        site.simulator.faults.add("drop_after_commit", method="POST", path=INVOICES)
        result = write(site)
        assert (result.outcome, sorted(site.quantities().values())) == (WriteOutcome.REJECTED, [3, 12])
        assert result.reason.startswith(ALARM)


def test_damage_that_nobody_can_be_named_for_is_left_and_said() -> None:
    with connected() as site:
        site.simulator.faults.add("other_line_lost", method="POST", path=INVOICES)
        site.simulator.faults.add("drop_after_commit", method="POST", path=INVOICES)
        site.simulator.faults.add("status", path=CHANGES, status=403, times=0)
        result = write(site)
        assert (result.outcome, site.posts()) == (WriteOutcome.UNKNOWN, 1)
        assert result.reason.startswith(ALARM)


@pytest.mark.parametrize("kind", ["status", "drop_before_commit", "false_success"])
def test_a_putting_back_that_fails_is_said_too(kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add("other_line_moved", method="POST", path=INVOICES)
        site.simulator.faults.add(kind, method="POST", path=INVOICES, nth=2, status=400)
        result = write(site)
        assert result.outcome is WriteOutcome.UNKNOWN
        assert result.reason.startswith(ALARM)
        assert "from 3 to 4" in result.reason


@pytest.mark.fault("P8")
@pytest.mark.parametrize("kind", ["error_after_commit", "drop_after_commit"])
def test_P8_half_of_a_failed_write_is_not_made_final_by_sending_the_rest_again(kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add("other_line_lost", method="POST", path=INVOICES)
        site.simulator.faults.add("clamped_quantity", method="POST", path=INVOICES, maximum=12)
        site.simulator.faults.add(kind, method="POST", path=INVOICES)
        result = write(site)
        assert (result.outcome, site.posts(), site.quantities()) == (WriteOutcome.UNKNOWN, 1, {88431: 12})
        assert result.reason.startswith(ALARM)
        assert "line 88432 (MIME-AWARE, quantity 3) is gone" in result.reason


def test_a_calculated_line_beside_it_may_move_by_itself() -> None:
    scene = Scene(
        (HARBOR,),
        (MANAGED,),
        (BILLED[0], a_line(88432, MANAGED, AWARENESS, "3", not_writable_reason="x")),
        (EMAIL, AWARENESS),
    )
    with connected(scene) as site:
        site.simulator.faults.add("moved_line", method="POST", path=INVOICES, line_id=88432, quantity=44)
        result = write(site)
        assert result.outcome is WriteOutcome.APPLIED
        assert site.quantities() == {88431: 15, 88432: 44}


@pytest.mark.fault("P14")
def test_P14_an_edit_that_was_saved_between_reading_and_posting_is_given_back() -> None:
    """Posting all lines overwrote it; reading back alone could not have shown that."""
    with connected(THREE_LINES) as site:
        site.simulator.faults.add("moved_line", method="POST", path=INVOICES, line_id=88432, quantity=9)
        result = write(site)
        assert result.outcome is WriteOutcome.APPLIED
        assert "line 88432 has 9 again" in result.reason
        assert site.quantities() == {88431: 15, 88432: 9, 88433: 7}


def test_an_overwritten_edit_that_cannot_be_given_back_is_an_alarm() -> None:
    with connected(THREE_LINES) as site:
        site.simulator.faults.add("moved_line", method="POST", path=INVOICES, line_id=88432, quantity=9)
        site.simulator.faults.add("status", method="POST", path=INVOICES, nth=2, status=400)
        result = write(site)
        assert result.outcome is WriteOutcome.UNKNOWN
        assert result.reason.startswith(ALARM)
        assert "on line 88432, qty_order went back from 9 to 3" in result.reason
        assert "The line itself reads 15" in result.reason


def test_a_line_that_somebody_added_between_reading_and_posting_and_that_the_post_took_away_is_an_alarm() -> None:
    with connected() as site:
        site.simulator.faults.add("moved_line", method="POST", path=INVOICES, line_id=88431, add_item=561)
        result = write(site)
        assert result.outcome is WriteOutcome.UNKNOWN
        assert result.reason.startswith(ALARM)
        assert "on line 88433, line removed went back from 1 to nothing" in result.reason


def test_what_was_written_to_the_same_invoice_a_moment_ago_is_not_taken_for_somebody_elses() -> None:
    """A person lowered the other line, this very adapter raised it again, and then writes this line."""
    with connected() as site:
        site.simulator.faults.add("moved_line", method="GET", path="/api/Agent/me", line_id=88432, quantity=2)
        site.psa.check()
        other = LineReference(MANAGED.id, OTHER.id)
        raised = site.psa.set_quantity(other, expected=Decimal(2), expected_version="", target=Seats(3))
        result = write(site)
        assert (raised.outcome, result.outcome) == (WriteOutcome.APPLIED, WriteOutcome.APPLIED)
        assert site.quantities() == {88431: 15, 88432: 3}
        assert "again" not in result.reason


@pytest.mark.parametrize(
    "trouble",
    [
        ("status", {"status": 403}),
        ("status", {"status": 500}),
        ("html", {}),
        ("rate_limited", {}),
        ("raw", {"body": "7"}),
    ],
)
def test_a_record_of_changes_that_cannot_be_read_stops_nothing_and_is_said(trouble: tuple[str, dict[str, Any]]) -> None:
    kind, options = trouble
    with connected() as site:
        site.simulator.faults.add(kind, path=CHANGES, times=0, **options)
        result = write(site)
        assert result.outcome is WriteOutcome.APPLIED
        assert "cannot be ruled out" in result.reason


def test_a_record_of_changes_in_an_envelope_is_read_too() -> None:
    with connected() as site:
        site.simulator.faults.add("raw", path=CHANGES, body='{"record_count": 0, "changes": []}', times=0)
        result = write(site)
        assert result.outcome is WriteOutcome.APPLIED
        assert "does not show this write" in result.reason


def test_an_amount_that_does_not_follow_the_quantity_is_an_alarm() -> None:
    with connected() as site:
        site.simulator.faults.add(
            "set_field", method="GET", path=INVOICE, nth=2, field="net_amount", raw="51.0", where={"id": 88431}
        )
        result = write(site)
        assert result.outcome is WriteOutcome.UNKNOWN
        assert result.reason.startswith("ALARM: HaloPSA shows the amount 51 on line 88431 for a quantity of 15 at 4.25")


# Answers that are lost, late or refused.


def test_a_refusal_is_told_in_halos_words() -> None:
    with connected() as site:
        body = '{"ClassName":"System.Exception","Message":"Invalid invoice line"}'
        site.simulator.faults.add("raw", method="POST", path=INVOICES, status=400, body=body)
        result = write(site)
        assert (result.outcome, site.quantities()[88431], site.posts()) == (WriteOutcome.REJECTED, 12, 1)
        assert "Invalid invoice line" in result.reason


def test_a_missing_scope_to_edit_is_named() -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="POST", path=INVOICES, status=403, times=0)
        assert "edit:invoices" in write(site).reason


def test_a_token_that_ends_before_the_post_costs_nothing() -> None:
    with connected() as site:
        site.simulator.faults.add("unauthorized", method="POST", path=INVOICES)
        assert write(site).outcome is WriteOutcome.APPLIED
        assert site.quantities() == {88431: 15, 88432: 3}


@pytest.mark.parametrize("status", [409, 412, 500, 503])
def test_a_refusal_as_edited_or_a_failure_is_read_again_and_sent_once_more(status: int) -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="POST", path=INVOICES, status=status)
        assert write(site).outcome is WriteOutcome.APPLIED
        assert (site.posts(), site.quantities()[88431]) == (2, 15)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("drop_before_commit", WriteOutcome.UNKNOWN), ("status", WriteOutcome.REJECTED)],
)
def test_sending_again_is_bounded(kind: str, outcome: WriteOutcome) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, method="POST", path=INVOICES, times=0, status=500)
        result = write(site)
        assert (result.outcome, result.quantity_seen, site.posts()) == (outcome, Decimal(12), 2)


@pytest.mark.fault("T6")
@pytest.mark.parametrize(
    "kind", ["drop_after_commit", "error_after_commit", "truncated", "reset_mid_body", "wrong_content_type"]
)
def test_T6_a_write_that_was_carried_out_is_found_and_not_sent_again(kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, method="POST", path=INVOICES)
        assert write(site).outcome is WriteOutcome.APPLIED
        assert (site.posts(), site.quantities()[88431]) == (1, 15)


@pytest.mark.fault("T8")
@pytest.mark.parametrize("kind", ["html", "empty", "deep_json", "fail_in_200"])
def test_T8_a_yes_of_somebody_before_halo_is_not_believed(kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, method="POST", path=INVOICES)
        result = write(site)
        assert (result.outcome, result.quantity_seen, site.posts()) == (WriteOutcome.REJECTED, Decimal(12), 1)


@pytest.mark.fault("T6")
def test_T6_a_timeout_after_the_commit_is_found_and_one_before_it_is_sent_again() -> None:
    with connected(limits=SHORT_READS) as site:
        site.simulator.faults.add("late_reply", method="POST", path=INVOICES, seconds=0.6)
        assert write(site).outcome is WriteOutcome.APPLIED
        assert site.quantities()[88431] == 15
    with connected() as site:
        site.simulator.faults.add("drop_before_commit", method="POST", path=INVOICES)
        assert write(site).outcome is WriteOutcome.APPLIED
        assert (site.posts(), site.quantities()) == (2, {88431: 15, 88432: 3})


def test_what_is_sent_again_is_merged_with_what_somebody_changed_meanwhile() -> None:
    with connected() as site:
        site.simulator.faults.add("drop_before_commit", method="POST", path=INVOICES)
        site.simulator.faults.add("moved_line", method="GET", path=INVOICE, nth=2, line_id=88432, quantity=8)
        assert write(site).outcome is WriteOutcome.APPLIED
        assert site.quantities() == {88431: 15, 88432: 8}


@pytest.mark.parametrize("waiting", ["rate_limited", "status"])
def test_a_wait_before_anything_was_sent_is_followed_by_a_fresh_look(waiting: str) -> None:
    with connected() as site:
        site.simulator.faults.add(
            "rate_limited", method="POST", path=INVOICES, retry_after="9" if waiting == "status" else None
        )
        site.simulator.faults.add("moved_line", method="GET", path=INVOICE, nth=2, line_id=88431, quantity=13)
        result = write(site)
        assert (result.outcome, result.quantity_seen) == (WriteOutcome.CONFLICT, Decimal(13))
        assert site.quantities()[88431] == 13


def test_a_limit_that_lasts_is_the_callers_to_wait_for() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", method="POST", path=INVOICES, times=0, retry_after="50")
        with pytest.raises(RateLimited):
            write(site)
        assert site.quantities()[88431] == 12


@pytest.mark.fault("P6")
@pytest.mark.parametrize(
    ("edit", "outcome", "seen"),
    [
        ({"quantity": 13}, WriteOutcome.CONFLICT, 13),
        ({"touch_only": True}, WriteOutcome.CONFLICT, 12),
        ({"quantity": 15}, WriteOutcome.APPLIED, 15),
    ],
)
def test_P6_a_line_that_somebody_edits_after_an_unclear_answer_is_left_as_it_is(
    edit: dict[str, Any], outcome: WriteOutcome, seen: int
) -> None:
    with connected() as site:
        site.simulator.faults.add("drop_before_commit", method="POST", path=INVOICES)
        site.simulator.faults.add("moved_line", method="GET", path=INVOICE, nth=2, line_id=88431, **edit)
        result = write(site)
        assert (result.outcome, result.quantity_seen, site.posts()) == (outcome, Decimal(seen), 1)


def test_an_outage_before_the_first_send_is_raised() -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="GET", path=INVOICE, status=503, times=0)
        with pytest.raises(VendorUnavailable):
            write(site)
        assert site.posts() == 0


def test_no_reason_holds_a_secret() -> None:
    troubles: list[Callable[[Connected], object]] = [
        lambda site: site.simulator.faults.add(
            "raw",
            method="POST",
            path=INVOICES,
            status=400,
            body=f'{{"Message": "{credentials.HALOPSA_CLIENT_SECRET}"}}',
        ),
        lambda site: site.simulator.faults.add("drop_before_commit", method="POST", path=INVOICES, times=0),
        lambda site: site.simulator.faults.add("other_line_lost", method="POST", path=INVOICES),
    ]
    for trouble in troubles:
        with connected() as site:
            trouble(site)
            reason = write(site).reason
        assert credentials.HALOPSA_CLIENT_SECRET not in reason
        assert re.search(r"sim-halo-token|Bearer", reason) is None


def test_an_edit_that_comes_while_another_is_given_back_is_an_alarm() -> None:
    """Giving back posts all lines too, so it can overwrite in its turn."""
    with connected(THREE_LINES) as site:
        site.simulator.faults.add("moved_line", method="POST", path=INVOICES, line_id=88432, quantity=9)
        site.simulator.faults.add("moved_line", method="POST", path=INVOICES, nth=2, line_id=88433, quantity=70)
        result = write(site)
        assert (result.outcome, site.posts()) == (WriteOutcome.UNKNOWN, 2)
        assert "while somebody edited the invoice again" in result.reason


@pytest.mark.parametrize(("shift_milliseconds", "outcome"), [(3, WriteOutcome.REJECTED), (2_000, WriteOutcome.UNKNOWN)])
def test_a_mark_that_the_answer_gives_more_finely_than_it_is_stored_is_still_ours(
    shift_milliseconds: int, outcome: WriteOutcome
) -> None:
    """Databases round. A mark that is further off is somebody else's edit, whatever the record says."""
    with connected() as site:
        site.simulator.faults.add("other_line_moved", method="POST", path=INVOICES)
        real = site.psa._reader.read_invoice
        reads: list[int] = []

        def read(invoice_id: str) -> Invoice:
            found = real(invoice_id)
            reads.append(1)
            mark = found.header.last_modified
            if len(reads) != 2 or mark is None:
                return found
            shifted = {"last_modified": mark + timedelta(milliseconds=shift_milliseconds)}
            return Invoice(found.header.model_copy(update=shifted), found.raw_lines)

        site.psa._reader.read_invoice = read  # type: ignore[method-assign]
        assert write(site).outcome is outcome


def test_a_line_that_halo_works_out_on_every_save_is_nobodys_lost_edit() -> None:
    rows = (
        ChangeWire(id=1, invoice_line_id=88432, field_name="qty_order", old_value="3", new_value="4", who="System"),
        ChangeWire(id=2, invoice_line_id=88431, field_name="qty_order", old_value="12", new_value="15", who="Api"),
        ChangeWire(id=3, invoice_line_id=88432, field_name="qty_order", old_value="4", new_value="3", who="Api"),
    )
    with connected() as site:
        keep(site, 88432, recurring_invoice_quantity_type=2)
        after = site.psa._reader.read_invoice("1201")
        aftermath = Aftermath("88431", Decimal(15), ChangesSince(rows), None)
        assert put_back_overwritten(site.psa._session, site.psa._reader, after, aftermath) == Repaired()
        assert site.posts() == 0
