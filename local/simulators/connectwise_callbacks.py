"""Callbacks of the simulated ConnectWise: their registration, the key that signs them, and sending them.

Documented: what a registration holds, that the record's id and the action are appended to the address, the signature,
and when a delivery is tried again. Seen in the field: the body. Guessed: the path of the key, and that an edit of an
addition calls back as its agreement (a switch). Only addresses on loopback are ever called.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.simulators.connectwise_records import agreement_record, company_record
from local.simulators.credentials import CONNECTWISE_COMPANY_ID, CONNECTWISE_SIGNING_KEY
from local.simulators.messages import Reply, Request, json_reply, to_json
from local.simulators.world import World, WriteRecord

if TYPE_CHECKING:
    from local.simulators.connectwise import ConnectWiseSimulator

KEY_PATH = "/v4_6_release/services/callback/api/keys/0a1b2c"
OWN_MEMBER = "ApiMimecast"
"""The API member that calls; what it changed itself is not called back where the registration says so."""

RETRIED_STATUSES = (404, 409, 419, 429)
RETRY_WAITS_SECONDS = (2.0, 4.0)
TIMEOUT_SECONDS = 5.0
DELIVERIES = ("once", "twice", "reversed", "stale")
_LOOPBACK = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}/[!-~]*", re.ASCII)
_KINDS = ("agreement", "company")


@dataclass(frozen=True, slots=True)
class Change:
    """One edit of a record: which, when, by whom."""

    kind: str
    record_id: int
    last_updated: str
    updated_by: str
    added: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery: where it went, and the status of the answer (0: none came)."""

    url: str
    body: bytes
    status: int


class CallbackSender:
    """Notices what changed in the world and tells whoever registered.

    ``delivery`` is how: once; twice (each message is sent again); reversed (newest first); stale (after a message the
    one before it is sent again). ``sent`` lists the deliveries.
    """

    def __init__(self, world: World, *, addition_edits_count: bool = True) -> None:
        self.delivery = "once"
        self.addition_edits_count = addition_edits_count
        self.retry_waits_seconds = RETRY_WAITS_SECONDS
        self.sent: list[Sent] = []
        self._world = world
        self._lock = threading.Lock()
        self._seen = self._marks()

    def changes(self) -> list[Change]:
        """What was edited since the last call, oldest first."""
        with self._lock:
            before, self._seen = self._seen, self._marks()
            found = [
                Change(kind, record_id, mark[0], mark[1], (kind, record_id) not in before)
                for (kind, record_id), mark in self._seen.items()
                if before.get((kind, record_id)) != mark
            ]
        return sorted(found, key=lambda one: (one.last_updated, one.kind, one.record_id))

    def messages(self, base_url: str) -> list[tuple[str, bytes]]:
        """The address and the body of each message that the changes are due, in the order of the delivery switch."""
        due: list[tuple[str, bytes]] = []
        changes = self.changes()
        with self._world.lock:
            for change in changes:
                due += [self._message(change, callback, base_url) for callback in self._listening(change)]
        if self.delivery == "twice":
            return [message for message in due for _ in range(2)]
        if self.delivery == "reversed":
            return due[::-1]
        if self.delivery == "stale":
            return [message for index, one in enumerate(due) for message in (one, *due[max(index - 1, 0) : index])]
        return due

    def deliver(self, base_url: str, stopping: threading.Event) -> None:
        """Send what is due, each until it is taken or given up."""
        for url, body in self.messages(base_url):
            for wait_seconds in (*self.retry_waits_seconds, None):
                status = post(url, body)
                self.sent.append(Sent(url, body, status))
                if status not in RETRIED_STATUSES or wait_seconds is None or stopping.wait(wait_seconds):
                    break

    def _marks(self) -> dict[tuple[str, int], tuple[str, str]]:
        world = self._world
        with world.lock:
            marks = {("company", one.id): (one.last_updated, one.updated_by) for one in world.companies.values()}
            for agreement in world.agreements.values():
                edits = [(agreement.last_updated, agreement.updated_by)]
                if self.addition_edits_count:
                    edits += [(line.last_updated, line.updated_by) for line in world.lines_of(agreement.id)]
                marks["agreement", agreement.id] = max(edits)
        return marks

    def _listening(self, change: Change) -> Iterator[dict[str, Any]]:
        for callback in self._world.callbacks:
            if callback["inactiveFlag"] or callback["type"].casefold() != change.kind:
                continue
            if callback["isSelfSuppressedFlag"] and change.updated_by == OWN_MEMBER:
                continue
            if callback["level"].casefold() == "owner" or callback["objectId"] == change.record_id:
                yield callback

    def _message(self, change: Change, callback: dict[str, Any], base_url: str) -> tuple[str, bytes]:
        action = "added" if change.added else "updated"
        body = callback_body(self._world, change, action, callback["id"], base_url)
        return f"{callback['url']}{change.record_id}&action={action}", body


