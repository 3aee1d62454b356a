"""The routes of the simulated Autotask: which path and method leads where, and what each one reads or writes."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from local.simulators import autotask_records as records
from local.simulators.autotask_filters import fixed_ids, lowest_id
from local.simulators.autotask_periods import period_type_of
from local.simulators.autotask_units import STATE, AdjustmentError, line_of_row
from local.simulators.autotask_webhooks import WEBHOOK_ROUTES, webhook_fields, webhook_records
from local.simulators.messages import Reply, Request, json_reply, wire_time
from local.simulators.tickets import AUTOTASK_ROUTES, autotask_records
from local.simulators.world import PsaAddition, WriteRecord

if TYPE_CHECKING:
    from local.simulators.autotask import AutotaskSimulator

type Handler = Callable[..., Reply]

MAX_UNITS = 999_999
CREATION_FORBIDDEN = "The logged in Resource does not have the adequate permissions to create this entity type."

_SINGULAR = {
    "Companies": "Company",
    "Contracts": "Contract",
    "ContractServices": "ContractService",
    "ContractServiceUnits": "ContractServiceUnit",
    "ContractServiceAdjustments": "ContractServiceAdjustment",
    "Services": "Service",
    "CompanyWebhooks": "CompanyWebhook",
    "CompanyWebhookFields": "CompanyWebhookField",
    "Tickets": "Ticket",
}
_QUERIED = tuple(name for name in _SINGULAR if name != "ContractServiceAdjustments")
_CREATED = ("ContractServiceAdjustments", "CompanyWebhooks", "CompanyWebhookFields", "Tickets")
_WORDS = {
    word.casefold(): word
    for word in (
        *_SINGULAR,
        "query",
        "count",
        "next",
        "entityInformation",
        "fields",
        "ZoneInformation",
        "ThresholdInformation",
        "ServiceAdjustments",
        "ServiceUnits",
    )
}


@dataclass(frozen=True, slots=True)
class Found:
    """A route that fits a path, with what stands in its places."""

    template: str
    handlers: Mapping[str, Handler]
    parts: tuple[Any, ...]


def canonical(resource: str) -> str:
    """The path with every known word in its published spelling: Autotask's paths do not mind the case."""
    words = resource.split("/")
    if len(words) == 4 and words[1].casefold() == "companywebhooks" and words[3].casefold() == "fields":
        return f"/CompanyWebhooks/{words[2]}/Fields"
    return "/".join(_WORDS.get(word.casefold(), word) for word in words)


def find(resource: str) -> Found | None:
    """The route for a resource path, or None."""
    for template, handlers in ROUTES.items():
        match = _PATTERNS[template].fullmatch(resource)
        if match:
            parts = tuple(int(one) if one.isdecimal() else one for one in match.groups())
            return Found(template, handlers, parts)
    return None


def body_of(request: Request) -> Any:
    """The body as JSON; None when it is not JSON (which no route accepts either)."""
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        return None


def day_of(value: Any) -> date:
    """The day of `YYYY-MM-DD...`; the vendor sets the time to midnight. AdjustmentError for anything else."""
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise AdjustmentError("The value of effectiveDate is not a date.") from None


# Reading.


def _records(simulator: "AutotaskSimulator", entity: str, wanted: Any = None) -> Iterator[dict[str, Any]]:
    """All records of an entity by rising id; `wanted` is a filter that may narrow them down early."""
    world = simulator.world
    match entity:
        case "Companies":
            return (records.company_record(world.companies[key]) for key in sorted(world.companies))
        case "Contracts":
            return (
                records.contract_record(world.agreements[key], period_type_of(world, key))
                for key in sorted(world.agreements)
            )
        case "Services":
            return (records.service_record(world.catalog[key]) for key in sorted(world.catalog))
        case "ContractServices":
            return (records.contract_service_record(line) for line in _lines(simulator, wanted, "id"))
        case "ContractServiceUnits":
            above = line_of_row(lowest_id(wanted))
            lines = [line for line in _lines(simulator, wanted, "contractServiceID") if line.id >= above]
            return (row.record() for line in lines for row in simulator.units.rows_of(line))
        case "CompanyWebhooks":
            return iter(webhook_records(simulator))
        case "Tickets":
            return iter(autotask_records(simulator))
    return iter(webhook_fields(simulator))


