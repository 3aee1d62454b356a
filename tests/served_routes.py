"""The routes of the API by its own description. A path that takes several methods is one route of the gateway."""

from __future__ import annotations

import json
import re

from aws_lambda_powertools import Logger

from trueup.api.portal import build_portal, describe

PUBLIC = frozenset({("GET", "/v1/health")})
NOT_DESCRIBED = frozenset({("GET", "/v1/openapi.json")})
MACHINES = "/v1/psa/"
"""What stands under it is opened with an API key, everything else with a person's token."""


GATEWAY_PATHS = {
    "/v1/change-orders/{order_id}": "/v1/change-orders/{order+}",
    "/v1/change-orders/{order_id}/{action}": "/v1/change-orders/{order+}",
    "/v1/account-mappings/import": "/v1/account-mappings/{vendor_account_id}",
    "/v1/license-mappings/import": "/v1/license-mappings/{tenant_id}",
    "/v1/service-mappings/import": "/v1/service-mappings/{service_id}",
    "/v1/months/{period}/evidence": "/v1/months/{period}/{action}",
    "/v1/months/{period}/reopen": "/v1/months/{period}/{action}",
    "/v1/months/{period}/replay": "/v1/months/{period}/{action}",
    "/v1/months/{period}/seal": "/v1/months/{period}/{action}",
    "/v1/plans/{plan_id}/apply": "/v1/plans/{plan_id}/{action}",
    "/v1/plans/{plan_id}/approve": "/v1/plans/{plan_id}/{action}",
    "/v1/plans/{plan_id}/lines": "/v1/plans/{plan_id}/{action}",
    "/v1/plans/{plan_id}/undo": "/v1/plans/{plan_id}/{action}",
    "/v1/portal-users/check": "/v1/portal-users/{user+}",
    "/v1/portal-users/import": "/v1/portal-users/{user+}",
    "/v1/portal-users/mail": "/v1/portal-users/{user+}",
    "/v1/portal-users/{address}": "/v1/portal-users/{user+}",
    "/v1/portal-users/{address}/invite": "/v1/portal-users/{user+}",
    "/v1/portal-users/{address}/tick": "/v1/portal-users/{user+}",
}
"""Words that stand where the gateway has a variable: it need not tell them apart, and its permissions must stay few."""

SCREENS = frozenset({("GET", "/"), ("GET", "/{page}"), ("GET", "/assets/{release}/{file+}")})
"""What the portal serves beside the API: one page, and the files it is made of. They are the same for everybody."""


def gateway_routes() -> set[tuple[str, str]]:
    """(method, path) of every route the gateway has for the API; the method is ANY where a path takes several."""
    methods: dict[str, set[str]] = {}
    for method, path in all_routes():
        methods.setdefault(GATEWAY_PATHS.get(path, path), set()).add(method)
    return {(next(iter(found)) if len(found) == 1 else "ANY", path) for path, found in methods.items()}


def route_of(method: str, path: str) -> tuple[str, str]:
    """The route that answers a path: of those that fit, the one with the fewest variables."""
    fitting = [
        route
        for route in all_routes()
        if route[0] == method and re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(route[1])), path)
    ]
    return min(fitting, key=lambda route: route[1].count("{"))


def all_routes() -> tuple[tuple[str, str], ...]:
    """(method, path) of everything the portal answers, in order."""
    paths = json.loads(describe(build_portal(Logger(service="portal"))))["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    return tuple(sorted(described | NOT_DESCRIBED, key=lambda route: (route[1], route[0])))


def routes_of_people() -> list[tuple[str, str]]:
    return [route for route in all_routes() if route not in PUBLIC and not route[1].startswith(MACHINES)]


def routes_of_machines() -> list[tuple[str, str]]:
    return [route for route in all_routes() if route[1].startswith(MACHINES)]
