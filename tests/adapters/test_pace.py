"""The pace of calls: even, or with a burst that is earned by resting; a wait that was asked for holds everybody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.clock import FakeClock
from trueup.adapters.pace import Pace


def begun(pace: Pace, clock: FakeClock) -> float:
    """When the next request begins, in seconds of the clock."""
    with pace.turn(clock):
        return clock.monotonic_seconds()


def test_without_a_burst_requests_are_evenly_apart() -> None:
    clock, pace = FakeClock(), Pace(2, 1)
    starts = [begun(pace, clock) for _ in range(5)]
    assert [later - earlier for earlier, later in zip(starts, starts[1:], strict=False)] == pytest.approx([0.5] * 4)


def test_a_burst_begins_at_once_and_is_earned_again_by_resting() -> None:
    clock, pace = FakeClock(), Pace(2, 1, burst=3)
    first = [begun(pace, clock) for _ in range(4)]
    assert [start - first[0] for start in first] == pytest.approx([0, 0, 0, 0.5])
    clock.sleep(60)
    second = [begun(pace, clock) for _ in range(4)]
    assert [start - second[0] for start in second] == pytest.approx([0, 0, 0, 0.5])


@pytest.mark.parametrize("burst", [1, 5])
def test_a_wait_that_was_asked_for_holds_everybody_and_spends_the_burst(burst: int) -> None:
    clock, pace = FakeClock(), Pace(2, 1, burst=burst)
    asked_at = begun(pace, clock)
    pace.hold_back(clock, 30)
    starts = [begun(pace, clock) - asked_at for _ in range(3)]
    assert starts == pytest.approx([30, 30.5, 31])


@given(burst=st.integers(1, 40), rests=st.lists(st.floats(0, 20), min_size=1, max_size=60))
def test_no_minute_has_more_than_the_burst_and_the_pace_together(burst: int, rests: list[float]) -> None:
    clock, pace = FakeClock(), Pace(2, 1, burst=burst)
    starts = []
    for rest in rests:
        clock.sleep(rest)
        starts += [begun(pace, clock) for _ in range(10)]
    for index, start in enumerate(starts):
        within = sum(1 for later in starts[index:] if later < start + 60)
        assert within <= burst + 120
