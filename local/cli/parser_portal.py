"""The part of the command line that is about users of the Mimecast partner portal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trueup.domain.portal_users import ChecklistItem

if TYPE_CHECKING:
    from local.cli.parser import Parser, _Commands


def add_portal_users(commands: _Commands) -> None:
    group = commands.group(
        "portal-users", "Who is to be a user of the Mimecast partner portal, and whether each can be"
    )
    group.add(
        "list", "portal_users:show", "read", "List the portal users with what the last check found",
        "trueup portal-users list",
    )  # fmt: skip
    add = group.add(
        "add",
        "portal_users:add",
        "write",
        "Add one portal user, or correct a name",
        'trueup portal-users add dana@msp.example --name "Dana Ops"',
    )
    _add_address(add)
    add.add_argument("--name", metavar="NAME", required=True, help="the person's name, as the account manager gets it")
    importing = group.add(
        "import",
        "portal_users:import_file",
        "write",
        "Add the portal users of a file: all of its lines or none",
        "trueup portal-users import people.csv",
        "The file has the columns name and address. Users who are not in it stay.",
    )
    importing.add_argument("file", metavar="FILE.csv")
    group.add(
        "check",
        "portal_users:check",
        "write",
        "Check every portal user on your own Mimecast account; it only reads there",
        "trueup portal-users check",
        "Exit code 0 when everybody is ready, 2 when somebody is blocked or not known.",
    )
    _add_decisions(group)


def _add_decisions(group: _Commands) -> None:
    invite = group.add(
        "invite",
        "portal_users:invite",
        "write",
        "Note that the invite of a user is being asked for; the user is checked again first",
        "trueup portal-users invite dana@msp.example",
        "It is refused, with the reason, unless the user is ready now. Nothing is sent to anybody.",
    )
    _add_address(invite)
    tick = group.add(
        "tick",
        "portal_users:tick",
        "write",
        "Tick what no API tells, after looking it up",
        "trueup portal-users tick dana@msp.example two_factor",
        f"{'; '.join(f'{item.value}: {item.words}' for item in ChecklistItem)}.",
    )
    _add_address(tick)
    tick.add_argument("item", choices=[item.value for item in ChecklistItem])
    tick.add_argument("--undo", action="store_true", help="take the tick back")
    mail = group.add(
        "mail",
        "portal_users:mail",
        "read",
        "Print the mail to your Mimecast account manager with the users that are ready and not invited yet",
        "trueup portal-users mail",
    )
    mail.add_argument("--to", metavar="ADDRESS", default="", help="address of the account manager")
    mail.add_argument("--with-invited", action="store_true", help="also those who were invited already")
    remove = group.add(
        "remove",
        "portal_users:remove",
        "write",
        "Keep a portal user no longer; the history stays",
        "trueup portal-users remove dana@msp.example",
    )
    _add_address(remove)


def _add_address(parser: Parser) -> None:
    parser.add_argument("address", metavar="ADDRESS", help="the person's address at Mimecast")
