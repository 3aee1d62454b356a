"""The simulators as a process of their own: how they say they are ready, end, and survive being killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from local.simulators import SIMULATED_PSAS
from local.simulators.credentials import connectwise_headers

PROJECT = Path(__file__).resolve().parents[2]


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The simulators started with these arguments, and the line they said when they were ready."""
    command = [sys.executable, "-m", "local.simulators", *arguments]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield child, json.loads(child.stdout.readline())
        finally:
            if child.poll() is None:
                child.kill()


def _patch(url: str, quantity: int) -> requests.Response:
    line = f"{url}/v2025_1/apis/3.0/finance/agreements/1201/additions/88432"
    body = [{"op": "replace", "path": "quantity", "value": quantity}]
    return requests.patch(line, json=body, headers=connectwise_headers(), timeout=5)


def test_it_says_where_it_listens_and_ends_on_sigterm(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with process("--ready-file", str(ready), "--world", "20", "--psa-limit-per-minute", "2") as (child, told):
        assert json.loads(ready.read_text()) == told
        assert told["pid"] == child.pid
        for name in ("mimecast", "connectwise", "microsoft365"):
            assert told[name].startswith("http://127.0.0.1:")
        url = f"{told['connectwise']}/v2025_1/apis/3.0/company/companies/count"
        replies = [requests.get(url, headers=connectwise_headers(), timeout=5) for _ in range(3)]
        assert replies[0].json() == {"count": 20}
        assert [reply.status_code for reply in replies] == [200, 200, 429]
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=10) == 0


@pytest.mark.parametrize("psa", sorted(SIMULATED_PSAS))
def test_each_psa_is_started_by_its_name_on_the_port_it_is_given(psa: str) -> None:
    with process("--psa", psa, "--world", "3") as (child, told):
        assert sorted(told) == sorted({"mimecast", "psa", psa, "microsoft365", "pid"})
        assert told["psa"] == told[psa]
        port = told["psa"].rsplit(":", 1)[1]
        world = requests.get(f"{told['psa']}/_control/state", timeout=5).json()
        assert len(world["companies"]) == 3
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=10) == 0
    with process("--psa", psa, "--psa-port", port, "--world", "3") as (_child, again):
        assert again["psa"] == told["psa"]


def test_syncro_counts_by_the_minute_unless_told_otherwise() -> None:
    for words, limit in ((), 180), (("--psa-limit-per-minute", "0"), 0):
        with process("--psa", "syncro", "--world", "1", *words) as (_child, told):
            settings = requests.get(f"{told['syncro']}/_control/settings", timeout=5).json()
            assert settings["limit_per_minute"] == limit


def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    state = tmp_path / "made" / "state.json"
    with process("--state", str(state)) as (child, told):
        assert _patch(told["connectwise"], 47).status_code == 200
        fault = {"kind": "late_reply", "method": "PATCH", "seconds": 30}
        requests.post(f"{told['connectwise']}/_control/faults", json=fault, timeout=5)
        with pytest.raises(requests.exceptions.ReadTimeout):
            requests.patch(
                f"{told['connectwise']}/v2025_1/apis/3.0/finance/agreements/1202/additions/88433",
                json=[{"op": "replace", "path": "quantity", "value": 9}],
                headers=connectwise_headers(),
                timeout=0.5,
            )
        os.kill(child.pid, signal.SIGKILL)
        child.wait(timeout=10)
    with process("--state", str(state)) as (_child, told):
        kept = requests.get(f"{told['connectwise']}/_control/state", timeout=5).json()
    assert [kept["additions"][line]["quantity"] for line in ("88432", "88433")] == [47.0, 9.0]
    assert [(write["line_id"], write["committed"]) for write in kept["writes"]] == [(88432, True), (88433, True)]


def test_one_port_can_be_used_again_at_once() -> None:
    with process() as (child, told):
        port = told["connectwise"].rsplit(":", 1)[1]
        assert _patch(told["connectwise"], 47).status_code == 200
        child.kill()
        child.wait(timeout=10)
    started = time.monotonic()
    with process("--psa-port", port) as (_child, again):
        assert again["connectwise"] == told["connectwise"]
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("arguments", [("--world", "none"), ("--world", "0"), ("--nonsense",)])
def test_wrong_usage_ends_with_2_and_a_reason(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "local.simulators", *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert done.stdout == ""
