"""The run of a month: its record, its progress, its end. The order of the work is here for whoever carries it out.

In the cloud the durable function calls one function for each step; on one machine the steps run one after another. Both
record their progress with the same functions, so a screen cannot tell the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from math import ceil
from zoneinfo import ZoneInfo

from trueup.domain.audit import Audit
from trueup.domain.effective import AS_THE_PSA_DOES, EffectiveWish
from trueup.domain.errors import LeaseHeld, TrueupError, VersionConflict
from trueup.domain.integrations import Side
from trueup.domain.periods import Period, local_day
from trueup.domain.plan import Plan
from trueup.domain.runs import Run, RunState, SideProgress, Step
from trueup.ports.clock import Clock
from trueup.ports.state import Integrations, Runs
from trueup.usecases.opening import psa_capabilities

SCHEDULE = "schedule"
"""The actor of a run that nobody started by hand."""

RUNS_LOOKED_AT = 100
"""More runs than can wait for a person at one time."""

NOTE_ATTEMPTS = 50
"""How often a note is tried against the other sides'; they cannot collide this often in a row."""


REQUIRED_SIDES = tuple(side for side in Side if side.is_required)

DROP_ACCEPTED = "a much shorter list than last time is accepted"
COUNTS_FROM = "changes count from"


def begin_run(
    *,
    actor: str,
    time_zone: ZoneInfo,
    runs: Runs,
    clock: Clock,
    scheduled_for: datetime | None = None,
    accept_drop: bool = False,
    wish: EffectiveWish = AS_THE_PSA_DOES,
    sides: Sequence[Side] = REQUIRED_SIDES,
) -> Run:
    """Start a run, or return the one that is not over yet: a duplicate or late trigger never makes a second one.

    ``scheduled_for`` is the time a schedule meant; the period is pinned to it, and a schedule that fires again for a
    period that has had its scheduled run returns that run, whatever became of it. ``accept_drop`` is a person's word
    that a much shorter list is right, ``wish`` from when the changes are to count (``chosen_wish``), and ``sides`` what
    the run reads (``connected_sides``). Raises LeaseHeld when a run that was begun without that word, or with another
    wish, is not over yet.
    """
    now = clock.now()
    period = Period.at(scheduled_for or now, time_zone)
    earlier = [run for run in runs.latest(RUNS_LOOKED_AT) if run.period == str(period)]
    if scheduled_for is not None:
        for run in earlier:
            if run.started_by == SCHEDULE:
                return run
    run = Run(
        id=f"{period}-{_number_after(earlier):03d}",
        period=str(period),
        state=RunState.RUNNING,
        step=Step.SYNC,
        started_at=now,
        started_by=SCHEDULE if scheduled_for is not None else actor,
        updated_at=now,
        sides=tuple(SideProgress(side) for side in sides),
        accept_drop=accept_drop,
        effective=wish.text,
    )
    words = [DROP_ACCEPTED] if accept_drop else []
    words += [f"{COUNTS_FROM} {wish.text}"] if wish.text else []
    why = "; ".join(words)
    try:
        started = runs.start(run, Audit(now, run.started_by, "run started", run.id, why=why, run_id=run.id))
        _supersede(started, lambda waiting: waiting.period < started.period, runs, clock)
        return started
    except LeaseHeld as held:
        holder = runs.get(held.holder)
        if accept_drop and not holder.accept_drop:
            raise LeaseHeld(
                f"run {holder.id} is not over, and it does not accept a shorter list",
                holder=holder.id,
                remedy="Wait until it is over, then start a run that accepts it.",
            ) from held
        if wish.text and holder.effective != wish.text:
            raise LeaseHeld(
                f"run {holder.id} is not over, and its changes count from {holder.effective or 'the default'}",
                holder=holder.id,
                remedy="Wait until it is over, then start a run with the date you want.",
            ) from held
        return holder


