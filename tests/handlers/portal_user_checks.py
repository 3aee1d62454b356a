"""What the events about portal users must have done: added, imported, checked, ticked, invited, removed, written to."""

from __future__ import annotations

from typing import Any

from tests.handlers.stage import PREPARER, Reply, Stage

DANA = "dana.ops@simmsp.example"


def one_user(stage: Stage) -> dict[str, str]:
    body = {"name": "Dana Ops", "address": DANA}
    stage.ok("POST", "/v1/portal-users", body, role="preparer", person=PREPARER)
    return {}


def a_checked_user(stage: Stage) -> dict[str, str]:
    one_user(stage)
    stage.ok("POST", "/v1/portal-users/check", role="preparer", person=PREPARER)
    return {}


def lists_users(stage: Stage, answer: Reply) -> None:
    (user,) = answer.json["items"]
    assert (user["address"], user["state"], user["added_by"]) == (DANA, "ready", PREPARER)
    assert answer.json["totals"]["ready"] == 1
    assert answer.json["check"]["account"] == "CSIM00A001"


def added(stage: Stage, answer: Reply) -> None:
    assert answer.status == 201, answer.text
    assert (answer.json["address"], answer.json["state"]) == (DANA, "unchecked")
    assert _last(stage) == ("portal user added", PREPARER)


def imported(stage: Stage, answer: Reply) -> None:
    assert answer.json == {"rows": 2, "added": 2, "renamed": 0}
    assert [user.address for user in stage.state.portal_users.get().users] == ["billing@simmsp.example", DANA]
    assert _last(stage) == ("portal users imported", PREPARER)


def checked(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    (user,) = answer.json["items"]
    assert (user["state"], user["role"], user["checked_by"]) == ("ready", "Full Administrator", PREPARER)
    assert [one["name"] for one in answer.json["check"]["directories"]] == ["Entra ID", "Head office"]
    assert _last(stage) == ("portal users checked", PREPARER)


def wrote_the_mail(stage: Stage, answer: Reply) -> None:
    assert (answer.json["to"], answer.json["addresses"]) == ("manager@mimecast.example", [DANA])
    assert f'1. {DANA}  "Dana Ops"' in answer.json["text"]
    assert answer.json["mailto"].startswith("mailto:manager@mimecast.example?subject=")


def removed(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert stage.state.portal_users.get().users == ()
    assert _last(stage) == ("portal user removed", PREPARER)


def ticked(stage: Stage, answer: Reply) -> None:
    ticks = {one["item"]: (one["done"], one["by"]) for one in answer.json["checklist"]}
    assert ticks == {"sso": (False, None), "two_factor": (True, PREPARER), "registered": (False, None)}
    assert _last(stage) == ("portal checklist ticked", PREPARER)


def invited(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert (answer.json["state"], answer.json["invited_by"]) == ("ready", PREPARER)
    assert answer.json["invited_at"] == answer.json["checked_at"]
    assert _last(stage) == ("portal user invited", PREPARER)


def _last(stage: Stage) -> tuple[Any, ...]:
    audit = list(stage.state.history.all())[-1].audit
    return audit.action, audit.actor
