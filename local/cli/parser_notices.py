"""The part of the command line that is about notices: where they go, and what was told.

Must not: offer an option that takes a webhook's address, which is a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from local.cli.parser import _Commands

CHANNELS = ("email", "teams", "slack", "ticket")
KINDS = (
    "run_finished",
    "approval_wanted",
    "credential_failing",
    "credential_expiring",
    "sync_incomplete",
    "drop_or_jump_held",
    "order_late",
    "order_reflected",
    "run_missed",
    "sealed",
)
"""ChannelName's and NoticeKind's own words, here so that ``--help`` loads nothing; a test holds them equal."""


def add_notices(commands: _Commands) -> None:
    notices = commands.group("notices", "Who is told of what the month asks of people: e-mail, Teams, Slack, tickets")
    notices.add("channels", "notices:channels", "read", "List the channels, set or not", "trueup notices channels")
    setting = notices.add(
        "set",
        "notices:set_",
        "write",
        "Set a channel: what it takes, and where it goes",
        "trueup notices set slack --webhook-env SLACK_WEBHOOK",
        "The address of a webhook is a secret: it comes from an environment variable or a hidden prompt, and is kept.",
    )
    _add_channel(setting)
    setting.add_argument(
        "--kind",
        dest="kinds",
        metavar="KIND",
        action="append",
        choices=KINDS,
        help="what it takes; give it once for each kind (default: all, tickets what a person must act on)",
    )
    setting.add_argument("--webhook-env", metavar="VAR", help="environment variable with the webhook's address")
    for option, words in (
        ("company", "your own company in the PSA"),
        ("queue", "the ConnectWise board or the Autotask queue"),
        ("priority", "the priority"),
        ("status", "the status"),
        ("type", "the ticket type"),
    ):
        setting.add_argument(f"--{option}", dest=f"{option}_id", metavar="N", help=f"tickets: the number of {words}")
    test = notices.add(
        "test",
        "notices:test",
        "write",
        "Send a test message now and tell what became of it",
        "trueup notices test slack",
    )
    _add_channel(test)
    remove = notices.add(
        "remove", "notices:remove", "write", "Send nothing there any more", "trueup notices remove slack"
    )
    _add_channel(remove)
    listing = notices.add(
        "list",
        "notices:list_",
        "read",
        "List what was told in a month, where, and what became of it",
        "trueup notices list",
    )
    listing.add_argument("--period", metavar="YYYY-MM", help="the month (default: this one)")


def _add_channel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("channel", metavar="CHANNEL", choices=CHANNELS, help=", ".join(CHANNELS))
