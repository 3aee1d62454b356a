"""The durable monthly run on AWS's in-process local runner, where waiting takes no time, with the real functions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aws_durable_execution_sdk_python_testing import DurableFunctionTestResult, DurableFunctionTestRunner

from local.template import local_deployment
from tests.handlers.stage import Stage
from trueup.domain.runs import Run

SECONDS = 30
Call = Callable[[Any], Any]


@dataclass
class Month:
    """The runner with the functions of a stage behind it. ``calls`` names every function that was called."""

    stage: Stage
    runner: DurableFunctionTestRunner
    calls: list[str] = field(default_factory=list)
    _executions: int = 0
    _results: dict[str, DurableFunctionTestResult] = field(default_factory=dict)

    def begin(self, event: Mapping[str, Any]) -> str:
        """Start an execution; returns its id."""
        self._executions += 1
        return self.runner.run_async(
            input=json.dumps(event),
            function_name="trueup-local-monthly-run",
            execution_name=f"execution-{self._executions}",
        )

    def result(self, execution_id: str) -> DurableFunctionTestResult:
        """What became of it, once it is over."""
        if execution_id not in self._results:
            self._results[execution_id] = self.runner.wait_for_result(execution_id, timeout=SECONDS)
        return self._results[execution_id]

    def ended(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The document an execution answers with that must succeed."""
        result = self.result(self.begin(event))
        assert result.status.value == "SUCCEEDED", (result.error, self.calls)
        answer: dict[str, Any] = json.loads(result.result or "null")
        return answer

    def waiting(self, run_id: str) -> Run:
        """The run as the API shows it, once it waits for a person and can be told to go on."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            runs = {run.id: run for run in self.stage.state.runs.latest()}
            if run_id in runs:
                assert not runs[run_id].is_over, runs[run_id]
                if runs[run_id].callback_id:
                    return runs[run_id]
            time.sleep(0.02)
        raise AssertionError(f"run {run_id} does not wait; there are {self.stage.state.runs.latest()}; {self.calls}")

    def answer(self, callback_id: str, checksum: str, actor: str) -> None:
        """What the portal sends when a person has a plan applied."""
        self.runner.send_callback_success(callback_id, json.dumps({"checksum": checksum, "actor": actor}).encode())


@contextmanager
def running_month(stage: Stage, instead: Mapping[str, Call] | None = None) -> Iterator[Month]:
    """The runner for the length of a block. ``instead`` takes the place of a function, given the real one's event."""
    runner = DurableFunctionTestRunner(stage.functions.handler("monthly_run"), poll_interval=0.02)
    month = Month(stage, runner)

    def target(capability: str) -> Callable[[Any, Any], Any]:
        def call(event: Any, _: Any) -> Any:
            month.calls.append(capability)
            if instead is not None and capability in instead:
                return instead[capability](event)
            return stage.call(capability, event)

        return call

    for definition in local_deployment().functions():
        if not definition.durable:
            runner.register_function(definition.name, target(definition.capability))
    try:
        with runner:
            yield month
    finally:
        runner._scheduler._loop.close()  # The runner leaves its event loop open.
