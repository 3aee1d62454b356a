"""Connect, check, disconnect and show integrations. What is missing is asked for on a terminal, secrets without echo.

Must not: take a secret from the command line itself, where every other user of the machine could read it.
"""

from __future__ import annotations

import getpass
import os
import sys
from argparse import Namespace
from collections.abc import Mapping

from local.cli import EXIT_DONE, EXIT_FAILED
from local.cli.output import Cell, Column, Output, shown
from local.cli.parser import Usage
from local.cli.workplace import Workplace
from trueup import bootstrap
from trueup.api.views import View, integration_view
from trueup.domain.integrations import (
    CREDENTIAL_FIELDS,
    DEFAULT_ADDRESS,
    ConnectionState,
    CredentialField,
    Integration,
    IntegrationName,
)
from trueup.usecases import credential_validation

DISPLAY_NAMES = {IntegrationName.MIMECAST: "Mimecast", IntegrationName.CONNECTWISE: "ConnectWise"}

_STATE_WORDS = {
    ConnectionState.NOT_CONNECTED: Cell("not connected", "dim"),
    ConnectionState.PENDING: Cell("pending: finish the mapping", "yellow"),
    ConnectionState.ACTIVE: Cell("active", "green"),
    ConnectionState.NEEDS_ATTENTION: Cell("needs attention", "red"),
}


def connect_mimecast(workplace: Workplace, arguments: Namespace) -> int:
    given = {"client_id": arguments.client_id}
    return _connect(workplace, IntegrationName.MIMECAST, arguments, given, {"client_secret": "client_secret_env"})


def connect_connectwise(workplace: Workplace, arguments: Namespace) -> int:
    given = {
        "company_id": arguments.company,
        "public_key": arguments.public_key,
        "client_id": arguments.client_id,
    }
    return _connect(workplace, IntegrationName.CONNECTWISE, arguments, given, {"private_key": "private_key_env"})


_OPTIONS = {
    "client_id": "--client-id",
    "client_secret": "--client-secret-env",
    "company_id": "--company",
    "public_key": "--public-key",
    "private_key": "--private-key-env",
}


def _connect(
    workplace: Workplace,
    name: IntegrationName,
    arguments: Namespace,
    given: Mapping[str, str | None],
    from_environment: Mapping[str, str],
) -> int:
    command = f"trueup connect {name}"
    variables = {field: getattr(arguments, option) for field, option in from_environment.items()}
    fields: dict[str, str] = {}
    address = arguments.url
    if address is None:
        address = _asked_address(name, workplace.output) if sys.stdin.isatty() else DEFAULT_ADDRESS[name]
    for field in CREDENTIAL_FIELDS[name]:
        variable = variables.get(field.name)
        if variable is not None:
            fields[field.name] = _from_environment(variable, field, command)
        else:
            fields[field.name] = given.get(field.name) or _asked(field, command, workplace.output)
    workplace.output.note(f"Trying the credential at {shown(address, 200)} ...", "dim")
    systems = workplace.systems()
    integration = credential_validation.connect(
        name,
        address=address,
        fields=fields,
        actor=workplace.actor,
        integrations=systems.state.integrations,
        vault=systems.vault,
        connections=systems.connections,
        clock=systems.clock,
    )
    next_step = _next_step(workplace)
    workplace.output.document({**integration_view(integration), "next": next_step})
    _describe(workplace.output, integration)
    workplace.output.line()
    workplace.output.line(f"Next: {next_step}", "bold")
    return EXIT_DONE


