"""A Syncro server as its published description and field reports describe it, over the simulated world.

Serves the current user, customers, schedules (recurring invoices) with their lines, and products, and takes the change
of one line. Where the vendor's behavior is a guess the code says so.
"""

import json
import math
import re
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local.simulators.credentials import SYNCRO_USER_TOKEN_CANARY, syncro_headers
from local.simulators.messages import Reply, Request, json_reply
from local.simulators.server import Simulator
from local.simulators.syncro_records import (
    LINE_DEFAULTS,
    customer_record,
    is_listed,
    line_record,
    lines_of,
    memory,
    product_record,
    schedule_record,
)
from local.simulators.world import World, WriteRecord

PAGE_SIZE = 25
LIMIT_WINDOW_SECONDS = 60.0
MAX_QUANTITY = 999_999
PREFIX = "/api/v1"
_LISTS = frozenset({"customers", "schedules", "products"})


class SyncroSimulator(Simulator):
    """Syncro on loopback.

    Switches: `limit_per_minute` (0: no limit; the vendor documents 180 for one IP address) with
    `limit_window_seconds`, `page_size` (25 is documented, 50 and 100 were seen), `meta_of` (the lists that carry page
    metadata: the description shows it for customers alone), `lists_lines` (whether the list of schedules carries their
    lines; the description shows the key, with nothing in it), `resets_flags` (whether a PUT sets flags that it does not
    name to their defaults, which was seen with products).
    """

    name = "Syncro"
    settable = (
        "latency_seconds",
        "limit_per_minute",
        "limit_window_seconds",
        "page_size",
        "meta_of",
        "lists_lines",
        "resets_flags",
    )

    def __init__(self, world: World, *, latency_seconds: float = 0.0, port: int = 0, limit_per_minute: int = 0) -> None:
        super().__init__(world, latency_seconds=latency_seconds, port=port)
        self.limit_per_minute = limit_per_minute
        self.limit_window_seconds = LIMIT_WINDOW_SECONDS
        self.page_size = PAGE_SIZE
        self.meta_of = _LISTS
        self.lists_lines = True
        self.resets_flags = False
        self.monotonic: Callable[[], float] = time.monotonic
        self._served_at: deque[float] = deque()

    # Errors: only the 422 of a schedule line is published; the rest is what a Rails application sends, a guess.

    def error_reply(self, status: int, code: str = "", message: str = "") -> Reply:
        """`{"error": [...]}` for 422 and `{"error": text}` else; 5xx is an HTML page."""
        if status >= 500:
            return Reply(status, b"<html><body><h1>We're sorry</h1></body></html>", "text/html")
        text = message or _DEFAULT_ERRORS.get(status, "Invalid request")
        return json_reply(status, {"error": [text] if status == 422 else text})

    def unauthorized_reply(self, code: str) -> Reply:
        """The vendor has one kind of 401."""
        return self.error_reply(401)

    def rate_limit_reply(self, retry_after: str | None, reset_milliseconds: int | None) -> Reply:
        """429 in plain text; it names no wait unless the fault asks for one."""
        headers = [] if retry_after is None else [("Retry-After", retry_after)]
        return Reply(429, b"Retry later\n", "text/plain", headers=headers)

    # Routing.

    def prepare(self, request: Request) -> None:
        """Split `/api/v1/schedules/15` into prefix and resource."""
        below = request.path.startswith(f"{PREFIX}/")
        request.resource = request.path[len(PREFIX) :] if below else request.path
        request.prefix = PREFIX if below else ""

    def records_write(self, request: Request) -> bool:
        """Everything that is not a GET is a write."""
        return request.method != "GET"

    def answer(self, request: Request) -> Reply:
        """Check limit, key and route, then serve."""
        return self._serve(request, None)

    def answer_recording(self, request: Request, record: WriteRecord) -> Reply:
        """Serve a write; what it changed goes into the record together with the change."""
        return self._serve(request, record)

    def finish(self, request: Request, reply: Reply) -> None:
        """Nothing stands on every reply."""

    def _serve(self, request: Request, record: WriteRecord | None) -> Reply:
        refused = self._over_limit()
        if refused is not None:
            return refused
        if request.header("authorization") != syncro_headers()["Authorization"]:
            return self.error_reply(401)
        self._move_line(request)
        for template, handlers in ROUTES.items():
            found = _PATTERNS[template].fullmatch(request.resource) if request.prefix else None
            if found is not None:
                request.route = f"{PREFIX}{template}"
                handler = handlers.get(request.method)
                if handler is None:
                    return self.error_reply(404)
                with self.world.lock:
                    return handler(self, request, record, *(int(one) for one in found.groups()))
        return self.error_reply(404)

    def _over_limit(self) -> Reply | None:
        if self.limit_per_minute <= 0:
            return None
        with self.world.lock:
            now = self.monotonic()
            while self._served_at and self._served_at[0] <= now - self.limit_window_seconds:
                self._served_at.popleft()
            if len(self._served_at) < self.limit_per_minute:
                self._served_at.append(now)
                return None
        return self.rate_limit_reply(None, None)

    def _move_line(self, request: Request) -> None:
        """The moved_line fault: a person is faster than this request. Option line_id where the path names no line."""
        fault = request.fault("moved_line")
        if fault is None:
            return
        in_path = re.search(r"/line_items/(\d+)$", request.resource)
        line = self.world.additions.get(int(fault.option("line_id", in_path[1] if in_path else 0)))
        if line is None:
            return
        if fault.option("touch_only"):
            self.world.edit_addition(line.id, description=f"{line.description} *")
        else:
            self.world.edit_addition(line.id, quantity=float(fault.option("quantity", line.quantity + 1)))

    # Lists.

    def page_of(self, request: Request, key: str, ids: Sequence[int], make: Callable[[int], dict[str, Any]]) -> Reply:
        """`{KEY: [...], "meta": {...}}`; a page behind the last one is empty (a guess). Only its own rows are made."""
        asked = request.query.get("page", "1")
        page = int(asked) if asked.isdecimal() and asked.isascii() and len(asked) < 8 else 1
        page, size = max(page, 1), self.page_size
        total_pages = max(math.ceil(len(ids) / size), 1)
        number, told_page = page, page
        if request.fault("page_ignored"):
            number = told_page = 1
        elif request.fault("repeated_token"):
            number = 1
        elif request.fault("token_loop"):
            number, total_pages = 1 + (page - 1) % 2, page + 1
        elif request.fault("endless_tokens"):
            number, total_pages = 1, page + 1
        elif request.fault("duplicate_page") and page > 1:
            number = page - 1
        disagrees = request.fault("total_disagrees")
        total = len(ids) + (int(disagrees.option("difference", 1)) if disagrees else 0)
        body: dict[str, Any] = {key: [make(one) for one in ids[(number - 1) * size : number * size]]}
        if key in self.meta_of:
            body["meta"] = {
                "total_pages": total_pages,
                "total_entries": total,
                "per_page": size,
                "page": told_page,
            }
        return json_reply(200, body)


