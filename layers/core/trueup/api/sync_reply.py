"""What the sync functions answer: done or not, how far, and how long the other side asked to wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trueup.api.events import SyncEvent
from trueup.domain.errors import Conflict, RateLimited, StateTrouble, TrueupError
from trueup.domain.integrations import Side
from trueup.domain.runs import SideProgress
from trueup.ports.clock import Clock
from trueup.ports.state import Runs
from trueup.usecases.monthly_run import note_progress, note_side_failed
from trueup.usecases.reading import ReadOrder, ReadResult


def synced(
    event: SyncEvent,
    sync: Callable[[ReadOrder], ReadResult],
    *,
    runs: Runs,
    clock: Clock,
    stop_at_seconds: float,
) -> dict[str, Any]:
    """Read on and say how far it is. A request to wait is an answer, not an error: waiting here would cost money.

    Raises Conflict for a run that is over: a message that is delivered again later must not have its reads take the
    place of those of a newer run.
    """
    seen: list[SideProgress] = []
    run = runs.get(event.run_id)
    if run.is_over:
        raise Conflict(
            f"run {run.id} of {run.period} is over ({run.state.value}); nothing is read for it any more",
            remedy="Start a new run.",
        )
    order = ReadOrder(
        period=run.period,
        run_id=event.run_id,
        actor=event.actor,
        stop_at_seconds=stop_at_seconds,
        accept_drop=event.accept_drop or run.accept_drop,
        on_progress=seen.append,
    )
    wait_seconds = 0.0
    snapshot_id = None
    try:
        result = sync(order)
        seen.append(result.progress)
        snapshot_id = result.snapshot.id if result.snapshot is not None else None
    except RateLimited as limited:
        wait_seconds = max(1.0, limited.wait_seconds)
    if seen:
        note_progress(event.run_id, seen[-1], runs=runs, clock=clock)
    return {
        "done": snapshot_id is not None,
        "snapshot_id": snapshot_id,
        "wait_seconds": round(wait_seconds),
        "progress": {"pages": seen[-1].pages if seen else 0, "accounts": seen[-1].accounts if seen else 0},
    }


def synced_unless_it_fails(
    event: SyncEvent,
    side: Side,
    sync: Callable[[ReadOrder], ReadResult],
    *,
    runs: Runs,
    clock: Clock,
    stop_at_seconds: float,
) -> dict[str, Any]:
    """As ``synced``, for a side that no month waits for: its trouble is noted on the run and answered as ``problem``.

    Raises StateTrouble, which is ours, and NotFound for a run that does not exist.
    """
    runs.get(event.run_id)
    try:
        return synced(event, sync, runs=runs, clock=clock, stop_at_seconds=stop_at_seconds)
    except StateTrouble:
        raise
    except TrueupError as trouble:
        note_side_failed(event.run_id, side, trouble, runs=runs, clock=clock)
        return {
            "done": True,
            "snapshot_id": None,
            "wait_seconds": 0,
            "progress": {"pages": 0, "accounts": 0},
            "problem": trouble.code,
        }
