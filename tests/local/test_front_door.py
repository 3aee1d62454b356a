"""The local system over real sockets: the template's routes, who is let in, and the Lambda API that boto3 speaks to."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from local.front_door import running_system
from local.front_door.functions import LocalFunctions, shared_environment
from local.front_door.http_event import RouteTable, WebRequest, event_of, reply_of
from local.front_door.server import BODY_BYTES_MAXIMUM
from local.front_door.serving import READY_FILE, chosen_deployment
from local.template import Route, local_deployment
from trueup.domain.errors import ConfigurationInvalid, InputInvalid, LeaseHeld, NotFound

# A function that fails has nothing to measure, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with running_system(home, schedules=False) as address:
        yield address


@pytest.fixture
def lambda_client(url: str) -> Iterator[Any]:
    client = boto3.client("lambda")
    yield client
    client.close()


def problem(reply: requests.Response, status: int, code: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = reply.json()
    assert document["code"] == code
    return document


def run_ids(url: str) -> list[str]:
    return [run["id"] for run in requests.get(f"{url}/v1/runs", timeout=10).json()["items"]]


def request(method: str, target: str, body: bytes = b"", **headers: str) -> WebRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return WebRequest(method, target, {"host": "127.0.0.1:1", **named}, body, "127.0.0.1", "request-1", 1)


def test_every_route_of_the_template_is_served(url: str) -> None:
    for definition in local_deployment().functions():
        for route in definition.routes:
            path = route.path.replace("{name}", "mimecast").replace("{", "").replace("}", "")
            reply = requests.request(route.method, url + path, timeout=10)
            missing = reply.status_code == 404 and "no such route" in reply.text
            assert not missing, f"{route.method} {route.path}"


def test_there_is_no_sign_in_and_everybody_is_the_administrator(url: str) -> None:
    assert requests.get(f"{url}/v1/integrations", timeout=10).status_code == 200
    reply = requests.delete(f"{url}/v1/integrations/mimecast", timeout=10)
    problem(reply, 409, "not_connected")


def test_it_says_where_it_is(home: Path, url: str) -> None:
    assert json.loads((home / READY_FILE).read_text()) == {"url": url, "pid": os.getpid()}


@pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="this system does not list its sockets in /proc")
def test_only_loopback_is_listened_on(url: str) -> None:
    lambda_port = int(os.environ["AWS_ENDPOINT_URL_LAMBDA"].split(":")[2].partition("/")[0])
    for port in (int(url.rpartition(":")[2]), lambda_port):
        rows = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()]
        listening = [row[1] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"]
        assert listening == [f"0100007F:{port:04X}"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "[::1]", "0"])
def test_another_name_for_this_machine_is_refused(url: str, host: str) -> None:
    """A page whose name was made to point here after it was loaded still sends its own name."""
    problem(requests.get(f"{url}/v1/integrations", headers={"host": host}, timeout=10), 421, "wrong_host")


def test_localhost_is_this_machine_too(url: str) -> None:
    port = url.rpartition(":")[2]
    reply = requests.get(f"{url}/v1/health", headers={"host": f"localhost:{port}"}, timeout=10)
    assert reply.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_page_of_another_site_cannot_write(url: str, method: str, headers: dict[str, str]) -> None:
    path = {"POST": "/v1/runs", "PUT": "/v1/integrations/mimecast", "DELETE": "/v1/integrations/mimecast"}[method]
    before = run_ids(url)
    problem(requests.request(method, url + path, headers=headers, timeout=10), 403, "not_allowed")
    assert run_ids(url) == before


def test_its_own_page_can_write(url: str) -> None:
    headers = {"origin": url, "sec-fetch-site": "same-origin", "content-type": "application/json"}
    reply = requests.post(f"{url}/v1/plans", data='{"run_id": "none"}', headers=headers, timeout=10)
    problem(reply, 404, "not_found")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_can_send_is_refused(url: str, kind: str) -> None:
    reply = requests.post(f"{url}/v1/plans", data=b'{"run_id": "x"}', headers={"content-type": kind}, timeout=10)
    problem(reply, 415, "input_invalid")


def test_no_other_site_may_read_a_reply(url: str) -> None:
    reply = requests.get(f"{url}/v1/integrations", headers={"origin": "https://evil.example"}, timeout=10)
    assert not [name for name in reply.headers if name.lower().startswith("access-control")]


def test_a_body_over_the_limit_is_refused_by_its_length(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"POST /v1/runs HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {BODY_BYTES_MAXIMUM + 1}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("line", ["Transfer-Encoding: chunked", "Content-Length: -1", "Content-Length: ten"])
def test_a_body_without_a_length_is_refused(url: str, line: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"POST /v1/runs HTTP/1.1\r\nHost: {host}:{port}\r\n{line}\r\n\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 411 ")


def test_an_unknown_route_is_a_problem_document(url: str) -> None:
    for method, path in (("GET", "/nothing"), ("GET", "/v2/runs"), ("PATCH", "/v1/runs"), ("OPTIONS", "/v1/runs")):
        problem(requests.request(method, url + path, timeout=10), 404, "not_found")


def test_many_requests_at_once_are_all_answered_rightly(url: str) -> None:
    """The functions keep the present event in a class; two at once must not see each other's."""
    results: list[bool] = []

    def ask(number: int) -> None:
        reply = requests.get(f"{url}/v1/runs/2026-11-{number:03d}", timeout=30)
        results.append(reply.status_code == 404 and f"{number:03d}" in reply.json()["detail"])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(100, 140)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 40


