"""The month as a durable workflow: sync both sides, match, reconcile, wait for a person, apply.

The handler is run again from its start after every wait, and every step that is done answers from its checkpoint, so
nothing outside a step may read a clock or the store. Each step is safe to repeat: a step that was cut off runs again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from aws_durable_execution_sdk_python import DurableContext, StepContext
from aws_durable_execution_sdk_python.config import Duration
from aws_durable_execution_sdk_python.exceptions import DurableOperationError
from aws_durable_execution_sdk_python.types import WaitForCallbackContext

from trueup.api.events import MonthlyEvent
from trueup.domain.errors import ConfigurationInvalid, TrueupError
from trueup.domain.runs import Run, Step
from trueup.ports.clock import Clock
from trueup.ports.state import Runs
from trueup.usecases.monthly_run import begin_run, end_run, fail_run, note_step, note_waiting

CALLS_MAXIMUM = 500
"""More calls of one function than any month needs: beyond it something does not end."""


@dataclass(frozen=True, slots=True)
class FunctionNames:
    """The functions of this stack that do the steps."""

    vendor_sync: str
    psa_sync: str
    auto_matching: str
    reconciliation: str
    plan_apply: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> FunctionNames:
        """Raises ConfigurationInvalid naming the variable that is missing."""
        names = {}
        for field in cls.__slots__:
            variable = f"TRUEUP_FUNCTION_{field.upper()}"
            if not environment.get(variable):
                raise ConfigurationInvalid(f"the environment variable {variable} is not set")
            names[field] = environment[variable]
        return cls(**names)


class StepFailed(TrueupError):
    """A step of the run failed; the message is what the step's function said."""

    code = "step_failed"


def carry_out(
    event: MonthlyEvent,
    context: DurableContext,
    *,
    functions: FunctionNames,
    runs: Runs,
    clock: Clock,
    time_zone: ZoneInfo,
) -> dict[str, Any]:
    """Do what the event asks. Returns the run's id and how it ended."""
    if event.plan_id is not None:
        return _apply(context, functions, event.plan_id, event.checksum or "", event.actor or "")
    run_id, actor = _begin(event, context, runs, clock, time_zone)
    month = _Month(context, functions, runs, clock, run_id, actor)
    try:
        return month.carry_out()
    except DurableOperationError as failed:
        trouble = StepFailed(_words(failed), remedy="Look at the log of the step; then start a new run.")
        context.step(lambda _: _ended(fail_run(run_id, trouble, runs=runs, clock=clock)), name="record-failure")
        raise


def _begin(
    event: MonthlyEvent, context: DurableContext, runs: Runs, clock: Clock, time_zone: ZoneInfo
) -> tuple[str, str]:
    def begin(_: StepContext) -> list[str]:
        if event.run_id is not None:
            run = runs.get(event.run_id)
        else:
            run = begin_run(
                actor="schedule", time_zone=time_zone, runs=runs, clock=clock, scheduled_for=event.scheduled_for
            )
        return [run.id, run.started_by]

    run_id, actor = context.step(begin, name="begin")
    return run_id, actor


class _Month:
    """One run being carried out."""

    def __init__(
        self,
        context: DurableContext,
        functions: FunctionNames,
        runs: Runs,
        clock: Clock,
        run_id: str,
        actor: str,
    ) -> None:
        self._context = context
        self._functions = functions
        self._runs = runs
        self._clock = clock
        self._run_id = run_id
        self._actor = actor

    def carry_out(self) -> dict[str, Any]:
        self._read_both_sides()
        self._note(Step.MATCH)
        self._context.invoke(self._functions.auto_matching, {"run_id": self._run_id}, name="match")
        self._note(Step.RECONCILE)
        found: dict[str, Any] = self._context.invoke(
            self._functions.reconciliation, {"run_id": self._run_id, "actor": self._actor}, name="reconcile"
        )
        if not found["waits_for_approval"]:
            return {"run_id": self._run_id, "state": "done", "plan_id": found["plan_id"]}
        answer = json.loads(self._context.wait_for_callback(self._submit, name="wait-for-approval"))
        self._note(Step.APPLY)
        _apply(self._context, self._functions, found["plan_id"], answer["checksum"], answer["actor"])
        self._context.step(lambda _: _ended(end_run(self._run_id, runs=self._runs, clock=self._clock)), name="end")
        return {"run_id": self._run_id, "state": "done", "plan_id": found["plan_id"]}

    def _read_both_sides(self) -> None:
        sides = {"vendor": self._functions.vendor_sync, "psa": self._functions.psa_sync}
        order = {"run_id": self._run_id, "actor": self._actor}

        def branch(name: str, function: str) -> Callable[[DurableContext], bool]:
            return lambda child: _until_done(child, function, order, f"read-{name}")

        result = self._context.parallel(
            [branch(name, function) for name, function in sides.items()], name="read-both-sides"
        )
        result.throw_if_error()

    def _submit(self, callback_id: str, _: WaitForCallbackContext) -> None:
        note_waiting(self._run_id, callback_id, runs=self._runs, clock=self._clock)

    def _note(self, step: Step) -> None:
        self._context.step(
            lambda _: _ended(note_step(self._run_id, step, runs=self._runs, clock=self._clock)),
            name=f"note-{step.value}",
        )


def _until_done(context: DurableContext, function: str, order: dict[str, str], name: str) -> bool:
    """Call a function until it says that it is done; a wait that it asks for costs nothing here."""
    for call in range(CALLS_MAXIMUM):
        reply: dict[str, Any] = context.invoke(function, order, name=f"{name}-{call}")
        if reply["done"]:
            return True
        if reply["wait_seconds"]:
            context.wait(Duration.from_seconds(reply["wait_seconds"]), name=f"{name}-wait-{call}")
    raise StepFailed(f"{name} was not done after {CALLS_MAXIMUM} calls")


def _apply(
    context: DurableContext, functions: FunctionNames, plan_id: str, checksum: str, actor: str
) -> dict[str, Any]:
    order = {"plan_id": plan_id, "checksum": checksum, "actor": actor}
    _until_done(context, functions.plan_apply, order, "apply")
    return {"plan_id": plan_id, "state": "done"}


def _ended(run: Run) -> str:
    return run.state.value


def _words(failed: DurableOperationError) -> str:
    return str(failed)[:500] or type(failed).__name__
