"""What the faults do: replies given instead of the vendor's, and damage done to a good reply on its way out.

Page faults and the vendors' own oddities are not here: the two simulators act on those themselves.
"""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Protocol

from local.simulators.faults import Fault
from local.simulators.messages import Delivery, Reply, to_json

DEFAULT_BOMB_BYTES = 200_000_000
_CHUNK = 65_536
_HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>Please try again.</p></body></html>"


class VendorErrors(Protocol):
    """The error bodies of one vendor, for the faults that imitate it."""

    def error_reply(self, status: int, code: str = "", message: str = "") -> Reply:
        """An error in the vendor's own shape."""
        ...

    def unauthorized_reply(self, code: str) -> Reply:
        """A 401 of the given kind."""
        ...

    def rate_limit_reply(self, retry_after: str | None, reset_milliseconds: int | None) -> Reply:
        """A 429 in the vendor's own shape."""
        ...


def reply_instead(fault: Fault, vendor: VendorErrors) -> Reply | None:
    """The reply that a fault gives in the vendor's place; None for a fault that lets the vendor work."""
    make = _INSTEAD.get(fault.kind)
    return make(fault, vendor) if make else None


def damage(fault: Fault, reply: Reply, vendor: VendorErrors) -> Reply:
    """The reply after a fault has had its way with it; unchanged when the fault is none of those that damage."""
    change = _DAMAGE.get(fault.kind)
    return change(fault, reply, vendor) if change else reply


# Instead of the vendor.


def _rate_limited(fault: Fault, vendor: VendorErrors) -> Reply:
    form = fault.option("retry_after")
    now = datetime.now(UTC)
    if form == "http_date":
        form = format_datetime(now + timedelta(seconds=fault.option("seconds", 2)), usegmt=True)
    elif form == "past_date":
        form = format_datetime(now - timedelta(hours=1), usegmt=True)
    return vendor.rate_limit_reply(None if form is None else str(form), fault.option("reset_milliseconds"))


def _status(fault: Fault, vendor: VendorErrors) -> Reply:
    return vendor.error_reply(int(fault.option("status", 500)), fault.option("code", ""), fault.option("message", ""))


def _html(fault: Fault, _vendor: VendorErrors) -> Reply:
    status = int(fault.option("status", 200))
    body = _HTML.format("Sign in" if status == 200 else f"{status} Bad gateway")
    return Reply(status, body.encode(), "text/html; charset=utf-8")


def _fail_in_200(fault: Fault, _vendor: VendorErrors) -> Reply:
    error = {"code": fault.option("code", "err_account_access_denied"), "message": "Access to the account is denied"}
    nested = {"key": {}, "errors": [{**error, "retryable": False}]}
    return Reply(
        200,
        to_json(
            {"meta": {"status": 200}, "data": [], "fail": [nested]}
            if fault.option("nested", True)
            else {"fail": [error]}
        ),
    )


def _empty(fault: Fault, _vendor: VendorErrors) -> Reply:
    return Reply(int(fault.option("status", 200)))


def _oversized(fault: Fault, _vendor: VendorErrors) -> Reply:
    size = int(fault.option("size_bytes", DEFAULT_BOMB_BYTES))
    return Reply(200, stream=_padding(size), stream_bytes=size)


def _padding(size: int) -> Iterator[bytes]:
    yield b"["
    left = size - 2
    while left > 0:
        yield b" " * min(left, _CHUNK)
        left -= _CHUNK
    yield b"]"


