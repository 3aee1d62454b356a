"""The queues of one machine: what SQS promises, kept in a file, and the functions they call as the template says."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from local.front_door import running_system
from local.front_door.functions import LocalFunctions
from local.front_door.http_event import WebReply, WebRequest
from local.front_door.queues import Deliveries, LocalQueues, SqsApi
from local.front_door.server import LocalServer
from local.template import Queue, QueueTrigger, local_deployment
from trueup.adapters.sqs_callback_queue import SqsCallbackQueue
from trueup.domain.callbacks import CallbackHint, CallbackSubject
from trueup.domain.errors import NotFound, QueueUnavailable
from trueup.domain.integrations import IntegrationName

QUEUE = Queue("work", visibility_seconds=60, retention_seconds=3600, dead_letters="dead", receives_maximum=3)
DEAD = Queue("dead", visibility_seconds=30, retention_seconds=36_000)
ROOT = Path(__file__).resolve().parents[2]


class Now:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def queues(tmp_path: Path, now: Now) -> LocalQueues:
    return LocalQueues(tmp_path / "queues.sqlite", [QUEUE, DEAD], now=now)


def bodies(queues: LocalQueues, name: str = "work", most: int = 10) -> list[str]:
    return [message.body for message in queues.receive(name, most)]


def test_messages_come_in_their_order_and_one_batch_at_a_time(queues: LocalQueues, now: Now) -> None:
    for number in range(5):
        queues.send("work", str(number))
        now.seconds += 1
    assert bodies(queues, most=3) == ["0", "1", "2"]
    assert bodies(queues, most=3) == ["3", "4"]
    assert bodies(queues) == []
    assert queues.count("work") == 5


def test_one_that_is_not_deleted_comes_again_after_its_time(queues: LocalQueues, now: Now) -> None:
    queues.send("work", "a")
    (first,) = queues.receive("work", 10)
    now.seconds += 59
    assert bodies(queues) == []
    now.seconds += 1
    (again,) = queues.receive("work", 10)
    assert (again.id, again.receives) == (first.id, 2)
    queues.delete([again.id])
    now.seconds += 60
    assert queues.count("work") == 0


@pytest.mark.fault("A17")
def test_A17_one_that_fails_too_often_lies_with_the_dead_letters_and_is_seen(queues: LocalQueues, now: Now) -> None:
    queues.send("work", "poison")
    for _ in range(3):
        assert bodies(queues) == ["poison"]
        now.seconds += 60
    assert bodies(queues) == []
    assert (queues.count("work"), queues.count("dead")) == (0, 1)
    assert bodies(queues, "dead") == ["poison"]


def test_what_nobody_took_is_forgotten_after_its_time(queues: LocalQueues, now: Now) -> None:
    queues.send("work", "a")
    now.seconds += 3601
    assert bodies(queues) == []
    assert queues.count("work") == 0


def test_another_process_finds_what_was_sent(queues: LocalQueues, tmp_path: Path, now: Now) -> None:
    queues.send("work", "kept")
    assert bodies(LocalQueues(tmp_path / "queues.sqlite", [QUEUE], now=now)) == ["kept"]
    assert (tmp_path / "queues.sqlite").stat().st_mode & 0o077 == 0


def test_a_kill_right_after_the_answer_loses_nothing(tmp_path: Path, now: Now) -> None:
    file = tmp_path / "queues.sqlite"
    program = (
        "import os, signal, sys; from pathlib import Path; from local.front_door.queues import LocalQueues; "
        "from local.template import Queue; queues = LocalQueues(Path(sys.argv[1]), [Queue('work', 60, 3600)]); "
        "queues.send('work', 'taken in'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(file)], cwd=ROOT, check=False)
    assert ended.returncode == -9
    assert LocalQueues(file, [QUEUE]).count("work") == 1


def test_a_queue_the_template_does_not_have_is_not_found(queues: LocalQueues) -> None:
    for call in (lambda: queues.send("other", "x"), lambda: queues.receive("other", 1)):
        with pytest.raises(NotFound):
            call()


@pytest.fixture
def served(queues: LocalQueues) -> Iterator[str]:
    api = SqsApi(queues)
    server = LocalServer(0, api.answer)
    server.start()
    yield server.url + api.path
    server.stop()


def hints(count: int) -> tuple[CallbackHint, ...]:
    return tuple(
        CallbackHint(IntegrationName.AUTOTASK, f"m-{number}", CallbackSubject.ACCOUNT, str(number))
        for number in range(count)
    )


def test_the_adapter_speaks_to_it_as_to_sqs(queues: LocalQueues, served: str) -> None:
    client = boto3.client("sqs", endpoint_url=served)
    queue = SqsCallbackQueue(client, queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/work")
    queue.put(hints(23))
    assert sorted(int(json.loads(body)["record_id"]) for body in bodies(queues, most=50)) == list(range(23))
    with pytest.raises(QueueUnavailable):
        SqsCallbackQueue(client, queue_url="https://sqs/1/unknown").put(hints(1))
    client.close()


def test_a_queue_that_is_away_or_takes_only_some_says_so(queues: LocalQueues) -> None:
    class Half:
        def send_message_batch(self, **request: Any) -> dict[str, Any]:
            return {"Successful": [], "Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError"}]}

    client: Any = Half()
    with pytest.raises(QueueUnavailable):
        SqsCallbackQueue(client, queue_url="work").put(hints(1))


def test_only_who_knows_the_address_may_send(queues: LocalQueues, served: str) -> None:
    headers = {"x-amz-target": "AmazonSQS.SendMessageBatch", "content-type": "application/x-amz-json-1.0"}
    order = {"QueueUrl": "work", "Entries": [{"Id": "0", "MessageBody": "x"}]}
    base = served.rpartition("/")[0]
    for url, more in ((f"{base}/guessed", {}), (served, {"origin": "https://evil.example"})):
        assert requests.post(url, json=order, headers=headers | more, timeout=10).status_code == 403
    other = headers | {"x-amz-target": "AmazonSQS.ReceiveMessage"}
    assert requests.post(served, json=order, headers=other, timeout=10).status_code == 400
    assert requests.post(served, data="no JSON", headers=headers, timeout=10).status_code == 400
    assert queues.count("work") == 0


class Functions:
    """Takes every message but those called bad; raises when told to."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.breaks = False

    def call(self, capability: str, event: Any) -> Any:
        from local.front_door.functions import FunctionFailed

        self.events.append(event)
        if self.breaks:
            raise FunctionFailed({"errorMessage": "broken"})
        failed = [record["messageId"] for record in event["Records"] if record["body"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def test_only_what_the_function_names_as_failed_comes_again(queues: LocalQueues, now: Now) -> None:
    functions = Functions()
    stand_in: Any = functions
    trigger = QueueTrigger("work", batch_size=10)
    deliveries = Deliveries(queues, stand_in, [])
    for body in ("good", "bad", "good"):
        queues.send("work", body)
    assert deliveries.deliver("account_refresh", trigger) == 3
    assert queues.count("work") == 1
    now.seconds += 60
    functions.breaks = True
    assert deliveries.deliver("account_refresh", trigger) == 1
    assert queues.count("work") == 1, "a function that breaks has taken nothing"
    (record,) = functions.events[-1]["Records"]
    assert record["attributes"]["ApproximateReceiveCount"] == "2"
    assert (record["eventSource"], record["body"]) == ("aws:sqs", "bad")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with running_system(home, schedules=False) as address:
        yield address


class TestTheWholeSystem:
    """`trueup serve`: the authorizer is asked, a callback ends in the queue, the queue calls its function."""

    def test_machines_need_a_key_here_too(self, url: str) -> None:
        made = requests.post(f"{url}/v1/api-keys", json={"name": "n", "scopes": ["plan:read"]}, timeout=10).json()
        plan = f"{url}/v1/psa/plan"
        assert requests.get(plan, timeout=10).status_code == 401
        assert requests.get(plan, headers={"x-api-key": "tu_x_y"}, timeout=10).status_code == 403
        found = requests.get(plan, headers={"x-api-key": made["key"]}, timeout=10)
        assert (found.status_code, found.json()["code"]) == (404, "not_found"), "let in, and there is no plan yet"
        requests.delete(f"{url}/v1/api-keys/{made['id']}", timeout=10)
        assert requests.get(plan, headers={"x-api-key": made["key"]}, timeout=10).status_code == 403

    def test_nobody_forges_a_callback(self, url: str) -> None:
        reply = requests.post(f"{url}/v1/callbacks/connectwise/token?recordId=1", json={"ID": 1}, timeout=10)
        assert (reply.status_code, reply.text) == (401, "")

    def test_this_machine_cannot_name_its_own_address(self, url: str) -> None:
        reply = requests.post(f"{url}/v1/callbacks", timeout=10)
        assert (reply.status_code, reply.json()["field"]) == (400, "url")

    def test_what_is_put_into_the_queue_reaches_the_function(self, url: str, home: Path) -> None:
        import os

        client = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL_SQS"])
        SqsCallbackQueue(client, queue_url="trueup-local-callbacks").put(hints(3))
        client.close()
        watched = LocalQueues(home / "queues.sqlite", local_deployment().queues())
        deadline = time.monotonic() + 20
        # No PSA is connected, so the function finds nothing to do and takes the hints.
        while watched.count("trueup-local-callbacks"):
            assert time.monotonic() < deadline
            watched.wait(0.05)
        assert watched.count("trueup-local-callbacks-failed") == 0


def test_every_queue_trigger_of_the_template_is_served_by_a_function_of_it() -> None:
    deployment = local_deployment()
    names = {queue.name for queue in deployment.queues()}
    functions = LocalFunctions(deployment.functions())
    triggers = [trigger for definition in functions for trigger in definition.queues]
    assert {trigger.queue for trigger in triggers} == {"trueup-local-callbacks"}
    assert {trigger.queue for trigger in triggers} <= names
    assert {queue.dead_letters for queue in deployment.queues()} - {None} <= names


def test_a_request_is_answered_in_the_form_that_boto3_reads(queues: LocalQueues) -> None:
    api = SqsApi(queues)
    body = json.dumps({"QueueUrl": "work", "Entries": [{"Id": "a", "MessageBody": "x"}]}).encode()
    headers = {"x-amz-target": "AmazonSQS.SendMessageBatch"}
    reply: WebReply = api.answer(WebRequest("POST", f"{api.path}/", headers, body, "127.0.0.1", "r", 1))
    document = json.loads(reply.body)
    assert document["Failed"] == []
    assert document["Successful"][0]["Id"] == "a"
