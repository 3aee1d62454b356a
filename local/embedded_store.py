"""The DynamoDB of one machine: one store process for each home, shared by every trueup process that runs there.

Method: a shared file lock counts the users, an exclusive one guards starting and stopping; the store's pid, birth and
port lie beside the data. A store that outlived its users is found and used again, one that died is started again on
the same port, and the last user stops it. Must not: end a process it cannot prove to be this store, listen on anything
but 127.0.0.1, or put credentials into the environment.

dynoxide is one binary over SQLite and keeps every acknowledged write through ``kill -9``. Where it has no build,
ministack stands in: it writes its data when it is stopped in good order, and loses what came since when it is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from trueup.domain.errors import StateTrouble, StateUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

ROOT = Path(__file__).resolve().parent.parent
ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_DYNAMODB"
REGION = "eu-west-1"
DURABLE_BINARIES = (
    ROOT / ".venv" / "bin" / "dynoxide",
    ROOT / ".local-tools" / "dynoxide" / "node_modules" / "@dynoxide" / "linux-x64" / "dynoxide",
)
_START_SECONDS = {"dynoxide": 10.0, "ministack": 60.0}
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.002
_WATCH_SECONDS = 0.25
_HEALTH_PATHS = {"dynoxide": "/", "ministack": "/_ministack/health"}


@dataclass(frozen=True, slots=True)
class StoreProcess:
    """A store as it is written down. ``birth`` tells it from a later process with the same pid."""

    kind: Literal["dynoxide", "ministack"]
    pid: int
    birth: str
    port: int

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def running_store(home: Path, *, table: Mapping[str, Any] | None = None) -> Iterator[str]:
    """The endpoint's URL, with the table in place, for as long as the block lasts.

    ``table`` is what CreateTable takes; without it the template's own. ``AWS_ENDPOINT_URL_DYNAMODB`` takes precedence
    over any embedded store. Raises StateUnavailable when no store can be started.
    """
    given = os.environ.get(ENDPOINT_VARIABLE)
    if given:
        ensure_table(given, table)
        yield given
        return
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(home / "store.users") as users:
        with _critical(home):
            fcntl.flock(users, fcntl.LOCK_SH)
            store = _running(home)
            ensure_table(store.endpoint_url, table)
        keeper = _Keeper(home)
        keeper.start()
        try:
            yield store.endpoint_url
        finally:
            keeper.stop()
            with _critical(home):
                _stop_if_last(home, users)


def store_client(endpoint_url: str) -> DynamoDBClient:
    """A client of a local store. Its credentials are made up and given to this client alone.

    One attempt a call: the adapter itself tries again, and knows what is safe to repeat.
    """
    import boto3
    from botocore.config import Config

    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10, max_pool_connections=32),
    )


def ensure_table(endpoint_url: str, table: Mapping[str, Any] | None = None) -> None:
    """Create the table unless it is there. Raises StateTrouble when the store refuses it.

    Plain requests instead of an AWS client, whose loading alone takes longer than the store's start. The table's expiry
    attribute is left out: expiry is decided by the stored time, and nothing relies on the removal.
    """
    if table is None:
        from local.template import local_deployment

        table = local_deployment().table()
    for _attempt in range(2):
        status, reply = _ask(endpoint_url, "DescribeTable", {"TableName": table["TableName"]})
        if status == 200:
            return
        if "ResourceNotFoundException" not in reply:
            raise StateTrouble(f"the local store refused to describe its table: {status} {reply[:200]}")
        status, reply = _ask(endpoint_url, "CreateTable", dict(table))
        if status != 200 and "ResourceInUseException" not in reply:
            raise StateTrouble(f"the local store refused to create its table: {status} {reply[:200]}")
    raise StateTrouble("the local store says that it made the table, and does not have it")


def durable_binary() -> Path | None:
    """The dynoxide that `make setup` installed, or one on the path; None where there is none."""
    found = shutil.which("dynoxide")
    candidates = [*DURABLE_BINARIES, *([Path(found)] if found else [])]
    return next((path for path in candidates if os.access(path, os.X_OK) and path.is_file()), None)


def is_durable() -> bool:
    """Whether the store of this machine keeps acknowledged writes through ``kill -9``; for `trueup doctor`."""
    return durable_binary() is not None


def read_store(home: Path) -> StoreProcess | None:
    """The store as it was last written down, running or not."""
    try:
        return StoreProcess(**json.loads((home / "store.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        # Written whole by a rename, so this is not ours; a fresh store is started and takes its place.
        return None


class _Keeper(threading.Thread):
    """Starts the store again, on the same port, when somebody kills it under a running process."""

    def __init__(self, home: Path) -> None:
        super().__init__(name="store-keeper", daemon=True)
        self._home = home
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(_WATCH_SECONDS):
            store = read_store(self._home)
            if store is not None and _is_alive(store):
                continue
            with _critical(self._home):
                if self._end.is_set():
                    return
                # What cannot be started now is tried again; callers meanwhile hear from the adapter that it is away.
                with contextlib.suppress(StateUnavailable, OSError):
                    _running(self._home)

    def stop(self) -> None:
        self._end.set()
        self.join()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """An open file to lock; closing it gives the lock back, also when the process is killed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _critical(home: Path) -> Iterator[None]:
    """One process at a time looks at the store, starts it or stops it."""
    with _locked(home / "store.lock") as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _running(home: Path) -> StoreProcess:
    """The store of this home, found or started."""
    known = read_store(home)
    if known is not None and _is_alive(known) and _is_healthy(known):
        return known
    if known is not None:
        _end(known)
    for port in ([known.port] if known else []) + [0, 0, 0]:
        store = _start(home, port or _free_port())
        if store is not None:
            return store
    log = home / "store.log"
    tail = log.read_text(encoding="utf-8", errors="replace")[-500:] if log.exists() else ""
    raise StateUnavailable(f"the local store does not start: {tail.strip()}", remedy=f"Look into {log}.")


