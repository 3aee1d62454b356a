"""Schedules on one machine: each time fires once, a missed one is made up for, and a restart changes neither."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.front_door.schedules import Calendar, Schedules
from local.template import Schedule, local_deployment
from trueup.domain.errors import ConfigurationInvalid, StateUnavailable

MONTHLY = Schedule("monthly", "cron(0 6 1 * ? *)", "Europe/London", '{"at": "<aws.scheduler.scheduled-time>"}')
DAILY = Schedule("daily", "cron(30 2 * * ? *)", "Europe/London", "{}")


class World:
    """A clock to set, and what was fired."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self.fired: list[tuple[str, str, str]] = []
        self.trouble: Exception | None = None
        self._folder = folder

    def schedules(self, *wanted: Schedule) -> Schedules:
        return Schedules(
            [(schedule.name, schedule) for schedule in wanted],
            state_file=self._folder / "schedules.json",
            fire=self._fire,
            now=lambda: self.now,
        )

    def _fire(self, capability: str, text: str, name: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.fired.append((capability, text, name))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_from_before_the_first_start_is_fired(world: World) -> None:
    assert world.schedules(MONTHLY, DAILY).look() == []


def test_a_time_is_fired_once_with_the_time_it_names(world: World) -> None:
    schedules = world.schedules(MONTHLY)
    schedules.look()
    world.now = datetime(2026, 4, 1, 4, 59, tzinfo=UTC)
    assert schedules.look() == []
    world.now = datetime(2026, 4, 1, 5, 0, 10, tzinfo=UTC)  # 06:00 in London in summer
    assert schedules.look() == ["monthly-20260401T050000Z"]
    assert json.loads(world.fired[0][1]) == {"at": "2026-04-01T05:00:00Z"}
    assert schedules.look() == []


def test_a_restart_neither_repeats_nor_loses_a_time(world: World) -> None:
    world.schedules(MONTHLY).look()
    world.now = datetime(2026, 4, 1, 5, 1, tzinfo=UTC)
    assert len(world.schedules(MONTHLY).look()) == 1
    assert world.schedules(MONTHLY).look() == []
    world.now = datetime(2026, 5, 3, 9, 0, tzinfo=UTC)  # the machine was off on the first of May
    assert world.schedules(MONTHLY).look() == ["monthly-20260501T050000Z"]


def test_of_many_missed_times_the_latest_is_made_up_for(world: World) -> None:
    world.schedules(MONTHLY).look()
    world.now = datetime(2026, 9, 15, 9, 0, tzinfo=UTC)
    assert world.schedules(MONTHLY).look() == ["monthly-20260901T050000Z"]
    assert world.schedules(MONTHLY).look() == []


def test_what_could_not_be_fired_is_fired_at_the_next_look(world: World) -> None:
    schedules = world.schedules(MONTHLY)
    schedules.look()
    world.now = datetime(2026, 4, 2, 0, 0, tzinfo=UTC)
    world.trouble = StateUnavailable("the store is away")
    with pytest.raises(StateUnavailable):
        schedules.look()
    world.trouble = None
    assert schedules.look() == ["monthly-20260401T050000Z"]


@pytest.mark.fault("D2")
def test_D2_a_local_time_that_is_skipped_or_comes_twice_fires_once_a_day(world: World) -> None:
    """In London 01:00 to 02:00 is skipped on 29 March 2026 and comes twice on 25 October."""
    skipped = Schedule("skipped", "cron(30 1 * * ? *)", "Europe/London", "{}")
    schedules = world.schedules(skipped)
    world.now = datetime(2026, 3, 25, tzinfo=UTC)
    schedules.look()
    for day in range(12):
        for minute in range(0, 24 * 60, 10):
            world.now = datetime(2026, 3, 25, tzinfo=UTC) + timedelta(days=day, minutes=minute)
            schedules.look()
    assert len(world.fired) == 12
    world.now = datetime(2026, 10, 20, tzinfo=UTC)
    schedules.look()
    world.fired.clear()
    for minute in range(0, 10 * 24 * 60, 10):
        world.now = datetime(2026, 10, 20, tzinfo=UTC) + timedelta(minutes=minute)
        schedules.look()
    assert len(world.fired) == 10


def test_a_damaged_file_is_said_to_be_so(world: World, tmp_path: Path) -> None:
    (tmp_path / "schedules.json").write_text("{")
    with pytest.raises(ConfigurationInvalid, match=r"schedules\.json"):
        world.schedules(MONTHLY).look()


@pytest.mark.parametrize(
    "expression",
    ["rate(1 day)", "cron(0 6 1 * *)", "cron(0 6 ? * MON *)", "cron(* 6 1 * ? *)", "cron(0/5 6 1 * ? *)", "at(2026)"],
)
def test_an_expression_that_is_not_understood_is_refused(expression: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="schedule"):
        Calendar.parse(expression)


def test_the_schedules_of_the_template_are_understood() -> None:
    found = [item for definition in local_deployment().functions() for item in definition.schedules]
    assert len(found) >= 2
    for item in found:
        assert Calendar.parse(item.expression).latest(datetime(2026, 11, 22, tzinfo=UTC), item.time_zone)


def independent_latest(now: datetime, hour: int, minute: int, day: int | None) -> datetime | None:
    """The latest time by looking at every minute before, in UTC."""
    moment = now.replace(second=0, microsecond=0)
    for _ in range(62 * 24 * 60):
        if (moment.hour, moment.minute) == (hour, minute) and day in (None, moment.day):
            return moment
        moment -= timedelta(minutes=1)
    return None


@given(
    now=st.integers(0, 2 * 365 * 86400).map(lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(0, seconds)),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    day=st.none() | st.integers(1, 28),
)
def test_the_latest_time_is_the_one_a_look_at_every_minute_finds(
    now: datetime, hour: int, minute: int, day: int | None
) -> None:
    calendar = Calendar.parse(f"cron({minute} {hour} {'*' if day is None else day} * ? *)")
    assert calendar.latest(now, "UTC") == independent_latest(now, hour, minute, day)


def test_the_thread_looks_and_stops(world: World) -> None:
    looked = threading.Event()
    schedules = Schedules(
        [], state_file=Path("/nonexistent/never-written"), fire=world._fire, now=lambda: world.now, also=looked.set
    )
    schedules.start()
    assert looked.wait(5)
    schedules.stop()
    assert not schedules._thread.is_alive()
