"""The embedded store of one machine: fast, shared, found again, and nothing acknowledged is lost when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import local.embedded_store as embedded_store
from local.embedded_store import StoreProcess, ensure_table, read_store, running_store, store_client
from local.template import local_deployment
from tests.contracts.state_samples import audit, entry
from trueup.adapters.clock import SystemClock
from trueup.adapters.dynamodb.state import open_state
from trueup.domain.audit import first_broken
from trueup.domain.errors import StateUnavailable
from trueup.ports.state_bundle import State

ROOT = Path(embedded_store.__file__).resolve().parent.parent
TABLE_NAME: str = local_deployment().table()["TableName"]

pytestmark = pytest.mark.skipif(
    bool(os.environ.get(embedded_store.ENDPOINT_VARIABLE)), reason="another endpoint takes the embedded store's place"
)
needs_dynoxide = pytest.mark.skipif(not embedded_store.is_durable(), reason="dynoxide is not installed; run make setup")


def opened(endpoint_url: str) -> State:
    return open_state(store_client(endpoint_url), table_name=TABLE_NAME, tenant="local", clock=SystemClock())


def store_of(home: Path) -> StoreProcess:
    store = read_store(home)
    assert store is not None
    return store


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose store is ended after the test whatever happened in it, by the pid it wrote down."""
    yield tmp_path / "home"
    left = read_store(tmp_path / "home") if (tmp_path / "home").exists() else None
    if left is not None:
        embedded_store._end(left)


@pytest.fixture
def user(home: Path) -> Iterator[Any]:
    """Starts other processes that use the store until they are told to go on."""
    started: list[subprocess.Popen[str]] = []

    def start(work: str = "") -> subprocess.Popen[str]:
        program = f"""
            import sys
            from pathlib import Path
            from local.embedded_store import running_store
            with running_store(Path({str(home)!r})) as endpoint_url:
                print(endpoint_url, flush=True)
                sys.stdin.readline()
        """
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'core'}"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_keeps_what_was_written_and_stops_with_its_last_user(home: Path) -> None:
    with running_store(home) as endpoint_url:
        pid = store_of(home).pid
        saved = opened(endpoint_url).accounts.save([entry("A")], [audit("kept")])
        assert endpoint_url == f"http://127.0.0.1:{store_of(home).port}"
    assert not is_running(pid)
    assert read_store(home) is None
    with running_store(home) as endpoint_url:
        assert tuple(opened(endpoint_url).accounts.all()) == saved


def test_the_table_is_the_templates(home: Path) -> None:
    with running_store(home) as endpoint_url:
        ensure_table(endpoint_url)
        table = store_client(endpoint_url).describe_table(TableName=TABLE_NAME)["Table"]
    wanted = local_deployment().table()
    assert table["KeySchema"] == wanted["KeySchema"]
    assert sorted(map(str, table["AttributeDefinitions"])) == sorted(map(str, wanted["AttributeDefinitions"]))
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by_status"
    assert index["Projection"]["ProjectionType"] == "ALL"


@needs_dynoxide
def test_starts_in_less_than_300_milliseconds(home: Path) -> None:
    local_deployment().table()
    took: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        with running_store(home):
            took.append(time.perf_counter() - began)
    assert min(took) < 0.3


def test_listens_on_loopback_only_and_its_files_are_private(home: Path) -> None:
    with running_store(home) as endpoint_url:
        opened(endpoint_url).leases.acquire("x", owner="a", seconds=1)
        port = f":{store_of(home).port:04X}"
        listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if " 0A " in line]
        assert [address for address in listening if address.endswith(port)] == [f"0100007F{port}"]
        modes = {path.name: path.stat().st_mode & 0o077 for path in home.rglob("*") if path.name != "store.json"}
        assert home.stat().st_mode & 0o077 == 0
        assert {name for name, mode in modes.items() if mode and name.startswith("state")} == set()


def test_no_credentials_are_put_into_the_environment(home: Path) -> None:
    before = dict(os.environ)
    with running_store(home) as endpoint_url:
        store_client(endpoint_url)
        assert dict(os.environ) == before


def test_several_processes_share_one_store_and_the_last_one_stops_it(home: Path, user: Any) -> None:
    first, second = user(), user()
    urls = {first.stdout.readline(), second.stdout.readline()}
    assert len(urls) == 1
    pid = store_of(home).pid
    with running_store(home) as endpoint_url:
        assert {f"{endpoint_url}\n"} == urls
    for process in (first, second):
        assert is_running(pid)
        process.communicate("go on\n")
        assert process.returncode == 0
    assert not is_running(pid)
    assert read_store(home) is None


