"""Notices in Slack, as Block Kit through an incoming webhook.

Names stand in ``plain_text`` objects, where Slack reads no markup and no mention; what has to be ``mrkdwn`` is escaped
as Slack documents it (``&``, ``<`` and ``>``), so that nobody can call a whole channel by a client's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trueup.adapters.http import HttpReply
from trueup.adapters.notifications.webhook import Webhook
from trueup.domain.notice_text import body_lines, links_of, one_line, subject_line
from trueup.domain.notices import ChannelName, Letterhead, Notice
from trueup.ports.clock import Clock

HEADER_CHARACTERS_MAXIMUM: Final = 150
SECTION_CHARACTERS_MAXIMUM: Final = 2_900
SECTIONS_MAXIMUM: Final = 4
"""Slack documents 150 characters for a header and 3,000 for a section. All blocks together have been seen refused above
about 13,000 characters, which is documented nowhere."""


def escaped(text: str) -> str:
    """``text`` as ``mrkdwn`` that says exactly that."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack_document(notice: Notice, letterhead: Letterhead) -> dict[str, Any]:
    """What is posted."""
    heading = subject_line(notice, letterhead, HEADER_CHARACTERS_MAXIMUM)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": heading, "emoji": False}},
        *(
            {"type": "section", "text": {"type": "plain_text", "text": section, "emoji": False}}
            for section in _sections(body_lines(notice))
        ),
    ]
    links = "  ".join(
        f"<{escaped(address)}|{escaped(one_line(link.label, 60)).replace('|', ' ')}>"
        for link, address in links_of(notice, letterhead)
    )
    if links:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": links, "verbatim": True}})
    # The text beside the blocks is what a phone shows before the message is opened.
    return {"text": escaped(heading), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _sections(lines: tuple[str, ...]) -> list[str]:
    sections: list[str] = []
    for line in lines:
        if not line:
            continue
        if sections and len(sections[-1]) + 1 + len(line) <= SECTION_CHARACTERS_MAXIMUM:
            sections[-1] += f"\n{line}"
        elif len(sections) < SECTIONS_MAXIMUM:
            sections.append(line)
        else:
            sections[-1] = f"{sections[-1][:SECTION_CHARACTERS_MAXIMUM]}\n..."
            break
    return sections


class SlackChannel:
    """Implements NoticeChannel."""

    def __init__(self, host: str, fields: Mapping[str, str], *, clock: Clock, allow_loopback: bool) -> None:
        self._webhook = Webhook(ChannelName.SLACK, host, fields, clock=clock, allow_loopback=allow_loopback)

    def send(self, notice: Notice, letterhead: Letterhead) -> str:
        """See NoticeChannel.send. Slack gives no reference: it answers ``ok``."""
        self._webhook.post(slack_document(notice, letterhead), _refused)
        return ""

    def find(self, notice: Notice, letterhead: Letterhead) -> str | None:
        """See NoticeChannel.find: a webhook can only post."""
        return None


def _refused(reply: HttpReply) -> str | None:
    """Slack documents that a 200 is success, whatever its body says."""
    return None if reply.status == 200 else "an answer that Slack does not document"
