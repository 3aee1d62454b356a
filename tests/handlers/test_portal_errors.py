"""Every route answers bad input with a problem document that says what to do, and changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.handlers.stage import PREPARER, Stage, require_problem
from tests.served_routes import routes_of_people
from trueup import bootstrap
from trueup.api.portal import SECURITY_HEADERS
from trueup.domain.errors import StateUnavailable
from trueup.domain.plan import PlanState
from trueup.settings import settings

ROUTES = routes_of_people()

BODIES: dict[str, Any] = {
    "PUT /v1/integrations/{name}": {"address": "https://api.services.mimecast.com", "fields": {}},
    "POST /v1/account-mappings": {"decisions": [{"vendor_account_id": "x", "psa_account_id": "1"}]},
    "PUT /v1/account-mappings/{vendor_account_id}": {"psa_account_id": "1"},
    "POST /v1/account-mappings/{vendor_account_id}/notes": {"text": "asked by phone"},
    "PUT /v1/service-mappings/{service_id}": {"product_id": "1"},
    "POST /v1/license-mappings": {"decisions": [{"vendor_account_id": "x", "psa_account_id": "1"}]},
    "PUT /v1/license-mappings/{tenant_id}": {"psa_account_id": "1"},
    "PUT /v1/counting-policies/{scope}": {"minimum_seats": 5, "reason": "because"},
    "PUT /v1/notice-channels/{channel}": {"kinds": ["run_missed"]},
    "POST /v1/plans": {"run_id": "2026-11-001"},
    "POST /v1/plans/{plan_id}/changes/{change_id}/release": {"reason": "because"},
    "POST /v1/plans/{plan_id}/approve": {"checksum": "0" * 64},
    "POST /v1/plans/{plan_id}/apply": {"checksum": "0" * 64},
    "POST /v1/plans/{plan_id}/lines": {"row_id": "0123456789abcdef", "agreement_id": "1"},
    "POST /v1/plans/{plan_id}/undo": {"reason": "because"},
    "POST /v1/months/{period}/reopen": {"reason": "because"},
    "PUT /v1/line-divisions/{psa_account_id}/{product_id}": {
        "fixed": [{"line_id": "1", "seats": 2}],
        "balance": "2",
        "reason": "because",
    },
    "POST /v1/api-keys": {"name": "Rule", "scopes": ["counts:read"]},
    "POST /v1/portal-users": {"name": "Dana Ops", "address": "dana.ops@simmsp.example"},
    "POST /v1/portal-users/{address}/tick": {"item": "two_factor", "done": True},
}
"""A good body of every route that takes one."""

WITH_BODY = sorted(BODIES)
LISTS_WITH_CURSOR = ("/v1/account-mappings", "/v1/reconciliation", "/v1/history")


NAMED = {"name": "mimecast", "kind": "lines", "what": "accounts", "channel": "ticket"}
"""Parts of a path that must be one of a few words; every other part is an id."""


def path_of(pattern: str, value: str = "unknown") -> str:
    return re.sub(r"\{(\w+)\}", lambda found: NAMED.get(found[1], value), pattern)


def fingerprint(stage: Stage) -> tuple[Any, ...]:
    """Everything a request could have changed."""
    state = stage.state
    return (
        tuple(event.hash for event in state.history.all()),
        tuple(state.accounts.all()),
        state.services.all(),
        state.integrations.all(),
        state.runs.latest(),
        state.plan_index.latest(),
        len(stage.lambda_service.calls),
        len(stage.world.writes),
    )


@pytest.fixture
def stage(stage_at: Callable[[str], Stage]) -> Stage:
    return stage_at("proposed")


def test_a_body_that_is_not_json_is_refused_by_every_route_that_takes_one(untouched: Stage) -> None:
    before = fingerprint(untouched)
    for key in WITH_BODY:
        method, pattern = key.split(" ")
        for raw in (b"{", b"", b"[]", b"null", b'"text"', b"\xff\xfe"):
            reply = untouched.http(method, path_of(pattern), raw=raw)
            require_problem(reply, 400, "input_invalid")
    assert fingerprint(untouched) == before


@pytest.mark.fault("S11")
def test_S11_members_that_are_not_asked_for_are_refused_by_every_route(untouched: Stage) -> None:
    before = fingerprint(untouched)
    for key in WITH_BODY:
        method, pattern = key.split(" ")
        for extra in ("tenant", "role", "version_", "approved_by", "state"):
            reply = untouched.http(method, path_of(pattern), {**BODIES[key], extra: "admin"})
            assert extra in require_problem(reply, 400, "input_invalid")["detail"]
    decision = {"vendor_account_id": "x", "psa_account_id": "1", "state": "mapped"}
    require_problem(untouched.http("POST", "/v1/account-mappings", {"decisions": [decision]}), 400, "input_invalid")
    assert fingerprint(untouched) == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/account-mappings/unknown", None),
        ("PUT", "/v1/account-mappings/unknown", {"exclude_reason": "gone"}),
        ("DELETE", "/v1/account-mappings/unknown", None),
        ("POST", "/v1/account-mappings/unknown/notes", {"text": "asked by phone"}),
        ("PUT", "/v1/service-mappings/unknown", {"exclude_reason": "gone"}),
        ("GET", "/v1/runs/2026-11-999", None),
        ("POST", "/v1/plans", {"run_id": "2026-11-999"}),
        ("GET", "/v1/plans/unknown", None),
        ("POST", "/v1/plans/unknown/changes/chg-1/release", {"reason": "because"}),
        ("POST", "/v1/plans/unknown/approve", {"checksum": "0" * 64}),
        ("POST", "/v1/plans/unknown/apply", {"checksum": "0" * 64}),
        ("DELETE", "/v1/portal-users/nobody@msp.example", None),
        ("POST", "/v1/portal-users/nobody@msp.example/tick", {"item": "sso"}),
        ("POST", "/v1/portal-users/nobody@msp.example/invite", None),
        ("GET", "/v1/reconciliation?period=2019-01", None),
        ("GET", "/v1/exports/reconciliation.csv?period=2019-01", None),
    ],
)
def test_an_id_that_is_not_there_is_not_found(untouched: Stage, method: str, path: str, body: Any) -> None:
    before = fingerprint(untouched)
    require_problem(untouched.http(method, path, body), 404, "not_found")
    assert fingerprint(untouched) == before


@pytest.mark.parametrize(
    ("method", "path", "body", "word"),
    [
        ("GET", "/v1/integrations/salesforce", None, "name"),
        ("POST", "/v1/integrations/salesforce/finish", None, "name"),
        ("GET", "/v1/account-mappings?mapping=maybe", None, "mapping"),
        ("GET", "/v1/account-mappings?limit=0", None, "limit"),
        ("GET", "/v1/account-mappings?limit=100000", None, "limit"),
        ("GET", "/v1/account-mappings?limit=ten", None, "limit"),
        ("GET", "/v1/products", None, "search"),
        ("GET", "/v1/products?search=", None, "search"),
        ("GET", f"/v1/products?search={'x' * 101}", None, "search"),
        ("GET", "/v1/reconciliation?period=November", None, "period"),
        ("GET", "/v1/reconciliation?period=2026-13", None, "period"),
        ("GET", "/v1/reconciliation?verdict=good", None, "verdict"),
        ("GET", "/v1/exports/everything.zip", None, "export"),
        ("PUT", "/v1/account-mappings/x", {"psa_account_id": "1", "exclude_reason": "both"}, "either"),
        ("PUT", "/v1/account-mappings/x", {}, "either"),
        ("PUT", "/v1/account-mappings/x", {"psa_account_id": ""}, "psa_account_id"),
        ("PUT", "/v1/account-mappings/x", {"exclude_reason": "   "}, "exclude_reason"),
        ("PUT", "/v1/account-mappings/x", {"exclude_reason": "x" * 501}, "exclude_reason"),
        ("PUT", "/v1/account-mappings/x", {"psa_account_id": 17}, "psa_account_id"),
        ("POST", "/v1/account-mappings", {"decisions": []}, "decisions"),
        ("POST", "/v1/plans/p/approve", {"checksum": "ABC"}, "checksum"),
        ("POST", "/v1/plans/p/approve", {"checksum": None}, "checksum"),
        ("PUT", "/v1/integrations/mimecast", {"address": "https://x.example", "fields": {"client_id": "a"}}, "ecret"),
        ("PUT", "/v1/integrations/mimecast", {"address": "", "fields": {}}, "address"),
    ],
)
def test_a_value_that_cannot_be_is_named(untouched: Stage, method: str, path: str, body: Any, word: str) -> None:
    before = fingerprint(untouched)
    assert word in require_problem(untouched.http(method, path, body), 400, "input_invalid")["detail"]
    assert fingerprint(untouched) == before


@pytest.mark.parametrize("address", ["http://api.services.mimecast.com", "https://evil.example", "file:///etc/passwd"])
def test_an_address_that_may_not_be_called_is_refused_before_anything_is_sent(untouched: Stage, address: str) -> None:
    seen = untouched.mimecast.requests.total
    body = {"address": address, "fields": {"client_id": "a", "client_secret": "b"}}
    require_problem(untouched.http("PUT", "/v1/integrations/mimecast", body), 400, "unsafe_address")
    assert untouched.mimecast.requests.total == seen


@pytest.mark.fault("S14")
def test_S14_another_address_without_the_secret_is_refused(untouched: Stage) -> None:
    kept = untouched.ok("GET", "/v1/integrations/mimecast")
    for fields in ({}, {"client_id": "only the id"}, {"client_id": "a", "client_secret": ""}):
        body = {"address": untouched.connectwise.url, "fields": fields}
        require_problem(untouched.http("PUT", "/v1/integrations/mimecast", body), 400, "input_invalid")
    assert untouched.ok("GET", "/v1/integrations/mimecast") == kept


def test_a_credential_that_does_not_work_is_not_stored(untouched: Stage) -> None:
    before, kept = fingerprint(untouched), (untouched.vault / "mimecast.json").read_bytes()
    body = {"address": untouched.mimecast.url, "fields": {"client_id": "wrong", "client_secret": "wrong"}}
    require_problem(untouched.http("PUT", "/v1/integrations/mimecast", body), 422, "credential_rejected")
    assert fingerprint(untouched) == before
    assert (untouched.vault / "mimecast.json").read_bytes() == kept


def test_a_cursor_works_for_its_own_list_only(untouched: Stage) -> None:
    cursors = {}
    for path in LISTS_WITH_CURSOR:
        page = untouched.ok("GET", f"{path}?limit=2")
        cursors[path] = page["next_cursor"]
        following = untouched.ok("GET", f"{path}?limit=2&cursor={page['next_cursor']}")
        assert following["items"]
        assert following["items"] != page["items"]
    for path in LISTS_WITH_CURSOR:
        others = [cursor for other, cursor in cursors.items() if other != path]
        for bad in (*others, "x", "AAAA", cursors[path][:-2], cursors[path] + "A", "%00", "é"):
            document = require_problem(untouched.http("GET", f"{path}?cursor={bad}"), 400, "input_invalid")
            assert "cursor" in document["detail"]
    filtered = untouched.ok("GET", "/v1/account-mappings?mapping=mapped&limit=2")["next_cursor"]
    for path in ("/v1/account-mappings", "/v1/license-mappings?mapping=mapped"):
        mark = "&" if "?" in path else "?"
        require_problem(untouched.http("GET", f"{path}{mark}cursor={filtered}"), 400, "input_invalid")


@pytest.mark.fault("S4")
def test_S4_a_cursor_of_another_tenant_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = stage.ok("GET", "/v1/history?limit=1")["next_cursor"]
    monkeypatch.setenv("TRUEUP_CURSOR_KEY", "another stack")
    settings.cache_clear()
    require_problem(stage.http("GET", f"/v1/history?cursor={cursor}"), 400, "input_invalid")


def test_pages_hold_every_item_once(untouched: Stage) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = untouched.ok("GET", f"/v1/account-mappings?limit=7{cursor}")
        seen += [item["vendor_account_id"] for item in page["items"]]
        assert len(page["items"]) <= 7
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == sorted(untouched.world.accounts)


@pytest.mark.fault("S12")
def test_S12_a_body_over_the_limit_is_refused_before_it_is_read(untouched: Stage) -> None:
    before = fingerprint(untouched)
    reply = untouched.http("POST", "/v1/account-mappings/import", raw=b"x" * (5 * 1024 * 1024 + 1))
    require_problem(reply, 413, "body_too_large")
    many = [{"vendor_account_id": str(number), "psa_account_id": "1"} for number in range(5001)]
    require_problem(untouched.http("POST", "/v1/account-mappings", {"decisions": many}), 400, "input_invalid")
    assert fingerprint(untouched) == before


def test_a_route_that_is_not_there_is_said_to_be_so(untouched: Stage) -> None:
    event = untouched.event("GET", "/v1/runs")
    event["rawPath"] = event["requestContext"]["http"]["path"] = "/v1/nothing"
    assert "/v1/nothing" in require_problem(untouched.answered(event), 404, "not_found")["detail"]
    event = untouched.event("DELETE", "/v1/integrations/mimecast")
    event["rawPath"] = event["requestContext"]["http"]["path"] = "/v1/runs"
    require_problem(untouched.answered(event), 404, "not_found")


def test_a_bad_line_of_an_import_leaves_everything_as_it_was(untouched: Stage) -> None:
    entry = next(iter(untouched.state.accounts.all()))
    before = fingerprint(untouched)
    files = {
        b"": "no column",
        b"vendor_account_id\n1\n": "no column psa_account_id",
        b"vendor_account_id,psa_account_id\n": "no decision",
        f"vendor_account_id,psa_account_id\n{entry.vendor_id},250\nNOBODY,250\n".encode(): "line 3",
        f"vendor_account_id,psa_account_id\n{entry.vendor_id},999999\n".encode(): "line 2",
        f"vendor_account_id,psa_account_id\n{entry.vendor_id},250,more\n".encode(): "line 2",
        f"vendor_account_id,psa_account_id\n{entry.vendor_id},\n".encode(): "line 2",
    }
    for content, words in files.items():
        reply = untouched.http("POST", "/v1/account-mappings/import", raw=content, headers={"content-type": "text/csv"})
        assert words in require_problem(reply, 400, "input_invalid")["detail"]
    assert fingerprint(untouched) == before


def test_plans_refuse_what_their_state_does_not_allow(stage: Stage) -> None:
    plan_id, checksum = stage.facts["plan_id"], stage.facts["checksum"]
    base = f"/v1/plans/{plan_id}"
    before = fingerprint(stage)
    require_problem(stage.http("POST", f"{base}/apply", {"checksum": checksum}), 409, "plan_not_ready")
    require_problem(stage.http("POST", f"{base}/approve", {"checksum": "0" * 64}), 409, "checksum_mismatch")
    require_problem(stage.http("POST", f"{base}/changes/nothing/release", {"reason": "x"}), 404, "not_found")
    free = next(change["id"] for change in stage.plan()["changes"] if not change["guard"])
    require_problem(stage.http("POST", f"{base}/changes/{free}/release", {"reason": "x"}), 409, "conflict")
    refused = stage.http("POST", f"{base}/approve", {"checksum": checksum}, role="approver", person=PREPARER)
    require_problem(refused, 403, "not_allowed")
    assert fingerprint(stage) == before
    stage.approve()
    held = stage.facts["held_change_id"]
    reply = stage.http("POST", f"{base}/changes/{held}/release", {"reason": "x"})
    require_problem(reply, 409, "plan_not_ready")
    assert stage.state.plans.get(plan_id).state is PlanState.APPROVED


def test_a_plan_whose_run_cannot_be_told_yet_is_not_applied_beside_it(stage_at: Callable[[str], Stage]) -> None:
    """Between proposing and waiting a run has no ear: applied beside it, it would wait for what has happened."""
    stage = stage_at("mapped")
    order = {"run_id": stage.facts["run_id"], "actor": PREPARER}
    found = stage.call("reconciliation", order)
    path, body = f"/v1/plans/{found['plan_id']}", {"checksum": found["checksum"]}
    stage.ok("POST", f"{path}/approve", body)
    document = require_problem(stage.http("POST", f"{path}/apply", body), 409, "plan_not_ready")
    assert "moment" in document["remedy"]
    assert stage.lambda_service.calls == []


def test_a_decision_on_what_somebody_else_has_changed_meanwhile_is_refused(stage: Stage) -> None:
    entry = stage.ok("GET", "/v1/account-mappings?limit=1")["items"][0]
    path = f"/v1/account-mappings/{entry['vendor_account_id']}"
    stage.ok("PUT", path, {"exclude_reason": "first", "version": entry["version"]})
    reply = stage.http("PUT", path, {"exclude_reason": "second", "version": entry["version"]})
    require_problem(reply, 409, "version_conflict")
    assert stage.ok("GET", path)["decision"]["reason"] == "first"


def test_finishing_too_early_says_what_is_missing(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("connected")
    document = require_problem(stage.http("POST", "/v1/integrations/mimecast/finish"), 409, "conflict")
    assert "at least one account must be mapped" in document["detail"]
    assert stage.lambda_service.calls == []


def test_what_needs_a_connection_says_so(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("empty")
    for method, path in (
        ("GET", "/v1/products?search=x"),
        ("POST", "/v1/integrations/mimecast/authenticate"),
        ("DELETE", "/v1/integrations/connectwise"),
    ):
        require_problem(stage.http(method, path), 409, "not_connected")


def test_trouble_in_the_store_is_ours_and_says_nothing_of_its_inside(
    untouched: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def latest(self, limit: int = 20) -> Any:
            raise StateUnavailable("the table did not answer in time")

    class Surprising:
        def latest(self, limit: int = 20) -> Any:
            raise RuntimeError("secret inner detail")

    state = untouched.state
    monkeypatch.setattr(bootstrap, "state", lambda: replace(state, runs=Broken()))
    require_problem(untouched.http("GET", "/v1/runs"), 503, "state_unavailable")
    monkeypatch.setattr(bootstrap, "state", lambda: replace(state, runs=Surprising()))
    assert "inner" not in json.dumps(require_problem(untouched.http("GET", "/v1/runs"), 500, "internal_error"))


def test_a_vendor_that_is_busy_is_said_to_be_so(stage: Stage) -> None:
    stage.connectwise.faults.add("rate_limited", path="*catalog*", times=0, retry_after="600")
    reply = stage.http("GET", "/v1/products?search=MIME")
    require_problem(reply, 503, "rate_limited")
    assert 500 <= int(reply.headers["retry-after"]) <= 900


def test_every_reply_carries_the_security_headers(untouched: Stage) -> None:
    replies = [
        untouched.http("GET", "/v1/health"),
        untouched.http("GET", "/v1/runs"),
        untouched.http("GET", "/v1/runs/none"),
        untouched.http("GET", "/v1/runs", role=None),
        untouched.http("GET", "/v1/exports/mappings.csv"),
        untouched.http("POST", "/v1/plans", raw=b"{"),
        untouched.http("POST", "/v1/account-mappings/import", raw=b"x" * (5 * 1024 * 1024 + 1)),
    ]
    for reply in replies:
        assert {name: reply.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert reply.headers["x-request-id"]
