"""Keys and callbacks from the command line: a key is shown once, an address never whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cli.parser_machines import SCOPES
from tests.local.command_line import Machine, machine
from trueup.domain.api_keys import KeyScope, secret_hash


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("machines") / "home", clients=2) as ready:
        assert ready(*ready.connect_connectwise).code == 0
        yield ready


def test_the_command_line_knows_every_scope() -> None:
    assert set(SCOPES) == {scope.value for scope in KeyScope}


def test_a_key_is_shown_once_listed_and_revoked(there: Machine) -> None:
    made = there("keys", "create", "--name", "Runbook", "--scope", "plan:read", "--scope", "counts:read", "--json")
    assert made.code == 0, made
    document = made.document
    secret = document["key"].split("_", 2)[2]
    assert document["scopes"] == ["counts:read", "plan:read"]
    shown = there("keys", "list")
    assert "Runbook" in shown.out
    assert "60/min" in shown.out
    for where in (shown.out, there("keys", "list", "--json").out, there("history").out, *there.stored()):
        assert secret not in where
        assert secret_hash(secret) not in shown.out
    assert there("keys", "revoke", document["id"]).code == 0
    listed = {item["id"]: item for item in there("keys", "list", "--json").document["items"]}
    assert listed[document["id"]]["revoked_at"]
    assert "revoked" in there("keys", "list").out


def test_in_words_the_key_stands_alone_on_its_line(there: Machine) -> None:
    made = there("keys", "create", "--name", "Words", "--scope", "plan:read", "--calls-a-minute", "5")
    assert made.out.splitlines()[0].startswith("tu_")
    assert "only time" in made.err


def test_callbacks_are_registered_listed_and_removed(there: Machine) -> None:
    assert "no callbacks" in there("callbacks", "list").out
    registered = there("callbacks", "register", "--url", "https://trueup.example-msp.com", "--json")
    assert registered.code == 0, registered
    items = registered.document["items"]
    assert {item["subject"] for item in items} == {"agreement", "company"}
    again = there("callbacks", "register", "--url", "https://trueup.example-msp.com", "--json")
    assert again.document == registered.document
    vault = json.loads((there.home / "vault" / "connectwise-callbacks.json").read_text(encoding="utf-8"))
    token = vault["fields"]["path_token"]
    for said in (registered, there("callbacks", "list"), there("history")):
        assert token not in said.out + said.err
    for item in items:
        assert there("callbacks", "remove", item["id"]).code == 0
    assert there("callbacks", "list", "--json").document == {"items": []}
    assert not (there.home / "vault" / "connectwise-callbacks.json").exists()


def test_without_a_psa_there_is_nobody_to_ask(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=1) as empty:
        refused = empty("callbacks", "list", "--json")
        assert (refused.code, refused.document["code"]) == (1, "not_connected")
