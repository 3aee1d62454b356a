"""Tickets of the three simulated PSAs: each makes them and lists them in its own words, over one list in the world.

Refusals are those that each description lets one expect: a field that is required is missing, a text is too long. A
ticket that a person closed is made so with the function ``close``.
"""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from local.simulators.messages import Reply, Request, json_reply, wire_time
from local.simulators.world import World, WriteRecord

if TYPE_CHECKING:
    from local.simulators.autotask import AutotaskSimulator
    from local.simulators.connectwise import ConnectWiseSimulator
    from local.simulators.halopsa import HaloPsaSimulator

STATE = "tickets"
_FIRST_ID = 300_001
CONNECTWISE_SUMMARY_CHARACTERS = 100
AUTOTASK_DESCRIPTION_CHARACTERS = 8_000
_AUTOTASK_REQUIRED = ("companyID", "title", "status", "priority", "dueDateTime")


def tickets_of(world: World) -> list[dict[str, Any]]:
    """Every ticket of this world as it was posted, with its ``id``, its number and whether it is ``closed``."""
    kept: list[dict[str, Any]] = world.vendor_state.setdefault(STATE, {}).setdefault("all", [])
    return kept


def close(world: World, ticket_id: int) -> None:
    """A technician closes a ticket."""
    with world.lock:
        next(one for one in tickets_of(world) if one["id"] == ticket_id)["closed"] = True
        world.persist()


def _make(world: World, record: WriteRecord, posted: Mapping[str, Any]) -> dict[str, Any]:
    made = {**posted, "id": _FIRST_ID + len(tickets_of(world)), "closed": False, "made_at": wire_time(world.clock())}
    world.commit(record, None, lambda: tickets_of(world).append(made))
    return made


def _body(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        return None


# ConnectWise.


def _connectwise_record(ticket: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in ticket.items() if name not in ("closed", "made_at", "initialDescription")}
    return {**shown, "closedFlag": ticket["closed"], "recordType": "ServiceTicket"}


def connectwise_list(simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    """``GET /service/tickets``."""
    by_id = {one["id"]: one for one in tickets_of(simulator.world)}
    return simulator.page_of(request, sorted(by_id), lambda key: _connectwise_record(by_id[key]))


def connectwise_make(simulator: "ConnectWiseSimulator", request: Request, record: WriteRecord) -> Reply:
    """``POST /service/tickets``."""
    body = _body(request)
    if not isinstance(body, dict):
        return simulator.error_reply(400, "InvalidObject", "ticket object is invalid")
    summary, company = body.get("summary"), body.get("company")
    if not isinstance(summary, str) or not 0 < len(summary) <= CONNECTWISE_SUMMARY_CHARACTERS:
        return simulator.error_reply(400, "InvalidObject", "The field summary is required, 100 characters at most.")
    if not isinstance(company, dict) or company.get("id") not in simulator.world.companies:
        return simulator.error_reply(400, "InvalidObject", "The field company must name a company.")
    return json_reply(201, _connectwise_record(_make(simulator.world, record, body)))


# Autotask.


def autotask_records(simulator: "AutotaskSimulator") -> list[dict[str, Any]]:
    """The tickets as a query lists them."""
    return [
        {
            **{name: value for name, value in one.items() if name not in ("closed", "made_at")},
            "completedDate": one["made_at"] if one["closed"] else None,
        }
        for one in tickets_of(simulator.world)
    ]


def autotask_make(simulator: "AutotaskSimulator", request: Request, record: WriteRecord) -> Reply:
    """``POST /Tickets``."""
    body = _body(request)
    if not isinstance(body, dict):
        return simulator.error_reply(500, message="The body is not valid JSON.")
    missing = [name for name in _AUTOTASK_REQUIRED if body.get(name) in (None, "")]
    if missing:
        return simulator.error_reply(500, message=f"Missing Required Field: {missing[0]}.")
    if len(str(body.get("description", ""))) > AUTOTASK_DESCRIPTION_CHARACTERS:
        return simulator.error_reply(500, message="The maximum length of description is 8000.")
    if body["companyID"] not in simulator.world.companies:
        return simulator.error_reply(500, message="The value of companyID does not exist or is invalid.")
    return json_reply(200, {"itemId": _make(simulator.world, record, body)["id"]})


# HaloPSA.


def halopsa_list(simulator: "HaloPsaSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    """``GET /Tickets``."""
    query = request.query
    rows = [
        {name: value for name, value in one.items() if name not in ("closed", "made_at")}
        for one in tickets_of(simulator.world)
        if query.get("client_id", "") in ("", str(one.get("client_id")))
        and not (query.get("open_only", "").lower() == "true" and one["closed"])
        and query.get("search_summary", "").casefold() in str(one.get("summary", "")).casefold()
    ]
    return simulator.page_of(request, "tickets", rows)


def halopsa_make(simulator: "HaloPsaSimulator", request: Request, record: WriteRecord) -> Reply:
    """``POST /Tickets``: one ticket in an array."""
    body = _body(request)
    if not isinstance(body, list) or len(body) != 1 or not isinstance(body[0], dict):
        return simulator.error_reply(400, message="One ticket is expected in an array.")
    if not body[0].get("summary"):
        return simulator.error_reply(400, message="A ticket needs a summary.")
    return json_reply(201, _make(simulator.world, record, body[0]))


CONNECTWISE_ROUTES: Mapping[str, Mapping[str, Callable[..., Reply]]] = {
    "/service/tickets": {"GET": connectwise_list, "POST": connectwise_make},
}
AUTOTASK_ROUTES: Mapping[str, Mapping[str, Callable[..., Reply]]] = {"/Tickets": {"POST": autotask_make}}
HALOPSA_ROUTES: Mapping[str, Mapping[str, Callable[..., Reply]]] = {
    "/Tickets": {"GET": halopsa_list, "POST": halopsa_make},
}
