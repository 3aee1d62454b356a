"""The one room through which Trueup calls outside systems over HTTP (on requests).

Method: a checked base address, explicit connect, read and total deadlines, a byte cap on what a body unpacks to,
retries decided by whether repeating is safe, waits the vendor asked for, a pace shared by threads. Errors are Trueup's
own. It must not follow redirects, use proxies or netrc of the machine, keep cookies, skip TLS verification, or let a
secret or an outside body into an error.
"""

from __future__ import annotations

import json
import logging
import random
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlencode

import requests
import urllib3
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from trueup.adapters.http_transport import bare_session, has_cause
from trueup.adapters.json_reading import is_json_media_type, read_json
from trueup.adapters.outbound_address import (
    BaseAddress,
    checked_path,
    parse_base_address,
    path_segment,
    same_origin_path,
)
from trueup.adapters.pace import HttpLimits, Pace
from trueup.adapters.redaction import printable, redact
from trueup.adapters.retry_after import requested_wait_seconds
from trueup.domain.errors import (
    RateLimited,
    ReplyTooLarge,
    ReplyUnreadable,
    UnsafeAddress,
    VendorTrouble,
    VendorUnavailable,
    WriteOutcomeUnknown,
)
from trueup.ports.clock import Clock

__all__ = [
    "BaseAddress",
    "HttpClient",
    "HttpLimits",
    "HttpReply",
    "Pace",
    "RetryRule",
    "parse_base_address",
    "path_segment",
    "redact",
    "requested_wait_seconds",
    "same_origin_path",
]

logger = logging.getLogger(__name__)

UNSET: Final = object()
_READ_BYTES = 65_536
_USER_AGENT = "trueup/0.1"
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")