def _start(home: Path, port: int) -> StoreProcess | None:
    """Start the store on that port; None when it ended at once, for instance because the port was taken."""
    binary = durable_binary()
    environment: dict[str, str] = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home)}
    kind: Literal["dynoxide", "ministack"]
    if binary is not None:
        kind = "dynoxide"
        command = [str(binary), "serve", "--host", "127.0.0.1", "-p", str(port), "--db-path", str(home / "state.db")]
    else:
        kind = "ministack"
        command = [sys.executable, "-P", "-m", "ministack"]
        environment |= {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "SERVICES": "dynamodb",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(home / "ministack"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        }
    # A session of its own: Ctrl-C in a terminal must not take the store from under another trueup process.
    with (home / "store.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=home,
            start_new_session=True,
            umask=0o077,
        )
    store = StoreProcess(kind, process.pid, _birth(process.pid), port)
    _write_down(home, store)
    _REAPER.adopt(process)
    if _within(_START_SECONDS[kind], lambda: _is_healthy(store) or process.poll() is not None):
        return store if process.poll() is None else None
    _end(store)
    return None


class _Reaper:
    """Children of this process, so that one that was killed does not stay as a zombie that looks alive."""

    def __init__(self) -> None:
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def adopt(self, process: subprocess.Popen[bytes]) -> None:
        self._children[process.pid] = process

    def poll(self, pid: int) -> None:
        """Forget a child that has ended. Another thread may find the same at the same moment."""
        child = self._children.get(pid)
        if child is not None and child.poll() is not None:
            self._children.pop(pid, None)

    def collect(self, pid: int) -> None:
        """Take leave of a child that has ended; nothing for another process's child."""
        child = self._children.pop(pid, None)
        if child is not None:
            child.wait(_STOP_SECONDS)


_REAPER = _Reaper()


def _stop_if_last(home: Path, users: int) -> None:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    store = read_store(home)
    if store is not None:
        _end(store)
        (home / "store.json").unlink(missing_ok=True)


def _end(store: StoreProcess) -> None:
    """End that very process: first asked, then forced. Nothing happens when it is gone or the pid is another's now."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if not _is_alive(store):
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(store.pid, sign)
        _within(_STOP_SECONDS, lambda: not _is_alive(store))
    if not _is_alive(store):
        _REAPER.collect(store.pid)


def _is_alive(store: StoreProcess) -> bool:
    _REAPER.poll(store.pid)
    return bool(store.birth) and _birth(store.pid) == store.birth


def _birth(pid: int) -> str:
    """When that process began, as the system tells it; empty when there is none."""
    try:
        # The command's name may hold blanks and brackets; what follows the last bracket is counted.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return _birth_told_by_ps(pid) if not Path("/proc/self/stat").exists() else ""
    return "" if fields[0] in {"Z", "X"} else fields[19]


def _birth_told_by_ps(pid: int) -> str:
    told = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return told.stdout.strip()


def _is_healthy(store: StoreProcess) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", store.port, timeout=1.0)
        try:
            connection.request("GET", _HEALTH_PATHS[store.kind])
            return connection.getresponse().status == 200
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False


def _ask(endpoint_url: str, operation: str, body: Mapping[str, Any]) -> tuple[int, str]:
    """One DynamoDB call in its wire form. The signature is made up; a local store does not check it."""
    parts = urlsplit(endpoint_url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "127.0.0.1", parts.port, timeout=10.0)
    credential = f"local/20260101/{REGION}/dynamodb/aws4_request"
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        "X-Amz-Date": "20260101T000000Z",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature={'0' * 64}",
    }
    try:
        connection.request("POST", "/", body=json.dumps(body), headers=headers)
        reply = connection.getresponse()
        return reply.status, reply.read(1_000_000).decode("utf-8", errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise StateUnavailable(
            f"there is no store at {endpoint_url}: {type(error).__name__}",
            remedy=f"Start it, or unset {ENDPOINT_VARIABLE} to use the embedded one.",
        ) from error
    finally:
        connection.close()


def _write_down(home: Path, store: StoreProcess) -> None:
    fresh = home / "store.json.new"
    fresh.write_text(json.dumps(asdict(store)), encoding="utf-8")
    fresh.replace(home / "store.json")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _within(seconds: float, happens: Callable[[], bool]) -> bool:
    """Whether it happened within that time."""
    end = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_SECONDS)
    return True
