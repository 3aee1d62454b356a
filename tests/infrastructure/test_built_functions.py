"""A month through the built functions: API in, durable workflow, vendor protocols, one write a change, nothing denied.

Method: what `sam build` made runs under AWS's runtime client; every AWS call passes a gate that enforces the template's
roles; the vendors are the simulators. Needs a build, so it belongs to `make deployable` and not to `make test`.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local.front_door.queues import event_of
from local.simulators import credentials
from local.simulators.connectwise import ConnectWiseSimulator
from local.simulators.connectwise_callbacks import KEY_PATH, signature
from local.simulators.demo_world import SERVICE_TO_PRODUCT, demo_world
from local.simulators.mimecast import MimecastSimulator
from tests.infrastructure.small_cloud import Call, SmallCloud, running_cloud
from tests.infrastructure.template_reading import ROOT, TENANT, functions

BUILD = ROOT / ".aws-sam" / "build"
RUN_SECONDS = 120.0

pytestmark = [
    pytest.mark.built,
    pytest.mark.slow,
    pytest.mark.skipif(not (BUILD / "template.yaml").is_file(), reason="nothing is built; run `make deployable`"),
]


@dataclass(slots=True)
class Stack:
    """The running stack and the vendors it talks to."""

    cloud: SmallCloud
    mimecast: MimecastSimulator
    connectwise: ConnectWiseSimulator
    facts: dict[str, str] = field(default_factory=dict)

    def call(
        self, method: str, path: str, body: Any = None, *, role: str = "admin", person: str = "ada@example.com"
    ) -> Any:
        """One request through the built portal, as API Gateway hands it over after checking the token."""
        answer = self.cloud.run("portal", http_event(method, path, body, role=role, person=person))
        assert not answer.is_error, answer.payload
        status, text = answer.payload["statusCode"], answer.payload["body"]
        assert status < 400, f"{method} {path}: {status} {text}"
        return json.loads(text)

    def wait_for_run(self, run_id: str, *states: str) -> dict[str, Any]:
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            run: dict[str, Any] = self.call("GET", f"/v1/runs/{run_id}", role="viewer")
            if run["state"] in states:
                return run
            assert run["state"] != "failed", (run, self.cloud.denied)
            time.sleep(0.2)
        raise AssertionError(f"run {run_id} is still {run['state']} at {run['step']}; log:\n{self.cloud.log[-5000:]}")


def http_event(method: str, path: str, body: Any, *, role: str, person: str) -> dict[str, Any]:
    """Payload format 2.0 behind the JWT authorizer."""
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "authorization": "Bearer checked-by-the-gateway"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "authorizer": {"jwt": {"claims": {"email": person, "cognito:groups": f"[{role}]"}, "scopes": None}},
            "domainName": "api.execute-api.eu-west-1.amazonaws.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": "request-1",
            "routeKey": f"{method} {path}",
            "stage": "$default",
            "time": "01/Nov/2026:06:00:00 +0000",
            "timeEpoch": 1793512800000,
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole stack with both vendors connected; its tests run in order and build on each other."""
    folder: Path = tmp_path_factory.mktemp("cloud")
    world = demo_world()
    with (
        MimecastSimulator(world) as mimecast,
        ConnectWiseSimulator(world) as connectwise,
        running_cloud(BUILD, folder) as cloud,
    ):
        running = Stack(cloud, mimecast, connectwise)
        running.call(
            "PUT",
            "/v1/integrations/mimecast",
            {
                "address": mimecast.url,
                "fields": {
                    "client_id": credentials.MIMECAST_CLIENT_ID,
                    "client_secret": credentials.MIMECAST_CLIENT_SECRET,
                },
            },
        )
        running.call(
            "PUT",
            "/v1/integrations/connectwise",
            {
                "address": connectwise.url,
                "fields": {
                    "company_id": credentials.CONNECTWISE_COMPANY_ID,
                    "public_key": credentials.CONNECTWISE_PUBLIC_KEY,
                    "private_key": credentials.CONNECTWISE_PRIVATE_KEY,
                    "client_id": credentials.CONNECTWISE_CLIENT_ID,
                },
            },
        )
        yield running


