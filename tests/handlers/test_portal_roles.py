"""Who may do what: every route under every role, and tokens that carry no role at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.handlers.stage import Stage, require_problem
from tests.handlers.test_portal_errors import BODIES, ROUTES, fingerprint, path_of
from trueup.api.access import caller_of
from trueup.settings import Settings

ROLES = ("viewer", "preparer", "approver", "admin")
NEEDED = {
    "PUT /v1/integrations/{name}": "admin",
    "DELETE /v1/integrations/{name}": "admin",
    "GET /v1/api-keys": "admin",
    "POST /v1/api-keys": "admin",
    "DELETE /v1/api-keys/{key_id}": "admin",
    "GET /v1/callbacks": "admin",
    "POST /v1/callbacks": "admin",
    "DELETE /v1/callbacks/{callback_id}": "admin",
    "PUT /v1/counting-policies/{scope}": "admin",
    "DELETE /v1/counting-policies/{scope}": "admin",
    "GET /v1/notice-channels": "admin",
    "PUT /v1/notice-channels/{channel}": "admin",
    "DELETE /v1/notice-channels/{channel}": "admin",
    "POST /v1/notice-channels/{channel}/test": "admin",
    "GET /v1/notices": "admin",
    "POST /v1/months/{period}/seal": "approver",
    "POST /v1/months/{period}/reopen": "approver",
    "POST /v1/plans/{plan_id}/changes/{change_id}/release": "approver",
    "POST /v1/plans/{plan_id}/approve": "approver",
    "POST /v1/plans/{plan_id}/apply": "approver",
}
"""What is more than the rule: reading needs viewer, writing needs preparer."""


NEED_NO_ID = {("POST", path) for path in ("/v1/runs", "/v1/api-keys", "/v1/callbacks", "/v1/portal-users")}
"""What changes something without an id that could be unknown."""


def needed(method: str, pattern: str) -> str:
    return NEEDED.get(f"{method} {pattern}", "viewer" if method == "GET" else "preparer")


def test_the_matrix_names_routes_that_exist() -> None:
    assert set(NEEDED) <= {f"{method} {pattern}" for method, pattern in ROUTES}


@pytest.mark.parametrize("role", [None, *ROLES])
def test_a_role_below_the_needed_one_is_refused_everywhere(untouched: Stage, role: str | None) -> None:
    before = fingerprint(untouched)
    refused = 0
    for method, pattern in ROUTES:
        if role is not None and ROLES.index(role) >= ROLES.index(needed(method, pattern)):
            continue
        if pattern == "/v1/me":
            continue  # It tells people who they are; who has no role has to learn that somewhere.
        body = BODIES.get(f"{method} {pattern}")
        query = "?search=x" if pattern == "/v1/products" else ""
        reply = untouched.http(method, path_of(pattern) + query, body, role=role)
        document = require_problem(reply, 403, "not_allowed")
        assert needed(method, pattern) in document["detail"]
        refused += 1
    assert fingerprint(untouched) == before
    assert (refused > 0) == (role != "admin")


@pytest.mark.parametrize("role", ROLES)
def test_a_sufficient_role_is_let_in(untouched: Stage, role: str) -> None:
    """With ids that are not there, so that what is let in finds nothing to change."""
    before = fingerprint(untouched)
    for method, pattern in ROUTES:
        if ROLES.index(role) < ROLES.index(needed(method, pattern)):
            continue
        if pattern.startswith("/v1/integrations/") or (method, pattern) in NEED_NO_ID:
            continue  # Their roles are in the other matrix.
        body = BODIES.get(f"{method} {pattern}")
        reply = untouched.http(method, path_of(pattern) + "?search=none-such", body, role=role)
        assert reply.status != 403, f"{method} {pattern} {reply.text}"
    assert fingerprint(untouched) == before


@pytest.mark.parametrize(
    ("claim", "is_let_in"),
    [
        ("[viewer]", True),
        ("[viewer admin]", True),
        ("[viewer, other]", True),
        (["viewer"], True),
        ("viewer", True),
        ('["viewer"]', True),
        ("VIEWER", True),
        ("[]", False),
        ("", False),
        (None, False),
        ("administrators", False),
        ("[not-viewer]", False),
        (["the viewer"], False),
        ('["the viewer", "a, viewer ,b"]', False),
        ("the viewer", False),
        ("[other] viewer", False),
        ("viewer] other", False),
        ('["\\"viewer\\""]', False),
        ("[[viewer]]", False),
        ({"viewer": True}, False),
    ],
)
def test_groups_are_read_as_gateways_and_issuers_write_them(untouched: Stage, claim: Any, is_let_in: bool) -> None:
    event = untouched.event("GET", "/v1/runs")
    event["requestContext"]["authorizer"]["jwt"]["claims"]["cognito:groups"] = claim
    assert (untouched.answered(event).status == 200) == is_let_in


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"email": "dana@msp.example", "email_verified": "true", "sub": "s-1"}, "dana@msp.example"),
        ({"email": "dana@msp.example", "sub": "s-1"}, "dana@msp.example"),
        ({"email": "boss@msp.example", "email_verified": "false", "sub": "s-1"}, "s-1"),
        ({"email": "boss@msp.example", "email_verified": False, "preferred_username": "dana", "sub": "s-1"}, "dana"),
    ],
)
def test_nobody_is_named_by_an_address_that_is_not_verified(claims: dict[str, Any], name: str) -> None:
    checked = Settings.read({"TRUEUP_TENANT": "example", "TRUEUP_TABLE": "table"})
    event = {"requestContext": {"authorizer": {"jwt": {"claims": claims}}}}
    assert caller_of(event, checked).name == name


@pytest.mark.fault("S5")
def test_a_request_that_no_authorizer_has_seen_has_no_role(untouched: Stage) -> None:
    for authorizer in (None, {}, {"jwt": {}}, "text", {"lambda": {"cognito:groups": "[admin]"}}):
        event = untouched.event("GET", "/v1/runs")
        event["requestContext"]["authorizer"] = authorizer
        require_problem(untouched.answered(event), 403, "not_allowed")


def test_a_role_in_a_header_or_a_query_counts_for_nothing(untouched: Stage) -> None:
    headers = {"x-role": "admin", "cognito:groups": "[admin]"}
    reply = untouched.http("GET", "/v1/runs?role=admin&cognito:groups=admin", role=None, headers=headers)
    require_problem(reply, 403, "not_allowed")


def test_health_says_nothing_of_the_tenant_and_needs_no_role(untouched: Stage) -> None:
    assert untouched.http("GET", "/v1/health", role=None).json == {"status": "ok", "version": "1"}
