"""The command line as data: every command with its options, its help, an example, and the function that carries it out.

Method: argparse, with handlers named as text so that ``--help`` loads nothing of the product.
Must not: print or exit by itself on a mistake; it raises Usage, and the caller ends with 64.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Literal, NoReturn

from local.cli.parser_connecting import PSAS_WITH_AN_API, add_connecting
from local.cli.parser_licenses import add_licenses
from local.cli.parser_lines import add_effective, add_lines, add_plan_edits
from local.cli.parser_machines import add_machines
from local.cli.parser_months import add_months, add_reports
from local.cli.parser_notices import add_notices
from local.cli.parser_offline import add_kept_mappings, add_offline
from local.cli.parser_orders import add_orders
from local.cli.parser_portal import add_portal_users
from local.cli.parser_simulating import add_simulate
from trueup.domain.errors import InputInvalid

Access = Literal["none", "read", "write"]
"""What a command needs: nothing, the opened state, or the opened state as its one writer."""

DEFAULT_PORT = 8600
EXPORTS = (
    "reconciliation",
    "result",
    "plan",
    "mappings",
    "service-mappings",
    "kept-accounts",
    "kept-services",
    "portal-users",
    "change-orders",
)
HELP_COLUMNS = 100
EVERY_COMMAND = """\
Every command takes --json (one JSON document on standard output) and --help. State lives in $TRUEUP_HOME
(default: .local in the project). Exit codes: 0 in line or done, 2 differences found, 1 failed, 64 wrong usage.
"""


class Usage(InputInvalid):
    """The command line cannot be understood; the remedy names the help that explains it."""

    code = "usage"

    def __init__(self, message: str, *, command: str) -> None:
        super().__init__(message, field="command line", remedy=f"See {command} --help.")


class Parser(argparse.ArgumentParser):
    """Raises Usage where argparse would print and exit; never guesses an abbreviated option."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        named.setdefault("allow_abbrev", False)
        named.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*arguments, **named)
        self.complete: Callable[[Parser], None] | None = None

    def error(self, message: str) -> NoReturn:
        raise Usage(message, command=self.prog)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self.complete is not None:
            complete, self.complete = self.complete, None
            complete(self)
        return super().parse_known_args(args, namespace)


class _Commands:
    """Adds commands to one level of the command line."""

    def __init__(self, parser: Parser, *, title: str) -> None:
        self._actions = parser.add_subparsers(title=title, metavar="COMMAND", parser_class=Parser)
        parser.set_defaults(handler=None)

    def add(self, name: str, handler: str, access: Access, summary: str, example: str, more: str = "") -> Parser:
        """``handler`` is ``module:function`` in this package; ``example`` stands at the end of the help."""
        parser: Parser = self._actions.add_parser(
            name,
            help=summary,
            description=textwrap.fill(f"{summary}.{' ' + more if more else ''}", HELP_COLUMNS),
            epilog=f"example:\n  {example}",
        )
        parser.set_defaults(handler=handler, access=access)
        _add_json(parser)
        return parser

    def group(self, name: str, summary: str) -> _Commands:
        parser: Parser = self._actions.add_parser(name, help=summary, description=f"{summary}.")
        _add_json(parser)
        return _Commands(parser, title="commands")


