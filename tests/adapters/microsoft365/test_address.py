"""Which servers are called for Microsoft 365, and with which credential."""

from __future__ import annotations

import pytest

from tests.contracts.license_subjects import FIELDS
from trueup.adapters.microsoft365.address import LOGIN_HOSTS, parse_address, parse_credential, tenant_id_of
from trueup.domain.errors import InputInvalid, UnsafeAddress


@pytest.mark.parametrize(("graph", "login"), sorted(LOGIN_HOSTS.items()))
def test_each_cloud_has_the_login_server_that_belongs_to_it(graph: str, login: str) -> None:
    cloud = parse_address(f"https://{graph}/", allow_loopback=False)
    assert (cloud.graph.url, cloud.login.url) == (f"https://{graph}", f"https://{login}")


@pytest.mark.fault("S1")
@pytest.mark.parametrize(
    "text",
    [
        "http://graph.microsoft.com",
        "https://graph.microsoft.com.evil.example",
        "https://evilgraph.microsoft.com",
        "https://a.graph.microsoft.com",
        "https://graph.microsoft.com@evil.example",
        "https://graph.microsoft.com\\@evil.example",
        "https://graph.microsoft.com:8443",
        "https://graph.microsoft.com/v1.0",
        "https://graph.microsoft.com#x",
        "https://GRAPH.microsoft.com",
        "https://login.microsoftonline.com",
        "https://microsoft.com",
        "https://127.0.0.1",
        "http://127.0.0.1:8080",
        "https://169.254.169.254",
        " https://graph.microsoft.com",
        "https://graph.microsoft.com\n",
        "",
    ],
)
def test_S1_every_other_address_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(UnsafeAddress) as caught:
        parse_address(text, allow_loopback=False)
    assert caught.value.remedy
    assert not text.strip() or text not in caught.value.message


def test_a_simulator_is_called_only_when_loopback_is_allowed() -> None:
    cloud = parse_address("http://127.0.0.1:8080", allow_loopback=True)
    assert cloud.graph == cloud.login


@pytest.mark.parametrize("name", ["tenant_id", "client_id", "client_secret"])
@pytest.mark.parametrize("value", [None, "", " x", "ünïcode", "a\nb", "../x", "contoso.example"])
def test_a_field_that_is_none_is_named_and_not_repeated(name: str, value: str | None) -> None:
    fields = {key: text for key, text in FIELDS.items() if key != name or value is not None}
    if value is not None:
        fields[name] = value
    if name == "client_secret" and value in ("../x", "contoso.example"):
        assert parse_credential(fields).client_secret == value
        return
    with pytest.raises(InputInvalid) as caught:
        parse_credential(fields)
    assert caught.value.field == name
    assert not value or len(value) < 3 or value not in caught.value.message


def test_ids_are_the_same_in_either_case_and_the_secret_is_not_shown() -> None:
    credential = parse_credential({**FIELDS, "tenant_id": FIELDS["tenant_id"].upper()})
    assert credential.tenant_id == FIELDS["tenant_id"]
    assert FIELDS["client_secret"] not in repr(credential)


@pytest.mark.parametrize("text", ["", "x", "{00000000-0000-4000-8000-000000000001}", "0" * 36, 7, None, "٠" * 36])
def test_what_is_no_id_is_none(text: object) -> None:
    assert tenant_id_of(text) is None