def test_one_front_door_for_a_state_folder(home: Path, url: str) -> None:
    with pytest.raises(LeaseHeld, match="another trueup serve"), running_system(home):
        raise AssertionError("it started")


def test_a_port_that_is_taken_is_said_to_be_so(url: str, tmp_path: Path) -> None:
    port = int(url.rpartition(":")[2])
    with pytest.raises(ConfigurationInvalid, match=str(port)), running_system(tmp_path, port):
        raise AssertionError("it started")


# The event, as API Gateway documents payload format 2.0.


def test_the_event_has_the_documented_shape() -> None:
    table = RouteTable(local_deployment().functions())
    sent = request(
        "GET",
        "/v1/account-mappings/A%20B?limit=1&limit=2&x=%C3%A9",
        b"",
        cookie="a=1; b=2",
        user_agent="test",
        content_type="application/json",
    )
    route = table.match("GET", "/v1/account-mappings/A B")
    assert route is not None
    event = event_of(sent, route)
    assert event["version"] == "2.0"
    assert event["routeKey"] == "ANY /v1/{route+}"
    assert event["rawPath"] == "/v1/account-mappings/A B"
    assert event["rawQueryString"] == "limit=1&limit=2&x=%C3%A9"
    assert event["queryStringParameters"] == {"limit": "1,2", "x": "é"}
    assert event["pathParameters"] == {"route": "account-mappings/A B"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]
    assert event["isBase64Encoded"] is False
    assert "body" not in event
    context = event["requestContext"]
    assert context["http"] == {
        "method": "GET",
        "path": "/v1/account-mappings/A B",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "test",
    }
    assert {"accountId", "apiId", "domainName", "requestId", "routeKey", "stage", "time", "timeEpoch"} <= set(context)
    assert "authorizer" not in context


def test_a_body_that_is_no_text_is_sent_in_base64() -> None:
    table = RouteTable(local_deployment().functions())
    route = table.match("POST", "/v1/account-mappings/import")
    assert route is not None
    assert route.key == "ANY /v1/{route+}"
    for body, kind, is_encoded in (
        (b"a,b", "text/csv", False),
        (b"\xff\xfe", "text/csv", True),
        (b"PK", "application/zip", True),
        ("é".encode(), "application/json; charset=utf-8", False),
    ):
        event = event_of(request("POST", "/v1/account-mappings/import", body, content_type=kind), route)
        assert event["isBase64Encoded"] is is_encoded
        assert event["body"] == ("//4=" if body == b"\xff\xfe" else "UEs=" if is_encoded else body.decode())


def test_greedy_and_any_routes_come_last() -> None:
    portal = next(item for item in local_deployment().functions() if item.capability == "portal")
    routes = (Route("ANY", "/{proxy+}"), Route("GET", "/a/{id}"), Route("GET", "/a/b"))
    table = RouteTable([replace(portal, routes=routes)])
    found = [table.match(*pair) for pair in (("GET", "/a/b"), ("GET", "/a/c"), ("POST", "/a/b/c"))]
    assert [route.key for route in found if route] == ["GET /a/b", "GET /a/{id}", "ANY /{proxy+}"]
    assert found[2] is not None
    assert found[2].parameters == {"proxy": "a/b/c"}


def test_an_answer_without_a_status_is_sent_as_json() -> None:
    assert json.loads(reply_of({"hello": "world"}).body) == {"hello": "world"}
    reply = reply_of(
        {"statusCode": 201, "headers": {"X-A": "1"}, "cookies": ["a=1"], "body": "aGk=", "isBase64Encoded": True}
    )
    assert (reply.status, reply.body) == (201, b"hi")
    assert set(reply.headers) == {("x-a", "1"), ("set-cookie", "a=1")}


# The Lambda API.


