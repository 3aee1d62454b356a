"""A HaloPSA server as its published description and field reports describe it, over the simulated world.

Serves authinfo, token, agent, clients, recurring invoices with their lines, items, invoice changes and webhooks. Where
the vendor's behavior is a guess the code says so.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

from local.simulators import halopsa_routes
from local.simulators.credentials import HALOPSA_CLIENT_ID, HALOPSA_CLIENT_SECRET, HALOPSA_TENANT
from local.simulators.faults import Fault
from local.simulators.halopsa_records import halo_time, memory
from local.simulators.halopsa_webhooks import WebhookSender
from local.simulators.halopsa_writing import add_line, note_change
from local.simulators.messages import Reply, Request, json_reply
from local.simulators.server import Simulator
from local.simulators.world import World, WriteRecord

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 50
TOKEN_LIFETIME_SECONDS = 3_600
_DAYS_OF_A_PERIOD = 31


class HaloPsaSimulator(Simulator):
    """HaloPSA on loopback.

    Switches: `auth_url` (what authinfo names; empty: this server), `tenant` (the one that may sign in),
    `token_lifetime_seconds`, `limit_per_minute` (0: no limit) with `limit_window_seconds`, `webhooks_on_change`
    (whether webhooks are told after each answered request; else with the operation `deliver_webhooks`),
    `webhook_batches` and `invoice_events` (see WebhookSender). The operation `expire_tokens` makes every token that was
    given invalid.
    """

    name = "HaloPSA"
    settable = (
        "latency_seconds",
        "auth_url",
        "tenant",
        "token_lifetime_seconds",
        "limit_per_minute",
        "limit_window_seconds",
        "webhooks_on_change",
        "webhook_batches",
        "invoice_events",
    )

    def __init__(self, world: World, *, latency_seconds: float = 0.0, port: int = 0, limit_per_minute: int = 0) -> None:
        super().__init__(world, latency_seconds=latency_seconds, port=port)
        self.auth_url = ""
        self.tenant = HALOPSA_TENANT
        self.token_lifetime_seconds = TOKEN_LIFETIME_SECONDS
        self.limit_per_minute = limit_per_minute
        self.limit_window_seconds = 60.0
        self.monotonic: Callable[[], float] = time.monotonic
        self.webhooks = WebhookSender(world)
        self.webhooks_on_change = False
        self.further_writes: dict[int, list[WriteRecord]] = {}
        self._tokens: dict[str, float] = {}
        self._served_at: list[float] = []

    @property
    def operations(self) -> Mapping[str, Callable[[], None]]:
        """`expire_tokens` and `deliver_webhooks`."""
        return {"expire_tokens": self.expire_tokens, "deliver_webhooks": self.webhooks.deliver}

    @property
    def webhook_batches(self) -> bool:
        """Whether messages go out in batches."""
        return self.webhooks.batches

    @webhook_batches.setter
    def webhook_batches(self, value: bool) -> None:
        self.webhooks.batches = value

    @property
    def invoice_events(self) -> bool:
        """Whether recurring invoices have events."""
        return self.webhooks.invoice_events

    @invoice_events.setter
    def invoice_events(self, value: bool) -> None:
        self.webhooks.invoice_events = value

    def respond(self, request: Request) -> Reply:
        """Answer, and tell the webhooks of what that changed, in a thread of its own as the PSA does."""
        reply = super().respond(request)
        if self.webhooks_on_change:
            threading.Thread(target=self.webhooks.deliver, daemon=True).start()
        return reply

    def expire_tokens(self) -> None:
        """Every token that was given is refused from now on."""
        with self.world.lock:
            self._tokens.clear()

    # Errors: most have no body at all, which was seen in the field.

    def error_reply(self, status: int, code: str = "", message: str = "") -> Reply:
        """400 is `{ClassName, Message}`; 5xx is an HTML page; 401, 403, 404 and 429 are empty."""
        if status == 400:
            body = {"ClassName": code or "System.Exception", "Message": message or "Invalid invoice line"}
            return json_reply(400, body)
        if status >= 500:
            return Reply(status, b"<html><body><h1>Server Error</h1></body></html>", "text/html")
        return Reply(status)

    def unauthorized_reply(self, code: str) -> Reply:
        """The vendor has one kind of 401 behind the token."""
        return self.error_reply(401)

    def rate_limit_reply(self, retry_after: str | None, reset_milliseconds: int | None) -> Reply:
        """429 without a body; it names no wait unless the fault asks for one."""
        return Reply(429, headers=[] if retry_after is None else [("Retry-After", retry_after)])

    # Routing.

    def prepare(self, request: Request) -> None:
        """Split `/api/RecurringInvoice/311` into prefix and resource."""
        below = request.path.lower().startswith("/api/")
        request.resource = request.path[4:] if below else request.path
        request.prefix = "/api" if below else ""

    def records_write(self, request: Request) -> bool:
        """Everything below /api that is not a GET is a write; a token request is none."""
        return request.method != "GET" and request.prefix == "/api"

    def answer(self, request: Request) -> Reply:
        """Check limit, token and route, then serve."""
        return self._serve(request, None)

    def answer_recording(self, request: Request, record: WriteRecord) -> Reply:
        """Serve a write; what it changed goes into the record together with the change."""
        return self._serve(request, record)

    def finish(self, request: Request, reply: Reply) -> None:
        """Further records of the same request end as the request does."""
        for record in self.further_writes.pop(id(request), ()):
            record.status = 0 if reply.delivery.drop else reply.status

    def _serve(self, request: Request, record: WriteRecord | None) -> Reply:
        if request.path.lower() == "/auth/token":
            request.route = "/auth/token"
            return self._token(request)
        if request.resource.lower() == "/authinfo" and request.method == "GET":
            request.route = "/api/AuthInfo"
            auth_url = self.auth_url or f"{request.base_url}/auth"
            return json_reply(200, {"auth_url": auth_url, "tenant_id": HALOPSA_TENANT, "login_type": 0})
        refused = self._over_limit() or self._not_allowed(request)
        if refused is not None:
            return refused
        self._meddle(request)
        route = halopsa_routes.find(request.resource) if request.prefix else None
        if route is None:
            return self.error_reply(404)
        request.route = f"/api{route.template}"
        handler = route.handlers.get(request.method)
        if handler is None:
            return self.error_reply(405)
        with self.world.lock:
            return handler(self, request, record, *route.ids)

    def _token(self, request: Request) -> Reply:
        if request.method != "POST":
            return self.error_reply(405)
        if request.query.get("tenant") != self.tenant:
            return self.error_reply(500)
        form = {name: values[-1] for name, values in parse_qs(request.body.decode(errors="replace")).items()}
        wanted = {"grant_type": "client_credentials", "client_id": HALOPSA_CLIENT_ID}
        known = all(form.get(name) == value for name, value in wanted.items())
        if not known or form.get("client_secret") != HALOPSA_CLIENT_SECRET:
            description = "The specified client credentials are invalid."
            return json_reply(401, {"error": "invalid_client", "error_description": description})
        token = f"sim-halo-token-{secrets.token_hex(12)}"
        with self.world.lock:
            self._tokens[token] = self.monotonic() + self.token_lifetime_seconds
        reply: dict[str, Any] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.token_lifetime_seconds,
            "scope": form.get("scope", "all"),
            "refresh_token": None,
            "id_token": None,
        }
        return json_reply(200, reply)

    def _over_limit(self) -> Reply | None:
        if self.limit_per_minute <= 0:
            return None
        with self.world.lock:
            now = self.monotonic()
            self._served_at = [one for one in self._served_at if one > now - self.limit_window_seconds]
            if len(self._served_at) < self.limit_per_minute:
                self._served_at.append(now)
                return None
        return self.rate_limit_reply(None, None)

    def _not_allowed(self, request: Request) -> Reply | None:
        kind, _, token = request.header("authorization").partition(" ")
        with self.world.lock:
            valid_until = self._tokens.get(token)
        if kind != "Bearer" or valid_until is None or valid_until <= self.monotonic():
            return self.error_reply(401)
        return None

    # People and the invoice run, who are faster than the request.

    def _meddle(self, request: Request) -> None:
        moved, run = request.fault("moved_line"), request.fault("invoice_run")
        if moved is not None:
            self._move_line(moved)
        if run is not None:
            self.make_invoices(None if run.option("invoice_id") is None else int(run.option("invoice_id")))

    def _move_line(self, fault: Fault) -> None:
        with self.world.lock:
            line = self.world.additions.get(int(fault.option("line_id", 0)))
            if line is None:
                return
            if fault.option("add_item"):
                added = add_line(self.world, line.agreement_id, self.world.catalog[int(fault.option("add_item"))])
                note_change(self, line.agreement_id, added.id, "line added", ("", f"{added.quantity:g}"), "jsmith")
                return
            before = line.quantity
            if fault.option("touch_only"):
                self.world.edit_addition(line.id, description=f"{line.description} *")
                return
            self.world.edit_addition(line.id, quantity=float(fault.option("quantity", before + 1)))
            if line.quantity == before:
                return
            values = (f"{before:g}", f"{line.quantity:g}")
            note_change(self, line.agreement_id, line.id, "qty_order", values, line.updated_by)

    def make_invoices(self, invoice_id: int | None = None) -> None:
        """The invoice run: the schedule's last and next creation move on; None is every invoice."""
        with self.world.lock:
            now = self.world.clock()
            for agreement in self.world.agreements.values():
                if invoice_id in (None, agreement.id):
                    kept = memory(self.world)["invoices"].setdefault(str(agreement.id), {})
                    kept["lastcreated"] = halo_time(now)
                    kept["nextcreationdate"] = halo_time(now + timedelta(days=_DAYS_OF_A_PERIOD))
                    self.world.edit_agreement(agreement.id, "InvoiceRun")

    # Lists.

    def page_of(self, request: Request, key: str, rows: Sequence[dict[str, Any]]) -> Reply:
        """`{page_no, page_size, record_count, KEY: [...]}` with `pageinate` (sic); else the first `count` rows."""
        query = request.query
        total = len(rows)
        fault = request.fault("total_disagrees")
        told = total + (int(fault.option("difference", 1)) if fault else 0)
        if query.get("pageinate", "").lower() != "true":
            count = query.get("count", "")
            return json_reply(200, {"record_count": told, key: rows[: int(count)] if count.isdecimal() else rows})
        size, page = _whole(query.get("page_size"), DEFAULT_PAGE_SIZE), _whole(query.get("page_no"), 1)
        if size < 1 or page < 1:
            return self.error_reply(400, message="page_size and page_no are whole numbers from 1")
        # An over-large page is cut without a word: a guess, and the worse of the two.
        size = min(size, MAX_PAGE_SIZE)
        number = page
        if request.fault("page_ignored") or request.fault("repeated_token"):
            number = 1
        elif request.fault("token_loop"):
            number = 1 + (page - 1) % 2
        elif request.fault("duplicate_page") and page > 1:
            number = page - 1
        shown = list(rows[(number - 1) * size : number * size])
        if request.fault("endless_tokens"):
            shown, told = list(rows[:size]), page * size + 1
        return json_reply(200, {"page_no": page, "page_size": size, "record_count": told, key: shown})


def _whole(text: str | None, default: int) -> int:
    """A whole number from a query; -1 for text that is none."""
    if text is None:
        return default
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 12 else -1
