"""Everything the command line does is also over the API: one table of all commands, their options and their routes.

Method: the table is held against the real parser and the real OpenAPI document, so a command, an option or a route that
is added has to find its place here, or say why it has none.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from aws_lambda_powertools import Logger

from local.cli.parser import build
from local.cli.parser_connecting import WITH_AN_API, option_of
from trueup.api.portal import build_portal, describe
from trueup.domain.exported_files import FileKind
from trueup.domain.integrations import CREDENTIAL_FIELDS, IntegrationName

DESCRIPTION = json.loads(describe(build_portal(Logger(service="portal"))))
ROUTES = {f"{method.upper()} {path}" for path, item in DESCRIPTION["paths"].items() for method in item}


@dataclass(frozen=True, slots=True)
class Over:
    """The routes that do what a command does. ``options`` tells for each option of the command what does it there: a
    member of the body, a parameter, a route, or in brackets why nothing has to.
    """

    routes: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OnlyHere:
    """A command of the machine or of the deployment, which no API of a running stack could carry out."""

    why: str


CONNECT = "PUT /v1/integrations/{name}"
RUN = "POST /v1/runs"
CUSTOMER_FILE = "/v1/integrations/{name}/customer-file"
READING = {
    "--accept-drop": "accept_drop",
    "--customers": f"PUT {CUSTOMER_FILE}",
    "--no-customers": f"DELETE {CUSTOMER_FILE}",
}
STATE = "mapping"
ORDER_STEP = "POST /v1/change-orders/{order_id}/{action}"
GIVE_FILE = "PUT /v1/files/{kind}"
ONE_TENANT = "PUT /v1/license-mappings/{tenant_id}"
FILES_ALONE = [name for name in IntegrationName if name not in WITH_AN_API]

TABLE: dict[str, Over | OnlyHere] = {
    **{f"connect {name}": Over((CONNECT,), {
        "--url": "address", "--switch": "switch", "--ends-on": "credential_ends_on"} | dict.fromkeys(
        map(option_of, CREDENTIAL_FIELDS[name]), "fields")) for name in WITH_AN_API},
    **{f"connect {name}": Over((CONNECT,), {"--switch": "switch"}) for name in FILES_ALONE},
    "disconnect": Over(("DELETE /v1/integrations/{name}",)),
    "check": Over(("POST /v1/integrations/{name}/authenticate",)),
    "integrations": Over(("GET /v1/integrations",)),
    "sync": Over((RUN, "GET /v1/runs/{run_id}", f"GET {CUSTOMER_FILE}"), READING),
    "accounts": Over(("GET /v1/account-mappings",), dict.fromkeys(
        ("--unmapped", "--ambiguous", "--mapped", "--excluded"), STATE)),
    "services": Over(("GET /v1/service-mappings",)),
    "products": Over(("GET /v1/products",)),
    "map account": Over(("PUT /v1/account-mappings/{vendor_account_id}",)),
    "map service": Over(("PUT /v1/service-mappings/{service_id}",)),
    "map exclude": Over(("PUT /v1/account-mappings/{vendor_account_id}",), {
        "--reason": "exclude_reason", "--owner": "owner", "--review-on": "review_on"}),
    "map exclude-service": Over(("PUT /v1/service-mappings/{service_id}",), {"--reason": "exclude_reason"}),
    "map per-user": Over(("PUT /v1/service-mappings/{service_id}",)),
    "map clear": Over(("DELETE /v1/account-mappings/{vendor_account_id}",)),
    "map import": Over(("POST /v1/account-mappings/import",)),
    "map import-services": Over(("POST /v1/service-mappings/import",)),
    "map export": Over(("GET /v1/exports/{name}",)),
    "map kept": Over(("GET /v1/kept-mappings",)),
    "tenants list": Over(("GET /v1/license-mappings",), dict.fromkeys(
        ("--unmapped", "--ambiguous", "--mapped", "--excluded"), STATE)),
    "tenants map": Over((ONE_TENANT,)),
    "tenants exclude": Over((ONE_TENANT,), {"--reason": "exclude_reason"}),
    "tenants clear": Over(("DELETE /v1/license-mappings/{tenant_id}",)),
    "tenants import": Over(("POST /v1/license-mappings/import",)),
    "tenants export": Over(("GET /v1/exports/{name}",)),
    "counting show": Over(("GET /v1/counting-policies", "GET /v1/counting-policies/{scope}")),
    "counting set": Over(("PUT /v1/counting-policies/{scope}",), {
        "--shared": "counts_shared", "--rooms": "counts_rooms", "--guests": "counts_guests",
        "--blocked": "counts_blocked", "--unknown-mailboxes": "counts_unknown_mailboxes", "--sku": "counted_skus",
        "--ignore-sku": "ignored_skus", "--service-user": "service_users", "--included": "included_seats",
        "--minimum": "minimum_seats", "--multiple": "multiple_seats", "--cap": "cap_seats",
        "--adjust-files": "adjusts_stated", "--reason": "reason"}),
    "counting clear": Over(("DELETE /v1/counting-policies/{scope}",), {"--reason": "reason"}),
    "counting people": Over(("GET /v1/licensed-users",), {"--out": "(a screen filters the list)"}),
    **{f"import {kind}": Over((GIVE_FILE, "POST /v1/files/{kind}/preview"), {
        "--column": "columns", "--yes": "confirm"}) for kind in FileKind},
    "files": Over(("GET /v1/files",)),
    "forget-file": Over(("DELETE /v1/files/{kind}",)),
    "finish": Over(("POST /v1/integrations/{name}/finish", RUN), READING),
    "run": Over((RUN, "GET /v1/runs/{run_id}", "GET /v1/reconciliation", "GET /v1/plans/{plan_id}"), READING | {
        "--csv": "GET /v1/exports/{name}", "--all": "(a screen filters by verdict)",
        "--effective": "effective"}),
    "plan show": Over(("GET /v1/plans/{plan_id}",)),
    "plan list": Over(("GET /v1/plans",), {"--limit": "limit"}),
    "plan release": Over(("POST /v1/plans/{plan_id}/changes/{change_id}/release",), {"--reason": "reason"}),
    "plan approve": Over(("POST /v1/plans/{plan_id}/approve",), {"--checksum": "checksum"}),
    "plan apply": Over(("POST /v1/plans/{plan_id}/apply",), {"--checksum": "checksum"}),
    "plan add-line": Over(("POST /v1/plans/{plan_id}/lines", "GET /v1/reconciliation"), {
        "--agreement": "agreement_id", "--effective": "effective"}),
    "plan drop-line": Over(("DELETE /v1/plans/{plan_id}/lines/{change_id}",)),
    "plan undo": Over(("POST /v1/plans/{plan_id}/undo",), {"--change": "change_ids", "--reason": "reason"}),
    "lines divide": Over(("PUT /v1/line-divisions/{psa_account_id}/{product_id}",), {
        "--fixed": "fixed", "--balance": "balance", "--reason": "reason"}),
    "lines show": Over(("GET /v1/line-divisions",)),
    "lines forget": Over(("DELETE /v1/line-divisions/{psa_account_id}/{product_id}",)),
    "orders list": Over(("GET /v1/change-orders",), {"--all": "state", "--period": "period"}),
    "orders show": Over(("GET /v1/change-orders/{order_id}",)),
    "orders terms": Over((ORDER_STEP,), {
        "--lead": "implementation_lead", "--po": "po_number", "--product-change": "product_change",
        "--contract-starts": "contract_starts_on"}),
    "orders release": Over((ORDER_STEP,), {"--reason": "reason"}),
    "orders approve": Over((ORDER_STEP,), {"--checksum": "checksum"}),
    "orders submitted": Over((ORDER_STEP,), {
        "--number": "order_number", "--agreement-acknowledged": "agreement_acknowledged",
        "--downsell-deadline": "downsell_deadline", "--effective-on": "effective_on"}),
    "orders cancel": Over((ORDER_STEP,), {"--reason": "reason"}),
    "orders reject": Over((ORDER_STEP,), {"--reason": "reason"}),
    "orders resolve": Over((ORDER_STEP,), {"--outcome": "outcome", "--reason": "reason"}),
    "orders send": Over((ORDER_STEP,), {"--agreement-acknowledged": "agreement_acknowledged"}),
    "portal-users list": Over(("GET /v1/portal-users",)),
    "portal-users add": Over(("POST /v1/portal-users",), {"--name": "name"}),
    "portal-users import": Over(("POST /v1/portal-users/import",)),
    "portal-users check": Over(("POST /v1/portal-users/check",)),
    "portal-users invite": Over(("POST /v1/portal-users/{address}/invite",)),
    "portal-users tick": Over(("POST /v1/portal-users/{address}/tick",), {"--undo": "done"}),
    "portal-users mail": Over(("GET /v1/portal-users/mail",), {"--to": "to", "--with-invited": "with_invited"}),
    "portal-users remove": Over(("DELETE /v1/portal-users/{address}",)),
    "note": Over(("POST /v1/account-mappings/{vendor_account_id}/notes",)),
    "history": Over(("GET /v1/history",), {"--limit": "limit"}),
    "seal": Over(("POST /v1/months/{period}/seal",), {"--reason": "reason"}),
    "reopen": Over(("POST /v1/months/{period}/reopen",), {"--reason": "reason"}),
    "months": Over(("GET /v1/months",)),
    "verify": Over(("GET /v1/history/verification",), {"--kept-hash": "kept_hash"}),
    "replay": Over(("GET /v1/months/{period}/replay",)),
    "evidence": Over(("GET /v1/months/{period}/evidence",), {
        "--client": "account", "--out": "(a screen downloads the file)"}),
    "report": Over(("GET /v1/reports/{period}",), {"--html": "format", "--csv": "format"}),
    "trend": Over(("GET /v1/trend",), {
        "--months": "months", "--client": "account", "--service": "service", "--until": "period"}),
    "export": Over(("GET /v1/exports/{name}", "GET /v1/kept-mappings/{kept_id}/{what}"), {
        "--period": "period", "--kept": "kept_id"}),
    "keys create": Over(("POST /v1/api-keys",), {
        "--name": "name", "--scope": "scopes", "--calls-a-minute": "calls_a_minute"}),
    "keys list": Over(("GET /v1/api-keys",)),
    "keys revoke": Over(("DELETE /v1/api-keys/{key_id}",)),
    "callbacks register": Over(("POST /v1/callbacks",), {"--url": "url"}),
    "callbacks list": Over(("GET /v1/callbacks",)),
    "callbacks remove": Over(("DELETE /v1/callbacks/{callback_id}",)),
    "notices channels": Over(("GET /v1/notice-channels",)),
    "notices set": Over(("PUT /v1/notice-channels/{channel}",), {
        "--kind": "kinds", "--webhook-env": "webhook_url", "--company": "ticket", "--queue": "ticket",
        "--priority": "ticket", "--status": "ticket", "--type": "ticket"}),
    "notices test": Over(("POST /v1/notice-channels/{channel}/test",)),
    "notices remove": Over(("DELETE /v1/notice-channels/{channel}",)),
    "notices list": Over(("GET /v1/notices",), {"--period": "period"}),
    "demo": OnlyHere("it plays on simulators of its own"),
    "serve": OnlyHere("it is what answers the API on one machine"),
    "simulators": OnlyHere("they stand in for the vendors"),
    "simulate": OnlyHere("it plays on simulators of its own"),
    "doctor": OnlyHere("it looks at this machine"),
    "tenant add": OnlyHere("a stack has one tenant, and is deployed by who holds samconfig.toml"),
}  # fmt: skip

ONLY_OVER_THE_API = {
    "GET /v1/health": "a load balancer asks",
    "GET /v1/integrations/{name}": "one item of a list the command shows whole",
    "GET /v1/account-mappings/{vendor_account_id}": "one item of a list the command shows whole",
    "POST /v1/account-mappings": "map import takes many decisions from a file",
    "GET /v1/license-mappings/{tenant_id}": "one item of a list the command shows whole",
    "POST /v1/license-mappings": "tenants import takes many decisions from a file",
    "GET /v1/me": "a screen shows who is signed in",
    "GET /v1/psa-accounts": "a screen offers the clients to pick from; the command takes an id",
    "DELETE /v1/service-mappings/{service_id}": "a screen takes back what was decided a moment ago",
    "GET /v1/runs": "the command waits for its run; a screen lists them",
    "POST /v1/plans": "the command runs again, which proposes again",
    "POST /v1/psa/runs": "trueup run, for machines with a key",
    "GET /v1/psa/clients/{psa_account_id}": "trueup run --all shows every client; a machine asks for one",
    "GET /v1/psa/plan": "trueup plan show, for machines with a key",
    "POST /v1/psa/plan/approve": "trueup plan approve, for machines with a key",
}
"""Routes that no command needs, with the reason."""


def commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Every command by its words, with its options."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        options = {option for action in parser._actions for option in action.option_strings if option.startswith("--")}
        yield " ".join(words), options - {"--help", "--json"}
    for group in groups:
        for name, child in group.choices.items():
            yield from commands(child, (*words, name))


COMMANDS = dict(commands(build()))


def test_the_table_names_every_command_and_no_other() -> None:
    assert set(TABLE) == set(COMMANDS)


@pytest.mark.parametrize("command", sorted(TABLE))
def test_what_a_command_does_has_its_routes(command: str) -> None:
    way = TABLE[command]
    if isinstance(way, OnlyHere):
        assert way.why
        return
    assert way.routes
    assert set(way.routes) <= ROUTES
    assert set(way.options) == COMMANDS[command], "each option has its counterpart, or says why it needs none"
    for option, counterpart in way.options.items():
        if not counterpart.startswith("("):
            assert counterpart in ROUTES or any(has_input(route, counterpart) for route in way.routes), option


def test_the_table_names_every_route() -> None:
    named = {route for way in TABLE.values() if isinstance(way, Over) for route in way.routes}
    named |= {
        text for way in TABLE.values() if isinstance(way, Over) for text in way.options.values() if text in ROUTES
    }
    assert named | set(ONLY_OVER_THE_API) == ROUTES
    assert not named & set(ONLY_OVER_THE_API)


def has_input(route: str, name: str) -> bool:
    """Whether the description knows a parameter or a member of the body of that name."""
    method, path = route.split(" ")
    operation = DESCRIPTION["paths"][path][method.lower()]
    parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schemas = DESCRIPTION["components"]["schemas"]
    members = {
        member
        for schema in schemas.values()
        if f'/{schema.get("title")}"' in json.dumps(content)
        for member in schema.get("properties", {})
    }
    return name in parameters | members
