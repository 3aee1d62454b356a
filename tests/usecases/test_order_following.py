"""Between two runs the vendor is read for the orders alone: what it shows is noted, and no comparison rests on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.domain.order_samples import draft
from tests.usecases.office import Office
from tests.usecases.order_steps import drafted_order, follow, submitted_order
from trueup.domain.errors import RateLimited
from trueup.domain.integrations import Side
from trueup.domain.order_parts import OrderState
from trueup.domain.runs import Run


@pytest.fixture
def run(month: Office) -> Run:
    month.run()
    return month.state.runs.latest(1)[0]


def test_without_an_order_the_vendor_is_not_asked(month: Office, run: Run) -> None:
    asked = month.vendor.calls["read_page"]
    found = follow(month, run)
    assert (found.is_done, found.outstanding, found.late, found.period_is_over) == (True, 0, 0, False)
    assert month.vendor.calls["read_page"] == asked


def test_a_draft_is_outstanding_and_needs_no_read(month: Office, run: Run) -> None:
    asked = month.vendor.calls["read_page"]
    drafted_order(month)
    assert follow(month, run).outstanding == 1
    assert month.vendor.calls["read_page"] == asked


def test_an_order_is_reflected_by_the_read_that_shows_it_and_the_runs_own_read_stays_the_newest(
    month: Office, run: Run
) -> None:
    order = submitted_order(month)
    before = month.state.snapshots.latest(Side.VENDOR)
    waiting = follow(month, run)
    assert (waiting.outstanding, waiting.noted.reflected) == (1, ())
    month.vendor.add_account("V1", "Harbor Dental Group", 14)
    found = follow(month, run)
    assert (found.outstanding, found.noted.reflected) == (0, (order.id,))
    assert month.state.change_orders.get(order.id).state is OrderState.REFLECTED
    assert month.state.snapshots.latest(Side.VENDOR) == before, "the plan and the seal are of the run's own reads"


def test_a_read_that_is_out_of_time_goes_on_in_the_next_call(month: Office, run: Run) -> None:
    submitted_order(month)
    month.vendor.page_size = 1
    month.vendor.add_account("V1", "Harbor Dental Group", 14)
    asked = month.vendor.calls["read_page"]
    calls = 1
    while not follow(month, run, stop_at_seconds=0.0).is_done:
        calls += 1
    assert calls == 4
    assert month.vendor.calls["read_page"] - asked == 4, "no page is asked for twice"
    assert month.state.change_orders.open() == ()


def test_trouble_leaves_the_orders_as_they_are(month: Office, run: Run) -> None:
    order = submitted_order(month)
    month.vendor.add_account("V1", "Harbor Dental Group", 14)
    month.vendor.fail_next("read_page", RateLimited("wait", integration="mimecast", wait_seconds=30))
    with pytest.raises(RateLimited):
        follow(month, run)
    assert month.state.change_orders.get(order.id).state is OrderState.SUBMITTED
    assert follow(month, run).noted.reflected == (order.id,)


def test_a_late_order_is_counted_and_the_end_of_the_month_is_told(month: Office, run: Run) -> None:
    submitted_order(month)
    month.clock.advance(timedelta(days=6).total_seconds())
    found = follow(month, run)
    assert (found.late, found.noted.chased, found.period_is_over) == (1, (draft().id,), False)
    month.clock.step_to(datetime(2026, 10, 2, tzinfo=UTC))
    assert follow(month, run).period_is_over