def test_a_month_from_connecting_to_reading_back(stack: Stack) -> None:
    first = stack.call("POST", "/v1/runs", role="preparer")
    stack.wait_for_run(first["id"], "done", "waiting_for_approval")
    for service, product in SERVICE_TO_PRODUCT.items():
        stack.call("PUT", f"/v1/service-mappings/{service}", {"product_id": product}, role="preparer")
    finished = stack.call("POST", "/v1/integrations/mimecast/finish", role="preparer")
    run = stack.wait_for_run(finished["run"]["id"], "waiting_for_approval")

    plan = stack.call("GET", f"/v1/plans/{run['plan_id']}", role="approver")
    free = [change for change in plan["changes"] if not change["guard"]]
    assert free, "the demo month has changes that no guard holds"
    before = len(stack.connectwise.world.writes)
    approval = {"checksum": plan["checksum"]}
    stack.call("POST", f"/v1/plans/{plan['id']}/approve", approval, role="approver", person="otto@example.com")
    stack.call("POST", f"/v1/plans/{plan['id']}/apply", approval, role="approver", person="otto@example.com")
    stack.wait_for_run(run["id"], "done")

    applied = stack.call("GET", f"/v1/plans/{plan['id']}", role="viewer")
    results = {change["id"]: change["result"] for change in applied["changes"] if change["result"]}
    assert set(results) >= {change["id"] for change in free}
    assert len(stack.connectwise.world.writes) - before == len(free), "one write for each change, no more"

    account = next(row["vendor_account_id"] for row in stack.call("GET", "/v1/account-mappings")["items"])
    stack.facts = {
        "2026-11-001": run["id"],
        "plan-2026-11-0123456789ab": plan["id"],
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef": plan["checksum"],
        "chg-0123456789ab": next(change["id"] for change in plan["changes"] if change["guard"]),
        "CEXA10A101": account,
    }


def test_a_callback_and_a_key_from_end_to_end(stack: Stack) -> None:
    """A key is made and accepted; the PSA's message is proven, queued, and the client it tells of is read again."""
    made = stack.call("POST", "/v1/api-keys", {"name": "Rule", "scopes": ["plan:read"]})
    asked = {"version": "2.0", "type": "REQUEST", "headers": {"x-api-key": made["key"]}, "routeKey": "GET /v1/psa/plan"}
    accepted = stack.cloud.run("machine_access", asked)
    assert accepted.payload["isAuthorized"] is True, accepted.payload
    asked["headers"] = {"x-api-key": made["key"] + "x"}
    assert stack.cloud.run("machine_access", asked).payload == {"isAuthorized": False}

    stack.call("POST", "/v1/callbacks", {"url": "https://trueup.example-msp.com"})
    world = stack.connectwise.world
    (url,) = {one["url"] for one in world.callbacks}
    line = next(iter(world.additions.values()))
    world.edit_addition(line.id, quantity=line.quantity + 1)
    agreement_id = line.agreement_id
    body = {
        "MessageId": "m-1",
        "CompanyId": credentials.CONNECTWISE_COMPANY_ID,
        "Action": "updated",
        "Type": "agreement",
        "ID": agreement_id,
        "Metadata": {"key_url": stack.connectwise.url + KEY_PATH},
    }
    event = http_event("POST", "/v1/callbacks/connectwise/token", body, role="", person="")
    del event["requestContext"]["authorizer"]
    event["pathParameters"] = {"psa": "connectwise", "token": url.partition("?")[0].rpartition("/")[2]}
    event["queryStringParameters"] = {"recordId": str(agreement_id), "action": "updated"}
    assert stack.cloud.run("psa_callback", event).payload["statusCode"] == 401
    event["headers"]["x-content-signature"] = signature(event["body"].encode())
    assert stack.cloud.run("psa_callback", event).payload["statusCode"] == 204, stack.cloud.denied
    name = f"trueup-{TENANT}-callbacks"
    batch = stack.cloud.queues.receive(name, 10)
    assert len(batch) == 1
    assert stack.cloud.run("account_refresh", event_of(batch, name)).payload == {"batchItemFailures": []}
    newest = stack.call("GET", "/v1/history", role="viewer")["items"][0]
    assert newest["action"] == "psa account read"


