"""Machines with a key, over HTTP as they come: who is let in, to what, how often, and what the history calls them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from local.embedded_store import store_client
from local.front_door.authorizing import Authorizing
from local.front_door.server import FrontDoor, LocalServer
from local.template import local_deployment
from tests.handlers.event_checks import a_client
from tests.handlers.stage import ADMIN, Stage, Theater, require_problem, unhurried_vendors
from tests.handlers.test_portal_errors import BODIES as PEOPLES_BODIES
from tests.handlers.test_portal_errors import path_of
from tests.served_routes import routes_of_machines, routes_of_people
from trueup import bootstrap
from trueup.adapters.dynamodb.state import open_state
from trueup.domain.api_keys import KeyScope
from trueup.settings import settings
from trueup.usecases.api_keys import create_key

SCOPES = {
    ("POST", "/v1/psa/runs"): "runs:start",
    ("GET", "/v1/psa/clients/{psa_account_id}"): "counts:read",
    ("GET", "/v1/psa/plan"): "plan:read",
    ("POST", "/v1/psa/plan/approve"): "plan:approve",
}
BODIES: dict[str, Any] = {"/v1/psa/plan/approve": {"checksum": "0" * 64}}
EVERY_ROUTE = sorted(SCOPES)


@dataclass(frozen=True, slots=True)
class Gateway:
    """The API of a stage as a machine meets it."""

    stage: Stage
    url: str

    def ask(
        self, method: str, path: str, key: str | None = None, body: Any = None, **headers: str
    ) -> requests.Response:
        sent = {"content-type": "application/json", **headers} | ({} if key is None else {"x-api-key": key})
        content = None if body is None else json.dumps(body)
        pattern = path.replace("{psa_account_id}", a_client(self.stage)["example-client-id"])
        return requests.request(method, self.url + pattern, data=content, headers=sent, timeout=30)

    def key(self, *scopes: str, calls_a_minute: int = 600) -> dict[str, Any]:
        body = {"name": "Rule", "scopes": scopes or list(KeyScope), "calls_a_minute": calls_a_minute}
        made: dict[str, Any] = self.stage.ok("POST", "/v1/api-keys", body)
        return made


def opened(stage: Stage) -> Iterator[Gateway]:
    door = FrontDoor(stage.functions, Authorizing(stage.functions, local_deployment().authorizers()))
    server = LocalServer(0, door.answer)
    server.start()
    try:
        yield Gateway(stage, server.url)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def gateway(theater: Theater) -> Iterator[Gateway]:
    """One for all tests that only ask."""
    with unhurried_vendors(), theater.stage("proposed") as stage:
        yield from opened(stage)


@pytest.fixture
def fresh(stage_at: Callable[[str], Stage]) -> Iterator[Gateway]:
    yield from opened(stage_at("proposed"))


def test_every_route_of_machines_has_its_scope() -> None:
    assert set(SCOPES) == set(routes_of_machines())
    assert set(SCOPES.values()) == {scope.value for scope in KeyScope}


@pytest.mark.parametrize(("method", "path"), EVERY_ROUTE)
def test_without_a_key_the_gateway_itself_refuses(gateway: Gateway, method: str, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer of-a-person"}, {"x-api-key": ""}):
        reply = gateway.ask(method, path, None, BODIES.get(path), **headers)
        assert (reply.status_code, reply.json()) == (401, {"message": "Unauthorized"})


@pytest.mark.parametrize(("method", "path"), EVERY_ROUTE)
def test_a_key_that_is_wrong_or_revoked_opens_nothing(gateway: Gateway, method: str, path: str) -> None:
    made = gateway.key()
    revoked = gateway.key()
    gateway.stage.ok("DELETE", f"/v1/api-keys/{revoked['id']}")
    for key in ("x", "tu_x_y", made["key"][:-1], made["key"].upper(), f"{made['key']},{made['key']}", revoked["key"]):
        reply = gateway.ask(method, path, key, BODIES.get(path))
        assert (reply.status_code, reply.json()) == (403, {"message": "Forbidden"}), key


@pytest.mark.fault("S3")
def test_S3_a_key_of_another_tenant_opens_no_route_and_nothing_of_it_is_logged(
    gateway: Gateway, store_endpoint: str, printed: Callable[[], str]
) -> None:
    """The other tenant is in the very same table, which no deployment has."""
    client = store_client(store_endpoint)
    other = open_state(client, table_name=settings().table, tenant="tenant-b", clock=bootstrap.clock())
    made = create_key("Secret of B", list(KeyScope), actor="bea@b", api_keys=other.api_keys, clock=bootstrap.clock())
    before = list(gateway.stage.state.history.all())
    printed()
    for method, path in EVERY_ROUTE:
        reply = gateway.ask(method, path, made.text, BODIES.get(path))
        assert (reply.status_code, reply.json()) == (403, {"message": "Forbidden"})
    log = printed()
    assert log.count("key refused") == len(EVERY_ROUTE)
    for word in (made.key.id, made.text, made.text.split("_", 2)[2], "Secret of B", "tenant-b", "bea@b"):
        assert word not in log
    assert list(gateway.stage.state.history.all()) == before
    assert made.key.id not in {key.id for key in gateway.stage.state.api_keys.all()}


@pytest.mark.parametrize(("method", "path"), EVERY_ROUTE)
def test_a_key_does_what_its_scope_says_and_nothing_else(gateway: Gateway, method: str, path: str) -> None:
    others = [scope for scope in SCOPES.values() if scope != SCOPES[method, path]]
    reply = gateway.ask(method, path, gateway.key(*others)["key"], BODIES.get(path))
    assert (reply.status_code, reply.json()["code"]) == (403, "not_allowed")
    assert SCOPES[method, path] in reply.json()["detail"]
    if method == "GET":
        assert gateway.ask(method, path, gateway.key(SCOPES[method, path])["key"]).status_code == 200


def test_a_key_opens_no_route_of_people_and_a_token_none_of_machines(gateway: Gateway) -> None:
    context = {"key_id": "x", "actor": "key x", "scopes": "runs:start plan:approve", "calls_a_minute": "60"}
    for method, pattern in routes_of_people():
        body = PEOPLES_BODIES.get(f"{method} {pattern}")
        event = gateway.stage.event(method, f"{path_of(pattern)}?search=x", body, machine=context)
        reply = gateway.stage.answered(event)
        # A body that is not one is refused before anybody asks who sent it.
        assert reply.status == 403 or (reply.status == 400 and method != "GET"), f"{method} {pattern} {reply.text}"
    for method, path in EVERY_ROUTE:
        event = gateway.stage.event(method, path.replace("{psa_account_id}", "1"), BODIES.get(path), role="admin")
        require_problem(gateway.stage.answered(event), 403, "not_allowed")


def test_each_key_has_its_own_limit_of_calls_a_minute(gateway: Gateway) -> None:
    limited, other = gateway.key("plan:read", calls_a_minute=2), gateway.key("plan:read", calls_a_minute=2)
    replies = [gateway.ask("GET", "/v1/psa/plan", limited["key"]) for _ in range(5)]
    statuses = [reply.status_code for reply in replies]
    # The minute of the clock may have turned once in between.
    assert statuses.count(200) in {2, 3, 4}
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert refused.json()["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert gateway.ask("GET", "/v1/psa/plan", other["key"]).status_code == 200


def test_one_client_is_told_with_three_counts_ages_and_the_verdict_in_words(gateway: Gateway) -> None:
    stage = gateway.stage
    found = gateway.ask("GET", "/v1/psa/clients/{psa_account_id}", gateway.key("counts:read")["key"]).json()
    whole = stage.ok("GET", f"/v1/exports/reconciliation.json?period={stage.facts['period']}")
    expected = [row for row in whole["rows"] if row["psa_account_id"] == found["psa_account_id"]]
    assert [row["id"] for row in found["rows"]] == [row["id"] for row in expected]
    for row, same in zip(found["rows"], expected, strict=True):
        assert row["verdict_words"] == same["verdict"].replace("_", " ")
        assert row["monthly_money"] == same["monthly_money"]
        assert {"bill_target", "bill_basis", "order"} <= set(row)
        assert (row["bill_target"], row["order"]) == (same["bill_target"], same["order"])
        for leg in ("agreement", "licensed", "billed"):
            counted = row["counts"][leg]
            assert (counted["seats"], counted["basis"]) == (same["counts"][leg]["seats"], same["counts"][leg]["basis"])
            assert (counted["age_hours"] is None) == (counted["seats"] is None)
    assert found["psa_read_at"]
    assert found["vendor_read_at"]
    assert found["licenses_read_at"] is None, "license counts are not connected here"
    reply = gateway.ask("GET", "/v1/psa/clients/999999", gateway.key("counts:read")["key"])
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


def test_a_machine_starts_a_run_under_its_own_name_once_for_its_idempotency_key(fresh: Gateway) -> None:
    key = fresh.key("runs:start")
    named = {"idempotency-key": "rule-2026-11-01"}
    first, again = (fresh.ask("POST", "/v1/psa/runs", key["key"], **named) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert first.json()["started_by"] == f"key Rule ({key['id']})"
    assert len(fresh.stage.lambda_service.calls) == 1


def test_a_machine_approves_by_checksum_and_is_a_person_of_its_own(fresh: Gateway) -> None:
    key = fresh.key("plan:read", "plan:approve")["key"]
    shown = fresh.ask("GET", "/v1/psa/plan", key).json()
    assert shown["totals"]["ready"] > 0
    assert "changes" not in shown
    wrong = fresh.ask("POST", "/v1/psa/plan/approve", key, {"checksum": "0" * 64})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "checksum_mismatch")
    reply = fresh.ask("POST", "/v1/psa/plan/approve", key, {"checksum": shown["checksum"]})
    assert (reply.status_code, reply.json()["state"]) == (200, "approved")
    approved = [event.audit for event in fresh.stage.state.history.all() if event.audit.action == "plan approved"]
    assert [audit.actor for audit in approved] == [shown["approved_by"] or reply.json()["approved_by"]]


def test_a_key_does_not_approve_what_it_prepared(fresh: Gateway) -> None:
    made = fresh.key()
    stage = fresh.stage
    actor = f"key Rule ({made['id']})"
    assert settings().two_person_approval
    # Another plan on the same reads, because a mapping was corrected; this one the key has prepared.
    vendor_id = stage.plan()["changes"][0]["vendor_account_ids"][0]
    stage.ok("PUT", f"/v1/account-mappings/{vendor_id}", {"exclude_reason": "our own"})
    found = stage.call("reconciliation", {"run_id": stage.facts["run_id"], "actor": actor})
    reply = fresh.ask("POST", "/v1/psa/plan/approve", made["key"], {"checksum": found["checksum"]})
    assert (reply.status_code, reply.json().get("code")) == (403, "not_allowed"), reply.text
    assert actor in reply.json()["detail"]


def test_a_key_is_shown_once_whatever_is_repeated(fresh: Gateway) -> None:
    stage = fresh.stage
    body = {"name": "Rule", "scopes": ["plan:read"]}
    named = {"headers": {"idempotency-key": "make-it-once"}}
    first = stage.ok("POST", "/v1/api-keys", body, **named)
    again = stage.http("POST", "/v1/api-keys", body, **named)
    assert again.headers["idempotent-replay"] == "true"
    assert again.json == {**first, "key": None}
    secret = first["key"].split("_", 2)[2]
    assert secret not in json.dumps(stage.everything_stored())
    assert secret not in stage.http("GET", "/v1/api-keys").text
    assert [event.audit.actor for event in stage.state.history.all()][-1] == ADMIN


@pytest.mark.fault("S9")
def test_S9_no_key_is_logged(gateway: Gateway, printed: Callable[[], str]) -> None:
    made = gateway.key()
    gateway.ask("GET", "/v1/psa/plan", made["key"])
    gateway.ask("GET", "/v1/psa/plan", made["key"] + "x")
    log = printed()
    assert made["id"] in log
    assert made["key"].split("_", 2)[2] not in log
