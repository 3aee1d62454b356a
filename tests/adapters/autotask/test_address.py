"""Which Autotask servers are called, and which credentials are taken."""

from __future__ import annotations

import pytest

from tests.contracts.psa_subject_autotask import AUTOTASK_FIELDS
from trueup.adapters.autotask.address import CREDENTIAL_FIELDS, parse_address, parse_credential, parse_zone
from trueup.domain.errors import InputInvalid, UnsafeAddress

REFUSED_HOSTS = [
    "https://webservices5.autotask.net.evil.example",
    "https://evil.webservices5.autotask.net",
    "https://webservicesx.autotask.net",
    "https://webservices5x.autotask.net",
    "https://webservices12345.autotask.net",
    "https://autotask.net",
    "https://ww5.autotask.net",
    "https://xwebservices5.autotask.net",
    "https://webservices5.autotask.net@evil.example",
    "https://webservices5.autotask.net:8443",
    "http://webservices5.autotask.net",
    "https://webservices5.autotask.net\\@evil.example",
    "https://WEBSERVICES5.autotask.net",
    "https://webservices5.autotask.net/../x",
    "https://169.254.169.254",
    "https://127.0.0.1",
    "http://127.0.0.1:8080",
    "ftp://webservices5.autotask.net",
    "",
]


@pytest.mark.parametrize("host", ["webservices", "webservices2", "webservices19", "webservices118"])
def test_the_documented_hosts_are_taken(host: str) -> None:
    assert parse_address(f"https://{host}.autotask.net", allow_loopback=False).url == f"https://{host}.autotask.net"


@pytest.mark.parametrize("text", REFUSED_HOSTS)
def test_every_other_host_is_refused(text: str) -> None:
    with pytest.raises(UnsafeAddress) as caught:
        parse_address(text, allow_loopback=False)
    assert "evil" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://webservices5.autotask.net/ATServicesRest/", "https://webservices5.autotask.net"),
        ("https://webservices5.autotask.net/atservicesrest", "https://webservices5.autotask.net"),
        ("https://WebServices14.autotask.net/ATServicesRest/V1.0/", "https://webservices14.autotask.net"),
    ],
)
def test_a_zone_is_taken_by_its_host_alone(url: str, server: str) -> None:
    assert parse_zone(url, allow_loopback=False).url == server


@pytest.mark.parametrize(
    "url",
    [
        *(f"{host}/ATServicesRest/" for host in REFUSED_HOSTS if host != "https://WEBSERVICES5.autotask.net"),
        "https://webservices5.autotask.net/",
        "https://webservices5.autotask.net/ATServicesRest/../evil/",
        "https://webservices5.autotask.net/ATServicesRest/?x=1",
        "https://webservices5.autotask.net/ATServicesRest/#x",
        "https://webservices5.autotask.net/evil",
        "//evil.example/ATServicesRest/",
        "x" * 5_000,
    ],
)
def test_a_zone_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(UnsafeAddress):
        parse_zone(url, allow_loopback=False)


@pytest.mark.parametrize("name", CREDENTIAL_FIELDS)
@pytest.mark.parametrize("value", ["", " ", "a b", "a\r\nX: y", "\u00e9", "x" * 300, None])
def test_a_bad_field_is_named_and_not_shown(name: str, value: str | None) -> None:
    fields = {**AUTOTASK_FIELDS, name: value}
    with pytest.raises(InputInvalid) as caught:
        parse_credential(fields)  # type: ignore[arg-type]
    assert caught.value.field == name
    assert not value or not value.strip() or value not in caught.value.message


def test_a_credential_does_not_show_its_secrets() -> None:
    credential = parse_credential(AUTOTASK_FIELDS)
    assert AUTOTASK_FIELDS["secret"] not in repr(credential)
    assert AUTOTASK_FIELDS["integration_code"] not in repr(credential)
    assert credential.headers() == {
        "ApiIntegrationCode": AUTOTASK_FIELDS["integration_code"],
        "UserName": AUTOTASK_FIELDS["user_name"],
        "Secret": AUTOTASK_FIELDS["secret"],
    }
