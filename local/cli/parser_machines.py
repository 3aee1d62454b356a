"""The part of the command line that is about machines: keys for those that call Trueup, callbacks of the PSA."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.cli.parser import _Commands

SCOPES = ("runs:start", "counts:read", "plan:read", "plan:approve")
"""KeyScope's own words, written here so that ``--help`` loads nothing of the product; a test holds them equal."""


def add_machines(commands: _Commands) -> None:
    keys = commands.group("keys", "API keys for machines that call Trueup, the PSA above all")
    create = keys.add(
        "create",
        "machines:create",
        "write",
        "Make a key: it is shown once, and only its hash is kept",
        "trueup keys create --name 'HaloPSA runbook' --scope counts:read --scope plan:read",
        "Scopes: runs:start, counts:read, plan:read, plan:approve. A key that may approve lets quantities be written.",
    )
    create.add_argument("--name", metavar="TEXT", required=True, help="what will use the key; the history shows it")
    create.add_argument(
        "--scope",
        dest="scopes",
        metavar="SCOPE",
        action="append",
        choices=SCOPES,
        required=True,
        help="what the key may do; give it once for each scope",
    )
    create.add_argument(
        "--calls-a-minute", metavar="N", type=_calls, default=60, help="how often it may call (default: 60)"
    )
    keys.add("list", "machines:list_keys", "read", "List every key, revoked ones too", "trueup keys list")
    revoke = keys.add(
        "revoke", "machines:revoke", "write", "Revoke a key; it opens nothing from now on", "trueup keys revoke KEY_ID"
    )
    revoke.add_argument("key_id", metavar="KEY_ID", help="the id that `trueup keys list` shows")
    callbacks = commands.group("callbacks", "Calls of the PSA when a client or an agreement changes")
    register = callbacks.add(
        "register",
        "machines:register",
        "write",
        "Have the connected PSA call this Trueup; repeating it changes nothing",
        "trueup callbacks register --url https://trueup.example-msp.com",
        "A stack in AWS registers itself with POST /v1/callbacks; here the address must lead to `trueup serve`.",
    )
    register.add_argument(
        "--url", metavar="URL", required=True, help="https address under which the PSA reaches this Trueup"
    )
    callbacks.add(
        "list", "machines:list_registered", "read", "List what the PSA was asked for", "trueup callbacks list"
    )
    remove = callbacks.add(
        "remove", "machines:remove", "write", "Have the PSA no longer call for this", "trueup callbacks remove 77"
    )
    remove.add_argument("callback_id", metavar="ID", help="the id that `trueup callbacks list` shows")


def _calls(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 600:
        raise argparse.ArgumentTypeError("must be a number from 1 to 600")
    return int(text)
