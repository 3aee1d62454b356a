"""Notices and their channels as JSON. Of a webhook's address only the server and the last four characters are shown."""

from __future__ import annotations

from dataclasses import fields

from trueup.api.views import View, time_text
from trueup.domain.notices import ChannelSetting, Delivery


def channel_view(setting: ChannelSetting) -> View:
    ticket = setting.ticket
    return {
        "name": setting.name.value,
        "is_set": setting.is_set,
        "kinds": sorted(kind.value for kind in setting.kinds),
        "host": setting.host or None,
        "address_ends_in": setting.tail or None,
        "ticket": None if ticket is None else {one.name: getattr(ticket, one.name) or None for one in fields(ticket)},
        "set_by": setting.set_by or None,
        "set_at": time_text(setting.set_at),
    }


def delivery_view(delivery: Delivery) -> View:
    return {
        "channel": delivery.channel.value,
        "kind": delivery.kind.value,
        "period": delivery.period,
        "subject": delivery.subject,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "first_at": time_text(delivery.first_at),
        "at": time_text(delivery.at),
        "reference": delivery.reference or None,
        "reason": delivery.reason or None,
    }
