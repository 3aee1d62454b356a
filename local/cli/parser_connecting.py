"""The part of the command line that connects: a command for each system with an API, made from its credential fields.

Must not: offer an option that takes a secret; those come from the environment or a hidden prompt.
"""

from __future__ import annotations

import argparse
import textwrap
from datetime import date
from typing import TYPE_CHECKING

from local.cli.parser_offline import add_connecting_files, add_switch
from trueup.domain.integrations import CREDENTIAL_FIELDS, DEFAULT_ADDRESS, CredentialField, IntegrationName, Side

if TYPE_CHECKING:
    from local.cli.parser import _Commands

ASKED = "What is not given is asked for on a terminal; secrets are never taken from the command line itself."

WITH_AN_API = tuple(name for name, fields in CREDENTIAL_FIELDS.items() if fields)
PSAS_WITH_AN_API = tuple(name.value for name in WITH_AN_API if name.side is Side.PSA)

ADDRESS_EXAMPLE = {
    # Where each MSP has a host of its own there is no default.
    IntegrationName.HALOPSA: "https://acme.halopsa.com",
    IntegrationName.SYNCRO: "https://acme.syncromsp.com",
}

_SHORTER = {"company_id": "--company"}
_KEYS_OF = {
    IntegrationName.MIMECAST: "an API application's keys",
    IntegrationName.CONNECTWISE: "an API member's keys",
    IntegrationName.AUTOTASK: "an API user's keys",
    IntegrationName.HALOPSA: "an API application's keys",
    IntegrationName.SYNCRO: "an API token",
    IntegrationName.MICROSOFT365: "an application's keys, to read license counts (optional)",
}


def option_of(field: CredentialField) -> str:
    """The option that gives a field; a secret's names the environment variable that holds it."""
    option = _SHORTER.get(field.name, "--" + field.name.replace("_", "-"))
    return f"{option}-env" if field.secret else option


def destination_of(field: CredentialField) -> str:
    """Under which name the parsed command line holds it."""
    return f"field_{field.name}"


def add_connecting(commands: _Commands) -> None:
    connect = commands.group(
        "connect", "Connect Mimecast, the PSA, license counts: a credential is tried before it is stored"
    )
    for name in WITH_AN_API:
        command = connect.add(
            name.value,
            "connecting:connect",
            "write",
            f"Connect {name.label} with {_KEYS_OF[name]}",
            _example(name),
            ASKED,
        )
        command.set_defaults(integration=name)
        default = DEFAULT_ADDRESS.get(name)
        address = f"default: {default}" if default else f"such as {ADDRESS_EXAMPLE[name]}"
        command.add_argument("--url", help=f"address of {name.label} ({address})")
        for field in CREDENTIAL_FIELDS[name]:
            where = field.where.replace("%", "%%")
            text = f"environment variable that holds the {field.label}" if field.secret else field.label
            metavar = "VAR" if field.secret else "ID"
            command.add_argument(
                option_of(field),
                dest=destination_of(field),
                metavar=metavar,
                help=f"{text}: {where}" if where else text,
            )
        command.add_argument(
            "--ends-on",
            metavar="YYYY-MM-DD",
            type=_day,
            help="last day of the credential, where it has one: a notice tells of it a month before",
        )
        add_switch(command)
    add_connecting_files(connect)
    every = tuple(name.value for name in IntegrationName)
    for verb, summary in (
        ("disconnect", "Forget a credential; mappings, plans and history stay"),
        ("check", "Try a stored credential and record its health"),
    ):
        named = commands.add(verb, f"connecting:{verb}", "write", summary, f"trueup {verb} mimecast")
        named.add_argument("name", choices=every, metavar="NAME", help=f"which integration: {', '.join(every)}")
    commands.add(
        "integrations", "connecting:integrations", "read", "Show how each connection stands", "trueup integrations"
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a day as YYYY-MM-DD") from None


def _example(name: IntegrationName) -> str:
    words = ["trueup", "connect", name.value]
    if name in ADDRESS_EXAMPLE:
        words += ["--url", ADDRESS_EXAMPLE[name]]
    given = [
        f"{option_of(field)} {f'{name.value}_{field.name}'.upper() if field.secret else field.name.replace('_', '-')}"
        for field in CREDENTIAL_FIELDS[name]
    ]
    return textwrap.fill(" ".join((*words, *given)), 90, subsequent_indent="    ", break_on_hyphens=False).replace(
        "\n", " \\\n"
    )
