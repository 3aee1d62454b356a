"""The HTTP/1.1 server under both simulators: sockets, keep-alive, latency, faults, counting. It knows no vendor.

Faults need control over single bytes, so the reply is written straight to the socket. It binds to loopback only.
"""

import socket
import struct
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from local.simulators import control
from local.simulators.fault_effects import damage, reply_instead
from local.simulators.faults import FaultBoard
from local.simulators.messages import Reply, Request, json_reply, wire_time
from local.simulators.request_log import RequestLog
from local.simulators.world import World, WriteRecord

MAX_BODY_BYTES = 1_000_000
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Simulator(ABC):
    """A vendor on loopback. Subclasses answer; this class serves, counts, delays and breaks.

    `latency_seconds` is added to every answered request. `settings` are the switches the control route may turn.
    """

    name = "vendor"
    settable: tuple[str, ...] = ("latency_seconds",)

    def __init__(self, world: World, *, latency_seconds: float = 0.0, port: int = 0) -> None:
        self.world = world
        self.latency_seconds = latency_seconds
        self.faults = FaultBoard()
        self.requests = RequestLog()
        self._late: list[tuple[datetime, Request]] = []
        self.internal_errors: list[BaseException] = []
        self.stopping = threading.Event()
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    # What a vendor fills in.

    def prepare(self, request: Request) -> None:
        """Set the request's `resource` and `prefix` before faults are looked up."""
        request.resource = request.path

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """The vendor's reply to a request without faults that answer in its place."""

    @abstractmethod
    def finish(self, request: Request, reply: Reply) -> None:
        """Add what the vendor puts on every reply, errors included."""

    @abstractmethod
    def error_reply(self, status: int, code: str = "", message: str = "") -> Reply:
        """An error in the vendor's own shape."""

    @abstractmethod
    def unauthorized_reply(self, code: str) -> Reply:
        """A 401 of the given kind."""

    @abstractmethod
    def rate_limit_reply(self, retry_after: str | None, reset_milliseconds: int | None) -> Reply:
        """A 429 in the vendor's own shape."""

    def records_write(self, request: Request) -> bool:
        """Whether the request is a write that belongs in the world's record of writes."""
        return False

    # Life.

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash at the end. RuntimeError before start."""
        if self._server is None:
            raise RuntimeError(f"the {self.name} simulator is not running")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> Self:
        """Bind and serve in a thread of its own."""
        self.stopping.clear()
        self._server = _Server(("127.0.0.1", self._port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving, cut the open connections and give the port back. Harmless when it is not running."""
        if self._server is None or self._thread is None:
            return
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.cut_connections()
        self._thread.join(timeout=5)
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # One request.

    def respond(self, request: Request) -> Reply:
        """Answer one request: control routes plainly, everything else counted, delayed, and with its faults."""
        self.prepare(request)
        if request.path.startswith("/_control/"):
            return control.answer(self, request)
        self._carry_out_what_is_late()
        request.faults = self.faults.take(request.method, (request.path, request.resource), request.query_text)
        late = request.fault("late_commit")
        if late is not None:
            due = self.world.clock() + timedelta(seconds=float(late.option("seconds", 60)))
            self._late.append((due, replace(request, faults=[])))
        with self.requests.running():
            if self.latency_seconds:
                self.stopping.wait(self.latency_seconds)
            reply = self._reply_with_faults(request)
            # The wait of a late reply is part of the request as the vendor counts concurrency.
            if reply.delivery.wait_seconds:
                self.stopping.wait(reply.delivery.wait_seconds)
        self.requests.record(request, 0 if reply.delivery.drop else reply.status)
        return reply

    def _carry_out_what_is_late(self) -> None:
        """What was closed unanswered and is done only now; nobody hears how it ends."""
        with self.world.lock:
            now = self.world.clock()
            due = [request for at, request in self._late if at <= now]
            self._late = [(at, request) for at, request in self._late if at > now]
        for request in due:
            self.prepare(request)
            self._reply_with_faults(request)

    def _reply_with_faults(self, request: Request) -> Reply:
        record = None
        if self.records_write(request):
            record = WriteRecord(
                wire_time(self.world.clock()), request.method, request.resource, request.body.decode(errors="replace")
            )
        instead = (reply_instead(fault, self) for fault in request.faults)
        reply = next((one for one in instead if one is not None), None)
        if reply is None:
            reply = self._answer_safely(request, record)
        for fault in request.faults:
            reply = damage(fault, reply, self)
        self.finish(request, reply)
        if record is not None:
            record.status = 0 if reply.delivery.drop else reply.status
            request.committed = record.committed
            self.world.close_write(record)
        return reply

    def _answer_safely(self, request: Request, record: WriteRecord | None) -> Reply:
        try:
            return self.answer_recording(request, record) if record is not None else self.answer(request)
        except Exception as error:  # noqa: BLE001 - a bug of the simulator: kept, answered 500, raised by running()
            self.internal_errors.append(error)
            return json_reply(500, {"simulator_bug": f"{type(error).__name__}: {error}"})

    @property
    def operations(self) -> Mapping[str, Callable[[], None]]:
        """What the control route may make this vendor do, beyond editing the world."""
        return {}

    def answer_recording(self, request: Request, record: WriteRecord) -> Reply:
        """Answer a write and fill in what it changed."""
        return self.answer(request)


