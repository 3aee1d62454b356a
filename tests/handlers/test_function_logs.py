"""What the functions log and measure is structured: service, run id, integration, and the metrics that alarms watch."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from local.template import local_deployment, read_template
from tests.handlers.stage import PREPARER, Stage

Printed = Callable[[], str]


def lines(printed: Printed) -> list[dict[str, Any]]:
    """Everything that was printed since the last look; anything but JSON fails."""
    return [json.loads(line) for line in printed().splitlines()]


def metrics_of(output: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The embedded metrics by name, each with its whole line."""
    return {
        metric["Name"]: line
        for line in output
        if "_aws" in line
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }


@pytest.mark.parametrize(
    ("capability", "integration", "metric"),
    [
        ("vendor_sync", "mimecast", "VendorAccountsRead"),
        ("psa_sync", "connectwise", "PsaAccountsRead"),
    ],
)
def test_a_read_is_logged_with_run_and_integration(
    stage_at: Callable[[str], Stage],
    printed: Printed,
    capability: str,
    integration: str,
    metric: str,
) -> None:
    stage = stage_at("begun")
    lines(printed)
    stage.call(capability, {"run_id": stage.facts["run_id"], "actor": PREPARER})
    output = lines(printed)
    log = next(line for line in output if "level" in line)
    assert (log["service"], log["run_id"], log["integration"]) == (capability, stage.facts["run_id"], integration)
    measured = metrics_of(output)[metric]
    assert (measured["service"], measured["integration"]) == (capability, integration)
    assert measured["run_id"] == stage.facts["run_id"]


@pytest.mark.fault("S8")
def test_S8_a_name_with_line_breaks_stays_in_one_line(stage_at: Callable[[str], Stage], printed: Printed) -> None:
    stage = stage_at("proposed")
    lines(printed)
    event = stage.event("GET", "/v1/plans/x")
    event["rawPath"] = '/v1/plans/x\r\n{"level":"ERROR"}'
    stage.answered(event)
    assert all(line.get("level") != "ERROR" for line in lines(printed))


def test_the_daily_check_feeds_the_alarms_of_the_template(stage_at: Callable[[str], Stage], printed: Printed) -> None:
    stage = stage_at("proposed")
    lines(printed)
    stage.call("credential_validation", {"trigger": "schedule"})
    line = metrics_of(lines(printed))["MonthlyRunOverdueDays"]
    deployment = local_deployment()
    alarms = [
        body["Properties"]
        for body in read_template()["Resources"].values()
        if body["Type"] == "AWS::CloudWatch::Alarm" and body["Properties"].get("MetricName") == "MonthlyRunOverdueDays"
    ]
    assert alarms
    for alarm in alarms:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == deployment.text(alarm["Namespace"])
        watched = {dimension["Name"]: deployment.text(dimension["Value"]) for dimension in alarm["Dimensions"]}
        assert sorted(watched) in [sorted(names) for names in directive["Dimensions"]]
        assert {name: line[name] for name in watched} == watched


class Broken:
    """A log that takes nothing."""

    def write(self, _: str) -> int:
        raise OSError("the log group is gone")

    def flush(self) -> None:
        raise OSError("the log group is gone")


@pytest.mark.fault("A27")
def test_A27_a_log_that_takes_nothing_fails_no_step(
    stage_at: Callable[[str], Stage], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = stage_at("mapped")
    handlers = logging.getLogger("reconciliation").handlers
    assert handlers
    for handler in handlers:
        monkeypatch.setattr(handler, "stream", Broken())
    found = stage.call("reconciliation", {"run_id": stage.facts["run_id"], "actor": PREPARER})
    assert found["waits_for_approval"]
    assert "OSError" in capsys.readouterr().err, "the log was tried"
