"""One write and everything that can become of it."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from local.simulators import credentials
from local.simulators.syncro_records import memory
from tests.adapters.syncro.syncro_connected import (
    LINE_ITEM,
    REFERENCE,
    SCHEDULE,
    SHORT_READS,
    Connected,
    connected,
)
from trueup.domain.billing import AgreementId, LineId, LineReference, WriteOutcome, WriteResult
from trueup.domain.counts import Seats
from trueup.domain.errors import InputInvalid, RateLimited, VendorUnavailable


def write(site: Connected, target: int = 15, *, version: str = "", effective: date | None = None) -> WriteResult:
    return site.psa.set_quantity(
        REFERENCE, expected=Decimal(12), expected_version=version, target=Seats(target), effective=effective
    )


def sent(site: Connected) -> int:
    return len(site.simulator.world.writes)


def changed(site: Connected) -> int:
    return sum(record.committed for record in site.simulator.world.writes)


def quantity(site: Connected) -> float:
    return site.simulator.world.additions[88431].quantity


def test_only_the_quantity_is_sent() -> None:
    with connected() as site:
        assert write(site).outcome is WriteOutcome.APPLIED
        record = site.simulator.world.writes[0]
        assert site.simulator.requests.total == 3
    assert (record.method, record.path) == ("PUT", "/schedules/1201/line_items/88431")
    assert (json.loads(record.body), record.before, record.after) == ({"quantity": 15}, 12, 15)


def test_the_result_carries_the_new_version_so_that_a_next_write_can_be_compared() -> None:
    with connected() as site:
        first = write(site, version=site.psa.read_line(REFERENCE).line.version)
        assert first.version_seen is not None
        second = site.psa.set_quantity(
            REFERENCE, expected=Decimal(15), expected_version=first.version_seen, target=Seats(16)
        )
    assert second.outcome is WriteOutcome.APPLIED


def test_a_day_from_which_it_should_count_is_refused_and_nothing_is_sent() -> None:
    with connected() as site:
        assert write(site, effective=date(2026, 12, 1)).outcome is WriteOutcome.REJECTED
        assert site.simulator.requests.total == 0


@pytest.mark.parametrize(("agreement_id", "line_id"), [("1201/..", "1"), ("", "1"), ("1201", "88431?x=1"), ("1", "٣")])
def test_an_id_that_is_no_id_never_goes_into_an_address(agreement_id: str, line_id: str) -> None:
    with connected() as site:
        reference = LineReference(AgreementId(agreement_id), LineId(line_id))
        with pytest.raises(InputInvalid):
            site.psa.set_quantity(reference, expected=Decimal(1), expected_version="", target=Seats(2))
        assert site.simulator.requests.total == 0


def test_a_refusal_is_quoted_in_the_words_of_syncro() -> None:
    with connected() as site:
        site.simulator.faults.add("raw", method="PUT", status=422, body='{"error":["Name can\'t be blank"]}')
        result = write(site)
        assert (result.outcome, quantity(site), sent(site)) == (WriteOutcome.REJECTED, 12, 1)
    assert "Name can't be blank" in result.reason


def test_a_missing_permission_to_edit_is_named() -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="PUT", status=403)
        assert "Recurring Invoices - Edit" in write(site).reason


def test_a_flag_that_moved_with_the_quantity_is_for_a_person_to_look_at() -> None:
    with connected() as site:
        memory(site.simulator.world)["lines"]["88431"] = {"taxable": False}
        site.simulator.resets_flags = True
        result = write(site)
        assert (result.outcome, sent(site)) == (WriteOutcome.UNKNOWN, 1)
        assert "taxable" in result.reason
        assert write(site).outcome is WriteOutcome.ALREADY


@pytest.mark.parametrize("kind", ["drop_after_commit", "error_after_commit", "truncated", "late_reply"])
def test_a_write_that_was_carried_out_but_not_answered_is_applied_and_sent_once(kind: str) -> None:
    with connected(limits=SHORT_READS) as site:
        site.simulator.faults.add(kind, method="PUT", path=LINE_ITEM, seconds=0.5)
        result = write(site)
        assert (result.outcome, quantity(site), sent(site), changed(site)) == (WriteOutcome.APPLIED, 15, 1, 1)


def test_a_write_that_was_lost_is_sent_again_only_after_the_line_was_read_again() -> None:
    with connected(limits=SHORT_READS) as site:
        site.simulator.faults.add("drop_before_commit", method="PUT")
        assert write(site).outcome is WriteOutcome.APPLIED
        assert (quantity(site), changed(site)) == (15, 1)
        methods = [entry.method for entry in site.simulator.requests.entries]
    assert methods == ["GET", "PUT", "GET", "PUT", "GET"]


def test_a_write_that_is_never_answered_is_unknown_and_the_line_is_told() -> None:
    with connected(limits=SHORT_READS) as site:
        site.simulator.faults.add("drop_before_commit", method="PUT", times=0)
        result = write(site)
        assert (result.outcome, result.quantity_seen, sent(site)) == (WriteOutcome.UNKNOWN, 12, 2)


def test_a_failing_syncro_that_changes_nothing_is_a_rejection_after_two_attempts() -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="PUT", times=0, status=500)
        result = write(site)
        assert (result.outcome, sent(site), quantity(site)) == (WriteOutcome.REJECTED, 2, 12)


def test_an_edit_between_a_lost_write_and_the_next_is_a_conflict_and_is_kept() -> None:
    with connected(limits=SHORT_READS) as site:
        site.simulator.faults.add("drop_before_commit", method="PUT")
        site.simulator.faults.add("moved_line", method="GET", path=SCHEDULE, nth=2, line_id=88431, quantity=13)
        result = write(site)
        assert (result.outcome, quantity(site), sent(site)) == (WriteOutcome.CONFLICT, 13, 1)


def test_an_edit_at_the_very_moment_of_the_write_is_seen_after_it() -> None:
    """Nothing conditional exists there: the later one wins, and the result says what stands."""
    with connected() as site:
        site.simulator.faults.add("moved_line", method="GET", path=SCHEDULE, nth=2, line_id=88431, quantity=13)
        result = write(site)
    assert (result.outcome, result.quantity_seen) == (WriteOutcome.REJECTED, 13)


def test_a_line_that_syncro_counts_itself_is_refused_before_anything_is_sent() -> None:
    with connected() as site:
        memory(site.simulator.world)["lines"]["88431"] = {"recurring_type_id": 3}
        assert (write(site).outcome, sent(site)) == (WriteOutcome.REJECTED, 0)


def test_a_wait_that_syncro_asks_for_is_kept_and_the_line_read_again() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", method="PUT", times=2, retry_after="5")
        assert write(site).outcome is WriteOutcome.APPLIED
        assert site.clock.sleeps.count(5) >= 1 or max(site.clock.sleeps) >= 5
        assert changed(site) == 1


def test_a_wait_that_is_too_long_is_left_to_the_caller_and_nothing_was_sent() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", method="PUT", times=0, retry_after="600")
        with pytest.raises(RateLimited):
            write(site)
        assert (quantity(site), changed(site)) == (12, 0)


def test_nothing_is_sent_when_syncro_is_away() -> None:
    with connected(limits=SHORT_READS) as site:
        site.simulator.faults.add("drop_before_commit", method="GET", times=0)
        with pytest.raises(VendorUnavailable):
            write(site)
        assert sent(site) == 0


@pytest.mark.parametrize("status", [200, 401, 403, 404, 409, 422, 500])
def test_no_secret_is_in_any_reason(status: int) -> None:
    body = json.dumps({"error": [f"token {credentials.SYNCRO_API_KEY}"], "message": credentials.SYNCRO_API_KEY})
    with connected() as site:
        site.simulator.faults.add("raw", method="PUT", times=0, status=status, body=body)
        assert credentials.SYNCRO_API_KEY not in repr(write(site))
