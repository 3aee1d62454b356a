"""What Trueup tells people of its own accord, to whom, and what became of it.

A notice is data: sentences, figures and places in the portal. Each channel writes it in its own medium and escapes what
that medium reads as markup. One message goes out for each kind, cause, period and channel; the rules for a repeat are
here. Must not: hold a secret, or know how a channel is spoken to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from trueup.domain.integrations import IntegrationName


class NoticeKind(StrEnum):
    """What a notice is about. test: a person tried a channel; it is sent whatever the channel takes."""

    RUN_FINISHED = "run_finished"
    APPROVAL_WANTED = "approval_wanted"
    CREDENTIAL_FAILING = "credential_failing"
    CREDENTIAL_EXPIRING = "credential_expiring"
    SYNC_INCOMPLETE = "sync_incomplete"
    DROP_OR_JUMP_HELD = "drop_or_jump_held"
    ORDER_LATE = "order_late"
    ORDER_REFLECTED = "order_reflected"
    RUN_MISSED = "run_missed"
    SEALED = "sealed"
    TEST = "test"

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


CHOSEN_KINDS: tuple[NoticeKind, ...] = tuple(kind for kind in NoticeKind if kind is not NoticeKind.TEST)
"""What a channel can be asked to take."""


class Severity(StrEnum):
    """information: nothing to do; action: a person is waited for; problem: something does not work."""

    INFORMATION = "information"
    ACTION = "action"
    PROBLEM = "problem"


TICKET_KINDS: frozenset[NoticeKind] = frozenset(CHOSEN_KINDS) - {
    NoticeKind.RUN_FINISHED,
    NoticeKind.ORDER_REFLECTED,
    NoticeKind.SEALED,
}
"""What a ticket is for unless somebody chooses otherwise: what a person has to do, and not what went well."""


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One sentence, or one figure with its label. The text may hold names from outside: any character at all."""

    text: str
    label: str = ""

    @property
    def words(self) -> str:
        return f"{self.label}: {self.text}" if self.label else self.text


@dataclass(frozen=True, slots=True)
class NoticeLink:
    """A place in the portal. ``path`` begins with a slash and is relative to wherever the portal is."""

    label: str
    path: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. ``cause`` is what made it, so that the same cause is told once in a period.

    ``subject`` is one line; ``lines`` are the body in order. None of them is escaped for any medium yet.
    """

    kind: NoticeKind
    period: str
    cause: str
    subject: str
    lines: tuple[NoticeLine, ...]
    at: datetime
    severity: Severity = Severity.INFORMATION
    links: tuple[NoticeLink, ...] = ()

    @property
    def key(self) -> str:
        """What two notices share when the second must not be sent: kind, period and cause."""
        return f"{self.kind} {self.period} {self.cause}"


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Who writes: the tenant's name, and the https address of the portal without a slash at its end.

    Without an address no links are written, for nobody could follow them.
    """

    tenant: str
    portal_url: str = ""

    def address(self, link: NoticeLink) -> str:
        """The whole address of that place; empty where the portal's is not known."""
        return f"{self.portal_url}{link.path}" if self.portal_url else ""


class ChannelName(StrEnum):
    """email: the SNS topic of the stack. ticket: one in the PSA that is connected."""

    EMAIL = "email"
    TEAMS = "teams"
    SLACK = "slack"
    TICKET = "ticket"

    @property
    def takes_webhook(self) -> bool:
        """Whether it is spoken to at an address that is itself the secret."""
        return self in {ChannelName.TEAMS, ChannelName.SLACK}

    @property
    def secret_name(self) -> str:
        """The name its secret has in the vault."""
        return f"notice-{self.value}"

    @property
    def repeats_what_is_unclear(self) -> bool:
        """Whether a message whose fate nobody knows is sent once more.

        Two messages in a chat are a nuisance, two tickets are work for two people: a ticket is looked for and never
        made again.
        """
        return self is not ChannelName.TICKET


@dataclass(frozen=True, slots=True)
class TicketPlace:
    """Where tickets go in one PSA; all ids are that PSA's own numbers as text, empty where it may choose.

    ``company_id`` is the MSP's own company there. ``queue_id`` is the ConnectWise service board or the Autotask queue.
    ``type_id``, ``status_id`` and ``priority_id`` are what a new ticket gets.
    """

    psa: IntegrationName
    company_id: str
    queue_id: str = ""
    priority_id: str = ""
    status_id: str = ""
    type_id: str = ""


@dataclass(frozen=True, slots=True)
class ChannelSetting:
    """One channel as it is set. It holds no secret: ``tail`` is the last four characters of a webhook's address.

    ``host`` is the server that the webhook's secret is kept for. A channel that is not set has version 0.
    """

    name: ChannelName
    kinds: frozenset[NoticeKind] = frozenset()
    is_set: bool = False
    host: str = ""
    tail: str = ""
    ticket: TicketPlace | None = None
    set_by: str = ""
    set_at: datetime | None = None
    version: int = 0

    def takes(self, kind: NoticeKind) -> bool:
        return self.is_set and (kind in self.kinds or kind is NoticeKind.TEST)


class DeliveryState(StrEnum):
    """sending: claimed, and perhaps on the way. failed: surely not delivered. unknown: nobody can say."""

    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice on one channel. ``attempts`` counts the sends begun, ``reference`` is the channel's own id of it."""

    channel: ChannelName
    kind: NoticeKind
    period: str
    key: str
    subject: str
    state: DeliveryState
    attempts: int
    first_at: datetime
    at: datetime
    reference: str = ""
    reason: str = field(default="")
    version: int = 0


class NextStep(StrEnum):
    """What to do with a notice on a channel: send it, look whether it is there, or leave it."""

    SEND = "send"
    LOOK = "look"
    LEAVE = "leave"


SENDING_MAXIMUM = timedelta(minutes=5)
"""No send takes longer than this; one that is older was interrupted, and nobody knows whether it arrived."""

ATTEMPTS_MAXIMUM = 5
"""How often a notice that surely was not delivered is tried, over all reruns."""

UNCLEAR_ATTEMPTS_MAXIMUM = 2
"""How often one is sent at most when an attempt before may have arrived: once more."""


def next_step(before: Delivery | None, channel: ChannelName, now: datetime) -> NextStep:
    """What to do now, by what is recorded of earlier attempts.

    A process may stop between a send and its record, and a reply may be lost. So a claim is stored before anything is
    sent; what was claimed and has no result is unclear. Unclear chat and e-mail messages are sent once more, tickets
    are only looked for.
    """
    if before is None:
        return NextStep.SEND
    if before.state is DeliveryState.SENT:
        return NextStep.LEAVE
    if before.state is DeliveryState.FAILED:
        return NextStep.SEND if before.attempts < ATTEMPTS_MAXIMUM else NextStep.LEAVE
    if before.state is DeliveryState.SENDING and now - before.at < SENDING_MAXIMUM:
        return NextStep.LEAVE
    if not channel.repeats_what_is_unclear:
        return NextStep.LOOK
    return NextStep.SEND if before.attempts < UNCLEAR_ATTEMPTS_MAXIMUM else NextStep.LEAVE
