"""One run for one trigger, one period for one run, and a record that says how far it is and how it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.domain.building import plan_of
from tests.fakes.clock import FakeClock
from tests.fakes.state import FakeState, fake_state
from trueup.domain.errors import LeaseHeld, VendorUnavailable, VersionConflict
from trueup.domain.integrations import Side
from trueup.domain.runs import Run, RunState, SideProgress, Step
from trueup.usecases.monthly_run import (
    DROP_ACCEPTED,
    SCHEDULE,
    begin_run,
    days_overdue,
    end_run,
    fail_run,
    note_drop_accepted,
    note_plan,
    note_progress,
    note_step,
    note_waiting,
)

NEW_YORK = ZoneInfo("America/New_York")
AWAY = VendorUnavailable("no answer", integration="mimecast")


class Desk:
    """The run record, with a clock that a test sets."""

    def __init__(self, moment: datetime, time_zone: ZoneInfo = NEW_YORK) -> None:
        self.clock = FakeClock(moment)
        self.state: FakeState = fake_state(self.clock)
        self.time_zone = time_zone

    def begin(self, scheduled_for: datetime | None = None, *, accept_drop: bool = False) -> Run:
        return begin_run(
            actor="dana",
            time_zone=self.time_zone,
            runs=self.state.runs,
            clock=self.clock,
            scheduled_for=scheduled_for,
            accept_drop=accept_drop,
        )

    def end(self, run: Run) -> Run:
        return end_run(run.id, runs=self.state.runs, clock=self.clock)

    def fail(self, run: Run) -> Run:
        return fail_run(run.id, AWAY, runs=self.state.runs, clock=self.clock)

    def overdue(self, *, active: bool = True, run_day: int = 1) -> int:
        return days_overdue(
            active=active, run_day=run_day, time_zone=self.time_zone, runs=self.state.runs, clock=self.clock
        )

    def actions(self) -> list[str]:
        return [event.audit.action for event in self.state.history.all()]


@pytest.fixture
def desk() -> Desk:
    """The third of November, early in the afternoon of New York."""
    return Desk(datetime(2026, 11, 3, 18, 0, tzinfo=UTC))


def test_a_run_begins_with_both_sides_unread(desk: Desk) -> None:
    run = desk.begin()
    assert (run.id, run.period, run.state, run.step) == ("2026-11-001", "2026-11", RunState.RUNNING, Step.SYNC)
    assert run.sides == (SideProgress(Side.VENDOR), SideProgress(Side.PSA))
    assert run.started_by == "dana"
    assert desk.actions() == ["run started"]


def test_the_word_that_a_shorter_list_is_right_is_kept_with_the_run_and_in_the_history(desk: Desk) -> None:
    run = desk.begin(accept_drop=True)
    assert desk.state.runs.get(run.id).accept_drop
    assert [event.audit.why for event in desk.state.history.all()] == [DROP_ACCEPTED]
    assert desk.begin(accept_drop=True).id == run.id
    assert desk.begin().id == run.id
    desk.end(run)
    assert not desk.begin().accept_drop, "it is said for one run and no other"


def test_a_run_that_was_begun_without_that_word_is_not_taken_for_one_that_has_it(desk: Desk) -> None:
    run = desk.begin()
    with pytest.raises(LeaseHeld) as refused:
        desk.begin(accept_drop=True)
    assert refused.value.holder == run.id
    assert desk.state.runs.get(run.id) == run


def test_a_person_may_give_the_word_to_a_run_that_is_taken_up_again(desk: Desk) -> None:
    run = desk.begin()
    noted = note_drop_accepted(run.id, actor="sam", runs=desk.state.runs, clock=desk.clock)
    assert noted.accept_drop
    audit = list(desk.state.history.all())[-1].audit
    assert (audit.actor, audit.subject, audit.why) == ("sam", run.id, DROP_ACCEPTED)


@pytest.mark.fault("A4")
def test_A4_a_second_trigger_gets_the_run_that_is_not_over(desk: Desk) -> None:
    first = desk.begin()
    assert [desk.begin().id for _ in range(3)] == [first.id] * 3
    assert desk.actions() == ["run started"]


def test_after_a_run_is_over_the_next_one_has_the_next_number(desk: Desk) -> None:
    desk.end(desk.begin())
    desk.fail(desk.begin())
    assert desk.begin().id == "2026-11-003"


def test_a_run_that_waits_for_a_person_does_not_stand_in_the_way(desk: Desk) -> None:
    first = desk.begin()
    waiting = desk.state.runs.get(first.id)
    desk.state.runs.save(replace(waiting, state=RunState.WAITING_FOR_APPROVAL), None)
    assert desk.begin().id == "2026-11-002"


def test_more_runs_than_one_list_shows_still_have_numbers_of_their_own(desk: Desk) -> None:
    ids = []
    for _ in range(103):
        desk.clock.advance(1)
        run = desk.begin()
        ids.append(run.id)
        desk.end(run)
    assert len(set(ids)) == 103
    assert ids[-1] == "2026-11-103"


# The schedule.


@pytest.mark.fault("A4")
def test_A4_a_schedule_that_fires_three_times_makes_one_run_even_when_the_first_is_over(desk: Desk) -> None:
    moment = desk.clock.now()
    first = desk.begin(moment)
    assert first.started_by == SCHEDULE
    assert desk.begin(moment).id == first.id
    desk.end(first)
    again = desk.begin(moment)
    assert (again.id, again.state) == (first.id, RunState.DONE)
    assert desk.actions() == ["run started", "run done"]


def test_a_scheduled_run_comes_after_one_a_person_began(desk: Desk) -> None:
    desk.end(desk.begin())
    run = desk.begin(desk.clock.now())
    assert (run.id, run.started_by) == ("2026-11-002", SCHEDULE)


@pytest.mark.fault("D1")
def test_D1_a_late_trigger_keeps_the_period_it_was_meant_for(desk: Desk) -> None:
    meant_for = datetime(2026, 10, 31, 23, 0, tzinfo=UTC)
    run = desk.begin(meant_for)
    assert run.period == "2026-10"
    assert desk.begin(meant_for).id == run.id


@pytest.mark.parametrize(
    ("moment", "zone", "period"),
    [
        (datetime(2026, 12, 1, 4, 59, tzinfo=UTC), "America/New_York", "2026-11"),
        (datetime(2026, 12, 1, 5, 0, tzinfo=UTC), "America/New_York", "2026-12"),
        (datetime(2026, 11, 30, 10, 59, tzinfo=UTC), "Pacific/Auckland", "2026-11"),
        (datetime(2026, 11, 30, 11, 0, tzinfo=UTC), "Pacific/Auckland", "2026-12"),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "Europe/London", "2026-12"),
        (datetime(2027, 1, 1, 0, 0, tzinfo=UTC), "Europe/London", "2027-01"),
    ],
)
@pytest.mark.fault("D1")
def test_D1_the_period_is_the_month_of_the_msps_time_zone(moment: datetime, zone: str, period: str) -> None:
    assert Desk(moment, ZoneInfo(zone)).begin().period == period


@pytest.mark.fault("D2")
def test_D2_the_hour_that_comes_twice_is_still_one_scheduled_run() -> None:
    # Clocks go back in New York on 2026-11-01 at 06:00 UTC: 01:30 comes at 05:30 and at 06:30 UTC.
    desk = Desk(datetime(2026, 11, 1, 5, 30, tzinfo=UTC))
    first = desk.begin(datetime(2026, 11, 1, 5, 30, tzinfo=UTC))
    desk.end(first)
    desk.clock.advance(3600)
    assert desk.begin(datetime(2026, 11, 1, 6, 30, tzinfo=UTC)).id == first.id


# Notes.


def test_both_sides_note_their_progress_without_losing_the_others(desk: Desk) -> None:
    run = desk.begin()
    real = desk.state.runs.save
    moved: list[Run] = []

    def save(changed: Run, audit: object) -> Run:
        if not moved:
            moved.append(changed)
            note_progress(run.id, SideProgress(Side.PSA, 1, 10), runs=desk.state.runs, clock=desk.clock)
        return real(changed, audit)  # type: ignore[arg-type]

    desk.state.runs.save = save  # type: ignore[method-assign, assignment]
    noted = note_progress(run.id, SideProgress(Side.VENDOR, 2, 20), runs=desk.state.runs, clock=desk.clock)
    assert noted.sides == (SideProgress(Side.VENDOR, 2, 20), SideProgress(Side.PSA, 1, 10))


def test_a_record_that_never_stands_still_is_told(desk: Desk) -> None:
    run = desk.begin()
    desk.state.switches.fail("runs.save", VersionConflict("moved"), times=1000)
    with pytest.raises(VersionConflict):
        note_step(run.id, Step.MATCH, runs=desk.state.runs, clock=desk.clock)


def test_a_step_wakes_a_run_that_waited(desk: Desk) -> None:
    run = desk.begin()
    note_waiting(run.id, "callback-1", runs=desk.state.runs, clock=desk.clock)
    noted = note_step(run.id, Step.APPLY, runs=desk.state.runs, clock=desk.clock)
    assert (noted.state, noted.step, noted.callback_id) == (RunState.RUNNING, Step.APPLY, "callback-1")


def test_a_run_that_is_over_stays_over(desk: Desk) -> None:
    failed = desk.fail(desk.begin())
    assert failed.problem_code == "vendor_unavailable"
    assert failed.problem == "no answer"
    assert failed.remedy == AWAY.remedy
    assert desk.end(failed) == failed
    assert desk.fail(failed) == failed
    late = note_progress(failed.id, SideProgress(Side.VENDOR, 9, 9), runs=desk.state.runs, clock=desk.clock)
    assert late.state is RunState.FAILED
    assert note_step(failed.id, Step.MATCH, runs=desk.state.runs, clock=desk.clock).state is RunState.FAILED
    assert desk.actions() == ["run started", "run failed"]


def test_an_ended_run_can_no_longer_be_told_to_go_on(desk: Desk) -> None:
    run = desk.begin()
    note_waiting(run.id, "callback-1", runs=desk.state.runs, clock=desk.clock)
    assert desk.end(run).callback_id == ""
    assert desk.actions() == ["run started", "run done"]


# The dead man's switch.


def test_a_month_without_a_run_is_overdue_from_the_day_after_its_day(desk: Desk) -> None:
    assert desk.overdue(run_day=1) == 2
    assert desk.overdue(run_day=3) == 0
    assert desk.overdue(run_day=20) == 0
    assert desk.overdue(run_day=1, active=False) == 0


@pytest.mark.fault("A26")
def test_A26_a_run_that_failed_does_not_count_and_one_that_waits_does(desk: Desk) -> None:
    desk.fail(desk.begin())
    assert desk.overdue() == 2
    desk.begin()
    assert desk.overdue() == 0


def test_the_month_is_the_msps(desk: Desk) -> None:
    late = Desk(datetime(2026, 12, 1, 4, 0, tzinfo=UTC))
    assert late.overdue(run_day=1) == 29, "it still is the thirtieth of November in New York"
    assert desk.overdue() == 2


# A run that waits for a person, and a newer one.


def _waiting(desk: Desk, run: Run, plan_id: str = "plan-1") -> Run:
    stored = desk.state.runs.get(run.id)
    waiting = replace(stored, state=RunState.WAITING_FOR_APPROVAL, plan_id=plan_id, callback_id="call-1")
    return desk.state.runs.save(waiting, None)


@pytest.mark.fault("D6")
def test_D6_a_run_that_still_waits_is_superseded_when_the_next_month_begins(desk: Desk) -> None:
    old = _waiting(desk, desk.begin())
    desk.clock.step_to(datetime(2026, 12, 1, 12, 0, tzinfo=UTC))
    new = desk.begin()
    ended = desk.state.runs.get(old.id)
    assert (ended.state, ended.callback_id) == (RunState.SUPERSEDED, "")
    assert new.id in ended.remedy
    assert desk.actions() == ["run started", "run started", "run superseded"]


def test_a_run_of_the_same_month_waits_on_until_another_plan_takes_the_place_of_its_own(desk: Desk) -> None:
    old = _waiting(desk, desk.begin())
    new = desk.begin()
    assert desk.state.runs.get(old.id).state is RunState.WAITING_FOR_APPROVAL, "the new run may fail to read"
    plan = plan_of((10, 12))
    note_plan(new.id, plan, runs=desk.state.runs, clock=desk.clock)
    assert desk.state.runs.get(old.id).state is RunState.SUPERSEDED
    assert desk.state.runs.get(new.id).state is RunState.WAITING_FOR_APPROVAL


def test_a_run_that_found_an_equal_plan_leaves_the_other_one_waiting_for_it(desk: Desk) -> None:
    plan = plan_of((10, 12))
    old = _waiting(desk, desk.begin(), plan.id)
    new = desk.begin()
    note_plan(new.id, plan, runs=desk.state.runs, clock=desk.clock)
    assert desk.state.runs.get(old.id).state is RunState.WAITING_FOR_APPROVAL


@pytest.mark.fault("A6")
def test_A6_the_same_event_delivered_again_a_minute_and_two_minutes_later_is_the_same_run(desk: Desk) -> None:
    meant_for = datetime(2026, 11, 3, 11, 0, tzinfo=UTC)
    first = desk.begin(meant_for)
    for seconds in (60, 120):
        desk.clock.advance(seconds)
        assert desk.begin(meant_for).id == first.id
    desk.fail(first)
    assert desk.begin(meant_for).id == first.id, "what failed is looked at by a person, not repeated by a queue"


@pytest.mark.fault("D5")
def test_D5_a_clock_that_steps_back_changes_neither_the_period_nor_the_order_of_runs(desk: Desk) -> None:
    desk.clock.step_to(datetime(2026, 11, 1, 5, 2, tzinfo=UTC))  # Two minutes past midnight in New York.
    first = desk.begin()
    desk.clock.step_to(datetime(2026, 11, 1, 4, 57, tzinfo=UTC))  # Three minutes before it, for the second time.
    noted = note_step(first.id, Step.MATCH, runs=desk.state.runs, clock=desk.clock)
    assert (noted.period, noted.version) == ("2026-11", first.version + 1)
    assert desk.end(first).state is RunState.DONE


@pytest.mark.fault("S13")
def test_S13_a_thousand_calls_to_sync_now_are_one_run(desk: Desk) -> None:
    assert len({desk.begin().id for _ in range(1000)}) == 1
    assert desk.actions() == ["run started"]
