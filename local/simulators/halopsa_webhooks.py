"""Webhooks of the simulated HaloPSA: their registration, and telling them of changes.

Documented: Basic authentication, and messages with id, notification, event, webhook, object and time, alone or in
batches. Guessed: how the keys are spelled, and that a recurring invoice has an event of its own (a switch). Only
addresses on loopback are ever called.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.simulators.halopsa_records import memory
from local.simulators.messages import Reply, Request, json_reply, to_json, wire_time
from local.simulators.world import World, WriteRecord

if TYPE_CHECKING:
    from local.simulators.halopsa import HaloPsaSimulator

TIMEOUT_SECONDS = 5.0
_BASIC = 1
_LOOPBACK = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}/[!-~]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery: where it went, what was sent, and the status of the answer (0: none came)."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int


class WebhookSender:
    """Notices what changed in the world and tells every active webhook. ``sent`` lists the deliveries.

    ``batches``: everything that is due goes out as one array. ``invoice_events``: recurring invoices have events too.
    """

    def __init__(self, world: World) -> None:
        self.batches = False
        self.invoice_events = False
        self.sent: list[Sent] = []
        self._world = world
        self._lock = threading.Lock()
        self._seen = self._marks()

    def changes(self) -> list[tuple[str, int]]:
        """Event and object of what was edited since the last call, oldest first."""
        with self._lock:
            before, self._seen = self._seen, self._marks()
            changed = sorted((mark, key) for key, mark in self._seen.items() if before.get(key) != mark)
        events = []
        for _, key in changed:
            kind, object_id = key
            if kind == "Client":
                events.append(("Client Updated" if key in before else "New Client", object_id))
            elif self.invoice_events:
                events.append(("Recurring Invoice Updated", object_id))
        return events

    def messages(self, events: list[tuple[str, int]]) -> list[tuple[str, dict[str, str], bytes]]:
        """Address, headers and body of what each active webhook is told of these events."""
        with self._world.lock:
            webhooks = [one for one in memory(self._world)["webhooks"] if is_active(one)]
        messages = []
        for webhook in webhooks:
            told = [self._message(webhook, event, object_id) for event, object_id in events]
            for document in [told] if self.batches and told else told:
                messages.append((str(webhook["url"]), _headers(webhook), to_json(document)))
        return messages

    def deliver(self) -> None:
        """Tell of what changed since the last time. Nothing is tried again: that is not documented."""
        for url, headers, body in self.messages(self.changes()):
            self.sent.append(Sent(url, headers, body, _post(url, headers, body)))

    def _message(self, webhook: Mapping[str, Any], event: str, object_id: int) -> dict[str, Any]:
        return {
            "id": str(uuid.uuid4()),
            "notification_id": 12,
            "event": event,
            "webhook_id": webhook["id"],
            "object_id": object_id,
            "timestamp": wire_time(self._world.clock()),
        }

    def _marks(self) -> dict[tuple[str, int], str]:
        world = self._world
        with world.lock:
            marks = {("Client", one.id): one.last_updated for one in world.companies.values()}
            for agreement in world.agreements.values():
                edits = [agreement.last_updated, *(line.last_updated for line in world.lines_of(agreement.id))]
                marks["Recurring Invoice", agreement.id] = max(edits)
        return marks


def is_active(webhook: Mapping[str, Any]) -> bool:
    """Whether a webhook is switched on."""
    return bool(webhook.get("active", True)) and not webhook.get("disabled")


def _headers(webhook: Mapping[str, Any]) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    if webhook.get("authentication_type") == _BASIC:
        pair = f"{webhook.get('basic_username', '')}:{webhook.get('basic_password', '')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return headers


def _post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    if _LOOPBACK.fullmatch(url) is None:
        return 0
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")  # noqa: S310 - loopback
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


def list_webhooks(simulator: HaloPsaSimulator, _request: Request, _record: WriteRecord | None) -> Reply:
    """All webhooks. The envelope is unverified; a password is not told again."""
    return json_reply(200, [_shown(one) for one in memory(simulator.world)["webhooks"]])


def post_webhook(simulator: HaloPsaSimulator, request: Request, record: WriteRecord) -> Reply:
    """Make a webhook, or change the one whose id is posted."""
    world, document = simulator.world, _json(request.body)
    if not isinstance(document, list) or len(document) != 1 or not isinstance(document[0], dict):
        return simulator.error_reply(400, message="One webhook is expected in an array.")
    posted: dict[str, Any] = document[0]
    webhooks = memory(world)["webhooks"]
    known = next((one for one in webhooks if one["id"] == posted.get("id")), None)
    if known is not None:
        world.commit(record, None, lambda: known.update(posted))
        return json_reply(201, [_shown(known)])
    if not posted.get("name") or not posted.get("url"):
        return simulator.error_reply(400, message="A webhook needs a name and a url.")
    webhook = {**posted, "id": str(uuid.uuid4())}
    world.commit(record, None, lambda: webhooks.append(webhook))
    return json_reply(201, [_shown(webhook)])


def delete_webhook(simulator: HaloPsaSimulator, _request: Request, record: WriteRecord, key: str) -> Reply:
    """Take a webhook back."""
    world = simulator.world
    kept = memory(world)
    left = [one for one in kept["webhooks"] if one["id"] != key]
    if len(left) == len(kept["webhooks"]):
        return simulator.error_reply(404)
    world.commit(record, None, lambda: kept.update(webhooks=left))
    return Reply(204)


def _shown(webhook: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in webhook.items() if name != "basic_password"}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
