"""An Autotask PSA server as its documentation and field reports describe it, over the simulated world.

Serves zone and threshold information, companies, contracts, contract services with their units by period, services,
adjustments of units and company webhooks. Where the vendor's behavior is a guess the code says so.
"""

import base64
import binascii
import json
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from itertools import cycle, islice
from typing import Any

from local.simulators import autotask_routes
from local.simulators.autotask_filters import FilterError, Predicate, parse_filter
from local.simulators.autotask_records import only_fields
from local.simulators.autotask_units import AdjustmentError, UnitLedger
from local.simulators.credentials import AUTOTASK_USER_NAME, autotask_headers
from local.simulators.messages import Reply, Request, json_reply
from local.simulators.server import Simulator
from local.simulators.world import World, WriteRecord

MAX_RECORDS = 500
THREADS_PER_ENTITY = 3
TIMEFRAME_MINUTES = 60
_API_PATH = re.compile(r"^/atservicesrest/v1\.0(?P<resource>/.*)$", re.IGNORECASE)


class AutotaskSimulator(Simulator):
    """Autotask on loopback.

    Switches: `external_threshold` (calls in an hour by all integrations together), `other_calls` (how many of them
    others made), `slow_seconds` (how much slower each call is from half of the threshold on), `zone_url` (what zone
    information names; empty: this server), `restricted` (entities that the user may not see: queries are empty, which
    was observed, and creating is refused), `threads_per_entity`, `posted_through` (a day: periods that begin until then
    are approved and posted; empty: those of past months), `months_ahead` (for how many months units are told),
    `locked_out` (every credential is refused, as in a zone that the tenant has left), `unknown_fields` (names in lower
    case that may not be asked for, as on a release that has no such field yet; that this is an error is a guess).

    `max_threads` is the widest concurrency of each kind of record, `secret_seen_at` where a secret was sent to.
    """

    name = "Autotask"
    settable = (
        "latency_seconds",
        "external_threshold",
        "other_calls",
        "slow_seconds",
        "zone_url",
        "restricted",
        "threads_per_entity",
        "posted_through",
        "months_ahead",
        "locked_out",
        "unknown_fields",
    )

    def __init__(self, world: World, *, latency_seconds: float = 0.0, port: int = 0) -> None:
        super().__init__(world, latency_seconds=latency_seconds, port=port)
        self.units = UnitLedger(world)
        self.external_threshold = 10_000
        self.other_calls = 0
        self.slow_seconds = 0.0
        self.zone_url = ""
        self.restricted: frozenset[str] = frozenset()
        self.threads_per_entity = THREADS_PER_ENTITY
        self.max_threads: Counter[str] = Counter()
        self.locked_out = False
        self.unknown_fields: frozenset[str] = frozenset()
        self.secret_seen_at: set[str] = set()
        self.monotonic: Callable[[], float] = time.monotonic
        self._called_at: deque[float] = deque()
        self._threads: Counter[str] = Counter()

    @property
    def posted_through(self) -> str:
        """The last day whose period is approved and posted, or empty for the rule of past months."""
        return self.units.posted_through.isoformat() if self.units.posted_through else ""

    @posted_through.setter
    def posted_through(self, text: str) -> None:
        self.units.posted_through = autotask_routes.day_of(text) if text else None

    @property
    def months_ahead(self) -> int:
        return self.units.months_ahead

    @months_ahead.setter
    def months_ahead(self, months: int) -> None:
        self.units.months_ahead = months

    # Errors, in the vendor's shape.

    def error_reply(self, status: int, code: str = "", message: str = "") -> Reply:
        """`{errors: [text]}`. A 500 with a text refuses the request; one without, and other 5xx, is a broken server."""
        if status >= 500 and not (message or code):
            return Reply(status, b"<html><body><h1>Server Error</h1></body></html>", "text/html")
        return json_reply(
            status, {"errors": [message or code or _DEFAULT_ERRORS.get(status, "The request is invalid.")]}
        )

    def unauthorized_reply(self, code: str) -> Reply:
        """An empty 401; one body was seen too."""
        return Reply(401)

    def rate_limit_reply(self, retry_after: str | None, reset_milliseconds: int | None) -> Reply:
        """429 without a body. Its shape is not documented."""
        return Reply(429, headers=[] if retry_after is None else [("Retry-After", retry_after)])

    # Routing.

    def prepare(self, request: Request) -> None:
        """Bring `/ATServicesRest/V1.0/companies/query` to `/Companies/query`, and count a thread of the entity."""
        match = _API_PATH.match(request.path)
        request.resource = autotask_routes.canonical(match["resource"]) if match else request.path
        if match is None:
            return
        request.prefix = request.resource.split("/")[1]
        with self.world.lock:
            self._threads[request.prefix] += 1
            self.max_threads[request.prefix] = max(self.max_threads[request.prefix], self._threads[request.prefix])

    def finish(self, request: Request, reply: Reply) -> None:
        """The thread is free again."""
        with self.world.lock:
            self._threads[request.prefix] -= 1

    def records_write(self, request: Request) -> bool:
        """Everything that is not a query is a write, although queries are sent by POST as well."""
        return request.method != "GET" and "/query" not in request.resource

    def answer(self, request: Request) -> Reply:
        """Check path, credential and limits, then serve."""
        return self._serve(request, None)

    def answer_recording(self, request: Request, record: WriteRecord) -> Reply:
        """Serve a write; what it changed goes into the record together with the change."""
        return self._serve(request, record)

    def _serve(self, request: Request, record: WriteRecord | None) -> Reply:
        if not request.prefix:
            return self.error_reply(404)
        if request.header("secret"):
            self.secret_seen_at.add(request.resource)
        if request.prefix == "ZoneInformation":
            request.route = request.resource
            return self._zone_information(request)
        refused = self._not_allowed(request) or self._over_limit(request)
        if refused is not None:
            return refused
        found = autotask_routes.find(request.resource)
        if found is None:
            return self.error_reply(404)
        request.route = found.template
        handler = found.handlers.get(request.method)
        if handler is None:
            return self.error_reply(405, message="The requested resource does not support this http method.")
        try:
            with self.world.lock:
                self.units.roll()
                self._move_line(request)
                return handler(self, request, record, *found.parts)
        except (FilterError, AdjustmentError) as error:
            return self.error_reply(500, message=str(error))

    def _not_allowed(self, request: Request) -> Reply | None:
        wanted = autotask_headers()
        if not self.locked_out and all(request.header(name) == value for name, value in wanted.items()):
            return None
        return Reply(401)

    def _over_limit(self, request: Request) -> Reply | None:
        with self.world.lock:
            crowded = self._threads[request.prefix] > self.threads_per_entity
            used = self.calls_in_timeframe()
            self._called_at.append(self.monotonic())
        # That the fourth call at once is answered 429 is a guess; it is documented only that it does not run.
        if crowded or used >= self.external_threshold:
            return self.rate_limit_reply(None, None)
        if self.slow_seconds and used * 2 >= self.external_threshold:
            self.stopping.wait(self.slow_seconds)
        return None

    def calls_in_timeframe(self) -> int:
        """The calls of the last hour by everybody, as ThresholdInformation tells them."""
        with self.world.lock:
            begins = self.monotonic() - TIMEFRAME_MINUTES * 60
            while self._called_at and self._called_at[0] <= begins:
                self._called_at.popleft()
            return len(self._called_at) + self.other_calls

    def _zone_information(self, request: Request) -> Reply:
        if request.method != "GET":
            return self.error_reply(405, message="The requested resource does not support this http method.")
        if request.query.get("user", "").casefold() != AUTOTASK_USER_NAME.casefold():
            # Observed: a user that is not known is a 500. The text is made up.
            return self.error_reply(500, message="Zone information could not be determined for the user.")
        url = self.zone_url or f"{request.base_url}/ATServicesRest/"
        zone = {"zoneName": "America East", "url": url, "webUrl": "https://ww5.autotask.net/", "ci": 555001}
        return json_reply(200, zone)

    def _move_line(self, request: Request) -> None:
        """The moved_line fault: a person is faster than this request."""
        fault = request.fault("moved_line")
        body = autotask_routes.body_of(request) if fault else None
        line = self.world.additions.get(body.get("contractServiceID", 0)) if isinstance(body, dict) else None
        if fault is not None and line is not None:
            self.world.edit_addition(line.id, quantity=float(fault.option("quantity", line.quantity + 1)))
            self.units.roll()

    # Queries.

    def query(self, request: Request, entity: str, records: Iterable[dict[str, Any]]) -> Reply:
        """A page of the records that the filter holds for. They come by rising id, which the filter has to leave so."""
        asked = self._asked(request)
        size = asked.get("maxrecords", MAX_RECORDS)
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= 500:
            raise FilterError("MaxRecords must be between 1 and 500.")
        size = min(size, MAX_RECORDS)
        for name in asked.get("includefields") or ():
            if str(name).casefold() in self.unknown_fields:
                raise FilterError(f"Unable to find {name} in the {entity} Entity.")
        holds = _visible(entity, self.restricted, parse_filter(asked.get("filter")))
        after = _position(request.query.get("paging", ""))
        if request.fault("page_ignored"):
            # The filter on the id is lost on the way as well: every page is the first one.
            holds, after = _visible(entity, self.restricted, lambda record: True), -1
        found = (record for record in records if record["id"] > after and holds(record))
        window = list(islice(found, size + 1))
        rows, more = window[:size], len(window) > size
        last = rows[-1]["id"] if rows else after
        if request.fault("duplicate_page") and rows:
            rows = [*rows[:-1], rows[0]] if len(rows) > 1 else [*rows, rows[0]]
        if request.fault("repeated_token"):
            last, more = after, True
        elif request.fault("token_loop"):
            last, more = (-1 if after >= 0 else last), True
        elif request.fault("endless_tokens"):
            rows, last, more = (
                [{**row, "id": after + at} for at, row in enumerate(islice(cycle(rows), size), 1)],
                after + size,
                True,
            )
        return json_reply(
            200,
            {
                "items": [only_fields(row, asked.get("includefields")) for row in rows],
                "pageDetails": {
                    "count": len(rows),
                    "requestCount": size,
                    "prevPageUrl": None,
                    "nextPageUrl": self._next_url(request, entity, last) if more else None,
                },
            },
        )

    def count(self, request: Request, entity: str, records: Iterable[dict[str, Any]]) -> Reply:
        """`{"queryCount": n}` of the records that the filter holds for."""
        holds = _visible(entity, self.restricted, parse_filter(self._asked(request).get("filter")))
        total = sum(1 for record in records if holds(record))
        fault = request.fault("total_disagrees")
        return json_reply(200, {"queryCount": total + (int(fault.option("difference", 1)) if fault else 0)})

    def _asked(self, request: Request) -> dict[str, Any]:
        """The query model of the body, or of `?search=`, with the names in lower case."""
        asked = autotask_routes.body_of(request)
        if request.method == "GET":
            try:
                asked = json.loads(request.query.get("search", ""))
            except (ValueError, RecursionError):
                asked = None
        if not isinstance(asked, dict):
            raise FilterError("The query is not valid JSON.")
        return {str(name).casefold(): value for name, value in asked.items()}

    def _next_url(self, request: Request, entity: str, last: int) -> str:
        token = base64.urlsafe_b64encode(json.dumps({"after": last}).encode()).decode().rstrip("=")
        return f"{request.base_url}/atservicesrest/v1.0/{entity}/query/next?paging={token}"


def _position(token: str) -> int:
    if not token:
        return -1
    try:
        return int(json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))["after"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise FilterError("The page is not known.") from None


def _visible(entity: str, restricted: frozenset[str], holds: Predicate) -> Predicate:
    """Nothing at all for an entity that the user may not see."""
    return (lambda record: False) if entity in restricted else holds


_DEFAULT_ERRORS: Mapping[int, str] = {
    400: "The request is invalid.",
    401: "Unauthorized.",
    403: "The logged in Resource does not have the adequate permissions to query this entity type.",
    404: "No HTTP resource was found that matches the request.",
}
