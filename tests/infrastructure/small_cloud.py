"""The stack on loopback: built functions under the real runtime client, behind a gate that enforces their roles.

Method: every function process gets its own AWS endpoint. The gate reads which action on which resource a call is, looks
it up in that function's role, and passes it on or answers AccessDenied. State goes to the embedded store, secrets to
ministack, durable executions to AWS's own local runner, which calls the functions back through here.
Must not: run a function from the source tree, or allow what the template does not.
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote

import boto3
import requests
from aws_durable_execution_sdk_python_testing.child_dispatcher import FunctionConfigs
from aws_durable_execution_sdk_python_testing.runner import WebRunner, WebRunnerConfig
from aws_durable_execution_sdk_python_testing.web.server import WebServiceConfig

from local.embedded_store import running_store
from local.front_door.queues import LocalQueues, SqsApi
from local.front_door.server import LocalServer
from local.template import Deployment, FunctionDefinition
from tests.infrastructure.lambda_runtime import Answer, ExecutionEnvironment, prepare_import_path
from tests.infrastructure.template_reading import (
    ACCOUNT_SCOPE,
    TENANT,
    Grant,
    grants,
    is_allowed,
    resolve,
    resources,
    role_of,
)

RUNNER = "runner"  # The caller's name that AWS's local runner has; it stands for the Lambda service itself.
TRANSACTION_ACTIONS = {
    "Put": "PutItem",
    "Delete": "DeleteItem",
    "Update": "UpdateItem",
    "ConditionCheck": "ConditionCheckItem",
}
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """One AWS call of one function as it came over the socket."""

    caller: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def target(self) -> str:
        """`Service.Operation` of the JSON services, empty for Lambda."""
        return self.headers.get("X-Amz-Target", "")


PUBLISHED = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
    b"<MessageId>94f20ce6-13c5-43a0-9a9e-ca52d816e90b</MessageId></PublishResult></PublishResponse>"
)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class SmallCloud:
    """One tenant's stack. `denied` lists what the roles did not allow; `used` what each function did use."""

    def __init__(
        self, build: Path, folder: Path, store_url: str, secrets_url: str, queues_url: str, runner_url: str
    ) -> None:
        self._build = build
        self._folder = folder
        self._import_path = prepare_import_path(build / "CoreLayer" / "python", folder)
        self._store_url = store_url
        self._secrets_url = secrets_url
        self._queues_url = queues_url
        self._runner_url = runner_url
        self._definitions = {item.capability: item for item in Deployment({"Tenant": TENANT}).functions()}
        self._grants = {name: list(grants(role_of(name))) for name in self._definitions}
        self._lock = threading.Lock()
        self.url = ""
        self.queues: LocalQueues
        self.denied: list[tuple[str, Grant]] = []
        self.used: set[tuple[str, str]] = set()
        self.messages: list[Mapping[str, str]] = []
        self._free: dict[str, list[ExecutionEnvironment]] = {}
        self._environments: list[ExecutionEnvironment] = []

    def run(self, capability: str, event: Any) -> Answer:
        """Have the built function answer the event in a warm environment that is free, or in a new one."""
        with self._lock:
            free = self._free.setdefault(capability, [])
            environment = free.pop() if free else None
        if environment is None:
            environment = self._start_environment(self._definitions[capability])
        answer = environment.answer(event)
        with self._lock:
            self._free[capability].append(environment)
        return answer

    def start(self, capability: str, event: Any, *, name: str) -> str:
        """Start a durable execution as the scheduler would. Returns its ARN."""
        path = f"/2015-03-31/functions/{self._definitions[capability].name}:live/invocations"
        headers = {"X-Amz-Invocation-Type": "Event", "X-Amz-Durable-Execution-Name": name}
        return self.answer(Call(RUNNER, path, headers, json.dumps(event).encode())).headers[
            "X-Amz-Durable-Execution-Arn"
        ]

    def status(self, execution_arn: str) -> str:
        """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or STOPPED."""
        url = f"{self._runner_url}/2025-12-01/durable-executions/{quote(execution_arn, safe='')}"
        found: str = requests.get(url, timeout=10).json()["Status"]
        return found

    def _start_environment(self, definition: FunctionDefinition) -> ExecutionEnvironment:
        with self._lock:
            number = len(self._environments)
            environment = ExecutionEnvironment(
                self._build / definition.logical_id,
                self._import_path,
                self._environment(definition),
                timeout_seconds=definition.timeout_seconds,
                log=self._folder / f"{number}-{definition.capability}.log",
            )
            self._environments.append(environment)
            return environment

    @property
    def log(self) -> str:
        """Everything that all functions logged."""
        return "\n".join(environment.log for environment in self._environments)

    def stop(self) -> None:
        for environment in self._environments:
            environment.stop()

    def _environment(self, definition: FunctionDefinition) -> dict[str, str]:
        return {
            **definition.environment,
            "TRUEUP_ALLOW_LOOPBACK": "1",  # The vendors are simulators on this machine.
            "AWS_LAMBDA_FUNCTION_NAME": definition.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_ENDPOINT_URL": f"{self.url}/{definition.capability}",
            "POWERTOOLS_TRACE_DISABLED": "1",
        }

    def capability_of(self, function_name: str) -> str:
        """The capability of a function's name, ARN or alias. Raises KeyError for a stranger."""
        bare = function_name.split(":function:")[-1].split(":")[0]
        return {item.name: name for name, item in self._definitions.items()}[bare]

    def answer(self, call: Call) -> Reply:
        """Pass the call on when the caller's role allows it."""
        if call.caller != RUNNER:
            for attempt in wanted(call):
                self.used.add((call.caller, attempt.action))
                if not is_allowed(self._grants[call.caller], attempt):
                    self.denied.append((call.caller, attempt))
                    return error(403 if not call.target else 400, "AccessDeniedException", str(attempt))
        if call.target.startswith("DynamoDB_"):
            return forward(self._store_url, call)
        if call.target.startswith("secretsmanager."):
            return forward(self._secrets_url, call)
        if call.target.startswith("AmazonSQS."):
            return forward(self._queues_url, call, path="")
        if (message := published(call)) is not None:
            self.messages.append(message)
            return Reply(200, PUBLISHED, {"Content-Type": "text/xml"})
        invocation = re.fullmatch(r"/2015-03-31/functions/([^/]+)/invocations", call.path.split("?")[0])
        if invocation is None:
            return forward(self._runner_url, call)
        return self._invoke(unquote(invocation[1]), call)

    def _invoke(self, function_name: str, call: Call) -> Reply:
        capability = self.capability_of(function_name)
        event = json.loads(call.body or b"null")
        if self._definitions[capability].durable and call.headers.get("X-Dex-Handler-Invoke") != "true":
            return self._start_execution(capability, event, call)
        result = self.run(capability, event)
        headers = {"X-Amz-Executed-Version": "$LATEST"} | (
            {"X-Amz-Function-Error": "Unhandled"} if result.is_error else {}
        )
        return Reply(200, json.dumps(result.payload).encode(), headers)

    def _start_execution(self, capability: str, event: Any, call: Call) -> Reply:
        definition = self._definitions[capability]
        started = requests.post(
            f"{self._runner_url}/start-durable-execution",
            json={
                "AccountId": "123456789012",
                "FunctionName": definition.name,
                "FunctionQualifier": "$LATEST",
                "ExecutionName": call.headers["X-Amz-Durable-Execution-Name"],
                "ExecutionTimeoutSeconds": definition.durable["ExecutionTimeout"],
                "ExecutionRetentionPeriodDays": definition.durable["RetentionPeriodInDays"],
                "InvocationId": call.headers["X-Amz-Durable-Execution-Name"],
                "Input": json.dumps(event),
            },
            timeout=10,
        )
        if started.status_code == 409:
            return error(409, "DurableExecutionAlreadyStartedException", started.text)
        assert started.status_code == 201, started.text
        return Reply(202, b"", {"X-Amz-Durable-Execution-Arn": started.json()["ExecutionArn"]})