def chosen_wish(text: str, *, integrations: Integrations, time_zone: ZoneInfo, clock: Clock) -> EffectiveWish:
    """From when a person wants the changes to count, once it is sure that the connected PSA can do that.

    Raises InputInvalid (``effective``) for what is no date, is over by the MSP's day, or cannot be had there, and
    NotConnected.
    """
    wish = EffectiveWish.parse(text)
    if wish != AS_THE_PSA_DOES:
        wish.require_possible(psa_capabilities(integrations), local_day(clock.now(), time_zone))
    return wish


def _number_after(earlier: list[Run]) -> int:
    """The next number in the period; counting the runs would give a number twice once the list is cut."""
    return max((int(run.id.rpartition("-")[2]) for run in earlier), default=0) + 1


def note_progress(run_id: str, progress: SideProgress, *, runs: Runs, clock: Clock) -> Run:
    """Record how far one side is. Both sides note at the same time; a run that is over is left as it is."""

    def change(run: Run) -> Run:
        sides = tuple(progress if item.side is progress.side else item for item in run.sides)
        return replace(run, sides=sides, updated_at=clock.now())

    return _change(run_id, change, runs)


def note_side_failed(run_id: str, side: Side, trouble: TrueupError, *, runs: Runs, clock: Clock) -> Run:
    """Record that a side that is not required was not read, and why; the run goes on without it."""
    now = clock.now()
    why = trouble.message

    def change(run: Run) -> Run:
        sides = tuple(
            replace(item, done=False, problem=why, remedy=trouble.remedy) if item.side is side else item
            for item in run.sides
        )
        return replace(run, sides=sides, updated_at=now)

    actor = runs.get(run_id).started_by
    audit = Audit(now, actor, f"{side.value} not read", run_id, why=why, run_id=run_id)
    return _change(run_id, change, runs, audit)


def note_step(run_id: str, step: Step, *, runs: Runs, clock: Clock) -> Run:
    """Record which step begins; a run that waited for a person runs again."""
    return _change(run_id, lambda run: replace(run, step=step, state=RunState.RUNNING, updated_at=clock.now()), runs)


def note_drop_accepted(run_id: str, *, actor: str, runs: Runs, clock: Clock) -> Run:
    """Record a person's word, for a run that was begun without it, that a much shorter list is right."""
    now = clock.now()
    audit = Audit(now, actor, "run changed", run_id, why=DROP_ACCEPTED, run_id=run_id)
    return _change(run_id, lambda run: replace(run, accept_drop=True, updated_at=now), runs, audit)


def note_effective(run_id: str, wish: EffectiveWish, *, actor: str, runs: Runs, clock: Clock) -> Run:
    """Record another word of a person on from when the changes of a run that goes on are to count."""
    now = clock.now()
    audit = Audit(now, actor, "run changed", run_id, why=f"{COUNTS_FROM} {wish.text}", run_id=run_id)
    return _change(run_id, lambda run: replace(run, effective=wish.text, updated_at=now), runs, audit)


def note_plan(run_id: str, plan: Plan, *, runs: Runs, clock: Clock, waits_by_callback: bool = False) -> Run:
    """Record the plan; the run waits for a person when there is something to approve, and is done when there is not.

    With ``waits_by_callback`` the workflow carries it on in either case, and it does not wait before ``note_waiting``:
    nobody could tell it to go on until then.
    """
    waits = plan.waits or waits_by_callback
    waiting = RunState.RUNNING if waits_by_callback else RunState.WAITING_FOR_APPROVAL

    def change(run: Run) -> Run:
        now = clock.now()
        return replace(
            run,
            state=waiting if waits else RunState.DONE,
            step=Step.APPROVE,
            plan_id=plan.id,
            plan_checksum=plan.checksum,
            updated_at=now,
            ended_at=None if waits else now,
        )

    noted = _change(run_id, change, runs)
    _supersede(noted, lambda other: other.period == noted.period and other.plan_id != plan.id, runs, clock)
    return noted


