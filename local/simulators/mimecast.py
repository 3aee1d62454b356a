"""A Mimecast API 2.0 gateway as a partner (MSP) credential sees it, over the simulated world.

Token, whoami, partner and account routes. The partner bodies are not publicly documented: their shapes are the house's
best reading, and what they share with the real service is the paths. Account routes follow the documented shapes.
"""

import itertools
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from local.simulators.credentials import (
    MIMECAST_CLIENT_ID,
    MIMECAST_CLIENT_SECRET,
)
from local.simulators.messages import Reply, Request, json_reply
from local.simulators.mimecast_directory import DIRECTORY_ROUTES, USERS
from local.simulators.mimecast_orders import ORDER_ROUTES, note_read
from local.simulators.mimecast_records import (
    account_record,
    contract_record,
    customer_record,
    json_object,
    page_offset,
    page_token,
    product_record,
)
from local.simulators.server import Simulator
from local.simulators.world import VendorAccount, World

DEFAULT_PAGE_SIZE = 25
MAX_PAGE_SIZE = 100
ACCOUNT_SWITCH_HEADER = "x-mc-accountcode"


class MimecastSimulator(Simulator):
    """Mimecast on loopback.

    Switches: `on_behalf` (which forms of the account switch are obeyed: header, body), `token_lifetime_seconds`,
    `partner_allowed` (False: every partner route is 403), `packages_as_objects`, `rate_limit` and
    `rate_limit_window_seconds` per route, which is only enforced with `rate_limit_enforced`; `directory_enabled` and
    `directory_status` of the partner's directories; `order_reads`: which read shows an order. `directory_users` are the
    people of the partner's own account.
    """

    name = "Mimecast"
    settable = (
        "latency_seconds",
        "on_behalf",
        "token_lifetime_seconds",
        "partner_allowed",
        "packages_as_objects",
        "rate_limit",
        "rate_limit_window_seconds",
        "rate_limit_enforced",
        "directory_enabled",
        "directory_status",
        "order_reads",
    )

    def __init__(self, world: World, *, latency_seconds: float = 0.0, port: int = 0) -> None:
        super().__init__(world, latency_seconds=latency_seconds, port=port)
        self.on_behalf = frozenset({"header", "body"})
        self.token_lifetime_seconds: float = 1799
        self.partner_allowed = True
        self.packages_as_objects = False
        self.rate_limit = 800
        self.rate_limit_window_seconds = 5.0
        self.rate_limit_enforced = False
        self.directory_enabled = True
        self.directory_status = "ok"
        self.order_reads = 1
        self.directory_users = USERS
        self.monotonic: Callable[[], float] = time.monotonic
        self._tokens: dict[str, float] = {}
        self._token_serial = itertools.count(1)
        self._refusals = itertools.cycle(_TOKEN_REFUSALS)
        self._calls = itertools.count(1)
        self._windows: dict[str, tuple[float, int]] = {}

    def expire_tokens(self) -> None:
        """Every token given out so far is expired from now on."""
        self._tokens = dict.fromkeys(self._tokens, self.monotonic() - 1)

    def issue_token(self) -> str:
        """A valid token, for a test that is not about the token route."""
        return self._issue(self.token_lifetime_seconds)

    def next_serial(self) -> int:
        """A number that was never given out before."""
        return next(self._calls)

    def _issue(self, lifetime_seconds: float) -> str:
        token = f"sim-token-{next(self._token_serial):04d}"
        self._tokens[token] = self.monotonic() + lifetime_seconds
        return token

    @property
    def operations(self) -> Mapping[str, Callable[[], None]]:
        """`expire_tokens`."""
        return {"expire_tokens": self.expire_tokens}

    # Errors.

    def error_reply(self, status: int, code: str = "", message: str = "") -> Reply:
        """4xx: a flat fail list, as the gateway sends. 5xx: the envelope of the account routes."""
        code_, message_ = _DEFAULT_ERRORS.get(status, ("err_internal", "Internal error"))
        error: dict[str, Any] = {"code": code or code_, "message": message or message_}
        if status >= 500:
            fail = {"errors": [{**error, "retryable": True}]}
            return json_reply(status, {"meta": {"status": status}, "data": [], "fail": [fail]})
        return json_reply(status, {"fail": [error]})

    def unauthorized_reply(self, code: str) -> Reply:
        """token_expired, token_verification_failed, or plain."""
        errors: Mapping[str, dict[str, Any]] = {
            "token_expired": {"code": code, "message": "Access token has expired", "retryable": True},
            "token_verification_failed": {"code": code, "message": "Token verification failed"},
        }
        plain = {"code": "unauthorized", "message": "Unauthorized"}
        return json_reply(401, {"fail": [errors.get(code, plain)]})

    def rate_limit_reply(self, retry_after: str | None, reset_milliseconds: int | None) -> Reply:
        """429; the reset is in milliseconds. Retry-After is only sent when a fault asks for it."""
        error = {"code": "quota_exceeded", "message": "Rate limit exceeded", "retryable": True}
        reply = json_reply(429, {"meta": {"status": 429}, "data": [], "fail": [{"errors": [error]}]})
        reply.headers += [("X-RateLimit-Limit", str(self.rate_limit)), ("X-RateLimit-Remaining", "0")]
        if reset_milliseconds is not None:
            reply.headers.append(("X-RateLimit-Reset", str(reset_milliseconds)))
        if retry_after is not None:
            reply.headers.append(("Retry-After", retry_after))
        return reply

    def finish(self, request: Request, reply: Reply) -> None:
        """Every reply carries the rate limit headers and a request id."""
        reply.headers.append(("x-request-id", f"sim-{next(self._calls):08d}"))
        if reply.status != 429:
            remaining, reset = self._window(request.route or request.resource, count=False)
            reply.headers += [
                ("X-RateLimit-Limit", str(self.rate_limit)),
                ("X-RateLimit-Remaining", str(remaining)),
                ("X-RateLimit-Reset", str(reset)),
            ]

    def _window(self, route: str, *, count: bool) -> tuple[int, int]:
        """Calls left in the route's window, and the milliseconds until it ends. Left is -1 when it is overdrawn."""
        with self.world.lock:
            now = self.monotonic()
            started, used = self._windows.get(route, (now, 0))
            if now - started >= self.rate_limit_window_seconds:
                started, used = now, 0
            used += 1 if count else 0
            self._windows[route] = (started, used)
        left = max(self.rate_limit - used, -1)
        if not count:
            left = max(left, 0)
        return left, max(int((started + self.rate_limit_window_seconds - now) * 1000), 1)

    # Routing.

    def answer(self, request: Request) -> Reply:
        """Check token, route and limit, then serve."""
        for template, pattern, method, handler in _ROUTES:
            match = pattern.fullmatch(request.path)
            if match is None:
                continue
            request.route = template
            if request.method != method:
                return self.error_reply(405)
            left, reset = self._window(template, count=True)
            if self.rate_limit_enforced and left < 0:
                return self.rate_limit_reply(None, reset)
            refused = self._not_allowed(request)
            if refused is not None:
                return refused
            with self.world.lock:
                return handler(self, request, *match.groups())
        return self._not_allowed(request) or self.error_reply(404)

    def _not_allowed(self, request: Request) -> Reply | None:
        if request.path == "/oauth/token":
            return None
        kind, _, token = request.header("authorization").partition(" ")
        expires = self._tokens.get(token) if kind.lower() == "bearer" else None
        if expires is None:
            return self.unauthorized_reply("plain")
        if self.monotonic() >= expires:
            return self.unauthorized_reply("token_expired")
        if request.path.startswith("/partner/") and not self.partner_allowed:
            return self.error_reply(403)
        return None

    def token(self, request: Request) -> Reply:
        """The OAuth client credentials grant, with the secret in the form body."""
        if not request.header("content-type").startswith("application/x-www-form-urlencoded"):
            return json_reply(400, {"error": "invalid_request", "error_description": "A form body is required"})
        form = dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
        if form.get("grant_type") != "client_credentials":
            return json_reply(400, {"error": "unsupported_grant_type", "error_description": "Unsupported grant type"})
        if (form.get("client_id"), form.get("client_secret")) != (MIMECAST_CLIENT_ID, MIMECAST_CLIENT_SECRET):
            return json_reply(401, next(self._refusals))
        lifetime: Any = self.token_lifetime_seconds
        fault = request.fault("token_reply")
        if fault is not None:
            lifetime = fault.option("expires_in")
        token = self._issue(lifetime if isinstance(lifetime, int | float) else self.token_lifetime_seconds)
        reply = {"access_token": token, "token_type": "Bearer"}
        return json_reply(200, reply if lifetime is None else {**reply, "expires_in": lifetime})

    # The account switch.

    def switched_to(self, request: Request, body: Mapping[str, Any]) -> str | None:
        """The account code the request is made on behalf of, by a form that is obeyed; None without a switch."""
        if request.fault("ignored_account_switch"):
            return None
        header = request.header(ACCOUNT_SWITCH_HEADER)
        if header and "header" in self.on_behalf:
            return header
        meta = body.get("meta")
        code = meta.get("accountCode") if isinstance(meta, Mapping) else None
        return code if isinstance(code, str) and code and "body" in self.on_behalf else None

    def whoami(self, request: Request) -> Reply:
        """Home and target account codes. What an unknown code answers is a guess: 403."""
        home = self.world.partner.code
        target = self.switched_to(request, {}) or home
        if target != home and target not in self.world.accounts:
            return self.error_reply(403)
        codes = {"cg": target, "ci": "", "x1": "", "lead": ""}
        kind = "partner" if target == home else "full"
        return json_reply(
            200, {"version": "1", "type": kind, "account-codes": codes, "home-account": {**codes, "cg": home}}
        )

    def _on_behalf(self, request: Request) -> VendorAccount | Reply:
        """The account a POST route is about, or the reply that refuses."""
        body = json_object(request.body)
        if body is None:
            return self.error_reply(400, "err_malformed", "The body is not a JSON object")
        code = self.switched_to(request, body)
        if code is None or code == self.world.partner.code:
            return self.world.partner
        account = self.world.accounts.get(code)
        if account is None or not account.account_readable:
            error = {"code": "err_account_access_denied", "message": "Access to the account is denied"}
            fail = {"key": {"accountCode": code}, "errors": [{**error, "retryable": False}]}
            return json_reply(200, {"meta": {"status": 200}, "data": [], "fail": [fail]})
        return account

    def get_account(self, request: Request) -> Reply:
        """Account details, secrets included: the client must keep a white list of fields."""
        account = self._on_behalf(request)
        if isinstance(account, Reply):
            return account
        record = account_record(account, self._packages(account))
        return json_reply(200, {"meta": {"status": 200}, "data": [record], "fail": []})

    def _packages(self, account: VendorAccount) -> list[Any]:
        # The order differs between calls, as was observed; a client that compares lists sees changes that are none.
        start = next(self._calls) % max(len(account.packages), 1)
        texts = account.packages[start:] + account.packages[:start]
        if not self.packages_as_objects:
            return list(texts)
        parts = (re.fullmatch(r"(.*?) \[(\d+)\]", text) for text in texts)
        return [{"id": part[2], "name": part[1]} for part in parts if part]

    def get_support_info(self, request: Request) -> Reply:
        """Support details, of which `mainProduct` names the plan."""
        account = self._on_behalf(request)
        if isinstance(account, Reply):
            return account
        record = {
            "partnerName": "Sim MSP", "supportPackage": "Standard", "customerDevelopmentManager": "",
            "mailtoLink": "support@mimecast.example", "supportJurisdiction": account.region.upper(),
            "renewalDate": "2027-11-01", "hostingJurisdiction": account.region.upper(), "customerAdvocate": "",
            "mainProduct": account.main_product, "officePhone": "",
        }  # fmt: skip
        return json_reply(200, {"meta": {"status": 200}, "data": [record], "fail": []})

    # Partner routes.

    def customers(self, request: Request) -> Reply:
        """The partner's customer accounts, by code."""
        if not request.query.get("pageToken"):
            note_read(self.world)
        return self.page(request, "customers", list(self.world.accounts.values()), customer_record)

    def customer(self, request: Request, code: str) -> Reply:
        """One customer account."""
        account = self.world.accounts.get(code)
        if account is None:
            return self.error_reply(404, "not_found", "Customer account was not found")
        return json_reply(200, customer_record(account))

    def contracts(self, request: Request) -> Reply:
        """The agreements with their lines."""
        return self.page(request, "contracts", list(self.world.contracts.values()), contract_record)

    def contract(self, request: Request, contract_id: str) -> Reply:
        """One agreement."""
        contract = self.world.contracts.get(contract_id)
        if contract is None:
            return self.error_reply(404, "not_found", "Contract was not found")
        return json_reply(200, contract_record(contract))

    def products(self, request: Request) -> Reply:
        """What the partner may sell."""
        return self.page(request, "products", list(self.world.vendor_products.values()), product_record)

    def overages(self, request: Request, code: str) -> Reply:
        """Use beyond the agreement, of one account."""
        account, contract = self.world.accounts.get(code), self.world.contract_of(code)
        if account is None or contract is None:
            return self.error_reply(404, "not_found", "Customer account was not found")
        agreed = contract.lines[0].quantity
        actual = account.actual_users if account.actual_users is not None else agreed
        record = {"accountCode": code, "contractedUsers": agreed, "actualUsers": actual}
        as_of = self.world.clock().date().replace(day=1).isoformat()
        return json_reply(200, {**record, "overage": max(actual - agreed, 0), "asOf": as_of})

    def get_packages(self, request: Request) -> Reply:
        """The products a partner may provision."""
        data = [{"products": {"id": one.id, "name": one.name}} for one in self.world.vendor_products.values()]
        return json_reply(200, {"meta": {"status": 200}, "data": data, "fail": []})

    def page[Row](self, request: Request, key: str, rows: list[Row], make: Callable[[Row], dict[str, Any]]) -> Reply:
        """A page of a bare-object list: the rows under their name, and `meta.pagination`."""
        size_text = request.query.get("pageSize", str(DEFAULT_PAGE_SIZE))
        size = int(size_text) if size_text.isdecimal() and len(size_text) < 6 else 0
        start = page_offset(request.query.get("pageToken", ""))
        if not 1 <= size <= MAX_PAGE_SIZE or start is None:
            field = "pageSize" if start is not None else "pageToken"
            error = {"code": "validation_error", "message": f"{field} is not valid (1-100)", "field": field}
            return json_reply(400, {"errors": [error]})
        shown = max(start - size, 0) if request.fault("duplicate_page") else start
        page = [make(row) for row in rows[shown : shown + size]]
        total = len(rows)
        fault = request.fault("total_disagrees")
        if fault is not None:
            total += int(fault.option("difference", 1))
        pagination: dict[str, Any] = {"pageSize": len(page), "totalCount": total}
        following = self._next_token(request, start, size, len(rows))
        if following:
            pagination["next"] = following
        return json_reply(200, {key: page, "meta": {"pagination": pagination}})

    def _next_token(self, request: Request, start: int, size: int, total: int) -> str:
        if request.fault("repeated_token"):
            return request.query.get("pageToken") or page_token(start)
        if request.fault("token_loop"):
            return page_token(2 * size if start == size else size)
        if request.fault("endless_tokens"):
            return page_token((start + size) % max(total, 1), f"{next(self._calls)}")
        return page_token(start + size) if start + size < total else ""