def published(call: Call) -> Mapping[str, str] | None:
    """The fields of a message to a topic; None for any other call. SNS speaks in forms and XML."""
    if not call.body.startswith(b"Action=Publish&"):
        return None
    return {name: values[0] for name, values in parse_qs(call.body.decode()).items()}


def function_arn(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:lambda:{ACCOUNT_SCOPE}:function:{name}"


def wanted(call: Call) -> list[Grant]:
    """What the call needs, as IAM sees it."""
    body = json.loads(call.body or b"{}") if call.target else {}
    service, _, operation = call.target.partition(".")
    if service.startswith("DynamoDB_"):
        return _wanted_of_table(operation, body)
    if service == "AmazonSQS":
        name = str(body["QueueUrl"]).rpartition("/")[2]
        return [Grant("sqs:SendMessage", f"arn:aws:sqs:{ACCOUNT_SCOPE}:{name}", "")]
    if service == "secretsmanager":
        name = str(body["SecretId"])
        resource = name if name.startswith("arn:") else f"arn:aws:secretsmanager:{ACCOUNT_SCOPE}:secret:{name}-AbCdEf"
        return [Grant(f"secretsmanager:{operation}", resource, "")]
    if (message := published(call)) is not None:
        topic = message["TopicArn"].rpartition(":")[2]
        return [Grant("sns:Publish", f"arn:aws:sns:{ACCOUNT_SCOPE}:{topic}", "")]
    parts = [unquote(part) for part in call.path.split("?")[0].strip("/").split("/")]
    executions = f"{function_arn(f'trueup-{TENANT}-monthly-run')}:1/durable-execution/any/any"
    match parts:
        case ["2015-03-31", "functions", name, "invocations"]:
            return [Grant("lambda:InvokeFunction", function_arn(name), "")]
        case ["2025-12-01", "durable-executions", *_, "checkpoint"]:
            return [Grant("lambda:CheckpointDurableExecution", executions, "")]
        case ["2025-12-01", "durable-executions", *_, "state"]:
            return [Grant("lambda:GetDurableExecutionState", executions, "")]
        case ["2025-12-01", "durable-execution-callbacks", _, "succeed"]:
            return [Grant("lambda:SendDurableExecutionCallbackSuccess", executions, "")]
    raise AssertionError(f"nobody has said what {call.path} needs")


def _wanted_of_table(operation: str, body: Mapping[str, Any]) -> list[Grant]:
    def grant(action: str, table: str, index: str = "") -> Grant:
        arn = f"arn:aws:dynamodb:{ACCOUNT_SCOPE}:table/{table}"
        return Grant(f"dynamodb:{action}", f"{arn}/index/{index}" if index else arn, "")

    if operation == "TransactWriteItems":
        return [
            grant(TRANSACTION_ACTIONS[kind], request["TableName"])
            for item in body["TransactItems"]
            for kind, request in item.items()
        ]
    if operation in ("BatchGetItem", "BatchWriteItem"):
        return [grant(operation, table) for table in body["RequestItems"]]
    return [grant(operation, body["TableName"], body.get("IndexName", ""))]


def error(status: int, code: str, message: str) -> Reply:
    return Reply(status, json.dumps({"__type": code, "message": message}).encode(), {"X-Amzn-ErrorType": code})


def forward(base_url: str, call: Call, path: str | None = None) -> Reply:
    headers = {name: value for name, value in call.headers.items() if name.lower() not in ("host", "connection")}
    method = "POST" if call.body or call.target or not call.path.split("?")[0].endswith("/state") else "GET"
    url = base_url + (call.path if path is None else path)
    got = requests.request(method, url, data=call.body, headers=headers, timeout=30)
    kept = {
        name: got.headers[name] for name in ("Content-Type", "X-Amzn-ErrorType", "x-amz-crc32") if name in got.headers
    }
    return Reply(got.status_code, got.content, kept)


def handler_class(cloud: SmallCloud) -> type[BaseHTTPRequestHandler]:
    class Gate(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            caller, _, path = self.path.removeprefix("/").partition("/")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.title(): value for name, value in self.headers.items()}
            reply = cloud.answer(Call(caller, f"/{path}", headers, body))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the parent's name
            """Calls are not worth a line."""

    return Gate


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_secrets_manager(folder: Path) -> Iterator[str]:
    """ministack with Secrets Manager alone, on loopback, with the stack's secrets made and empty."""
    port = free_port()
    settings = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "SERVICES": "secretsmanager",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env={**os.environ, **settings},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_answering(f"{url}/_ministack/health", process)
        client = boto3.client("secretsmanager", endpoint_url=url, region_name="eu-west-1")
        for body in resources("AWS::SecretsManager::Secret").values():
            client.create_secret(Name=resolve(body["Properties"]["Name"]))
        yield url
    finally:
        process.kill()
        process.wait()


def wait_until_answering(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "it ended while starting"
        try:
            if requests.get(url, timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.05)
    raise AssertionError(f"{url} did not answer in {START_SECONDS} s")


@contextmanager
def running_cloud(build: Path, folder: Path) -> Iterator[SmallCloud]:
    """Everything started, and stopped again at the end of the block."""
    with ExitStack() as stack:
        deployment = Deployment({"Tenant": TENANT})
        store_url = stack.enter_context(running_store(folder / "store", table=deployment.table()))
        secrets_url = stack.enter_context(running_secrets_manager(folder))
        runner_port = free_port()
        queues = LocalQueues(folder / "queues.sqlite", deployment.queues())
        sqs = SqsApi(queues)
        sqs_server = LocalServer(0, sqs.answer)
        sqs_server.start()
        stack.callback(sqs_server.stop)
        queues_url = sqs_server.url + sqs.path
        cloud = SmallCloud(build, folder, store_url, secrets_url, queues_url, f"http://127.0.0.1:{runner_port}")
        cloud.queues = queues
        stack.callback(cloud.stop)
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler_class(cloud))
        server.daemon_threads = True
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cloud.url = f"http://127.0.0.1:{server.server_address[1]}"
        runner = WebRunner(
            WebRunnerConfig(
                web_service=WebServiceConfig(host="127.0.0.1", port=runner_port),
                lambda_endpoint=f"{cloud.url}/{RUNNER}",
                local_runner_region="eu-west-1",
                skip_time=True,
                function_configs=FunctionConfigs.from_dict({item.name: {} for item in deployment.functions()}),
            )
        )
        stack.enter_context(runner)
        threading.Thread(target=runner.serve_forever, daemon=True).start()
        yield cloud
