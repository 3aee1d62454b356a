"""The month as a durable workflow on AWS's local runner: the real handler, the five real functions, both vendors."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_durable_execution_sdk_python.lambda_service import ErrorObject

from tests.handlers.durable import Month, running_month
from tests.handlers.stage import APPROVER, PREPARER, Stage
from trueup import bootstrap
from trueup.domain.integrations import Side
from trueup.domain.plan import Plan, PlanState
from trueup.domain.runs import RunState, SideProgress, Step
from trueup.usecases.monthly_run import end_run, note_progress
from trueup.usecases.plan_apply import APPLY_LEASE

# A function that fails has nothing to measure, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

MONTH_CALLS = ["auto_matching", "plan_apply", "psa_sync", "reconciliation", "vendor_sync"]
SCHEDULED = {"trigger": "schedule", "scheduled_time": f"{datetime.now(UTC):%Y-%m}-01T00:00:00Z"}


def start_run(stage: Stage) -> str:
    """A run begun through the API, as the workflow finds it."""
    run_id: str = stage.ok("POST", "/v1/runs", role="preparer", person=PREPARER)["id"]
    return run_id


def fresh_run(stage: Stage) -> str:
    """A run of its own, after the one that the stage was set up with."""
    end_run(stage.facts["run_id"], runs=stage.state.runs, clock=bootstrap.clock())
    return start_run(stage)


def approve(stage: Stage, plan_id: str) -> Plan:
    plan = stage.state.plans.get(plan_id)
    body = {"checksum": plan.checksum}
    stage.ok("POST", f"/v1/plans/{plan_id}/approve", body, role="approver", person=APPROVER)
    return stage.state.plans.get(plan_id)


def finish_month(month: Month, execution_id: str, run_id: str) -> dict[str, Any]:
    """Approve what the run waits with and have it applied; the execution's answer."""
    waiting = month.waiting(run_id)
    plan = approve(month.stage, waiting.plan_id)
    month.answer(waiting.callback_id, plan.checksum, APPROVER)
    result = month.result(execution_id)
    assert result.status.value == "SUCCEEDED", result.error
    return {"plan": month.stage.state.plans.get(plan.id), "run": month.stage.state.runs.get(run_id)}


