"""A ConnectWise PSA (Manage) server as its documentation and field reports describe it, over the simulated world.

Serves company info, companies, agreements, additions, catalog, audit trail and callbacks. Where the vendor's behavior
is a guess the code says so. It answers both the release's code base and `v4_6_release`.
"""

import math
import re
import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from typing import Any
from urllib.parse import urlencode

from local.simulators import connectwise_routes
from local.simulators.conditions import ConditionError, Predicate, field_of, parse_conditions
from local.simulators.connectwise_callbacks import DELIVERIES, KEY_PATH, CallbackSender
from local.simulators.connectwise_records import only_fields
from local.simulators.credentials import (
    CONNECTWISE_CLIENT_ID,
    CONNECTWISE_COMPANY_ID,
    CONNECTWISE_SIGNING_KEY,
    connectwise_headers,
)
from local.simulators.messages import Reply, Request, json_reply
from local.simulators.server import Simulator
from local.simulators.world import World, WriteRecord

DEFAULT_PAGE_SIZE = 25
MAX_PAGE_SIZE = 1_000
LATEST_RELEASE = "2026.4"
LIMIT_WINDOW_SECONDS = 60.0
_API_PATH = re.compile(r"^/(?P<codebase>[a-z0-9_]+)/apis/3\.0(?P<resource>/.*)$")
_VERSION = re.compile(r"application/vnd\.connectwise\.com\+json; *version=([0-9]+\.[0-9]+)")


