"""Billing months in the MSP's time zone. A period is pinned when a run starts and never changes with the clock."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trueup.domain.errors import ConfigurationInvalid, InputInvalid

_PERIOD = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A billing month, written ``YYYY-MM``."""

    year: int
    month: int

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read ``YYYY-MM``. Raises InputInvalid on anything else."""
        found = _PERIOD.fullmatch(text)
        if found is None or int(found.group(1)) < 2000:
            raise InputInvalid(
                "the period must be written YYYY-MM", field="period", remedy="For example 2026-11 for November 2026."
            )
        return cls(int(found.group(1)), int(found.group(2)))

    @classmethod
    def at(cls, moment: datetime, time_zone: ZoneInfo) -> Period:
        """The month that it is for the MSP at that moment. Raises ValueError on a naive datetime."""
        local = utc(moment).astimezone(time_zone)
        return cls(local.year, local.month)

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        return date(self.year, self.month, calendar.monthrange(self.year, self.month)[1])

    def next(self) -> Period:
        return Period(self.year + 1, 1) if self.month == 12 else Period(self.year, self.month + 1)

    def previous(self) -> Period:
        return Period(self.year - 1, 12) if self.month == 1 else Period(self.year, self.month - 1)


def next_period_start(starts_on: date, months: int, after: date) -> date:
    """The first day after ``after`` on which a period of so many months begins, counted from ``starts_on``.

    Where a month lacks the day, the period begins on its last: 31 January, 28 February, 31 March.
    """
    elapsed = (after.year - starts_on.year) * 12 + after.month - starts_on.month
    begun = max(elapsed // months, 0) * months
    day = _months_later(starts_on, begun)
    return day if day > after else _months_later(starts_on, begun + months)


def next_monthly_run(after: datetime, *, day: int, hour: int, time_zone: ZoneInfo) -> datetime:
    """The next moment, in UTC, at which that hour of that day of a month begins for the MSP.

    An hour that a clock change skips begins when the clock does go on. Raises ValueError on a naive datetime.
    """
    period = Period.at(after, time_zone)
    for chosen in (period, period.next()):
        begins = utc(datetime.combine(chosen.first_day.replace(day=day), time(hour), tzinfo=time_zone))
        if begins > after:
            return begins
    raise AssertionError("the same day of the next month is always later")


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    last = Period(day.year + years, month + 1).last_day
    return last.replace(day=min(day.day, last.day))


def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name. Raises ConfigurationInvalid when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise ConfigurationInvalid(
            f"there is no time zone named {name!r}",
            remedy="Use an IANA name such as America/New_York or Europe/London.",
        ) from unknown


def local_day(moment: datetime, time_zone: ZoneInfo) -> date:
    """The MSP's calendar day at that moment. Raises ValueError on a naive datetime."""
    return utc(moment).astimezone(time_zone).date()


def utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError on a naive datetime: a time without a zone is not a time."""
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone")
    return moment.astimezone(UTC)