def test_a_function_error_has_lambdas_shape(lambda_client: Any) -> None:
    reply = lambda_client.invoke(FunctionName="trueup-local-vendor-sync", Payload=b"{}")
    assert reply["StatusCode"] == 200
    assert reply["FunctionError"] == "Unhandled"
    document = json.loads(reply["Payload"].read())
    assert document["errorType"] == "InputInvalid"
    assert "run_id" in document["errorMessage"]
    assert document["requestId"]


def test_a_function_is_called_by_name_alias_or_arn(lambda_client: Any) -> None:
    event = json.dumps({"trigger": "schedule"}).encode()
    name = "trueup-local-credential-validation"
    for target in (name, f"{name}:live", f"arn:aws:lambda:eu-west-1:000000000000:function:{name}"):
        reply = lambda_client.invoke(FunctionName=target, Payload=event)
        assert json.loads(reply["Payload"].read())["checked"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        lambda_client.invoke(FunctionName="trueup-other-portal", Payload=b"{}")


def test_an_execution_of_a_name_is_started_once(lambda_client: Any) -> None:
    def start(payload: dict[str, Any], name: str = "one") -> Any:
        reply = lambda_client.invoke(
            FunctionName="trueup-local-monthly-run:live",
            InvocationType="Event",
            DurableExecutionName=name,
            Payload=json.dumps(payload).encode(),
        )
        # A reply that is not read keeps its connection, which nobody closes then.
        reply["Payload"].read()
        return reply

    scheduled = {"trigger": "schedule", "scheduled_time": "2026-11-01T06:00:00Z"}
    first = start(scheduled)
    assert first["StatusCode"] == 202
    assert start(scheduled)["DurableExecutionArn"] == first["DurableExecutionArn"]
    assert start(scheduled, "two")["DurableExecutionArn"] != first["DurableExecutionArn"]
    with pytest.raises(ClientError) as refused:
        start({**scheduled, "scheduled_time": "2026-12-01T06:00:00Z"})
    assert refused.value.response["Error"]["Code"] == "DurableExecutionAlreadyStartedException"


def test_a_callback_that_nothing_waits_for_is_refused(lambda_client: Any) -> None:
    for callback_id in ("bm90aGluZw==", "eyJhcm4iOiJ4Iiwib3AiOiJ5In0="):
        with pytest.raises(ClientError) as refused:
            lambda_client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"{}")
        assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_the_lambda_api_is_open_to_this_process_only(url: str) -> None:
    endpoint = os.environ["AWS_ENDPOINT_URL_LAMBDA"]
    base, _, key = endpoint.rpartition("/")
    path = "/2015-03-31/functions/trueup-local-credential-validation/invocations"
    assert len(key) > 20
    for address in (base + path, f"{base}/{'x' * len(key)}{path}"):
        assert requests.post(address, data=b"{}", timeout=10).status_code == 403
    page = {"origin": "https://evil.example"}
    assert requests.post(endpoint + path, data=b"{}", headers=page, timeout=10).status_code == 403


# The environment of all functions together.


def test_no_variable_means_two_things() -> None:
    definitions = local_deployment().functions()
    merged = shared_environment(definitions)
    assert merged["TRUEUP_MONTHLY_RUN_FUNCTION"] == "trueup-local-monthly-run:live"
    assert merged["TRUEUP_FUNCTION_PLAN_APPLY"] == "trueup-local-plan-apply"
    assert "POWERTOOLS_SERVICE_NAME" not in merged
    odd = replace(definitions[0], environment={**definitions[0].environment, "TRUEUP_TABLE": "another"})
    with pytest.raises(ConfigurationInvalid, match="TRUEUP_TABLE"):
        shared_environment([odd, *definitions[1:]])


def test_the_callers_environment_chooses_parameters() -> None:
    deployment = chosen_deployment({"TRUEUP_TIME_ZONE": "Europe/London", "TRUEUP_TENANT": "other", "OTHER": "x"})
    assert deployment.values["TimeZone"] == "Europe/London"
    assert deployment.values["Tenant"] == "local"
    with pytest.raises(InputInvalid, match="Currency"):
        chosen_deployment({"TRUEUP_CURRENCY": "dollars"})


def test_functions_have_their_own_service_name_and_context(url: str) -> None:
    functions = LocalFunctions(local_deployment().functions())
    context = functions.context("auto_matching")
    assert context.function_name == "trueup-local-auto-matching"
    assert context.memory_limit_in_mb == "1769"
    assert 890_000 < context.get_remaining_time_in_millis() <= 900_000
    assert context.aws_request_id != functions.context("auto_matching").aws_request_id
    with pytest.raises(NotFound):
        functions.capability("nothing")
