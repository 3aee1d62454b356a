"""The month by the real command, a process for each step: what a script relies on from connect to read-back."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from local.cli.home import Home
from local.cli.output import Output
from local.cli.workplace import opened
from local.simulators.credentials import connectwise_headers
from tests.local.command_line import PROJECT, SERVICES, Machine, is_running, machine, month_until_mapped, store_pid
from trueup.api.views import run_view

pytestmark = pytest.mark.slow

ROW_KEYS = {
    "vendor_account_id", "vendor_account_name", "psa_account_id", "psa_account_name", "service_id", "product_id",
    "counts", "verdict", "monthly_money", "currency", "reasons",
}  # fmt: skip
COUNT_KEYS = {"state", "seats", "basis", "as_of", "reason"}
CHANGE_KEYS = {"id", "line_id", "from", "to", "effective", "guard", "monthly_money"}


def quantity(there: Machine, agreement_id: str, line_id: str) -> float:
    """What the simulated ConnectWise itself says of a line."""
    url = f"{there.connectwise.url}/v4_6_release/apis/3.0/finance/agreements/{agreement_id}/additions/{line_id}"
    reply = requests.get(url, headers=connectwise_headers(), timeout=5)
    assert reply.status_code == 200
    return float(reply.json()["quantity"])


def test_a_month_from_connect_to_read_back(tmp_path: Path) -> None:
    with machine(tmp_path / "home") as there:
        connected = there.process(*there.connect_mimecast, "--json")
        assert connected.code == 0, connected.err
        assert connected.document["state"] == "pending"
        assert connected.document["next"] == "trueup connect connectwise (or autotask, halopsa, syncro)"
        assert there.process(*there.connect_connectwise).code == 0
        synced = there.process("sync", "--json")
        assert synced.code == 0, synced.err
        assert synced.document["accounts"] == {
            "all": 8, "mapped": 8, "excluded": 0, "ambiguous": 0, "unmapped": 0
        }  # fmt: skip
        for service, product in SERVICES.items():
            assert there("map", "service", service, product).code == 0
        finished = there("finish", "--json")
        assert finished.code == 0, finished.err
        assert {item["state"] for item in finished.document["integrations"]} == {"active"}

        rows_file = tmp_path / "rows.csv"
        run = there.process("run", "--json", "--csv", str(rows_file))
        assert run.code == 2, run.err
        found = run.document
        assert found["complete"] is True
        assert found["problem"] is None
        assert set(found) >= {"period", "rows", "unmapped", "excluded", "ambiguous", "plan", "totals", "run_id"}
        for row in found["rows"]:
            assert set(row) >= ROW_KEYS
            assert set(row["counts"]) == {"agreement", "licensed", "billed"}
            assert all(set(count) >= COUNT_KEYS for count in row["counts"].values())
        assert rows_file.read_text(encoding="utf-8").count("\n") == len(found["rows"]) + 1
        plan = found["plan"]
        assert all(set(change) >= CHANGE_KEYS for change in plan["changes"])
        held = [change for change in plan["changes"] if change["guard"] is not None]
        assert [change["guard"]["name"] for change in held] == ["decrease"]

        released = there("plan", "release", plan["id"], held[0]["id"], "--reason", "confirmed", "--json")
        assert released.code == 0, released.err
        checksum = released.document["checksum"]
        assert checksum != plan["checksum"]
        assert there("plan", "approve", plan["id"], "--checksum", plan["checksum"]).code == 1
        assert there("plan", "approve", plan["id"], "--checksum", checksum).code == 0
        applied = there.process("plan", "apply", plan["id"], "--checksum", checksum, "--json")
        assert applied.code == 0, applied.err
        results = applied.document["results"]
        assert {item["outcome"] for item in results} == {"applied"}
        assert {item["change_id"] for item in results} == {change["id"] for change in plan["changes"]}
        for change in plan["changes"]:
            assert quantity(there, change["agreement_id"], change["line_id"]) == change["to"]
        again = there("plan", "apply", plan["id"], "--checksum", checksum, "--json")
        assert (again.code, again.document["results"]) == (0, results)

        second = there.process("run", "--json")
        assert second.code == 0, second.err
        assert second.document["plan"]["changes"] == []
        assert {row["verdict"] for row in second.document["rows"]} == {"in_line"}
        verified = there("verify", "--json")
        assert (verified.code, verified.document["holds"]) == (0, True)
        history = there("history", "--json", "--limit", "500").document["items"]
        assert sum(1 for event in history if event["action"] == "change applied") == len(plan["changes"])


def test_a_moved_line_is_a_conflict_and_exit_code_2(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=3) as there:
        plan = until_plan(there)
        ready = next(change for change in plan["changes"] if change["guard"] is None)
        there.world.edit_addition(int(ready["line_id"]), quantity=77.0)
        there("plan", "approve", plan["id"], "--checksum", plan["checksum"])
        applied = there("plan", "apply", plan["id"], "--checksum", plan["checksum"], "--json")
        assert applied.code == 2
        assert [item["outcome"] for item in applied.document["results"]] == ["conflict"]
        assert quantity(there, ready["agreement_id"], ready["line_id"]) == 77.0


def test_a_failed_read_keeps_the_keys_and_has_no_plan(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=3) as there:
        good = until_plan(there)
        there.connectwise.faults.add("status", status=403, path="*/finance/agreements*", times=0)
        run = there("run", "--json")
        assert run.code == 1
        assert run.document["complete"] is False
        assert (run.document["rows"], run.document["plan"], run.document["totals"]) == ([], None, None)
        assert run.document["problem"]["integration"] == "connectwise"
        assert run.err.splitlines()[-1].startswith("trueup: ")
        assert there("plan", "show", "--json").document["id"] == good["id"]


def test_a_redirect_in_a_read_is_a_failure_and_not_wrong_usage(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=3) as there:
        until_plan(there)
        there.mimecast.faults.add("redirect", path="/partner/v1/customers", times=0, location="https://evil.example/")
        run = there("run", "--json")
        assert (run.code, run.document["complete"], run.document["plan"]) == (1, False, None)
        assert run.document["problem"]["code"] == "unsafe_address"


def until_plan(there: Machine) -> dict[str, object]:
    """The plan of a first run."""
    month_until_mapped(there)
    run = there("run", "--json")
    assert run.code == 2, run.err
    plan: dict[str, object] = run.document["plan"]
    return plan


def test_a_run_that_is_killed_goes_on_as_the_same_run(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=20) as there:
        month_until_mapped(there)
        child = start(there, "run", "--json")
        time_of_first_page(there)
        child.kill()
        child.communicate()
        (running,) = (run for run in runs(there) if run["state"] == "running")
        again = there("run", "--json")
        assert "was interrupted; going on from where it stopped" in again.err
        assert again.code == 2
        assert again.document["run_id"] == running["id"]


def test_ctrl_c_ends_a_read_at_once_and_stops_the_store(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=40) as there:
        month_until_mapped(there)
        child = start(there, "run", "--json")
        time_of_first_page(there)
        pressed_at = time.monotonic()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=90)
        assert time.monotonic() - pressed_at < 5
        assert child.returncode == 130
        assert json.loads(out)["code"] == "interrupted"
        assert err.splitlines()[-1].startswith("trueup: interrupted; ")
        assert "Traceback" not in err
        pid = store_pid(there.home)
        assert pid is not None
        assert is_running(pid)  # this test uses the store as well
    assert not is_running(pid)


def test_a_reader_that_goes_away_does_not_stop_the_work(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=2) as there:
        child = start(there, *there.connect_mimecast)
        assert child.stdout is not None
        child.stdout.close()
        assert child.wait(timeout=90) == 0
        assert child.stderr is not None
        assert "BrokenPipe" not in child.stderr.read()
        assert there("integrations", "--json").document["items"][0]["state"] == "pending"
        child.stderr.close()


def start(there: Machine, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "local.cli", *words],
        env=os.environ | there.environment,
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def runs(there: Machine) -> list[dict[str, object]]:
    """The newest runs as the store has them."""
    with opened(Home(there.home), Output(as_json=True)) as workplace:
        return [run_view(run) for run in workplace.state.runs.latest(5)]


def time_of_first_page(there: Machine) -> None:
    """Wait until the run that was started reads agreements of ConnectWise."""
    before = there.connectwise.requests.as_json(entries=False)["total"]
    end = time.monotonic() + 30
    while there.connectwise.requests.as_json(entries=False)["total"] < before + 4:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_apply_that_is_killed_in_a_write_is_finished_and_sends_it_once(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=3) as there:
        plan = until_plan(there)
        ready = next(change for change in plan["changes"] if change["guard"] is None)
        line = there.world.additions[int(ready["line_id"])]
        words = ("plan", "apply", plan["id"], "--checksum", plan["checksum"], "--json")
        assert there("plan", "approve", plan["id"], "--checksum", plan["checksum"]).code == 0
        there.connectwise.faults.add("late_reply", method="PATCH", seconds=30)
        child = start(there, *words)
        end = time.monotonic() + 30
        while line.quantity != ready["to"]:
            assert time.monotonic() < end
            time.sleep(0.02)
        child.kill()
        child.communicate()
        again = there(*words)
        assert again.code == 0, again.err
        assert [item["outcome"] for item in again.document["results"]] == ["applied"]
        assert len(there.world.writes) == 1


def test_serve_and_simulators_say_where_they_are_and_end_in_order(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=1) as there:
        for words, key, path in (
            (["serve", "--port", "0", "--json"], "url", "/v1/health"),
            (["simulators", "--world", "2", "--json"], "connectwise", "/_control/state"),
        ):
            child = start(there, *words)
            assert child.stdout is not None
            lines = []
            while not lines or lines[-1] != "}\n":
                lines.append(child.stdout.readline())
                assert lines[-1], child.stderr.read() if child.stderr else ""
            told = json.loads("".join(lines))
            assert requests.get(told[key] + path, timeout=10).status_code == 200
            child.send_signal(signal.SIGINT)
            rest, err = child.communicate(timeout=90)
            assert (child.returncode, rest) == (0, ""), err
