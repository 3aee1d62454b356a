"""Each channel on a server of its own on this machine, for the suite that all of them must pass."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs

import boto3
from botocore.config import Config

from tests.adapters.scripted_server import Answer, ScriptedServer, reply, scripted
from tests.fakes.clock import FakeClock
from trueup.adapters.notifications.slack import SlackChannel
from trueup.adapters.notifications.sns import TopicChannel
from trueup.adapters.notifications.teams import TeamsChannel
from trueup.domain.notices import ChannelName
from trueup.ports.notices import NoticeChannel

SLACK_PATH = "/services/T0EXAMPLE/B0EXAMPLE/sEcReTsEcReTsEcReTsEc"
TEAMS_PATH = "/workflows/0123456789abcdef/triggers/manual/paths/invoke?api-version=1&sig=sEcReTsEcReTsEc"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:trueup-acme-notices"
_PUBLISHED = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
    b"<MessageId>94f20ce6-13c5</MessageId></PublishResult></PublishResponse>"
)
_REFUSED = (
    b'<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>'
    b"<Code>AuthorizationError</Code><Message>not allowed on arn:secret</Message></Error></ErrorResponse>"
)


def _xml(status: int, body: bytes) -> bytes:
    return reply(status, body, content_type="text/xml")


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """How a channel is opened on a server, what the server answers, and what it was told in a request."""

    name: ChannelName
    accepts: bytes
    refuses: bytes
    reference: str
    secret: str
    open_on: Callable[[str, FakeClock], NoticeChannel]
    told: Callable[[bytes], str]


def _body(request: bytes) -> bytes:
    return request.partition(b"\r\n\r\n")[2]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _json_text(request: bytes) -> str:
    return "\n".join(_strings(json.loads(_body(request))))


def _form_text(request: bytes) -> str:
    form = parse_qs(_body(request).decode())
    return f"{form['Subject'][0]}\n{form['Message'][0]}"


def _sns(url: str, _clock: FakeClock) -> NoticeChannel:
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=2)

    def open_client(region: str):  # type: ignore[no-untyped-def]
        return boto3.client(
            "sns",
            region_name=region,
            endpoint_url=url,
            config=once,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 - nobody's
        )

    return TopicChannel(open_client, TOPIC)


KINDS: dict[str, ChannelKind] = {
    "slack": ChannelKind(
        ChannelName.SLACK,
        reply(200, b"ok", content_type="text/html"),
        reply(404, b"no_service", content_type="text/html"),
        "",
        SLACK_PATH,
        lambda url, clock: SlackChannel(url, {"path": SLACK_PATH}, clock=clock, allow_loopback=True),
        _json_text,
    ),
    "teams": ChannelKind(
        ChannelName.TEAMS,
        reply(202, b"", content_type=None, headers=[("x-ms-workflow-run-id", "08584")]),
        reply(401, b'{"error":{"code":"DirectApiAuthorizationRequired"}}'),
        "08584",
        TEAMS_PATH,
        lambda url, clock: TeamsChannel(url, {"path": TEAMS_PATH}, clock=clock, allow_loopback=True),
        _json_text,
    ),
    "email": ChannelKind(
        ChannelName.EMAIL, _xml(200, _PUBLISHED), _xml(403, _REFUSED), "94f20ce6-13c5", "arn:secret", _sns, _form_text
    ),
}


@contextmanager
def on_a_server(kind: ChannelKind, answers: Sequence[Answer]) -> Iterator[tuple[NoticeChannel, ScriptedServer]]:
    """The channel on a server that answers so."""
    with scripted(*answers) as server:
        channel = kind.open_on(server.url, FakeClock())
        try:
            yield channel, server
        finally:
            if isinstance(channel, TopicChannel) and channel._client is not None:
                channel._client.close()  # Its connection would be kept, and the server waits for that.


def markup(text: str) -> list[str]:
    """What Slack or Teams would read as a mention or a link in ``mrkdwn`` or Markdown."""
    return re.findall(r"<[!@#][^>]*>|\[[^\]]*\]\([^)]*\)", text)