_TOKEN_REFUSALS: tuple[dict[str, Any], ...] = (
    {"error": "invalid_client", "error_description": "Client authentication failed"},
    {"fail": [{"code": "unauthorized", "message": "Invalid client credentials"}]},
    {
        "fault": {
            "faultstring": "Invalid client identifier",
            "detail": {"errorcode": "oauth.v2.InvalidClientIdentifier"},
        }
    },
)
"""Three shapes a refused token request may take; no public page tells which, so they are served in turn."""

_DEFAULT_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("err_malformed", "The request is malformed"),
    403: ("forbidden", "The application does not have permission for this resource"),
    404: ("not_found", "The resource was not found"),
    405: ("method_not_allowed", "The method is not allowed"),
    409: ("conflict", "The request conflicts with the state of the resource"),
}

_SERVED: Mapping[str, tuple[str, Callable[..., Reply]]] = {
    "/oauth/token": ("POST", MimecastSimulator.token),
    "/identity/whoami": ("GET", MimecastSimulator.whoami),
    "/partner/v1/customers": ("GET", MimecastSimulator.customers),
    "/partner/v1/customers/{code}": ("GET", MimecastSimulator.customer),
    "/partner/v1/msp/contracts": ("GET", MimecastSimulator.contracts),
    "/partner/v1/msp/contracts/{id}": ("GET", MimecastSimulator.contract),
    "/partner/v1/msp/products": ("GET", MimecastSimulator.products),
    "/partner/v1/msp/overages/{code}": ("GET", MimecastSimulator.overages),
    "/api/account/get-account": ("POST", MimecastSimulator.get_account),
    "/api/account/get-support-info": ("POST", MimecastSimulator.get_support_info),
    "/api/provisioning/get-packages": ("POST", MimecastSimulator.get_packages),
    **DIRECTORY_ROUTES,
    **ORDER_ROUTES,
}
_ROUTES = tuple(
    (template, re.compile(re.sub(r"\{\w+\}", "([^/]+)", template)), method, handler)
    for template, (method, handler) in _SERVED.items()
)
