"""Answers that leave open what became of an adjustment: it is looked for, and never sent a second time unread."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.simulators.messages import json_reply
from tests.adapters.autotask.connected import (
    ADJUSTMENTS,
    EMAIL,
    HARBOR,
    LINE,
    MANAGED,
    REFERENCE,
    UNITS,
    connected,
    write,
)
from tests.contracts.psa_subjects import Scene
from trueup.adapters.autotask.writing import LOOKS_AFTER_SECONDS
from trueup.domain.billing import WriteOutcome
from trueup.domain.errors import VendorTrouble


@pytest.mark.parametrize("kind", ["drop_after_commit", "error_after_commit", "truncated", "reset_mid_body"])
def test_a_write_that_was_carried_out_is_found_whatever_was_answered(kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, path=ADJUSTMENTS)
        result = write(site, 15)
        assert (result.outcome, result.quantity_seen, site.units()) == (WriteOutcome.APPLIED, 15, 15)
        assert site.sent(ADJUSTMENTS) == 1


def test_a_page_of_a_proxy_under_status_200_is_no_yes() -> None:
    with connected() as site:
        site.simulator.faults.add("html", path=ADJUSTMENTS)
        assert write(site, 15).outcome is WriteOutcome.UNKNOWN
        assert (site.sent(ADJUSTMENTS), site.units()) == (1, 12)


def test_an_error_that_gives_a_reason_after_the_change_was_made_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with connected() as site:
        site.simulator.faults.add("error_after_commit", path=ADJUSTMENTS)
        said = json_reply(500, {"errors": ["Something failed after the fact."]})
        monkeypatch.setattr(site.simulator, "error_reply", lambda status, code="", message="": said)
        result = write(site, 15)
        assert (result.outcome, site.adjustments(), site.units()) == (WriteOutcome.APPLIED, 1, 15)


def test_a_write_that_was_lost_is_unknown_and_never_sent_twice_in_one_call() -> None:
    with connected() as site:
        site.simulator.faults.add("drop_before_commit", path=ADJUSTMENTS, times=0)
        result = write(site, 15)
        assert (result.outcome, result.quantity_seen) == (WriteOutcome.UNKNOWN, 12)
        assert "not sent again" in result.reason
        assert (site.sent(ADJUSTMENTS), site.units()) == (1, 12)
        assert sum(site.clock.sleeps) >= sum(LOOKS_AFTER_SECONDS) >= 110


def test_a_call_after_an_unknown_one_reads_first_and_ends_at_the_target_once() -> None:
    for kind in ("drop_before_commit", "drop_after_commit"):
        with connected() as site:
            version = site.psa.read_line(REFERENCE).line.version
            site.simulator.faults.add(kind, path=ADJUSTMENTS)
            site.simulator.faults.add("status", path=UNITS, nth=2, times=0, status=503)
            assert write(site, 15, version=version).outcome is WriteOutcome.UNKNOWN
            site.simulator.faults.clear()
            again = write(site, 15, version=version).outcome
            assert again is (WriteOutcome.APPLIED if kind == "drop_before_commit" else WriteOutcome.ALREADY)
            assert (site.adjustments(), site.units()) == (1, 15)


def test_an_adjustment_that_shows_late_is_found_within_the_call() -> None:
    with connected() as site:
        version = site.psa.read_line(REFERENCE).line.version
        before = json.dumps(
            {
                "items": [
                    {
                        "id": 1,
                        "contractID": 1201,
                        "contractServiceID": 88431,
                        "startDate": "2026-10-01T00:00:00",
                        "endDate": "2026-10-31T00:00:00",
                        "units": 12,
                    }
                ],
                "pageDetails": {"nextPageUrl": None},
            }
        )
        site.simulator.faults.add("drop_after_commit", path=ADJUSTMENTS)
        # The look before the write and the first three after it still see what was there.
        site.simulator.faults.add("raw", path=UNITS, nth=2, times=3, body=before)
        assert write(site, 15, version=version).outcome is WriteOutcome.APPLIED
        assert site.adjustments() == 1


def test_other_units_after_an_unclear_answer_are_a_conflict() -> None:
    with connected() as site:
        site.simulator.faults.add("drop_after_commit", path=ADJUSTMENTS)
        site.simulator.faults.add("clamped_quantity", path=ADJUSTMENTS, maximum=14)
        result = write(site, 15)
        assert (result.outcome, result.quantity_seen) == (WriteOutcome.CONFLICT, 14)


FAULTS = ("", "drop_before_commit", "drop_after_commit", "error_after_commit", "truncated", "rate_limited")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    old=st.integers(0, 300),
    target=st.integers(0, 300),
    later=st.integers(0, 50),
    fault=st.sampled_from(FAULTS),
)
def test_whatever_is_answered_the_units_end_at_the_target_exactly_once(
    old: int, target: int, later: int, fault: str
) -> None:
    line = replace(LINE, quantity=Decimal(old))
    with connected(Scene((HARBOR,), (MANAGED,), (line,), (EMAIL,))) as site:
        site.simulator.units.adjust(site.world.additions[88431], date(2026, 11, 1), later)
        version = site.psa.read_line(REFERENCE).line.version
        if fault:
            site.simulator.faults.add(fault, path=ADJUSTMENTS)
        outcomes = []
        for _ in range(3):
            try:
                outcomes.append(write(site, target, expected=str(old), version=version).outcome)
            except VendorTrouble:
                continue
        assert site.units() == target
        assert site.units(date(2026, 11, 1)) == target + later
        assert site.adjustments() == (old != target)
        assert outcomes[-1] is WriteOutcome.ALREADY
