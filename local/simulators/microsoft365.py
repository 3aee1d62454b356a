"""Microsoft Graph and its login server as they are documented, over the tenants of the simulated world.

Serves tokens by tenant, the clients by GDAP and by contract, subscribed licenses, users by delta query, and mailbox
settings in batches, with limits by tenant and application. Where the behavior is a guess the code says so.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from local.simulators import microsoft365_routes
from local.simulators.credentials import (
    MICROSOFT365_CLIENT_ID,
    MICROSOFT365_CLIENT_SECRET,
    MICROSOFT365_TENANT_ID,
)
from local.simulators.directory import ClientTenant, Directory
from local.simulators.messages import Reply, Request, json_reply, wire_time
from local.simulators.microsoft365_limits import Limits
from local.simulators.server import Simulator
from local.simulators.world import World

TOKEN_LIFETIME_SECONDS = 3_599
_REFUSALS: Mapping[str, tuple[str, str]] = {
    "secret": ("invalid_client", "AADSTS7000215: Invalid client secret provided."),
    "no_consent": ("unauthorized_client", "AADSTS700016: Application was not found in the directory."),
    "gone": ("invalid_request", "AADSTS90002: Tenant not found."),
}


@dataclass(frozen=True, slots=True)
class _Token:
    tenant_id: str
    until_seconds: float


class _OfLimits:
    """A switch or a count of the simulator that its limits keep."""

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, simulator: "Microsoft365Simulator", _owner: type | None = None) -> int:
        return int(getattr(simulator.limits, self._name))

    def __set__(self, simulator: "Microsoft365Simulator", value: int) -> None:
        setattr(simulator.limits, self._name, value)


class Microsoft365Simulator(Simulator):
    """Microsoft Graph and its login server on one port of loopback.

    Switches: `token_lifetime_seconds`, `user_page_size`, `customer_page_size`, `delta_token_days`; what the application
    may do: `gdap_allowed`, `contracts_allowed`, `licenses_allowed`, `users_allowed`, `mailboxes_allowed`; the limits:
    `units_of_tenant` a ten seconds (0: what is documented for its size), `units_of_application` a twenty seconds,
    `requests_of_application` a ten seconds; `units_given`, `requests_given` and `requests_refused` count what came of
    them. The operation `expire_tokens` makes every token that was given invalid.
    """

    name = "Microsoft 365"
    settable = (
        "latency_seconds",
        "token_lifetime_seconds",
        "user_page_size",
        "customer_page_size",
        "delta_token_days",
        "gdap_allowed",
        "contracts_allowed",
        "licenses_allowed",
        "users_allowed",
        "mailboxes_allowed",
        "units_of_tenant",
        "units_of_application",
        "requests_of_application",
        "units_given",
        "requests_given",
        "requests_refused",
    )
    units_of_tenant = _OfLimits()
    units_of_application = _OfLimits()
    requests_of_application = _OfLimits()
    units_given = _OfLimits()
    requests_given = _OfLimits()
    requests_refused = _OfLimits()

    def __init__(self, world: World, *, latency_seconds: float = 0.0, port: int = 0) -> None:
        super().__init__(world, latency_seconds=latency_seconds, port=port)
        self.token_lifetime_seconds: float = TOKEN_LIFETIME_SECONDS
        # How many users a page of a delta query holds is not documented; about a hundred was seen.
        self.user_page_size = 100
        self.customer_page_size = 300
        self.delta_token_days = 7
        self.gdap_allowed = True
        self.contracts_allowed = True
        self.licenses_allowed = True
        self.users_allowed = True
        self.mailboxes_allowed = True
        self.monotonic: Callable[[], float] = time.monotonic
        self.limits = Limits(lambda: self.monotonic())
        self._tokens: dict[str, _Token] = {}
        if world.kind == "demo":
            # Made now, so that what is changed later in the world's other parts does not change who was licensed. A
            # larger world is measured without this leg as a rule, and need not carry its users.
            _ = world.directory

    @property
    def directory(self) -> Directory:
        """The tenants of the world."""
        return self.world.directory

    @property
    def operations(self) -> Mapping[str, Callable[[], None]]:
        """`expire_tokens`."""
        return {"expire_tokens": self.expire_tokens}

    def expire_tokens(self) -> None:
        """Every token that was given is refused from now on."""
        with self.world.lock:
            self._tokens.clear()

    # Errors.

    def error_reply(self, status: int, code: str = "", message: str = "") -> Reply:
        """Graph's own shape, with an inner error that repeats the request's id and moment."""
        codes = {400: "BadRequest", 401: "InvalidAuthenticationToken", 403: "Authorization_RequestDenied"}
        codes |= {404: "Request_ResourceNotFound", 405: "Request_BadRequest", 410: "syncStateNotFound"}
        codes |= {429: "TooManyRequests", 503: "serviceNotAvailable", 504: "UnknownError"}
        texts = {403: "Insufficient privileges to complete the operation.", 429: "Please retry again later."}
        inner = {"date": wire_time(self.world.clock())[:-1], "request-id": secrets.token_hex(8)}
        said = message or texts.get(status, "The request was not carried out.")
        error = {"code": code or codes.get(status, "generalException"), "message": said, "innerError": inner}
        return json_reply(status, {"error": error})

    def unauthorized_reply(self, code: str) -> Reply:
        """A token that ended, or one that is none."""
        message = "Lifetime validation failed, the token is expired." if code == "token_expired" else ""
        return self.error_reply(401, message=message or "Access token validation failure.")

    def rate_limit_reply(self, retry_after: str | None, reset_milliseconds: int | None) -> Reply:
        """429. Not every service behind Graph says how long to wait (documented)."""
        reply = self.error_reply(429)
        if retry_after is not None:
            reply.headers.append(("Retry-After", retry_after))
        return reply

    # Routing.

    def prepare(self, request: Request) -> None:
        """`resource` begins with the tenant that the call is about, so that a fault may hit one tenant only."""
        tenant_id = self.tenant_id_of(request)
        request.resource = f"/{tenant_id}{request.path}" if tenant_id else request.path

    def tenant_id_of(self, request: Request) -> str:
        """The tenant of the token that came along; empty for none that is valid."""
        kind, _, text = request.header("authorization").partition(" ")
        with self.world.lock:
            token = self._tokens.get(text)
        return "" if kind != "Bearer" or token is None or token.until_seconds <= self.monotonic() else token.tenant_id

    def answer(self, request: Request) -> Reply:
        """A token, or a route of Graph for whoever holds one."""
        parts = request.path.split("/")
        if request.method == "POST" and parts[2:] == ["oauth2", "v2.0", "token"]:
            request.route = "/{tenant}/oauth2/v2.0/token"
            return self._token(request, parts[1].lower())
        tenant_id = self.tenant_id_of(request)
        if not tenant_id:
            return self.unauthorized_reply("token_expired")
        return microsoft365_routes.answer(self, request, tenant_id)

    def finish(self, request: Request, reply: Reply) -> None:
        """Every reply carries an id of its own."""
        reply.headers.append(("request-id", secrets.token_hex(16)))

    def _token(self, request: Request, tenant_id: str) -> Reply:
        form = {name: values[-1] for name, values in parse_qs(request.body.decode(errors="replace")).items()}
        scope = form.get("scope", "")
        if form.get("grant_type") != "client_credentials" or scope != f"{request.base_url}/.default":
            return json_reply(
                400, {"error": "invalid_scope", "error_description": "AADSTS1002012: The scope is wrong."}
            )
        if form.get("client_id") != MICROSOFT365_CLIENT_ID:
            return self._refused("no_consent", 400)
        if form.get("client_secret") != MICROSOFT365_CLIENT_SECRET:
            return self._refused("secret", 401)
        with self.world.lock:
            tenant = self.directory.tenants.get(tenant_id)
            if tenant_id != MICROSOFT365_TENANT_ID and (tenant is None or tenant.access in ("no_consent", "gone")):
                return self._refused("gone" if tenant is None else tenant.access, 400)
            token = f"sim-graph-token-{secrets.token_hex(16)}"
            self._tokens[token] = _Token(tenant_id, self.monotonic() + self.token_lifetime_seconds)
        lifetime: Any = self.token_lifetime_seconds
        fault = request.fault("token_reply")
        if fault is not None:
            lifetime = fault.option("expires_in")
        grant = {"token_type": "Bearer", "ext_expires_in": lifetime, "access_token": token}
        return json_reply(200, grant if lifetime is None else {**grant, "expires_in": lifetime})

    def _refused(self, why: str, status: int) -> Reply:
        word, description = _REFUSALS[why]
        code = int(description[len("AADSTS") : description.index(":")])
        body = {"error": word, "error_description": f"{description} Trace ID: 0", "error_codes": [code]}
        return json_reply(status, body)

    def tenant(self, tenant_id: str) -> ClientTenant | None:
        """The client's tenant; None for the MSP's own."""
        return self.directory.tenants.get(tenant_id)
