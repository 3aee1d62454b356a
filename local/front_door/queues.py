"""The queues of the template on one machine: kept in a file, offered as SQS, and delivered to the function they call.

Method: messages lie in SQLite, so that ``kill -9`` loses none; one that a function did not take comes again after its
visibility time, and after so many failures it lies with the dead letters, as the template says. The requests of boto3
are understood. Must not: deliver a message that is out already, or forget one that was taken in.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.front_door.functions import FunctionFailed, LocalFunctions
from local.front_door.http_event import WebReply, WebRequest
from local.template import PSEUDO_PARAMETERS, Queue, QueueTrigger
from trueup.domain.errors import NotFound

LOOK_SECONDS = 5.0
"""How long a message whose visibility time has passed may wait at most; a new one is delivered at once."""

_TABLE = """
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY, queue TEXT NOT NULL, body TEXT NOT NULL, sent_at REAL NOT NULL, visible_at REAL NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0
)
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """One message that was received for the so manieth time."""

    id: str
    body: str
    sent_at: float
    receives: int


class LocalQueues:
    """All queues, in one file. ``now`` gives seconds since the epoch."""

    def __init__(self, file: Path, queues: Iterable[Queue], *, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._queues = {queue.name: queue for queue in queues}
        self._now = now
        self._lock = threading.Lock()
        self._arrived = threading.Condition()
        with self._open() as database:
            database.execute(_TABLE)
        file.chmod(0o600)

    def send(self, name: str, body: str) -> str:
        """Keep a message; returns its id. Raises NotFound for a queue that the template does not have."""
        self._queue(name)
        message_id = str(uuid.uuid4())
        with self._open() as database:
            row = (message_id, name, body, self._now(), self._now())
            database.execute("INSERT INTO messages (id, queue, body, sent_at, visible_at) VALUES (?, ?, ?, ?, ?)", row)
        with self._arrived:
            self._arrived.notify_all()
        return message_id

    def receive(self, name: str, most: int) -> list[Message]:
        """Up to so many messages that nobody else has now. What has failed too often goes to the dead letters."""
        queue, now = self._queue(name), self._now()
        received: list[Message] = []
        with self._open() as database:
            database.execute(
                "DELETE FROM messages WHERE queue = ? AND sent_at < ?", (name, now - queue.retention_seconds)
            )
            rows = database.execute(
                "SELECT id, body, sent_at, receives FROM messages WHERE queue = ? AND visible_at <= ? ORDER BY sent_at",
                (name, now),
            ).fetchall()
            for message_id, body, sent_at, receives in rows:
                if queue.dead_letters is not None and receives >= (queue.receives_maximum or 0):
                    database.execute(
                        "UPDATE messages SET queue = ?, visible_at = ?, receives = 0 WHERE id = ?",
                        (queue.dead_letters, now, message_id),
                    )
                elif len(received) < most:
                    database.execute(
                        "UPDATE messages SET visible_at = ?, receives = receives + 1 WHERE id = ?",
                        (now + queue.visibility_seconds, message_id),
                    )
                    received.append(Message(message_id, body, sent_at, receives + 1))
        return received

    def delete(self, message_ids: Iterable[str]) -> None:
        with self._open() as database:
            database.executemany("DELETE FROM messages WHERE id = ?", [(message_id,) for message_id in message_ids])

    def count(self, name: str) -> int:
        """How many messages are in the queue, those that are out for delivery too."""
        with self._open() as database:
            (found,) = database.execute("SELECT COUNT(*) FROM messages WHERE queue = ?", (name,)).fetchone()
        return int(found)

    def wait(self, seconds: float) -> None:
        """Until something arrives, or so long."""
        with self._arrived:
            self._arrived.wait(seconds)

    def wake(self) -> None:
        with self._arrived:
            self._arrived.notify_all()

    def _queue(self, name: str) -> Queue:
        if name not in self._queues:
            raise NotFound(f"there is no queue {name[:80]!r}", remedy="Use a name that template.yaml gives.")
        return self._queues[name]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One transaction, written through to the disk."""
        with self._lock:
            database = sqlite3.connect(self._file)
            try:
                database.execute("PRAGMA synchronous = FULL")
                with database:
                    yield database
            finally:
                database.close()


class Deliveries:
    """One thread for each queue that calls a function."""

    def __init__(
        self, queues: LocalQueues, functions: LocalFunctions, triggers: Iterable[tuple[str, QueueTrigger]]
    ) -> None:
        """``triggers`` are capabilities with the queue that calls them."""
        self._queues = queues
        self._functions = functions
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=pair, name=f"queue-{pair[0]}", daemon=True) for pair in triggers
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._queues.wake()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=5)

    def deliver(self, capability: str, trigger: QueueTrigger) -> int:
        """Hand one batch to the function; returns how many messages it had. What it names as failed stays."""
        batch = self._queues.receive(trigger.queue, trigger.batch_size)
        if not batch:
            return 0
        try:
            answer = self._functions.call(capability, event_of(batch, trigger.queue))
        except FunctionFailed as failed:
            logger.error("%s failed, its messages come again: %s", capability, failed)
            return len(batch)
        failures = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        self._queues.delete([message.id for message in batch if message.id not in failures])
        return len(batch)

    def _watch(self, capability: str, trigger: QueueTrigger) -> None:
        while not self._stopping.is_set():
            if not self.deliver(capability, trigger):
                self._queues.wait(LOOK_SECONDS)


def event_of(batch: Iterable[Message], queue: str) -> dict[str, Any]:
    """The event that Lambda makes of a batch of messages."""
    region, account = PSEUDO_PARAMETERS["AWS::Region"], PSEUDO_PARAMETERS["AWS::AccountId"]
    return {
        "Records": [
            {
                "messageId": message.id,
                "receiptHandle": message.id,
                "body": message.body,
                "attributes": {
                    "ApproximateReceiveCount": str(message.receives),
                    "SentTimestamp": str(int(message.sent_at * 1000)),
                },
                "messageAttributes": {},
                "md5OfBody": _digest(message.body),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{region}:{account}:{queue}",
                "awsRegion": region,
            }
            for message in batch
        ]
    }


class SqsApi:
    """The part of the SQS API that the product calls, under an address that only this process knows."""

    def __init__(self, queues: LocalQueues) -> None:
        self._queues = queues
        self._key = secrets.token_urlsafe(24)

    @property
    def path(self) -> str:
        """What the address of this API ends with."""
        return f"/{self._key}"

    def answer(self, request: WebRequest) -> WebReply:
        """The reply to one request of an AWS client."""
        path = request.target.partition("?")[0].rstrip("/")
        if not secrets.compare_digest(path, self.path) or "origin" in request.headers:
            return _error(403, "AccessDenied", "this address is for the local functions only")
        if request.headers.get("x-amz-target") != "AmazonSQS.SendMessageBatch":
            return _error(400, "InvalidAction", "this part of the SQS API is not on this machine")
        try:
            order: Mapping[str, Any] = json.loads(request.body)
            name = str(order["QueueUrl"]).rpartition("/")[2]
            sent = [self._sent(name, entry) for entry in order["Entries"]]
        except (ValueError, KeyError, TypeError):
            return _error(400, "InvalidParameterValue", "the request is not one of SendMessageBatch")
        except NotFound as unknown:
            return _error(400, "QueueDoesNotExist", unknown.message)
        return _json(200, {"Successful": sent, "Failed": []})

    def _sent(self, name: str, entry: Mapping[str, Any]) -> dict[str, str]:
        body = str(entry["MessageBody"])
        return {
            "Id": str(entry["Id"]),
            "MessageId": self._queues.send(name, body),
            "MD5OfMessageBody": _digest(body),
        }


def _digest(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def _json(status: int, document: dict[str, Any], *headers: tuple[str, str]) -> WebReply:
    kind = ("content-type", "application/x-amz-json-1.0")
    return WebReply(status, (kind, *headers), json.dumps(document).encode())


def _error(status: int, code: str, message: str) -> WebReply:
    return _json(status, {"__type": f"com.amazonaws.sqs#{code}", "message": message})