def _add_json(parser: Parser) -> None:
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print exactly one JSON document"
    )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The parsed command line with ``handler``, ``access`` and ``json``. Raises Usage; exits only for ``--help``."""
    parser = build()
    found = parser.parse_args(arguments)
    found.json = getattr(found, "json", False)
    if found.handler is None:
        words = [word for word in arguments if not word.startswith("-")]
        if not words:
            raise Usage("no command was given", command="trueup")
        raise Usage(f"{' '.join(words)} needs a command after it", command=f"trueup {' '.join(words)}")
    return found


def build() -> Parser:
    parser = Parser(
        prog="trueup",
        description="Keeps three numbers equal for every client: what Mimecast bills you for, what is licensed, what "
        "you bill.\nThe month: connect, sync, map, finish, run, plan approve, plan apply.",
        epilog=EVERY_COMMAND,
    )
    _add_json(parser)
    commands = _Commands(parser, title="commands")
    add_connecting(commands)
    add_offline(commands)
    _add_reading(commands)
    _add_mapping(commands)
    add_licenses(commands)
    _add_month(commands)
    _add_plans(commands)
    add_lines(commands)
    add_orders(commands)
    _add_records(commands)
    add_months(commands)
    add_reports(commands)
    add_machines(commands)
    add_notices(commands)
    add_portal_users(commands)
    _add_machine(commands)
    return parser


def _add_reading(commands: _Commands) -> None:
    sync = commands.add(
        "sync", "month:sync", "write", "Read all sides in full and match accounts by name", "trueup sync"
    )
    _add_reading_options(sync)
    accounts = commands.add(
        "accounts",
        "mapping:accounts",
        "read",
        "List Mimecast accounts with their mapping",
        "trueup accounts --unmapped",
    )
    state = accounts.add_mutually_exclusive_group()
    for name, text in (
        ("unmapped", "only accounts nobody has decided on"),
        ("ambiguous", "only accounts whose name fits more than one"),
        ("mapped", "only mapped accounts"),
        ("excluded", "only excluded accounts, with the reason"),
    ):
        state.add_argument(f"--{name}", dest="state", action="store_const", const=name, help=text)
    commands.add("services", "mapping:services", "read", "List Mimecast services with their product", "trueup services")
    products = commands.add(
        "products", "mapping:products", "read", "Search the PSA's catalog by Product ID", "trueup products MIME"
    )
    products.add_argument("text", metavar="TEXT", help="part of a Product ID or name")


def day_to_come(text: str) -> date:
    """The day that an option names. Raises ArgumentTypeError, which argparse tells with the option's name."""
    try:
        return date.fromisoformat(text)
    except ValueError as bad:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no day; write it as YYYY-MM-DD") from bad


def _add_reading_options(parser: Parser) -> None:
    parser.add_argument("--accept-drop", action="store_true", help="believe a list that is much shorter than last time")
    file = parser.add_mutually_exclusive_group()
    file.add_argument(
        "--customers",
        metavar="FILE.csv",
        help="customer file that the Mimecast portal exports: kept, and used where the API may not list the accounts",
    )
    file.add_argument("--no-customers", action="store_true", help="forget the customer file that is kept")


def _add_mapping(commands: _Commands) -> None:
    group = commands.group("map", "Decide which account is which client, and which service is which product")
    account = group.add(
        "account", "mapping:map_account", "write", "Map an account to a client", "trueup map account CUSA1B2 271"
    )
    account.add_argument("vendor_id", metavar="VENDOR_ID", help="Mimecast account code")
    account.add_argument("psa_id", metavar="PSA_ID", help="id of the client in the PSA")
    service = group.add(
        "service",
        "mapping:map_service",
        "write",
        "Map a service to a product",
        "trueup map service 9702 MIME-EMAIL-S1",
    )
    service.add_argument("service_id", metavar="SERVICE_ID", help="id that `trueup services` lists")
    service.add_argument("product_id", metavar="PRODUCT_ID", help="Product ID or internal id in the PSA")
    for name, what in (("exclude", "VENDOR_ID"), ("exclude-service", "SERVICE_ID")):
        noun = "an account" if name == "exclude" else "a service"
        exclude = group.add(
            name,
            f"mapping:{name.replace('-', '_')}",
            "write",
            f"Leave {noun} out of the comparison",
            f'trueup map {name} {what} --reason "our own account"',
        )
        exclude.add_argument(what.lower(), metavar=what)
        exclude.add_argument("--reason", metavar="TEXT", required=True, help="why; it is kept in the history")
        if name == "exclude":
            exclude.add_argument("--owner", metavar="NAME", default="", help="who answers for it")
            exclude.add_argument(
                "--review-on", metavar="YYYY-MM-DD", type=day_to_come, help="when it is to be looked at again"
            )
    per_user = group.add(
        "per-user", "mapping:per_user", "write", "Say whether a service is sold by the licensed user",
        "trueup map per-user 9702 yes",
        "Of a service that is, the licensed count says what to order and, if you decided so, what to bill.",
    )  # fmt: skip
    per_user.add_argument("service_id", metavar="SERVICE_ID", help="id that `trueup services` lists")
    per_user.add_argument("answer", metavar="yes|no", choices=("yes", "no"))
    clear = group.add("clear", "mapping:clear", "write", "Take a decision back", "trueup map clear CUSA1B2")
    clear.add_argument("vendor_id", metavar="VENDOR_ID")
    importing = group.add(
        "import", "mapping:import_file", "write", "Take decisions from a file: all of them or none",
        "trueup map import mappings.csv",
        "Columns: vendor_account_id, psa_account_id and, to exclude, reason.",
    )  # fmt: skip
    importing.add_argument("file", metavar="FILE.csv")
    exporting = group.add(
        "export", "mapping:export_file", "read", "Write every decision to a file", "trueup map export mappings.csv"
    )
    exporting.add_argument("file", metavar="FILE.csv")
    add_kept_mappings(group)
    finish = commands.add(
        "finish", "month:finish", "write", "Finish the mapping: connections become active, and a sync follows",
        "trueup finish",
    )  # fmt: skip
    _add_reading_options(finish)


