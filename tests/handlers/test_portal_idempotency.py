"""A write with an Idempotency-Key is carried out once: the same request again gets the same reply."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.handlers.stage import APPROVER, PREPARER, Reply, Stage, require_problem
from trueup import bootstrap
from trueup.domain.canonical import sha256

KEY = {"idempotency-key": "0d3d4f7e-6f0b-4d2a-8f5e-8a8c7a0c1d11"}


@pytest.fixture
def stage(stage_at: Callable[[str], Stage]) -> Stage:
    return stage_at("approved")


def start_run(stage: Stage, **options: object) -> Reply:
    return stage.http("POST", "/v1/runs", **{"role": "preparer", "person": PREPARER, "headers": KEY, **options})


def test_the_same_request_gets_the_same_reply_and_does_nothing_again(stage: Stage) -> None:
    first = start_run(stage)
    history = list(stage.state.history.all())
    again = start_run(stage)
    assert (again.status, again.text) == (first.status, first.text)
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert list(stage.state.history.all()) == history
    assert len(stage.lambda_service.calls) == 1


def test_another_key_is_another_request(stage: Stage) -> None:
    start_run(stage)
    start_run(stage, headers={"idempotency-key": "another"})
    assert len(stage.lambda_service.calls) == 2


def test_a_key_that_came_with_another_body_is_refused(stage: Stage) -> None:
    account = next(iter(stage.world.accounts))
    path = f"/v1/account-mappings/{account}"
    stage.ok("PUT", path, {"exclude_reason": "one"}, headers=KEY)
    document = require_problem(stage.http("PUT", path, {"exclude_reason": "two"}, headers=KEY), 400, "input_invalid")
    assert document["field"] == "Idempotency-Key"
    assert stage.ok("GET", path)["decision"]["reason"] == "one"


def test_a_key_is_for_one_person_and_one_route(stage: Stage) -> None:
    start_run(stage)
    require_problem(start_run(stage, person=APPROVER, role="approver"), 400, "input_invalid")
    other = stage.http("POST", "/v1/integrations/mimecast/authenticate", headers=KEY)
    require_problem(other, 400, "input_invalid")


def test_a_key_is_for_one_query_too(stage: Stage) -> None:
    options = {"role": "preparer", "person": PREPARER, "headers": KEY}
    assert stage.http("POST", "/v1/runs?reason=one", **options).status < 300
    require_problem(stage.http("POST", "/v1/runs?reason=two", **options), 400, "input_invalid")


def test_a_request_that_is_being_answered_right_now_is_refused(stage: Stage) -> None:
    fingerprint = sha256(["POST", "/v1/runs", [], "", PREPARER])
    stage.state.idempotency.begin(KEY["idempotency-key"], fingerprint=fingerprint, seconds=3600)
    require_problem(start_run(stage), 409, "conflict")
    assert stage.lambda_service.calls == []


def test_a_request_that_was_refused_may_be_sent_again(stage: Stage) -> None:
    """The key is freed, because nothing was changed; a repeated refusal is not a reply that is kept."""
    path = "/v1/integrations/connectwise/authenticate"
    stage.ok("DELETE", "/v1/integrations/connectwise")
    require_problem(stage.http("POST", path, headers=KEY), 409, "not_connected")
    stage.connect()
    assert stage.ok("POST", path, headers=KEY)["name"] == "connectwise"


def test_a_bug_half_way_leaves_the_key_taken_until_its_claim_ends(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what was changed, so the same request is not carried out again at once."""

    class Surprising:
        def start(self, run_id: str) -> None:
            raise RuntimeError("after the run was stored")

    monkeypatch.setattr(bootstrap, "workflow", Surprising)
    require_problem(start_run(stage), 500, "internal_error")
    require_problem(start_run(stage), 409, "conflict")


@pytest.mark.parametrize("key", ["x" * 201, "line\nbreak", "nul\x00"])
def test_a_key_that_is_none_is_refused(stage: Stage, key: str) -> None:
    require_problem(start_run(stage, headers={"idempotency-key": key}), 400, "input_invalid")
    assert stage.lambda_service.calls == []


def test_an_unsafe_repeat_without_a_key_is_harmless_all_the_same(stage: Stage) -> None:
    """The workflow is asked by the run's name, which Lambda carries out once."""
    first, again = start_run(stage, headers={}), start_run(stage, headers={})
    assert first.json["id"] == again.json["id"]
    assert len({call.execution_name for call in stage.lambda_service.calls}) == 1