def _lines(simulator: "AutotaskSimulator", wanted: Any, id_field: str) -> list[PsaAddition]:
    contracts, ids = fixed_ids(wanted, "contractID"), fixed_ids(wanted, id_field)
    lines = simulator.world.additions
    return [
        lines[key]
        for key in sorted(lines)
        if (ids is None or key in ids) and (contracts is None or lines[key].agreement_id in contracts)
    ]


def _filter(request: Request) -> Any:
    body = body_of(request)
    found = {str(name).casefold(): value for name, value in body.items()} if isinstance(body, dict) else {}
    return None if request.fault("page_ignored") else found.get("filter")


def _query(simulator: "AutotaskSimulator", request: Request, _record: WriteRecord | None, entity: str) -> Reply:
    if entity not in _QUERIED:
        return simulator.error_reply(404 if request.method == "GET" else 405)
    return simulator.query(request, entity, _records(simulator, entity, _filter(request)))


def _count(simulator: "AutotaskSimulator", request: Request, _record: WriteRecord | None, entity: str) -> Reply:
    if entity not in _QUERIED:
        return simulator.error_reply(404)
    return simulator.count(request, entity, _records(simulator, entity, _filter(request)))


def _one(
    simulator: "AutotaskSimulator", _request: Request, _record: WriteRecord | None, entity: str, key: int
) -> Reply:
    if entity not in _QUERIED:
        return simulator.error_reply(404)
    found = next((one for one in _records(simulator, entity) if one["id"] == key), None)
    # Whether an unknown id is a 404 or an empty item is not documented; the empty item is served.
    return json_reply(200, {"item": None if entity in simulator.restricted else found})


def _access(simulator: "AutotaskSimulator", _request: Request, _record: WriteRecord | None, entity: str) -> Reply:
    if entity not in _SINGULAR:
        return simulator.error_reply(404)
    seen = entity not in simulator.restricted
    access = records.access_record(
        _SINGULAR[entity], can_create=entity in _CREATED, can_query=entity in _QUERIED, seen=seen
    )
    return json_reply(200, access)


def _fields(simulator: "AutotaskSimulator", _request: Request, _record: WriteRecord | None, entity: str) -> Reply:
    if entity not in _SINGULAR:
        return simulator.error_reply(404)
    told: tuple[dict[str, Any], ...] = {
        "Contracts": records.CONTRACT_FIELDS,
        "CompanyWebhookFields": records.WEBHOOK_FIELD_FIELDS,
    }.get(entity, ({"name": "id", "dataType": "long"},))
    return json_reply(200, {"fields": [records.field_record(field) for field in told]})


def _threshold(simulator: "AutotaskSimulator", _request: Request, _record: WriteRecord | None) -> Reply:
    return json_reply(
        200,
        {
            "externalRequestThreshold": simulator.external_threshold,
            "requestThresholdTimeframe": 60,
            "currentTimeframeRequestCount": simulator.calls_in_timeframe(),
        },
    )


# Adjusting.


