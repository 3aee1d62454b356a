"""The demo month as a person runs it: it ends with the proof, then finds nothing to do, and leaves nobody behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local.embedded_store import ENDPOINT_VARIABLE, running_store
from local.simulators.demo_clients import CLIENTS
from tests.local.command_line import PROJECT, is_running, require_sound, store_pid
from trueup.domain.verdicts import Verdict

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(os.environ.get(ENDPOINT_VARIABLE)), reason="the demo wants a store of its own"),
]


CORRECTED = 15
"""How many lines the month corrects before anything is ordered, whichever PSA it is played with."""

FOLLOWED = 1
"""How many lines follow an order that Mimecast has carried out."""

TOLD = (
    "order more",
    "not counted: Birch & Rowe LLP",
    "Licensed",
    "to order:",
    "Excluded",
    # Who holds a license and is nobody's seat, with the reason.
    "a shared mailbox",
    "a guest",
    "sign-in is blocked",
    "27 counted, 7 not",
    # What a person types into the portal, and how the two orders end.
    "Seat Adjustment",
    "state reflected",
    "Order SO-100432 of Hollybank Accountants is outstanding",
    # The end.
    "Hollybank Accountants 20 -> 25 is submitted",
    "Closed months are whole: 1 month, 1 link",
)


def demo(home: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "local.cli", "demo", *words],
        env=os.environ | {"TRUEUP_HOME": str(home)},
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def simulators_pid(home: Path) -> int:
    """The process that plays the vendors, once it has said so."""
    ready = home / "world" / "ready.json"
    end = time.monotonic() + 30
    while not ready.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    told: dict[str, Any] = json.loads(ready.read_text(encoding="utf-8"))
    return int(told["pid"])


def gone(pid: int | None) -> bool:
    """Whether that process ends within a few seconds."""
    assert pid is not None
    end = time.monotonic() + 10
    while is_running(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def flat(told: str) -> str:
    """The output with every line break and run of spaces as one space."""
    return " ".join(told.split())


def require_every_verdict(told: str) -> None:
    """The totals of the first comparison name each verdict there is, and the numbers add up to the rows."""
    totals = re.search(r"(\d+) rows: ((?:\d+ [a-z ]+(?:, )?)+) \d+ Mimecast accounts", flat(told))
    assert totals is not None
    counts = {words: int(count) for count, words in re.findall(r"(\d+) ([a-z ]+)", totals[2])}
    assert set(counts) == {verdict.words for verdict in Verdict}
    assert all(counts.values())
    assert sum(counts.values()) == int(totals[1])


def require_that_it_adds_up(told: str) -> None:
    """The check lines say so, and the printed summaries do, too."""
    text = flat(told)
    assert (text.count("✓ It adds up:"), text.count("does not add up")) == (3, 0)
    summaries = re.findall(
        r"(\d+) Mimecast accounts: (\d+) mapped, (\d+) excluded, (\d+) ambiguous, (\d+) unmapped", text
    )
    assert len(summaries) >= 3
    for summary in summaries:
        accounts, *states = map(int, summary)
        assert accounts == sum(states) == len([one for one in CLIENTS if one.vendor is not None])
    seats = re.search(r"seats: (\d+) in Mimecast agreements, (\d+) licensed, (\d+) billed", text)
    assert seats is not None
    assert "the rows add up to {} seats agreed, {} licensed, {} billed".format(*seats.groups()) in text
    flows = re.findall(r"all (too \w+) USD ([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)", text)
    assert [flow[0] for flow in flows] == ["too little", "too much"]
    for _, *amounts in flows:
        found, corrected, settled, outstanding = map(Decimal, amounts)
        assert found == corrected + settled + outstanding > 0


def test_the_month_ends_with_the_proof_and_a_second_one_finds_nothing_to_do(tmp_path: Path) -> None:
    home = tmp_path / "home"
    started_at = time.monotonic()
    first = demo(home)
    pid = simulators_pid(home)
    told, err = first.communicate(timeout=180)
    assert first.returncode == 0, told[-2000:] + err
    assert time.monotonic() - started_at < 180
    require_every_verdict(told)
    require_that_it_adds_up(told)
    for words in TOLD:
        assert words in flat(told), words
    # Nothing while the order is under way, then the bill that follows it, then nothing for good.
    assert re.findall(r"It finds (nothing to do|1 change to make)", told) == [
        "nothing to do", "1 change to make", "nothing to do",
    ]  # fmt: skip
    assert told.count("✓ as approved") == CORRECTED + FOLLOWED
    assert "✗" not in told
    assert all(line.isprintable() for line in told.splitlines())
    assert [
        line for line in told.splitlines() if len(line) > 100 and "--checksum" not in line and str(home) not in line
    ] == []
    assert gone(pid)
    assert store_pid(home) is None

    second = demo(home)
    told, err = second.communicate(timeout=120)
    assert second.returncode == 0, told[-2000:] + err
    for words in ("The month is closed", "is read-only", "0 changes", "Closed months are whole"):
        assert words in told, words
    assert told.count("✓ as approved") == CORRECTED + FOLLOWED

    third = demo(home, "--json")
    told, err = third.communicate(timeout=120)
    assert third.returncode == 0, err
    document = json.loads(told)
    assert (document["left_to_do"], document["lines_wrong"], document["sums_wrong"]) == (0, 0, 0)
    assert (document["closed"], document["lines_checked"]) == (True, CORRECTED + FOLLOWED)
    assert document["orders"] == {"draft": 5, "submitted": 1, "reflected": 1}
    assert [len(plan["changes"]) for plan in document["plans"]] == [CORRECTED, FOLLOWED]
    assert {
        change["result"]["outcome"] for plan in document["plans"] for change in plan["changes"]
    } == {"applied"}  # fmt: skip

    report = require_sound(home, json.loads((home / "world" / "world.json").read_text(encoding="utf-8")))
    assert {"I1", "I2", "I4", "I6", "I7", "I8", "I9", "I10"} <= report.checked


@pytest.mark.parametrize(("psa", "label"), [("autotask", "Autotask"), ("halopsa", "HaloPSA"), ("syncro", "Syncro")])
def test_the_month_is_the_same_with_every_psa(tmp_path: Path, psa: str, label: str) -> None:
    home = tmp_path / "home"
    month = demo(home, "--psa", psa)
    told, err = month.communicate(timeout=180)
    assert month.returncode == 0, told[-2000:] + err
    require_every_verdict(told)
    require_that_it_adds_up(told)
    assert told.count("✓ as approved") == CORRECTED + FOLLOWED
    assert "✗" not in told
    assert f"{label} says" in told
    assert "ConnectWise" not in told
    assert "It finds nothing to do: 0 changes." in told
    require_sound(home, json.loads((home / "world" / "world.json").read_text(encoding="utf-8")))
    other = demo(home)
    _, err = other.communicate(timeout=90)
    assert (other.returncode, f"holds a demo with {label}" in err) == (1, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_nobody_is_left_behind_however_it_ends(tmp_path: Path, number: signal.Signals, code: int) -> None:
    home = tmp_path / "home"
    child = demo(home)
    vendors = simulators_pid(home)
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("$ trueup sync"):
            break
    store = store_pid(home)
    child.send_signal(number)
    _, err = child.communicate(timeout=90)
    assert child.returncode == code
    assert "Traceback" not in err
    assert gone(vendors)
    if number is signal.SIGKILL:
        # The store outlives a killed user by design: the next one finds it, and stops it when it is the last.
        with running_store(home):
            assert store_pid(home) == store
    assert gone(store)


def test_a_state_folder_that_is_no_demo_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "state.db"
    precious.write_text("a real month", encoding="utf-8")
    for words in ([], ["--fresh"]):
        child = demo(tmp_path, *words)
        out, err = child.communicate(timeout=90)
        assert (child.returncode, out) == (1, "")
        assert "is in use and not by a demo" in err
        assert precious.read_text(encoding="utf-8") == "a real month"


def test_fresh_begins_anew_and_keeps_only_the_log(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "demo.json").write_text("{}", encoding="utf-8")
    (home / "vault").mkdir()
    (home / "vault" / "old").write_text("old", encoding="utf-8")
    child = demo(home, "--fresh")
    pid = simulators_pid(home)
    assert not (home / "vault" / "old").exists()
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=90)
    assert gone(pid)