class _Server(ThreadingHTTPServer):
    """A threading server that knows its open connections, so it can cut them at the end."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], simulator: Simulator) -> None:
        self.simulator = simulator
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        self._to_reset: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the reverse name look-up of the standard server, which can hang where DNS is absent."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note the connection, then serve it in its own thread."""
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection: with a reset when a fault asked for one, politely otherwise."""
        if request in self._to_reset:
            self._to_reset.discard(request)
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            request.close()
        else:
            super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def reset_on_close(self, request: socket.socket) -> None:
        """Have the connection end with a TCP reset."""
        self._to_reset.add(request)

    def cut_connections(self) -> None:
        """Wake every connection's thread and wait until all have closed."""
        with self._changed:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    # The client had already gone; its thread is on the way out.
                    continue
            self._changed.wait_for(lambda: not self._open, timeout=5)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep a bug of the simulator; say nothing of a broken connection, as clients under test hang up often."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.simulator.internal_errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, hands it to the simulator, writes the reply as its delivery says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        simulator = self.server.simulator
        body = self._read_body()
        if body is None:
            return
        path, _, query = self.path.partition("?")
        host, port = self.server.server_address[:2]
        request = Request(
            method=self.command,
            path=path,
            query_text=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            base_url=f"http://{str(host)}:{port}",
        )
        self._write(simulator.respond(request))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def _read_body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            self.close_connection = True
            return None
        if int(length) > MAX_BODY_BYTES:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _write(self, reply: Reply) -> None:
        delivery = reply.delivery
        if delivery.reset:
            self.server.reset_on_close(self.connection)
        if delivery.drop:
            self.close_connection = True
            return
        head = self._head(reply)
        if reply.stream is not None:
            self.wfile.write(head)
            for chunk in reply.stream:
                self.wfile.write(chunk)
            return
        body = reply.body
        if delivery.stop_after_bytes is not None:
            body = body[: delivery.stop_after_bytes]
            self.close_connection = True
        if delivery.bytes_per_second:
            self._trickle(head, body, delivery.bytes_per_second)
        else:
            self.wfile.write(head + body)

    def _head(self, reply: Reply) -> bytes:
        length = reply.stream_bytes if reply.stream is not None else len(reply.body)
        phrase = HTTPStatus(reply.status).phrase
        lines = [f"HTTP/1.1 {reply.status} {phrase}", f"Date: {self.date_time_string()}", "Server: simulator"]
        if reply.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {length}")
            lines.append(f"Content-Type: {reply.content_type}")
        lines.extend(f"{name}: {value}" for name, value in reply.headers)
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _trickle(self, head: bytes, body: bytes, bytes_per_second: float) -> None:
        self.wfile.write(head)
        stopping = self.server.simulator.stopping
        for position in range(len(body)):
            if stopping.wait(1 / bytes_per_second):
                self.close_connection = True
                return
            self.wfile.write(body[position : position + 1])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's own name
        """Keep quiet: the request log has it all."""


@contextmanager
def running[Kind: Simulator](simulator: Kind) -> Iterator[Kind]:
    """Serve a simulator for the length of a `with` block; a bug inside the simulator fails the block."""
    with simulator:
        yield simulator
    if simulator.internal_errors:
        raise ExceptionGroup(
            f"the {simulator.name} simulator failed while answering",
            [error for error in simulator.internal_errors if isinstance(error, Exception)],
        )
