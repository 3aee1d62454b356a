"""Posts one document to an incoming webhook whose address is itself the secret.

Method: the address is matched whole against the shapes that the two services document, and rebuilt from its parts; a
post is repeated only when it surely was not taken. It must not follow redirects, nor let any part of the path into an
error, a log or a representation.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Final

from trueup.adapters.http import BaseAddress, HttpClient, HttpReply, RetryRule
from trueup.adapters.outbound_address import checked_path
from trueup.adapters.pace import PROMPT_LIMITS
from trueup.adapters.redaction import printable
from trueup.domain.errors import NotConnected, RateLimited, RequestRefused, UnsafeAddress, VendorTrouble
from trueup.domain.notices import ChannelName
from trueup.ports.clock import Clock
from trueup.ports.notices import WebhookAddress

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SLACK = re.compile(
    r"https://(?P<host>hooks\.slack\.com|hooks\.slack-gov\.com)(?::443)?"
    r"(?P<path>/services/[A-Za-z0-9]{1,40}/[A-Za-z0-9]{1,40}/[A-Za-z0-9]{8,80})",
    re.ASCII,
)
_TEAMS = re.compile(
    rf"https://(?P<host>{_LABEL}\.webhook\.office\.com|(?:{_LABEL}\.){{1,4}}logic\.azure\.com"
    rf"|(?:{_LABEL}\.){{1,4}}environment\.api\.powerplatform\.com)(?::443)?"
    r"(?P<path>/(?:webhookb2|workflows|powerautomate/automations/direct/workflows)/[A-Za-z0-9@%&=?._~/-]{8,1500})",
    re.ASCII,
)
_LOOPBACK = re.compile(
    r"http://127\.0\.0\.1:(?P<port>[1-9][0-9]{0,4})(?P<path>/[A-Za-z0-9@%&=?._~/-]{8,1500})", re.ASCII
)
_SHAPES: Final = {
    ChannelName.SLACK: (_SLACK, "https://hooks.slack.com/services/...", "a Slack app's Incoming Webhooks page"),
    ChannelName.TEAMS: (
        _TEAMS,
        "https://....environment.api.powerplatform.com/..., https://....logic.azure.com/workflows/... or "
        "https://....webhook.office.com/webhookb2/...",
        "the workflow 'Post to a channel when a webhook request is received' in Teams",
    ),
}
"""Whole shapes. Slack documents its two hosts and ``/services/``. Workflows of Teams have had addresses at
``logic.azure.com`` and have them at ``environment.api.powerplatform.com`` since the end of 2025 (seen in the field);
``webhook.office.com`` is that of connectors, which Microsoft retires."""


def parse_webhook(name: ChannelName, text: str, *, allow_loopback: bool) -> tuple[BaseAddress, str]:
    """The server and the path of what somebody pasted. Raises UnsafeAddress, which never repeats it."""
    pattern, shape, where = _SHAPES[name]
    if allow_loopback:
        local = _LOOPBACK.fullmatch(text)
        if local is not None and int(local["port"]) <= 65535:
            return BaseAddress("http", "127.0.0.1", int(local["port"])), checked_path(local["path"])
    found = pattern.fullmatch(text.strip()) if len(text) <= 2_000 else None
    if found is None:
        raise UnsafeAddress(
            f"this is not the address of an incoming webhook of {name.value.capitalize()}",
            remedy=f"Copy it whole from {where}; it has the form {shape}.",
        )
    return BaseAddress("https", found["host"], None), checked_path(found["path"])


def webhook_address(name: ChannelName, text: str, *, allow_loopback: bool) -> WebhookAddress:
    """The same as it is kept: the server in the open, the path in the vault."""
    base, path = parse_webhook(name, text, allow_loopback=allow_loopback)
    return WebhookAddress(base.url, path)


class Webhook:
    """Posts to one address."""

    def __init__(
        self, name: ChannelName, host: str, fields: Mapping[str, str], *, clock: Clock, allow_loopback: bool
    ) -> None:
        """Raises NotConnected when there is no path, UnsafeAddress when what was kept is no such address."""
        path = fields.get("path", "")
        if not path:
            raise NotConnected(f"there is no address kept for {name.value}", remedy="Set the channel again.")
        base, self._path = parse_webhook(name, host + path, allow_loopback=allow_loopback)
        self._name = name
        # At DEBUG this library logs the path of every request.
        logging.getLogger("urllib3").setLevel(logging.INFO)
        open_path = self._path.partition("?")[0]
        self._client = HttpClient(
            base, integration=name.value, clock=clock, limits=PROMPT_LIMITS, reset_headers=(), secrets=(open_path,)
        )

    def __repr__(self) -> str:
        return f"Webhook({self._name.value}, hidden)"

    def post(self, document: object, refused: Callable[[HttpReply], str | None]) -> HttpReply:
        """Post it once. ``refused`` names why a reply that looks like success is none.

        Raises WriteOutcomeUnknown when it may have been taken; RequestRefused, RateLimited, UnsafeAddress (a redirect)
        or VendorUnavailable when it surely was not. The causes are cut off: the library's own errors hold the address.
        """
        trouble: VendorTrouble | UnsafeAddress
        with self._client as client:
            try:
                reply = client.send("POST", self._path, json_body=document, retry=RetryRule.UNSENT_ONLY)
            except (VendorTrouble, UnsafeAddress) as error:
                trouble = error
            else:
                problem = refused(reply) if reply.succeeded else self._said(reply)
                if problem is None:
                    return reply
                trouble = RequestRefused(
                    f"{self._name.value} did not take the message: {problem} (status {reply.status})",
                    integration=self._name.value,
                    status=reply.status,
                    remedy="Make a new webhook there if this one was removed or switched off, and set the channel "
                    "again with its address.",
                )
        if isinstance(trouble, RateLimited):
            trouble.remedy = "It is sent again with the next check; nothing is wrong."
        raise trouble from None

    def _said(self, reply: HttpReply) -> str:
        """The service's own word, short: ``no_service``, ``channel_is_archived``."""
        text = reply.body[:200].decode("utf-8", errors="replace").strip()
        return printable(text.replace(self._path, "[redacted]"), 80) or "no reason given"
