"""Where notices go, and what was told. Must not: take a webhook's address from the command line, or show it again."""

from __future__ import annotations

import getpass
import os
import sys
from argparse import Namespace

from local.cli import EXIT_DONE, EXIT_FAILED
from local.cli.output import Cell, Column, Style, shown
from local.cli.parser import Usage
from local.cli.workplace import Workplace
from trueup import bootstrap
from trueup.api.notice_views import channel_view, delivery_view
from trueup.domain.notices import CHOSEN_KINDS, ChannelName, ChannelSetting, Delivery, DeliveryState, NoticeKind
from trueup.domain.periods import Period
from trueup.usecases.notices import PLACE_FIELDS, channel_settings, remove_channel, set_channel, try_channel

_STYLES: dict[DeliveryState, Style] = {
    DeliveryState.SENT: "green",
    DeliveryState.SENDING: "dim",
    DeliveryState.FAILED: "red",
    DeliveryState.UNKNOWN: "yellow",
}


def channels(workplace: Workplace, arguments: Namespace) -> int:
    found = channel_settings(bootstrap.notice_systems())
    workplace.output.document({"items": [channel_view(one) for one in found]})
    workplace.output.table(
        [Column("Channel"), Column("State"), Column("Goes to", "text"), Column("Takes", "text")],
        [
            [
                one.name.value,
                Cell("set", "green") if one.is_set else Cell("not set", "dim"),
                _where(one),
                _kinds(one) if one.is_set else "",
            ]
            for one in found
        ],
    )
    return EXIT_DONE


def set_(workplace: Workplace, arguments: Namespace) -> int:
    name = ChannelName(arguments.channel)
    systems = bootstrap.notice_systems()
    given = {field: getattr(arguments, field) for field in PLACE_FIELDS if getattr(arguments, field) is not None}
    before = next(one for one in channel_settings(systems) if one.name is name)
    stored = set_channel(
        name,
        kinds=[NoticeKind(kind) for kind in arguments.kinds or ()],
        webhook_url=_webhook(arguments, name, is_needed=not before.host),
        ticket=given or None,
        actor=workplace.actor,
        systems=systems,
    )
    workplace.output.document(channel_view(stored))
    workplace.output.line(f"Notices go to {name.value} ({_where(stored)}): {_kinds(stored)}.")
    workplace.output.line(f"Next: trueup notices test {name.value}", "bold")
    return EXIT_DONE


def remove(workplace: Workplace, arguments: Namespace) -> int:
    name = ChannelName(arguments.channel)
    stored = remove_channel(name, actor=workplace.actor, systems=bootstrap.notice_systems())
    workplace.output.document(channel_view(stored))
    workplace.output.line(f"No notice goes to {name.value} any more.")
    return EXIT_DONE


def test(workplace: Workplace, arguments: Namespace) -> int:
    tried = try_channel(
        ChannelName(arguments.channel),
        actor=workplace.actor,
        period=workplace.period,
        systems=bootstrap.notice_systems(),
    )
    workplace.output.document(delivery_view(tried))
    words = f"{tried.channel.value}: {tried.state.value}"
    words += f", {shown(tried.reference)}" if tried.reference else ""
    workplace.output.line(words, _STYLES[tried.state])
    if tried.reason:
        workplace.output.paragraph(shown(tried.reason, 500))
    return EXIT_DONE if tried.state is DeliveryState.SENT else EXIT_FAILED


def list_(workplace: Workplace, arguments: Namespace) -> int:
    period = str(Period.parse(arguments.period)) if arguments.period else workplace.period
    found = workplace.state.notices.of_period(period)
    workplace.output.document({"period": period, "items": [delivery_view(one) for one in found]})
    if not found:
        workplace.output.line(f"Nobody was told anything in {period}.")
        return EXIT_DONE
    workplace.output.table(
        [Column("When (UTC)"), Column("Channel"), Column("State"), Column("What", "text"), Column("Why", "text")],
        [_row(one) for one in found],
    )
    return EXIT_DONE


def _row(delivery: Delivery) -> list[str | Cell]:
    return [
        f"{delivery.at:%Y-%m-%d %H:%M}",
        delivery.channel.value,
        Cell(delivery.state.value, _STYLES[delivery.state]),
        shown(delivery.subject, 200),
        shown(delivery.reason or delivery.reference, 200),
    ]


def _where(setting: ChannelSetting) -> str:
    if setting.ticket is not None:
        return f"{setting.ticket.psa.label} company {shown(setting.ticket.company_id)}"
    if setting.host:
        return f"{shown(setting.host)}, ends in {shown(setting.tail)}"
    return "the stack's topic" if setting.is_set else ""


def _kinds(setting: ChannelSetting) -> str:
    if setting.kinds == frozenset(CHOSEN_KINDS):
        return "everything"
    return ", ".join(sorted(kind.words for kind in setting.kinds))


def _webhook(arguments: Namespace, name: ChannelName, *, is_needed: bool) -> str:
    """The address from the environment or a hidden prompt; empty where none is wanted. Raises Usage."""
    command = "trueup notices set"
    if arguments.webhook_env:
        value = os.environ.get(arguments.webhook_env, "")
        if not value:
            what = f"the environment variable {shown(arguments.webhook_env)}, which should hold the webhook, is not set"
            raise Usage(what, command=command)
        return value
    if not name.takes_webhook or not is_needed:
        return ""
    if not sys.stdin.isatty():
        raise Usage("--webhook-env is missing and there is no terminal to ask on", command=command)
    return getpass.getpass(f"Address of the {name.value} webhook (not shown): ", stream=sys.stderr)
