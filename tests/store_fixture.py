"""The state that tests run on: fakes, or the real adapter on the embedded store of this machine.

Method: one store process for a session and a tenant of its own for each test, which also shows that tenants are apart.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.embedded_store import running_store, store_client
from local.template import local_deployment
from tests.fakes.clock import FakeClock
from tests.fakes.state import fake_state
from trueup.adapters.dynamodb.state import open_state, state_on
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.ports.state_bundle import State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

TABLE_NAME: str = local_deployment().table()["TableName"]


@dataclass
class RecordingClient:
    """The real client with every call noted. ``before`` may raise or answer in its stead, ``after`` may lose a reply.

    ``before`` gets the operation and the request and returns None to let the call through.
    """

    client: DynamoDBClient
    calls: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    before: Callable[[str, dict[str, Any]], dict[str, Any] | None] = lambda operation, request: None
    after: Callable[[str], None] = lambda operation: None

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        def call(**request: Any) -> dict[str, Any]:
            self.calls.append(operation)
            self.requests.append(request)
            answer = self.before(operation, request)
            if answer is None:
                answer = getattr(self.client, operation)(**request)
                self.after(operation)
            return answer

        return call


@dataclass(frozen=True)
class StateSubject:
    """One kind of state. ``reopen`` opens the same tenant again, as another process would."""

    kind: str
    state: State
    clock: FakeClock
    reopen: Callable[[], State]
    client: RecordingClient | None


@pytest.fixture(scope="session")
def store_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home: Path = tmp_path_factory.mktemp("store")
    with running_store(home) as endpoint_url:
        yield endpoint_url


@pytest.fixture(scope="session")
def dynamodb_client(store_endpoint: str) -> DynamoDBClient:
    return store_client(store_endpoint)


@pytest.fixture
def tenant() -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def client(dynamodb_client: DynamoDBClient) -> RecordingClient:
    return RecordingClient(dynamodb_client)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def table(client: Any, tenant: str, clock: FakeClock) -> DynamoDbTable:
    return DynamoDbTable(client, TABLE_NAME, tenant, clock)


@pytest.fixture
def stored(table: DynamoDbTable) -> State:
    """The real state, behind a client that can be made to fail."""
    return state_on(table)


@pytest.fixture(params=["fake", "table"])
def subject(request: pytest.FixtureRequest, clock: FakeClock, tenant: str) -> StateSubject:
    if request.param == "fake":
        state = fake_state(clock)
        return StateSubject("fake", state, clock, lambda: state, None)
    recording = RecordingClient(request.getfixturevalue("dynamodb_client"))
    client: Any = recording

    def reopen() -> State:
        return open_state(client, table_name=TABLE_NAME, tenant=tenant, clock=clock)

    return StateSubject("table", reopen(), clock, reopen, recording)


@pytest.fixture
def state(subject: StateSubject) -> State:
    return subject.state