def _gzip_bomb(fault: Fault, _vendor: VendorErrors) -> Reply:
    size = int(fault.option("size_bytes", DEFAULT_BOMB_BYTES))
    # Concatenated gzip members are one valid gzip stream, so the bomb is made without holding it unpacked.
    member, count = gzip.compress(b" " * 1_000_000), max(size // 1_000_000, 1)
    body = gzip.compress(b"[") + member * count + gzip.compress(b"]")
    return Reply(200, body, headers=[("Content-Encoding", "gzip")])


def _redirect(fault: Fault, _vendor: VendorErrors) -> Reply:
    return Reply(302, headers=[("Location", str(fault.option("location", "https://evil.example/")))])


def _deep_json(fault: Fault, _vendor: VendorErrors) -> Reply:
    depth = int(fault.option("depth", 100_000))
    return Reply(200, b"[" * depth + b"]" * depth)


def _raw(fault: Fault, _vendor: VendorErrors) -> Reply:
    headers: Mapping[str, str] = fault.option("headers", {})
    return Reply(
        int(fault.option("status", 200)),
        str(fault.option("body", "")).encode(),
        str(fault.option("content_type", "application/json")),
        list(headers.items()),
    )


def _drop(fault: Fault, _vendor: VendorErrors) -> Reply:
    return Reply(0, delivery=Delivery(drop=True, reset=bool(fault.option("reset", False))))


def _unauthorized(fault: Fault, vendor: VendorErrors) -> Reply:
    return vendor.unauthorized_reply(str(fault.option("code", "token_expired")))


_INSTEAD: Mapping[str, Callable[[Fault, VendorErrors], Reply]] = {
    "rate_limited": _rate_limited,
    "unauthorized": _unauthorized,
    "status": _status,
    "html": _html,
    "fail_in_200": _fail_in_200,
    "empty": _empty,
    "oversized": _oversized,
    "gzip_bomb": _gzip_bomb,
    "redirect": _redirect,
    "deep_json": _deep_json,
    "raw": _raw,
    "drop_before_commit": _drop,
    "late_commit": _drop,
}


# After the vendor.


def _drop_after(fault: Fault, reply: Reply, _vendor: VendorErrors) -> Reply:
    reply.delivery.drop, reply.delivery.reset = True, bool(fault.option("reset", False))
    return reply


def _error_after(fault: Fault, _reply: Reply, vendor: VendorErrors) -> Reply:
    return vendor.error_reply(int(fault.option("status", 500)))


def _truncated(fault: Fault, reply: Reply, _vendor: VendorErrors) -> Reply:
    reply.delivery.stop_after_bytes = int(fault.option("sent_bytes", len(reply.body) // 2))
    return reply


def _reset_mid_body(fault: Fault, reply: Reply, vendor: VendorErrors) -> Reply:
    reply.delivery.reset = True
    return _truncated(fault, reply, vendor)


def _drip(fault: Fault, reply: Reply, _vendor: VendorErrors) -> Reply:
    reply.delivery.bytes_per_second = float(fault.option("bytes_per_second", 1))
    return reply


def _late(fault: Fault, reply: Reply, _vendor: VendorErrors) -> Reply:
    reply.delivery.wait_seconds = float(fault.option("seconds", 60))
    return reply


def _content_type(fault: Fault, reply: Reply, _vendor: VendorErrors) -> Reply:
    reply.content_type = str(fault.option("content_type", "text/html"))
    return reply


def _extra_headers(fault: Fault, reply: Reply, _vendor: VendorErrors) -> Reply:
    default = {"Sunset": "Sat, 31 Dec 2033 23:59:59 GMT", "Deprecation": "@1893456000"}
    headers: Mapping[str, str] = fault.option("headers", default)
    reply.headers.extend(headers.items())
    return reply


def _duplicate_keys(_fault: Fault, reply: Reply, _vendor: VendorErrors) -> Reply:
    # Written by hand: no JSON writer produces a repeated key.
    def write(value: object) -> str:
        if isinstance(value, list):
            return "[" + ",".join(write(one) for one in value) + "]"
        if isinstance(value, dict):
            members = [f"{json.dumps(key)}:{write(one)}" for key, one in value.items()]
            if value:
                members.append(f"{json.dumps(next(iter(value)))}:999")
            return "{" + ",".join(members) + "}"
        return json.dumps(value)

    reply.body = write(reply.json()).encode()
    return reply


def _unknown_fields(_fault: Fault, reply: Reply, _vendor: VendorErrors) -> Reply:
    value = reply.json()
    for record in _objects(value):
        record["simUnknownField"] = {"nested": [1, None, "x"]}
        record["simNewFlag"] = True
    reply.body = to_json(value)
    return reply


def _set_field(fault: Fault, reply: Reply, _vendor: VendorErrors) -> Reply:
    name, where = str(fault.option("field")), dict(fault.option("where", {}))
    mark = "@sim-raw-value@"
    value = reply.json()
    for record in _objects(value):
        if name in record and all(record.get(key) == wanted for key, wanted in where.items()):
            if fault.option("remove", False):
                del record[name]
            else:
                record[name] = mark
    reply.body = to_json(value).replace(json.dumps(mark).encode(), str(fault.option("raw", "null")).encode())
    return reply


def _objects(value: Any) -> list[dict[str, Any]]:
    """Every object inside a JSON value, outermost first."""
    found: list[dict[str, Any]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, dict):
            found.append(one)
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return found


_DAMAGE: Mapping[str, Callable[[Fault, Reply, VendorErrors], Reply]] = {
    "drop_after_commit": _drop_after,
    "error_after_commit": _error_after,
    "truncated": _truncated,
    "reset_mid_body": _reset_mid_body,
    "drip": _drip,
    "late_reply": _late,
    "wrong_content_type": _content_type,
    "extra_headers": _extra_headers,
    "duplicate_keys": _duplicate_keys,
    "unknown_fields": _unknown_fields,
    "set_field": _set_field,
}
