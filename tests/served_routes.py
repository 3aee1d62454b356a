"""The routes of the API by its own description, and those of the gateway before it."""

from __future__ import annotations

import json
import re

from aws_lambda_powertools import Logger

from trueup.api.portal import build_portal, describe

PUBLIC = frozenset({("GET", "/v1/health")})
NOT_DESCRIBED = frozenset({("GET", "/v1/openapi.json")})
MACHINES = "/v1/psa/"
"""What stands under it is opened with an API key, everything else with a person's token."""


PEOPLE = ("ANY", "/v1/{route+}")
"""The one route of the gateway for everything that is opened with a person's token."""

SCREENS = frozenset({("GET", "/"), ("GET", "/{page}"), ("GET", "/assets/{release}/{file+}")})
"""What the portal serves beside the API: one page, and the files it is made of. They are the same for everybody."""


def gateway_routes() -> set[tuple[str, str]]:
    """(method, path) of every route the gateway has for the API: those that need no token of a person, and one for the
    rest.
    """
    return {PEOPLE, *PUBLIC, *routes_of_machines()}


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
