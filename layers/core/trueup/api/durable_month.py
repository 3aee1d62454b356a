"""The month as a durable workflow: read, match, reconcile, tell, wait for a person, apply, wait for orders, seal.

The handler is run again from its start after every wait, and every step that is done answers from its checkpoint, so
nothing outside a step may read a clock or the store. Each step is safe to repeat: a step that was cut off runs again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.exceptions import (
    CallbackExternalError,
    CallbackTimeoutError,
    DurableOperationError,
)
from aws_durable_execution_sdk_python.types import StepContext, WaitForCallbackContext

from trueup.api.events import MonthlyEvent
from trueup.domain.auto_apply import AutoApplyPolicy
from trueup.domain.errors import ConfigurationInvalid, LeaseHeld, TrueupError
from trueup.domain.integrations import Side
from trueup.domain.notices import NoticeKind
from trueup.domain.plan import PLAN_AGE_MAXIMUM
from trueup.domain.runs import Run, Step
from trueup.ports.clock import Clock
from trueup.ports.state import Integrations, Leases, Plans, Runs
from trueup.usecases.auto_apply import POLICY, approve_small_increases, propose_rest
from trueup.usecases.license_sync import reads_licenses
from trueup.usecases.monthly_run import (
    SCHEDULE,
    begin_run,
    end_run,
    fail_run,
    note_plan,
    note_side_failed,
    note_step,
    note_waiting,
    note_waiting_for_orders,
    seconds_until_over,
)
from trueup.usecases.opening import connected_sides

DAYS_MAXIMUM = 40
"""More days than an execution may last (DurableConfig in the template)."""

CALLS_MAXIMUM = 500
"""More calls of one function than any month needs: beyond it something does not end."""

APPROVAL_DAYS = PLAN_AGE_MAXIMUM.days + 1
"""How long a run waits for a person: a plan is too old to be applied before this is over."""

CLAIM_SECONDS = 40 * 24 * 3600
"""How long one execution has a run to itself: as long as an execution may last (DurableConfig in the template)."""

OWNER_CHARACTERS = 200
"""The end of an execution's name tells it from every other; the beginning is the same for all."""


@dataclass(frozen=True, slots=True)
class FunctionNames:
    """The functions of this stack that do the steps."""

    vendor_sync: str
    psa_sync: str
    license_sync: str
    auto_matching: str
    reconciliation: str
    plan_apply: str
    notification: str
    change_orders: str
    sealing: str

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


class NotApproved(TrueupError):
    """Nobody approved the plan while it was fresh enough to be applied."""

    code = "not_approved"
    default_remedy = "Start a new run; it reads both sides again and proposes what still differs."


@dataclass(frozen=True, slots=True)
class Records:
    """What the workflow itself reads and writes; the functions it calls have their own."""

    runs: Runs
    plans: Plans
    leases: Leases
    integrations: Integrations
    clock: Clock
    time_zone: ZoneInfo
    auto_apply: AutoApplyPolicy


@dataclass(frozen=True, slots=True)
class _Claim:
    """The run this execution found or began. ``is_ours`` is False when another execution carries it out or did."""

    run_id: str
    actor: str
    is_ours: bool


def carry_out(
    event: MonthlyEvent, context: DurableContext, *, functions: FunctionNames, records: Records
) -> dict[str, Any]:
    """Do what the event asks. Returns the run's id and how it ended; a duplicate trigger gets the id at once."""
    if event.plan_id is not None:
        return _apply(context, functions, event.plan_id, event.checksum or "", event.actor or "")
    claim = _Claim(*context.step(lambda _: _begin(event, context, records), name="begin"))
    if not claim.is_ours:
        return {"run_id": claim.run_id, "state": "not_started"}
    try:
        return _Month(context, functions, records, claim).carry_out()
    except (DurableOperationError, StepFailed) as failed:
        trouble = StepFailed(_words(failed), remedy="Look at the log of the step; then start a new run.")
        context.step(
            lambda _: _ended(fail_run(claim.run_id, trouble, runs=records.runs, clock=records.clock)),
            name="record-failure",
        )
        _tell(context, functions, NoticeKind.SYNC_INCOMPLETE, claim.run_id)
        raise


def _begin(event: MonthlyEvent, context: DurableContext, records: Records) -> tuple[str, str, bool]:
    """Find or begin the run and claim it. Repeated by the same execution it gives the same answer."""
    if event.run_id is not None:
        run = records.runs.get(event.run_id)
    elif not any(item.finished_at for item in records.integrations.all()):
        # The schedule of a tenant who has not finished the mapping yet has nothing to run on.
        return ("", SCHEDULE, False)
    else:
        run = begin_run(
            actor=SCHEDULE,
            time_zone=records.time_zone,
            runs=records.runs,
            clock=records.clock,
            scheduled_for=event.scheduled_for,
            sides=connected_sides(records.integrations),
        )
    if run.is_over:
        return (run.id, run.started_by, False)
    owner = context.execution_context.durable_execution_arn
    try:
        records.leases.acquire(f"carry-out-{run.id}", owner=owner, seconds=CLAIM_SECONDS)
    except LeaseHeld:
        return (run.id, run.started_by, False)
    return (run.id, run.started_by, True)


