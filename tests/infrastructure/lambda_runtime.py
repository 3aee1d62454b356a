"""A tiny Lambda: the Runtime API on a loopback port, and one process per function under AWS's own runtime client.

Method: the built artifact is put on the import path in Lambda's order (function, then layer), and nothing of the source
tree is. Compiled libraries in the layer are for arm64; on another machine the same pinned versions stand in for those.
Must not: know what a function should answer.
"""

import json
import os
import platform
import subprocess
import sys
import sysconfig
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NEXT = "/2018-06-01/runtime/invocation/next"
ANSWER_TIMEOUT_SECONDS = 60.0


@dataclass(slots=True)
class Answer:
    """What the function sent back: its result, or the error the runtime client reported for it."""

    payload: Any
    is_error: bool


@dataclass(slots=True)
class RuntimeApi:
    """Serves one event to one function process and keeps its answer."""

    event: Any
    function_arn: str
    answered: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None
    was_served: bool = False

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The `host:port` that AWS_LAMBDA_RUNTIME_API wants, for as long as the block lasts."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            self.stopping.set()
            server.shutdown()
            server.server_close()
            thread.join()

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == NEXT, self.path
                if api.was_served:
                    # Lambda keeps an idle function waiting here until it stops the environment.
                    api.stopping.wait()
                    return
                api.was_served = True
                body = json.dumps(api.event).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Lambda-Runtime-Aws-Request-Id", str(uuid.uuid4()))
                self.send_header("Lambda-Runtime-Deadline-Ms", "9999999999999")
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", api.function_arn)
                self.send_header("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                api.answer = Answer(json.loads(body or b"null"), is_error=not self.path.endswith("/response"))
                api.answered.set()

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the parent's name
                """Requests are not worth a line."""

        return Handler


def invoke(function: Path, import_path: list[Path], event: Any, environment: Mapping[str, str]) -> tuple[Answer, str]:
    """Run the built function on the event; its answer and everything it logged. Fails when it answers nothing."""
    name = environment["AWS_LAMBDA_FUNCTION_NAME"]
    api = RuntimeApi(event, f"arn:aws:lambda:eu-west-1:123456789012:function:{name}")
    with api.serving() as address:
        process = subprocess.Popen(
            # -S keeps the site-packages of this environment, and with it the source tree, off the import path.
            [sys.executable, "-S", "-m", "awslambdaric", "app.handler"],
            cwd=function,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(str(folder) for folder in (function, *import_path)),
                "PYTHONDONTWRITEBYTECODE": "1",
                "AWS_LAMBDA_RUNTIME_API": address,
                "LAMBDA_TASK_ROOT": str(function),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            _wait_for_answer(api, process)
        finally:
            process.kill()
            log = process.communicate()[0]
    assert api.answer is not None, f"{name} answered nothing; it logged:\n{log}"
    return api.answer, log


def _wait_for_answer(api: RuntimeApi, process: subprocess.Popen[str]) -> None:
    """Until the answer is there, the process is gone, or the time is up."""

    def watch() -> None:
        process.wait()
        api.answered.set()

    threading.Thread(target=watch, daemon=True).start()
    api.answered.wait(ANSWER_TIMEOUT_SECONDS)


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
