"""Asking the PSA to call: secrets are made once, the address is checked, and nothing secret is shown."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.usecases.office import PSA_HOST, Office, open_office
from trueup.domain.callbacks import CallbackSecrets, RegisteredCallback
from trueup.domain.errors import InputInvalid, NotConnected, NotFound, PermissionMissing
from trueup.domain.integrations import IntegrationName
from trueup.usecases.callbacks import (
    CallbackSystems,
    callback_url,
    list_callbacks,
    register_callbacks,
    remove_callback,
    secrets_name,
)

URL = "https://trueup.example-msp.com"


@dataclass
class Registration:
    """What the PSA has of ours; an equal address registers nothing new."""

    urls: dict[str, str] = field(default_factory=dict)
    secrets: list[CallbackSecrets] = field(default_factory=list)
    error: Exception | None = None

    def register(self, url: str, secrets: CallbackSecrets) -> tuple[RegisteredCallback, ...]:
        if self.error is not None:
            raise self.error
        self.secrets.append(secrets)
        if url not in self.urls.values():
            self.urls[str(70 + len(self.urls))] = url
        return self.registered()

    def registered(self) -> tuple[RegisteredCallback, ...]:
        return tuple(
            RegisteredCallback(key, "Trueup", "agreement", url.rpartition("/")[0] + "/...", True)
            for key, url in self.urls.items()
        )

    def remove(self, callback_id: str) -> None:
        if callback_id not in self.urls:
            raise NotFound("no such callback")
        del self.urls[callback_id]


@pytest.fixture
def registration(month: Office) -> Registration:
    made = Registration()
    month.connections.registration = made
    return made


def systems(office: Office) -> CallbackSystems:
    return CallbackSystems(
        office.state.integrations, office.vault, office.connections, office.state.history, office.clock
    )


def test_the_address_ends_in_a_token_that_nobody_guesses(month: Office, registration: Registration) -> None:
    found = register_callbacks(URL, actor="ada", systems=systems(month))
    kept = month.vault.get(secrets_name(IntegrationName.CONNECTWISE), host=PSA_HOST)
    assert list(registration.urls.values()) == [f"{URL}/v1/callbacks/connectwise/{kept['path_token']}"]
    assert len(kept["path_token"]) >= 43
    assert 20 <= len(kept["signing_secret"]) <= 64
    assert len({*kept.values()}) == 4
    assert [item.id for item in found] == ["70"]
    assert kept["path_token"] not in repr(found)


@pytest.mark.parametrize("name", [IntegrationName.CONNECTWISE, IntegrationName.AUTOTASK, IntegrationName.HALOPSA])
def test_each_psa_has_an_address_of_its_own(name: IntegrationName) -> None:
    secrets = CallbackSecrets("token", "s" * 43, "trueup", "p")
    assert callback_url(URL, name, secrets) == f"{URL}/v1/callbacks/{name.value}/token"


def test_repeating_it_makes_no_new_secrets_and_no_new_callback(month: Office, registration: Registration) -> None:
    first = register_callbacks(URL, actor="ada", systems=systems(month))
    assert register_callbacks(f"{URL}/", actor="ada", systems=systems(month)) == first
    assert registration.secrets[0] == registration.secrets[1]


def test_another_host_gets_secrets_of_its_own(month: Office, registration: Registration) -> None:
    register_callbacks(URL, actor="ada", systems=systems(month))
    name = secrets_name(IntegrationName.CONNECTWISE)
    month.vault.put(name, host="https://former.example", fields=month.vault.get(name, host=PSA_HOST))
    register_callbacks(URL, actor="ada", systems=systems(month))
    assert registration.secrets[0] != registration.secrets[1]


def test_the_history_tells_of_it_without_a_secret(month: Office, registration: Registration) -> None:
    register_callbacks(URL, actor="ada", systems=systems(month))
    remove_callback("70", actor="ada", systems=systems(month))
    told = [event.audit for event in month.state.history.all()][-2:]
    assert [(audit.actor, audit.action) for audit in told] == [
        ("ada", "callbacks registered"),
        ("ada", "callback removed"),
    ]
    for value in (registration.secrets[0].path_token, registration.secrets[0].signing_secret):
        assert value not in repr(told)


def test_a_refusal_of_the_psa_is_passed_on_and_nothing_is_told(month: Office, registration: Registration) -> None:
    registration.error = PermissionMissing("no", integration="connectwise", permission="System | Table Setup")
    with pytest.raises(PermissionMissing):
        register_callbacks(URL, actor="ada", systems=systems(month))
    assert "callbacks registered" not in month.actions()
    registration.error = None
    assert register_callbacks(URL, actor="ada", systems=systems(month))


def test_with_the_last_one_its_secrets_are_forgotten(month: Office, registration: Registration) -> None:
    register_callbacks(URL, actor="ada", systems=systems(month))
    register_callbacks("https://second.example-msp.com", actor="ada", systems=systems(month))
    name = secrets_name(IntegrationName.CONNECTWISE)
    assert [item.id for item in remove_callback("70", actor="ada", systems=systems(month))] == ["71"]
    assert month.vault.get(name, host=PSA_HOST)
    assert remove_callback("71", actor="ada", systems=systems(month)) == ()
    with pytest.raises(NotConnected):
        month.vault.get(name, host=PSA_HOST)
    with pytest.raises(NotFound):
        remove_callback("71", actor="ada", systems=systems(month))
    assert list_callbacks(systems=systems(month)) == ()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "trueup.example-msp.com",
        "http://trueup.example-msp.com",
        "ftp://trueup.example-msp.com",
        "https://",
        "https://localname",
        "https://user@trueup.example-msp.com",
        "https://trueup.example-msp.com/path",
        "https://trueup.example-msp.com?x=1",
        "https://trueup.example-msp.com#x",
        "https://trueup.example-msp.com\\@evil.example",
        "https://trueup.example msp.com",
        "https://trueup.exämple.com",
        "https://trueup.example-msp.com:port",
        "https://[::1",
        "javascript:alert(1)",
    ],
)
def test_an_address_that_no_psa_should_call_is_refused(month: Office, registration: Registration, url: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        register_callbacks(url, actor="ada", systems=systems(month))
    assert refused.value.field == "url"
    assert registration.urls == {}


@pytest.mark.parametrize("url", ["http://127.0.0.1:8600", "http://localhost:8600", "https://a.example.com:8443"])
def test_a_port_and_this_machine_itself_are_taken(month: Office, registration: Registration, url: str) -> None:
    register_callbacks(url, actor="ada", systems=systems(month))
    assert next(iter(registration.urls.values())).startswith(f"{url}/v1/callbacks/connectwise/")


def test_a_psa_must_be_connected_and_must_be_one_that_calls() -> None:
    office = open_office()
    with pytest.raises(NotConnected):
        list_callbacks(systems=systems(office))
    office.connect(IntegrationName.SYNCRO)
    with pytest.raises(InputInvalid):
        register_callbacks(URL, actor="ada", systems=systems(office))