# What each route reads or writes.


def _me(_simulator: SyncroSimulator, _request: Request, _record: WriteRecord | None) -> Reply:
    may = {"read": True, "write": True, "delete": False}
    user = {
        # The published sample shows that this route tells a token: it must go nowhere.
        "user_token": SYNCRO_USER_TOKEN_CANARY,
        "user_email": "trueup@acmemsp.example",
        "user_name": "Trueup API",
        "user_id": 1,
        "admin": False,
        "can_use_app": True,
        "two_factor_required": False,
        "subdomain": "acmemsp",
        "default_location": None,
        "enable_multi_locations": False,
        "locations_allowed": [],
        "permissions": {
            "asset": dict(may),
            "customer": dict(may),
            "ticket": dict(may),
            "invoice": dict(may),
            "payment": dict(may),
            "worksheet": {"add": False, "manage": False, "delete": False},
            "script": {"execute": False},
        },
    }
    return json_reply(200, user)


def _customers(simulator: SyncroSimulator, request: Request, _record: WriteRecord | None) -> Reply:
    every = request.query.get("include_disabled") == "true"
    companies = simulator.world.companies
    ids = [key for key in sorted(companies) if every or not companies[key].deleted]
    return simulator.page_of(request, "customers", ids, lambda key: customer_record(companies[key]))


def _customer(simulator: SyncroSimulator, _request: Request, _record: WriteRecord | None, key: int) -> Reply:
    company = simulator.world.companies.get(key)
    if company is None:
        return simulator.error_reply(404)
    return json_reply(200, {"customer": customer_record(company)})


def _schedules(simulator: SyncroSimulator, request: Request, _record: WriteRecord | None) -> Reply:
    agreements, wanted = simulator.world.agreements, request.query.get("customer_id")
    ids = [
        key
        for key in sorted(agreements)
        if is_listed(agreements[key]) and wanted in (None, str(agreements[key].company_id))
    ]
    hidden: dict[str, Any] = {} if simulator.lists_lines else {"lines": []}
    return simulator.page_of(
        request, "schedules", ids, lambda key: schedule_record(simulator.world, agreements[key]) | hidden
    )