def test_a_whole_month(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    run_id = fresh_run(stage)
    with running_month(stage) as month:
        ended = finish_month(month, month.begin({"run_id": run_id}), run_id)
    assert ended["run"].state is RunState.DONE
    assert ended["run"].step is Step.APPLY
    assert ended["plan"].state is PlanState.APPLIED
    assert len(stage.world.writes) == len(ended["plan"].ready)
    for change in ended["plan"].ready:
        assert stage.world.additions[int(change.line_id)].quantity == change.target
    history = [event.audit.action for event in stage.state.history.all()]
    assert history.count("change applied") == len(ended["plan"].ready)
    assert history[-1] == "run done"


def test_the_handler_runs_again_after_every_wait_and_repeats_no_step(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    run_id = fresh_run(stage)
    with running_month(stage) as month:
        execution_id = month.begin({"run_id": run_id})
        finish_month(month, execution_id, run_id)
        names = [operation.name for operation in month.result(execution_id).get_all_operations()]
        assert sorted(month.calls) == MONTH_CALLS, "a function was called more than once for one step"
    named = [name for name in names if name]
    for name in ("begin", "read-sides", "note-match", "match", "note-reconcile", "reconcile", "note-apply", "end"):
        assert named.count(name) == 1, named
    history = [event.audit.action for event in stage.state.history.all() if event.audit.run_id == run_id]
    assert history.count("run started") == 1
    assert history.count("run done") == 1


def test_a_rate_limit_becomes_a_wait_that_costs_nothing(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    run_id = fresh_run(stage)
    stage.connectwise.faults.add("rate_limited", path="*/company/companies", retry_after="600")
    with running_month(stage) as month:
        execution_id = month.begin({"run_id": run_id})
        finish_month(month, execution_id, run_id)
        waits = [operation.name for operation in month.result(execution_id).get_all_operations()]
        assert "read-psa-wait-0" in waits
        assert month.calls.count("psa_sync") == 2
        assert month.calls.count("vendor_sync") == 1


def test_a_failing_step_marks_the_run_as_failed(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    run_id = fresh_run(stage)
    stage.connectwise.faults.add("status", path="*/company/companies", times=0, status=403, code="Forbidden")
    with running_month(stage) as month:
        result = month.result(month.begin({"run_id": run_id}))
        assert result.status.value == "FAILED"
        assert "auto_matching" not in month.calls, "nothing may be derived from an incomplete read"
    run = stage.state.runs.get(run_id)
    assert run.state is RunState.FAILED
    assert run.problem_code == "step_failed"
    assert run.problem
    assert run.remedy
    shown = stage.ok("GET", f"/v1/runs/{run_id}", role="viewer")
    assert shown["problem"]["remedy"] == run.remedy
    assert stage.world.writes == []


def test_a_fresh_run_may_follow_one_that_failed(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    run_id = fresh_run(stage)
    stage.connectwise.faults.add("status", path="*/company/companies", status=403, code="Forbidden")
    with running_month(stage) as month:
        assert month.result(month.begin({"run_id": run_id})).status.value == "FAILED"
        second = start_run(stage)
        assert second != run_id
        execution_id = month.begin({"run_id": second})
        assert finish_month(month, execution_id, second)["run"].state is RunState.DONE


@pytest.mark.fault("A4")
def test_A4_a_schedule_that_fires_three_times_makes_one_run(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("proposed")
    before = {run.id for run in stage.state.runs.latest()}
    with running_month(stage) as month:
        first = month.begin(SCHEDULED)
        run_id = f"{SCHEDULED['scheduled_time'][:7]}-002"
        waiting = month.waiting(run_id)
        for _ in range(2):
            assert month.ended(SCHEDULED) == {"run_id": run_id, "state": "not_started"}
        assert sorted(month.calls) == ["auto_matching", "psa_sync", "reconciliation", "vendor_sync"]
        plan = approve(stage, waiting.plan_id)
        month.answer(waiting.callback_id, plan.checksum, APPROVER)
        assert month.result(first).status.value == "SUCCEEDED"
        assert month.ended(SCHEDULED) == {"run_id": run_id, "state": "not_started"}
    assert {run.id for run in stage.state.runs.latest()} - before == {run_id}


def test_the_same_run_is_carried_out_by_one_execution_only(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    run_id = fresh_run(stage)
    with running_month(stage) as month:
        first = month.begin({"run_id": run_id})
        assert month.waiting(run_id)
        assert month.ended({"run_id": run_id}) == {"run_id": run_id, "state": "not_started"}
        finish_month(month, first, run_id)
        assert month.ended({"run_id": run_id}) == {"run_id": run_id, "state": "not_started"}
        assert sorted(month.calls) == MONTH_CALLS


def test_a_schedule_before_the_mapping_is_finished_starts_nothing(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("connected")
    with running_month(stage) as month:
        assert month.ended(SCHEDULED)["state"] == "not_started"
        assert month.calls == []
    assert stage.state.runs.latest() == ()


def test_a_run_with_nothing_to_approve_is_done(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("read")  # No service is mapped, so there is nothing to change.
    run_id = stage.facts["run_id"]
    with running_month(stage) as month:
        assert month.ended({"run_id": run_id})["state"] == "done"
    assert stage.state.runs.get(run_id).state is RunState.DONE


def test_a_plan_that_nobody_approves_ends_the_run_without_a_write(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    run_id = fresh_run(stage)
    with running_month(stage) as month:
        execution_id = month.begin({"run_id": run_id})
        month.runner.send_callback_failure(month.waiting(run_id).callback_id, ErrorObject.from_message("too late"))
        assert month.result(execution_id).status.value == "SUCCEEDED", "it is no fault of the workflow"
    run = stage.state.runs.get(run_id)
    assert (run.state, run.problem_code) == (RunState.FAILED, "not_approved")
    assert stage.world.writes == []


def test_an_apply_waits_while_another_one_is_at_it(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("approved")

    def busy_once(event: Any) -> Any:
        if len(month.calls) == 1:
            stage.state.leases.acquire(APPLY_LEASE, owner="somebody else", seconds=300)
            answer = stage.call("plan_apply", event)
            assert answer["done"] is False
            assert answer["wait_seconds"] > 0
            stage.state.leases.release(APPLY_LEASE, owner="somebody else")
            return answer
        return stage.call("plan_apply", event)

    order = {"plan_id": stage.facts["plan_id"], "checksum": stage.facts["checksum"], "actor": APPROVER}
    with running_month(stage, {"plan_apply": busy_once}) as month:
        assert month.ended(order)["state"] == "done"
        assert month.calls == ["plan_apply", "plan_apply"]
    assert stage.state.plans.get(stage.facts["plan_id"]).state is PlanState.APPLIED


def test_an_execution_goes_on_at_once_with_an_apply_of_its_own_that_was_cut_off(
    stage_at: Callable[[str], Stage],
) -> None:
    stage = stage_at("approved")
    order = {
        "plan_id": stage.facts["plan_id"],
        "checksum": stage.facts["checksum"],
        "actor": APPROVER,
        "owner": "execution one",
    }
    stage.state.leases.acquire(APPLY_LEASE, owner="execution one", seconds=300)
    assert stage.call("plan_apply", order)["done"]


def test_both_sides_may_note_their_progress_at_the_same_time(stage_at: Callable[[str], Stage]) -> None:
    """Each note is a conditional write on the same record; one that loses reads it again."""
    stage = stage_at("connected")
    run_id = start_run(stage)
    runs, clock = stage.state.runs, bootstrap.clock()

    def note(side: Side) -> None:
        for pages in range(1, 11):
            note_progress(run_id, SideProgress(side, pages=pages), runs=runs, clock=clock)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(note, Side))
    assert [side.pages for side in runs.get(run_id).sides] == [10, 10]
