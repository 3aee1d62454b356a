"""The routes of the API by its own description. A path that takes several methods is one route of the gateway."""

from __future__ import annotations

import json

from aws_lambda_powertools import Logger

from trueup.api.portal import build_portal, describe

PUBLIC = frozenset({("GET", "/v1/health")})
NOT_DESCRIBED = frozenset({("GET", "/v1/openapi.json")})
MACHINES = "/v1/psa/"
"""What stands under it is opened with an API key, everything else with a person's token."""


def all_routes() -> tuple[tuple[str, str], ...]:
    """(method, path) of everything the portal answers, in order."""
    paths = json.loads(describe(build_portal(Logger(service="portal"))))["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    return tuple(sorted(described | NOT_DESCRIBED, key=lambda route: (route[1], route[0])))


def routes_of_people() -> list[tuple[str, str]]:
    return [route for route in all_routes() if route not in PUBLIC and not route[1].startswith(MACHINES)]


def routes_of_machines() -> list[tuple[str, str]]:
    return [route for route in all_routes() if route[1].startswith(MACHINES)]
