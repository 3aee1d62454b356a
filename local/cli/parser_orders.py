"""The part of the command line that is about change orders: what is to be ordered from Mimecast, step by step."""

from __future__ import annotations

import argparse
import re
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.cli.parser import Parser, _Commands


def add_orders(commands: _Commands) -> None:
    group = commands.group("orders", "Change orders: what to order from Mimecast, and how each order stands")
    listing = group.add("list", "orders:list_orders", "read", "List the orders that are open", "trueup orders list")
    listing.add_argument("--all", action="store_true", help="those that are over, too")
    listing.add_argument("--period", metavar="YYYY-MM", help="only those drafted in that month")
    _add_id(
        group.add(
            "show",
            "orders:show",
            "read",
            "Show one order: what to type into the partner portal, what holds it, how it stands",
            "trueup orders show ORDER",
        )
    )
    _add_terms(group)
    _add_decisions(group)
    _add_submitting(group)


def _add_terms(group: _Commands) -> None:
    terms = group.add(
        "terms",
        "orders:terms",
        "write",
        "Say what the portal's form asks for beside the seats; the order gets a new checksum",
        "trueup orders terms ORDER --lead lead@example.com --po PO-7",
        "What is not given stays as it is. An empty text takes a value back.",
    )
    _add_id(terms)
    terms.add_argument("--lead", metavar="USER", help="Primary Implementation Lead, a user of the portal")
    terms.add_argument("--po", metavar="NUMBER", help="your own order number; empty: not required")
    terms.add_argument("--product-change", metavar="TEXT", help="the product to select; empty: keep the existing one")
    terms.add_argument(
        "--contract-starts", metavar="YYYY-MM-DD", type=_day, help="when the contract began, as the portal shows it"
    )


def _add_decisions(group: _Commands) -> None:
    release = group.add(
        "release",
        "orders:release",
        "write",
        "Let a held order be approved",
        'trueup orders release ORDER --reason "counted by hand"',
    )
    approve = group.add(
        "approve",
        "orders:approve",
        "write",
        "Approve exactly what the order says now",
        "trueup orders approve ORDER --checksum CHECKSUM",
    )
    approve.add_argument("--checksum", metavar="CHECKSUM", required=True, help="as trueup orders show prints it")
    cancel = group.add(
        "cancel",
        "orders:cancel",
        "write",
        "Withdraw an order; one that was submitted is cancelled in the portal first",
        'trueup orders cancel ORDER --reason "the client stays as it is"',
    )
    reject = group.add(
        "reject",
        "orders:reject",
        "write",
        "Say no to a draft, or record that Mimecast did",
        'trueup orders reject ORDER --reason "Mimecast: price list changed"',
    )
    resolve = group.add(
        "resolve",
        "orders:resolve",
        "write",
        "Say what became of an order that needs review, after a look at the portal",
        'trueup orders resolve ORDER --outcome cancelled --reason "the portal shows no order"',
        "Only a later read makes an order reflected; nobody can say so.",
    )
    resolve.add_argument(
        "--outcome", choices=("submitted", "rejected", "cancelled"), required=True, help="submitted: it is still coming"
    )
    for parser in (release, approve, cancel, reject, resolve):
        _add_id(parser)
    for parser in (release, cancel, reject, resolve):
        parser.add_argument("--reason", metavar="TEXT", required=True, help="why; it is kept in the history")


def _add_submitting(group: _Commands) -> None:
    submitted = group.add(
        "submitted",
        "orders:submitted",
        "write",
        "Record that the order was typed into the partner portal",
        "trueup orders submitted ORDER --number SO-100431 --agreement-acknowledged",
        "It is refused when the last read shows another count than the order starts from.",
    )
    _add_id(submitted)
    submitted.add_argument("--number", metavar="NUMBER", required=True, help="the number that the portal showed")
    submitted.add_argument(
        "--downsell-deadline", metavar="YYYY-MM-DD", type=_day, help="a decrease: until when it can be cancelled"
    )
    submitted.add_argument(
        "--effective-on", metavar="YYYY-MM-DD", type=_day, help="a decrease: the next billing date it counts from"
    )
    send = group.add(
        "send",
        "orders:send",
        "write",
        "Send an approved order through the Mimecast API, once, or find out what became of one",
        "trueup orders send ORDER --agreement-acknowledged",
        "Switched off unless TRUEUP_ORDERS_API=true: that the API takes change orders is ASSUMED and not documented.",
    )
    _add_id(send)
    for parser in (submitted, send):
        parser.add_argument(
            "--agreement-acknowledged",
            action="store_true",
            help="you may order for the company, and the existing agreement (MSA) governs the order",
        )


def _add_id(parser: Parser) -> None:
    parser.add_argument("order_id", metavar="ORDER")


def _day(text: str) -> date:
    """A day as YYYY-MM-DD and in no other of the forms ISO has."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is None:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no day; write YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"there is no day {text}") from None