def _add_month(commands: _Commands) -> None:
    run = commands.add(
        "run",
        "month:run",
        "write",
        "Sync, match, reconcile and propose a plan; nothing is written to the PSA",
        "trueup run --csv november.csv",
        "Exit code 0 when everything is in line, 2 when there are differences.",
    )
    run.add_argument("--csv", metavar="FILE", help="also write the rows to this file")
    run.add_argument("--all", action="store_true", help="also print the rows that are in line")
    add_effective(run, default="as the PSA does it")
    _add_reading_options(run)


def _add_plans(commands: _Commands) -> None:
    group = commands.group("plan", "Show, change, approve, apply and take back proposed changes")
    show = group.add("show", "plans:show", "read", "Show a plan with its guards and results", "trueup plan show")
    show.add_argument("plan_id", metavar="ID", nargs="?", help="default: the newest plan")
    listing = group.add("list", "plans:list_plans", "read", "List the newest plans", "trueup plan list")
    _add_limit(listing, "plans")
    release = group.add(
        "release",
        "plans:release",
        "write",
        "Let a held change go with the plan; the plan gets a new checksum",
        'trueup plan release ID CHANGE --reason "confirmed by phone"',
    )
    release.add_argument("plan_id", metavar="ID")
    release.add_argument("change_id", metavar="CHANGE")
    release.add_argument("--reason", metavar="TEXT", required=True, help="why; it is kept in the history")
    for name, summary, more in (
        ("approve", "Approve exactly what this checksum is of", ""),
        (
            "apply",
            "Write an approved plan to the PSA, each change once, and read it back",
            "Exit code 0 when every change is applied, 2 when a line had moved (conflict), 1 when a write was rejected "
            "or its outcome is unknown.",
        ),
    ):
        parser = group.add(name, f"plans:{name}", "write", summary, f"trueup plan {name} ID --checksum SUM", more)
        parser.add_argument("plan_id", metavar="ID")
        parser.add_argument("--checksum", metavar="SUM", required=True, help="the checksum `trueup plan show` prints")
    add_plan_edits(group)


def _add_limit(parser: Parser, what: str) -> None:
    parser.add_argument("--limit", metavar="N", type=_limit, default=20, help=f"how many {what} (default: 20)")


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 10_000:
        raise argparse.ArgumentTypeError("must be a number from 1 to 10000")
    return int(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:9]) > 65_535:
        raise argparse.ArgumentTypeError("must be a port from 0 to 65535 (0: any free one)")
    return int(text)