class RetryRule(StrEnum):
    """When a call may be sent again.

    safe: an idempotent read; 429, 5xx, timeouts, broken and unreadable bodies are retried. unsent_only: a write; sent
    again only when it was surely not carried out (429, no connection), anything else that leaves the outcome open
    raises WriteOutcomeUnknown. once: a write that is right only for what was read a moment ago; it is never sent again
    here, because the caller must look again after any wait, and else like unsent_only. never: a read that is tried
    once.
    """

    SAFE = "safe"
    UNSENT_ONLY = "unsent_only"
    ONCE = "once"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A whole reply. ``path`` is path and query of the request; the body is not shown in ``repr``."""

    status: int
    headers: CaseInsensitiveDict[str] = field(repr=False)
    body: bytes = field(repr=False)
    path: str
    integration: str
    parsed: object = field(default=UNSET, repr=False, compare=False)

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def request_id(self) -> str | None:
        """The vendor's own id of the call, for its support."""
        return printable(self.headers.get("x-request-id") or self.headers.get("request-id"))

    def json(self) -> object:
        """The body as strict JSON (see json_reading). Raises ReplyUnreadable, also for another content type."""
        if self.parsed is not UNSET:
            return self.parsed
        shown = redact(self.path.partition("?")[0])
        if not is_json_media_type(self.headers.get("content-type")):
            raise ReplyUnreadable(
                f"the reply of {self.integration} to {shown} is not JSON (status {self.status})",
                integration=self.integration,
                status=self.status,
                request_id=self.request_id,
            )
        return read_json(self.body, integration=self.integration, path=shown, status=self.status)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why an attempt gave no reply, and what that means for sending it again."""

    error: VendorTrouble
    maybe_carried_out: bool = True
    passing: bool = True
    asked_wait_seconds: float | None = None


class HttpClient:
    """Calls one server. Safe to share between threads; close it, or use it as a context manager.

    ``reset_headers`` are read on a 429 without ``Retry-After`` as milliseconds until a call is free (Mimecast documents
    its ``X-RateLimit-Reset`` so); give none for a vendor that means something else by them. ``jitter`` gives numbers in
    [0, 1). ``is_final_error`` tells a 500 that answers the request (Autotask refuses with it) from a server that
    failed; such a reply is returned like a 4xx. ``secrets`` are parts of paths that no error and no log may show.
    """

    def __init__(
        self,
        base: BaseAddress,
        *,
        integration: str,
        clock: Clock,
        limits: HttpLimits | None = None,
        pace: Pace | None = None,
        jitter: Callable[[], float] | None = None,
        reset_headers: Sequence[str] = ("X-RateLimit-Reset", "X-Mimecast-RateLimit-Reset"),
        is_final_error: Callable[[HttpReply], bool] | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self.base = base
        self.integration = integration
        self.clock = clock
        self.limits = limits or HttpLimits()
        self._pace = pace
        self._jitter = jitter or random.SystemRandom().random
        self._reset_headers = tuple(reset_headers)
        self._is_final_error = is_final_error
        self._secrets = tuple(secrets)
        self._warned: set[str] = set()
        self._session = bare_session(self.limits.total_seconds, pace.parallel if pace else self.limits.connections)

    def close(self) -> None:
        """Close idle connections; the client may still be used and opens new ones."""
        self._session.close()

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def same_origin_path(self, url: str) -> str:
        """Path and query of an absolute or root-relative URL of this very server; else UnsafeAddress."""
        return same_origin_path(self.base, url)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        json_body: object = UNSET,
        form: Mapping[str, str] | None = None,
        retry: RetryRule,
        json_expected: bool = True,
        find_passing_trouble: Callable[[HttpReply], VendorTrouble | None] | None = None,
    ) -> HttpReply:
        """Send a request and return the first final reply: any 2xx, or any 4xx but 429.

        A ``json_body`` of bytes is JSON already and is sent as it is: numbers that were read exactly stay exact.

        With ``retry=SAFE`` a 2xx must be readable JSON unless ``json_expected`` is false; ``find_passing_trouble`` may
        name an error for a reply that only looks final (a vendor's failure under HTTP 200), which is then retried like
        a 5xx.

        Raises RateLimited (429, or 503 with ``Retry-After``, when the wait does not fit), VendorUnavailable,
        ReplyUnreadable, ReplyTooLarge, UnsafeAddress (a redirect, a bad path) and WriteOutcomeUnknown.
        """
        request = self._prepared(method, path, query, headers or {}, json_body, form)
        reads_json = json_expected and retry is RetryRule.SAFE
        begun_seconds = self.clock.monotonic_seconds()
        attempt = 0
        while True:
            attempt += 1
            outcome = self._attempt(request, reads_json)
            if isinstance(outcome, HttpReply):
                trouble = find_passing_trouble(outcome) if find_passing_trouble else None
                if trouble is None:
                    return outcome
                outcome = _Failure(trouble)
            spent_seconds = self.clock.monotonic_seconds() - begun_seconds
            wait_seconds = self._wait_or_raise(outcome, retry, attempt, spent_seconds)
            if self._pace is not None and outcome.asked_wait_seconds:
                self._pace.hold_back(self.clock, wait_seconds)
            self.clock.sleep(wait_seconds)

    def _wait_or_raise(self, failure: _Failure, retry: RetryRule, attempt: int, spent_seconds: float) -> float:
        """Seconds to wait before the next attempt; raises when there is to be none."""
        if retry in (RetryRule.UNSENT_ONLY, RetryRule.ONCE) and failure.maybe_carried_out:
            raise WriteOutcomeUnknown(
                f"it is not known whether {self.integration} carried out a write: {failure.error.message}",
                integration=self.integration,
                status=failure.error.status,
                request_id=failure.error.request_id,
            )
        if retry in (RetryRule.NEVER, RetryRule.ONCE) or not failure.passing or attempt >= self.limits.attempts:
            raise failure.error
        doubled_seconds: float = self.limits.backoff_first_seconds * 2.0 ** (attempt - 1)
        step = min(doubled_seconds, self.limits.backoff_maximum_seconds)
        if failure.asked_wait_seconds is None:
            wait_seconds = step * (0.5 + 0.5 * self._jitter())
        else:
            wait_seconds = failure.asked_wait_seconds + min(step, 1.0) * self._jitter()
        if spent_seconds + wait_seconds > self.limits.wait_budget_seconds:
            raise failure.error
        return wait_seconds

    def _prepared(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        json_body: object,
        form: Mapping[str, str] | None,
    ) -> requests.PreparedRequest:
        target = self.base.url + checked_path(path)
        if query:
            target += ("&" if "?" in path else "?") + urlencode(query, quote_via=quote, safe="")
        sent = {"User-Agent": _USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"}
        body: bytes | None = None
        if json_body is not UNSET:
            if isinstance(json_body, bytes):
                body = json_body
            else:
                body = json.dumps(json_body, allow_nan=False, separators=(",", ":")).encode()
            sent["Content-Type"] = "application/json"
        elif form is not None:
            body = urlencode(form, quote_via=quote, safe="").encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        sent.update(headers)
        if not all(_HEADER_VALUE.fullmatch(value) for value in sent.values()):
            # The library would quote the value in its own error, and it may be a credential.
            raise UnsafeAddress(f"a request header for {self.integration} holds more than printable ASCII")
        request = requests.Request(method, target, headers=sent, data=body).prepare()
        connects_to = urllib3.util.parse_url(str(request.url))
        if (connects_to.scheme, connects_to.host, connects_to.port, connects_to.auth) != (
            self.base.scheme,
            self.base.host,
            self.base.port,
            None,
        ):
            raise UnsafeAddress(f"a request for {self.integration} would have left its server; it was not sent")
        return request

    def _attempt(self, request: requests.PreparedRequest, reads_json: bool) -> HttpReply | _Failure:
        path = str(request.path_url)
        shown = f"{request.method} {redact(path.partition('?')[0], self._secrets)}"
        deadline = self.clock.monotonic_seconds() + self.limits.total_seconds
        try:
            if self._pace is None:
                return self._exchange(request, path, deadline, reads_json)
            with self._pace.turn(self.clock):
                deadline = self.clock.monotonic_seconds() + self.limits.total_seconds
                return self._exchange(request, path, deadline, reads_json)
        except ReplyTooLarge as error:
            return _Failure(error, passing=False)
        except ReplyUnreadable as error:
            return _Failure(error)
        except VendorUnavailable as error:
            return _Failure(error)
        except requests.exceptions.SSLError as error:
            # A certificate that is not accepted will not be better in a second; nothing was sent over it.
            unsent = has_cause(error, ssl.SSLCertVerificationError)
            return _Failure(self._unavailable(shown, error, "TLS"), maybe_carried_out=not unsent, passing=False)
        except requests.exceptions.ConnectionError as error:
            unsent = has_cause(error, NewConnectionError, ConnectTimeoutError)
            return _Failure(self._unavailable(shown, error, "connection"), maybe_carried_out=not unsent)
        except (requests.exceptions.RequestException, HTTPError, OSError) as error:
            return _Failure(self._unavailable(shown, error, "transport"))

    def _exchange(
        self, request: requests.PreparedRequest, path: str, deadline: float, reads_json: bool
    ) -> HttpReply | _Failure:
        timeouts = (self.limits.connect_timeout_seconds, self.limits.read_timeout_seconds)
        with self._session.send(
            request, stream=True, allow_redirects=False, verify=True, timeout=timeouts, proxies={}
        ) as response:
            status, headers = response.status_code, response.headers
            request_id = printable(headers.get("x-request-id") or headers.get("request-id"))
            if 300 <= status < 400:
                raise UnsafeAddress(
                    f"{self.integration} answered with a redirect (status {status}); it was not followed"
                )
            self._warn_of_deprecation(headers, path)
            asked = requested_wait_seconds(
                headers,
                now=self.clock.now(),
                maximum_seconds=self.limits.wait_seconds_maximum,
                reset_headers=self._reset_headers if status == 429 else (),
            )
            if status == 429 or (status == 503 and asked is not None):
                limited = RateLimited(
                    f"{self.integration} asked to wait (status {status})",
                    integration=self.integration,
                    wait_seconds=self.limits.backoff_maximum_seconds if asked is None else asked,
                    status=status,
                    request_id=request_id,
                )
                return _Failure(limited, maybe_carried_out=status != 429, asked_wait_seconds=asked)
            failed = status >= 500
            body = b"" if failed and (status > 500 or not self._is_final_error) else self._read_body(response, deadline)
        reply = HttpReply(status, CaseInsensitiveDict(headers), body, path, self.integration)
        if failed and not (body and self._is_final_error and self._is_final_error(reply)):
            raise VendorUnavailable(
                f"{self.integration} answered with status {status}",
                integration=self.integration,
                status=status,
                request_id=request_id,
            )
        if reads_json and reply.succeeded:
            return HttpReply(status, reply.headers, body, path, self.integration, parsed=reply.json())
        return reply

    def _read_body(self, response: requests.Response, deadline: float) -> bytes:
        """The unpacked body, no longer than the cap and no later than the deadline.

        read1 returns what one receive gave, so a slow drip meets the deadline between chunks, and it bounds what a
        packed chunk unpacks to. A body shorter than its Content-Length raises IncompleteRead in urllib3.
        """
        maximum = self.limits.body_bytes
        announced = response.headers.get("content-length", "")
        if announced.isascii() and announced.isdecimal() and len(announced) < 20 and int(announced) > maximum:
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        while chunk := response.raw.read1(_READ_BYTES, decode_content=True):
            size += len(chunk)
            if size > maximum:
                raise self._too_large()
            chunks.append(chunk)
            if self.clock.monotonic_seconds() > deadline:
                raise VendorUnavailable(
                    f"{self.integration} took longer than {self.limits.total_seconds:g} seconds to answer",
                    integration=self.integration,
                    status=response.status_code,
                )
        return b"".join(chunks)

    def _too_large(self) -> ReplyTooLarge:
        return ReplyTooLarge(
            f"the reply of {self.integration} is larger than {self.limits.body_bytes} bytes",
            integration=self.integration,
        )

    def _unavailable(self, shown: str, error: Exception, part: str) -> VendorUnavailable:
        # The library's message may quote the URL or the vendor's bytes, so only the kind of the error is told.
        return VendorUnavailable(
            f"{self.integration} could not be reached or broke off ({part}: {type(error).__name__}) at {shown}",
            integration=self.integration,
        )

    def _warn_of_deprecation(self, headers: Mapping[str, str], path: str) -> None:
        told = {name: headers[name] for name in ("Deprecation", "Sunset") if name in headers}
        shown = redact(path.partition("?")[0], self._secrets)
        if told and shown not in self._warned and len(self._warned) < 100:
            self._warned.add(shown)
            logger.warning(
                "%s marks %s as deprecated: %s",
                self.integration,
                shown,
                ", ".join(f"{name}={printable(value)}" for name, value in told.items()),
            )
