"""An address on loopback that takes callbacks and remembers them, for the tests of what the simulators send."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class RecordingHook:
    """``taken`` lists path with query, signature and body of each delivery, ``came`` is set by each; ``status`` is what
    is answered.
    """

    def __init__(self) -> None:
        self.status = 204
        self.came = threading.Event()
        self.taken: list[tuple[str, str, bytes]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.taken.append((self.path, self.headers.get("x-content-signature", ""), body))
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                hook.came.set()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's own name
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
