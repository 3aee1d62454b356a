"""The read side of a month in one process: sync both sides, match, reconcile, propose.

The durable function does the same with one function for each step; this is for one machine, where a person waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from trueup.domain.errors import TrueupError
from trueup.domain.integrations import Side
from trueup.domain.mapping import MatchingSummary
from trueup.domain.runs import Run, SideProgress, Snapshot, Step
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.similarity import NameSimilarity
from trueup.ports.state_bundle import State
from trueup.ports.vault import Vault
from trueup.usecases.auto_matching import auto_match
from trueup.usecases.monthly_run import fail_run, note_plan, note_progress, note_step
from trueup.usecases.psa_sync import sync_psa
from trueup.usecases.reading import Progress, ReadOrder, ReadResult
from trueup.usecases.reconciliation import Outcome, ReconciliationPolicy, reconcile_reads
from trueup.usecases.vendor_sync import sync_vendor


@dataclass(frozen=True, slots=True)
class Systems:
    """Everything a month in one process is done with."""

    state: State
    vault: Vault
    connections: Connections
    similarity: NameSimilarity
    clock: Clock


@dataclass(frozen=True, slots=True)
class ReadSide:
    """What both sides say now, and what matching made of it."""

    snapshots: tuple[Snapshot, ...]
    matching: MatchingSummary

    @property
    def accounts_as_of(self) -> datetime | None:
        """How old the vendor's list of accounts is where it came from a kept file, not from the vendor."""
        return next((one.accounts_as_of for one in self.snapshots if one.side is Side.VENDOR), None)


def read_and_match(
    run: Run,
    systems: Systems,
    *,
    actor: str,
    on_progress: Progress | None = None,
) -> ReadSide:
    """Read both sides at the same time, then match. A run that was interrupted goes on where it stopped.

    Raises what the reads raise, after recording that the run failed.
    """
    noting = _Noting(run.id, systems, on_progress)
    order = ReadOrder(
        period=run.period,
        run_id=run.id,
        actor=actor,
        accept_drop=run.accept_drop,
        on_progress=noting.note,
    )

    def side(sync: Callable[..., ReadResult]) -> Snapshot:
        read = sync(
            order,
            integrations=systems.state.integrations,
            vault=systems.vault,
            connections=systems.connections,
            snapshots=systems.state.snapshots,
            checkpoints=systems.state.checkpoints,
            clock=systems.clock,
        )
        assert read.snapshot is not None, "an order without an end time is read to its end"
        return read.snapshot

    try:
        with ThreadPoolExecutor(max_workers=2, thread_name_prefix="sync") as pool:
            vendor = pool.submit(side, partial(sync_vendor, uploads=systems.state.uploads))
            psa = pool.submit(side, partial(sync_psa, accounts=systems.state.accounts, services=systems.state.services))
            snapshots = (vendor.result(), psa.result())
        note_step(run.id, Step.MATCH, runs=systems.state.runs, clock=systems.clock)
        matching = auto_match(
            run_id=run.id,
            snapshots=systems.state.snapshots,
            accounts=systems.state.accounts,
            services=systems.state.services,
            integrations=systems.state.integrations,
            similarity=systems.similarity,
            clock=systems.clock,
        )
    except TrueupError as trouble:
        fail_run(run.id, trouble, runs=systems.state.runs, clock=systems.clock)
        raise
    return ReadSide(snapshots, matching)


def reconcile_run(run: Run, systems: Systems, *, actor: str, policy: ReconciliationPolicy) -> Outcome:
    """Compare and propose on what this run has read; the run then waits for a person or is done."""
    note_step(run.id, Step.RECONCILE, runs=systems.state.runs, clock=systems.clock)
    try:
        outcome = reconcile_reads(run, actor=actor, policy=policy, state=systems.state, clock=systems.clock)
    except TrueupError as trouble:
        fail_run(run.id, trouble, runs=systems.state.runs, clock=systems.clock)
        raise
    note_plan(run.id, outcome.plan, runs=systems.state.runs, clock=systems.clock)
    return outcome


class _Noting:
    """Records progress from two threads; the run record is written at most twice a second for each side."""

    SECONDS_BETWEEN = 0.5

    def __init__(self, run_id: str, systems: Systems, also: Progress | None) -> None:
        self._run_id = run_id
        self._systems = systems
        self._also = also
        self._lock = threading.Lock()
        self._noted_at: dict[Side, float] = {}

    def note(self, progress: SideProgress) -> None:
        with self._lock:
            if self._also is not None:
                self._also(progress)
            now = self._systems.clock.monotonic_seconds()
            due = now - self._noted_at.get(progress.side, float("-inf")) >= self.SECONDS_BETWEEN
            if progress.done or due:
                self._noted_at[progress.side] = now
                note_progress(self._run_id, progress, runs=self._systems.state.runs, clock=self._systems.clock)
