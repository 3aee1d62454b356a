"""The routes of the simulated HaloPSA: which path and method leads where, and what each one reads."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.simulators.halopsa_records import client_record, invoice_record, item_record, memory
from local.simulators.halopsa_webhooks import delete_webhook, list_webhooks, post_webhook
from local.simulators.halopsa_writing import post_invoices
from local.simulators.messages import Reply, Request, json_reply
from local.simulators.tickets import HALOPSA_ROUTES
from local.simulators.world import WriteRecord

if TYPE_CHECKING:
    from local.simulators.halopsa import HaloPsaSimulator

type Handler = Callable[..., Reply]


@dataclass(frozen=True, slots=True)
class Found:
    """A route that fits a path, with the ids from the path."""

    template: str
    handlers: Mapping[str, Handler]
    ids: tuple[str, ...]


def find(resource: str) -> Found | None:
    """The route for a resource path below /api, or None. HaloPSA's paths compare without case."""
    for template, handlers in ROUTES.items():
        match = _PATTERNS[template].fullmatch(resource)
        if match:
            return Found(template, handlers, match.groups())
    return None


def _me(_simulator: "HaloPsaSimulator", _request: Request, _record: WriteRecord | None) -> Reply:
    return json_reply(200, {"id": 7, "name": "Trueup API", "is_agent": True, "isapiagent": True, "one_client": 0})


# Clients.


def _clients(simulator: "HaloPsaSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    world = simulator.world
    rows = (client_record(world, world.companies[key]) for key in sorted(world.companies))
    shown = [row for row in rows if _wanted(request, row["inactive"]) and _holds(request, row, ("name", "ref"))]
    return simulator.page_of(request, "clients", shown)


def _client(simulator: "HaloPsaSimulator", request: Request, _record: WriteRecord | None, key: str) -> Reply:
    world = simulator.world
    company = world.companies.get(int(key))
    if company is not None and request.fault("other_client"):
        company = next((one for one in world.companies.values() if one is not company), company)
    return simulator.error_reply(404) if company is None else json_reply(200, client_record(world, company))


# Recurring invoices.


def _invoices(simulator: "HaloPsaSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    world, query = simulator.world, request.query
    wanted = query.get("client_id", "") if request.fault("other_client") is None else ""
    agreements = [
        world.agreements[key]
        for key in sorted(world.agreements)
        if not wanted or str(world.agreements[key].company_id) == wanted
    ]
    with_lines = query.get("includelines", "").lower() == "true"
    return simulator.page_of(
        request, "invoices", [invoice_record(world, one, with_lines=with_lines) for one in agreements]
    )


def _invoice(simulator: "HaloPsaSimulator", request: Request, _record: WriteRecord | None, key: str) -> Reply:
    world = simulator.world
    agreement = world.agreements.get(int(key))
    if agreement is not None and request.fault("other_client"):
        agreement = next((one for one in world.agreements.values() if one is not agreement), agreement)
    if agreement is None:
        return simulator.error_reply(404)
    return json_reply(200, invoice_record(world, agreement, with_lines=True))


def _post_invoices(simulator: "HaloPsaSimulator", request: Request, record: WriteRecord) -> Reply:
    return post_invoices(simulator, request, record)


def _changes(simulator: "HaloPsaSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    # The envelope is unverified: an array was reported by one library.
    query = request.query
    rows = [
        one
        for one in reversed(memory(simulator.world)["changes"])
        if query.get("invoice_id", "") in ("", str(one["invoice_id"]))
        and query.get("line_id", "") in ("", str(one["invoice_line_id"]))
    ]
    count = query.get("count", "")
    return json_reply(200, rows[: int(count)] if count.isdecimal() else rows)


# Items.


def _items(simulator: "HaloPsaSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    catalog = simulator.world.catalog
    kept = (catalog[key] for key in sorted(catalog) if _wanted(request, catalog[key].inactive))
    rows = [item_record(one) for one in kept]
    found = [row for row in rows if _holds(request, row, ("name", "description", "supplier_part_code"))]
    return simulator.page_of(request, "items", found)


def _item(simulator: "HaloPsaSimulator", _request: Request, _record: WriteRecord | None, key: str) -> Reply:
    item = simulator.world.catalog.get(int(key))
    return simulator.error_reply(404) if item is None else json_reply(200, item_record(item))


def _wanted(request: Request, inactive: bool) -> bool:
    # Which of the two is shown when nothing is asked for is a guess: what is active.
    name, otherwise = ("includeinactive", "false") if inactive else ("includeactive", "true")
    return request.query.get(name, otherwise).lower() == "true"


def _holds(request: Request, row: Mapping[str, Any], fields: Iterable[str]) -> bool:
    text = request.query.get("search", "").casefold()
    return not text or any(text in str(row[field]).casefold() for field in fields)


ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/Agent/me": {"GET": _me},
    "/Client": {"GET": _clients},
    "/Client/{id}": {"GET": _client},
    "/RecurringInvoice": {"GET": _invoices, "POST": _post_invoices},
    "/RecurringInvoice/{id}": {"GET": _invoice},
    "/InvoiceChange": {"GET": _changes},
    "/Item": {"GET": _items},
    "/Item/{id}": {"GET": _item},
    **HALOPSA_ROUTES,
    "/Webhook": {"GET": list_webhooks, "POST": post_webhook},
    "/Webhook/{guid}": {"DELETE": delete_webhook},
}
_PATTERNS = {
    template: re.compile(template.replace("{id}", r"(-?\d{1,12})").replace("{guid}", r"([0-9a-f-]{36})"), re.IGNORECASE)
    for template in ROUTES
}
