"""The real functions on real state with both vendors on loopback, set at a chosen point of the month.

Method: the month is played once through the handlers; what the table, the vault and the world hold after each step is
kept, and a test starts from a copy of its own. Must not: put a stand-in between a function and its store or vendor.
"""

from __future__ import annotations

import base64
import copy
import json
import logging
import shutil
import sys
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.cli.home import environment_of
from local.embedded_store import store_client
from local.front_door.functions import LocalFunctions, shared_environment
from local.front_door.http_event import RouteTable, WebReply, WebRequest, event_of, path_of
from local.front_door.queues import LocalQueues, SqsApi
from local.front_door.server import LocalServer
from local.simulators import ConnectWiseSimulator, MimecastSimulator, World, credentials, demo_world
from local.simulators.demo_world import SERVICE_TO_PRODUCT
from local.template import FunctionDefinition, local_deployment
from trueup import bootstrap
from trueup.ports.state_bundle import State
from trueup.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

LEVELS = ("empty", "connected", "begun", "read", "mapped", "proposed", "approved")
"""Points of the month, each with all before it: a run begun, both sides read, services mapped, a plan, its approval."""

PREPARER, APPROVER, ADMIN, VIEWER = (f"{name}@msp.example" for name in ("pat", "alex", "ada", "vic"))
CALLBACK_ID = base64.b64encode(b'{"arn":"execution","op":"wait"}').decode()

