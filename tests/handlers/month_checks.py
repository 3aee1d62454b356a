"""What the events of closed months and reports must have done."""

from __future__ import annotations

from typing import Any

from tests.handlers.stage import APPROVER, Reply, Stage
from trueup import bootstrap
from trueup.settings import settings
from trueup.usecases.sealing import seal_month


def this_month(stage: Stage) -> dict[str, str]:
    """The example's month in the path is the month of this stage."""
    period = stage.facts["period"]
    return {"/2026-11/": f"/{period}/", "/v1/reports/2026-11": f"/v1/reports/{period}"}


def a_closed_month(stage: Stage) -> dict[str, str]:
    seal_month(
        stage.facts["period"],
        actor=APPROVER,
        run_id="",
        tenant=settings().tenant,
        state=stage.state,
        clock=bootstrap.clock(),
        reason="the rest is done by hand",
    )
    row = next(row for row in stage.state.reconciliations.get(stage.facts["period"]).rows if row.psa_account_id)
    return this_month(stage) | {'"271"': f'"{row.psa_account_id}"', "account=271": f"account={row.psa_account_id}"}


def lists_months(stage: Stage, answer: Reply) -> None:
    (month,) = answer.json["items"]
    assert (month["period"], month["state"], month["version"]) == (stage.facts["period"], "closed", 1)


def closed_the_month(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert answer.json["outstanding"][0].endswith("waits for approval")
    (link,) = stage.state.sealed_months.links()
    assert (link.hash, link.by) == (answer.json["hash"], APPROVER)
    assert stage.state.sealed_months.is_closed(stage.facts["period"])


def reopened_the_month(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert (answer.json["kind"], answer.json["replaces"]) == ("reopened", 1)
    assert not stage.state.sealed_months.is_closed(stage.facts["period"])


def made_it_again(stage: Stage, answer: Reply) -> None:
    assert (answer.json["is_same"], answer.json["difference"]) == (True, None)
    assert answer.json["rows"] == len(stage.state.reconciliations.get(stage.facts["period"]).rows)


def gives_evidence(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert answer.text.startswith("<!DOCTYPE html>")
    assert stage.state.sealed_months.links()[0].hash in answer.text


def reports_the_month(stage: Stage, answer: Reply) -> None:
    found: Any = answer.json
    assert (found["period"], found["state"], found["comparisons"]) == (stage.facts["period"], "open", 1)
    assert found["totals"]
    for total in found["totals"]:
        assert float(total["underbilled"]["found"]) > 0


def shows_a_trend(stage: Stage, answer: Reply) -> None:
    states = [item["state"] for item in answer.json["items"]]
    assert states == ["missing", "missing", "open"]
    assert answer.json["items"][0]["agreement"] is None
    assert answer.json["items"][2]["agreement"] > 0
