"""Closed months and reports over the API: what is refused, what is downloaded; closing twice is closing once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from tests.handlers.stage import Stage, require_problem


@pytest.fixture
def stage(stage_at: Callable[[str], Stage]) -> Stage:
    return stage_at("proposed")


def test_a_month_is_closed_once_refuses_a_run_and_is_reopened(stage: Stage) -> None:
    period = stage.facts["period"]
    waiting = stage.http("POST", f"/v1/months/{period}/seal", role="approver")
    assert "waits for approval" in require_problem(waiting, 409, "month_not_ready")["detail"]
    first = stage.ok("POST", f"/v1/months/{period}/seal", {"reason": "as it is"}, role="approver")
    again = stage.ok("POST", f"/v1/months/{period}/seal", {"reason": "twice"}, role="approver")
    assert again == first
    refused = require_problem(stage.http("POST", "/v1/runs", {}), 409, "month_sealed")
    assert refused["detail"].startswith(f"{period} was closed by")
    checksum = {"checksum": stage.facts["checksum"]}
    approval = stage.http("POST", f"/v1/plans/{stage.facts['plan_id']}/approve", checksum, role="approver")
    require_problem(approval, 409, "month_sealed")

    proof = stage.ok("GET", f"/v1/history/verification?period={period}")
    assert (proof["holds"], proof["months"]["links"], proof["months"]["broken"]) == (True, 1, None)
    assert proof["months"]["last_hash"] == first["hash"]
    stage.ok("POST", f"/v1/months/{period}/reopen", {"reason": "late credit"}, role="approver")
    twice = stage.http("POST", f"/v1/months/{period}/reopen", {"reason": "late credit"}, role="approver")
    require_problem(twice, 409, "conflict")
    assert stage.http("POST", "/v1/runs", {}).status == 202


def test_reports_and_evidence_are_downloads(stage: Stage) -> None:
    period = stage.facts["period"]
    stage.ok("POST", f"/v1/months/{period}/seal", {"reason": "as it is"}, role="approver")
    client = next(row.psa_account_id for row in stage.state.reconciliations.get(period).rows if row.psa_account_id)
    for path in (f"/v1/reports/{period}?", f"/v1/months/{period}/evidence?account={client}&"):
        page = stage.http("GET", f"{path}format=html")
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert page.headers["content-disposition"].startswith("attachment; filename=")
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert "<script" not in page.text
        sheet = stage.http("GET", f"{path}format=csv")
        assert sheet.headers["content-type"].startswith("text/csv")
        assert len(list(csv.reader(io.StringIO(sheet.text, newline="")))) > 1
    report = stage.ok("GET", f"/v1/reports/{period}")
    assert (report["state"], report["version"]) == ("closed", 1)
    (point,) = stage.ok("GET", f"/v1/trend?months=1&account={client}")["items"]
    assert (point["state"], point["rows"] > 0) == ("closed", True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/reports/2026-13", None, 400, "input_invalid"),
        ("GET", "/v1/reports/2001-01", None, 404, "not_found"),
        ("GET", "/v1/reports/2001-01?format=pdf", None, 400, "input_invalid"),
        ("GET", "/v1/trend?months=0", None, 400, "input_invalid"),
        ("GET", "/v1/trend?months=many", None, 400, "input_invalid"),
        ("GET", "/v1/trend?period=soon", None, 400, "input_invalid"),
        ("GET", "/v1/months/2001-01/replay", None, 404, "not_found"),
        ("GET", "/v1/months/2001-01/evidence?account=1", None, 404, "not_found"),
        ("GET", "/v1/months/2001-01/evidence", None, 400, "input_invalid"),
        ("GET", "/v1/history/verification?period=2001-01", None, 404, "not_found"),
        ("POST", "/v1/months/2001-01/seal", {}, 404, "not_found"),
        ("POST", "/v1/months/x/seal", {}, 400, "input_invalid"),
        ("POST", "/v1/months/2001-01/reopen", {"reason": " "}, 400, "input_invalid"),
        ("POST", "/v1/months/2001-01/reopen", {"reason": "x"}, 409, "conflict"),
        ("POST", "/v1/months/2001-01/burn", {"reason": "x"}, 404, "not_found"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(
    untouched: Stage, method: str, path: str, body: dict[str, str] | None, status: int, code: str
) -> None:
    before = untouched.everything_stored()
    require_problem(untouched.http(method, path, body, role="approver"), status, code)
    assert untouched.everything_stored() == before
