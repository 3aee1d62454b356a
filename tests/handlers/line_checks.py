"""What the events about lines must have done: seats divided, a missing line added or dropped, a plan taken back."""

from __future__ import annotations

import re
from typing import Any

from tests.handlers.stage import APPROVER, PREPARER, Reply, Stage
from trueup.domain.billing import WriteOutcome
from trueup.domain.plan import PlanState
from trueup.domain.verdicts import Row, Verdict


def _row(stage: Stage, verdict: Verdict) -> Row:
    rows = stage.state.reconciliations.get(stage.facts["period"]).rows
    return next(row for row in rows if row.verdict is verdict and row.psa_account_id is not None)


def several_lines(stage: Stage) -> dict[str, str]:
    """A client of the world with two live lines of one product, by the command that its reason names."""
    row = _row(stage, Verdict.AMBIGUOUS)
    found = re.search(r"divide (\S+) (\S+) --fixed (\S+)=SEATS --balance (\S+)", row.reasons[0])
    assert found is not None, row.reasons
    words = ("example-client-id", "example-product-id", "example-line-id", "example-other-line-id")
    return dict(zip(words, found.groups(), strict=True))


def divided_lines(stage: Stage) -> dict[str, str]:
    words = several_lines(stage)
    client, product, fixed, balance = words.values()
    body = {"fixed": [{"line_id": fixed, "seats": 1}], "balance": balance, "reason": "as before"}
    stage.ok("PUT", f"/v1/line-divisions/{client}/{product}", body, role="preparer", person=PREPARER)
    return words


def lists_divisions(stage: Stage, answer: Reply) -> None:
    (division,) = answer.json["items"]
    assert (division["by"], division["fits"], len(division["lines"])) == (PREPARER, True, 2)


def divided(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    (kept,) = stage.state.allocations.all()
    assert answer.json["fits"] is True
    assert [seats for _, seats in kept.fixed] == [3]
    assert _last(stage) == ("lines divided", PREPARER)


def forgot_a_division(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert stage.state.allocations.all() == ()
    assert _last(stage) == ("division forgotten", PREPARER)


def a_missing_line(stage: Stage) -> dict[str, str]:
    row = _row(stage, Verdict.NEW_REVENUE)
    return {"example-row-id": row.id, "example-agreement-id": str(row.choices[0].id)}


def added_a_line(stage: Stage, answer: Reply) -> None:
    assert answer.status == 201, answer.text
    (change,) = [change for change in answer.json["changes"] if change["kind"] == "create_line"]
    assert (change["line_id"], change["from"], change["added_by"]) == (None, 0, PREPARER)
    assert change["next_invoice"]["quantity"] == change["to"]
    assert answer.json["checksum"] != stage.facts["checksum"], "who approves must approve the line too"
    assert _last(stage) == ("line added", PREPARER)


def an_added_line(stage: Stage) -> dict[str, str]:
    words = a_missing_line(stage)
    body = {"row_id": words["example-row-id"], "agreement_id": words["example-agreement-id"]}
    plan = stage.ok("POST", f"/v1/plans/{stage.facts['plan_id']}/lines", body, role="preparer", person=PREPARER)
    return {"example-change-id": next(one["id"] for one in plan["changes"] if one["kind"] == "create_line")}


def dropped_a_line(stage: Stage, answer: Reply) -> None:
    assert answer.json["checksum"] == stage.facts["checksum"], "it is the plan that it was before"
    assert _last(stage) == ("line dropped", PREPARER)


def an_applied_plan(stage: Stage) -> dict[str, str]:
    order = {"plan_id": stage.facts["plan_id"], "checksum": stage.facts["checksum"], "actor": APPROVER}
    assert stage.call("plan_apply", order)["done"]
    return {}


def proposed_an_undo(stage: Stage, answer: Reply) -> None:
    assert answer.status == 201, answer.text
    undone = stage.state.plans.get(stage.facts["plan_id"])
    written = {result.change_id for result in undone.results if result.outcome is WriteOutcome.APPLIED}
    changes = answer.json["plan"]["changes"]
    assert {change["undoes"] for change in changes} == {f"{undone.id}/{change_id}" for change_id in written}
    assert all(change["next_invoice"]["quantity"] == change["to"] for change in changes)
    assert {one["change_id"] for one in answer.json["left_out"]} == {one.id for one in undone.changes} - written
    assert stage.state.plans.get(answer.json["plan"]["id"]).state is PlanState.PROPOSED
    assert _last(stage) == ("undo proposed", PREPARER)


def started_a_dated_run(stage: Stage, answer: Reply) -> None:
    assert answer.status == 202, answer.text
    assert answer.json["effective"] == "next_period"
    assert stage.state.runs.get(answer.json["id"]).effective == "next_period"


def _last(stage: Stage) -> tuple[Any, ...]:
    audit = list(stage.state.history.all())[-1].audit
    return audit.action, audit.actor
