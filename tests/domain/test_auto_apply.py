"""Only what is plainly a small increase goes without a person; the two parts are the plan again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.building import plan_of
from trueup.domain.auto_apply import AutoApplyPolicy, divide
from trueup.domain.billing import LineId
from trueup.domain.counts import Seats
from trueup.domain.guards import Hold
from trueup.domain.plan import ChangeKind

ALLOWED = AutoApplyPolicy(increase_seats=5)


def test_nothing_is_applied_by_itself_unless_the_tenant_says_so() -> None:
    plan = plan_of((10, 12), (10, 11))
    assert divide(plan, AutoApplyPolicy()) == (None, plan)


def test_a_plan_of_small_increases_alone_is_one_part_under_its_own_id() -> None:
    plan = plan_of((10, 12), (20, 25))
    assert divide(plan, ALLOWED) == (plan, None)


def test_a_decrease_and_a_larger_increase_wait_for_a_person() -> None:
    plan = plan_of((10, 12), (10, 9), (100, 106), (10, 0))
    small, rest = divide(plan, ALLOWED)
    assert small is not None
    assert rest is not None
    assert [(change.expected, change.target) for change in small.changes] == [(Decimal(10), 12)]
    assert {(change.expected, change.target) for change in rest.changes} == {
        (Decimal(10), 9),
        (Decimal(100), 106),
        (Decimal(10), 0),
    }
    assert len({plan.id, small.id, rest.id}) == 3
    assert (small.run_id, rest.run_id, small.snapshots) == (plan.run_id, plan.run_id, plan.snapshots)


@pytest.mark.parametrize(
    "doubt",
    [
        {"holds": (Hold("counts_disagree", "12 and 13", "a person says which"),)},
        {"monthly_money": None},
        {"kind": ChangeKind.CREATE_LINE},
        {"siblings": (LineId("L9"),)},
        {"undoes": "plan-1/chg-1"},
        {"expected": Decimal(0)},
        {"target": Seats(10)},
    ],
    ids=lambda doubt: next(iter(doubt)),
)
def test_whatever_is_in_doubt_waits(doubt: dict[str, object]) -> None:
    plan = plan_of((10, 12))
    doubtful = replace(plan, changes=(replace(plan.changes[0], **doubt),))  # type: ignore[arg-type]  # Any one field.
    assert divide(doubtful, AutoApplyPolicy(increase_seats=50)) == (None, doubtful)


@given(
    numbers=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=8),
    seats=st.integers(0, 40),
)
def test_the_parts_are_the_plan_and_the_small_one_holds_only_allowed_increases(
    numbers: list[tuple[int, int]], seats: int
) -> None:
    plan = plan_of(*numbers)
    small, rest = divide(plan, AutoApplyPolicy(increase_seats=seats))
    parts = [part for part in (small, rest) if part is not None]
    assert sorted((change for part in parts for change in part.changes), key=lambda change: change.id) == list(
        plan.changes
    )
    for change in small.changes if small is not None else ():
        assert 0 < change.target - change.expected <= seats
        assert not change.holds
