"""Opens the channels that are no PSA. It must not load what a channel that is not set needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from trueup.adapters.notifications.webhook import webhook_address
from trueup.domain.errors import InputInvalid
from trueup.domain.notices import ChannelName
from trueup.ports.clock import Clock
from trueup.ports.notices import NoticeChannel, WebhookAddress

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient


class OpenedChannels:
    """Implements NoticeChannels. ``topic`` is the ARN of the stack's topic, empty where there is none."""

    def __init__(self, *, topic: str, clock: Clock, allow_loopback: bool) -> None:
        self._topic = topic
        self._clock = clock
        self._allow_loopback = allow_loopback
        self._email: NoticeChannel | None = None

    def email(self) -> NoticeChannel | None:
        """See NoticeChannels.email."""
        if self._email is None and self._topic:
            from trueup.adapters.notifications.sns import TopicChannel

            self._email = TopicChannel(_open_sns, self._topic)
        return self._email

    def webhook_address(self, name: ChannelName, text: str) -> WebhookAddress:
        """See NoticeChannels.webhook_address."""
        return webhook_address(_with_webhook(name), text, allow_loopback=self._allow_loopback)

    def webhook(self, name: ChannelName, host: str, fields: Mapping[str, str]) -> NoticeChannel:
        """See NoticeChannels.webhook."""
        if _with_webhook(name) is ChannelName.SLACK:
            from trueup.adapters.notifications.slack import SlackChannel

            return SlackChannel(host, fields, clock=self._clock, allow_loopback=self._allow_loopback)
        from trueup.adapters.notifications.teams import TeamsChannel

        return TeamsChannel(host, fields, clock=self._clock, allow_loopback=self._allow_loopback)


def _open_sns(region: str) -> SNSClient:
    import boto3
    from botocore.config import Config

    once = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=10)
    return boto3.client("sns", region_name=region, config=once)


def _with_webhook(name: ChannelName) -> ChannelName:
    if not name.takes_webhook:
        raise InputInvalid(f"{name.value} takes no webhook", field="name", remedy="Name teams or slack.")
    return name
