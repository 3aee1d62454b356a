"""What the steps of the workflow do that nobody asks for over the API: following orders, closing what is over."""

from __future__ import annotations

from typing import Any

from tests.handlers.stage import Stage


def found_a_draft_outstanding(stage: Stage, answer: Any) -> None:
    assert answer == {
        "done": True,
        "wait_seconds": 0,
        "outstanding": 1,
        "reflected": 0,
        "late": 0,
        "period_is_over": False,
    }
    assert len(stage.state.change_orders.open()) == 1


def closed_nothing_before_its_time(stage: Stage, answer: Any) -> None:
    assert answer == {"sealed": [], "refused": []}
    assert stage.state.sealed_months.links() == ()
