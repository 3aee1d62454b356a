"""The commands a newcomer types: the Makefile has them, CI runs them, and the fault report counts honestly."""

import os
import re
import subprocess

import pytest

from local.faults_report import COUNTS, FAULTS, FaultOutcomes, report_lines
from tests.infrastructure.template_reading import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
MARK = re.compile(r'mark\.fault\("([A-Z][0-9]+)"\)')
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", ["setup", "demo", "test", "check", "bench", "serve", "faults", "lint", "help"])
def test_the_makefile_has_the_command_and_explains_it(target: str) -> None:
    assert re.search(rf"^{target}:.*## \S", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("target", ["demo", "test", "serve", "bench", "faults", "lint"])
def test_a_command_does_its_own_set_up(target: str) -> None:
    assert re.search(rf"^{target}: setup\b", MAKEFILE, re.MULTILINE)


def test_ci_runs_what_the_readme_says() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "set -euo pipefail" in CI
    commands = re.findall(r"^make (\w+)", CI, re.MULTILINE)
    assert commands[:3] == ["setup", "demo", "test"]
    # `make check` is the tests and these two; CI spells them out so that the tests run once.
    assert re.search(r"^check: lint test deployable\b", MAKEFILE, re.MULTILINE)
    assert set(commands[3:]) == {"lint", "deployable"}


def test_make_explains_what_is_missing_without_python() -> None:
    result = subprocess.run(
        ["make", "setup", "PYTHON=no-such-python"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode != 0
    assert "Python 3.13" in result.stderr
    assert "PYTHON=/path/to/python3.13" in result.stderr


def outcome(test: str, result: str, when: str = "call") -> pytest.TestReport:
    return pytest.TestReport(test, (test, None, test), {}, result, None, when)  # type: ignore[arg-type]


class MarkedItem:
    """What the plugin reads of a collected test."""

    def __init__(self, nodeid: str, *faults: str) -> None:
        self.nodeid = nodeid
        self._faults = faults

    def iter_markers(self, name: str) -> list[pytest.Mark]:
        assert name == "fault"
        return [pytest.mark.fault(fault).mark for fault in self._faults]


def report_of(*outcomes: pytest.TestReport, fault: str = "T1") -> FaultOutcomes:
    plugin = FaultOutcomes()
    tests = {report.nodeid for report in outcomes}
    plugin.pytest_collection_modifyitems([MarkedItem(test, fault) for test in tests])  # type: ignore[misc]
    for report in outcomes:
        plugin.pytest_runtest_logreport(report)
    return plugin


def test_a_fault_holds_when_all_its_tests_pass() -> None:
    plugin = report_of(outcome("one", "passed"), outcome("two", "passed"))
    assert plugin.holds("T1")
    assert report_lines(plugin)[-1] == f"1 of {len(FAULTS)} faults hold"


@pytest.mark.parametrize(
    "second",
    [
        outcome("two", "failed"),
        outcome("two", "skipped"),
        outcome("one", "failed", when="teardown"),
        outcome("two", "skipped", when="setup"),
    ],
)
def test_one_failed_or_skipped_test_is_enough_to_doubt(second: pytest.TestReport) -> None:
    plugin = report_of(outcome("one", "passed"), second)
    assert not plugin.holds("T1")
    assert report_lines(plugin)[-1] == f"0 of {len(FAULTS)} faults hold"


def test_a_fault_without_a_test_does_not_hold() -> None:
    assert "T2: no test" in report_lines(report_of(outcome("one", "passed")))


def test_the_list_is_the_one_that_was_agreed() -> None:
    assert sum(COUNTS.values()) == len(set(FAULTS)) == len(FAULTS) == 125


def test_every_mark_names_a_fault_of_the_list() -> None:
    marked = {fault for path in ROOT.glob("tests/**/*.py") for fault in MARK.findall(path.read_text(encoding="utf-8"))}
    assert marked <= set(FAULTS)
    assert len(marked) > 100
