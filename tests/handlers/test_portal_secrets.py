"""No secret leaves by a reply or a log, and no name of an account becomes a formula in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from local.front_door.functions import FunctionFailed
from local.simulators import credentials
from tests.handlers.event_checks import CASES
from tests.handlers.stage import CONNECTWISE_FIELDS, MIMECAST_FIELDS, Stage
from tests.handlers.test_events import EVENTS, load
from trueup.adapters.clock import SystemClock
from trueup.api.spreadsheets import FORMULA_LEADS

# A function that fails has nothing to measure, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

CANARIES = {
    "client secret": MIMECAST_FIELDS["client_secret"],
    "client id": MIMECAST_FIELDS["client_id"],
    "private key": CONNECTWISE_FIELDS["private_key"],
    "public key": CONNECTWISE_FIELDS["public_key"],
    "integration client id": CONNECTWISE_FIELDS["client_id"],
    "passphrase": credentials.PASSPHRASE_CANARY,
    "support code": credentials.SUPPORT_CODE_CANARY,
}
"""What must never be seen: credentials that we hold, and what the vendor's get-account gives away unasked."""


def found_in(text: str) -> list[str]:
    basic = credentials.connectwise_headers()["Authorization"].removeprefix("Basic ")
    return [name for name, canary in {**CANARIES, "basic authorization": basic}.items() if canary in text]


@pytest.mark.fault("S10")
def test_S10_a_connection_never_shows_its_secret(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("connected")
    for path in ("/v1/integrations", "/v1/integrations/mimecast", "/v1/integrations/connectwise"):
        reply = stage.http("GET", path)
        assert reply.status == 200
        assert found_in(reply.text) == []
    shown = stage.ok("GET", "/v1/integrations/mimecast")
    assert shown["identifier_tail"] == MIMECAST_FIELDS["client_id"][-4:]
    again = stage.http("PUT", "/v1/integrations/mimecast", {"address": stage.mimecast.url, "fields": MIMECAST_FIELDS})
    assert found_in(again.text) == []


def in_passing(name: str) -> Callable[[Stage], dict[str, str]]:
    """What comes before that event, where this point of the month allows it; made-up ids are asked for as well."""

    def prepare(stage: Stage) -> dict[str, str]:
        try:
            return CASES[name].prepare(stage)
        except AssertionError:
            return {}

    return prepare


@pytest.mark.fault("S9")
def test_S9_planted_secrets_are_in_no_reply_and_no_log(
    stage_at: Callable[[str], Stage],
    printed: Callable[[], str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every event, then every event again with vendors that answer with errors which repeat what they were sent."""
    monkeypatch.setattr(SystemClock, "sleep", lambda self, seconds: None)
    caplog.set_level(logging.DEBUG)
    stage = stage_at("approved")
    replies = []
    events: dict[str, Any] = {}
    for is_broken in (False, True):
        if is_broken:
            echo = json.dumps({"fail": [{"errors": [{"message": " ".join(CANARIES.values())}]}]})
            for simulator in (stage.mimecast, stage.connectwise):
                simulator.faults.add("raw", times=0, status=500, content_type="application/json", body=echo)
        for name in sorted(CASES):
            if name.startswith("monthly_run") or name == "portal_integration_delete":
                continue
            if name not in events:
                events[name] = load(name, stage, replace(CASES[name], account="unmapped", prepare=in_passing(name)))
            event = events[name]
            if name.startswith("portal_"):
                reply = stage.answered(event)
                replies.append(reply.text + json.dumps(dict(reply.headers)))
            else:
                capability = next(word for word in stage.capabilities if name.startswith(f"{word}_"))
                try:
                    replies.append(json.dumps(stage.call(capability, event)))
                except FunctionFailed as failed:
                    replies.append(json.dumps(failed.document))
    output = printed()
    assert len(replies) > 60
    assert found_in("".join(replies)) == []
    assert found_in(output) == []
    assert found_in(caplog.text) == []
    assert len(output) > 10_000, "next to nothing was logged, so nothing was tested"
    assert len(caplog.messages) > 100


def test_a_canary_would_be_found() -> None:
    assert found_in(f"x {credentials.PASSPHRASE_CANARY} y") == ["passphrase"]


def test_what_is_stored_holds_no_secret(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("approved")
    stored = json.dumps(stage.everything_stored(), ensure_ascii=False)
    assert next(iter(stage.world.accounts.values())).name in stored, "the content was not read"
    assert found_in(stored) == []


HOSTILE = (
    '=HYPERLINK("http://evil.example","x")',
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
    ' "=1+1"',
    "'=1+1",
)


@pytest.mark.fault("S6")
def test_S6_a_name_never_becomes_a_formula(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("begun")
    codes = list(stage.world.accounts)[: len(HOSTILE)]
    for code, name in zip(codes, HOSTILE, strict=True):
        stage.world.rename("vendor", code, name)
    stage.read()
    stage.match_and_map()
    stage.call("reconciliation", {"run_id": stage.facts["run_id"], "actor": "pat@msp.example"})
    exported = stage.http("GET", "/v1/exports/mappings.csv").text
    names = {row["vendor_account_id"]: row["vendor_account_name"] for row in csv.DictReader(io.StringIO(exported))}
    for code in codes:
        assert names[code].startswith("'"), names[code]
    for path in ("mappings.csv", "reconciliation.csv"):
        text = stage.http("GET", f"/v1/exports/{path}").text
        for row in csv.DictReader(io.StringIO(text, newline="")):
            cells = {column: cell for column, cell in row.items() if column != "monthly_money"}
            assert not [cell for cell in cells.values() if cell.lstrip(' "').startswith(FORMULA_LEADS)], row


def test_an_export_can_be_imported_again(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("mapped")
    exported = stage.http("GET", "/v1/exports/mappings.csv").text
    before = [(entry.vendor_id, entry.state, entry.psa_id) for entry in stage.state.accounts.all()]
    headers = {"content-type": "text/csv"}
    reply = stage.http("POST", "/v1/account-mappings/import", raw=exported.encode(), headers=headers)
    assert reply.status == 200, reply.text
    assert reply.json["changed"] == 0
    assert [(entry.vendor_id, entry.state, entry.psa_id) for entry in stage.state.accounts.all()] == before


def test_the_event_files_hold_no_real_secret() -> None:
    for path in EVENTS.glob("*.json"):
        assert found_in(path.read_text(encoding="utf-8")) == [], path.name
