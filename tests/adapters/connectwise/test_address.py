"""Which ConnectWise hosts are called, and which credentials are taken."""

from __future__ import annotations

import pytest

from tests.contracts.psa_subject_connectwise import CONNECTWISE_FIELDS
from trueup.adapters.connectwise.address import parse_address, parse_credential
from trueup.domain.errors import InputInvalid, UnsafeAddress


@pytest.mark.parametrize(
    "host", ["api-na.myconnectwise.net", "api-eu.myconnectwise.net", "api-staging.connectwisedev.com"]
)
def test_documented_cloud_hosts_are_accepted(host: str) -> None:
    assert parse_address(f"https://{host}", allow_loopback=False).host == host


@pytest.mark.parametrize("host", ["na.myconnectwise.net", "staging.connectwisedev.com"])
def test_a_cloud_host_without_the_prefix_is_refused_with_the_fix(host: str) -> None:
    with pytest.raises(UnsafeAddress) as caught:
        parse_address(f"https://{host}", allow_loopback=False)
    assert caught.value.remedy == f"use api-{host}"


@pytest.mark.parametrize(
    "url",
    [
        "https://psa.example.com",
        "https://api-na.myconnectwise.net.evil.example",
        "https://evilmyconnectwise.net",
        "https://myconnectwise.net",
        "http://api-na.myconnectwise.net",
        "https://evil.example\\@api-na.myconnectwise.net",
        "https://sub.psa.msp.example",
        "http://127.0.0.1:8080",
    ],
)
def test_every_other_address_is_refused(url: str) -> None:
    with pytest.raises(UnsafeAddress):
        parse_address(url, allow_loopback=False, additional_hosts=("psa.msp.example",))


def test_an_on_premise_host_is_accepted_only_when_it_is_named_whole() -> None:
    assert (
        parse_address("https://psa.msp.example", allow_loopback=False, additional_hosts=("psa.msp.example",)).url
        == "https://psa.msp.example"
    )


def test_loopback_is_accepted_when_allowed() -> None:
    assert parse_address("http://127.0.0.1:8080", allow_loopback=True).port == 8080


@pytest.mark.parametrize("name", sorted(CONNECTWISE_FIELDS))
@pytest.mark.parametrize("value", [None, "", "has space", "line\r\nX-Injected: yes", "ключ", "x" * 300])
def test_a_credential_field_that_cannot_be_sent_is_named(name: str, value: str | None) -> None:
    fields = {key: one for key, one in CONNECTWISE_FIELDS.items() if key != name}
    if value is not None:
        fields[name] = value
    with pytest.raises(InputInvalid) as caught:
        parse_credential(fields)
    assert caught.value.field == name
    assert not value or value not in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize("name", ["company_id", "public_key"])
def test_a_colon_that_would_move_the_split_of_the_credential_is_refused(name: str) -> None:
    with pytest.raises(InputInvalid, match=name):
        parse_credential({**CONNECTWISE_FIELDS, name: "a:b"})


def test_a_credential_does_not_show_its_secret() -> None:
    credential = parse_credential(CONNECTWISE_FIELDS)
    assert CONNECTWISE_FIELDS["private_key"] not in repr(credential)
    assert CONNECTWISE_FIELDS["private_key"] in credential.secrets()
