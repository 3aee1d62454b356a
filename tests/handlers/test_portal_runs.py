"""Starting runs and proposing on their reads over the API, where the order of runs decides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.handlers.durable import running_month
from tests.handlers.stage import PREPARER, Stage, require_problem
from trueup import bootstrap
from trueup.domain.runs import RunState
from trueup.usecases.monthly_run import end_run


def test_a_plan_on_reads_that_a_newer_run_replaced_names_that_run(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("proposed")
    old, plans = stage.facts["run_id"], stage.ok("GET", "/v1/plans")
    newer = stage.ok("POST", "/v1/runs")["id"]
    assert newer > old
    assert stage.call("vendor_sync", {"run_id": newer, "actor": PREPARER})["done"]
    document = require_problem(stage.http("POST", "/v1/plans", {"run_id": old}), 409, "run_replaced")
    assert document["newer_run"] == newer
    assert newer in document["detail"]
    assert stage.ok("GET", "/v1/plans") == plans


def test_a_plan_on_a_run_that_has_not_read_yet_is_no_conflict(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("proposed")
    newer = stage.ok("POST", "/v1/runs")["id"]
    require_problem(stage.http("POST", "/v1/plans", {"run_id": newer}), 502, "read_incomplete")


# A function that fails has nothing to measure, and says so.
@pytest.mark.filterwarnings("ignore:No application metrics")
def test_a_much_shorter_list_is_accepted_in_the_durable_month_when_a_person_says_so(
    stage_at: Callable[[str], Stage],
) -> None:
    stage = stage_at("mapped")
    end_run(stage.facts["run_id"], runs=stage.state.runs, clock=bootstrap.clock())
    for code in sorted(stage.world.accounts)[5:]:
        del stage.world.accounts[code]
    refused = stage.ok("POST", "/v1/runs", role="preparer", person=PREPARER)
    assert refused["accept_drop"] is False
    with running_month(stage) as month:
        assert month.result(month.begin({"run_id": refused["id"]})).status.value == "FAILED"
        failed = stage.ok("GET", f"/v1/runs/{refused['id']}")
        assert failed["state"] == "failed"
        assert "last time it was" in failed["problem"]["detail"]
        accepted = stage.ok("POST", "/v1/runs", {"accept_drop": True}, role="preparer", person=PREPARER)
        assert accepted["accept_drop"] is True
        assert month.result(month.begin({"run_id": accepted["id"]})).status.value == "SUCCEEDED"
    sides = {side["side"]: side for side in stage.ok("GET", f"/v1/runs/{accepted['id']}")["sides"]}
    assert sides["vendor"]["done"]
    assert sides["vendor"]["accounts"] == 5


def test_a_run_that_accepts_a_shorter_list_does_not_join_one_that_does_not(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("connected")
    begun = stage.ok("POST", "/v1/runs")
    assert stage.ok("POST", "/v1/runs", {"accept_drop": False})["id"] == begun["id"]
    document = require_problem(stage.http("POST", "/v1/runs", {"accept_drop": True}), 409, "already_running")
    assert document["holder"] == begun["id"]
    assert stage.state.runs.get(begun["id"]).state is RunState.RUNNING
    assert not stage.state.runs.get(begun["id"]).accept_drop


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'"yes"', b'{"accept_drop": "true"}', b'{"accept_drop": 1}', b'{"run_id": "2026-11-001"}']
)
def test_a_body_that_is_no_order_for_a_run_starts_none(untouched: Stage, raw: bytes) -> None:
    runs, calls = untouched.state.runs.latest(), len(untouched.lambda_service.calls)
    require_problem(untouched.http("POST", "/v1/runs", raw=raw), 400, "input_invalid")
    assert (untouched.state.runs.latest(), len(untouched.lambda_service.calls)) == (runs, calls)


@pytest.mark.parametrize("raw", [b"", b"{}", b"null"])
def test_no_body_and_an_empty_one_are_the_same_order(stage_at: Callable[[str], Stage], raw: bytes) -> None:
    stage = stage_at("connected")
    reply = stage.http("POST", "/v1/runs", raw=raw)
    assert reply.status == 202, reply.text
    assert reply.json["accept_drop"] is False
