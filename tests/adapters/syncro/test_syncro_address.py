"""Which Syncro hosts are called, and which tokens are taken."""

from __future__ import annotations

import pytest

from tests.contracts.psa_subject_syncro import SYNCRO_FIELDS
from trueup.adapters.syncro.address import parse_address, parse_credential
from trueup.domain.errors import InputInvalid, UnsafeAddress


def test_an_account_is_one_label_before_the_zone() -> None:
    assert (
        parse_address("https://acme-msp.syncromsp.com/", allow_loopback=False).url == "https://acme-msp.syncromsp.com"
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://syncromsp.com",
        "https://a.b.syncromsp.com",
        "https://acme.syncromsp.com.evil.example",
        "https://evilsyncromsp.com",
        "http://acme.syncromsp.com",
        "https://acme.syncromsp.com/api/v1",
        "https://evil.example\\@acme.syncromsp.com",
        "https://user:pass@acme.syncromsp.com",
        "acme.syncromsp.com",
        "http://127.0.0.1:8080",
        "",
    ],
)
def test_every_other_address_is_refused(address: str) -> None:
    with pytest.raises(UnsafeAddress):
        parse_address(address, allow_loopback=False)


def test_loopback_is_accepted_when_allowed() -> None:
    assert parse_address("http://127.0.0.1:8080", allow_loopback=True).port == 8080


@pytest.mark.parametrize("value", [None, "", "has space", "line\r\nX-Injected: yes", "ключ", "x" * 600])
def test_a_token_that_cannot_be_sent_is_named_and_not_shown(value: str | None) -> None:
    with pytest.raises(InputInvalid) as caught:
        parse_credential({} if value is None else {"api_key": value})
    assert caught.value.field == "api_key"
    assert not value or value not in f"{caught.value} {caught.value.remedy}"


def test_a_credential_does_not_show_its_secret() -> None:
    credential = parse_credential(SYNCRO_FIELDS)
    assert SYNCRO_FIELDS["api_key"] not in repr(credential)
    assert credential.secrets() == (SYNCRO_FIELDS["api_key"],)
