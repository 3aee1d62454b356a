"""Channels in memory, behind the ports of notices, and a PSA that only knows tickets. For use-case tests.

A channel may be made to fail before or after the message has arrived, as a send over a network may.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trueup.domain.errors import NotConnected, TrueupError, UnsafeAddress
from trueup.domain.notices import ChannelName, Letterhead, Notice, TicketPlace
from trueup.ports.notices import NoticeChannel, WebhookAddress
from trueup.ports.psa_tickets import NewTicket


@dataclass(slots=True)
class FakeChannel:
    """Implements NoticeChannel. ``trouble`` is raised at the next send; ``arrives`` says whether it arrived anyway."""

    arrived: list[Notice] = field(default_factory=list)
    trouble: BaseException | None = None
    arrives: bool = False

    def send(self, notice: Notice, letterhead: Letterhead) -> str:
        trouble, self.trouble = self.trouble, None
        if trouble is None or self.arrives:
            self.arrived.append(notice)
        if trouble is not None:
            raise trouble
        return f"message {len(self.arrived)}"

    def find(self, notice: Notice, letterhead: Letterhead) -> str | None:
        return None


@dataclass(slots=True)
class FakeChannels:
    """Implements NoticeChannels. There is a topic unless ``has_topic`` is off; each webhook opened is listed."""

    has_topic: bool = True
    mail: FakeChannel = field(default_factory=FakeChannel)
    hooks: dict[ChannelName, FakeChannel] = field(
        default_factory=lambda: {name: FakeChannel() for name in ChannelName if name.takes_webhook}
    )
    opened: list[tuple[ChannelName, str, str]] = field(default_factory=list)

    def email(self) -> NoticeChannel | None:
        return self.mail if self.has_topic else None

    def webhook_address(self, name: ChannelName, text: str) -> WebhookAddress:
        host, slash, path = text.partition("/secret")
        if not slash or host != f"https://{name.value}.example":
            raise UnsafeAddress("this is no webhook")
        return WebhookAddress(host, slash + path)

    def webhook(self, name: ChannelName, host: str, fields: Mapping[str, str]) -> NoticeChannel:
        if not fields.get("path"):
            raise NotConnected("there is no address kept")
        self.opened.append((name, host, fields["path"]))
        return self.hooks[name]


@dataclass(slots=True)
class FakeTickets:
    """Implements TicketCreation. ``trouble`` is raised at the next making; ``made`` says whether it was made anyway."""

    tickets: list[NewTicket] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    trouble: TrueupError | None = None
    makes: bool = False
    looks: int = 0

    def find_open(self, place: TicketPlace, marker: str) -> str | None:
        self.looks += 1
        for number, one in enumerate(self.tickets, start=1):
            if number not in self.closed and one.place.company_id == place.company_id and marker in one.summary:
                return str(number)
        return None

    def create(self, ticket: NewTicket) -> str:
        trouble, self.trouble = self.trouble, None
        if trouble is None or self.makes:
            self.tickets.append(ticket)
        if trouble is not None:
            raise trouble
        return str(len(self.tickets))
