"""The transport faults T1 to T24 as the HTTP room meets them, byte by byte over real sockets."""

import datetime
import gzip
import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.adapters.scripted_server import (
    Answer,
    ScriptedServer,
    dripped,
    json_reply,
    reply,
    scripted,
    silence,
    then_close,
    then_reset,
)
from tests.fakes.clock import DEFAULT_START, FakeClock
from trueup.adapters.clock import SystemClock
from trueup.adapters.http import BaseAddress, HttpClient, HttpLimits, RetryRule
from trueup.domain.errors import (
    RateLimited,
    ReplyTooLarge,
    ReplyUnreadable,
    UnsafeAddress,
    VendorUnavailable,
    WriteOutcomeUnknown,
)

OK = json_reply({"ok": True})


def client_of(server: ScriptedServer, clock: FakeClock | None = None, **limits: float) -> HttpClient:
    base = BaseAddress("http", "127.0.0.1", server.port)
    return HttpClient(
        base,
        integration="vendor",
        clock=clock or FakeClock(),
        limits=HttpLimits(**limits),  # type: ignore[arg-type]
        jitter=lambda: 0.0,
    )


@contextmanager
def talking(
    *answers: Answer, clock: FakeClock | None = None, **limits: float
) -> Iterator[tuple[ScriptedServer, HttpClient]]:
    with scripted(*answers) as server, client_of(server, clock, **limits) as client:
        yield server, client


@pytest.mark.fault("T1")
def test_T1_retry_after_seconds_is_waited_for() -> None:
    clock = FakeClock()
    with talking(reply(429, headers=[("Retry-After", "7")]), OK, clock=clock) as (server, client):
        assert client.send("GET", "/a", retry=RetryRule.SAFE).json() == {"ok": True}
    assert clock.sleeps == [7.0]
    assert len(server.requests) == 2


@pytest.mark.fault("T1")
def test_T1_jitter_is_added_and_never_shortens_the_wait() -> None:
    clock = FakeClock()
    with scripted(reply(429, headers=[("Retry-After", "7")]), OK) as server:
        base = BaseAddress("http", "127.0.0.1", server.port)
        with HttpClient(base, integration="vendor", clock=clock, jitter=lambda: 0.5) as client:
            client.send("GET", "/a", retry=RetryRule.SAFE)
    assert clock.sleeps == [7.25]


@pytest.mark.fault("T1")
def test_T1_a_wait_that_does_not_fit_is_handed_up_and_not_begun() -> None:
    clock = FakeClock()
    answer = reply(429, headers=[("Retry-After", "300"), ("x-request-id", "r-1")])
    with (
        talking(answer, clock=clock, wait_budget_seconds=60) as (server, client),
        pytest.raises(RateLimited) as caught,
    ):
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert caught.value.wait_seconds == 300
    assert caught.value.request_id == "r-1"
    assert clock.sleeps == []
    assert len(server.requests) == 1


@pytest.mark.fault("T1")
def test_T1_a_write_is_sent_again_after_429_because_it_was_not_carried_out() -> None:
    with talking(reply(429, headers=[("Retry-After", "1")]), OK) as (server, client):
        client.send("PATCH", "/a", json_body=[{"op": "replace"}], retry=RetryRule.UNSENT_ONLY)
    assert len(server.requests) == 2


@pytest.mark.fault("T2")
@pytest.mark.parametrize(
    ("text", "waited"),
    [
        (format_datetime(DEFAULT_START + datetime.timedelta(seconds=9), usegmt=True), [9.0]),
        (format_datetime(DEFAULT_START - datetime.timedelta(hours=1), usegmt=True), []),
        ("-5", []),
        ("0", []),
        ("1.5", [1.5]),
        ("abc", [0.25]),
        ("", [0.25]),
        ("Sun, 99 Foo 2026 99:99:99 GMT", [0.25]),
    ],
)
def test_T2_retry_after_in_every_form(text: str, waited: list[float]) -> None:
    clock = FakeClock()
    with talking(reply(429, headers=[("Retry-After", text)]), OK, clock=clock) as (_, client):
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert clock.sleeps == waited


