"""The part of the command line that is about license counts: which client a tenant is, and who counts as a user."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.cli.parser import Parser, _Commands

SWITCHES = {
    "shared": ("counts_shared", "shared mailboxes"),
    "rooms": ("counts_rooms", "rooms and equipment"),
    "guests": ("counts_guests", "guests"),
    "blocked": ("counts_blocked", "people whose sign-in is blocked"),
    "unknown-mailboxes": ("counts_unknown_mailboxes", "users of whom nobody says what the mailbox is for"),
}
"""Options that say whether a kind of user counts: the rule of the policy, and what it is about."""

LISTS = {
    "sku": ("counted_skus", "license that counts, by its part number such as SPB; none: all that bring a mailbox"),
    "ignore-sku": ("ignored_skus", "license that never counts, by its part number"),
    "service-user": ("service_users", "address of a service user, with * for any characters, such as svc-*"),
}
"""Options that may be given several times; together they take the place of the list before, and "" empties it."""

NUMBERS = {
    "included": ("included_seats", "seats that are included in what the client pays already"),
    "minimum": ("minimum_seats", "fewest seats of a client"),
    "multiple": ("multiple_seats", "seats come in packs of N"),
}


def add_licenses(commands: _Commands) -> None:
    _add_tenants(commands)
    _add_counting(commands)


def _add_tenants(commands: _Commands) -> None:
    group = commands.group("tenants", "Decide which client each Microsoft 365 tenant is; several may be one client")
    listing = group.add(
        "list", "licenses:tenants", "read", "List tenants with their client", "trueup tenants list --unmapped"
    )
    state = listing.add_mutually_exclusive_group()
    for name, text in (
        ("unmapped", "only tenants nobody has decided on"),
        ("ambiguous", "only tenants whose name fits more than one client"),
        ("mapped", "only mapped tenants"),
        ("excluded", "only excluded tenants, with the reason"),
    ):
        state.add_argument(f"--{name}", dest="state", action="store_const", const=name, help=text)
    mapping = group.add(
        "map", "licenses:map_tenant", "write", "Map a tenant to a client", "trueup tenants map TENANT_ID 271"
    )
    _add_tenant(mapping)
    mapping.add_argument("psa_id", metavar="PSA_ID", help="id of the client in the PSA")
    exclude = group.add(
        "exclude",
        "licenses:exclude_tenant",
        "write",
        "Leave a tenant out: its users count for nobody",
        'trueup tenants exclude TENANT_ID --reason "our own tenant"',
    )
    _add_tenant(exclude)
    _add_reason(exclude)
    _add_tenant(
        group.add("clear", "licenses:clear_tenant", "write", "Take a decision back", "trueup tenants clear TENANT_ID")
    )
    importing = group.add(
        "import", "licenses:import_file", "write", "Take decisions from a file: all of them or none",
        "trueup tenants import tenants.csv",
        "Columns as trueup tenants export writes them: tenant_id (or vendor_account_id), psa_account_id and, to "
        "exclude, reason.",
    )  # fmt: skip
    importing.add_argument("file", metavar="FILE.csv")
    exporting = group.add(
        "export", "licenses:export_file", "read", "Write every decision to a file", "trueup tenants export tenants.csv"
    )
    exporting.add_argument("file", metavar="FILE.csv")


def _add_counting(commands: _Commands) -> None:
    group = commands.group("counting", "Say which licensed users count, for the MSP or a client, and see who does")
    show = group.add(
        "show", "licenses:show_policy", "read", "Show the counting policy and its versions", "trueup counting show 271"
    )
    _add_client(show)
    change = group.add(
        "set",
        "licenses:set_policy",
        "write",
        "Say by which rules users count; a new version, and the earlier ones stay readable",
        'trueup counting set 271 --shared yes --minimum 5 --reason "in the contract"',
        "What is not given stays as it is in force. Seats are the users that count, less those included, at least the "
        "minimum, up to a multiple, and never over the cap.",
    )
    _add_client(change)
    for name, (_, what) in SWITCHES.items():
        change.add_argument(f"--{name}", metavar="yes|no", type=_yes_or_no, help=f"whether {what} count")
    for name, (_, what) in LISTS.items():
        change.add_argument(f"--{name}", metavar="TEXT", action="append", help=f"{what}; may be given several times")
    for name, (_, what) in NUMBERS.items():
        change.add_argument(f"--{name}", metavar="N", type=_seats, help=what)
    change.add_argument("--cap", metavar="N|none", type=_cap, help="most seats of a client, or none")
    change.add_argument(
        "--adjust-files", metavar="yes|no", type=_yes_or_no, help="whether a number from a file is adjusted as well"
    )
    _add_reason(change)
    clear = group.add(
        "clear",
        "licenses:clear_policy",
        "write",
        "Take a policy back: a client is counted by the MSP's again, the MSP by the defaults",
        'trueup counting clear 271 --reason "as everybody"',
    )
    _add_client(clear)
    _add_reason(clear)
    people = group.add(
        "people",
        "licenses:people",
        "read",
        "List the licensed users of a client, each in or out with the reason",
        "trueup counting people 271",
    )
    people.add_argument("client", metavar="PSA_ID", help="id of the client in the PSA")
    people.add_argument("--out", action="store_true", help="only those who are not counted")


def _add_tenant(parser: Parser) -> None:
    parser.add_argument("tenant_id", metavar="TENANT_ID", help="directory (tenant) id that `trueup tenants list` shows")


def _add_client(parser: Parser) -> None:
    parser.add_argument("client", metavar="PSA_ID", nargs="?", default="", help="id of the client (default: the MSP)")


def _add_reason(parser: Parser) -> None:
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why; it is kept in the history")


def _yes_or_no(text: str) -> bool:
    if text not in {"yes", "no"}:
        raise argparse.ArgumentTypeError("must be yes or no")
    return text == "yes"


def _seats(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError("must be a whole number of seats")
    return int(text)


NO_CAP = -1
"""What ``--cap none`` is parsed to; no option at all is None."""


def _cap(text: str) -> int:
    return NO_CAP if text == "none" else _seats(text)