def _supersede(newer: Run, is_over_for: Callable[[Run], bool], runs: Runs, clock: Clock) -> None:
    """End the runs that wait for a word on a plan that can no longer be approved: it is of a month that is over, or
    another plan took its place. A run that moved meanwhile is left as it is.
    """
    for run in runs.latest(RUNS_LOOKED_AT):
        if run.id == newer.id or run.state is not RunState.WAITING_FOR_APPROVAL or not is_over_for(run):
            continue
        now = clock.now()
        words = f"run {newer.id} took its place before anybody approved its plan"
        audit = Audit(now, newer.started_by, "run superseded", run.id, why=words, run_id=run.id)
        ended = replace(
            run,
            state=RunState.SUPERSEDED,
            problem=words,
            remedy=f"Look at the plan of run {newer.id}.",
            callback_id="",
            updated_at=now,
            ended_at=now,
        )
        with suppress(VersionConflict):
            runs.save(ended, audit)


def note_waiting_for_orders(run_id: str, *, runs: Runs, clock: Clock) -> Run:
    """Record that the PSA bills what was approved, and that the vendor does not show yet what was ordered."""
    waiting = RunState.WAITING_FOR_ORDERS
    return _change(
        run_id, lambda run: replace(run, state=waiting, step=Step.ORDER, callback_id="", updated_at=clock.now()), runs
    )


def seconds_until_over(period: str, time_zone: ZoneInfo, clock: Clock) -> int:
    """Seconds until the month is over by the MSP's calendar; 0 when it is."""
    first = Period.parse(period).next().first_day
    left = datetime(first.year, first.month, first.day, tzinfo=time_zone) - clock.now()
    return max(0, ceil(left.total_seconds()))


def note_waiting(run_id: str, callback_id: str, *, runs: Runs, clock: Clock) -> Run:
    """Record that the run waits for a person, and how it can be told to go on."""

    def change(run: Run) -> Run:
        return replace(run, state=RunState.WAITING_FOR_APPROVAL, callback_id=callback_id, updated_at=clock.now())

    return _change(run_id, change, runs)


def _change(run_id: str, change: Callable[[Run], Run], runs: Runs, audit: Audit | None = None) -> Run:
    """Store the changed run, reading it again when another step of the same run stored it meanwhile.

    Raises VersionConflict when the others do not stop.
    """
    for attempt in range(NOTE_ATTEMPTS):
        run = runs.get(run_id)
        if run.is_over:
            return run
        try:
            return runs.save(change(run), audit)
        except VersionConflict:
            if attempt == NOTE_ATTEMPTS - 1:
                raise
    raise AssertionError("the loop returns or raises")


def end_run(run_id: str, *, runs: Runs, clock: Clock) -> Run:
    """The run is done. Ending it again changes nothing."""
    run = runs.get(run_id)
    if run.is_over:
        return run
    now = clock.now()
    audit = Audit(at=now, actor=run.started_by, action="run done", subject=run_id, run_id=run_id)
    return runs.save(replace(run, state=RunState.DONE, updated_at=now, ended_at=now, callback_id=""), audit)


def fail_run(run_id: str, trouble: TrueupError, *, runs: Runs, clock: Clock) -> Run:
    """The run failed; what was complete before stays. Failing it again changes nothing."""
    run = runs.get(run_id)
    if run.is_over:
        return run
    now = clock.now()
    audit = Audit(at=now, actor=run.started_by, action="run failed", subject=run_id, why=trouble.message, run_id=run_id)
    failed = replace(
        run,
        state=RunState.FAILED,
        callback_id="",
        problem_code=trouble.code,
        problem=trouble.message,
        remedy=trouble.remedy,
        updated_at=now,
        ended_at=now,
    )
    return runs.save(failed, audit)


def days_overdue(*, active: bool, run_day: int, time_zone: ZoneInfo, runs: Runs, clock: Clock) -> int:
    """Days since this month's run was due and none was begun that did not fail; 0 when it is not due or was begun.

    Nothing is overdue before the mapping is finished (``active``), for then the schedule has nothing to run on.
    """
    if not active:
        return 0
    today = local_day(clock.now(), time_zone)
    period = str(Period(today.year, today.month))
    if any(run.period == period and run.state is not RunState.FAILED for run in runs.latest(RUNS_LOOKED_AT)):
        return 0
    return max(0, today.day - run_day)
