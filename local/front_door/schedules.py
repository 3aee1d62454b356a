"""The schedules of the template on one machine: each fires once for each time it names, also when that time was missed.

Method: what was fired last is kept in a file; of the times that passed while nothing ran, the latest is made up for.
Must not: fire a time twice, or fire times from before this machine first ran.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from local.template import Schedule
from trueup.domain.errors import ConfigurationInvalid, TrueupError
from trueup.domain.periods import zone

LOOK_SECONDS = 20
LOOK_BACK_DAYS = 400
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The times a cron expression of EventBridge Scheduler names: minutes, hours, days of the month and months.

    None means every one. Only what the template uses is understood; ``parse`` refuses the rest.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int] | None

    @classmethod
    def parse(cls, expression: str) -> Calendar:
        """``cron(minute hour day month ? *)``. Raises ConfigurationInvalid."""
        inner = re.fullmatch(r"cron\(([^()]*)\)", expression)
        fields = inner[1].split() if inner else []
        if len(fields) != 6 or fields[4] not in {"?", "*"} or fields[5] != "*":
            raise _not_understood(expression)
        minutes, hours = _numbers(fields[0], expression), _numbers(fields[1], expression)
        if minutes is None or hours is None:
            raise _not_understood(expression)
        return cls(minutes, hours, _numbers(fields[2], expression), _numbers(fields[3], expression))

    def latest(self, now: datetime, time_zone_name: str) -> datetime | None:
        """The last time named that is not after ``now`` (aware), in UTC; None when there is none within a year.

        A local time that a change of the clocks skips is moved on with the clocks; one that comes twice counts once.
        """
        place = zone(time_zone_name)
        today = now.astimezone(place).date()
        for back in range(LOOK_BACK_DAYS):
            day = today - timedelta(days=back)
            if self._has(day):
                moments = [
                    datetime.combine(day, time(hour, minute), tzinfo=place).astimezone(UTC)
                    for hour in self.hours
                    for minute in self.minutes
                ]
                past = [moment for moment in moments if moment <= now]
                if past:
                    return max(past)
        return None

    def _has(self, day: date) -> bool:
        return (self.days is None or day.day in self.days) and (self.months is None or day.month in self.months)


Fire = Callable[[str, str, str], None]
"""Called with the capability, the text to send, and a name that is the same for the same time."""


class Schedules:
    """A thread that fires what is due. ``fire`` must be safe to repeat with the same name."""

    def __init__(
        self,
        schedules: Iterable[tuple[str, Schedule]],
        *,
        state_file: Path,
        fire: Fire,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        also: Callable[[], None] = lambda: None,
    ) -> None:
        """``schedules`` are capabilities with their schedule; ``also`` is called at every look."""
        self._schedules = [(capability, item, Calendar.parse(item.expression)) for capability, item in schedules]
        self._state_file = state_file
        self._fire = fire
        self._now = now
        self._also = also
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="schedules", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def look(self) -> list[str]:
        """Fire what is due and remember it. Returns the names of what was fired."""
        handled = self._read()
        fired = []
        for capability, schedule, calendar in self._schedules:
            now = self._now()
            due = calendar.latest(now, schedule.time_zone)
            known = handled.get(schedule.name)
            if known is None:
                handled[schedule.name] = now
            elif due is not None and due > known:
                name = f"{capability}-{due:%Y%m%dT%H%M%SZ}"
                text = schedule.input.replace(SCHEDULED_TIME, due.isoformat().replace("+00:00", "Z"))
                self._fire(capability, text, name)
                handled[schedule.name] = due
                fired.append(name)
        if fired or handled.keys() != self._read().keys():
            self._write(handled)
        return fired

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
                self._also()
            except TrueupError as trouble:
                logger.warning("a schedule could not be fired, it is tried again: %s", trouble.message)
            self._stopping.wait(LOOK_SECONDS)

    def _read(self) -> dict[str, datetime]:
        try:
            kept: Mapping[str, str] = json.loads(self._state_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as damaged:
            raise ConfigurationInvalid(
                f"{self._state_file.name} is damaged", remedy="Delete it; schedules then begin anew from now."
            ) from damaged
        return {name: datetime.fromisoformat(text) for name, text in kept.items()}

    def _write(self, handled: Mapping[str, datetime]) -> None:
        content = json.dumps({name: moment.isoformat() for name, moment in sorted(handled.items())})
        fresh = self._state_file.with_name(self._state_file.name + ".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._state_file)


def _numbers(field: str, expression: str) -> frozenset[int] | None:
    if field in {"*", "?"}:
        return None
    if not re.fullmatch(r"\d{1,2}(,\d{1,2})*", field):
        raise _not_understood(expression)
    return frozenset(int(number) for number in field.split(","))


def _not_understood(expression: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(
        f"the schedule {expression!r} is not understood on one machine",
        remedy="Use cron(minute hour day month ? *) with numbers, or run with --no-schedules.",
    )
