"""The month as a durable workflow on AWS's local runner: the real handler, the five real functions, both vendors."""

from __future__ import annotations

import json
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
from trueup.settings import settings
from trueup.usecases.monthly_run import end_run, note_progress
from trueup.usecases.plan_apply import APPLY_LEASE

# A function that fails has nothing to measure, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

READ_CALLS = ["auto_matching", "psa_sync", "reconciliation", "sealing", "vendor_sync"]
TOLD = ["notification"] * 3
"""Of the run, of what is held, and that somebody is waited for."""

MONTH_CALLS = sorted([*READ_CALLS, *TOLD, "plan_apply", "change_orders", "sealing"])
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
        assert sorted(month.calls) == sorted([*READ_CALLS, *TOLD])
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


# Nobody there: small increases, people who are told, orders, a newer month.


def let_small_increases_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the tenant of the stage lets increases of at most five seats go without a person."""
    monkeypatch.setenv("TRUEUP_AUTO_APPLY_SEATS", "5")
    settings.cache_clear()


def test_a_scheduled_run_applies_small_increases_and_waits_for_a_person_with_the_rest(
    stage_at: Callable[[str], Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stage_at("proposed")
    let_small_increases_go(monkeypatch)
    with running_month(stage) as month:
        execution = month.begin(SCHEDULED)
        run_id = f"{SCHEDULED['scheduled_time'][:7]}-002"
        waiting = month.waiting(run_id)
        small = next(plan for plan in stage.state.plan_index.latest() if plan.id.endswith("-small"))
        rest = stage.state.plans.get(waiting.plan_id)
        assert (small.state, rest.state) == (PlanState.APPLIED, PlanState.PROPOSED)
        assert all(0 < change.target - change.expected <= 5 for change in small.changes)
        assert len(stage.world.writes) == len(small.changes) > 0
        assert {change.id for change in rest.changes}.isdisjoint(change.id for change in small.changes)
        finish_month(month, execution, run_id)
        assert len(stage.world.writes) == len(small.changes) + len(rest.ready)


def test_a_run_that_a_person_began_applies_nothing_by_itself(
    stage_at: Callable[[str], Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stage_at("mapped")
    let_small_increases_go(monkeypatch)
    run_id = fresh_run(stage)
    with running_month(stage) as month:
        month.begin({"run_id": run_id})
        month.waiting(run_id)
        assert stage.world.writes == []


def test_people_who_cannot_be_told_do_not_stop_the_month(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    run_id = fresh_run(stage)

    def unreachable(_: Any) -> Any:
        raise RuntimeError("nobody can be told")

    with running_month(stage, {"notification": unreachable}) as month:
        assert finish_month(month, month.begin({"run_id": run_id}), run_id)["run"].state is RunState.DONE


def test_orders_are_looked_at_every_day_until_none_is_open(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    run_id = fresh_run(stage)
    days = iter([(2, 0, 0), (2, 1, 0), (1, 0, 1), (0, 0, 1)])

    def orders(event: Any) -> Any:
        assert event["run_id"] == run_id
        outstanding, late, reflected = next(days)
        return {
            "done": True,
            "wait_seconds": 0,
            "outstanding": outstanding,
            "late": late,
            "reflected": reflected,
            "period_is_over": False,
        }

    with running_month(stage, {"change_orders": orders}) as month:
        execution_id = month.begin({"run_id": run_id})
        assert finish_month(month, execution_id, run_id)["run"].state is RunState.DONE
        names = {operation.name for operation in month.result(execution_id).get_all_operations()}
        assert month.calls[-1] == "sealing"
    assert {name for name in names if name and "orders-wait" in name} == {f"orders-wait-{day}" for day in range(3)}
    assert {"note-orders", "tell-order_late-1", "tell-order_reflected-2", "tell-order_reflected-3"} <= names
    assert {"end", "wait-until-over", "seal"} <= names


def test_orders_that_are_open_when_the_month_is_over_do_not_keep_it_open(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    run_id = fresh_run(stage)
    standing = {"done": True, "wait_seconds": 0, "outstanding": 1, "late": 0, "reflected": 0, "period_is_over": True}
    with running_month(stage, {"change_orders": lambda _: standing}) as month:
        assert finish_month(month, month.begin({"run_id": run_id}), run_id)["run"].state is RunState.DONE
        assert month.calls.count("change_orders") == 1


@pytest.mark.fault("A19")
@pytest.mark.fault("D6")
def test_A19_the_approval_of_an_old_plan_is_refused_once_a_newer_run_proposed_another(
    stage_at: Callable[[str], Stage],
) -> None:
    stage = stage_at("mapped")
    old_id = fresh_run(stage)
    with running_month(stage) as month:
        month.begin({"run_id": old_id})
        old = month.waiting(old_id)
        changed = stage.state.plans.get(old.plan_id).ready[0]
        stage.world.additions[int(changed.line_id)].quantity -= 1
        new_id = start_run(stage)
        execution = month.begin({"run_id": new_id})
        month.waiting(new_id)
        assert stage.state.runs.get(old_id).state is RunState.SUPERSEDED
        checksum = stage.state.plans.get(old.plan_id).checksum
        path = f"/v1/plans/{old.plan_id}/approve"
        refused = stage.http("POST", path, {"checksum": checksum}, role="approver", person=APPROVER)
        assert (refused.status, refused.json["code"]) == (409, "plan_not_ready")
        finish_month(month, execution, new_id)
    assert stage.state.plans.get(old.plan_id).results == ()


@pytest.mark.fault("D7")
def test_D7_a_run_that_waits_when_the_next_month_begins_is_superseded(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("proposed")
    old_id = fresh_run(stage)
    year, month_number = (int(part) for part in old_id.split("-")[:2])
    later = f"{year + month_number // 12}-{month_number % 12 + 1:02d}"
    with running_month(stage) as month:
        month.begin({"run_id": old_id})
        month.waiting(old_id)
        month.begin({"trigger": "schedule", "scheduled_time": f"{later}-01T00:00:00Z"})
        month.waiting(f"{later}-001")
        assert stage.state.runs.get(old_id).state is RunState.SUPERSEDED
    assert stage.world.writes == []


@pytest.mark.fault("A8")
def test_A8_no_event_and_no_reply_of_a_step_grows_with_the_number_of_clients(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    run_id = fresh_run(stage)
    lengths: list[int] = []

    def measured(capability: str) -> Callable[[Any], Any]:
        def call(event: Any) -> Any:
            answer = stage.call(capability, event)
            lengths.extend(len(json.dumps(one)) for one in (event, answer))
            return answer

        return call

    steps = ("vendor_sync", "psa_sync", "auto_matching", "reconciliation", "plan_apply", "notification", "sealing")
    with running_month(stage, {name: measured(name) for name in steps}) as month:
        finish_month(month, month.begin({"run_id": run_id}), run_id)
    assert len(stage.state.reconciliations.get(run_id[:7]).rows) > 50
    assert max(lengths) < 4_000, "a list of clients would be longer; Lambda takes six million"
