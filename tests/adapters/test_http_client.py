"""What the HTTP room sends, what it keeps from the machine, and what it lets into errors."""

import logging
import traceback

import pytest

from tests.adapters.scripted_server import json_reply, reply, scripted
from tests.fakes.clock import FakeClock
from trueup.adapters.clock import SystemClock
from trueup.adapters.http import BaseAddress, HttpClient, HttpLimits, HttpReply, Pace, RetryRule, redact
from trueup.domain.errors import ReplyUnreadable, TrueupError, UnsafeAddress, VendorUnavailable

OK = json_reply({"ok": True})
CANARY = "canary-5f2c9d"


def client_of(port: int, clock: FakeClock | None = None, **limits: int) -> HttpClient:
    return HttpClient(
        BaseAddress("http", "127.0.0.1", port),
        integration="vendor",
        clock=clock or FakeClock(),
        limits=HttpLimits(**limits),
    )


def test_query_headers_and_json_go_out_as_given() -> None:
    with scripted(OK) as server, client_of(server.port) as client:
        client.send(
            "POST",
            "/v1/a%2Fb?kept=1",
            query=[("conditions", 'identifier contains "M&S+ 100%"'), ("pageSize", "1000")],
            headers={"clientId": "abc"},
            json_body=[{"op": "replace", "path": "quantity", "value": 12}],
            retry=RetryRule.UNSENT_ONLY,
        )
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    line = head.split(b"\r\n")[0].decode()
    assert line == (
        "POST /v1/a%2Fb?kept=1&conditions=identifier%20contains%20%22M%26S%2B%20100%25%22&pageSize=1000 HTTP/1.1"
    )
    assert b"clientId: abc" in head
    assert b"Content-Type: application/json" in head
    assert b"Accept-Encoding: gzip\r\n" in head
    assert body == b'[{"op":"replace","path":"quantity","value":12}]'


def test_json_that_is_written_already_goes_out_byte_for_byte() -> None:
    written = b'[{"price": 12.3400, "share": 1E+3}]'
    with scripted(OK) as server, client_of(server.port) as client:
        client.send("POST", "/v1/a", json_body=written, retry=RetryRule.ONCE)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    assert body == written


def test_a_form_is_sent_as_a_form() -> None:
    with scripted(OK) as server, client_of(server.port) as client:
        client.send("POST", "/oauth/token", form={"client_id": "a b", "client_secret": "c&d"}, retry=RetryRule.SAFE)
    assert b"Content-Type: application/x-www-form-urlencoded" in server.requests[0]
    assert server.requests[0].endswith(b"client_id=a%20b&client_secret=c%26d")


def test_client_errors_are_returned_and_not_retried() -> None:
    for status in (400, 401, 403, 404, 405, 409, 418, 422):
        with scripted(reply(status, b"no", content_type="text/plain")) as server, client_of(server.port) as client:
            found = client.send("GET", "/a", retry=RetryRule.SAFE)
        assert (found.status, found.succeeded, found.body) == (status, False, b"no")
        assert len(server.requests) == 1


def test_a_read_tried_once_is_tried_once() -> None:
    with scripted(reply(500)) as server, client_of(server.port) as client, pytest.raises(VendorUnavailable):
        client.send("GET", "/a", retry=RetryRule.NEVER)
    assert len(server.requests) == 1


def test_a_reply_that_only_looks_final_can_be_called_trouble() -> None:
    def trouble(found: HttpReply) -> VendorUnavailable | None:
        passing = isinstance(document := found.json(), dict) and document.get("fail")
        return VendorUnavailable("it failed under 200", integration="vendor") if passing else None

    with scripted(json_reply({"fail": [1]}), OK) as server, client_of(server.port) as client:
        found = client.send("GET", "/a", retry=RetryRule.SAFE, find_passing_trouble=trouble)
    assert found.json() == {"ok": True}
    assert len(server.requests) == 2


def test_one_connection_serves_many_calls() -> None:
    with scripted(reply(404), OK, OK) as server, client_of(server.port) as client:
        for _ in range(5):
            client.send("GET", "/a", retry=RetryRule.SAFE)
    assert server.connections == 1


def test_cookies_of_a_vendor_are_not_kept() -> None:
    with (
        scripted(json_reply({}, headers=[("Set-Cookie", "session=1; Path=/")])) as server,
        client_of(server.port) as client,
    ):
        client.send("GET", "/a", retry=RetryRule.SAFE)
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert b"cookie" not in server.requests[1].lower()


def test_proxies_and_passwords_of_the_machine_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with scripted(OK) as proxy, scripted(OK) as server, client_of(server.port) as client:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("all_proxy", proxy.url)
        client.send("GET", "/a", retry=RetryRule.SAFE)
        assert proxy.requests == []
    assert b"authorization" not in server.requests[0].lower()


@pytest.mark.parametrize("path", ["", "a", "//evil.example/a", "/a/../b", "/a b", "/a\r\nX: y", "/a#b", "/é"])
def test_a_path_that_is_none_is_not_sent(path: str) -> None:
    with scripted(OK) as server, client_of(server.port) as client, pytest.raises(UnsafeAddress):
        client.send("GET", path, retry=RetryRule.SAFE)
    assert server.requests == []