@pytest.mark.fault("T2")
@pytest.mark.parametrize("text", ["1000000000", "999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_T2_an_absurd_wait_is_cut_to_a_quarter_of_an_hour(text: str) -> None:
    clock = FakeClock()
    answer = reply(429, headers=[("Retry-After", text)])
    with talking(answer, OK, clock=clock, wait_budget_seconds=1_000) as (_, client):
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert clock.sleeps == [900.0]


@pytest.mark.fault("P17")
@pytest.mark.parametrize("ahead", [datetime.timedelta(days=40), datetime.timedelta(hours=-3)])
def test_P17_a_moment_to_wait_for_is_on_the_clock_of_whoever_named_it(ahead: datetime.timedelta) -> None:
    theirs = DEFAULT_START + ahead
    moments = (theirs, theirs + datetime.timedelta(seconds=9))
    sent, after = (format_datetime(moment, usegmt=True) for moment in moments)
    clock = FakeClock()
    with talking(reply(429, headers=[("Date", sent), ("Retry-After", after)]), OK, clock=clock) as (_, client):
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert clock.sleeps == [9.0]


@pytest.mark.fault("T3")
@pytest.mark.parametrize(
    ("value", "waited"),
    [
        ("2750", 2.75),
        ("1", 0.001),
        (str(int(DEFAULT_START.timestamp()) + 12), 12.0),
        (str((int(DEFAULT_START.timestamp()) + 12) * 1000), 12.0),
        ("soon", 0.25),
        ("-4", 0.25),
    ],
)
def test_T3_rate_limit_reset_is_milliseconds(value: str, waited: float) -> None:
    clock = FakeClock()
    with talking(reply(429, headers=[("X-RateLimit-Reset", value)]), OK, clock=clock) as (_, client):
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert clock.sleeps == [pytest.approx(waited)]


@pytest.mark.fault("T3")
def test_T3_the_reset_header_of_a_good_reply_delays_nothing() -> None:
    clock = FakeClock()
    with talking(json_reply({}, headers=[("X-RateLimit-Reset", "5000")]), clock=clock) as (_, client):
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert clock.sleeps == []


@pytest.mark.fault("T4")
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_T4_a_server_error_is_retried_with_growing_waits_then_told(status: int) -> None:
    clock = FakeClock()
    with (
        talking(reply(status), clock=clock, attempts=4) as (server, client),
        pytest.raises(VendorUnavailable) as caught,
    ):
        client.send("GET", "/page?n=3", retry=RetryRule.SAFE)
    assert caught.value.status == status
    assert clock.sleeps == [0.25, 0.5, 1.0]
    assert all(request.startswith(b"GET /page?n=3 ") for request in server.requests)
    assert len(server.requests) == 4


@pytest.mark.fault("T4")
def test_T4_503_with_retry_after_is_obeyed_and_handed_up_when_it_does_not_fit() -> None:
    clock = FakeClock()
    with (
        talking(reply(503, headers=[("Retry-After", "600")]), clock=clock) as (_, client),
        pytest.raises(RateLimited) as caught,
    ):
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert (caught.value.status, caught.value.wait_seconds) == (503, 600)


@pytest.mark.fault("T5")
def test_T5_a_read_that_times_out_is_asked_again_in_the_same_words() -> None:
    with talking(silence, OK, read_timeout_seconds=0.1) as (server, client):
        assert client.send("GET", "/page", query={"token": "abc"}, retry=RetryRule.SAFE).json() == {"ok": True}
    assert [request.split(b"\r\n")[0] for request in server.requests] == [b"GET /page?token=abc HTTP/1.1"] * 2


@pytest.mark.fault("T6")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(silence, id="timeout"),
        pytest.param(reply(500), id="500"),
        pytest.param(reply(503, headers=[("Retry-After", "1")]), id="503"),
        pytest.param(then_close(b""), id="closed"),
        pytest.param(then_reset(b"HTTP/1.1 20"), id="reset"),
        pytest.param(then_close(reply(200, b'{"a":1}', length=99)), id="cut body"),
    ],
)
@pytest.mark.parametrize("rule", [RetryRule.UNSENT_ONLY, RetryRule.ONCE])
def test_T6_a_write_with_an_open_outcome_is_never_sent_again(answer: Answer, rule: RetryRule) -> None:
    clock = FakeClock()
    with (
        talking(answer, OK, clock=clock, read_timeout_seconds=0.1) as (server, client),
        pytest.raises(WriteOutcomeUnknown),
    ):
        client.send("PATCH", "/line/1", json_body=[], retry=rule)
    assert len(server.requests) == 1
    assert clock.sleeps == []


