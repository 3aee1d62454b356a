"""Starting runs and proposing on their reads over the API, where the order of runs decides."""

from __future__ import annotations

from collections.abc import Callable

from tests.handlers.stage import PREPARER, Stage, require_problem


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
