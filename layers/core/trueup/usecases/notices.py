"""Telling people, once for each cause, period and channel; and which channels there are.

Method: what is about to be sent is claimed in the store before, and what became of it is recorded after; the rules for
a repeat are the domain's. A channel that fails is recorded, and the others are sent to all the same. Must not: raise
because a channel fails, send a claimed notice twice at the same time, or show a webhook's address.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from trueup.domain.audit import Audit
from trueup.domain.errors import (
    ConfigurationInvalid,
    Conflict,
    InputInvalid,
    NotConnected,
    NotFound,
    TrueupError,
    VersionConflict,
    WriteOutcomeUnknown,
)
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.notice_text import marker, plain_text, subject_line
from trueup.domain.notice_wording import trial
from trueup.domain.notices import (
    CHOSEN_KINDS,
    TICKET_KINDS,
    ChannelName,
    ChannelSetting,
    Delivery,
    DeliveryState,
    Letterhead,
    NextStep,
    Notice,
    NoticeKind,
    TicketPlace,
    next_step,
)
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.notices import NoticeChannel, NoticeChannels, Notices
from trueup.ports.psa_tickets import NewTicket, TicketCreation
from trueup.ports.state import Integrations
from trueup.ports.vault import Vault
from trueup.usecases.opening import connected, stored_fields

TICKET_SUMMARY_CHARACTERS_MAXIMUM = 100
"""ConnectWise documents 100 characters for a ticket's summary; the other PSAs take more."""

TICKET_DETAILS_CHARACTERS_MAXIMUM = 7_000
"""Autotask documents 8,000 characters for a ticket's description."""

TICKET_PSAS: tuple[IntegrationName, ...] = (
    IntegrationName.CONNECTWISE,
    IntegrationName.AUTOTASK,
    IntegrationName.HALOPSA,
)

PLACE_FIELDS: tuple[str, ...] = ("company_id", "queue_id", "priority_id", "status_id", "type_id")

_NEEDED_IN_PLACE: dict[IntegrationName, tuple[str, ...]] = {
    IntegrationName.CONNECTWISE: ("company_id",),
    IntegrationName.AUTOTASK: ("company_id", "queue_id", "priority_id", "status_id"),
    IntegrationName.HALOPSA: ("company_id",),
}

_NOT_IN_PLACE: dict[IntegrationName, tuple[str, ...]] = {
    # HaloPSA names a ticket's team by its text and not by a number, and the ticket type has a team of its own.
    IntegrationName.HALOPSA: ("queue_id",),
}


@dataclass(frozen=True, slots=True)
class NoticeSystems:
    """Everything notices are sent with."""

    notices: Notices
    integrations: Integrations
    vault: Vault
    connections: Connections
    channels: NoticeChannels
    letterhead: Letterhead
    clock: Clock


def notify(notice: Notice, *, systems: NoticeSystems) -> tuple[Delivery, ...]:
    """Send the notice to every channel that takes its kind; returns what is recorded of it on each.

    A channel that fails raises nothing: it is recorded with its reason. Sending the same notice again sends what failed
    once more and leaves what arrived. Raises StateTrouble only.
    """
    return tuple(
        _deliver(notice, setting, systems) for setting in channel_settings(systems) if setting.takes(notice.kind)
    )


def channel_settings(systems: NoticeSystems) -> tuple[ChannelSetting, ...]:
    """Every channel, set or not. Where the stack has a topic, e-mail takes everything until somebody says otherwise."""
    found = systems.notices.settings()
    if systems.channels.email() is None:
        return found
    by_itself = ChannelSetting(ChannelName.EMAIL, frozenset(CHOSEN_KINDS), is_set=True)
    return tuple(by_itself if one.name is ChannelName.EMAIL and not one.version else one for one in found)


def set_channel(
    name: ChannelName,
    *,
    actor: str,
    systems: NoticeSystems,
    kinds: Collection[NoticeKind] = (),
    webhook_url: str = "",
    ticket: Mapping[str, str] | None = None,
) -> ChannelSetting:
    """Set a channel, or change what it takes. Without ``kinds`` it takes all there are, tickets what a person must do.

    A webhook's address is kept in the vault and never shown; a channel that has one may be set without giving it again.
    ``ticket`` says where tickets go in the connected PSA, by the fields of TicketPlace but ``psa``.
    Raises InputInvalid naming the field, UnsafeAddress, NotConnected where tickets have no PSA or e-mail no topic.
    """
    before = _setting(name, systems)
    if NoticeKind.TEST in kinds:
        raise InputInvalid("a test is sent when a person asks for it", field="kinds", remedy="Leave it out.")
    chosen = frozenset(kinds or (TICKET_KINDS if name is ChannelName.TICKET else CHOSEN_KINDS))
    wanted = replace(before, kinds=chosen, is_set=True, set_by=actor, set_at=systems.clock.now())
    if webhook_url and not name.takes_webhook:
        raise InputInvalid(f"{name.value} takes no webhook", field="webhook_url", remedy="Leave it out.")
    if ticket is not None and name is not ChannelName.TICKET:
        raise InputInvalid(f"{name.value} makes no tickets", field="ticket", remedy="Leave it out.")
    if name is ChannelName.EMAIL and systems.channels.email() is None:
        raise NotConnected(
            "there is no topic that e-mail could be sent to",
            remedy="Deploy the stack with NoticeEmail, or set TRUEUP_NOTICE_TOPIC to the ARN of an SNS topic.",
        )
    if name.takes_webhook:
        wanted = _with_webhook(wanted, webhook_url, systems)
    if name is ChannelName.TICKET:
        wanted = replace(wanted, ticket=_checked_place(ticket, before.ticket, systems))
    audit = Audit(
        at=systems.clock.now(),
        actor=actor,
        action="notice channel set",
        subject=name.value,
        before=_shown(before),
        after=_shown(wanted),
    )
    return systems.notices.save_setting(wanted, audit)


