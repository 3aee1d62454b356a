"""Exported files over the API: looked at, confirmed, kept, listed, forgotten; and the PSA changed for them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.handlers.stage import CONNECTWISE_FIELDS, PREPARER, Reply, Stage, require_problem

LINES = "Company Name,Product ID,Quantity\nBäckerei,MIME-EMAIL-S1,5\n"


def put(stage: Stage, kind: str, content: bytes, query: str = "", **options: Any) -> Reply:
    headers = {"content-type": "application/octet-stream"}
    return stage.http(
        "PUT", f"/v1/files/{kind}{query}", raw=content, headers=headers, role="preparer", person=PREPARER, **options
    )


def test_a_file_is_looked_at_confirmed_and_remembered(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("connected")
    look = stage.ok("POST", "/v1/files/lines/preview", raw=LINES.encode("cp1252"))
    assert look["columns"] == {"client_name": "Company Name", "product_code": "Product ID", "quantity": "Quantity"}
    assert (look["encoding"], look["separator"], look["header_line"], look["missing"]) == ("cp1252", "comma", 1, [])
    document = require_problem(put(stage, "lines", LINES.encode("cp1252")), 409, "conflict")
    assert "confirm=true" in document["remedy"]
    kept = put(stage, "lines", LINES.encode("cp1252"), "?confirm=true")
    assert kept.status == 200, kept.text
    assert (kept.json["rows"], kept.json["kept"], kept.json["uploaded_by"]) == (1, True, PREPARER)
    assert put(stage, "lines", LINES.replace("5", "6").encode("utf-16")).status == 200
    listed = {item["kind"]: item for item in stage.ok("GET", "/v1/files", role="viewer")["items"]}
    assert {kind for kind, item in listed.items() if item["kept"]} == {"lines"}
    assert stage.ok("DELETE", "/v1/files/lines", role="preparer")["kept"] is False
    acts = [event.audit.action for event in stage.state.history.all()][-3:]
    assert acts == ["file of lines kept", "file of lines kept", "file of lines forgotten"]


def test_columns_are_chosen_by_name(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("connected")
    columns = quote(json.dumps({"account_id": "Tenant", "seats": "Anzahl"}))
    reply = put(stage, "counts", b"Tenant,Anzahl\nA1,5\n", f"?confirm=true&columns={columns}")
    assert reply.status == 200, reply.text
    for bad in ("[]", "x", '{"seats": 1}'):
        require_problem(put(stage, "counts", b"a,b\n", f"?columns={quote(bad)}"), 400, "input_invalid")


def test_every_bad_row_is_told_and_nothing_is_kept(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("connected")
    reply = put(stage, "lines", b"Client,Product,Quantity\nA,M,x\nB,M,5\nC,,5\n", "?confirm=true")
    detail = require_problem(reply, 400, "input_invalid")["detail"]
    assert "line 2: column 'Quantity'" in detail
    assert "line 4: column 'Product' is empty" in detail
    assert stage.state.uploads.get("lines file") is None


@pytest.mark.parametrize("kind", ["unknown", "Accounts", "%20"])
def test_another_kind_is_refused(untouched: Stage, kind: str) -> None:
    assert put(untouched, kind, b"a,b\n").status in {400, 404}


def test_files_connect_with_no_credential_and_the_secret_store_is_left_alone(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("empty")
    body = {"address": "files:psa", "fields": {}}
    require_problem(stage.http("PUT", "/v1/integrations/psa_files", body), 409, "configuration_invalid")
    put(stage, "lines", LINES.encode(), "?confirm=true")
    connected = stage.ok("PUT", "/v1/integrations/psa_files", body)
    assert (connected["state"], connected["identifier_tail"]) == ("pending", None)
    assert list(stage.vault.glob("*.json")) == []
    products = stage.ok("GET", "/v1/products?search=MIME")["items"]
    assert [item["product_code"] for item in products] == ["MIME-EMAIL-S1"]
    assert stage.ok("POST", "/v1/integrations/psa_files/authenticate")["cause"] is None
    assert stage.ok("DELETE", "/v1/integrations/psa_files")["state"] == "not_connected"


def test_a_psa_is_changed_by_a_word_and_what_was_mapped_is_downloaded(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    put(stage, "lines", LINES.encode(), "?confirm=true")
    body: dict[str, Any] = {"address": "files:psa", "fields": {}}
    document = require_problem(stage.http("PUT", "/v1/integrations/psa_files", body), 409, "conflict")
    assert '"switch": true' in document["remedy"]
    changed = stage.ok("PUT", "/v1/integrations/psa_files", {**body, "switch": True})
    told = changed["to_be_matched_again"]
    assert (told["psa"], told["services"]) == ("connectwise", 2)
    assert told["accounts"] > 30
    assert stage.ok("GET", "/v1/kept-mappings", role="viewer")["items"] == [told]
    reply = stage.http("GET", f"/v1/kept-mappings/{told['id']}/accounts", role="viewer")
    assert reply.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(reply.text, newline="")))
    assert sum(row["mapping"] == "mapped" for row in rows) == told["accounts"]
    assert stage.http("GET", f"/v1/kept-mappings/{told['id']}/services").status == 200
    assert stage.http("GET", "/v1/kept-mappings/none/accounts").status == 404
    back = {"address": stage.connectwise.url, "fields": CONNECTWISE_FIELDS, "switch": True}
    assert stage.ok("PUT", "/v1/integrations/connectwise", back)["to_be_matched_again"] is None