def callback_body(world: World, change: Change, action: str, callback_id: int, base_url: str) -> bytes:
    """The message as it is sent: the record is text inside of it."""
    if change.kind == "company":
        record = company_record(world.companies[change.record_id])
    else:
        record = agreement_record(world, world.agreements[change.record_id])
        # The copy in the message carries the time of the edit that is told of.
        record["_info"] = {"lastUpdated": change.last_updated, "updatedBy": change.updated_by}
    return to_json(
        {
            "MessageId": str(uuid.uuid4()),
            "FromUrl": base_url.partition("://")[2],
            "CompanyId": CONNECTWISE_COMPANY_ID,
            "MemberId": OWN_MEMBER,
            "Action": action,
            "Type": change.kind,
            "ID": change.record_id,
            "ProductInstanceId": None,
            "PartnerId": None,
            "Entity": json.dumps(record, separators=(",", ":")),
            "Metadata": {"key_url": f"{base_url}{KEY_PATH}"},
            "CallbackObjectRecId": callback_id,
        }
    )


def signature(body: bytes, signing_key: str = CONNECTWISE_SIGNING_KEY) -> str:
    """What goes into ``x-content-signature``: HMAC-SHA256 under the SHA-256 of the key's text, in base64."""
    key = hashlib.sha256(signing_key.encode()).digest()
    return base64.b64encode(hmac.new(key, body, hashlib.sha256).digest()).decode("ascii")


def post(url: str, body: bytes) -> int:
    """Deliver one message; the status of the answer, 0 when none came. Addresses off loopback are not called."""
    if _LOOPBACK.fullmatch(url) is None:
        return 0
    headers = {"Content-Type": "application/json", "x-content-signature": signature(body)}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - loopback, above
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


# Registration.


def list_callbacks(simulator: ConnectWiseSimulator, request: Request, _record: WriteRecord | None) -> Reply:
    callbacks = {one["id"]: one for one in simulator.world.callbacks}
    return simulator.page_of(request, sorted(callbacks), lambda key: callbacks[key])


def one_callback(simulator: ConnectWiseSimulator, request: Request, _record: WriteRecord | None, key: int) -> Reply:
    return simulator.one(request, _find(simulator.world, key), f"Callback {key}")


def post_callback(simulator: ConnectWiseSimulator, request: Request, record: WriteRecord) -> Reply:
    world, body = simulator.world, _json(request.body)
    if not isinstance(body, dict):
        return simulator.error_reply(400, "InvalidObject", "callback object is invalid")
    for name in ("url", "objectId", "type", "level"):
        if name not in body:
            return _invalid(name, f"The field {name} is required.")
    if not isinstance(body["type"], str) or body["type"].casefold() not in _KINDS:
        return _invalid("type", "The field type names no kind of record that is served here.")
    callback = {
        "id": max((one["id"] for one in world.callbacks), default=76) + 1,
        "description": body.get("description", ""),
        "url": body["url"],
        "objectId": body["objectId"],
        "type": body["type"],
        "level": body["level"],
        "memberId": 196,
        "inactiveFlag": bool(body.get("inactiveFlag", False)),
        "isSelfSuppressedFlag": bool(body.get("isSelfSuppressedFlag", False)),
        "_info": {},
    }
    world.commit(record, None, lambda: world.callbacks.append(callback))
    return json_reply(201, callback)


def patch_callback(simulator: ConnectWiseSimulator, request: Request, record: WriteRecord, key: int) -> Reply:
    world, callback, operations = simulator.world, _find(simulator.world, key), _json(request.body)
    if callback is None:
        return simulator.error_reply(404, "NotFound", f"Callback {key} not found")
    if not isinstance(operations, list) or not operations:
        return simulator.error_reply(400, "InvalidObject", "The body must be an array of patch operations.")
    changes = {str(one.get("path")): one.get("value") for one in operations if isinstance(one, dict)}
    if not set(changes) <= {"inactiveFlag", "description", "url", "isSelfSuppressedFlag"}:
        return _invalid("path", "The field cannot be changed.")
    world.commit(record, None, lambda: callback.update(changes))
    return json_reply(200, callback)


def delete_callback(simulator: ConnectWiseSimulator, _request: Request, record: WriteRecord, key: int) -> Reply:
    world, callback = simulator.world, _find(simulator.world, key)
    if callback is None:
        return simulator.error_reply(404, "NotFound", f"Callback {key} not found")
    world.commit(record, None, lambda: world.callbacks.remove(callback))
    return Reply(204)


def _find(world: World, key: int) -> dict[str, Any] | None:
    return next((one for one in world.callbacks if one["id"] == key), None)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _invalid(field: str, message: str) -> Reply:
    inner = {"code": "MissingRequired", "message": message, "resource": "callback", "field": field}
    return json_reply(400, {"code": "InvalidObject", "message": "callback object is invalid", "errors": [inner]})