EVENTS = sorted((ROOT / "events").glob("*.json"))


def real_event(path: Path, stack: Stack) -> Any:
    """The event with the ids, addresses and credentials of this stack in place of the made-up ones."""
    text = path.read_text(encoding="utf-8")
    stand_ins = stack.facts | {
        "https://api.services.mimecast.com": stack.mimecast.url,
        "https://api-na.myconnectwise.net": stack.connectwise.url,
        "https://hooks.slack.com": "http://127.0.0.1:9",  # Nobody answers there, and nobody outside is told.
        "example-mimecast-client-id": credentials.MIMECAST_CLIENT_ID,
        "example-mimecast-client-secret": credentials.MIMECAST_CLIENT_SECRET,
        "example-company": credentials.CONNECTWISE_COMPANY_ID,
        "example-public-key": credentials.CONNECTWISE_PUBLIC_KEY,
        "example-private-key": credentials.CONNECTWISE_PRIVATE_KEY,
        "example-connectwise-client-id": credentials.CONNECTWISE_CLIENT_ID,
    }
    for made_up, real in stand_ins.items():
        text = text.replace(made_up, real)
    return json.loads(text)


# Refusals that are right at this point of the month: 1001 is no client of the simulated PSA, other made-up ids are
# nobody's either, the plan is applied already, a run is at work, and by then one event has disconnected ConnectWise.
REFUSALS = {
    "portal_account_mapping_put_map": "input_invalid",
    "portal_account_mappings_bulk": "input_invalid",
    "portal_account_mappings_import": "input_invalid",
    "portal_change_release": "plan_not_ready",
    "portal_integration_finish": "conflict",
    "portal_api_key_revoke": "not_found",
    "portal_callback_remove": "not_found",
    "portal_psa_client": "not_found",
    "portal_psa_plan_approve": "checksum_mismatch",
    "portal_kept_mappings_get": "not_found",
    "portal_license_mappings_bulk": "input_invalid",
    "portal_license_mappings_import": "input_invalid",
    "portal_license_mapping_get": "not_found",
    "portal_license_mapping_put_map": "not_found",
    "portal_license_mapping_put_exclude": "not_found",
    "portal_license_mapping_delete": "not_found",
    "portal_licensed_users": "not_connected",
    "portal_counting_policy_get": "input_invalid",
    "portal_counting_policy_put": "input_invalid",
    "portal_counting_policy_delete": "input_invalid",
    "portal_line_division_delete": "not_found",
    "portal_notice_channel_delete": "not_found",
    "portal_notice_channel_test": "not_found",
    "portal_line_division_put": "not_found",
    "portal_plan_add_line": "plan_not_ready",
    "portal_plan_drop_line": "not_found",
    "portal_run_start_effective": "already_running",
    "portal_change_order_get": "not_found",
    "portal_change_order_approve": "not_found",
    "portal_user_invite": "not_found",
    "portal_user_tick": "not_found",
    "portal_users_check": "conflict",
    "portal_users_mail": "conflict",
}


OUT_OF_ORDER = {"portal_month_seal": "portal_month_", "portal_month_reopen": "portal_month_zz"}
"""A month is closed before anything is asked of a closed one, and opened again before the next event wants it open."""


