"""A tiny Lambda: one process per execution environment under AWS's own runtime client, fed by the Runtime API.

Method: the built artifact is put on the import path in Lambda's order (function, then layer), and nothing of the source
tree is. Compiled libraries in the layer are for arm64; on another machine the same pinned versions stand in for those.
Must not: know what a function should answer.
"""

import json
import os
import platform
import queue
import subprocess
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NEXT = "/2018-06-01/runtime/invocation/next"
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function sent back: its result, or the error the runtime client reported for it."""

    payload: Any
    is_error: bool


class ExecutionEnvironment:
    """One warm environment of a function. It answers one event at a time, and keeps its process between them."""

    def __init__(
        self,
        function: Path,
        import_path: list[Path],
        environment: Mapping[str, str],
        *,
        timeout_seconds: int,
        log: Path,
    ) -> None:
        self._name = environment["AWS_LAMBDA_FUNCTION_NAME"]
        self._timeout_seconds = timeout_seconds
        self._log = log
        self._events: queue.Queue[Any] = queue.Queue()
        self._answers: queue.Queue[Answer] = queue.Queue()
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_class(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                # -S keeps the site-packages of this environment, and with it the source tree, off the import path.
                [sys.executable, "-S", "-m", "awslambdaric", "app.handler"],
                cwd=function,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": os.pathsep.join(str(folder) for folder in (function, *import_path)),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_address[1]}",
                    "LAMBDA_TASK_ROOT": str(function),
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def answer(self, event: Any) -> Answer:
        """Hand over one event and wait. Fails with the log when the process ends or the function's time is up."""
        self._events.put(event)
        deadline = time.monotonic() + self._timeout_seconds
        while time.monotonic() < deadline:
            try:
                return self._answers.get(timeout=POLL_SECONDS)
            except queue.Empty:
                assert self._process.poll() is None, f"{self._name} ended; it logged:\n{self.log}"
        raise AssertionError(f"{self._name} did not answer in {self._timeout_seconds} s; it logged:\n{self.log}")

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        self._stopping.set()
        self._process.kill()
        self._process.wait()
        self._server.shutdown()
        self._server.server_close()

    def next_event(self) -> tuple[bytes, dict[str, str]] | None:
        """The next event and its headers, when there is one; None when the environment is stopped."""
        while not self._stopping.is_set():
            try:
                body = json.dumps(self._events.get(timeout=POLL_SECONDS)).encode()
            except queue.Empty:
                continue
            deadline_milliseconds = int((time.time() + self._timeout_seconds) * 1000)
            return body, {
                "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
                "Lambda-Runtime-Deadline-Ms": str(deadline_milliseconds),
                "Lambda-Runtime-Invoked-Function-Arn": f"arn:aws:lambda:eu-west-1:123456789012:function:{self._name}",
                "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
            }
        return None

    def take_answer(self, answer: Answer) -> None:
        self._answers.put(answer)


def _handler_class(environment: ExecutionEnvironment) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == NEXT, self.path
            found = environment.next_event()
            if found is None:
                return
            body, headers = found
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            environment.take_answer(Answer(json.loads(body or b"null"), is_error=not self.path.endswith("/response")))

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the parent's name
            """Requests are not worth a line."""

    return Handler


def prepare_import_path(layer: Path, folder: Path) -> list[Path]:
    """The built layer and the runtime client, as import path entries made in `folder`."""
    installed = Path(sysconfig.get_path("purelib"))
    runtime = folder / "runtime"
    runtime.mkdir()
    extension = [path.name for path in installed.glob("runtime_client*.so")]
    for name in ("awslambdaric", "snapshot_restore_py.py", "simplejson", *extension):
        (runtime / name).symlink_to(installed / name)
    if platform.machine() in ("aarch64", "arm64"):
        return [layer, runtime]
    stand_ins = folder / "layer"
    stand_ins.mkdir()
    for entry in layer.iterdir():
        is_compiled = entry.is_dir() and any(entry.rglob("*.so"))
        (stand_ins / entry.name).symlink_to(installed / entry.name if is_compiled else entry)
    return [stand_ins, runtime]