MIMECAST_FIELDS = {
    "client_id": credentials.MIMECAST_CLIENT_ID,
    "client_secret": credentials.MIMECAST_CLIENT_SECRET,
}
CONNECTWISE_FIELDS = {
    "company_id": credentials.CONNECTWISE_COMPANY_ID,
    "public_key": credentials.CONNECTWISE_PUBLIC_KEY,
    "private_key": credentials.CONNECTWISE_PRIVATE_KEY,
    "client_id": credentials.CONNECTWISE_CLIENT_ID,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the portal answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call that the portal made of the Lambda API."""

    path: str
    execution_name: str
    payload: Any


@dataclass
class LambdaService:
    """The Lambda API as far as the portal uses it: takes every call, remembers it, and carries nothing out."""

    calls: list[Invocation] = field(default_factory=list)
    waiting: set[str] = field(default_factory=lambda: {CALLBACK_ID})

    def answer(self, request: WebRequest) -> WebReply:
        path = path_of(request)
        name = request.headers.get("x-amz-durable-execution-name", "")
        self.calls.append(Invocation(path, name, json.loads(request.body or b"null")))
        if "durable-execution-callbacks" in path and path.split("/")[3] not in self.waiting:
            content = json.dumps({"Type": "User", "Message": "no such callback"}).encode()
            return WebReply(404, (("x-amzn-errortype", "ResourceNotFoundException"),), content)
        return WebReply(200 if "callbacks" in path else 202, (), b"")


@dataclass
class Kept:
    """What the stores held after a step, and the ids that the step gave rise to."""

    items: list[dict[str, Any]]
    vault: Path
    world: World
    facts: dict[str, Any]


class Stage:
    """The functions, the vendors and the state that a test has to itself."""

    def __init__(
        self, functions: LocalFunctions, routes: RouteTable, service: LambdaService, client: DynamoDBClient
    ) -> None:
        self.functions = functions
        self.lambda_service = service
        self.facts: dict[str, Any] = {}
        self.mimecast: MimecastSimulator
        self.connectwise: ConnectWiseSimulator
        self.vault: Path
        self.queues: LocalQueues
        self._routes = routes
        self._client = client

    @property
    def state(self) -> State:
        return bootstrap.state()

    @property
    def capabilities(self) -> list[str]:
        return [definition.capability for definition in self.functions]

    @property
    def world(self) -> World:
        return self.connectwise.world

    def call(self, capability: str, event: Any) -> Any:
        """Call a function as Lambda would. Raises FunctionFailed."""
        return self.functions.call(capability, event)

    def event(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        role: str | None = "admin",
        person: str = ADMIN,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
        machine: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The event of one request behind the JWT authorizer; ``role`` None is a token without any known group.

        ``machine`` is what the authorizer of machines said of a key, where there was one instead of a token.
        """
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        request = WebRequest(
            method=method,
            target=target,
            headers={"host": "api.example", "content-type": "application/json", **(headers or {})},
            body=content,
            source_address="192.0.2.7",
            request_id=str(uuid.uuid4()),
            local_port=443,
        )
        route = self._routes.match(method, path_of(request))
        assert route is not None, f"the template has no route {method} {target}"
        event = event_of(request, route)
        claims = {"sub": person, "email": person, **({} if role is None else {"cognito:groups": f"[{role}]"})}
        event["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
        if machine is not None:
            event["requestContext"]["authorizer"] = {"lambda": dict(machine)}
        return event

    def http(self, method: str, target: str, body: Any = None, **options: Any) -> Reply:
        """One request through the portal."""
        return self.answered(self.event(method, target, body, **options))

    def answered(self, event: dict[str, Any]) -> Reply:
        """The portal's answer to an event."""
        answer = self.call("portal", event)
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        return Reply(answer["statusCode"], headers, answer["body"])

    def ok(self, method: str, target: str, body: Any = None, **options: Any) -> Any:
        """The document of a request that must succeed."""
        reply = self.http(method, target, body, **options)
        assert reply.status < 300, f"{method} {target}: {reply.status} {reply.text}"
        return reply.json

    def everything_stored(self) -> list[dict[str, Any]]:
        """Every item of the table as it lies there, its content unpacked."""
        items = self._client.scan(TableName=settings().table, ConsistentRead=True)["Items"]
        plain: list[dict[str, Any]] = json.loads(json.dumps(items, default=_content_text))
        return plain

    # The steps of the month.

    def connect(self) -> None:
        body = {"address": self.mimecast.url, "fields": MIMECAST_FIELDS}
        self.ok("PUT", "/v1/integrations/mimecast", body)
        body = {"address": self.connectwise.url, "fields": CONNECTWISE_FIELDS}
        self.ok("PUT", "/v1/integrations/connectwise", body)

    def begin(self) -> None:
        run = self.ok("POST", "/v1/runs", role="preparer", person=PREPARER)
        self.facts |= {"run_id": run["id"], "period": run["period"]}

    def read(self) -> None:
        order = {"run_id": self.facts["run_id"], "actor": PREPARER}
        assert self.call("vendor_sync", order)["done"]
        assert self.call("psa_sync", order)["done"]

    def match_and_map(self) -> None:
        self.call("auto_matching", {"run_id": self.facts["run_id"]})
        for service, product in SERVICE_TO_PRODUCT.items():
            self.ok("PUT", f"/v1/service-mappings/{service}", {"product_id": product}, role="preparer", person=PREPARER)

    def propose(self) -> None:
        from trueup.usecases.monthly_run import note_waiting

        self.ok("POST", "/v1/integrations/mimecast/finish", role="preparer", person=PREPARER)
        found = self.call("reconciliation", {"run_id": self.facts["run_id"], "actor": PREPARER})
        assert found["waits_for_approval"]
        note_waiting(self.facts["run_id"], CALLBACK_ID, runs=self.state.runs, clock=bootstrap.clock())
        self.facts |= {"plan_id": found["plan_id"], "checksum": found["checksum"]}
        held = next(change for change in self.plan()["changes"] if change["guard"])
        self.facts["held_change_id"] = held["id"]

    def approve(self) -> None:
        path = f"/v1/plans/{self.facts['plan_id']}/approve"
        self.ok("POST", path, {"checksum": self.facts["checksum"]}, role="approver", person=APPROVER)

    def plan(self) -> Any:
        return self.ok("GET", f"/v1/plans/{self.facts['plan_id']}", role="viewer", person=VIEWER)

    def begin_level(self, level: str) -> None:
        """Do the step that leads to that level from the one before."""
        steps: dict[str, Callable[[], None]] = {
            "connected": self.connect,
            "begun": self.begin,
            "read": self.read,
            "mapped": self.match_and_map,
            "proposed": self.propose,
            "approved": self.approve,
        }
        if level in steps:
            steps[level]()


class _StandardOutput:
    """Standard output as it is now; a logger would hold on to the one of the test that was first."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


def _content_text(value: Any) -> str:
    """Stored content is compressed."""
    return zlib.decompress(bytes(value)).decode()


class Theater:
    """Everything that lasts for the whole session: the store's endpoint, the vendors, the loaded functions."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self._endpoint = endpoint
        self._client = store_client(endpoint)
        self._folder = folder
        self._definitions: tuple[FunctionDefinition, ...] = local_deployment().functions()
        self._functions = LocalFunctions(self._definitions)
        self._routes = RouteTable(self._definitions)
        self._kept: dict[str, Kept] = {}
        world = demo_world()
        self.mimecast, self.connectwise = MimecastSimulator(world), ConnectWiseSimulator(world)

    @contextmanager
    def stage(self, level: str) -> Iterator[Stage]:
        """A stage at that level, with state, vault and world of its own."""
        kept = self._at(level)
        with self._empty_stage(self._copy(kept.world)) as stage:
            self._fill(stage, kept)
            yield stage

    def load_functions(self) -> None:
        """Load every function, and have its log go to what is standard output at the time."""
        with self.stage("empty"):
            for definition in self._definitions:
                self._functions.handler(definition.capability)
                for handler in logging.getLogger(definition.capability).handlers:
                    if isinstance(handler, logging.StreamHandler):
                        handler.stream = _StandardOutput()

    def _at(self, level: str) -> Kept:
        """What there is at that level, played once and kept."""
        if level not in self._kept:
            position = LEVELS.index(level)
            before = self._at(LEVELS[position - 1]) if position else None
            world = demo_world() if before is None else self._copy(before.world)
            with self._empty_stage(world) as stage:
                if before is not None:
                    self._fill(stage, before)
                stage.begin_level(level)
                vault = self._folder / f"vault-{level}"
                if stage.vault.exists():
                    shutil.copytree(stage.vault, vault)
                items = self._client.scan(TableName=settings().table, ConsistentRead=True)["Items"]
                self._kept[level] = Kept(
                    [dict(item) for item in items], vault, self._copy(stage.world), copy.deepcopy(stage.facts)
                )
        return self._kept[level]

    @contextmanager
    def _empty_stage(self, world: World) -> Iterator[Stage]:
        name = uuid.uuid4().hex[:12]
        table = {**local_deployment().table(), "TableName": f"table-{name}"}
        self._client.create_table(**table)
        vault = self._folder / f"vault-of-{name}"
        service = LambdaService()
        queues = LocalQueues(self._folder / f"queues-of-{name}.sqlite", local_deployment().queues())
        sqs = SqsApi(queues)
        server, sqs_server = LocalServer(0, service.answer), LocalServer(0, sqs.answer)
        server.start()
        sqs_server.start()
        environment = shared_environment(self._definitions) | {
            "AWS_ENDPOINT_URL_DYNAMODB": self._endpoint,
            "AWS_ENDPOINT_URL_LAMBDA": server.url,
            "AWS_ENDPOINT_URL_SQS": sqs_server.url + sqs.path,
            "AWS_REGION": "eu-west-1",
            "POWERTOOLS_TRACE_DISABLED": "true",
            "TRUEUP_ALLOW_LOOPBACK": "1",
            "TRUEUP_TABLE": table["TableName"],
            "TRUEUP_VAULT_DIRECTORY": str(vault),
            # Nothing on this machine answers as SNS; the other channels are tried.
            "TRUEUP_NOTICE_TOPIC": "",
        }
        before = self._set_world(world)
        with environment_of(environment):
            bootstrap.reset()
            stage = Stage(self._functions, self._routes, service, self._client)
            stage.mimecast, stage.connectwise, stage.vault = self.mimecast, self.connectwise, vault
            stage.queues = queues
            try:
                yield stage
            finally:
                bootstrap.reset()
                self._set_world(before)
                server.stop()
                sqs_server.stop()
                self._client.delete_table(TableName=table["TableName"])

    def _set_world(self, world: World) -> World:
        """Have both vendors serve that world, without a fault; returns the one they served."""
        before = self.connectwise.world
        for simulator in (self.mimecast, self.connectwise):
            simulator.world = world
            simulator.faults.clear()
            simulator.requests.clear()
        return before

    def _fill(self, stage: Stage, kept: Kept) -> None:
        table = settings().table
        for start in range(0, len(kept.items), 25):
            requests: Any = [{"PutRequest": {"Item": item}} for item in kept.items[start : start + 25]]
            left = self._client.batch_write_item(RequestItems={table: requests})["UnprocessedItems"]
            assert not left
        if kept.vault.exists():
            shutil.copytree(kept.vault, stage.vault)
        stage.facts = copy.deepcopy(kept.facts)

    def _copy(self, world: World) -> World:
        path = self._folder / "world.json"
        world.save(path)
        return World.load(path)


def require_problem(reply: Reply, status: int, code: str) -> dict[str, Any]:
    """The reply is an error in the one shape there is. Returns the document."""
    assert reply.status == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = reply.json
    assert document["code"] == code, document
    assert document["status"] == status
    assert document["type"] == f"urn:trueup:problem:{code}"
    assert document["title"]
    assert document["detail"]
    assert document["remedy"]
    assert document["request_id"] == reply.headers["x-request-id"] != ""
    return document


@contextmanager
def unhurried_vendors() -> Iterator[None]:
    """Lift the pace that is kept for a real ConnectWise; how that pace is kept is tested with the adapter."""
    patch = pytest.MonkeyPatch()
    patch.setattr("trueup.adapters.connectwise.billing.REQUESTS_PER_SECOND", 10_000)
    try:
        yield
    finally:
        patch.undo()
