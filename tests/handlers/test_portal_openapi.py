"""The API describes itself, and the description is valid, whole and about the routes that are deployed."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import validate

from local.template import local_deployment
from tests.handlers.stage import Stage
from tests.served_routes import SCREENS, gateway_routes


@pytest.fixture(scope="module")
def document(untouched: Stage) -> Any:
    return untouched.ok("GET", "/v1/openapi.json", role="viewer")


def test_it_is_valid(document: Any) -> None:
    validate(document)


def test_it_describes_every_route_of_the_template_and_no_other() -> None:
    (portal,) = [one for one in local_deployment().functions() if one.capability == "portal"]
    assert {(route.method, route.path) for route in portal.routes} - SCREENS == gateway_routes()


def test_every_operation_says_what_it_does(document: Any) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (method, path)
            assert operation["tags"], (method, path)


def test_no_operation_is_called_like_another(document: Any) -> None:
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))


def test_secrets_are_marked_as_never_shown(document: Any) -> None:
    fields = document["components"]["schemas"]["ConnectBody"]["properties"]["fields"]
    assert fields["additionalProperties"]["writeOnly"] is True
