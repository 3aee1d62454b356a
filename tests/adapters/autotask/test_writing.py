"""Adjusting units: exactly once, whatever is answered, and never into what somebody else has changed or posted."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from local.simulators.autotask_units import POSTED_MESSAGE
from local.simulators.world import PsaAddition
from tests.adapters.autotask.connected import (
    ADJUSTMENTS,
    EMAIL,
    HARBOR,
    LINE,
    MANAGED,
    REFERENCE,
    UNITS,
    Connected,
    connected,
    write,
)
from tests.contracts.psa_subject_autotask import NEXT_PERIOD
from tests.contracts.psa_subjects import Scene, a_line, an_agreement
from trueup.adapters.autotask.writing import WAIT_BUDGET_SECONDS
from trueup.domain.billing import LineReference, WriteOutcome
from trueup.domain.counts import Seats
from trueup.domain.errors import InputInvalid, RateLimited, VendorUnavailable


def sent_bodies(site: Connected) -> list[dict[str, object]]:
    return [json.loads(record.body) for record in site.world.writes]


def test_one_difference_is_sent_for_the_contract_service_that_exists() -> None:
    with connected() as site:
        assert write(site, 15).outcome is WriteOutcome.APPLIED
        assert sent_bodies(site) == [
            {
                "contractID": 1201,
                "contractServiceID": 88431,
                "effectiveDate": "2026-10-01T00:00:00",
                "unitChange": 3,
            }
        ]
        assert (site.units(date(2026, 9, 30)), site.units(), len(site.world.additions)) == (12, 15, 1)


def test_the_change_counts_from_its_day_on_and_not_before() -> None:
    with connected() as site:
        assert write(site, 15).outcome is WriteOutcome.APPLIED
        assert site.world.additions[88431].quantity == 12
        site.clock.advance(30 * 86_400)
        assert site.psa.read_line(REFERENCE).line.quantity == 15
        assert site.world.additions[88431].quantity == 15


def test_a_day_inside_a_period_splits_it() -> None:
    with connected() as site:
        state = site.psa.read_line(REFERENCE).line
        result = write(site, 15, version=state.version, effective=date(2026, 9, 20))
        assert result.outcome is WriteOutcome.APPLIED
        line = site.psa.read_line(REFERENCE).line
        assert [(step.starts_on.isoformat(), step.quantity) for step in line.steps] == [
            ("2026-09-01", 12),
            ("2026-09-20", 15),
        ]


def test_without_a_day_nothing_is_sent() -> None:
    with connected() as site:
        with pytest.raises(InputInvalid) as caught:
            site.psa.set_quantity(REFERENCE, expected=Decimal(12), expected_version="", target=Seats(15))
        assert caught.value.field == "effective"
        assert site.simulator.requests.total == 0


# Later periods.


def test_later_periods_with_other_units_move_by_as_much_and_are_told() -> None:
    with connected() as site:
        site.simulator.units.adjust(site.world.additions[88431], date(2026, 11, 1), 8)
        result = write(site, 15)
        assert result.outcome is WriteOutcome.APPLIED
        assert "23 from 2026-11-01" in result.reason
        assert (site.units(), site.units(date(2026, 11, 1))) == (15, 23)


def test_a_change_takes_itself_back_by_the_opposite_difference() -> None:
    with connected() as site:
        assert write(site, 15).outcome is WriteOutcome.APPLIED
        assert write(site, 12, expected="15").outcome is WriteOutcome.APPLIED
        assert [body["unitChange"] for body in sent_bodies(site)] == [3, -3]
        assert (site.units(), site.psa.read_line(REFERENCE).line.steps) == (12, ())


def test_a_plan_of_last_month_is_still_compared_with_the_period_it_was_made_on() -> None:
    with connected() as site:
        version = site.psa.read_line(REFERENCE).line.version
        site.clock.advance(31 * 86_400)
        assert site.psa.read_line(REFERENCE).line.version != version
        assert write(site, 15, version=version).outcome is WriteOutcome.APPLIED
        assert site.units(date(2026, 11, 1)) == 15


# What forbids it.


@pytest.mark.fault("P4")
@pytest.mark.parametrize("posted_through", ["2026-10-01", "2026-12-31"])
def test_P4_a_posted_period_is_refused_with_the_reason_and_nothing_is_sent(posted_through: str) -> None:
    with connected() as site:
        version = site.psa.read_line(REFERENCE).line.version
        site.simulator.posted_through = posted_through
        result = write(site, 15, version=version)
        assert result.outcome is WriteOutcome.REJECTED
        assert "approved and posted" in result.reason
        assert site.world.writes == []


@pytest.mark.fault("P4")
def test_P4_a_period_that_is_posted_at_the_last_moment_is_refused_by_autotask() -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=ADJUSTMENTS, status=500, message=POSTED_MESSAGE)
        result = write(site, 15)
        assert result.outcome is WriteOutcome.REJECTED
        assert "changes no posted period" in result.reason
        assert (site.adjustments(), site.units()) == (0, 12)


def test_a_day_after_the_contract_has_ended_is_refused() -> None:
    ends = an_agreement(1201, HARBOR, ends_on=date(2026, 9, 30))
    with connected(Scene((HARBOR,), (ends,), (LINE,), (EMAIL,))) as site:
        result = write(site, 15)
        assert result.outcome is WriteOutcome.REJECTED
        assert "no billing period" in result.reason
        assert site.world.writes == []


@pytest.mark.parametrize("effective", ["2026-11-01", "2026-12-01"])
def test_the_first_of_a_month_inside_a_longer_period_is_refused_and_the_next_period_is_named(effective: str) -> None:
    with connected() as site:
        rows = [
            {
                "id": at,
                "contractID": 1201,
                "contractServiceID": 88431,
                "startDate": f"{begins}T00:00:00",
                "endDate": f"{ends}T00:00:00",
                "units": 12,
            }
            for at, (begins, ends) in enumerate(
                [("2026-07-01", "2026-09-30"), ("2026-10-01", "2026-12-31"), ("2027-01-01", "2027-03-31")], start=1
            )
        ]
        body = json.dumps({"items": rows, "pageDetails": {"nextPageUrl": None}})
        site.simulator.faults.add("raw", path=UNITS, times=0, body=body)
        result = write(site, 15, effective=date.fromisoformat(effective))
        assert result.outcome is WriteOutcome.REJECTED
        assert "name 2027-01-01" in result.reason
        assert site.world.writes == []


def test_a_day_that_autotask_takes_for_the_one_before_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with connected() as site:
        adjust = site.simulator.units.adjust

        def a_day_early(line: PsaAddition, on: date, change: int) -> tuple[int, int]:
            return adjust(line, on - timedelta(days=1), change)

        monkeypatch.setattr(site.simulator.units, "adjust", a_day_early)
        result = write(site, 15)
        assert result.outcome is WriteOutcome.APPLIED
        assert "the units of 2026-09-30 moved too, from 12 to 15" in result.reason


def test_somebody_who_is_faster_is_not_overwritten_but_seen() -> None:
    """Between the last look and the adjustment nothing can be done: the difference is added to what they set."""
    with connected() as site:
        site.simulator.faults.add("moved_line", path=ADJUSTMENTS, quantity=20)
        result = write(site, 15)
        assert result.outcome is WriteOutcome.REJECTED
        assert result.quantity_seen == site.units() == 23


@pytest.mark.fault("P3")
def test_P3_a_line_of_the_product_that_begins_on_the_day_of_the_change_forbids_it() -> None:
    twin = a_line(88432, MANAGED, EMAIL, "3", effective_from=NEXT_PERIOD)
    with connected(Scene((HARBOR,), (MANAGED,), (LINE, twin), (EMAIL,))) as site:
        assert write(site, 15).outcome is WriteOutcome.REJECTED
        assert write(site, 15, siblings=(twin.id,)).outcome is WriteOutcome.APPLIED


@pytest.mark.parametrize("version", ["12|2026-10-01|2026-10-31|x", "nonsense", "12|never|2026-10-31|", "|||"])
def test_an_approved_version_that_is_not_there_is_a_conflict(version: str) -> None:
    with connected() as site:
        assert write(site, 15, version=version).outcome is WriteOutcome.CONFLICT
        assert site.world.writes == []


def test_a_split_of_the_period_that_was_approved_is_a_conflict() -> None:
    with connected() as site:
        version = site.psa.read_line(REFERENCE).line.version
        site.simulator.units.split(site.world.additions[88431], date(2026, 10, 10))
        assert write(site, 15, version=version).outcome is WriteOutcome.CONFLICT


# Waiting.


def test_a_write_that_is_asked_to_wait_looks_at_the_line_again_before_it_is_sent() -> None:
    with connected() as site:
        version = site.psa.read_line(REFERENCE).line.version
        site.simulator.faults.add("rate_limited", path=ADJUSTMENTS, retry_after="3")
        site.simulator.requests.clear()
        assert write(site, 15, version=version).outcome is WriteOutcome.APPLIED
        assert site.sent(UNITS) == 3
        assert max(site.clock.sleeps) >= 3
        assert site.adjustments() == 1


def test_a_wait_that_is_too_long_is_for_the_caller() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", path=ADJUSTMENTS, times=0, retry_after="900")
        with pytest.raises(RateLimited) as caught:
            write(site, 15)
        assert caught.value.wait_seconds == 900 > WAIT_BUDGET_SECONDS
        assert site.adjustments() == 0


def test_a_limit_without_a_wait_is_not_asked_again_and_again() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", path=ADJUSTMENTS, times=0)
        with pytest.raises(RateLimited):
            write(site, 15)
        assert site.sent(ADJUSTMENTS) <= 5


@pytest.mark.fault("P10")
@pytest.mark.parametrize(
    ("status", "text", "says"),
    [
        (403, "", "lacks Contracts: Edit All"),
        (500, "The logged in Resource does not have the adequate permissions to create this.", "lacks"),
        (401, "", "does not accept the credential"),
        (400, "The unitChange is invalid.", "The unitChange is invalid"),
    ],
)
def test_P10_a_refusal_is_rejected_with_its_reason(status: int, text: str, says: str) -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=ADJUSTMENTS, times=0, status=status, message=text)
        result = write(site, 15)
        assert result.outcome is WriteOutcome.REJECTED
        assert says in result.reason
        assert site.units() == 12


def test_nothing_is_raised_for_a_redirect_of_the_write_and_it_is_not_followed() -> None:
    with connected() as site:
        site.simulator.faults.add("redirect", path=ADJUSTMENTS)
        assert write(site, 15).outcome is WriteOutcome.REJECTED


def test_a_read_that_fails_before_anything_is_sent_is_trouble() -> None:
    with connected() as site:
        version = site.psa.read_line(REFERENCE).line.version
        for path in ("/Contracts/query", "/ContractServices/query", UNITS):
            site.simulator.faults.add("status", path=path, times=0, status=503)
            with pytest.raises(VendorUnavailable):
                write(site, 15, version=version)
            site.simulator.faults.clear()
        assert site.world.writes == []


def test_the_last_day_of_the_month_of_the_msp_decides_which_month_is_next() -> None:
    with connected(start=datetime(2026, 8, 31, 23, 30, tzinfo=UTC)) as site:
        result = site.psa.set_quantity(
            LineReference(MANAGED.id, LINE.id),
            expected=Decimal(12),
            expected_version="",
            target=Seats(13),
            effective=date(2026, 10, 1),
        )
        assert result.outcome is WriteOutcome.APPLIED
        assert (site.units(date(2026, 9, 1)), site.units()) == (12, 13)