def test_a_write_that_may_go_once_is_not_sent_again_after_a_wait_either() -> None:
    clock = FakeClock()
    with (
        talking(reply(429, headers=[("Retry-After", "3")]), OK, clock=clock) as (server, client),
        pytest.raises(RateLimited) as caught,
    ):
        client.send("PATCH", "/line/1", json_body=[], retry=RetryRule.ONCE)
    assert (len(server.requests), clock.sleeps, caught.value.wait_seconds) == (1, [], 3)


@pytest.mark.fault("T6")
def test_T6_a_write_that_found_no_connection_is_sent_again() -> None:
    with scripted(OK) as server:
        port = server.port
    clock = FakeClock()
    with (
        HttpClient(BaseAddress("http", "127.0.0.1", port), integration="vendor", clock=clock) as client,
        pytest.raises(VendorUnavailable),
    ):
        client.send("PATCH", "/line/1", json_body=[], retry=RetryRule.UNSENT_ONLY)
    assert len(clock.sleeps) == 4


@pytest.mark.fault("T7")
@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(then_reset(reply(200, b'{"rows":[1,2', length=4_000)), id="reset in the body"),
        pytest.param(then_close(reply(200, b'{"rows":[1,2]}', length=4_000)), id="content-length too long"),
        pytest.param(reply(200, b'{"rows":[1,2'), id="truncated JSON"),
        pytest.param(
            then_close(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b'{"rows":[1'), id="no length"
        ),
        pytest.param(
            then_close(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                b'a\r\n{"rows":[1\r\n'
            ),
            id="chunks end early",
        ),
        pytest.param(then_close(b"HTTP/1.1 200 OK\r\nContent-Ty"), id="headers end early"),
        pytest.param(then_close(b"not http at all\r\n\r\n"), id="no HTTP"),
    ],
)
def test_T7_a_broken_body_is_thrown_away_and_read_again(broken: Answer) -> None:
    with talking(broken, json_reply({"rows": [1, 2, 3]})) as (server, client):
        assert client.send("GET", "/a", retry=RetryRule.SAFE).json() == {"rows": [1, 2, 3]}
    assert len(server.requests) == 2


@pytest.mark.fault("T7")
def test_T7_a_body_that_stays_broken_is_an_error() -> None:
    with (
        talking(reply(200, b'{"rows":[1,2'), attempts=3) as (server, client),
        pytest.raises(ReplyUnreadable, match="not whole JSON"),
    ):
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert len(server.requests) == 3


@pytest.mark.fault("T8")
def test_T8_an_html_page_is_no_answer() -> None:
    page = reply(200, b"<html>Sign in, secret-canary</html>", content_type="text/html; charset=utf-8")
    with talking(page, attempts=2) as (_, client), pytest.raises(ReplyUnreadable, match="not JSON") as caught:
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert "secret-canary" not in str(caught.value)


