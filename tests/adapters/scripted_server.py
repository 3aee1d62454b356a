"""A loopback server that answers with scripted bytes, for faults below HTTP that no well-behaved server can send."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

Answer = bytes | Callable[[socket.socket, threading.Event], None]
"""Bytes to send as they are, or a function that is given the connection and an event that is set when the test ends."""


class ScriptedServer:
    """Answers request number n with answer number n; the last answer is repeated. Keeps every request's bytes."""

    def __init__(self, answers: Sequence[Answer], context: ssl.SSLContext | None = None) -> None:
        self._answers = answers
        self._context = context
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._start_thread(self._accept)

    def stop(self) -> None:
        self._ending.set()
        # A blocked accept is woken by a connection, so that no thread outlives the test.
        with socket.socket() as wake:
            wake.connect_ex(("127.0.0.1", self.port))
        for thread in self._threads:
            thread.join(timeout=5)
        self._listener.close()

    def _start_thread(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._ending.is_set():
                connection.close()
                return
            self.connections += 1
            self._start_thread(lambda connection=connection: self._serve(connection))  # type: ignore[misc]

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(5)
        with plain:
            try:
                connection = self._context.wrap_socket(plain, server_side=True) if self._context else plain
                with connection:
                    while request := _read_request(connection):
                        with self._lock:
                            answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
                            self.requests.append(request)
                        if not isinstance(answer, bytes):
                            answer(connection, self._ending)
                            return
                        connection.sendall(answer)
            except OSError:
                # The client under test hung up, which is what many of these tests are about.
                return


def _read_request(connection: socket.socket) -> bytes:
    """One request with its body; empty when the client closed."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65_536)
        if not chunk:
            return b""
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


@contextmanager
def scripted(*answers: Answer, context: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """A running server for the length of a ``with`` block."""
    server = ScriptedServer(answers, context)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def reply(
    status: int = 200,
    body: bytes = b'{"ok":true}',
    *,
    content_type: str | None = "application/json",
    length: int | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """The bytes of a reply; ``length`` overrides the promised Content-Length."""
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body) if length is None else length}"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def json_reply(value: object, status: int = 200, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    return reply(status, json.dumps(value).encode(), headers=headers)


def then_close(content: bytes) -> Answer:
    """Send the bytes and close the connection."""

    def send(connection: socket.socket, _ending: threading.Event) -> None:
        connection.sendall(content)

    return send


def then_reset(content: bytes) -> Answer:
    """Send the bytes and end with a TCP reset."""

    def send(connection: socket.socket, _ending: threading.Event) -> None:
        connection.sendall(content)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return send


def dripped(head: bytes, drops: bytes, pause_seconds: float) -> Answer:
    """Send the head at once, then one byte after another with a pause before each."""

    def send(connection: socket.socket, ending: threading.Event) -> None:
        connection.sendall(head)
        for drop in drops:
            if ending.wait(pause_seconds):
                return
            connection.sendall(bytes([drop]))

    return send


def silence(_connection: socket.socket, ending: threading.Event) -> None:
    """Say nothing until the test ends."""
    ending.wait(5)
