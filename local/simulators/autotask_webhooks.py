"""Company webhooks of the simulated Autotask: making, listing and deleting them, and a signed message as it is sent.

The signature is the documented one: base64 of an HMAC-SHA1 over the raw body, under the webhook's own key.
"""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from local.simulators.messages import Reply, Request, json_reply
from local.simulators.world import WriteRecord

if TYPE_CHECKING:
    from local.simulators.autotask import AutotaskSimulator

STATE = "autotask"
_TEXTS = {"name": 50, "webhookUrl": 500, "deactivationUrl": 500, "secretKey": 64}
_FLAGS = (
    "isActive",
    "isSubscribedToCreateEvents",
    "isSubscribedToUpdateEvents",
    "isSubscribedToDeleteEvents",
    "sendThresholdExceededNotification",
)
MIN_SECRET_CHARACTERS = 10


def _state(simulator: "AutotaskSimulator") -> dict[str, Any]:
    return simulator.world.vendor_state.setdefault(STATE, {})


def webhook_records(simulator: "AutotaskSimulator") -> list[dict[str, Any]]:
    """All webhooks as they are told; the secret key is not."""
    ready = {one["webhookID"] for one in webhook_fields(simulator)}
    kept: list[dict[str, Any]] = _state(simulator).get("webhooks", [])
    return [
        {**{key: value for key, value in one.items() if key != "secretKey"}, "isReady": one["id"] in ready}
        for one in kept
    ]


def webhook_fields(simulator: "AutotaskSimulator") -> list[dict[str, Any]]:
    """All fields that webhooks watch."""
    kept: list[dict[str, Any]] = _state(simulator).get("webhook_fields", [])
    return kept


def signed_message(secret_key: str, message: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
    """Headers and body of a message as the vendor sends it."""
    body = json.dumps(message, separators=(",", ":")).encode()
    digest = hmac.new(secret_key.encode(), body, hashlib.sha1).digest()
    return {
        "content-type": "application/json",
        "x-hook-signature": f"sha1={base64.b64encode(digest).decode()}",
    }, body


def _body(request: Request) -> dict[str, Any] | None:
    try:
        value = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _create(simulator: "AutotaskSimulator", request: Request, record: WriteRecord) -> Reply:
    if "CompanyWebhooks" in simulator.restricted:
        message = "The logged in Resource does not have the adequate permissions to create this entity type."
        return simulator.error_reply(500, message=message)
    body = _body(request)
    if body is None:
        return simulator.error_reply(500, message="The body is not valid JSON.")
    for name, longest in _TEXTS.items():
        if not isinstance(body.get(name), str) or not 0 < len(body[name]) <= longest:
            return simulator.error_reply(
                500, message=f"The field {name} is required, with at most {longest} characters."
            )
    if len(body["secretKey"]) < MIN_SECRET_CHARACTERS:
        return simulator.error_reply(500, message="The field secretKey is too short.")
    state = _state(simulator)
    number = int(state.get("webhook_number", 40)) + 1
    webhook = {
        "id": number,
        "webhookGUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"webhook-{number}")),
        "ownerResourceID": 29_682_885,
        **{name: body[name] for name in _TEXTS},
        **{name: bool(body.get(name, False)) for name in _FLAGS},
        "notificationEmailAddress": body.get("notificationEmailAddress", ""),
    }
    state["webhook_number"] = number
    state.setdefault("webhooks", []).append(webhook)
    return _committed(simulator, record, number)


def _add_field(simulator: "AutotaskSimulator", request: Request, record: WriteRecord, key: int) -> Reply:
    body = _body(request)
    known = {one["id"] for one in webhook_records(simulator)}
    if body is None or key not in known or not isinstance(body.get("fieldID"), int):
        return simulator.error_reply(500, message="The webhook and a fieldID that exists are required.")
    fields = _state(simulator).setdefault("webhook_fields", [])
    if any((one["webhookID"], one["fieldID"]) == (key, body["fieldID"]) for one in fields):
        return simulator.error_reply(500, message="The field is watched by this webhook already.")
    number = 900 + len(fields)
    fields.append(
        {
            "id": number,
            "webhookID": key,
            "fieldID": body["fieldID"],
            "isSubscribedField": bool(body.get("isSubscribedField", False)),
            "isDisplayAlwaysField": bool(body.get("isDisplayAlwaysField", False)),
        }
    )
    return _committed(simulator, record, number)


def _delete(simulator: "AutotaskSimulator", _request: Request, record: WriteRecord, key: int) -> Reply:
    state = _state(simulator)
    if key not in {one["id"] for one in webhook_records(simulator)}:
        # Observed: a missing record on delete is a 500.
        return simulator.error_reply(500, message="No matching records found to delete.")
    state["webhooks"] = [one for one in state["webhooks"] if one["id"] != key]
    state["webhook_fields"] = [one for one in webhook_fields(simulator) if one["webhookID"] != key]
    return _committed(simulator, record, key)


def _edit(simulator: "AutotaskSimulator", request: Request, record: WriteRecord) -> Reply:
    body = _body(request)
    kept: list[dict[str, Any]] = _state(simulator).get("webhooks", [])
    found = next((one for one in kept if body is not None and one["id"] == body.get("id")), None)
    if body is None or found is None:
        return simulator.error_reply(500, message="No matching records found to update.")
    for name in _FLAGS:
        if isinstance(body.get(name), bool):
            found[name] = body[name]
    return _committed(simulator, record, int(found["id"]))


def _get(simulator: "AutotaskSimulator", _request: Request, _record: WriteRecord | None, key: int) -> Reply:
    return json_reply(200, {"item": next((one for one in webhook_records(simulator) if one["id"] == key), None)})


def _committed(simulator: "AutotaskSimulator", record: WriteRecord, item_id: int) -> Reply:
    record.committed = True
    simulator.world.writes.append(record)
    simulator.world.persist()
    return json_reply(200, {"itemId": item_id})


WEBHOOK_ROUTES: Mapping[str, Mapping[str, Callable[..., Reply]]] = {
    "/CompanyWebhooks": {"POST": _create, "PATCH": _edit},
    "/CompanyWebhooks/{id}": {"GET": _get, "DELETE": _delete},
    "/CompanyWebhooks/{id}/Fields": {"POST": _add_field},
}