@pytest.mark.fault("T8")
def test_T8_json_under_a_foreign_content_type_is_no_answer() -> None:
    with (
        talking(reply(200, b"[]", content_type="text/plain"), attempts=1) as (_, client),
        pytest.raises(ReplyUnreadable),
    ):
        client.send("GET", "/a", retry=RetryRule.SAFE)


@pytest.mark.fault("T10")
@pytest.mark.parametrize(
    "empty",
    [
        reply(200, b""),
        reply(200, b"  \n"),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        reply(200, b"", content_type=None),
    ],
)
def test_T10_an_empty_body_is_an_error_where_data_is_due(empty: bytes) -> None:
    with talking(empty, attempts=2) as (_, client), pytest.raises(ReplyUnreadable):
        client.send("GET", "/a", retry=RetryRule.SAFE)


@pytest.mark.fault("T11")
def test_T11_a_gzip_bomb_stops_at_the_cap() -> None:
    bomb = gzip.compress(b"[" + b" " * 30_000_000 + b"]")
    answer = reply(200, bomb, headers=[("Content-Encoding", "gzip")])
    assert len(bomb) < 100_000
    with talking(answer) as (server, client), pytest.raises(ReplyTooLarge):
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert len(server.requests) == 1


@pytest.mark.fault("T11")
def test_T11_a_huge_body_is_refused_by_its_announced_length_and_by_its_bytes() -> None:
    with talking(reply(200, b"[", length=200_000_000)) as (_, client), pytest.raises(ReplyTooLarge):
        client.send("GET", "/a", retry=RetryRule.SAFE)
    unannounced = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * 300_000
    with talking(then_close(unannounced), body_bytes=200_000) as (_, client), pytest.raises(ReplyTooLarge):
        client.send("GET", "/a", retry=RetryRule.SAFE)


@pytest.mark.fault("T11")
def test_T11_a_body_of_exactly_the_cap_is_read() -> None:
    body = b'"' + b"a" * 998 + b'"'
    with talking(reply(200, body), body_bytes=1_000) as (_, client):
        assert client.send("GET", "/a", retry=RetryRule.SAFE).body == body


def certificate(folder: Path, *, host: str, expired: bool) -> ssl.SSLContext:
    """A server context with a certificate that no one has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    start, end = now - datetime.timedelta(days=9), now + datetime.timedelta(days=-1 if expired else 9)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@pytest.mark.fault("T19")
@pytest.mark.parametrize(("host", "expired"), [("localhost", False), ("other.example", False), ("localhost", True)])
@pytest.mark.parametrize("rule", [RetryRule.SAFE, RetryRule.UNSENT_ONLY])
def test_T19_a_certificate_that_is_not_accepted_ends_the_call_at_once(
    tmp_path: Path, host: str, expired: bool, rule: RetryRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in the environment may switch verification off or trust more than the shipped authorities."""
    context = certificate(tmp_path, host=host, expired=expired)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "server.pem"))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "server.pem"))
    clock = FakeClock()
    with scripted(OK, context=context) as server:
        base = BaseAddress("https", "127.0.0.1", server.port)
        with (
            HttpClient(base, integration="vendor", clock=clock) as client,
            pytest.raises(VendorUnavailable, match="TLS"),
        ):
            client.send("POST", "/a", headers={"Authorization": "Bearer canary"}, retry=rule)
    assert server.requests == []
    assert clock.sleeps == []


@pytest.mark.fault("T20")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_T20_a_redirect_is_refused_and_the_credential_goes_nowhere(status: int) -> None:
    with scripted(OK) as elsewhere:
        answer = reply(status, b"", headers=[("Location", f"{elsewhere.url}/take")])
        with talking(answer) as (server, client), pytest.raises(UnsafeAddress, match="redirect"):
            client.send("GET", "/a", headers={"Authorization": "Bearer canary"}, retry=RetryRule.SAFE)
        assert elsewhere.requests == []
    assert len(server.requests) == 1


