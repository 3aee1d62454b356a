"""S1: what a person types as an API address, and what a vendor sends as the next one, decides where secrets go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from trueup.adapters.outbound_address import BaseAddress, parse_base_address, path_segment, same_origin_path
from trueup.domain.errors import UnsafeAddress

ZONE = "services.mimecast.com"
SECRET = "hunter2-canary"

HOSTILE = (
    # Another server under cover of the user part, the path, the query or the fragment.
    f"https://user:{SECRET}@api.{ZONE}",
    f"https://api.{ZONE}@evil.example",
    f"https://evil.example\\@api.{ZONE}",
    f"https://evil.example/@api.{ZONE}",
    f"https://evil.example#@api.{ZONE}",
    f"https://evil.example?@api.{ZONE}",
    f"https://evil.example\\.{ZONE}",
    # Control characters and escapes inside the host, blanks around it.
    f"https://evil.example\t.{ZONE}",
    f"https://evil.example%00.{ZONE}",
    f"https://evil.example%23.{ZONE}",
    f"https://evil.example%2f.{ZONE}",
    f"https://evil.example\x00.{ZONE}",
    f" https://api.{ZONE}",
    f"https://api.{ZONE}\r",
    f"https://api.{ZONE}\n",
    # Other letters that look or normalize like these.
    f"https://api。{ZONE.replace('.', '。')}",
    f"https://аpi.{ZONE}",  # a Cyrillic letter is the point
    f"https://ａｐｉ.{ZONE}",  # full-width letters are the point
    # Other hosts that only look like the zone.
    f"https://api.{ZONE}.evil.example",
    f"https://evil{ZONE}",
    "https://mimecast.com",
    "https://us-api.mimecast.com",
    f"https://api.{ZONE}.",
    f"https://.{ZONE}",
    # Addresses inside.
    "https://127.0.0.1",
    "https://[::1]",
    "https://2130706433",
    "https://169.254.169.254",
    "http://localhost:8080",
    # Other schemes, or none.
    f"http://api.{ZONE}",
    f"HTTPS://api.{ZONE}",
    f"https:/api.{ZONE}",
    f"//api.{ZONE}",
    "file:///proc/self/environ",
    # More than a server.
    f"https://api.{ZONE}:22",
    f"https://api.{ZONE}/oauth",
    f"https://api.{ZONE}?x=1",
)

GOOD = {
    f"https://api.{ZONE}": f"https://api.{ZONE}",
    f"https://us-api.{ZONE}/": f"https://us-api.{ZONE}",
    f"https://{ZONE}": f"https://{ZONE}",
}


def parse(text: str, *, allow_loopback: bool = False) -> BaseAddress:
    return parse_base_address(text, allowed_suffixes=(ZONE,), integration="Mimecast", allow_loopback=allow_loopback)


def test_the_list_has_the_37_forms_of_the_security_notes() -> None:
    assert len(set(HOSTILE)) == 37


@pytest.mark.fault("S1")
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("allow_loopback", [False, True])
def test_S1_hostile_addresses_are_refused_and_not_echoed(text: str, allow_loopback: bool) -> None:
    with pytest.raises(UnsafeAddress) as caught:
        parse(text, allow_loopback=allow_loopback)
    assert SECRET not in f"{caught.value} {caught.value.remedy} {caught.value.details()}"
    assert "evil" not in str(caught.value)


@pytest.mark.fault("S1")
@pytest.mark.parametrize(("text", "url"), GOOD.items())
def test_S1_the_vendors_own_addresses_are_accepted_and_rebuilt(text: str, url: str) -> None:
    base = parse(text)
    assert base.url == base.origin == url
    assert base.effective_port == 443


@pytest.mark.parametrize("text", ["http://127.0.0.1:8080", "http://127.0.0.1:8080/"])
def test_loopback_needs_its_switch(text: str) -> None:
    with pytest.raises(UnsafeAddress):
        parse(text)
    assert parse(text, allow_loopback=True) == BaseAddress("http", "127.0.0.1", 8080)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1",
        "http://127.0.0.1:0",
        "http://127.0.0.1:70000",
        "http://127.0.0.1:080",
        "http://127.0.0.2:8080",
        "http://127.1:8080",
        "http://0.0.0.0:8080",
        "http://user@127.0.0.1:8080",
        "http://127.0.0.1:8080/path",
        "http://127.0.0.1:8080\n",
        "http://127.0.0.1:８０",  # full-width digits are the point
    ],
)
def test_only_one_loopback_form_is_accepted(text: str) -> None:
    with pytest.raises(UnsafeAddress):
        parse(text, allow_loopback=True)


URL_LIKE = st.text(alphabet="ab.-@\\/:?#%[]\t\r\n 0", max_size=8)


@given(URL_LIKE, URL_LIKE)
def test_whatever_is_accepted_connects_to_the_zone(before: str, after: str) -> None:
    """The parser that connects sees the host that was checked, whatever surrounds the name of the zone."""
    text = f"https://{before}{ZONE}{after}"
    try:
        base = parse(text)
    except UnsafeAddress:
        return
    connected = parse_url(text)
    assert connected.host == base.host
    assert connected.auth is None
    assert connected.port is None
    assert f".{base.host}".endswith(f".{ZONE}")


BASE = BaseAddress("https", f"api.{ZONE}", None)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (f"https://api.{ZONE}/v1/a?pageId=7", "/v1/a?pageId=7"),
        (f"https://API.{ZONE.upper()}:443/v1", "/v1"),
        (f"https://api.{ZONE}?x=1", "/?x=1"),
        (f"https://api.{ZONE}", "/"),
        ("/v1/a?b=c", "/v1/a?b=c"),
    ],
)
def test_addresses_of_the_same_server_become_paths(url: str, path: str) -> None:
    assert same_origin_path(BASE, url) == path


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1",
        f"http://api.{ZONE}/v1",
        f"https://api.{ZONE}:444/v1",
        f"https://api.{ZONE}@evil.example/v1",
        f"https://evil.example\\@api.{ZONE}/v1",
        "//evil.example/v1",
        "/\\evil.example/v1",
        "/v1/../admin",
        "/v1/%2e%2e/admin",
        "/v1/a#fragment",
        "/v1/a b",
        "/v1/a\r\nHost: evil.example",
        "v1/a",
        "",
        "javascript:alert(1)",
    ],
)
def test_addresses_that_leave_the_server_are_refused(url: str) -> None:
    with pytest.raises(UnsafeAddress):
        same_origin_path(BASE, url)


def test_an_id_stays_one_segment_of_a_path() -> None:
    assert path_segment("a/b?c#d é") == "a%2Fb%3Fc%23d%20%C3%A9"
    for text in ("", ".", ".."):
        with pytest.raises(UnsafeAddress):
            path_segment(text)