def _schedule(simulator: SyncroSimulator, _request: Request, _record: WriteRecord | None, key: int) -> Reply:
    agreement = simulator.world.agreements.get(key)
    if agreement is None or not is_listed(agreement):
        return simulator.error_reply(404)
    return json_reply(200, {"schedule": schedule_record(simulator.world, agreement)})


def _put_line(
    simulator: SyncroSimulator, request: Request, record: WriteRecord | None, schedule_id: int, key: int
) -> Reply:
    world = simulator.world
    agreement = world.agreements.get(schedule_id)
    line = next((one for one in lines_of(world, schedule_id) if one.id == key), None)
    if record is None or line is None or agreement is None or not is_listed(agreement):
        return simulator.error_reply(404)
    body = _object(request.body)
    if body is None:
        return simulator.error_reply(400, message="Bad Request")
    problem = _problem(body)
    if problem:
        return simulator.error_reply(422, message=problem)
    calculated = world.catalog[line.product_id].serialized
    if not request.fault("false_success"):
        changes = {"description": body["description"]} if "description" in body else {}
        if "retail_cents" in body:
            changes["unit_price"] = body["retail_cents"] / 100
        if "quantity" in body and not calculated:
            changes["quantity"] = float(body["quantity"])
            clamp = request.fault("clamped_quantity")
            if clamp:
                changes["quantity"] = min(changes["quantity"], float(clamp.option("maximum", line.quantity)))
        flags = {name: body[name] for name in LINE_DEFAULTS if name in body}
        named = {"name": body["name"]} if "name" in body else {}
        kept = memory(world)["lines"]
        extra = (dict(LINE_DEFAULTS) if simulator.resets_flags else {}) | flags | named
        if extra:
            kept[str(key)] = kept.get(str(key), {}) | extra
        line = world.commit_write(record, key, **changes)
    return json_reply(200, {"schedule_line_item": line_record(world, line)})


def _products(simulator: SyncroSimulator, request: Request, _record: WriteRecord | None) -> Reply:
    query, catalog = request.query, simulator.world.catalog
    rows = [product_record(catalog[key]) for key in sorted(catalog)]
    if "sku" in query:
        rows = [row for row in rows if any(one["sku"] == query["sku"] for one in row["product_skus"])]
    if "name" in query:
        rows = [row for row in rows if row["name"].casefold() == query["name"].casefold()]
    if "query" in query:
        # In which fields Syncro looks is not published; name and description are a guess.
        wanted = query["query"].casefold()
        rows = [row for row in rows if wanted in f"{row['name']}\n{row['description']}".casefold()]
    found = {row["id"]: row for row in rows}
    return simulator.page_of(request, "products", list(found), found.__getitem__)


def _product(simulator: SyncroSimulator, _request: Request, _record: WriteRecord | None, key: int) -> Reply:
    item = simulator.world.catalog.get(key)
    return json_reply(200, {"product": product_record(item)}) if item is not None else simulator.error_reply(404)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _problem(body: Mapping[str, Any]) -> str:
    """What Syncro would refuse, or nothing. Only the blank name is published; the rest is a guess."""
    if "name" in body and not str(body["name"] or "").strip():
        return "Name can't be blank"
    if "quantity" in body:
        try:
            number = float(body["quantity"])
        except (TypeError, ValueError):
            return "Quantity is not a number"
        if isinstance(body["quantity"], bool) or not 0 <= number <= MAX_QUANTITY:
            return "Quantity must be greater than or equal to 0"
    cents = body.get("retail_cents", 0)
    return "" if isinstance(cents, int) else "Retail cents is not a number"


type Handler = Callable[..., Reply]

ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/me": {"GET": _me},
    "/customers": {"GET": _customers},
    "/customers/{id}": {"GET": _customer},
    "/schedules": {"GET": _schedules},
    "/schedules/{id}": {"GET": _schedule},
    "/schedules/{id}/line_items/{id}": {"PUT": _put_line},
    "/products": {"GET": _products},
    "/products/{id}": {"GET": _product},
}
_PATTERNS = {template: re.compile(template.replace("{id}", r"(\d{1,12})")) for template in ROUTES}

_DEFAULT_ERRORS: Mapping[int, str] = {
    401: "Not authorized",
    403: "You do not have permission for this action",
    404: "Not found",
    422: "Invalid request",
}