def remove_channel(name: ChannelName, *, actor: str, systems: NoticeSystems) -> ChannelSetting:
    """Send nothing there any more, and forget its address. Raises NotFound for a channel that is not set."""
    before = _setting(name, systems)
    if not before.is_set:
        raise NotFound(f"the notice channel {name.value} is not set")
    audit = Audit(
        at=systems.clock.now(), actor=actor, action="notice channel removed", subject=name.value, before=_shown(before)
    )
    stored = systems.notices.save_setting(ChannelSetting(name, version=before.version), audit)
    if name.takes_webhook:
        # After the record: a secret that stays behind unused does less harm than a channel that is set without one.
        systems.vault.delete(name.secret_name)
    return stored


def try_channel(name: ChannelName, *, actor: str, period: str, systems: NoticeSystems) -> Delivery:
    """Send a test message there now; returns what became of it. Raises NotFound for a channel that is not set."""
    setting = _setting(name, systems)
    if not setting.is_set:
        raise NotFound(
            f"the notice channel {name.value} is not set", remedy=f"Set it first: trueup notices set {name.value}."
        )
    now = systems.clock.now()
    return _deliver(trial(period, by=actor, number=now.isoformat(), at=now), setting, systems)


def _setting(name: ChannelName, systems: NoticeSystems) -> ChannelSetting:
    return next(one for one in channel_settings(systems) if one.name is name)


def _deliver(notice: Notice, setting: ChannelSetting, systems: NoticeSystems) -> Delivery:
    notices, name, now = systems.notices, setting.name, systems.clock.now()
    before = notices.delivery(notice.period, notice.key, name)
    step = next_step(before, name, now)
    if before is not None and step is NextStep.LEAVE:
        return before
    if before is not None and step is NextStep.LOOK:
        return _look(notice, setting, before, systems)
    fresh = before or Delivery(
        name, notice.kind, notice.period, notice.key, notice.subject, DeliveryState.SENDING, 0, now, now
    )
    try:
        claimed = notices.save(replace(fresh, state=DeliveryState.SENDING, attempts=fresh.attempts + 1, at=now))
    except VersionConflict:
        return _as_stored(fresh, systems)
    try:
        reference = _opened(setting, systems).send(notice, systems.letterhead)
    except WriteOutcomeUnknown as trouble:
        return _record(claimed, DeliveryState.UNKNOWN, systems, reason=trouble.message)
    except TrueupError as trouble:
        return _record(claimed, DeliveryState.FAILED, systems, reason=f"{trouble.message} {trouble.remedy}")
    return _record(claimed, DeliveryState.SENT, systems, reference=reference)


def _look(notice: Notice, setting: ChannelSetting, before: Delivery, systems: NoticeSystems) -> Delivery:
    """Settle what became of a notice that nobody knows of, without sending anything."""
    try:
        reference = _opened(setting, systems).find(notice, systems.letterhead)
    except TrueupError as trouble:
        return _record(before, DeliveryState.UNKNOWN, systems, reason=f"it could not be looked for: {trouble.message}")
    if reference is None:
        reason = "no open ticket of this notice was found; it is not made a second time, for it may have been closed"
        return _record(before, DeliveryState.UNKNOWN, systems, reason=reason)
    return _record(before, DeliveryState.SENT, systems, reference=reference, reason="found there afterwards")


def _record(
    claimed: Delivery, state: DeliveryState, systems: NoticeSystems, *, reference: str = "", reason: str = ""
) -> Delivery:
    ended = replace(claimed, state=state, at=systems.clock.now(), reference=reference, reason=reason)
    try:
        return systems.notices.save(ended)
    except VersionConflict:
        return _as_stored(claimed, systems)


def _as_stored(delivery: Delivery, systems: NoticeSystems) -> Delivery:
    """What another process that has the same notice in hand has made of it."""
    return systems.notices.delivery(delivery.period, delivery.key, delivery.channel) or delivery