class ConnectWiseSimulator(Simulator):
    """ConnectWise on loopback.

    Switches: `limit_per_minute` (0: no limit), `limit_window_seconds`, `codebase` (what company info names; changing
    it makes the old one 404, as an upgrade does), `bad_credentials_status` (401, or 404 as seen on cloud hosts),
    `link_carries_query` (whether forward-only Links repeat fields and conditions; the documented sample does not),
    `page_cap` (the most rows a page holds, whatever is asked for), `link_style` (used: the Link names the page size
    that was used; asked: the one that was asked for; relative: without a server; number: forward-only paging is not
    known and pages are numbered; none: no Link at all), `callback_delivery` (once, twice, reversed, stale; see
    CallbackSender), `callbacks_on_change` (whether callbacks are sent after each answered request; else when
    `deliver_callbacks` is called, or the control operation of that name).
    """

    name = "ConnectWise"
    settable = (
        "latency_seconds",
        "limit_per_minute",
        "limit_window_seconds",
        "codebase",
        "bad_credentials_status",
        "link_carries_query",
        "page_cap",
        "link_style",
        "callback_delivery",
        "callbacks_on_change",
    )

    def __init__(self, world: World, *, latency_seconds: float = 0.0, port: int = 0, limit_per_minute: int = 0) -> None:
        super().__init__(world, latency_seconds=latency_seconds, port=port)
        self.limit_per_minute = limit_per_minute
        self.limit_window_seconds = LIMIT_WINDOW_SECONDS
        self.codebase = "v2025_1/"
        self.bad_credentials_status = 401
        self.link_carries_query = False
        self.page_cap = MAX_PAGE_SIZE
        self.link_style = "used"
        self.monotonic: Callable[[], float] = time.monotonic
        self._served_at: deque[float] = deque()
        self.callbacks = CallbackSender(world)
        self.callbacks_on_change = False

    # Callbacks.

    @property
    def callback_delivery(self) -> str:
        """How callbacks are sent."""
        return self.callbacks.delivery

    @callback_delivery.setter
    def callback_delivery(self, value: str) -> None:
        if value not in DELIVERIES:
            raise ValueError(f"callback_delivery is one of {', '.join(DELIVERIES)}")
        self.callbacks.delivery = value

    def deliver_callbacks(self) -> None:
        """Tell whoever registered what changed since the last time."""
        self.callbacks.deliver(self.url, self.stopping)

    def respond(self, request: Request) -> Reply:
        """Answer, and tell whoever registered of what that changed, in a thread of its own as the PSA does."""
        reply = super().respond(request)
        if self.callbacks_on_change:
            sending = (request.base_url, self.stopping)
            threading.Thread(target=self.callbacks.deliver, args=sending, daemon=True).start()
        return reply

    @property
    def operations(self) -> Mapping[str, Callable[[], None]]:
        """What the control route may make this vendor do."""
        return {"deliver_callbacks": self.deliver_callbacks}

    # Errors, in the vendor's two shapes.

    def error_reply(self, status: int, code: str = "", message: str = "") -> Reply:
        """`{code, message, errors}`; 5xx without a code is an HTML page, as the vendor's own servers send."""
        if status >= 500 and not code:
            return Reply(status, b"<html><body><h1>Server Error</h1></body></html>", "text/html")
        code_, message_ = _DEFAULT_ERRORS.get(status, ("InvalidObject", "The request is invalid."))
        return json_reply(status, {"code": code or code_, "message": message or message_, "errors": None})

    def unauthorized_reply(self, code: str) -> Reply:
        """The vendor has one kind of 401."""
        return self.error_reply(401)

    def rate_limit_reply(self, retry_after: str | None, reset_milliseconds: int | None) -> Reply:
        """429 in its own shape, unlike every other error."""
        seconds = retry_after if retry_after is not None and retry_after.isdecimal() else "30"
        message = f"Too many requests. Please try again in {seconds} seconds."
        reply = json_reply(429, {"error": "ConnectWiseAPI", "message": message})
        if retry_after is not None:
            reply.headers.append(("Retry-After", retry_after))
        return reply

    # Routing.

    def prepare(self, request: Request) -> None:
        """Split `/{codebase}/apis/3.0/finance/...` into prefix and resource."""
        match = _API_PATH.match(request.path)
        request.resource = match["resource"] if match else request.path
        request.prefix = f"/{match['codebase']}/apis/3.0" if match else ""

    def records_write(self, request: Request) -> bool:
        """Everything that is not a GET is a write."""
        return request.method != "GET"

    def answer(self, request: Request) -> Reply:
        """Check limit, credentials and route, then serve."""
        return self._serve(request, None)

    def answer_recording(self, request: Request, record: WriteRecord) -> Reply:
        """Serve a write; what it changed goes into the record together with the change."""
        return self._serve(request, record)

    def _serve(self, request: Request, record: WriteRecord | None) -> Reply:
        if request.path.startswith("/login/companyinfo/"):
            request.route = "/login/companyinfo/{company}"
            return self._company_info(request)
        if request.path == KEY_PATH:
            # Whoever gets a callback must be able to check it, so no credential is asked for.
            return json_reply(200, {"signing_key": CONNECTWISE_SIGNING_KEY})
        refused = self._over_limit() or self._not_allowed(request)
        if refused is not None:
            return refused
        self._move_line(request)
        route = connectwise_routes.find(request.resource)
        if route is None:
            return self.error_reply(404)
        request.route = route.template
        handler = route.handlers.get(request.method)
        if handler is None:
            return self.error_reply(405, "MethodNotAllowed", "The method is not allowed here.")
        try:
            with self.world.lock:
                return handler(self, request, record, *route.numbers)
        except ConditionError as error:
            return self.error_reply(400, "InvalidCondition", str(error))

    def finish(self, request: Request, reply: Reply) -> None:
        """JSON replies carry the release that was pinned, or the latest."""
        if reply.content_type == "application/json" and request.prefix and reply.status != 429:
            pinned = _VERSION.search(request.header("accept"))
            release = pinned[1] if pinned else LATEST_RELEASE
            reply.content_type = f"application/vnd.connectwise.com+json; version={release}"

    def _company_info(self, request: Request) -> Reply:
        # No credential is asked for here, which was observed. The 404 for an unknown company is a guess.
        if request.method != "GET" or request.path.rpartition("/")[2] != CONNECTWISE_COMPANY_ID:
            return self.error_reply(404, "NotFound", "The company was not found")
        release = self.codebase.strip("/").removeprefix("v").replace("_", ".")
        return json_reply(
            200,
            {
                "CompanyName": "Acme MSP",
                "Codebase": self.codebase,
                "VersionCode": f"v{release}",
                "VersionNumber": f"v{release}.100000",
                "CompanyID": CONNECTWISE_COMPANY_ID,
                "IsCloud": "True",
            },
        )

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
            free_in = self._served_at[0] + self.limit_window_seconds - now
        return self.rate_limit_reply(str(max(math.ceil(free_in), 1)), None)

    def _not_allowed(self, request: Request) -> Reply | None:
        if not request.header("clientid"):
            return self.error_reply(403)
        if request.header("authorization") != connectwise_headers()["Authorization"]:
            return self.error_reply(self.bad_credentials_status)
        if request.header("clientid").lower() != CONNECTWISE_CLIENT_ID:
            return self.error_reply(403)
        if request.prefix not in (f"/{self.codebase}apis/3.0", "/v4_6_release/apis/3.0"):
            return self.error_reply(404)
        return None

    def _move_line(self, request: Request) -> None:
        """The moved_line fault: a person is faster than this request."""
        fault = request.fault("moved_line")
        match = re.search(r"/additions/(\d+)$", request.resource)
        line = self.world.additions.get(int(match[1])) if match else None
        if fault is None or line is None:
            return
        quantity = line.quantity if fault.option("touch_only") else fault.option("quantity", line.quantity + 1)
        self.world.edit_addition(line.id, quantity=float(quantity))

    # Lists.

    def page_of(self, request: Request, ids: Sequence[int], make: Callable[[int], dict[str, Any]]) -> Reply:
        """A page of records. `ids` rise; a record is made only when it is looked at."""
        query = request.query
        size = _whole(query.get("pageSize"), DEFAULT_PAGE_SIZE)
        page = _whole(query.get("page"), 1)
        page_id = _whole(query.get("pageId"), 0)
        if size < 1 or page < 1 or page_id < 0:
            return self.error_reply(400, "InvalidObject", "pageSize and page are whole numbers from 1")
        # Observed: an over-large page size is not refused but silently capped.
        size = min(size, self.page_cap, MAX_PAGE_SIZE)
        holds = parse_conditions(query.get("conditions", ""))
        if request.header("pagination-type") == "forward-only" and self.link_style != "number":
            if "orderBy" in query:
                return self.error_reply(400, "InvalidObject", "orderBy is not allowed with forward-only paging")
            rows, link = self._forward_page(request, ids, make, holds, size, page_id)
        else:
            found = (record for record in map(make, ids) if holds(record))
            rows, link = self._numbered_page(request, found, size, page)
        if query.get("fields"):
            rows = [only_fields(row, query["fields"].split(",")) for row in rows]
        return json_reply(200, rows, headers=[("Link", link)] if link and self.link_style != "none" else [])

    def _forward_page(
        self,
        request: Request,
        ids: Sequence[int],
        make: Callable[[int], dict[str, Any]],
        holds: Predicate,
        size: int,
        page_id: int,
    ) -> tuple[list[dict[str, Any]], str]:
        if request.fault("page_ignored"):
            page_id = 0

        def matching(some: Iterable[int]) -> Iterator[dict[str, Any]]:
            return (record for record in map(make, some) if holds(record))

        start = bisect_right(ids, page_id)
        rows = list(islice(matching(ids[start:]), size))
        last = rows[-1]["id"] if rows else page_id
        if request.fault("duplicate_page") and page_id:
            rows = list(matching(ids[:start]))[-size:]
        if request.fault("repeated_token"):
            last = page_id
        elif request.fault("token_loop") and page_id:
            last = 0
        elif request.fault("endless_tokens") and len(rows) < size:
            # A vendor that never comes to its last page: full pages for ever, under ids that keep rising.
            everything = list(matching(ids)) or [{"id": 0}]
            rows, last = list(islice(cycle(everything), size)), page_id + size
        parameters = request.query if self.link_carries_query else {}
        # The Link is always there, even after the last row, so its absence cannot be the sign to stop.
        return rows, self._link(request, parameters | {"pageSize": str(size), "pageId": str(last)}, "next")

    def _numbered_page(
        self, request: Request, found: Iterable[dict[str, Any]], size: int, page: int
    ) -> tuple[list[dict[str, Any]], str]:
        query = request.query
        if query.get("orderBy"):
            path, _, direction = query["orderBy"].partition(" ")
            found = sorted(found, key=lambda one: _sortable(field_of(one, path)), reverse=direction.lower() == "desc")
        if request.fault("page_ignored"):
            page = 1
        start = (page - 1) * size
        if request.fault("duplicate_page") and page > 1:
            start -= size
        window = list(islice(found, start, start + size + 1))
        links = []
        if len(window) > size:
            links.append(self._link(request, query | {"pageSize": str(size), "page": str(page + 1)}, "next"))
        if page > 1:
            links.append(self._link(request, query | {"pageSize": str(size), "page": str(page - 1)}, "prev"))
            links.append(self._link(request, query | {"pageSize": str(size), "page": "1"}, "first"))
        return window[:size], ", ".join(links)

    def _link(self, request: Request, parameters: Mapping[str, str], relation: str) -> str:
        if self.link_style == "asked":
            parameters = {**parameters, "pageSize": request.query.get("pageSize", str(DEFAULT_PAGE_SIZE))}
        server = "" if self.link_style == "relative" else request.base_url
        return f'<{server}{request.path}?{urlencode(parameters)}>; rel="{relation}"'

    def count_of(self, request: Request, ids: Iterable[int], make: Callable[[int], dict[str, Any]]) -> Reply:
        """`{"count": n}` of the records the conditions hold for."""
        holds = parse_conditions(request.query.get("conditions", ""))
        total = sum(1 for record in map(make, ids) if holds(record))
        fault = request.fault("total_disagrees")
        return json_reply(200, {"count": total + (int(fault.option("difference", 1)) if fault else 0)})

    def one(self, request: Request, record: dict[str, Any] | None, what: str) -> Reply:
        """One record, cut to `fields=`, or the vendor's 404."""
        if record is None:
            return self.error_reply(404, "NotFound", f"{what} not found")
        fields = request.query.get("fields")
        return json_reply(200, only_fields(record, fields.split(",")) if fields else record)


def _whole(text: str | None, default: int) -> int:
    """A whole number from a query; -1 for text that is none."""
    if text is None:
        return default
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 12 else -1


def _sortable(value: Any) -> tuple[bool, float, str]:
    number = float(value) if isinstance(value, int | float) else 0.0
    return value is None, number, "" if value is None else str(value).casefold()


_DEFAULT_ERRORS: Mapping[int, tuple[str, str]] = {
    401: ("Unauthorized", "Unauthorized"),
    403: ("SecurityError", "You do not have security permission to perform this action."),
    404: ("NotFound", "Not Found"),
    409: ("ConflictWithOtherRequest", "The record is in use by another request."),
    500: ("InternalServerError", "The server could not handle the request."),
}
