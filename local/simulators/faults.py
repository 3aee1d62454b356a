"""The fault board of a simulator: which request goes wrong, in which way, how often.

A fault names a kind, a request (method, path pattern, part of the query), the matching request it starts at and how
many it hits. The board only decides; `fault_effects` and the two simulators act on it. It never touches a socket.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

KINDS: Mapping[str, str] = {
    # Answered without asking the vendor: nothing is read, nothing is written.
    "rate_limited": "429; options retry_after (text, or one of http_date, past_date), reset_milliseconds",
    "unauthorized": "401; option code: token_expired, token_verification_failed or plain",
    "status": "an error of the vendor's own shape; options status, code, message",
    "html": "an HTML page; option status (default 200)",
    "fail_in_200": "HTTP 200 that holds a fail list; options code, nested (default true)",
    "empty": "no body; option status (200 or 204)",
    "oversized": "a JSON body of option size_bytes (default 200,000,000), streamed",
    "gzip_bomb": "a small gzip body that unpacks to option size_bytes (default 200,000,000)",
    "redirect": "302; option location",
    "deep_json": "JSON nested option depth (default 100,000) deep",
    "raw": "option body as it stands; options status, content_type, headers (name to value)",
    "drop_before_commit": "the connection is closed unanswered; nothing was done; option reset (RST)",
    "late_commit": "the connection is closed unanswered; the work is done before the first request that comes option "
    "seconds (default 60) later, by the world's clock",
    # The vendor does its work; the reply is damaged on the way.
    "drop_after_commit": "the work is done and stays; the connection is closed unanswered; option reset (RST)",
    "error_after_commit": "the work is done and stays; the reply says 500; option status",
    "truncated": "the full Content-Length is promised, half is sent, the connection closes; option sent_bytes",
    "reset_mid_body": "half of the body is sent, then the connection is reset; option sent_bytes",
    "drip": "the body trickles; option bytes_per_second (default 1)",
    "late_reply": "the work is done at once, the reply comes after option seconds",
    "wrong_content_type": "the right body under option content_type (default text/html)",
    "extra_headers": "option headers (name to value), for example Sunset and Deprecation",
    "duplicate_keys": "every object of the reply holds its first key twice, with different values",
    "unknown_fields": "every object of the reply gains fields nobody knows",
    "set_field": 'option field takes option raw (JSON text such as 1e30, NaN, "12", true) or is removed '
    "(remove=true), in every object or where option where (name to value) holds",
    # Paging.
    "repeated_token": "the next token of the reply is the one the request came with (the first page: its own start)",
    "token_loop": "next tokens run A, B, A, B and so on for ever",
    "endless_tokens": "every page offers a token never seen before",
    "duplicate_page": "the rows of the page before are sent again",
    "total_disagrees": "the total is off by option difference (default 1)",
    "page_ignored": "ConnectWise: the paging parameters are ignored and the first page is sent",
    # Mimecast.
    "ignored_account_switch": "the account switch is ignored: the reply is about the partner's own account",
    "token_reply": "the token reply takes option expires_in; without it the field is left out",
    "order_lost": "an order is taken and never comes to the agreement",
    "order_rejected": "an order is taken, and its status says rejected from the next read on",
    # ConnectWise.
    "clamped_quantity": "a PATCH stores at most option maximum, and says 200",
    "false_success": "a PATCH says 200 and changes nothing",
    "moved_line": "a person edits the line in the path before the request is served; options quantity (default: one "
    "more), touch_only (only lastUpdated moves)",
    # HaloPSA, whose write replaces all lines of an invoice. There moved_line takes option line_id, and with option
    # add_item (an item's id) adds a line beside that one instead.
    "other_line_lost": "a POST of lines drops a line that was posted; option line_id (default: first untouched one)",
    "other_line_moved": "a POST of lines changes a line that was posted as it was; options line_id, quantity",
    "invoice_run": "an invoice run makes an invoice of the schedule before the request is served",
    "other_client": "the reply is about another client than the one asked for; Microsoft 365: option tenant_id",
    # Microsoft 365. Inside a batch, rate_limited and status hit the request whose path they name.
    "sync_state_lost": "a delta query is answered 410: everything has to be read anew",
    "no_last_link": "the last page of a delta query lacks the link that ends it",
    "link_elsewhere": "the links to more lead to another server",
    "reply_missing": "a batch is answered without one of its replies",
}
"""Every kind of fault with its options."""


@dataclass(slots=True)
class Fault:
    """One fault on the board. `nth` and `times` count matching requests; times 0 means for ever."""

    kind: str
    method: str = "*"
    path: str = "*"
    query: str = ""
    nth: int = 1
    times: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    seen: int = 0
    fired: int = 0

    def matches(self, method: str, paths: tuple[str, ...], query: str) -> bool:
        """Whether the request is one this fault watches (patterns as in a shell, `*` also crosses slashes)."""
        return (
            self.method in ("*", method)
            and any(fnmatchcase(path, self.path) for path in paths)
            and (not self.query or self.query in query)
        )

    def option(self, name: str, default: Any = None) -> Any:
        """An option's value as it was given, or the default."""
        return self.options.get(name, default)

    def as_json(self) -> dict[str, Any]:
        """The fault as the control route lists it."""
        names = ("kind", "method", "path", "query", "nth", "times", "options", "seen", "fired")
        return {name: getattr(self, name) for name in names}


class FaultBoard:
    """The faults of one simulator, in the order they were set. Safe to use from every request thread."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        kind: str,
        *,
        method: str = "*",
        path: str = "*",
        query: str = "",
        nth: int = 1,
        times: int = 1,
        **options: Any,
    ) -> Fault:
        """Set a fault; it hits matching requests number `nth` to `nth + times - 1`. ValueError for a bad fault."""
        if kind not in KINDS:
            raise ValueError(f"unknown fault kind {kind!r}; known: {', '.join(sorted(KINDS))}")
        if nth < 1 or times < 0:
            raise ValueError("nth counts from 1 and times is 0 (for ever) or more")
        fault = Fault(kind, method.upper(), path, query, nth, times, options)
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, method: str, paths: tuple[str, ...], query: str) -> list[Fault]:
        """Count the request against every fault that watches it and return those that hit it."""
        active = []
        with self._lock:
            for fault in self._faults:
                if not fault.matches(method, paths, query):
                    continue
                fault.seen += 1
                if fault.seen >= fault.nth and (fault.times == 0 or fault.seen < fault.nth + fault.times):
                    fault.fired += 1
                    active.append(fault)
        return active

    def clear(self) -> None:
        """Take every fault off the board."""
        with self._lock:
            self._faults.clear()

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(list(self._faults))
