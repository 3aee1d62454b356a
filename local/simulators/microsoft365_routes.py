"""The routes of the simulated Graph: who may call each, what it costs, and what it answers."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from local.simulators.credentials import MICROSOFT365_CLIENT_ID
from local.simulators.directory import ClientTenant
from local.simulators.messages import Reply, Request, json_reply
from local.simulators.microsoft365_records import (
    contract_record,
    customer_record,
    mailbox_record,
    sku_records,
    user_record,
)

if TYPE_CHECKING:
    from local.simulators.microsoft365 import Microsoft365Simulator

_BATCH_MAXIMUM = 20
_MAILBOX = re.compile(r"/v1\.0/users/(?P<user>[^/?]+)/mailboxSettings")

type Handler = Callable[["Microsoft365Simulator", Request, str], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """One route: its handler, its documented base cost in resource units, and the switch that allows it.

    ``of_msp`` is a route that only the MSP's own tenant has.
    """

    handler: Handler
    units: int
    switch: str
    of_msp: bool = False


def answer(simulator: "Microsoft365Simulator", request: Request, tenant_id: str) -> Reply:
    """Find the route, take its cost, check what is allowed, serve."""
    mailbox = _MAILBOX.fullmatch(request.path)
    template = "/v1.0/users/{id}/mailboxSettings" if mailbox else request.path
    route = ROUTES.get((request.method, template))
    if route is None:
        return simulator.error_reply(404)
    request.route = template
    if template != "/v1.0/$batch":
        limited = _over_limit(simulator, request, tenant_id, route.units)
        if limited is not None:
            return limited
    tenant = simulator.tenant(tenant_id)
    if route.switch and not getattr(simulator, route.switch):
        return simulator.error_reply(403, "ErrorAccessDenied" if mailbox else "")
    if route.of_msp == (tenant is not None) or (tenant is not None and tenant.access == "no_relationship"):
        return simulator.error_reply(403)
    with simulator.world.lock:
        reply = route.handler(simulator, request, tenant_id)
    reply.headers.append(("x-ms-resource-unit", str(_cost(route.units, request))))
    return reply


def _cost(units: int, request: Request) -> int:
    """$select makes a request cheaper by one, but never cheaper than one (documented)."""
    return max(units - ("$select" in request.query), 1) if units else 0


def _over_limit(simulator: "Microsoft365Simulator", request: Request, tenant_id: str, units: int) -> Reply | None:
    tenant = simulator.tenant(tenant_id)
    users = len(tenant.users) if tenant is not None else 1
    wait_seconds, scope = simulator.limits.take(tenant_id, users=users, units=_cost(units, request))
    if not wait_seconds:
        return None
    reply = simulator.rate_limit_reply(str(wait_seconds), None)
    reply.headers.append(("x-ms-throttle-scope", f"{scope}/ReadWrite/{MICROSOFT365_CLIENT_ID}/{tenant_id}"))
    reply.headers.append(("x-ms-throttle-information", "ResourceUnitLimitExceeded"))
    return reply


# The MSP's own tenant.


def _customers(simulator: "Microsoft365Simulator", request: Request, _tenant_id: str) -> Reply:
    rows = [customer_record(one) for one in simulator.directory.tenants.values()]
    top = request.query.get("$top", "")
    size = min(int(top) if top.isdecimal() and top.isascii() else 100, simulator.customer_page_size)
    return _numbered(simulator, request, rows, size, "#tenantRelationships/delegatedAdminCustomers")


def _contracts(simulator: "Microsoft365Simulator", request: Request, _tenant_id: str) -> Reply:
    rows = [contract_record(one) for one in simulator.directory.tenants.values()]
    return _numbered(simulator, request, rows, simulator.customer_page_size, "#contracts")


def _numbered(
    simulator: "Microsoft365Simulator", request: Request, rows: Sequence[dict[str, Any]], size: int, context: str
) -> Reply:
    state = _state(request.query.get("$skiptoken", "")) or {"at": 0}
    start = int(state["at"])
    following = {"at": start + size, "size": size} if start + size < len(rows) else None
    return _page(simulator, request, rows[start : start + size], following, None, context)


# One client's tenant.


def _skus(simulator: "Microsoft365Simulator", request: Request, tenant_id: str) -> Reply:
    tenant = _asked_or_other(simulator, request, tenant_id)
    return _page(simulator, request, sku_records(tenant), None, None, "#subscribedSkus")


def _users(simulator: "Microsoft365Simulator", request: Request, tenant_id: str) -> Reply:
    tenant = _asked_or_other(simulator, request, tenant_id)
    top = request.query.get("$top", "")
    size = int(top) if top.isdecimal() and top.isascii() else 100
    users = [user for _, user in sorted(tenant.users.items()) if not user.removed]
    chosen = request.query.get("$select", "")
    rows = [user_record(tenant, user, chosen) for user in users]
    return _numbered(simulator, request, rows, size, "#users")


def _delta(simulator: "Microsoft365Simulator", request: Request, tenant_id: str) -> Reply:
    """A round of changes: from nothing, from a page on, or from the end of an earlier round."""
    tenant = _asked_or_other(simulator, request, tenant_id)
    query = request.query
    token = query.get("$skiptoken") or query.get("$deltatoken")
    begun: dict[str, Any] = {"since": 0, "to": tenant.version, "at": 0, "select": query.get("$select", "")}
    state = _state(token) if token else begun
    if request.fault("sync_state_lost") or state is None or state.get("tenant", tenant_id) != tenant_id:
        return simulator.error_reply(410, "syncStateNotFound", "The sync state is not found.")
    if "$deltatoken" in query:
        if _is_old(simulator, state):
            return simulator.error_reply(410, "syncStateNotFound", "The sync state is too old.")
        state = {**state, "since": state["to"], "to": tenant.version, "at": 0}
    users = [
        user
        for _, user in sorted(tenant.users.items())
        if state["since"] < user.changed <= state["to"] and (state["since"] or not user.removed)
    ]
    at, size = int(state["at"]), simulator.user_page_size
    rows = [user_record(tenant, user, state["select"]) for user in users[at : at + size]]
    state |= {"tenant": tenant_id}
    following = {**state, "at": at + size} if at + size < len(users) else None
    ended = None if following is not None else {**state, "made": simulator.world.clock().date().isoformat()}
    return _page(simulator, request, rows, following, ended, "#users")


def _is_old(simulator: "Microsoft365Simulator", state: Mapping[str, Any]) -> bool:
    now: datetime = simulator.world.clock()
    return now.date() - date.fromisoformat(state["made"]) > timedelta(days=simulator.delta_token_days)


def _asked_or_other(simulator: "Microsoft365Simulator", request: Request, tenant_id: str) -> ClientTenant:
    tenants = simulator.directory.tenants
    fault = request.fault("other_client")
    if fault is not None:
        other = next((one for one in tenants.values() if one.id != tenant_id and one.users), tenants[tenant_id])
        return tenants.get(str(fault.option("tenant_id", "")), other)
    return tenants[tenant_id]


# Mailboxes, one by one and in batches.


def _mailbox(simulator: "Microsoft365Simulator", request: Request, tenant_id: str) -> Reply:
    tenant = simulator.directory.tenants[tenant_id]
    found = _MAILBOX.fullmatch(request.path)
    user = tenant.user_of(found["user"]) if found else None
    if user is None:
        return simulator.error_reply(404, "ErrorInvalidUser", "The requested user is invalid.")
    if user.purpose is None:
        text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
        return simulator.error_reply(404, "MailboxNotEnabledForRESTAPI", text)
    return json_reply(200, mailbox_record(user.purpose))


def _batch(simulator: "Microsoft365Simulator", request: Request, tenant_id: str) -> Reply:
    """Each request is answered for itself, in any order (documented); here it is the other way round."""
    try:
        wanted = json.loads(request.body)["requests"]
        ids = [str(one["id"]) for one in wanted]
        urls = [(str(one["method"]), str(one["url"])) for one in wanted]
    except (ValueError, KeyError, TypeError):
        return simulator.error_reply(400)
    if not 0 < len(ids) <= _BATCH_MAXIMUM or len(set(ids)) != len(ids):
        return simulator.error_reply(400, message="A batch holds 1 to 20 requests with ids of their own.")
    responses = []
    for one_id, (method, url) in reversed(list(zip(ids, urls, strict=True))):
        path, _, query = f"/v1.0{url}".partition("?")
        inner = Request(method, path, query, request.headers, b"", request.base_url, resource=path)
        inner.faults = simulator.faults.take(method, (path, f"/{tenant_id}{path}"), query)
        fault = inner.fault("rate_limited") or inner.fault("status")
        if fault is None:
            reply = answer(simulator, inner, tenant_id)
        elif fault.kind == "rate_limited":
            told = fault.option("retry_after")
            reply = simulator.rate_limit_reply(None if told is None else str(told), None)
        else:
            reply = simulator.error_reply(int(fault.option("status", 500)), str(fault.option("code", "")))
        headers = {"Content-Type": "application/json", **dict(reply.headers)}
        responses.append({"id": one_id, "status": reply.status, "headers": headers, "body": reply.json()})
    if request.fault("reply_missing"):
        responses.pop()
    return json_reply(200, {"responses": responses})


# Pages and what their links hold.


def _page(
    simulator: "Microsoft365Simulator",
    request: Request,
    rows: Sequence[dict[str, Any]],
    following: Mapping[str, Any] | None,
    ended: Mapping[str, Any] | None,
    context: str,
) -> Reply:
    """A page with the link to the next one or, at the end of a delta query, to what comes after."""
    before = _state(request.query.get("$skiptoken", "")) or {}
    anywhere = {**(following or ended or {}), "at": 0}
    if request.fault("repeated_token"):
        following = before or anywhere
    elif request.fault("token_loop"):
        following = {**anywhere, "round": 1 - before.get("round", 1)}
    elif request.fault("endless_tokens"):
        following = {**anywhere, "round": before.get("round", 0) + 1}
    if request.fault("duplicate_page"):
        rows = [*rows, *rows]
    base = "https://elsewhere.example" if request.fault("link_elsewhere") else request.base_url
    body: dict[str, Any] = {"@odata.context": f"{request.base_url}/v1.0/$metadata{context}"}
    if following is not None:
        body["@odata.nextLink"] = f"{base}{request.path}?$skiptoken={_token(following)}"
    elif ended is not None and not request.fault("no_last_link"):
        body["@odata.deltaLink"] = f"{base}{request.path}?$deltatoken={_token(ended)}"
    return json_reply(200, {**body, "value": list(rows)})


def _token(state: Mapping[str, Any]) -> str:
    return quote(base64.urlsafe_b64encode(json.dumps(state, separators=(",", ":")).encode()).decode())


def _state(token: str) -> dict[str, Any] | None:
    """What a token of ours holds; None for any other text."""
    try:
        value = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError):
        return None
    return value if isinstance(value, dict) else None


ROUTES: Mapping[tuple[str, str], Route] = {
    ("GET", "/v1.0/tenantRelationships/delegatedAdminCustomers"): Route(_customers, 1, "gdap_allowed", of_msp=True),
    ("GET", "/v1.0/contracts"): Route(_contracts, 3, "contracts_allowed", of_msp=True),
    ("GET", "/v1.0/subscribedSkus"): Route(_skus, 3, "licenses_allowed"),
    ("GET", "/v1.0/users"): Route(_users, 2, "users_allowed"),
    ("GET", "/v1.0/users/delta"): Route(_delta, 2, "users_allowed"),
    # Mailboxes are another service's: they cost no unit of the directory, only a request.
    ("GET", "/v1.0/users/{id}/mailboxSettings"): Route(_mailbox, 0, "mailboxes_allowed"),
    ("POST", "/v1.0/$batch"): Route(_batch, 0, ""),
}