class _Month:
    """One run being carried out."""

    def __init__(self, context: DurableContext, functions: FunctionNames, records: Records, claim: _Claim) -> None:
        self._context = context
        self._functions = functions
        self._records = records
        self._runs = records.runs
        self._clock = records.clock
        self._run_id = claim.run_id
        self._actor = claim.actor
        self._order = {"run_id": claim.run_id, "actor": claim.actor}

    def carry_out(self) -> dict[str, Any]:
        # The months before are closed first: what they are closed with are the reads that this run takes the place of.
        self._seal("seal-before")
        self._read_sides()
        self._note(Step.MATCH)
        self._context.invoke(self._functions.auto_matching, {"run_id": self._run_id}, name="match")
        self._note(Step.RECONCILE)
        found: dict[str, Any] = self._context.invoke(
            self._functions.reconciliation, {"run_id": self._run_id, "actor": self._actor}, name="reconcile"
        )
        plan_id = self._small_increases(found["plan_id"]) if found["waits_for_approval"] else ""
        self._tell(NoticeKind.RUN_FINISHED, NoticeKind.DROP_OR_JUMP_HELD)
        if plan_id:
            self._tell(NoticeKind.APPROVAL_WANTED)
            answer = self._answer()
            if answer is None:
                return {"run_id": self._run_id, "state": "not_approved", "plan_id": plan_id}
            self._note(Step.APPLY)
            _apply(self._context, self._functions, plan_id, answer["checksum"], answer["actor"])
        self._follow_orders()
        self._context.step(lambda _: _ended(end_run(self._run_id, runs=self._runs, clock=self._clock)), name="end")
        self._close()
        return {"run_id": self._run_id, "state": "done", "plan_id": plan_id or found["plan_id"]}

    def _small_increases(self, plan_id: str) -> str:
        """Apply what the tenant lets go without a person; the id of the plan that waits for one, empty when none does.

        Only a run that the schedule began does this: who begins one by hand is there to look at what it found.
        """
        records = self._records
        if self._actor != SCHEDULE or not records.auto_apply.increase_seats:
            return plan_id

        def approve(_: StepContext) -> tuple[str, str, bool] | None:
            plan, policy = records.plans.get(plan_id), records.auto_apply
            part = approve_small_increases(plan, policy=policy, plans=records.plans, clock=self._clock)
            return None if part is None else (part.plan.id, part.plan.checksum, part.is_all)

        part = self._context.step(approve, name="approve-small-increases")
        if part is None:
            return plan_id
        small_id, checksum, is_all = part
        self._note(Step.APPLY, "small")
        _apply(self._context, self._functions, small_id, checksum, POLICY, name="apply-small")
        return "" if is_all else self._context.step(lambda _: self._rest(plan_id), name="propose-rest")

    def _rest(self, plan_id: str) -> str:
        records = self._records
        plan = records.plans.get(plan_id)
        rest = propose_rest(plan, policy=records.auto_apply, plans=records.plans, clock=self._clock)
        note_plan(self._run_id, rest, runs=self._runs, clock=self._clock, waits_by_callback=True)
        return rest.id

    def _follow_orders(self) -> None:
        """Look every day whether the vendor shows what was ordered, until it does or the month is over."""
        for day in range(DAYS_MAXIMUM):
            found = _until_done(self._context, self._functions.change_orders, self._order, f"orders-{day}")
            if found["reflected"]:
                self._tell(NoticeKind.ORDER_REFLECTED, part=f"-{day}")
            if found["late"]:
                self._tell(NoticeKind.ORDER_LATE, part=f"-{day}")
            if not found["outstanding"] or found["period_is_over"]:
                return
            if day == 0:
                self._context.step(
                    lambda _: _ended(note_waiting_for_orders(self._run_id, runs=self._runs, clock=self._clock)),
                    name="note-orders",
                )
            self._context.wait(Duration.from_days(1), name=f"orders-wait-{day}")

    def _close(self) -> None:
        """Seal the month once it is over; a person may have sealed it before, and a later run of it seals it itself."""
        seconds: int = self._context.step(
            lambda _: seconds_until_over(self._runs.get(self._run_id).period, self._records.time_zone, self._clock),
            name="until-over",
        )
        if seconds:
            self._context.wait(Duration.from_seconds(seconds), name="wait-until-over")
        self._seal("seal")

    def _seal(self, name: str) -> None:
        """Close the months that are over, and have people told where one was."""
        closed: dict[str, Any] = self._context.invoke(self._functions.sealing, self._order, name=name)
        if closed["sealed"]:
            self._tell(NoticeKind.SEALED, part=f"-{name}")

    def _read_sides(self) -> None:
        """Read all sides at the same time; one that is not required and fails is noted, and the month goes on."""
        sides = {"vendor": self._functions.vendor_sync, "psa": self._functions.psa_sync}

        def branch(name: str, function: str) -> Callable[[DurableContext], bool]:
            return lambda child: bool(_until_done(child, function, self._order, f"read-{name}")["done"])

        def licenses(child: DurableContext) -> bool:
            try:
                return bool(_until_done(child, self._functions.license_sync, self._order, "read-licenses")["done"])
            except (DurableOperationError, StepFailed) as failed:
                trouble = StepFailed(_words(failed), remedy="Look at the log of license_sync; then start a new run.")
                child.step(lambda _: self._failed(Side.LICENSES, trouble), name="note-licenses-failed")
                return False

        branches = [branch(name, function) for name, function in sides.items()]
        with_licenses = self._context.step(lambda _: reads_licenses(self._runs.get(self._run_id)), name="choose-sides")
        if with_licenses:
            branches.append(licenses)
        self._context.parallel(branches, name="read-sides").throw_if_error()
        if with_licenses and self._context.step(lambda _: self._lacks_a_side(), name="look-at-sides"):
            self._tell(NoticeKind.SYNC_INCOMPLETE)

    def _lacks_a_side(self) -> bool:
        return any(side.problem for side in self._runs.get(self._run_id).sides)

    def _failed(self, side: Side, trouble: TrueupError) -> str:
        return _ended(note_side_failed(self._run_id, side, trouble, runs=self._runs, clock=self._clock))

    def _answer(self) -> dict[str, str] | None:
        """The approval, or None when nobody gave it in time, which is recorded and is no fault of the workflow."""
        config = WaitForCallbackConfig(timeout=Duration.from_days(APPROVAL_DAYS))
        try:
            text = self._context.wait_for_callback(self._submit, name="wait-for-approval", config=config)
        except (CallbackTimeoutError, CallbackExternalError):
            trouble = NotApproved(f"nobody approved the plan within {APPROVAL_DAYS} days")
            self._context.step(
                lambda _: _ended(fail_run(self._run_id, trouble, runs=self._runs, clock=self._clock)),
                name="record-no-approval",
            )
            return None
        answer: dict[str, str] = json.loads(text)
        return answer

    def _submit(self, callback_id: str, _: WaitForCallbackContext) -> None:
        note_waiting(self._run_id, callback_id, runs=self._runs, clock=self._clock)

    def _tell(self, *kinds: NoticeKind, part: str = "") -> None:
        for kind in kinds:
            _tell(self._context, self._functions, kind, self._run_id, part)

    def _note(self, step: Step, part: str = "") -> None:
        self._context.step(
            lambda _: _ended(note_step(self._run_id, step, runs=self._runs, clock=self._clock)),
            name=f"note-{step.value}{part and '-'}{part}",
        )