def _add_records(commands: _Commands) -> None:
    history = commands.add(
        "history", "records:history", "read", "Show what was decided and done, newest first", "trueup history"
    )
    _add_limit(history, "events")
    note = commands.add(
        "note", "records:note", "write", "Write a note about an account", "trueup note CSIM10B202 'asked by phone'"
    )
    note.add_argument("vendor_id", metavar="VENDOR_ID")
    note.add_argument("text", metavar="TEXT", help="it is kept in the history and shown with the account's rows")
    export = commands.add(
        "export", "records:export", "read", "Write a CSV file", "trueup export reconciliation november.csv"
    )
    export.add_argument("what", choices=EXPORTS, metavar="WHAT", help=f"one of {', '.join(EXPORTS)}")
    export.add_argument("file", metavar="FILE")
    export.add_argument("--period", metavar="YYYY-MM", help="of the comparison (default: this month)")
    export.add_argument("--kept", metavar="ID", help="which kept mappings (see trueup map kept; default: newest)")


def _add_machine(commands: _Commands) -> None:
    demo = commands.add(
        "demo", "machine:demo", "none", "A whole month against simulated vendors, told as a story", "trueup demo"
    )
    _add_psa(demo)
    demo.add_argument("--fresh", action="store_true", help="forget the world of the last demo and begin anew")
    demo.add_argument("--home", metavar="FOLDER", help="where the demo lives (default: .local/demo)")
    serve = commands.add(
        "serve", "machine:serve", "none", "The local system with its HTTP API, until Ctrl-C", "trueup serve"
    )
    serve.add_argument("--port", type=_port, default=DEFAULT_PORT, help=f"on 127.0.0.1 (default: {DEFAULT_PORT})")
    simulators = commands.add(
        "simulators", "machine:simulators", "none", "Serve a simulated Mimecast, PSA and Microsoft 365, until Ctrl-C",
        "trueup simulators --psa halopsa --world 1000",
    )  # fmt: skip
    _add_psa(simulators)
    simulators.add_argument("--world", metavar="WORLD", default="demo", help="demo (default), or a number of clients")
    simulators.add_argument("--latency-seconds", metavar="S", type=float, default=0.0, help="added to every answer")
    add_simulate(commands)
    commands.add("doctor", "doctor:doctor", "none", "Explain what is missing on this machine", "trueup doctor")
    tenant = commands.group("tenant", "Tenants that are deployed from samconfig.toml")
    add = tenant.add(
        "add",
        "tenants:add",
        "none",
        "Write a samconfig.toml section for a new tenant, after checking its values",
        "trueup tenant add acme-msp --time-zone Europe/London --alarm-email billing@acme.example",
        "What is not given is asked for on a terminal, and has the template's default elsewhere.",
    )
    add.add_argument("name", metavar="NAME", help="short name of the tenant: lower-case letters, digits, dashes")
    add.add_argument("--region", default="eu-west-1", help="AWS region (default: eu-west-1)")
    add.add_argument("--file", metavar="FILE", help="default: samconfig.toml of the project")
    add.add_argument("--defaults", action="store_true", help="ask nothing; take defaults for what is not given")
    add.add_argument("--dry-run", action="store_true", help="show the section and write nothing")
    add.complete = _add_parameters


def _add_psa(parser: Parser) -> None:
    parser.add_argument(
        "--psa",
        choices=PSAS_WITH_AN_API,
        default=PSAS_WITH_AN_API[0],
        help=f"which PSA is simulated (default: {PSAS_WITH_AN_API[0]})",
    )


def _add_parameters(parser: Parser) -> None:
    """One option for each parameter of the template; read only when somebody adds a tenant."""
    from local.cli.tenants import option_of
    from local.template import parameters

    for name, parameter in parameters().items():
        if name != "Tenant":
            default = f" (default: {parameter.default or 'empty'})"
            text = (parameter.description.rstrip(".") + default).replace("%", "%%")
            parser.add_argument(option_of(name), dest=f"parameter_{name}", metavar="VALUE", help=text)