def events_of(*capabilities: str) -> list[Any]:
    chosen = [path for path in EVENTS if path.name.startswith(capabilities)]
    ordered = sorted(chosen, key=lambda path: OUT_OF_ORDER.get(path.stem, path.stem))
    return [pytest.param(path, id=path.stem) for path in ordered]


STEPS = (
    "account_refresh",
    "auto_matching",
    "change_orders",
    "credential_validation",
    "license_sync",
    "machine_access",
    "notification",
    "plan_apply",
    "psa_callback",
    "psa_sync",
    "reconciliation",
    "sealing",
    "vendor_sync",
)

RUN_IS_OVER = frozenset({"psa_sync_run", "vendor_sync_run", "vendor_sync_accept_drop"})
"""Events for a run that was carried out by then: nothing is read for it any more, and that is said."""


@pytest.mark.parametrize("path", events_of(*STEPS))
def test_the_built_functions_answer_their_events(path: Path, stack: Stack) -> None:
    capability = next(name for name in STEPS if path.name.startswith(name))
    answer = stack.cloud.run(capability, real_event(path, stack))
    if path.stem in RUN_IS_OVER:
        assert answer.is_error
        assert answer.payload["errorType"] == "Conflict", answer.payload
    else:
        assert not answer.is_error, answer.payload


@pytest.mark.parametrize("path", events_of("portal"))
def test_the_built_portal_answers_its_events(path: Path, stack: Stack) -> None:
    answer = stack.cloud.run("portal", real_event(path, stack))
    assert not answer.is_error, answer.payload
    if path.stem in REFUSALS:
        assert json.loads(answer.payload["body"])["code"] == REFUSALS[path.stem]
    else:
        assert answer.payload["statusCode"] < 300, answer.payload["body"]


@pytest.mark.parametrize("path", events_of("monthly_run"))
def test_the_built_workflow_carries_out_its_events(path: Path, stack: Stack) -> None:
    # The portal's events have started a run; two at once would share its place.
    stack.wait_for_run(stack.call("GET", "/v1/runs")["items"][0]["id"], "done", "waiting_for_approval")
    execution = stack.cloud.start("monthly_run", real_event(path, stack), name=path.stem)
    deadline = time.monotonic() + RUN_SECONDS
    while (status := stack.cloud.status(execution)) == "RUNNING" and time.monotonic() < deadline:
        if stack.call("GET", "/v1/runs")["items"][0]["state"] == "waiting_for_approval":
            return
        time.sleep(0.2)
    assert status == "SUCCEEDED"


def test_every_event_file_was_replayed() -> None:
    assert len(events_of(*functions())) == len(EVENTS) > 0


def test_the_daily_check_finds_both_credentials_good_and_no_run_overdue(stack: Stack) -> None:
    answer = stack.cloud.run("credential_validation", {"trigger": "schedule"})
    assert not answer.is_error, answer.payload
    assert answer.payload["failing"] == []
    assert sorted(answer.payload["checked"]) == ["connectwise", "mimecast"]


def test_the_roles_of_the_template_were_enough(stack: Stack) -> None:
    assert stack.cloud.denied == []
    assert ("plan_apply", "dynamodb:PutItem") in stack.cloud.used


def test_the_gate_refuses_what_a_role_does_not_allow(stack: Stack) -> None:
    body = json.dumps({"SecretId": f"trueup/{TENANT}/connectwise", "SecretString": "{}"}).encode()
    seen = len(stack.cloud.denied)
    reply = stack.cloud.answer(Call("vendor_sync", "/", {"X-Amz-Target": "secretsmanager.PutSecretValue"}, body))
    assert reply.status == 400
    assert b"AccessDenied" in reply.body
    del stack.cloud.denied[seen:]


def test_no_secret_is_in_the_logs(stack: Stack) -> None:
    for secret in (credentials.MIMECAST_CLIENT_SECRET, credentials.CONNECTWISE_PRIVATE_KEY):
        assert secret not in stack.cloud.log
