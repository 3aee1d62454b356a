"""Which servers are called, and which are not, whatever HaloPSA itself says."""

from __future__ import annotations

import pytest

from trueup.adapters.halopsa.address import parse_address, parse_credential, parse_token_server
from trueup.domain.errors import InputInvalid, UnsafeAddress

ACME = parse_address("https://acme.halopsa.com", allow_loopback=False)


@pytest.mark.parametrize(
    "text", ["https://acme.halopsa.com", "https://acme.haloservicedesk.com/", "https://acme-uk.haloitsm.com"]
)
def test_a_tenant_of_halos_own_zones_is_called(text: str) -> None:
    assert parse_address(text, allow_loopback=False).url == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        "http://acme.halopsa.com",
        "https://halopsa.com",
        "https://a.b.halopsa.com",
        "https://acme.halopsa.com.evil.example",
        "https://evilhalopsa.com",
        "https://acme.halopsa.com@evil.example",
        "https://acme.halopsa.com\\@evil.example",
        "https://acme.halopsa.com:8443",
        "https://acme.halopsa.com/api",
        "https://127.0.0.1",
        "http://127.0.0.1:8080",
        "https://169.254.169.254",
        "https://acme.HALOPSA.com",
        "",
    ],
)
def test_every_other_address_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(UnsafeAddress) as caught:
        parse_address(text, allow_loopback=False)
    assert not text or text not in caught.value.message


def test_a_server_with_a_name_of_its_own_is_called_when_it_was_named_whole() -> None:
    hosts = ("halo.msp.example",)
    assert parse_address("https://halo.msp.example", allow_loopback=False, additional_hosts=hosts)
    for text in ("https://other.msp.example", "https://x.halo.msp.example"):
        with pytest.raises(UnsafeAddress):
            parse_address(text, allow_loopback=False, additional_hosts=hosts)


@pytest.mark.parametrize(
    ("text", "server", "path"),
    [
        ("https://acme.halopsa.com/auth", "https://acme.halopsa.com", "/auth"),
        ("https://acme.halopsa.com/auth/", "https://acme.halopsa.com", "/auth"),
        ("https://acme.halopsa.com", "https://acme.halopsa.com", ""),
        ("https://acme.haloservicedesk.com/auth", "https://acme.haloservicedesk.com", "/auth"),
    ],
)
def test_tokens_are_asked_for_at_the_tenant_itself(text: str, server: str, path: str) -> None:
    found = parse_token_server(text, ACME)
    assert (found.base.url, found.path) == (server, path)


@pytest.mark.fault("S15")
@pytest.mark.parametrize(
    "text",
    [
        "https://other.halopsa.com/auth",
        "https://evil.example/auth",
        "https://acme.halopsa.com.evil.example/auth",
        "https://acme.halopsa.com@evil.example/auth",
        "https://user:pass@acme.halopsa.com/auth",
        "http://acme.halopsa.com/auth",
        "https://acme.halopsa.com:8443/auth",
        "https://acme.halopsa.com/auth/../../x",
        "https://acme.halopsa.com/auth?next=https://evil.example",
        "https://acme.halopsa.com/auth#x",
        "//acme.halopsa.com/auth",
        "/auth",
        "javascript:alert(1)",
        "http://127.0.0.1:9/auth",
        "https://acme.halopsa.com/%2e%2e/auth",
    ],
)
def test_S15_a_token_server_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(UnsafeAddress) as caught:
        parse_token_server(text, ACME)
    assert "evil" not in caught.value.message


def test_a_server_of_ones_own_gives_its_tokens_itself() -> None:
    hosts = ("halo.msp.example", "auth.msp.example")
    base = parse_address("https://halo.msp.example", allow_loopback=False, additional_hosts=hosts)
    assert parse_token_server("https://halo.msp.example/auth", base, hosts).base == base
    with pytest.raises(UnsafeAddress):
        parse_token_server("https://auth.msp.example/auth", base, hosts)


@pytest.mark.parametrize("field", ["client_id", "client_secret"])
@pytest.mark.parametrize("value", ["", "a b", "line\n", "snow\u2603", None])
def test_a_credential_that_cannot_be_one_is_named_and_not_shown(field: str, value: str | None) -> None:
    fields = {"client_id": "id", "client_secret": "canary-secret"}
    if value is None:
        del fields[field]
    else:
        fields[field] = value
    with pytest.raises(InputInvalid) as caught:
        parse_credential(fields)
    assert caught.value.field == field
    assert "canary" not in caught.value.message


def test_the_secret_is_not_in_the_credentials_repr() -> None:
    assert "canary" not in repr(parse_credential({"client_id": "id", "client_secret": "canary"}))
