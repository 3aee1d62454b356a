"""Every system with an API is connected by one kind of command, which shows no secret and takes none as a word."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from local.cli import connecting
from local.cli.parser import parse
from local.cli.parser_connecting import ADDRESS_EXAMPLE, WITH_AN_API, option_of
from local.simulator_process import connect_mimecast_command, connect_psa_command
from local.simulators import DEFAULT_PSA, SIMULATED_PSAS
from local.simulators.server import Simulator
from tests.local.command_line import Machine, machine
from trueup.domain.integrations import CREDENTIAL_FIELDS, DEFAULT_ADDRESS, IntegrationName

PSAS = sorted(SIMULATED_PSAS)
OTHERS = sorted(set(SIMULATED_PSAS) - {DEFAULT_PSA})


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("home"), clients=1) as found:
        yield found


@pytest.fixture(scope="module")
def simulators(there: Machine) -> Iterator[dict[str, Simulator]]:
    """Every PSA over the same small world."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(SIMULATED_PSAS[name].open(there.world)) for name in PSAS}


@pytest.mark.parametrize("psa", PSAS)
def test_a_psa_is_connected_checked_and_disconnected(
    there: Machine, simulators: dict[str, Simulator], psa: str
) -> None:
    kind = SIMULATED_PSAS[psa]
    command = connect_psa_command(kind, simulators[psa].url)
    connected = there(*command.words, "--json", **dict(command.variables))
    assert connected.code == 0, connected.err
    document: dict[str, Any] = connected.document
    assert (document["name"], document["state"], document["address"]) == (psa, "pending", simulators[psa].url)
    assert all(capability["granted"] for capability in document["capabilities"])
    checked = there("check", psa)
    assert (checked.code, f"{kind.label} answers" in checked.out) == (0, True)
    shown = there("integrations")
    assert kind.label in shown.out
    # One of a side is connected at a time, so the other PSAs are no news.
    assert not [one.label for one in SIMULATED_PSAS.values() if one.name != psa and one.label in shown.out]
    gone = there("disconnect", psa)
    assert (gone.code, f"{kind.label} is disconnected" in gone.out) == (0, True)
    secrets = [kind.fields[field.name] for field in CREDENTIAL_FIELDS[IntegrationName(psa)] if field.secret]
    assert secrets
    said = "".join(one.out + one.err for one in (connected, checked, shown, gone, there("history", "--json")))
    assert not [secret for secret in secrets if secret in said + there.home.joinpath("trueup.log").read_text()]


@pytest.mark.parametrize("psa", PSAS)
def test_a_wrong_secret_is_refused_and_nothing_is_stored(
    there: Machine, simulators: dict[str, Simulator], psa: str
) -> None:
    command = connect_psa_command(SIMULATED_PSAS[psa], simulators[psa].url)
    refused = there(*command.words, "--json", **{name: "wrong" for name, _ in command.variables})
    assert (refused.code, json.loads(refused.out)["code"]) == (1, "credential_rejected")
    (item,) = [one for one in there("integrations", "--json").document["items"] if one["name"] == psa]
    assert item["state"] == "not_connected"


@pytest.mark.parametrize("psa", OTHERS)
def test_a_second_psa_waits_for_a_word(there: Machine, simulators: dict[str, Simulator], psa: str) -> None:
    first = connect_psa_command(SIMULATED_PSAS[DEFAULT_PSA], simulators[DEFAULT_PSA].url)
    assert there(*first.words, **dict(first.variables)).code == 0
    second = connect_psa_command(SIMULATED_PSAS[psa], simulators[psa].url)
    refused = there(*second.words, **dict(second.variables))
    assert refused.code == 1
    assert "ConnectWise is connected" in refused.err
    assert f"connect {psa} --switch" in refused.err
    assert there("disconnect", DEFAULT_PSA).code == 0


def test_what_comes_next_names_every_psa_there_is_to_choose_from(there: Machine) -> None:
    command = connect_mimecast_command(there.mimecast.url)
    connected = there(*command.words, "--json", **dict(command.variables))
    assert connected.document["next"] == "trueup connect connectwise (or autotask, halopsa, syncro)"
    shown = there("integrations")
    assert all(kind.label in shown.out for kind in SIMULATED_PSAS.values())
    assert "files" not in shown.out
    assert there("disconnect", "mimecast").code == 0


@pytest.mark.parametrize("name", WITH_AN_API)
def test_no_secret_has_an_option_of_its_own(name: IntegrationName) -> None:
    options = {option_of(field): field for field in CREDENTIAL_FIELDS[name]}
    assert len(options) == len(CREDENTIAL_FIELDS[name])
    assert all(option.endswith("-env") == field.secret for option, field in options.items())
    assert (name in DEFAULT_ADDRESS) != (name in ADDRESS_EXAMPLE)


@pytest.mark.parametrize("psa", PSAS)
def test_on_a_terminal_everything_is_asked_for_and_secrets_are_not_shown(
    there: Machine, simulators: dict[str, Simulator], psa: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open fields are read as lines, secrets without echo."""
    kind, fields = SIMULATED_PSAS[psa], CREDENTIAL_FIELDS[IntegrationName(psa)]
    lines = iter([simulators[psa].url, *(kind.fields[field.name] for field in fields if not field.secret)])
    secrets = iter(kind.fields[field.name] for field in fields if field.secret)
    asked: list[str] = []

    def hidden(prompt: str, **_named: object) -> str:
        asked.append(prompt)
        return next(secrets)

    terminal = SimpleNamespace(isatty=lambda: True, readline=lambda: f"{next(lines)}\n")
    monkeypatch.setattr(connecting.getpass, "getpass", hidden)
    monkeypatch.setattr(sys, "stdin", terminal)
    connected = there("connect", psa)
    assert connected.code == 0, connected.err
    assert len(asked) == sum(field.secret for field in fields)
    assert next(lines, None) is None
    assert there("disconnect", psa).code == 0


def test_the_parsed_command_names_the_integration() -> None:
    parsed = parse(["connect", "syncro", "--url", "https://acme.syncromsp.com", "--api-key-env", "KEY"])
    assert (parsed.integration, parsed.field_api_key, parsed.handler) == (
        IntegrationName.SYNCRO,
        "KEY",
        "connecting:connect",
    )
