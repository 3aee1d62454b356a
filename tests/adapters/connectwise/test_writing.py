"""One write and everything that can become of it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from local.simulators import credentials
from tests.adapters.connectwise.connected import (
    ADDITION,
    EMAIL,
    HARBOR,
    LINE,
    MANAGED,
    REFERENCE,
    SHORT_READS,
    Connected,
    connected,
)
from tests.contracts.psa_subjects import Scene, a_line
from trueup.domain.billing import AgreementId, LineId, LineReference, WriteOutcome, WriteResult
from trueup.domain.counts import Seats
from trueup.domain.errors import InputInvalid, RateLimited, VendorUnavailable


def write(site: Connected, target: int = 15, *, version: str = LINE.version) -> WriteResult:
    return site.psa.set_quantity(REFERENCE, expected=Decimal(12), expected_version=version, target=Seats(target))


def sent(site: Connected) -> int:
    return len(site.simulator.world.writes)


def changed(site: Connected) -> int:
    return sum(record.committed for record in site.simulator.world.writes)


def quantity(site: Connected) -> float:
    return site.simulator.world.additions[88431].quantity


def test_only_the_quantity_is_sent_as_one_operation_with_the_bare_field_name() -> None:
    with connected() as site:
        assert write(site).outcome is WriteOutcome.APPLIED
        record = site.simulator.world.writes[0]
    assert (record.method, record.path) == ("PATCH", "/finance/agreements/1201/additions/88431")
    assert json.loads(record.body) == [{"op": "replace", "path": "quantity", "value": 15}]


def test_the_result_carries_the_new_version_so_that_a_next_write_can_be_compared() -> None:
    with connected() as site:
        first = write(site)
        assert first.version_seen is not None
        second = site.psa.set_quantity(
            REFERENCE, expected=Decimal(15), expected_version=first.version_seen, target=Seats(16)
        )
    assert second.outcome is WriteOutcome.APPLIED


@pytest.mark.parametrize(("agreement_id", "line_id"), [("1201/..", "1"), ("", "1"), ("1201", "88431?x=1"), ("1", "٣")])
def test_an_id_that_is_no_id_never_goes_into_an_address(agreement_id: str, line_id: str) -> None:
    with connected() as site:
        reference = LineReference(AgreementId(agreement_id), LineId(line_id))
        with pytest.raises(InputInvalid):
            site.psa.set_quantity(reference, expected=Decimal(1), expected_version="", target=Seats(2))
        assert not any("additions" in entry.path for entry in site.simulator.requests.entries)


@pytest.mark.fault("P4")
def test_P4_a_line_that_is_locked_for_the_period_is_rejected_with_the_reason() -> None:
    body = '{"code":"InvalidObject","message":"The addition has been invoiced for this period.","errors":null}'
    with connected() as site:
        site.simulator.faults.add("raw", method="PATCH", status=400, body=body)
        result = write(site)
        assert (result.outcome, quantity(site), sent(site)) == (WriteOutcome.REJECTED, 12, 1)
    assert "The addition has been invoiced for this period." in result.reason


@pytest.mark.fault("P5")
@pytest.mark.parametrize("status", [409, 412])
def test_P5_a_refusal_as_edited_is_read_again_and_sent_once_more_when_nothing_moved(status: int) -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="PATCH", status=status)
        assert write(site).outcome is WriteOutcome.APPLIED
        assert (sent(site), changed(site)) == (2, 1)


@pytest.mark.fault("P5")
def test_P5_refusals_as_edited_are_bounded() -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="PATCH", status=409, times=0)
        result = write(site)
        assert (result.outcome, result.quantity_seen) == (WriteOutcome.CONFLICT, Decimal(12))
        assert (sent(site), changed(site)) == (2, 0)


@pytest.mark.fault("P5")
@pytest.mark.parametrize(
    ("edit", "outcome", "seen"),
    [
        ({"quantity": 13}, WriteOutcome.CONFLICT, 13),
        ({"touch_only": True}, WriteOutcome.CONFLICT, 12),
        ({"quantity": 15}, WriteOutcome.ALREADY, 15),
    ],
)
def test_P5_a_line_that_somebody_edits_meanwhile_is_left_as_it_is(
    edit: dict[str, Any], outcome: WriteOutcome, seen: int
) -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="PATCH", status=409)
        site.simulator.faults.add("moved_line", method="GET", path=ADDITION, nth=2, **edit)
        result = write(site)
        assert (result.outcome, result.quantity_seen) == (outcome, Decimal(seen))
        assert (sent(site), changed(site)) == (1, 0)


@pytest.mark.fault("P7")
def test_P7_a_clamped_quantity_is_told_with_both_numbers() -> None:
    with connected() as site:
        site.simulator.faults.add("clamped_quantity", method="PATCH", maximum=14)
        result = write(site)
        assert (result.outcome, result.quantity_seen) == (WriteOutcome.REJECTED, Decimal(14))
    assert "15" in result.reason
    assert "14" in result.reason


@pytest.mark.fault("P9")
def test_P9_a_custom_field_that_is_required_is_named_and_the_next_line_goes_on() -> None:
    body = (
        '{"code":"InvalidObject","message":"addition object is invalid","errors":[{"code":"MissingRequired",'
        '"message":"Cost center is required.","resource":"addition","field":"customFields"}]}'
    )
    with connected() as site:
        site.simulator.faults.add("raw", method="PATCH", status=400, body=body)
        result = write(site)
        assert result.outcome is WriteOutcome.REJECTED
        assert "customFields: Cost center is required." in result.reason
        assert write(site).outcome is WriteOutcome.APPLIED


def test_a_missing_right_to_edit_names_the_row() -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="PATCH", status=403)
        result = write(site)
    assert result.outcome is WriteOutcome.REJECTED
    assert "Finance > Agreements: Edit All" in result.reason


@pytest.mark.parametrize("status", [400, 401, 404, 405, 415])
def test_every_refusal_is_final(status: int) -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="PATCH", path=ADDITION, status=status, times=0)
        result = write(site)
        assert (result.outcome, result.quantity_seen, quantity(site)) == (WriteOutcome.REJECTED, Decimal(12), 12)
    assert f"status {status}" in result.reason


def test_a_redirect_of_a_write_is_not_followed() -> None:
    with connected() as site:
        site.simulator.faults.add("redirect", method="PATCH")
        assert write(site).outcome is WriteOutcome.REJECTED
        assert quantity(site) == 12


@pytest.mark.fault("T6")
def test_T6_a_write_whose_answer_is_late_is_settled_by_reading() -> None:
    with connected(limits=SHORT_READS) as site:
        site.simulator.faults.add("late_reply", method="PATCH", seconds=0.6)
        assert write(site).outcome is WriteOutcome.APPLIED
        assert quantity(site) == 15
    assert (sent(site), changed(site)) == (1, 1)


@pytest.mark.parametrize("kind", ["drop_after_commit", "error_after_commit"])
def test_a_write_that_was_done_behind_a_bad_answer_is_applied_and_sent_once(kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, method="PATCH")
        assert write(site).outcome is WriteOutcome.APPLIED
        assert (sent(site), changed(site)) == (1, 1)


@pytest.mark.parametrize("kind", ["drop_before_commit", "status"])
def test_a_write_that_was_not_done_is_sent_once_more_after_reading(kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, method="PATCH")
        assert write(site).outcome is WriteOutcome.APPLIED
        assert (sent(site), changed(site)) == (2, 1)


@pytest.mark.parametrize(
    ("kind", "outcome"), [("status", WriteOutcome.REJECTED), ("drop_before_commit", WriteOutcome.UNKNOWN)]
)
def test_a_write_that_fails_twice_is_given_up(kind: str, outcome: WriteOutcome) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, method="PATCH", times=0)
        result = write(site)
        assert (result.outcome, result.quantity_seen) == (outcome, Decimal(12))
        assert sent(site) == 2


def test_a_line_edited_after_an_unclear_write_is_a_conflict() -> None:
    with connected() as site:
        site.simulator.faults.add("drop_before_commit", method="PATCH")
        site.simulator.faults.add("moved_line", method="GET", path=ADDITION, nth=2, quantity=20)
        result = write(site)
        assert (result.outcome, result.quantity_seen) == (WriteOutcome.CONFLICT, Decimal(20))
        assert sent(site) == 1


@pytest.mark.parametrize("kind", ["html", "status"])
def test_a_line_that_cannot_be_read_back_is_unknown(kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, method="GET", path=ADDITION, nth=2, times=0)
        result = write(site)
        assert (result.outcome, result.quantity_seen) == (WriteOutcome.UNKNOWN, None)
        assert sent(site) == 1


def test_a_line_that_is_gone_after_the_write_is_unknown() -> None:
    with connected() as site:
        site.simulator.faults.add("status", method="GET", path=ADDITION, nth=2, times=0, status=404)
        assert write(site).outcome is WriteOutcome.UNKNOWN


def test_429_on_a_write_is_waited_out() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", method="PATCH", retry_after="3")
        assert write(site).outcome is WriteOutcome.APPLIED
        assert changed(site) == 1
        assert max(site.clock.sleeps) >= 3


@pytest.mark.parametrize(
    ("edit", "outcome", "seen"),
    [
        ({"quantity": 20}, WriteOutcome.CONFLICT, 20),
        ({"touch_only": True}, WriteOutcome.CONFLICT, 12),
        ({"quantity": 15}, WriteOutcome.ALREADY, 15),
    ],
)
def test_a_line_that_somebody_edits_during_a_wait_is_never_overwritten(
    edit: dict[str, Any], outcome: WriteOutcome, seen: int
) -> None:
    """A wait may be a minute long; what was read before it proves nothing after it."""
    with connected() as site:
        site.simulator.faults.add("rate_limited", method="PATCH", retry_after="30")
        site.simulator.faults.add("moved_line", method="GET", path=ADDITION, nth=2, **edit)
        result = write(site)
        assert (result.outcome, result.quantity_seen) == (outcome, Decimal(seen))
        assert changed(site) == 0


def test_a_line_that_cannot_be_read_after_a_wait_is_not_written() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", method="PATCH", retry_after="3")
        site.simulator.faults.add("status", method="GET", path=ADDITION, nth=2, times=0)
        with pytest.raises(VendorUnavailable):
            write(site)
        assert changed(site) == 0


@pytest.mark.parametrize(("kind", "more"), [("status", {"status": 403}), ("status", {"status": 409})])
def test_a_refusal_after_an_unanswered_write_is_unknown(kind: str, more: dict[str, int]) -> None:
    """The first one may still be on its way: to call it rejected would be a guess."""
    with connected() as site:
        site.simulator.faults.add("drop_before_commit", method="PATCH")
        site.simulator.faults.add(kind, method="PATCH", nth=2, **more)
        result = write(site)
        assert (result.outcome, result.quantity_seen) == (WriteOutcome.UNKNOWN, Decimal(12))
        assert sent(site) == 2


def test_a_second_line_of_the_product_is_named_in_the_reason() -> None:
    twin = a_line(88432, MANAGED, EMAIL, "3")
    with connected(Scene((HARBOR,), (MANAGED,), (LINE, twin), (EMAIL,))) as site:
        result = write(site)
    assert (result.outcome, sent(site)) == (WriteOutcome.REJECTED, 0)
    assert "88432" in result.reason


def test_429_that_does_not_end_leaves_the_line_and_says_how_long_to_wait() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", method="PATCH", times=0, retry_after="600")
        with pytest.raises(RateLimited) as caught:
            write(site)
        assert (caught.value.wait_seconds, quantity(site)) == (600, 12)


def test_429_after_an_unclear_write_is_unknown() -> None:
    with connected() as site:
        site.simulator.faults.add("drop_before_commit", method="PATCH")
        site.simulator.faults.add("rate_limited", method="PATCH", nth=2, times=0, retry_after="600")
        assert write(site).outcome is WriteOutcome.UNKNOWN


def test_a_psa_that_went_away_before_the_write_raises_and_changes_nothing() -> None:
    with connected() as site:
        write(site, 12)
        site.simulator.stop()
        with pytest.raises(VendorUnavailable):
            write(site)


def test_no_secret_is_in_the_reason_of_a_write() -> None:
    secret = credentials.CONNECTWISE_PRIVATE_KEY
    with connected() as site:
        body = json.dumps({"code": secret, "message": f"denied for {secret}", "errors": None})
        site.simulator.faults.add("raw", method="PATCH", status=400, body=body)
        assert secret not in write(site).reason


@pytest.mark.parametrize("first", ["", "2025-10-31T18:22:10Z"])
def test_writes_one_after_another_change_the_line_once_each(first: str) -> None:
    with connected() as site:
        outcomes = [write(site, 15, version=first).outcome for _ in range(3)]
        assert outcomes == [WriteOutcome.APPLIED, WriteOutcome.ALREADY, WriteOutcome.ALREADY]
        assert changed(site) == 1