def test_an_orphan_is_found_again_after_its_users_were_killed(home: Path, user: Any) -> None:
    process = user()
    url = process.stdout.readline().strip()
    saved = opened(url).accounts.save([entry("A")], [])
    pid = store_of(home).pid
    process.kill()
    process.wait()
    assert is_running(pid)
    with running_store(home) as endpoint_url:
        assert (endpoint_url, store_of(home).pid) == (url, pid)
        assert tuple(opened(endpoint_url).accounts.all()) == saved
    assert not is_running(pid)


def test_a_pid_that_is_anothers_now_is_never_ended(home: Path) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        home.mkdir()
        store = StoreProcess("dynoxide", bystander.pid, "another birth", 1)
        embedded_store._write_down(home, store)
        with running_store(home):
            assert store_of(home).pid != bystander.pid
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "\x00"])
def test_a_damaged_note_is_replaced(home: Path, content: str) -> None:
    home.mkdir()
    (home / "store.json").write_text(content)
    with running_store(home) as endpoint_url:
        assert json.loads((home / "store.json").read_text())["port"] == store_of(home).port
        opened(endpoint_url).integrations.all()


@needs_dynoxide
def test_acknowledged_writes_are_there_after_the_store_was_killed_ten_times(home: Path) -> None:
    """Kills the store's process while a thread writes; every write that was acknowledged must be found."""
    acknowledged: list[str] = []
    end = threading.Event()
    failed: list[BaseException] = []

    def write(state: State) -> None:
        number = 0
        while not end.is_set():
            number += 1
            name = f"C{number:05d}"
            try:
                state.accounts.save([entry(name)], [audit("saved", name)])
            except StateUnavailable:
                continue
            except BaseException as error:  # noqa: BLE001 - handed to the test, which raises it
                failed.append(error)
                return
            acknowledged.append(name)

    with running_store(home) as endpoint_url:
        writer = threading.Thread(target=write, args=(opened(endpoint_url),))
        writer.start()
        killed: set[int] = set()
        for _ in range(10):
            before = len(acknowledged)
            _until(lambda before=before: len(acknowledged) >= before + 3 or bool(failed))
            pid = store_of(home).pid
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
            _until(lambda pid=pid: read_store(home) is not None and store_of(home).pid != pid)
        before = len(acknowledged)
        _until(lambda: len(acknowledged) > before or bool(failed))
        end.set()
        writer.join()
        assert failed == []
        assert len(killed) == 10
        state = opened(endpoint_url)
        found = {str(one.vendor_id) for one in state.accounts.all()}
        events = list(state.history.all())
        assert set(acknowledged) <= found
        assert first_broken(events) is None
        assert {event.audit.subject for event in events} == found
        assert len(events) == len(found)


def test_a_given_endpoint_takes_precedence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_store(home) as endpoint_url:
        monkeypatch.setenv(embedded_store.ENDPOINT_VARIABLE, endpoint_url)
        elsewhere = home.parent / "elsewhere"
        with running_store(elsewhere) as given:
            assert given == endpoint_url
        assert not elsewhere.exists()
        monkeypatch.setenv(embedded_store.ENDPOINT_VARIABLE, "http://127.0.0.1:9")
        with pytest.raises(StateUnavailable) as refused, running_store(elsewhere):
            raise AssertionError("there is no store at that endpoint")
        assert embedded_store.ENDPOINT_VARIABLE in refused.value.remedy


def test_ministack_stands_in_and_keeps_what_was_there_when_it_stopped(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_store, "durable_binary", lambda: None)
    assert not embedded_store.is_durable()
    with running_store(home) as endpoint_url:
        assert store_of(home).kind == "ministack"
        pid = store_of(home).pid
        saved = opened(endpoint_url).accounts.save([entry("A")], [audit("kept")])
    assert not is_running(pid)
    with running_store(home) as endpoint_url:
        state = opened(endpoint_url)
        assert tuple(state.accounts.all()) == saved
        assert [event.audit.action for event in state.history.all()] == ["kept"]


def _until(happens: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "nothing happened for too long"
        time.sleep(0.002)


def test_two_threads_may_find_the_same_child_ended() -> None:
    reaper = embedded_store._Reaper()

    class Ended(subprocess.Popen[bytes]):
        """A child that another thread asks about while this one is asking."""

        asked = False

        def poll(self) -> int | None:
            if not self.asked:
                self.asked = True
                reaper.poll(self.pid)
            return super().poll()

    child = Ended([sys.executable, "-c", ""])
    child.wait(30)
    reaper.adopt(child)
    reaper.poll(child.pid)
    reaper.collect(child.pid)