def _adjust(
    simulator: "AutotaskSimulator", request: Request, record: WriteRecord, contract_id: int | None = None
) -> Reply:
    if "ContractServiceAdjustments" in simulator.restricted:
        return simulator.error_reply(500, message=CREATION_FORBIDDEN)
    body = body_of(request)
    if not isinstance(body, dict):
        raise AdjustmentError("The body is not valid JSON.")
    contract_id = contract_id or body.get("contractID")
    change = body.get("unitChange")
    if contract_id not in simulator.world.agreements:
        raise AdjustmentError("The value of contractID does not exist or is invalid.")
    if isinstance(change, bool) or not isinstance(change, int) or not -MAX_UNITS <= change <= MAX_UNITS:
        raise AdjustmentError("The value of unitChange must be a whole number.")
    on = day_of(body.get("effectiveDate"))
    line = _line_for(simulator, contract_id, body)
    if line is None:
        return _create_silently(simulator, record, contract_id, body, on, change)
    clamp = request.fault("clamped_quantity")
    if clamp:
        present = simulator.units.units_on(line, on)
        change = min(present + change, int(clamp.option("maximum", present))) - present
    if not request.fault("false_success"):

        def work() -> None:
            before, after = simulator.units.adjust(line, on, change)
            record.before, record.after = float(before), float(after)

        simulator.world.commit(record, line.id, work)
    return json_reply(200, {"itemId": _next_item_id(simulator)})


def _line_for(simulator: "AutotaskSimulator", contract_id: int, body: Mapping[str, Any]) -> PsaAddition | None:
    """The contract service that is meant; None when only a service is named that the contract does not have."""
    if body.get("contractServiceID") is not None:
        line = simulator.world.additions.get(body["contractServiceID"])
        if line is None or line.agreement_id != contract_id:
            raise AdjustmentError("The value of contractServiceID does not exist or is invalid.")
        return line
    if body.get("serviceID") not in simulator.world.catalog:
        raise AdjustmentError("Either a serviceID or a contractServiceID that exists is required.")
    lines = simulator.world.lines_of(contract_id)
    return next((line for line in lines if line.product_id == body["serviceID"]), None)


def _create_silently(
    simulator: "AutotaskSimulator",
    record: WriteRecord,
    contract_id: int,
    body: Mapping[str, Any],
    on: date,
    change: int,
) -> Reply:
    """Documented: a service that the contract does not have is put onto it without a word."""
    world, item = simulator.world, simulator.world.catalog[body["serviceID"]]
    if change < 0:
        raise AdjustmentError("The number of units must not become negative.")
    line = PsaAddition(
        id=max(world.additions, default=88_430) + 1,
        agreement_id=contract_id,
        product_id=item.id,
        quantity=float(change),
        unit_price=item.price,
        unit_cost=item.cost,
        effective_date=f"{on.isoformat()}T00:00:00Z",
        description=item.description,
        invoice_description=item.description,
        last_updated=wire_time(world.clock()),
        updated_by="ApiMimecast",
    )

    def work() -> None:
        world.add_addition(line)
        simulator.units.learn(line)
        record.before, record.after = 0.0, line.quantity

    world.commit(record, line.id, work)
    return json_reply(200, {"itemId": _next_item_id(simulator)})


def _next_item_id(simulator: "AutotaskSimulator") -> int:
    state = simulator.world.vendor_state.setdefault(STATE, {})
    state["items"] = int(state.get("items", 70_000)) + 1
    simulator.world.persist()
    return int(state["items"])


ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/ThresholdInformation": {"GET": _threshold},
    **WEBHOOK_ROUTES,
    **AUTOTASK_ROUTES,
    "/ContractServiceAdjustments": {"POST": _adjust},
    "/Contracts/{id}/ServiceAdjustments": {"POST": _adjust},
    "/{entity}/query": {"GET": _query, "POST": _query},
    "/{entity}/query/next": {"GET": _query, "POST": _query},
    "/{entity}/query/count": {"GET": _count, "POST": _count},
    "/{entity}/entityInformation": {"GET": _access},
    "/{entity}/entityInformation/fields": {"GET": _fields},
    "/{entity}/{id}": {"GET": _one},
}
_PATTERNS = {
    template: re.compile(template.replace("{id}", r"(\d{1,15})").replace("{entity}", f"({'|'.join(_SINGULAR)})"))
    for template in ROUTES
}