def _tell(context: DurableContext, functions: FunctionNames, kind: NoticeKind, run_id: str, part: str = "") -> None:
    """Have people told. That nobody could be told is recorded there, and is no reason to stop a month."""
    with suppress(DurableOperationError):
        context.invoke(functions.notification, {"kind": kind.value, "run_id": run_id}, name=f"tell-{kind.value}{part}")


def _until_done(context: DurableContext, function: str, order: dict[str, str], name: str) -> dict[str, Any]:
    """Call a function until it says that it is done; a wait that it asks for costs nothing here."""
    for call in range(CALLS_MAXIMUM):
        reply: dict[str, Any] = context.invoke(function, order, name=f"{name}-{call}")
        if reply["done"]:
            return reply
        if reply["wait_seconds"]:
            context.wait(Duration.from_seconds(reply["wait_seconds"]), name=f"{name}-wait-{call}")
    raise StepFailed(f"{name} was not done after {CALLS_MAXIMUM} calls")


def _apply(
    context: DurableContext, functions: FunctionNames, plan_id: str, checksum: str, actor: str, *, name: str = "apply"
) -> dict[str, Any]:
    owner = context.execution_context.durable_execution_arn[-OWNER_CHARACTERS:]
    order = {"plan_id": plan_id, "checksum": checksum, "actor": actor, "owner": owner}
    _until_done(context, functions.plan_apply, order, name)
    return {"plan_id": plan_id, "state": "done"}


def _ended(run: Run) -> str:
    return run.state.value


def _words(failed: Exception) -> str:
    return str(failed)[:500] or type(failed).__name__
