"""Portal users from the command line: the whole way from a file to the mail and the invite, and what a person sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.simulators.mimecast_directory import USERS
from tests.local.command_line import Machine, Said, machine

DANA = "dana.ops@simmsp.example"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("portal") / "home", clients=1) as ready:
        assert ready(*ready.connect_mimecast).code == 0
        yield ready


@pytest.fixture
def fresh(there: Machine) -> Iterator[Machine]:
    """Nobody is a portal user, and the account has its own people."""
    there.mimecast.directory_users = USERS
    for user in document(there, "list")["items"]:
        document(there, "remove", user["address"])
    yield there
    there.mimecast.directory_users = USERS
    there.mimecast.directory_status = "ok"


def document(there: Machine, *words: str, code: int = 0) -> Any:
    done = there("portal-users", *words, "--json")
    assert done.code == code, done.err + done.out
    return done.document


def told(done: Said) -> str:
    """What a command that succeeded said, in single spaces."""
    assert done.code == 0, done.err
    return " ".join(done.out.split())


def test_from_a_file_to_the_mail_and_the_invite(fresh: Machine, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(f"name,address\nDana Ops,{DANA}\nDana Ops,billing@simmsp.example\nNew,new@simmsp.example\n")
    assert document(fresh, "import", str(file)) == {"rows": 3, "added": 3, "renamed": 0}
    book = document(fresh, "check", code=2)
    assert {user["address"]: user["state"] for user in book["items"]} == {
        DANA: "ready", "billing@simmsp.example": "blocked", "new@simmsp.example": "blocked"
    }  # fmt: skip
    document(fresh, "remove", "billing@simmsp.example")
    refused = fresh("portal-users", "invite", "new@simmsp.example")
    assert refused.code == 1
    assert "no user of your Mimecast account" in refused.err
    fresh.mimecast.directory_users = (*USERS, replace(USERS[0], id="u-50", local_part="new"))
    assert document(fresh, "check")["totals"]["ready"] == 2
    mail = document(fresh, "mail", "--to", "manager@mimecast.example")
    assert mail["addresses"] == [DANA, "new@simmsp.example"]
    assert document(fresh, "invite", DANA)["invited_at"]
    assert document(fresh, "mail")["addresses"] == ["new@simmsp.example"]
    assert document(fresh, "mail", "--with-invited")["addresses"] == mail["addresses"]
    ticked = document(fresh, "tick", DANA, "registered")["checklist"]
    assert [one["done"] for one in ticked] == [False, False, True]
    assert not any(one["done"] for one in document(fresh, "tick", DANA, "registered", "--undo")["checklist"])
    out = tmp_path / "out.csv"
    exported = fresh("export", "portal-users", str(out), "--json")
    assert (exported.code, exported.document["rows"]) == (0, 2)
    assert document(fresh, "import", str(out)) == {"rows": 2, "added": 0, "renamed": 0}
    assert told(fresh("verify")).startswith("The history is whole")


def test_a_person_sees_words_and_what_to_do(fresh: Machine) -> None:
    assert "No portal user was added yet" in told(fresh("portal-users", "list"))
    assert "Next: trueup portal-users check" in told(fresh("portal-users", "add", DANA.upper(), "--name", "Dana Ops"))
    fresh("portal-users", "add", "lee.sales@simmsp.example", "--name", "=cmd()")
    fresh.mimecast.directory_status = "error"
    checked = fresh("portal-users", "check")
    assert checked.code == 2
    for words in ("✓ ready", "✗ blocked", "Full Administra", "disabled", "Head office", "pauses removals",
                  "on account CSIM00A001"):  # fmt: skip
        assert words in " ".join(checked.out.split())
    assert "✓ ready" in told(fresh("portal-users", "list"))
    mail = told(fresh("portal-users", "mail", "--to", "manager@mimecast.example"))
    assert "To: manager@mimecast.example" in mail
    assert f'1. {DANA} "Dana Ops"' in mail
    assert "Or open: mailto:manager@mimecast.example?subject=" in mail
    assert "noted as invited" in told(fresh("portal-users", "invite", DANA))
    assert "ticked: two-step authentication is on" in told(fresh("portal-users", "tick", DANA, "two_factor"))
    assert "no longer ticked" in told(fresh("portal-users", "tick", DANA, "two_factor", "--undo"))
    assert "is kept no longer" in told(fresh("portal-users", "remove", DANA))


def test_a_missing_permission_is_told_with_its_name(fresh: Machine) -> None:
    document(fresh, "add", DANA, "--name", "Dana Ops")
    fresh.mimecast.faults.add("status", path="/user/*", status=403, times=0)
    fresh.mimecast.faults.add("status", path="/api/user/*", status=403, times=0)
    try:
        checked = fresh("portal-users", "check")
    finally:
        fresh.mimecast.faults.clear()
    assert checked.code == 2
    assert "Directories | Internal | Read" in " ".join(checked.out.split())


def test_only_files_have_no_users_to_check(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=1) as bare:
        document(bare, "add", DANA, "--name", "Dana Ops")
        refused = bare("portal-users", "check", "--json")
        assert (refused.code, refused.document["code"]) == (1, "not_connected")
