"""Runs the tests that are marked with a fault id and prints how many of the listed faults hold; `make faults`.

Method: pytest in this process with a small plugin that remembers the outcome of each marked test. A fault holds when
it has at least one test and all of its tests pass; a skipped one is no proof.
Must not: decide what a fault means. The tests do.
"""

import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


COUNTS = {"T": 24, "C": 20, "P": 17, "M": 12, "A": 27, "D": 8, "S": 17}
"""Of the fault list: transport, content, PSA, matching, AWS and state, dates, security."""

FAULTS: tuple[str, ...] = tuple(
    f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)
)


class FaultOutcomes:
    """A pytest plugin: the outcomes of the tests of each fault id."""

    def __init__(self) -> None:
        self._faults_of_test: dict[str, list[str]] = {}
        self.outcomes: dict[str, dict[str, str]] = defaultdict(dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            faults = [str(fault) for marker in item.iter_markers("fault") for fault in marker.args]
            if faults:
                self._faults_of_test[item.nodeid] = faults

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # A failure while setting up or tearing down outweighs a passed call.
        if report.when != "call" and report.passed:
            return
        for fault in self._faults_of_test.get(report.nodeid, []):
            if self.outcomes[fault].get(report.nodeid) != "failed":
                self.outcomes[fault][report.nodeid] = report.outcome

    def holds(self, fault: str) -> bool:
        outcomes = self.outcomes.get(fault, {})
        return bool(outcomes) and set(outcomes.values()) == {"passed"}


def report_lines(plugin: FaultOutcomes) -> list[str]:
    """One line per fault that does not hold and why, then the sum."""
    lines = []
    for fault in FAULTS:
        outcomes = plugin.outcomes.get(fault, {})
        if not outcomes:
            lines.append(f"{fault}: no test")
        lines += [f"{fault}: {outcome}: {test}" for test, outcome in outcomes.items() if outcome != "passed"]
    holding = sum(plugin.holds(fault) for fault in FAULTS)
    return [*lines, f"{holding} of {len(FAULTS)} faults hold"]


def main() -> int:
    """Exit code 0 when nothing that was tried failed, 1 otherwise; a fault that has no test is printed as such."""
    plugin = FaultOutcomes()
    session = pytest.main(["-q", "-m", "fault", "--rootdir", str(ROOT), str(ROOT / "tests")], plugins=[plugin])
    for line in report_lines(plugin):
        print(line)
    return 0 if session is pytest.ExitCode.OK else 1


if __name__ == "__main__":
    sys.exit(main())
