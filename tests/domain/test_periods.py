"""Billing months in the MSP's time zone: month ends, leap years, clock changes, and no time without a zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.errors import ConfigurationInvalid, InputInvalid
from trueup.domain.periods import Period, local_day, next_monthly_run, next_period_start, utc, zone

NEW_YORK = ZoneInfo("America/New_York")
SYDNEY = ZoneInfo("Australia/Sydney")
PERIODS = st.builds(Period, st.integers(2000, 9998), st.integers(1, 12))
ZONES = st.sampled_from(("UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Kiritimati"))
MOMENTS = st.datetimes(datetime(2001, 1, 2), datetime(2099, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


@given(PERIODS)
def test_a_period_is_read_back_as_it_is_written(period: Period) -> None:
    assert Period.parse(str(period)) == period
    assert len(str(period)) == 7


@given(PERIODS)
def test_next_and_previous_are_there_and_back(period: Period) -> None:
    assert period.next().previous() == period
    assert period < period.next()
    assert period.next().first_day == period.last_day + timedelta(days=1)
    assert str(period) < str(period.next())


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-00", "2026-13", "2026-1", "26-11", "2026-11-01", " 2026-11", "2026-11\n", "2026/11", "1999-12",
     "２０２６-11", "٢٠٢٦-11", "-026-11", "+2026-11", "2026-W45", "next"],
)  # fmt: skip
def test_anything_but_a_calendar_month_is_refused(text: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        Period.parse(text)
    assert refused.value.field == "period"
    assert "2026-11" in refused.value.remedy


@pytest.mark.fault("D3")
@pytest.mark.parametrize(
    ("text", "last"),
    [("2026-02", 28), ("2028-02", 29), ("2000-02", 29), ("2100-02", 28), ("2026-04", 30), ("2026-12", 31)],
)
def test_D3_a_month_ends_on_its_own_last_day(text: str, last: int) -> None:
    period = Period.parse(text)
    assert period.last_day == date(period.year, period.month, last)
    assert period.first_day == date(period.year, period.month, 1)


@pytest.mark.fault("D4")
def test_D4_the_year_ends_by_the_calendar_and_not_by_the_week() -> None:
    """29 December 2025 lies in ISO week 1 of 2026; it is still December 2025."""
    moment = datetime(2025, 12, 29, 12, tzinfo=UTC)
    assert moment.isocalendar().year == 2026
    assert str(Period.at(moment, ZoneInfo("UTC"))) == "2025-12"
    assert str(Period(2025, 12).next()) == "2026-01"
    assert str(Period(2026, 1).previous()) == "2025-12"


@pytest.mark.fault("D1")
def test_D1_the_month_is_the_one_of_the_tenants_time_zone() -> None:
    just_before = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    just_after = datetime(2026, 12, 1, 0, 1, tzinfo=UTC)
    assert [str(Period.at(moment, ZoneInfo("UTC"))) for moment in (just_before, just_after)] == ["2026-11", "2026-12"]
    assert {str(Period.at(moment, NEW_YORK)) for moment in (just_before, just_after)} == {"2026-11"}
    assert {str(Period.at(moment, SYDNEY)) for moment in (just_before, just_after)} == {"2026-12"}
    assert local_day(just_after, NEW_YORK) == date(2026, 11, 30)


@pytest.mark.fault("D2")
def test_D2_a_clock_change_neither_skips_nor_repeats_a_day() -> None:
    """New York: 02:00 to 03:00 is left out on 8 March 2026, 01:00 to 02:00 comes twice on 1 November 2026."""
    for first, days in ((datetime(2026, 3, 7, 5, tzinfo=UTC), 3), (datetime(2026, 10, 31, 4, tzinfo=UTC), 3)):
        hours = [first + timedelta(minutes=30 * step) for step in range(days * 48)]
        seen = [local_day(moment, NEW_YORK) for moment in hours]
        assert seen == sorted(seen)
        assert len(set(seen)) in {days, days + 1}
        assert {(later - sooner).days for sooner, later in zip(seen, seen[1:], strict=False)} <= {0, 1}


@pytest.mark.fault("D2")
def test_D2_both_hours_of_the_overlap_are_the_same_day_and_month() -> None:
    before = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    again = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    assert before.astimezone(NEW_YORK).hour == again.astimezone(NEW_YORK).hour == 1
    assert local_day(before, NEW_YORK) == local_day(again, NEW_YORK) == date(2026, 11, 1)
    assert Period.at(before, NEW_YORK) == Period.at(again, NEW_YORK)


@given(MOMENTS, ZONES)
def test_the_day_lies_in_its_period_wherever_the_moment_is_written(moment: datetime, name: str) -> None:
    there = zone(name)
    period, day = Period.at(moment, there), local_day(moment, there)
    assert period.first_day <= day <= period.last_day
    elsewhere = moment.astimezone(timezone(timedelta(hours=-11, minutes=-30)))
    assert Period.at(elsewhere, there) == period
    assert local_day(elsewhere, there) == day
    assert utc(elsewhere) == moment
    assert utc(elsewhere).tzinfo is UTC


@given(MOMENTS, ZONES, st.integers(1, 28), st.integers(0, 23))
def test_the_next_monthly_run_is_the_first_after_now_on_its_day(
    moment: datetime, name: str, day: int, hour: int
) -> None:
    begins = next_monthly_run(moment, day=day, hour=hour, time_zone=ZoneInfo(name))
    assert begins > moment
    assert begins.tzinfo is UTC
    assert begins.astimezone(ZoneInfo(name)).day == day
    assert begins - moment <= timedelta(days=31, hours=2)


@pytest.mark.fault("D2")
def test_D2_a_run_in_the_hour_that_a_clock_change_skips_begins_when_the_clock_goes_on() -> None:
    begins = next_monthly_run(datetime(2026, 3, 7, 12, tzinfo=UTC), day=8, hour=2, time_zone=NEW_YORK)
    assert begins.astimezone(NEW_YORK).hour == 3
    assert next_monthly_run(begins, day=8, hour=2, time_zone=NEW_YORK).astimezone(NEW_YORK).month == 4


@pytest.mark.fault("D8")
def test_D8_a_time_without_a_zone_is_refused() -> None:
    naive = datetime(2026, 11, 15, 8)  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        utc(naive)
    with pytest.raises(ValueError, match="time zone"):
        Period.at(naive, NEW_YORK)
    with pytest.raises(ValueError, match="time zone"):
        local_day(naive, NEW_YORK)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "America",
        "../../etc/passwd",
        "/etc/passwd",
        "a\x00b",
        "Europe/London ",
        "\ud800",
        "x" * 5_000,
    ],
)
def test_a_time_zone_nobody_knows_is_a_setting_to_fix(name: str) -> None:
    with pytest.raises(ConfigurationInvalid) as refused:
        zone(name)
    assert "America/New_York" in refused.value.remedy


def test_a_time_zone_by_its_name() -> None:
    assert zone("Europe/London") == ZoneInfo("Europe/London")


# Periods that begin when a contract did


@pytest.mark.parametrize(
    ("starts_on", "months", "after", "expected"),
    [
        ("2024-01-01", 1, "2026-11-20", "2026-12-01"),
        ("2024-01-15", 1, "2026-11-14", "2026-11-15"),
        ("2024-01-15", 1, "2026-11-15", "2026-12-15"),
        ("2024-01-15", 1, "2026-12-20", "2027-01-15"),
        ("2024-02-10", 3, "2026-11-09", "2026-11-10"),
        ("2024-02-10", 3, "2026-11-10", "2027-02-10"),
        ("2025-11-21", 12, "2026-11-20", "2026-11-21"),
        ("2025-11-20", 12, "2026-11-20", "2027-11-20"),
        ("2024-01-31", 1, "2026-01-31", "2026-02-28"),
        ("2024-01-31", 1, "2026-02-28", "2026-03-31"),
        ("2023-12-31", 2, "2024-01-01", "2024-02-29"),
        ("2027-03-05", 1, "2026-11-20", "2027-03-05"),
        ("2026-11-21", 1, "2026-11-20", "2026-11-21"),
    ],
)
def test_the_next_period_begins_on_the_day_the_contract_did(
    starts_on: str, months: int, after: str, expected: str
) -> None:
    begins = next_period_start(date.fromisoformat(starts_on), months, date.fromisoformat(after))
    assert begins == date.fromisoformat(expected)


@given(
    st.dates(date(2000, 1, 1), date(2090, 1, 1)),
    st.sampled_from([1, 3, 6, 12]),
    st.dates(date(2000, 1, 1), date(2090, 1, 1)),
)
def test_the_next_period_is_later_and_there_is_none_between(starts_on: date, months: int, after: date) -> None:
    begins = next_period_start(starts_on, months, after)
    assert begins > after
    assert begins >= starts_on
    elapsed = (begins.year - starts_on.year) * 12 + begins.month - starts_on.month
    assert elapsed % months == 0
    assert begins.day == min(starts_on.day, Period(begins.year, begins.month).last_day.day)
    if begins > starts_on:
        day_before = begins - timedelta(days=1)
        assert next_period_start(starts_on, months, day_before) == begins
        assert (begins - after).days <= 31 * months
