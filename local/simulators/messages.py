"""What goes over a simulator's wire: one request, one reply, and how the reply is delivered. No sockets here."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from local.simulators.faults import Fault


@dataclass(slots=True)
class Request:
    """One request as read from the socket. `resource` is the path without the PSA's code base prefix.

    `route` (a path template) and `committed` are filled in while the request is answered; the log reads them after.
    """

    method: str
    path: str
    query_text: str
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    resource: str = ""
    prefix: str = ""
    route: str = ""
    committed: bool = False
    faults: list[Fault] = field(default_factory=list)

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; the last one wins when a name is repeated."""
        return dict(parse_qsl(self.query_text, keep_blank_values=True))

    def header(self, name: str) -> str:
        """The header's value, or "" when it was not sent (names compare without case)."""
        return self.headers.get(name.lower(), "")

    def fault(self, kind: str) -> Fault | None:
        """The fault of this kind that is active for this request."""
        return next((fault for fault in self.faults if fault.kind == kind), None)


@dataclass(slots=True)
class Delivery:
    """How the bytes of a reply travel. The default is: whole, at once, and the connection stays open."""

    drop: bool = False
    reset: bool = False
    stop_after_bytes: int | None = None
    bytes_per_second: float | None = None
    wait_seconds: float = 0.0


@dataclass(slots=True)
class Reply:
    """A status, headers and either a body or a stream of chunks with its promised length."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)
    delivery: Delivery = field(default_factory=Delivery)
    stream: Iterator[bytes] | None = None
    stream_bytes: int = 0

    def json(self) -> object:
        """The body as JSON, for the faults that edit a good reply."""
        return json.loads(self.body)


def json_reply(status: int, value: object, *, headers: list[tuple[str, str]] | None = None) -> Reply:
    """A JSON reply in UTF-8, non-ASCII characters as themselves, lone surrogates escaped."""
    return Reply(status, to_json(value), headers=list(headers or []))


def to_json(value: object) -> bytes:
    """Compact JSON bytes; falls back to ASCII escapes for text that UTF-8 cannot carry (lone surrogates)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def wire_time(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, the form both vendors use for instants."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
