"""What the unattended run closes: every month that is over and was compared, and none that a person opened again."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.usecases.office import PERIOD, PERSON, TIME_ZONE, Office
from trueup.usecases.month_closing import MONTH_OVER, Closed, close_months
from trueup.usecases.sealing import reopen_month


def closed(month: Office) -> Closed:
    return close_months(
        "2026-10-001", actor="schedule", tenant=month.tenant, time_zone=TIME_ZONE, state=month.state, clock=month.clock
    )


def next_month(month: Office) -> None:
    month.clock.step_to(datetime(2026, 10, 1, 10, 0, tzinfo=UTC))


def test_a_month_that_is_not_over_by_the_msps_calendar_is_left_open(month: Office) -> None:
    month.run()
    month.clock.step_to(datetime(2026, 10, 1, 3, 0, tzinfo=UTC))  # An hour before midnight in New York.
    assert closed(month) == Closed()


def test_a_finished_month_is_sealed_once(month: Office) -> None:
    plan = month.run().plan
    for change in plan.held:
        plan = month.release(plan, change.id)
    month.apply(month.approve(plan))
    next_month(month)
    assert closed(month) == Closed(sealed=(PERIOD,))
    (link,) = month.state.sealed_months.links()
    assert (link.period, link.by, link.reason, link.outstanding) == (PERIOD, "schedule", "", ())
    assert closed(month) == Closed()


def test_what_nobody_approved_in_time_is_closed_as_it_is_and_named(month: Office) -> None:
    plan = month.run().plan
    next_month(month)
    assert closed(month) == Closed(sealed=(PERIOD,))
    (link,) = month.state.sealed_months.links()
    assert link.reason.startswith(MONTH_OVER)
    assert any(plan.id in words for words in link.outstanding)


def test_a_month_whose_runs_came_to_nothing_has_nothing_to_close(month: Office) -> None:
    month.begin()
    next_month(month)
    assert closed(month) == Closed()


def test_a_month_that_a_person_opened_again_is_theirs_to_close(month: Office) -> None:
    month.run()
    next_month(month)
    closed(month)
    reopen_month(
        PERIOD, reason="a client was missing", actor=PERSON, tenant=month.tenant, state=month.state, clock=month.clock
    )
    assert closed(month) == Closed()


def test_one_month_that_cannot_be_closed_does_not_keep_another_open(month: Office) -> None:
    month.run()
    next_month(month)
    month.state.switches.fail("sealed_months.append")
    refused = closed(month)
    assert refused.sealed == ()
    assert [period for period, _ in refused.refused] == [PERIOD]
    assert closed(month).sealed == (PERIOD,)