def _opened(setting: ChannelSetting, systems: NoticeSystems) -> NoticeChannel:
    """Raises NotConnected and ConfigurationInvalid where the channel cannot be used as it is set."""
    if setting.name is ChannelName.EMAIL:
        email = systems.channels.email()
        if email is None:
            raise NotConnected("there is no topic that e-mail could be sent to", remedy="Deploy the stack again.")
        return email
    if setting.name.takes_webhook:
        fields = systems.vault.get(setting.name.secret_name, host=setting.host)
        return systems.channels.webhook(setting.name, setting.host, fields)
    if setting.ticket is None:
        raise ConfigurationInvalid(
            "it is not set where tickets go", remedy="Set it: trueup notices set ticket --company ID."
        )
    integration = connected(Side.PSA, systems.integrations)
    if integration.name is not setting.ticket.psa:
        raise Conflict(
            f"tickets are set for {setting.ticket.psa.label}, and {integration.name.label} is connected",
            remedy="Set the channel again with the numbers of the PSA that is connected now.",
        )
    fields = stored_fields(integration, systems.vault)
    return TicketChannel(setting.ticket, systems.connections.tickets(integration.name, integration.address, fields))


@dataclass(frozen=True, slots=True)
class TicketChannel:
    """Implements NoticeChannel with tickets in one place of a PSA.

    The summary of a ticket begins with a mark that only this notice has. An open ticket with it is taken for this
    notice's own, so that a rerun makes no second one.
    """

    place: TicketPlace
    tickets: TicketCreation

    def send(self, notice: Notice, letterhead: Letterhead) -> str:
        """See NoticeChannel.send."""
        mark = marker(notice, letterhead)
        room = TICKET_SUMMARY_CHARACTERS_MAXIMUM - len(mark) - 3
        details = plain_text(notice, letterhead, maximum_characters=TICKET_DETAILS_CHARACTERS_MAXIMUM)
        ticket = NewTicket(self.place, f"[{mark}] {subject_line(notice, letterhead, room)}", details, mark)
        return self.tickets.find_open(self.place, mark) or self.tickets.create(ticket)

    def find(self, notice: Notice, letterhead: Letterhead) -> str | None:
        """See NoticeChannel.find."""
        return self.tickets.find_open(self.place, marker(notice, letterhead))


def _with_webhook(wanted: ChannelSetting, url: str, systems: NoticeSystems) -> ChannelSetting:
    if not url:
        if wanted.host:
            return wanted
        raise InputInvalid(
            f"{wanted.name.value} needs the address of its webhook",
            field="webhook_url",
            remedy="Make an incoming webhook there, and give its address.",
        )
    address = systems.channels.webhook_address(wanted.name, url)
    systems.vault.put(wanted.name.secret_name, host=address.host, fields={"path": address.path})
    return replace(wanted, host=address.host, tail=address.tail)


def _checked_place(given: Mapping[str, str] | None, before: TicketPlace | None, systems: NoticeSystems) -> TicketPlace:
    """Where tickets go in the PSA that is connected; where nothing is given, as before."""
    psa = connected(Side.PSA, systems.integrations).name
    if psa not in TICKET_PSAS:
        labels = ", ".join(one.label for one in TICKET_PSAS)
        raise InputInvalid(f"no tickets are made in {psa.label}", field="name", remedy=f"They are made in {labels}.")
    unknown = sorted(set(given or {}) - set(PLACE_FIELDS))
    if unknown:
        raise InputInvalid(f"a ticket has no {unknown[0]}", field=unknown[0], remedy="Leave it out.")
    if not given and before is not None and before.psa is psa:
        return before
    place = TicketPlace(psa, **{field: (given or {}).get(field, "").strip() for field in PLACE_FIELDS})
    for field in PLACE_FIELDS:
        value = getattr(place, field)
        if not value and field in _NEEDED_IN_PLACE[psa]:
            words = field.removesuffix("_id")
            raise InputInvalid(f"{psa.label} needs the {words} of a ticket", field=field, remedy=f"Give the {words}.")
        if value and field in _NOT_IN_PLACE.get(psa, ()):
            words = field.removesuffix("_id")
            raise InputInvalid(f"{psa.label} takes no {words} for a ticket", field=field, remedy="Leave it out.")
        if value and not (value.isascii() and value.isdecimal() and len(value) <= 18):
            raise InputInvalid(f"{field} is a whole number", field=field, remedy="Give the number the PSA has for it.")
    return place


def _shown(setting: ChannelSetting) -> str:
    if not setting.is_set:
        return ""
    where = f"{setting.host} ending in {setting.tail}" if setting.host else ""
    if setting.ticket is not None:
        where = f"{setting.ticket.psa.label} company {setting.ticket.company_id}"
    kinds = " ".join(sorted(kind.value for kind in setting.kinds))
    return f"{where} {kinds}".strip()
