"""Notices from the command line: channels set, tried, listed and removed; an address is never shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.cli.parser_notices import CHANNELS, KINDS
from local.simulators.tickets import tickets_of
from tests.adapters.scripted_server import reply, scripted
from tests.local.command_line import Machine, machine
from trueup.domain.notices import CHOSEN_KINDS, ChannelName

SECRET_PATH = "/services/T0EXAMPLE/B0EXAMPLE/sEcReTsEcReTsEcReTsEc"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("notices") / "home", clients=2) as ready:
        assert ready(*ready.connect_connectwise).code == 0
        yield ready


def test_the_command_line_knows_every_channel_and_kind() -> None:
    assert set(CHANNELS) == {name.value for name in ChannelName}
    assert set(KINDS) == {kind.value for kind in CHOSEN_KINDS}


def test_at_first_no_channel_is_set_and_nobody_was_told(there: Machine) -> None:
    listed = there("notices", "channels", "--json").document["items"]
    assert {item["name"]: item["is_set"] for item in listed} == dict.fromkeys(CHANNELS, False)
    assert "not set" in there("notices", "channels").out
    assert "Nobody was told anything in 2020-01." in there("notices", "list", "--period", "2020-01").out


def test_a_webhook_is_set_tried_and_removed_and_its_address_never_shown(there: Machine) -> None:
    accepted = reply(200, b"ok", content_type="text/html")
    removed = reply(404, b"no_service", content_type="text/html")
    with scripted(accepted, removed) as slack:
        done = there(
            "notices", "set", "slack", "--webhook-env", "SLACK", "--kind", "run_missed", SLACK=slack.url + SECRET_PATH
        )
        assert done.code == 0, done.err
        assert "ends in TsEc" in done.out
        assert "run missed" in done.out
        tried = there("notices", "test", "slack")
        assert (tried.code, tried.out.strip()) == (0, "slack: sent")
        gone = there("notices", "test", "slack")
        assert gone.code == 1
        assert "no_service" in gone.out
        everywhere = [done.out, done.err, gone.out, there("notices", "channels", "--json").out, there("history").out]
        everywhere += [there("notices", "list", "--json").out, *there.stored()]
        log = there.home / "trueup.log"
        everywhere.append(log.read_text(encoding="utf-8") if log.exists() else "")
        assert not [text for text in everywhere if SECRET_PATH in text or "sEcReT" in text]
        assert len(slack.requests) == 2
    again = there("notices", "set", "slack")
    assert again.code == 0, "what it takes may change without the address"
    assert "everything" in again.out
    assert there("notices", "remove", "slack").code == 0
    assert there("notices", "test", "slack").code == 1


def test_a_ticket_is_made_in_the_connected_psa(there: Machine) -> None:
    company = str(min(there.world.companies))
    done = there("notices", "set", "ticket", "--company", company, "--queue", "8")
    assert done.code == 0, done.err
    assert f"ConnectWise company {company}" in done.out
    tried = there("notices", "test", "ticket", "--json")
    assert tried.code == 0, tried.err
    (kept,) = tickets_of(there.world)
    assert tried.document["reference"] == str(kept["id"])
    assert kept["board"] == {"id": 8}
    table = there("notices", "list").out
    assert "ticket" in table
    assert "sent" in table
