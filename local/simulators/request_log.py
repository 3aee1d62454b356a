"""What a simulator was asked: counts by route and status, the widest concurrency, and the last requests in full.

It never keeps an Authorization header or a token request's body, so a dump of it holds no secret.
"""

import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from local.simulators.messages import Request

KEPT_HEADERS = ("accept", "clientid", "content-type", "pagination-type", "x-mc-accountcode", "user-agent")


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One answered request. `status` 0 means the connection was closed without an answer."""

    method: str
    path: str
    query: str
    route: str
    status: int
    headers: dict[str, str]
    authorized: bool
    faults: tuple[str, ...]
    committed: bool


class RequestLog:
    """Counts and the last requests; entries beyond the newest `kept` are forgotten, counts never are."""

    def __init__(self, kept: int = 5_000) -> None:
        self._lock = threading.Lock()
        self._entries: deque[LoggedRequest] = deque(maxlen=kept)
        self._by_route: Counter[str] = Counter()
        self._by_status: Counter[int] = Counter()
        self._running = 0
        self.max_concurrent = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count one request as being worked on."""
        with self._lock:
            self._running += 1
            self.max_concurrent = max(self.max_concurrent, self._running)
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1

    def record(self, request: Request, status: int) -> None:
        """Add an answered request."""
        entry = LoggedRequest(
            method=request.method,
            path=request.path,
            query=request.query_text,
            route=f"{request.method} {request.route or request.resource}",
            status=status,
            headers={name: request.header(name) for name in KEPT_HEADERS if request.header(name)},
            authorized=bool(request.header("authorization")),
            faults=tuple(fault.kind for fault in request.faults),
            committed=request.committed,
        )
        with self._lock:
            self._entries.append(entry)
            self._by_route[entry.route] += 1
            self._by_status[status] += 1

    @property
    def entries(self) -> list[LoggedRequest]:
        """The last requests, oldest first."""
        with self._lock:
            return list(self._entries)

    @property
    def by_route(self) -> dict[str, int]:
        """How often each route (`METHOD /path/{template}`) was asked."""
        with self._lock:
            return dict(self._by_route)

    @property
    def total(self) -> int:
        """How many requests were answered or dropped."""
        with self._lock:
            return self._by_route.total()

    def count(self, method: str, path_part: str) -> int:
        """How many of the kept requests have this method and hold this text in their path."""
        return sum(1 for entry in self.entries if entry.method == method and path_part in entry.path)

    def clear(self) -> None:
        """Start counting anew."""
        with self._lock:
            self._entries.clear()
            self._by_route.clear()
            self._by_status.clear()
            self.max_concurrent = self._running

    def as_json(self, *, entries: bool = True) -> dict[str, Any]:
        """The log as the control route shows it."""
        with self._lock:
            log: dict[str, Any] = {
                "total": self._by_route.total(),
                "max_concurrent": self.max_concurrent,
                "by_route": dict(sorted(self._by_route.items())),
                "by_status": {str(status): count for status, count in sorted(self._by_status.items())},
            }
            return {**log, "entries": [asdict(entry) for entry in self._entries]} if entries else log
