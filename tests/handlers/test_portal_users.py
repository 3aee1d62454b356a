"""Portal users over the API: files in and out, every state with its words, hostile texts, and what is refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from local.simulators.mimecast_directory import USERS
from tests.handlers.stage import PREPARER, Stage, require_problem

USERS_PATH = "/v1/portal-users"
LISTS = ("/user/cloud-gateway/v1/users", "/api/user/get-internal-users")
PEOPLE = (
    "name,address\r\nDana Ops,Dana.Ops@simmsp.example\r\nDana Ops,billing@simmsp.example\r\n"
    "Lee Sales,lee.sales@simmsp.example\r\nKim Split,kim.split@simmsp.example\r\n"
    "New Joiner,new@simmsp.example\r\nOutside,out@elsewhere.example\r\n"
)


@pytest.fixture
def stage(stage_at: Callable[[str], Stage]) -> Iterator[Stage]:
    """The people of the simulated account are put back afterwards: the simulator serves every test."""
    found = stage_at("connected")
    yield found
    found.mimecast.directory_users = USERS
    found.mimecast.directory_status = "ok"


def given(stage: Stage, content: str | bytes) -> Any:
    raw = content.encode() if isinstance(content, str) else content
    headers = {"content-type": "text/csv"}
    return stage.http("POST", f"{USERS_PATH}/import", raw=raw, role="preparer", person=PREPARER, headers=headers)


def checked(stage: Stage) -> dict[str, Any]:
    book = stage.ok("POST", f"{USERS_PATH}/check", role="preparer", person=PREPARER)
    return {user["address"].partition("@")[0]: user for user in book["items"]}


def test_everybody_of_a_file_is_checked_with_words_and_a_fix(stage: Stage) -> None:
    assert given(stage, PEOPLE).json == {"rows": 6, "added": 6, "renamed": 0}
    users = checked(stage)
    assert {name: (user["state"], user["reason_code"]) for name, user in users.items()} == {
        "dana.ops": ("ready", "ready"),
        "billing": ("blocked", "alias"),
        "lee.sales": ("blocked", "disabled"),
        "kim.split": ("unknown", "disagreement"),
        "new": ("blocked", "missing"),
        "out": ("blocked", "wrong_domain"),
    }
    assert users["billing"]["primary_address"] == "dana.ops@simmsp.example"
    assert all(user["reason"] for user in users.values())
    assert {name for name, user in users.items() if user["fix"] is None} == {"dana.ops"}
    assert stage.ok("GET", USERS_PATH, role="viewer")["totals"] == {
        "all": 6, "ready": 1, "blocked": 4, "unknown": 1, "unchecked": 0
    }  # fmt: skip


def test_a_missing_permission_is_named(stage: Stage) -> None:
    given(stage, PEOPLE)
    for path in LISTS:
        stage.mimecast.faults.add("status", path=path, status=403, times=0)
    users = checked(stage)
    assert {user["state"] for user in users.values()} == {"unknown"}
    assert {user["permission"] for user in users.values()} == {"Directories | Internal | Read"}


def test_a_vendor_that_is_away_changes_nothing(stage: Stage) -> None:
    given(stage, PEOPLE)
    checked(stage)
    before = stage.state.portal_users.get()
    stage.mimecast.faults.add("unauthorized", path="/user/*", times=0, code="plain")
    reply = stage.http("POST", f"{USERS_PATH}/check", role="preparer")
    assert reply.json["code"] == "credential_rejected"
    assert stage.state.portal_users.get() == before


def test_a_directory_that_fails_is_a_warning_of_the_account(stage: Stage) -> None:
    given(stage, PEOPLE)
    stage.mimecast.directory_status = "error"
    book = stage.ok("POST", f"{USERS_PATH}/check", role="preparer")
    (warning,) = book["check"]["warnings"]
    assert "Head office" in warning
    assert "pauses removals" in warning


def test_a_later_joiner_is_checked_again_before_the_invite(stage: Stage) -> None:
    given(stage, PEOPLE)
    checked(stage)
    path = f"{USERS_PATH}/new@simmsp.example/invite"
    problem = require_problem(stage.http("POST", path, role="preparer"), 409, "conflict")
    assert "no user of your Mimecast account" in problem["detail"]
    assert "directory synchronization" in problem["remedy"]
    stage.mimecast.directory_users = (*USERS, replace(USERS[0], id="u-50", local_part="new"))
    assert stage.ok("POST", path, role="preparer", person=PREPARER)["invited_by"] == PREPARER
    stage.mimecast.directory_users = tuple(replace(user, disabled=True) for user in USERS)
    reply = stage.http("POST", f"{USERS_PATH}/dana.ops@simmsp.example/invite", role="preparer")
    assert "disabled" in require_problem(reply, 409, "conflict")["detail"]
    assert stage.ok("GET", USERS_PATH)["items"][1]["invited_at"] is None


def test_what_goes_out_as_a_file_comes_in_again(stage: Stage) -> None:
    given(stage, PEOPLE + '=HYPERLINK(1),formula@simmsp.example\r\n"O\'Brien, ""Bo""",+plus@simmsp.example\r\n')
    checked(stage)
    stage.ok("POST", f"{USERS_PATH}/dana.ops@simmsp.example/tick", {"item": "sso"}, role="preparer", person=PREPARER)
    reply = stage.http("GET", "/v1/exports/portal-users.csv", role="viewer")
    assert reply.headers["content-type"].startswith("text/csv")
    cells = [cell for row in csv.reader(io.StringIO(reply.text, newline="")) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    rows = {row["address"].lstrip("'"): row for row in csv.DictReader(io.StringIO(reply.text, newline=""))}
    assert rows["dana.ops@simmsp.example"]["state"] == "ready"
    assert rows["dana.ops@simmsp.example"]["sso"].startswith(PREPARER)
    assert rows["formula@simmsp.example"]["name"] == "'=HYPERLINK(1)"
    before = stage.state.portal_users.get()
    assert given(stage, reply.text).json == {"rows": 8, "added": 0, "renamed": 0}
    assert stage.state.portal_users.get() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["no column name"]),
        ("name,address\r\n", ["nobody"]),
        ("name\r\nDana\r\n", ["no column address"]),
        ("address\r\na@b.example\r\n", ["no column name"]),
        ("name,address,email\r\nDana,a@b.example,c@d.example\r\n", ["more than one column address"]),
        ("name,address\r\nDana,a@b.example,x\r\n", ["line 2", "more cells"]),
        ("name,address\r\nDana\r\n,x@b.example\r\nZoe,zoe@@b.example\r\n", ["line 2:", "line 3:", "line 4:"]),
        ("name,address\r\nA,a@b.example\r\nB,A@B.example \r\n", ["line 3", "on line 2"]),
        ('name,address\r\n"Eve\r\nBcc: x@evil.example",a@b.example\r\n', ["line 3", "cannot be seen"]),
        ('name,address\r\nEve,"a@b.example\r\nBcc: x@evil.example"\r\n', ["line 3", "no e-mail address"]),
        ("name,address\r\n\u202eevE,a@b.example\r\n", ["line 2", "<U+202E>"]),
        ("name,address\r\nA,=cmd|'/c calc'!A0\r\n", ["line 2"]),
        ('name,address\r\n"open,a@b.example\r\n', ["not CSV"]),
        ("name,address\r\nA\x00,a@b.example\r\n", ["NUL"]),
    ],
)
def test_a_bad_file_is_refused_with_every_bad_line_and_nothing_is_kept(
    stage: Stage, content: str, words: list[str]
) -> None:
    detail = require_problem(given(stage, content), 400, "input_invalid")["detail"]
    assert all(word in detail for word in words), detail
    assert detail.isprintable()
    assert stage.state.portal_users.get().users == ()