@pytest.mark.fault("T21")
def test_T21_a_name_that_does_not_resolve_is_tried_again_then_told() -> None:
    clock = FakeClock()
    base = BaseAddress("https", "no-such-host.invalid", None)
    with HttpClient(base, integration="vendor", clock=clock, jitter=lambda: 0.0) as client:
        with pytest.raises(VendorUnavailable, match="vendor could not be reached"):
            client.send("GET", "/a", retry=RetryRule.SAFE)
        with pytest.raises(VendorUnavailable):
            client.send("PATCH", "/a", json_body=[], retry=RetryRule.UNSENT_ONLY)
    assert clock.sleeps == [0.25, 0.5, 1.0, 2.0] * 2


@pytest.mark.fault("T22")
def test_T22_a_body_that_drips_meets_the_total_deadline() -> None:
    """The clock ticks a second at each reading, so 20 drops are 20 seconds; no single wait meets the read timeout."""
    clock = FakeClock(tick_seconds=1.0)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n"
    drip = dripped(head, b" " * 2_000, 0.001)
    with (
        talking(drip, clock=clock, total_seconds=20, attempts=1) as (_, client),
        pytest.raises(VendorUnavailable, match="longer than 20 seconds"),
    ):
        client.send("GET", "/a", retry=RetryRule.SAFE)


@pytest.mark.fault("T22")
def test_T22_a_call_that_has_dripped_its_time_away_is_not_begun_again() -> None:
    clock = FakeClock(tick_seconds=1.0)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n"
    drip = dripped(head, b" " * 2_000, 0.001)
    with talking(drip, OK, clock=clock) as (server, client), pytest.raises(VendorUnavailable, match="60 seconds"):
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert (len(server.requests), clock.sleeps) == (1, [])


@pytest.mark.fault("T22")
def test_T22_headers_that_drip_meet_the_deadline_too() -> None:
    drip = dripped(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a" * 2_000, 0.02)
    with scripted(drip) as server:
        limits = HttpLimits(total_seconds=0.3, attempts=1, read_timeout_seconds=5)
        base = BaseAddress("http", "127.0.0.1", server.port)
        with (
            HttpClient(base, integration="vendor", clock=SystemClock(), limits=limits) as client,
            pytest.raises(VendorUnavailable),
        ):
            client.send("GET", "/a", retry=RetryRule.SAFE)


@pytest.mark.fault("T23")
def test_T23_a_vendor_that_is_down_costs_a_bounded_number_of_calls() -> None:
    """Every call ends by itself in bounded time, so that a day without the vendor is a failed read and nothing else."""
    clock = FakeClock()
    with talking(reply(503), clock=clock) as (server, client), pytest.raises(VendorUnavailable):
        client.send("GET", "/a", retry=RetryRule.SAFE)
    assert len(server.requests) == HttpLimits().attempts
    assert sum(clock.sleeps) < HttpLimits().wait_budget_seconds


@pytest.mark.fault("T24")
def test_T24_a_deprecation_header_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    headers = [("Sunset", "Sat, 31 Dec 2033 23:59:59 GMT"), ("Deprecation", "@1893456000\x07")]
    with (
        talking(json_reply({"ok": True, "newField": [1]}, headers=headers)) as (_, client),
        caplog.at_level(logging.WARNING, logger="trueup"),
    ):
        for _ in range(3):
            assert client.send("GET", "/v1/a?token=canary", retry=RetryRule.SAFE).succeeded
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1
    assert "/v1/a" in messages[0]
    assert "Sunset=Sat, 31 Dec 2033" in messages[0]
    assert "canary" not in messages[0]
    assert "\x07" not in messages[0]


def test_threads_share_one_client() -> None:
    answers = [json_reply({"n": number}) for number in range(40)]
    found: list[object] = []
    with talking(*answers) as (server, client):
        threads = [
            threading.Thread(target=lambda: found.append(client.send("GET", "/a", retry=RetryRule.SAFE).json()))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=10)
    assert len(found) == 20
    assert len(server.requests) == 20
