"""What the adapter asks for and expects, against the vendor's published description where it is at hand."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local.simulators.connectwise_records import addition_record, agreement_record, catalog_record, company_record
from tests.adapters.connectwise.connected import EMAIL, HARBOR, MANAGED, SCENE, connected
from tests.contracts.psa_subject_connectwise import world_of
from trueup.adapters.connectwise.dating import COPIED_FIELDS
from trueup.adapters.connectwise.wire import (
    ADDITION_FIELDS,
    AGREEMENT_FIELDS,
    CATALOG_FIELDS,
    COMPANY_FIELDS,
    AdditionWire,
    AgreementWire,
    CatalogItemWire,
    CompanyWire,
    RecordWire,
    parse,
)
from trueup.domain.billing import AgreementState, NewLine, WriteOutcome

SPECS = Path(__file__).parents[4] / "shared" / "specs"
WORLD = world_of(SCENE)
ASKED: dict[str, tuple[str, type[RecordWire], dict[str, Any]]] = {
    "Company": (COMPANY_FIELDS, CompanyWire, company_record(WORLD.companies[250])),
    "Agreement": (AGREEMENT_FIELDS, AgreementWire, agreement_record(WORLD, WORLD.agreements[1201])),
    "Addition": (ADDITION_FIELDS, AdditionWire, addition_record(WORLD, WORLD.additions[88431])),
    "CatalogItem": (CATALOG_FIELDS, CatalogItemWire, catalog_record(WORLD.catalog[560])),
}
KINDS: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def load(name: str) -> Any:
    path = SPECS / name
    if not path.exists():
        pytest.skip(f"the vendor's description {name} is not beside this checkout")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    found: dict[str, Any] = load("connectwise-psa-2026.4-GET-subset.json")["components"]["schemas"]
    return found


@pytest.mark.parametrize("name", ASKED)
def test_every_field_that_is_asked_for_is_published_and_every_field_read_is_asked_for(
    schemas: dict[str, Any], name: str
) -> None:
    fields, wire, _record = ASKED[name]
    asked = set(fields.split(","))
    assert asked <= set(schemas[name]["properties"])
    assert {field.alias or key for key, field in wire.model_fields.items()} <= asked


@pytest.mark.parametrize("name", ASKED)
def test_records_as_published_are_read(schemas: dict[str, Any], name: str) -> None:
    """The simulator's record has the published types in all fields that are read, and is read without loss of an id."""
    _fields, wire, record = ASKED[name]
    properties = schemas[name]["properties"]
    for key in (field.alias or key for key, field in wire.model_fields.items()):
        value, kind = record.get(key), properties[key].get("type", "object")
        assert value is None or isinstance(value, KINDS[kind]), f"{name}.{key} is published as {kind}"
    exact = json.loads(json.dumps(record), parse_float=Decimal)
    assert parse(wire, exact, source=name).id == record["id"]


def test_the_published_states_and_ways_of_billing_are_the_known_ones(schemas: dict[str, Any]) -> None:
    states = schemas["Agreement"]["properties"]["agreementStatus"]["enum"]
    assert {state.lower() for state in states} == {state.value for state in AgreementState} - {"unknown"}
    assert set(schemas["Addition"]["properties"]["billCustomer"]["enum"]) == {"Billable", "DoNotBill", "NoCharge"}


def test_every_call_is_published() -> None:
    operations = {(one["method"], one["path"]) for one in load("connectwise-psa-2025-endpoint-slice.json")}
    line = "/finance/agreements/{parentId}/additions/{id}"
    reads = ("/company/companies", "/finance/agreements", "/procurement/catalog")
    needed = {("GET", path) for path in reads} | {("GET", f"{path}/count") for path in reads}
    needed |= {("GET", "/finance/agreements/{id}"), ("GET", line), ("PATCH", line)}
    needed |= {(method, "/finance/agreements/{parentId}/additions") for method in ("GET", "POST")}
    needed |= {("GET", f"{path}/{{id}}") for path in ("/company/companies", "/procurement/catalog")}
    needed |= {(method, "/system/callbacks") for method in ("GET", "POST")}
    needed |= {(method, "/system/callbacks/{id}") for method in ("PATCH", "DELETE")}
    assert needed <= operations


def test_every_field_of_a_new_line_is_published(schemas: dict[str, Any]) -> None:
    sent = {"product", "quantity", "effectiveDate", "billCustomer", *COPIED_FIELDS}
    assert sent <= set(schemas["Addition"]["properties"])
    assert set(schemas["Addition"]["required"]) <= sent
    assert not sent & {"id", "agreementId", "extPrice", "billedQuantity", "proratePrice", "margin", "_info"}


def test_a_line_that_was_made_is_answered_as_published(schemas: dict[str, Any]) -> None:
    properties = schemas["Addition"]["properties"]
    with connected(SCENE) as site:
        order = NewLine(HARBOR.id, MANAGED.id, EMAIL.id, EMAIL.code, 7)
        site.simulator.world.edit_addition(88431, cancelled_date="2026-01-01T00:00:00Z")
        assert site.psa.create_line(order).outcome is WriteOutcome.APPLIED
        record = addition_record(site.simulator.world, site.simulator.world.additions[88432])
    assert set(record) <= set(properties)
    for key, value in record.items():
        kinds = KINDS[properties[key].get("type", "object")]
        assert value is None or isinstance(value, kinds), f"Addition.{key} is published as {kinds}"
