"""Connect, check, disconnect and show integrations. What is missing is asked for on a terminal, secrets without echo.

Must not: take a secret from the command line itself, where every other user of the machine could read it.
"""

from __future__ import annotations

import getpass
import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from local.cli import EXIT_DONE, EXIT_FAILED
from local.cli.offline import say_what_was_kept
from local.cli.output import Cell, Column, Output, shown
from local.cli.parser import Usage
from local.cli.parser_connecting import (
    ADDRESS_EXAMPLE,
    PSAS_WITH_AN_API,
    WITH_AN_API,
    destination_of,
    option_of,
)
from local.cli.workplace import Workplace
from trueup import bootstrap
from trueup.api.file_views import kept_mappings_view
from trueup.api.spreadsheets import mapping_sheets
from trueup.api.views import View, integration_view
from trueup.domain.integrations import (
    CREDENTIAL_FIELDS,
    DEFAULT_ADDRESS,
    ConnectionState,
    CredentialField,
    Integration,
    IntegrationName,
    Side,
)
from trueup.usecases import credential_validation
from trueup.usecases.psa_switch import connect_system

_STATE_WORDS = {
    ConnectionState.NOT_CONNECTED: Cell("not connected", "dim"),
    ConnectionState.PENDING: Cell("pending: finish the mapping", "yellow"),
    ConnectionState.ACTIVE: Cell("active", "green"),
    ConnectionState.NEEDS_ATTENTION: Cell("needs attention", "red"),
}


def connect(workplace: Workplace, arguments: Namespace) -> int:
    """Any system with an API; what is not given is asked for where somebody can answer."""
    name: IntegrationName = arguments.integration
    command = f"trueup connect {name}"
    address = arguments.url if arguments.url is not None else _asked_address(name, command, workplace.output)
    fields: dict[str, str] = {}
    for field in CREDENTIAL_FIELDS[name]:
        given: str | None = getattr(arguments, destination_of(field))
        if given is not None and field.secret:
            given = _from_environment(given, field, command)
        fields[field.name] = given or _asked(field, command, workplace.output)
    if CREDENTIAL_FIELDS[name]:
        workplace.output.note(f"Trying the credential at {shown(address, 200)} ...", "dim")
    systems = workplace.systems()
    state = systems.state
    done = connect_system(
        name,
        address=address,
        fields=fields,
        switch=arguments.switch,
        ends_on=getattr(arguments, "ends_on", None),
        sheets=mapping_sheets,
        actor=workplace.actor,
        integrations=state.integrations,
        vault=systems.vault,
        connections=systems.connections,
        snapshots=state.snapshots,
        accounts=state.accounts,
        services=state.services,
        uploads=state.uploads,
        clock=systems.clock,
    )
    integration = done.integration
    next_step = _next_step(workplace)
    workplace.output.document(
        {
            **integration_view(integration),
            "to_be_matched_again": None if done.kept is None else kept_mappings_view(done.kept),
            "next": next_step,
        }
    )
    _describe(workplace.output, integration)
    if done.kept is not None:
        say_what_was_kept(workplace.output, done.kept)
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
        raise Usage(f"{option_of(field)} is missing and there is no terminal to ask on", command=command)
    if field.where:
        output.note(f"{field.label}: {field.where}", "dim")
    if field.secret:
        return getpass.getpass(f"{field.label} (not shown): ", stream=sys.stderr)
    return _line(f"{field.label}: ")


def _asked_address(name: IntegrationName, command: str, output: Output) -> str:
    """What a person types, or the default where there is one. Raises Usage where neither can be had."""
    default = DEFAULT_ADDRESS.get(name)
    if not sys.stdin.isatty():
        if default is None:
            raise Usage(
                f"--url is missing, and every {name.label} has an address of its own, such as {ADDRESS_EXAMPLE[name]}",
                command=command,
            )
        return default
    if name is IntegrationName.CONNECTWISE:
        output.note("Address: api-na, api-eu or api-au.myconnectwise.net, or your own server", "dim")
    if default is None:
        output.note(f"Address: of your own {name.label}, such as {ADDRESS_EXAMPLE[name]}", "dim")
        return _line("Address: ")
    return _line(f"Address [{default}]: ") or default


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
    connected = [item for item in workplace.state.integrations.all() if item.state is not ConnectionState.NOT_CONNECTED]
    sides = {item.name.side for item in connected}
    if Side.VENDOR not in sides:
        return "trueup connect mimecast"
    if Side.PSA not in sides:
        return f"trueup connect {PSAS_WITH_AN_API[0]} (or {', '.join(PSAS_WITH_AN_API[1:])})"
    if any(item.state is ConnectionState.PENDING for item in connected):
        return "trueup sync, then map what is left and trueup finish"
    return "trueup run"


def _worth_showing(every: Sequence[Integration]) -> list[Integration]:
    """What is connected, and what could be on a side where nothing is: only one of a side can be."""
    sides = {item.name.side for item in every if item.state is not ConnectionState.NOT_CONNECTED}
    return [
        item
        for item in every
        if item.state is not ConnectionState.NOT_CONNECTED or (item.name.side not in sides and item.name in WITH_AN_API)
    ]


def _describe(output: Output, integration: Integration) -> None:
    if output.as_json or integration.report is None:
        return
    output.paragraph(f"{integration.name.label} is connected: {shown(integration.report.identity, 200)}")
    if integration.credential_ends_on is not None:
        output.line(f"  its credential ends on {integration.credential_ends_on.isoformat()}")
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
    workplace.output.line(f"{integration.name.label} is disconnected. Mappings, plans and history are kept.")
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
    workplace.output.line(f"{integration.name.label} answers, and the credential is accepted.", "green")
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
                item.name.label,
                _STATE_WORDS[item.state],
                shown(item.address) or "-",
                f"…{item.identifier_tail}" if item.identifier_tail else "-",
                item.checked_at.strftime("%Y-%m-%d %H:%M UTC") if item.checked_at else "never",
            ]
            for item in _worth_showing(every)
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
