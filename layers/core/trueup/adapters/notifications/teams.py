"""Notices in Microsoft Teams, as an Adaptive Card through a workflow's webhook.

All text stands in ``TextRun`` elements of a ``RichTextBlock``, which know no Markdown: in a ``TextBlock`` or a
``FactSet`` a client's name could be a link. The card names nobody in ``msteams.entities``, so no text is a mention.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from trueup.adapters.http import HttpReply
from trueup.adapters.notifications.webhook import Webhook
from trueup.adapters.redaction import printable
from trueup.domain.notice_text import LINES_MAXIMUM, links_of, one_line, subject_line
from trueup.domain.notices import ChannelName, Letterhead, Notice, NoticeLine, Severity
from trueup.ports.clock import Clock

CARD_VERSION: Final = "1.4"
DOCUMENT_BYTES_MAXIMUM: Final = 24_000
"""Microsoft documents 28 KB for what a webhook posts."""

_COLORS: Final = {Severity.INFORMATION: "Default", Severity.ACTION: "Warning", Severity.PROBLEM: "Attention"}


def teams_document(notice: Notice, letterhead: Letterhead) -> dict[str, Any]:
    """What is posted: a message with one card, cut to what Teams takes."""
    shown = min(len(notice.lines), LINES_MAXIMUM)
    document = _document(notice, letterhead, shown)
    while shown and len(json.dumps(document).encode()) > DOCUMENT_BYTES_MAXIMUM:
        shown //= 2
        document = _document(notice, letterhead, shown)
    return document


def _document(notice: Notice, letterhead: Letterhead, shown: int) -> dict[str, Any]:
    heading = subject_line(notice, letterhead, 200)
    body = [_block({"text": heading, "weight": "Bolder", "size": "Medium", "color": _COLORS[notice.severity]})]
    body += [_line(line) for line in notice.lines[:shown] if line.words]
    if shown < len(notice.lines):
        body.append(_block({"text": f"{len(notice.lines) - shown} more lines are in Trueup.", "isSubtle": True}))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": CARD_VERSION,
        "fallbackText": heading,
        "body": body,
    }
    links = links_of(notice, letterhead)
    if links:
        card["actions"] = [
            {"type": "Action.OpenUrl", "title": one_line(link.label, 60), "url": address} for link, address in links
        ]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _line(line: NoticeLine) -> dict[str, Any]:
    if not line.label:
        return _block({"text": one_line(line.text)})
    return _block({"text": f"{one_line(line.label)}: ", "weight": "Bolder"}, {"text": one_line(line.text)})


def _block(*runs: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run} for run in runs]}


class TeamsChannel:
    """Implements NoticeChannel."""

    def __init__(self, host: str, fields: Mapping[str, str], *, clock: Clock, allow_loopback: bool) -> None:
        self._webhook = Webhook(ChannelName.TEAMS, host, fields, clock=clock, allow_loopback=allow_loopback)
        self._is_connector = host.endswith(".webhook.office.com")

    def send(self, notice: Notice, letterhead: Letterhead) -> str:
        """See NoticeChannel.send. A workflow answers 202 when it took the message; it posts it by itself after that,
        and tells nobody but its owner when it cannot."""
        reply = self._webhook.post(teams_document(notice, letterhead), self._refused)
        return printable(reply.headers.get("x-ms-workflow-run-id"), 60) or ""

    def find(self, notice: Notice, letterhead: Letterhead) -> str | None:
        """See NoticeChannel.find: a webhook can only post."""
        return None

    def _refused(self, reply: HttpReply) -> str | None:
        """A connector answers 200 and ``1`` for success, and 200 with a sentence for a failure (seen in the field)."""
        if not self._is_connector or reply.body.strip() == b"1":
            return None
        return printable(reply.body[:200].decode("utf-8", errors="replace"), 100) or "an empty answer"
