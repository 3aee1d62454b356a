"""What the adapter asks for and expects, against the vendor's published description where it is at hand."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local.simulators.connectwise_records import addition_record, agreement_record, catalog_record, company_record
from tests.adapters.connectwise.connected import SCENE
from tests.contracts.psa_subject_connectwise import world_of
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
from trueup.domain.billing import AgreementState

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
    needed |= {("GET", "/finance/agreements/{parentId}/additions")}
    assert needed <= operations