def _from_environment(variable: str, field: CredentialField, command: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        what = f"the environment variable {shown(variable)}, which should hold the {field.label}, is empty or not set"
        raise Usage(what, command=command)
    return value


def _asked(field: CredentialField, command: str, output: Output) -> str:
    """What a person types. Raises Usage naming the option where nobody can be asked."""
    if not sys.stdin.isatty():
        raise Usage(f"{_OPTIONS[field.name]} is missing and there is no terminal to ask on", command=command)
    if field.where:
        output.note(f"{field.label}: {field.where}", "dim")
    if field.secret:
        return getpass.getpass(f"{field.label} (not shown): ", stream=sys.stderr)
    return _line(f"{field.label}: ")


def _asked_address(name: IntegrationName, output: Output) -> str:
    if name is IntegrationName.CONNECTWISE:
        output.note("Address: api-na, api-eu or api-au.myconnectwise.net, or your own server", "dim")
    return _line(f"Address [{DEFAULT_ADDRESS[name]}]: ") or DEFAULT_ADDRESS[name]


def _line(prompt: str) -> str:
    """One line from the terminal. The prompt goes to standard error, because standard output may be a program's."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    text = sys.stdin.readline()
    if not text:
        raise KeyboardInterrupt
    return text.strip()


def _next_step(workplace: Workplace) -> str:
    """What comes next in the month, told by how the connections stand."""
    waiting = [
        item.name.value for item in workplace.state.integrations.all() if item.state is ConnectionState.NOT_CONNECTED
    ]
    if waiting:
        return f"trueup connect {waiting[0]}"
    if any(item.state is ConnectionState.PENDING for item in workplace.state.integrations.all()):
        return "trueup sync, then map what is left and trueup finish"
    return "trueup run"


def _describe(output: Output, integration: Integration) -> None:
    if output.as_json or integration.report is None:
        return
    output.line(f"{DISPLAY_NAMES[integration.name]} is connected: {shown(integration.report.identity, 200)}")
    _capabilities(output, integration)


def _capabilities(output: Output, integration: Integration) -> None:
    report = integration.report
    for capability in report.capabilities if report else ():
        detail = f" ({shown(capability.detail, 200)})" if capability.detail else ""
        name = f"{shown(capability.name, 80)}{detail}"
        if capability.granted:
            output.line(f"  ✓ granted  {name}")
        else:
            output.line(f"  ✗ missing  {name}: needs {shown(capability.permission, 200)}", "red")
    for note in report.notes if report else ():
        output.paragraph(f"Note: {shown(note, 500)}", "  ")


def disconnect(workplace: Workplace, arguments: Namespace) -> int:
    integration = credential_validation.disconnect(
        IntegrationName(arguments.name),
        actor=workplace.actor,
        integrations=workplace.state.integrations,
        vault=bootstrap.vault(),
        clock=workplace.clock,
    )
    workplace.output.document(integration_view(integration))
    workplace.output.line(f"{DISPLAY_NAMES[integration.name]} is disconnected. Mappings, plans and history are kept.")
    return EXIT_DONE


def check(workplace: Workplace, arguments: Namespace) -> int:
    """1 when the check failed: the integration's cause and fix tell why."""
    systems = workplace.systems()
    integration = credential_validation.validate(
        IntegrationName(arguments.name),
        actor=workplace.actor,
        integrations=systems.state.integrations,
        vault=systems.vault,
        connections=systems.connections,
        clock=systems.clock,
    )
    workplace.output.document(integration_view(integration))
    if integration.cause:
        workplace.output.note(f"trueup: {shown(integration.cause, 500).rstrip('.')}; {shown(integration.fix, 500)}")
        return EXIT_FAILED
    workplace.output.line(f"{DISPLAY_NAMES[integration.name]} answers, and the credential is accepted.", "green")
    _capabilities(workplace.output, integration)
    return EXIT_DONE


def integrations(workplace: Workplace, arguments: Namespace) -> int:
    every = workplace.state.integrations.all()
    items: list[View] = [integration_view(item) for item in every]
    workplace.output.document({"items": items, "next": _next_step(workplace)})
    workplace.output.table(
        [Column("Integration"), Column("State"), Column("Address", "name"), Column("Key"), Column("Checked")],
        [
            [
                DISPLAY_NAMES[item.name],
                _STATE_WORDS[item.state],
                shown(item.address) or "-",
                f"…{item.identifier_tail}" if item.identifier_tail else "-",
                item.checked_at.strftime("%Y-%m-%d %H:%M UTC") if item.checked_at else "never",
            ]
            for item in every
        ],
    )
    for item in every:
        missing = item.report.missing if item.report else ()
        for capability in missing:
            workplace.output.line(
                f"{item.name.value} lacks {capability.name}: it needs {shown(capability.permission, 200)}"
            )
        if item.cause:
            workplace.output.line(f"{item.name.value}: {shown(item.cause, 300)} {shown(item.fix, 300)}", "red")
    workplace.output.line()
    workplace.output.line(f"Next: {_next_step(workplace)}", "bold")
    return EXIT_DONE
