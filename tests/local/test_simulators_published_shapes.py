"""The simulated ConnectWise against the vendor's published description: every field known, every type right.

The description is not part of the project. Without it these tests are skipped.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from local.simulators import ConnectWiseSimulator, demo_world, running
from local.simulators.connectwise_routes import ROUTES
from local.simulators.credentials import connectwise_headers
from tests.contracts.psa_subject_connectwise import CONNECTWISE_FIELDS
from tests.fakes.clock import FakeClock
from trueup.adapters.connectwise.tickets import open_tickets
from trueup.domain.integrations import IntegrationName
from trueup.domain.notices import TicketPlace
from trueup.ports.psa_tickets import NewTicket

DESCRIPTION = Path(__file__).resolve().parents[3] / "shared" / "specs" / "connectwise-psa-2026.4-GET-subset.json"
SLICE = DESCRIPTION.with_name("connectwise-psa-2025-endpoint-slice.json")
pytestmark = pytest.mark.skipif(
    not DESCRIPTION.exists(), reason="the published ConnectWise description is not beside the project"
)


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    """The published schemas, closed to unknown fields, and with the null that the vendor sends for an empty field."""
    schemas: dict[str, Any] = json.loads(DESCRIPTION.read_text())["components"]["schemas"]
    return {name: _closed(schema) for name, schema in schemas.items()}


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {name: {"anyOf": [one, {"type": "null"}]} for name, one in schema.get("properties", {}).items()}
    return {**schema, "properties": properties, "additionalProperties": False} if properties else schema


@pytest.fixture(scope="module")
def psa() -> Iterator[ConnectWiseSimulator]:
    with running(ConnectWiseSimulator(demo_world())) as simulator:
        yield simulator


def check(value: object, name: str, schemas: dict[str, Any]) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
    jsonschema.Draft4Validator(schema).validate(value)


def get(psa: ConnectWiseSimulator, path: str) -> Any:
    url = f"{psa.url}/v4_6_release/apis/3.0{path}"
    reply = requests.get(url, params={"pageSize": 1000}, headers=connectwise_headers(), timeout=5)
    assert reply.status_code == 200
    return reply.json()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/company/companies", "Company"),
        ("/finance/agreements", "Agreement"),
        ("/procurement/catalog", "CatalogItem"),
    ],
)
def test_lists_are_as_published(psa: ConnectWiseSimulator, schemas: dict[str, Any], path: str, name: str) -> None:
    rows = get(psa, path)
    assert rows
    for row in rows:
        check(row, name, schemas)
    check(get(psa, f"{path}/{rows[0]['id']}"), name, schemas)
    check(get(psa, f"{path}/count"), "Count", schemas)


def test_additions_are_as_published(psa: ConnectWiseSimulator, schemas: dict[str, Any]) -> None:
    for agreement_id in psa.world.agreements:
        for row in get(psa, f"/finance/agreements/{agreement_id}/additions"):
            check(row, "Addition", schemas)


def test_tickets_are_made_and_listed_as_published(psa: ConnectWiseSimulator, schemas: dict[str, Any]) -> None:
    """What the adapter posts, and what the simulator makes of it, are tickets by the description."""
    company = min(psa.world.companies)
    tickets = open_tickets(psa.url, CONNECTWISE_FIELDS, clock=FakeClock(), allow_loopback=True)
    place = TicketPlace(IntegrationName.CONNECTWISE, str(company), "8", "3", "1", "2")
    number = tickets.create(
        NewTicket(place, "[trueup-0123456789abcdef] words", "more words", "trueup-0123456789abcdef")
    )
    tickets.close()
    check(json.loads(psa.world.writes[-1].body), "Ticket", schemas)
    (row,) = get(psa, "/service/tickets")
    assert str(row["id"]) == number
    check(row, "Ticket", schemas)


MADE_FROM_THEIR_READS = {("POST", "/service/tickets")}
"""Documented, but the copies at hand hold the reads of tickets only; what is posted is checked against their schema."""


@pytest.mark.skipif(not SLICE.exists(), reason="the published ConnectWise endpoint slice is not beside the project")
def test_every_route_is_a_published_one() -> None:
    published = {("GET", path) for path in json.loads(DESCRIPTION.read_text())["paths"]}
    published |= {(one["method"], one["path"]) for one in json.loads(SLICE.read_text())}
    normal = {(method, path.replace("{parentId}", "{id}")) for method, path in published}
    served = {(method, path) for path, handlers in ROUTES.items() for method in handlers}
    assert served - normal == MADE_FROM_THEIR_READS


def test_the_check_itself_finds_a_wrong_type_and_a_wrong_name(schemas: dict[str, Any]) -> None:
    good = {"identifier": "A", "name": "A"}
    check(good, "Company", schemas)
    for wrong in ({"name": 5}, {"nonsense": 1}, {"status": {"id": "1"}}):
        with pytest.raises(jsonschema.ValidationError):
            check(good | wrong, "Company", schemas)
