"""The HTTP servers of one machine: requests are checked for coming from this machine, then answered.

Method: one thread for each connection, bounded bodies and waits. Must not: listen on anything but 127.0.0.1, or carry
out a write that a web page of another site has sent.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.front_door.authorizing import Authorizing
from local.front_door.functions import FunctionFailed, LocalFunctions
from local.front_door.http_event import RouteTable, WebReply, WebRequest, event_of, path_of, reply_of
from trueup.adapters.lambda_web import PROBLEM_CONTENT_TYPE, problem_document
from trueup.api.portal import SECURITY_HEADERS

LOOPBACK = "127.0.0.1"
BODY_BYTES_MAXIMUM = 10 * 1024 * 1024
"""API Gateway's own limit; the function behind it has a lower one of its own."""

IDLE_SECONDS = 60
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
WRITE_TYPES = frozenset({"application/json", "text/csv", "application/octet-stream"})
"""None of these can be sent to another site by a page without asking first, which is always refused here."""

access_log = logging.getLogger("trueup.front_door")

Answer = Callable[[WebRequest], WebReply]


class LocalServer:
    """One server on 127.0.0.1 that hands every request to ``answer``. Port 0 takes a free one."""

    def __init__(self, port: int, answer: Answer) -> None:
        self._server = _Server((LOOPBACK, port), _Handler)
        self._server.answer = answer
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="server", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests; those under way are left to end with the process."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=5)
        self._server.server_close()


class FrontDoor:
    """Answers the routes of the template through the functions behind them."""

    def __init__(self, functions: LocalFunctions, authorizing: Authorizing) -> None:
        self._functions = functions
        self._authorizing = authorizing
        self._routes = RouteTable(functions)

    def answer(self, request: WebRequest) -> WebReply:
        """The reply of the function, or a refusal in the API's own error shape."""
        started = time.monotonic()
        reply = _refusal(request) or self._routed(request)
        access_log.info(
            "%s %s %d %.0f ms %s",
            request.method,
            path_of(request)[:200].encode("unicode_escape").decode("ascii"),
            reply.status,
            (time.monotonic() - started) * 1000,
            request.request_id,
        )
        return reply

    def _routed(self, request: WebRequest) -> WebReply:
        route = self._routes.match(request.method, path_of(request))
        if route is None:
            return problem_reply(
                404,
                "not_found",
                "there is no such route",
                "See /v1/openapi.json for what there is.",
                request.request_id,
            )
        try:
            event = event_of(request, route)
            refusal = self._authorizing.refusal(event, route)
            return refusal or reply_of(self._functions.call(route.capability, event))
        except FunctionFailed as failed:
            access_log.error("%s failed: %s", route.capability, failed.document["errorType"])
            return problem_reply(
                500, "internal_error", "something went wrong on our side", "Look at the log.", request.request_id
            )


def _refusal(request: WebRequest) -> WebReply | None:
    """Why a request is not let in, if so: another name for this machine, or a write from a page of another site."""
    headers = request.headers
    own = {f"{name}:{request.local_port}" for name in (LOOPBACK, "localhost")}
    if headers.get("host", "").lower() not in own:
        return problem_reply(
            421,
            "wrong_host",
            "this machine is not called that here",
            f"Use http://{LOOPBACK}:{request.local_port}.",
            request.request_id,
        )
    if request.method not in WRITES:
        return None
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "none")
    if (origin is not None and origin.lower() not in {f"http://{name}" for name in own}) or site not in {
        "none",
        "same-origin",
    }:
        return problem_reply(
            403, "not_allowed", "a page of another site may not write here", "Use this page's own address.",
            request.request_id,
        )  # fmt: skip
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.body and kind not in WRITE_TYPES:
        return problem_reply(
            415, "input_invalid", "the body must be JSON or a file", "Name its Content-Type.", request.request_id
        )
    return None


def problem_reply(status: int, code: str, detail: str, remedy: str, request_id: str) -> WebReply:
    """An error of the front door itself, in the shape of every other."""
    document = problem_document(status=status, code=code, detail=detail, remedy=remedy, request_id=request_id)
    headers = {"content-type": PROBLEM_CONTENT_TYPE, **SECURITY_HEADERS, "x-request-id": request_id}
    return WebReply(status, tuple(headers.items()), json.dumps(document).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    answer: Answer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error; anything else belongs in the log with its trace."""
        import sys

        error = sys.exception()
        if not isinstance(error, OSError):
            access_log.error("a request could not be answered", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "trueup"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        headers = self._headers()
        body = self._body(headers)
        if body is None:
            return
        request = WebRequest(
            method=self.command,
            target=self.path if self.path.startswith("/") else "/",
            headers=headers,
            body=body,
            source_address=str(self.client_address[0]),
            request_id=str(uuid.uuid4()),
            local_port=int(self.server.server_address[1]),
        )
        self._write(self.server.answer(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve

    def _headers(self) -> dict[str, str]:
        merged: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            merged[key] = f"{merged[key]},{value}" if key in merged else value
        return merged

    def _body(self, headers: Mapping[str, str]) -> bytes | None:
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not (length.isascii() and length.isdecimal()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "length_required", "the body needs a Content-Length")
            return None
        if int(length) > BODY_BYTES_MAXIMUM:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", "the body is larger than 10 MB")
            return None
        return self.rfile.read(int(length))

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        self.close_connection = True
        self._write(problem_reply(int(status), code, detail, "Send less at once.", str(uuid.uuid4())))

    def _write(self, reply: WebReply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers:
            if name not in {"content-length", "connection"}:
                self.send_header(name, value.replace("\r", " ").replace("\n", " "))
        self.send_header("content-length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        if self.close_connection:
            self._hang_up()

    def _hang_up(self) -> None:
        """Let the client read the refusal while it still sends: close our half, drop what comes for a moment."""
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1)
            for _ in range(256):
                if not self.connection.recv(65536):
                    return
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's own name
        """Quiet: the front door logs what was answered."""
