"""Telling people: the channels that carry a notice, and the memory of what was told where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from trueup.domain.audit import Audit
from trueup.domain.notices import ChannelName, ChannelSetting, Delivery, Letterhead, Notice


class NoticeChannel(Protocol):
    """One way to reach people. It escapes whatever its medium reads as markup, and cuts what the medium cannot take."""

    def send(self, notice: Notice, letterhead: Letterhead) -> str:
        """Send it once; returns the channel's own reference, or nothing where it gives none.

        Raises WriteOutcomeUnknown when it may have arrived all the same; any other TrueupError says that it surely did
        not.
        """
        ...

    def find(self, notice: Notice, letterhead: Letterhead) -> str | None:
        """The reference of this very notice where the channel can be searched and has it, else None."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookAddress:
    """A webhook's address in its checked parts. ``path`` holds the secret, so it is in no representation."""

    host: str
    path: str

    def __repr__(self) -> str:
        return f"WebhookAddress({self.host}, hidden)"

    @property
    def tail(self) -> str:
        """The last four characters: what a person tells two addresses apart by."""
        return self.path[-4:]


class NoticeChannels(Protocol):
    """Opens channels; nothing is sent by opening one."""

    def email(self) -> NoticeChannel | None:
        """The topic of this stack; None where there is none."""
        ...

    def webhook_address(self, name: ChannelName, text: str) -> WebhookAddress:
        """The parts of what somebody pasted. Raises UnsafeAddress for anything but such a service's own address."""
        ...

    def webhook(self, name: ChannelName, host: str, fields: Mapping[str, str]) -> NoticeChannel:
        """The channel at that server with the secret ``path``. Raises UnsafeAddress."""
        ...


class Notices(Protocol):
    """What was told, and how the channels are set."""

    def delivery(self, period: str, key: str, channel: ChannelName) -> Delivery | None:
        """What is recorded of that notice on that channel, or None when it was never begun."""
        ...

    def save(self, delivery: Delivery) -> Delivery:
        """Store a claim or a result; returns it with its new version. Raises VersionConflict when it moved, so that of
        two processes only one sends."""
        ...

    def of_period(self, period: str) -> tuple[Delivery, ...]:
        """Everything that was begun in that period, the newest first."""
        ...

    def settings(self) -> tuple[ChannelSetting, ...]:
        """One for each channel there is, set or not (version 0)."""
        ...

    def save_setting(self, setting: ChannelSetting, audit: Audit) -> ChannelSetting:
        """Store how a channel is set; returns it with its new version."""
        ...