def test_a_file_that_is_not_text_and_one_with_other_columns(stage: Stage) -> None:
    require_problem(given(stage, b"name,address\r\n\xff,a@b.example\r\n"), 400, "input_invalid")
    content = "\ufeffDepartment,E-Mail,Full Name\r\n\r\nSales,A@B.example,Ann\r\n"
    assert given(stage, content).json == {"rows": 1, "added": 1, "renamed": 0}


@pytest.mark.parametrize(
    ("method", "path", "body", "word"),
    [
        ("POST", USERS_PATH, {"name": "Dana"}, "address"),
        ("POST", USERS_PATH, {"name": "Dana", "address": "dana"}, "e-mail"),
        ("POST", USERS_PATH, {"name": "D\r\nBcc: x", "address": "a@b.example"}, "cannot be seen"),
        ("POST", USERS_PATH, {"name": "D", "address": "a@b.example\r\nBcc: c@d.example"}, "e-mail"),
        ("POST", f"{USERS_PATH}/a@b.example/tick", {"item": "everything"}, "item"),
        ("POST", f"{USERS_PATH}/a@b.example/tick", {"item": "sso", "done": "yes"}, "done"),
        ("GET", f"{USERS_PATH}/mail?to=a@b.example%0D%0ABcc:c@d.example", None, "e-mail"),
        ("GET", f"{USERS_PATH}/mail?to=a@b.example,c@d.example", None, "e-mail"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_kept(stage: Stage, method: str, path: str, body: Any, word: str) -> None:
    assert word in require_problem(stage.http(method, path, body), 400, "input_invalid")["detail"]
    assert stage.state.portal_users.get().users == ()


def test_without_anybody_ready_there_is_no_mail_and_nothing_to_check(stage: Stage) -> None:
    require_problem(stage.http("GET", f"{USERS_PATH}/mail"), 409, "conflict")
    require_problem(stage.http("POST", f"{USERS_PATH}/check"), 409, "conflict")
    assert stage.mimecast.requests.entries == []


def test_without_mimecast_nobody_can_be_checked(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("empty")
    given(stage, PEOPLE)
    reply = stage.http("POST", f"{USERS_PATH}/check")
    assert reply.json["code"] == "not_connected"
    assert stage.ok("GET", USERS_PATH)["totals"]["unchecked"] == 6


def test_the_same_write_again_is_answered_the_same(stage: Stage) -> None:
    body = {"name": "Dana Ops", "address": "dana.ops@simmsp.example"}
    headers = {"idempotency-key": "once"}
    first = stage.http("POST", USERS_PATH, body, headers=headers)
    again = stage.http("POST", USERS_PATH, body, headers=headers)
    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert stage.state.portal_users.get().version == 1
