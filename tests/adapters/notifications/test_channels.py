"""What every channel must do: send once, say surely or perhaps, keep names text, and keep its secret."""

from __future__ import annotations

import pytest

from tests.adapters.notifications.channel_subjects import KINDS, ChannelKind, on_a_server
from tests.adapters.scripted_server import reply, then_close, then_reset
from tests.domain.test_notices import HOSTILE, OURS, notice
from tests.fakes.clock import FakeClock
from trueup.domain.errors import TrueupError, VendorUnavailable, WriteOutcomeUnknown
from trueup.domain.notices import NoticeLine


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> ChannelKind:
    return KINDS[request.param]


def test_a_notice_is_sent_with_one_request(kind: ChannelKind) -> None:
    with on_a_server(kind, [kind.accepts]) as (channel, server):
        assert channel.send(notice(NoticeLine("Harbor Dental", "Client")), OURS) == kind.reference
        assert len(server.requests) == 1
        told = kind.told(server.requests[0])
        assert "Trueup acme-msp: something happened" in told
        assert "Harbor Dental" in told
        assert "https://trueup.acme.example/plan?id=plan-1" in told


def test_a_refusal_is_a_sure_failure(kind: ChannelKind) -> None:
    with on_a_server(kind, [kind.refuses]) as (channel, server):
        with pytest.raises(TrueupError) as refused:
            channel.send(notice(), OURS)
        assert not isinstance(refused.value, WriteOutcomeUnknown)
        assert len(server.requests) == 1
        assert refused.value.remedy


@pytest.mark.parametrize(
    "answer", [then_close(b""), then_reset(b"HTTP/1.1 200 OK\r\n"), reply(502, b"", content_type=None)]
)
def test_a_lost_reply_is_no_failure_and_no_success_and_nothing_is_repeated(kind: ChannelKind, answer: object) -> None:
    with on_a_server(kind, [answer]) as (channel, server):  # type: ignore[list-item]
        with pytest.raises(WriteOutcomeUnknown):
            channel.send(notice(), OURS)
        assert len(server.requests) == 1


def test_where_nobody_listens_it_surely_was_not_sent(kind: ChannelKind) -> None:
    with on_a_server(kind, [kind.accepts]) as (_channel, server):
        url = server.url
    with pytest.raises(VendorUnavailable):
        kind.open_on(url, FakeClock()).send(notice(), OURS)


def test_a_redirect_is_not_followed(kind: ChannelKind) -> None:
    with on_a_server(kind, [kind.accepts]) as (_channel, other):
        redirect = reply(302, b"", content_type=None, headers=[("Location", f"{other.url}/elsewhere")])
        with on_a_server(kind, [redirect]) as (channel, _server):
            with pytest.raises(TrueupError):
                channel.send(notice(), OURS)
            assert other.requests == []


def test_no_error_and_no_representation_shows_the_secret(kind: ChannelKind, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    said = reply(404, f"there is nothing at {kind.secret}".encode(), content_type="text/plain")
    noted = reply(200, b"ok", content_type="text/plain", headers=[("Deprecation", "true")])
    for answer in (kind.refuses, said, noted, then_close(b""), reply(302, b"", content_type=None)):
        with on_a_server(kind, [answer]) as (channel, _server):
            shown = repr(channel)
            if answer is not noted or not kind.name.takes_webhook:
                with pytest.raises(TrueupError) as raised:
                    channel.send(notice(), OURS)
                trouble = raised.value
                shown += f"{trouble!r} {trouble.message} {trouble.remedy} {trouble.details()} {trouble.__cause__!r}"
                assert trouble.__suppress_context__, "the library's own error may hold the address"
            else:
                channel.send(notice(), OURS)
            assert kind.secret not in shown
            assert kind.secret.partition("?")[0] not in shown
    if kind.name.takes_webhook:
        assert kind.secret.partition("?")[0] not in caplog.text


def test_hostile_names_arrive_as_text(kind: ChannelKind) -> None:
    with on_a_server(kind, [kind.accepts]) as (channel, server):
        channel.send(notice(NoticeLine(HOSTILE, HOSTILE), subject=HOSTILE), OURS)
        told = kind.told(server.requests[0])
        assert "\r" not in told
        assert "\u202e" not in told
        assert not any(line.startswith("Bcc:") for line in told.splitlines())


def test_a_notice_of_any_length_is_taken(kind: ChannelKind) -> None:
    with on_a_server(kind, [kind.accepts]) as (channel, server):
        channel.send(notice(*(NoticeLine("\U0001d518" * 5_000, "label") for _ in range(500))), OURS)
        assert len(server.requests[0]) < 256 * 1024


def test_a_channel_cannot_be_searched(kind: ChannelKind) -> None:
    with on_a_server(kind, [kind.accepts]) as (channel, server):
        assert channel.find(notice(), OURS) is None
        assert server.requests == []
