"""A durable month with license counts: read beside the others, matched, and never in the way of the month."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.handlers.durable import running_month
from tests.handlers.license_checks import KNOWN_TENANT, SEATS, a_file_of_license_counts, read_licenses
from tests.handlers.stage import PREPARER, Stage
from trueup import bootstrap
from trueup.domain.accounts import VendorAccountId
from trueup.domain.counts import Known
from trueup.domain.integrations import Side
from trueup.domain.mapping import MappingState
from trueup.domain.runs import Run, RunState, SideProgress
from trueup.usecases.monthly_run import end_run

# A function that fails has nothing to measure, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


@pytest.fixture
def stage(stage_at: Callable[[str], Stage]) -> Stage:
    """A mapped stage with a file of license counts connected, and a run of its own begun."""
    stage = stage_at("mapped")
    stage.ok("POST", "/v1/integrations/mimecast/finish", role="preparer", person=PREPARER)
    a_file_of_license_counts(stage)
    end_run(stage.state.runs.latest(1)[0].id, runs=stage.state.runs, clock=bootstrap.clock())
    stage.facts["run_id"] = stage.ok("POST", "/v1/runs", role="preparer", person=PREPARER)["id"]
    return stage


def month_of(stage: Stage, instead: dict[str, Callable[[Any], Any]] | None = None) -> tuple[list[str], Run]:
    """The functions that the month called, and its run once it waits for a person."""
    with running_month(stage, instead) as month:
        month.begin({"run_id": stage.facts["run_id"]})
        return month.calls, month.waiting(stage.facts["run_id"])


def licenses_of(run: Run) -> SideProgress:
    return next(side for side in run.sides if side.side is Side.LICENSES)


def test_licenses_are_read_matched_and_compared(stage: Stage) -> None:
    calls, run = month_of(stage)
    assert calls.count("license_sync") == 1
    assert calls.index("auto_matching") < calls.index("notification")
    assert [side.side for side in run.sides] == [Side.VENDOR, Side.PSA, Side.LICENSES]
    assert all(side.done for side in run.sides)
    assert stage.state.license_accounts.get(VendorAccountId(KNOWN_TENANT)).state is MappingState.MAPPED
    rows = stage.state.reconciliations.get(run.period).rows
    licensed = [row.counts.licensed for row in rows if isinstance(row.counts.licensed, Known)]
    assert {count.seats for count in licensed} == {SEATS}
    shown = stage.ok("GET", f"/v1/runs/{run.id}")["sides"][2]
    assert (shown["side"], shown["accounts"], shown["failed"], shown["problem"]) == ("licenses", 2, 0, None)


def test_what_cannot_be_read_is_noted_and_the_month_goes_on(stage: Stage) -> None:
    stage.ok("DELETE", "/v1/files/licenses", role="preparer", person=PREPARER)
    calls, run = month_of(stage)
    assert calls.count("license_sync") == 1
    assert calls.index("notification") < calls.index("auto_matching"), "people are told at once"
    assert run.state is RunState.WAITING_FOR_APPROVAL
    assert "no file of licenses" in licenses_of(run).problem
    problem = stage.ok("GET", f"/v1/runs/{run.id}")["sides"][2]["problem"]
    assert "trueup import licenses" in problem["remedy"]


def test_a_function_that_breaks_is_noted_and_the_month_goes_on(stage: Stage) -> None:
    def broken(_event: Any) -> Any:
        raise RuntimeError("out of memory")

    _, run = month_of(stage, {"license_sync": broken})
    assert run.state is RunState.WAITING_FOR_APPROVAL
    assert licenses_of(run).problem
    assert "license_sync" in licenses_of(run).remedy


def test_the_function_goes_on_from_call_to_call(stage: Stage) -> None:
    replies = iter([{"done": False, "wait_seconds": 30}, {"done": True, "wait_seconds": 0}])
    calls, run = month_of(stage, {"license_sync": lambda _event: next(replies)})
    assert calls.count("license_sync") == 2
    assert run.state is RunState.WAITING_FOR_APPROVAL


def test_the_function_says_what_is_wrong_and_is_done(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("begun")
    order = {"run_id": stage.facts["run_id"], "actor": PREPARER}
    reply = stage.call("license_sync", order)
    assert (reply["done"], reply["problem"], reply["snapshot_id"]) == (True, "not_connected", None)


def test_disconnecting_leaves_the_leg_missing(stage: Stage) -> None:
    read_licenses(stage)
    stage.ok("DELETE", "/v1/integrations/license_files")
    found = stage.call("reconciliation", {"run_id": _read_again(stage), "actor": PREPARER})
    assert found["plan_id"]
    period = stage.state.runs.get(stage.facts["run_id"]).period
    states = {row.counts.licensed.state for row in stage.state.reconciliations.get(period).rows}
    assert states == {"missing"}


def _read_again(stage: Stage) -> str:
    """The required sides of this stage's run."""
    for capability in ("vendor_sync", "psa_sync"):
        assert stage.call(capability, {"run_id": stage.facts["run_id"], "actor": PREPARER})["done"]
    run_id: str = stage.facts["run_id"]
    return run_id