@pytest.mark.parametrize("value", [f"{CANARY}\r\nX: y", f" {CANARY}", f"{CANARY}é", "", f"{CANARY}\x00"])
def test_a_header_that_could_be_read_otherwise_is_refused_without_showing_it(value: str) -> None:
    with scripted(OK) as server, client_of(server.port) as client, pytest.raises(UnsafeAddress) as caught:
        client.send("GET", "/a", headers={"Authorization": value}, retry=RetryRule.SAFE)
    assert server.requests == []
    assert CANARY not in "".join(traceback.format_exception(caught.value, chain=True))


@pytest.mark.fault("S9")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(500, CANARY.encode()), id="500"),
        pytest.param(reply(200, f'{{"a":"{CANARY}'.encode()), id="cut"),
        pytest.param(reply(200, CANARY.encode(), content_type="text/html"), id="html"),
        pytest.param(reply(302, b"", headers=[("Location", f"https://evil.example/{CANARY}")]), id="redirect"),
        pytest.param(f"{CANARY}\r\n\r\n".encode(), id="no HTTP"),
        pytest.param(reply(429, b"", headers=[("x-request-id", f"token={CANARY}")]), id="429"),
    ],
)
def test_S9_no_secret_and_no_outside_body_is_in_any_error_or_log(
    answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        scripted(answer) as server,
        client_of(server.port, attempts=2) as client,
        pytest.raises(TrueupError) as caught,
    ):
        client.send(
            "POST",
            "/oauth/token",
            form={"client_secret": CANARY},
            headers={"Authorization": f"Basic {CANARY}"},
            retry=RetryRule.SAFE,
        )
    told = "".join(traceback.format_exception(caught.value, chain=True))
    told += f"{caught.value!r} {caught.value.details()} {caught.value.remedy} {caplog.text}"
    assert CANARY not in told
    assert "Basic" not in told


@pytest.mark.fault("S9")
def test_S9_a_reply_does_not_show_its_body() -> None:
    with scripted(json_reply({"access_token": CANARY})) as server, client_of(server.port) as client:
        found = client.send("GET", "/a", retry=RetryRule.SAFE)
    assert CANARY in found.body.decode()
    assert CANARY not in repr(found)


@pytest.mark.fault("S9")
@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {CANARY}",
        f"Authorization: Basic {CANARY}==",
        f"{{'Authorization': 'Bearer {CANARY}'}}",
        f'"client_secret":"{CANARY}"',
        f"grant_type=client_credentials&client_secret={CANARY}&x=1",
        f"access_token = {CANARY}",
        f"https://user:{CANARY}@host/path",
        f"private_key: {CANARY}",
        f"passphrase={CANARY};",
        f"got basic {CANARY} instead",
    ],
)
def test_S9_redaction_finds_credentials_in_words(text: str) -> None:
    assert CANARY not in redact(text)


def test_redaction_replaces_known_secrets_and_leaves_words_alone() -> None:
    assert redact(f"it said {CANARY}!", [CANARY]) == "it said [redacted]!"
    assert redact("company 12 has 4 lines") == "company 12 has 4 lines"


def test_the_pace_spaces_requests_and_holds_back_everybody() -> None:
    clock = FakeClock()
    pace = Pace(requests_per_second=4, parallel=2)
    begun = []
    for _ in range(3):
        with pace.turn(clock):
            begun.append(clock.monotonic_seconds())
    pace.hold_back(clock, 10)
    with pace.turn(clock):
        begun.append(clock.monotonic_seconds())
    assert begun == [0.0, 0.25, 0.5, 10.5]


def test_a_wait_that_a_vendor_asks_for_holds_back_the_whole_pace() -> None:
    clock = FakeClock()
    with scripted(reply(429, headers=[("Retry-After", "3")]), OK) as server:
        base = BaseAddress("http", "127.0.0.1", server.port)
        pace = Pace(requests_per_second=1_000, parallel=1)
        with HttpClient(base, integration="vendor", clock=clock, pace=pace, jitter=lambda: 0.0) as client:
            client.send("GET", "/a", retry=RetryRule.SAFE)
            assert clock.monotonic_seconds() == pytest.approx(3.0, abs=0.01)
            client.send("GET", "/a", retry=RetryRule.SAFE)
    assert clock.monotonic_seconds() == pytest.approx(3.0, abs=0.01)


def test_the_system_clock_is_aware_and_does_not_wait_for_nothing() -> None:
    clock = SystemClock()
    before = clock.monotonic_seconds()
    clock.sleep(-5)
    clock.sleep(0)
    assert clock.now().utcoffset() is not None
    assert clock.monotonic_seconds() >= before


def test_a_reply_of_another_type_is_not_read_as_json() -> None:
    with scripted(reply(404, b"{}", content_type="text/html")) as server, client_of(server.port) as client:
        found = client.send("GET", "/a", retry=RetryRule.SAFE)
    with pytest.raises(ReplyUnreadable):
        found.json()
