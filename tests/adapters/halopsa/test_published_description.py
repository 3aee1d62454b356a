"""What the adapter reads and asks for is in HaloPSA's published description, where that lies beside the project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import BaseModel

from tests.adapters.halopsa.connected import AWARENESS, HARBOR, MANAGED, REFERENCE, SCENE, connected, read_all
from tests.contracts.psa_subjects import Scene
from trueup.adapters.halopsa import callbacks
from trueup.adapters.halopsa.wire import AgentWire, ChangeWire, ClientWire, InvoiceWire, ItemWire, LineWire, ProRataWire
from trueup.domain.billing import NewLine
from trueup.domain.counts import Seats

DESCRIPTION = Path(__file__).resolve().parents[4] / "shared" / "specs" / "halopsa-swagger-v2-2024-09.json"
pytestmark = pytest.mark.skipif(
    not DESCRIPTION.exists(), reason="the published HaloPSA description is not beside the project"
)


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DESCRIPTION.read_text())
    return found


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        (AgentWire, "Uname"),
        (ChangeWire, "InvoiceChange"),
        (ClientWire, "Area"),
        (InvoiceWire, "InvoiceHeader"),
        (ItemWire, "Item"),
        (LineWire, "InvoiceDetail"),
        (ProRataWire, "InvoiceDetailProRata"),
        (callbacks._WebhookWire, "Webhook"),
    ],
)
def test_every_field_that_is_read_is_published(
    description: dict[str, Any], model: type[BaseModel], schema: str
) -> None:
    read = {field.alias or name for name, field in model.model_fields.items()}
    assert read <= set(description["components"]["schemas"][schema]["properties"])


def test_every_call_is_a_published_one_with_published_parameters(description: dict[str, Any]) -> None:
    only_email = Scene(SCENE.accounts, SCENE.agreements, SCENE.lines[:1], SCENE.products)
    with connected(only_email) as site:
        site.psa.check()
        read_all(site.psa)
        site.psa.read_account(HARBOR.id)
        site.psa.search_products("560")
        line = site.psa.read_line(REFERENCE).line
        site.psa.set_quantity(REFERENCE, expected=line.quantity, expected_version="", target=Seats(15))
        site.psa.create_line(NewLine(HARBOR.id, MANAGED.id, AWARENESS.id, AWARENESS.code, 2))
        entries = [entry for entry in site.simulator.requests.entries if entry.path.startswith("/api/")]
    paths = {path.casefold(): operations for path, operations in description["paths"].items()}
    assert len(entries) > 15
    for entry in entries:
        path = entry.path.removeprefix("/api").casefold()
        head, _, last = path.rpartition("/")
        operation = paths[f"{head}/{{id}}" if last.isdecimal() else path][entry.method.lower()]
        known = {parameter["name"] for parameter in operation.get("parameters", [])}
        assert {name for name, _ in parse_qsl(entry.query)} <= known, entry.path


def test_what_is_posted_is_as_published(description: dict[str, Any]) -> None:
    with connected() as site:
        site.psa.set_quantity(REFERENCE, expected=SCENE.lines[0].quantity, expected_version="", target=Seats(15))
        (document,) = json.loads(site.simulator.world.writes[0].body)
    schemas = description["components"]["schemas"]
    assert set(document) <= set(schemas["InvoiceHeader"]["properties"])
    for line in document["lines"]:
        assert set(line) <= set(schemas["InvoiceDetail"]["properties"])
