"""The read side of a month in one process: sync the sides, match, reconcile, propose.

The durable function does the same with one function for each step; this is for one machine, where a person waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from trueup.domain.errors import StateTrouble, TrueupError
from trueup.domain.integrations import Side
from trueup.domain.mapping import MatchingSummary
from trueup.domain.runs import Run, SideProgress, Snapshot, Step
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.similarity import NameSimilarity
from trueup.ports.state_bundle import State
from trueup.ports.vault import Vault
from trueup.usecases.auto_matching import auto_match, match_tenants
from trueup.usecases.license_sync import reads_licenses, sync_licenses
from trueup.usecases.monthly_run import fail_run, note_plan, note_progress, note_side_failed, note_step
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
    """What the sides say now, and what matching made of it. ``tenants`` is set where licenses were read, and
    ``licenses_trouble`` where they were to be read and could not be: the month goes on without them.
    """

    snapshots: tuple[Snapshot, ...]
    matching: MatchingSummary
    tenants: MatchingSummary | None = None
    licenses_trouble: TrueupError | None = None

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
    """Read the sides of the run at the same time, then match. A run that was interrupted goes on where it stopped.

    Raises what the reads of the required sides raise, after recording that the run failed.
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
        with ThreadPoolExecutor(max_workers=3, thread_name_prefix="sync") as pool:
            vendor = pool.submit(side, partial(sync_vendor, uploads=systems.state.uploads))
            psa = pool.submit(side, partial(sync_psa, accounts=systems.state.accounts, services=systems.state.services))
            licenses = pool.submit(side, sync_licenses) if reads_licenses(run) else None
            snapshots = (vendor.result(), psa.result())
            read, trouble = _unless_it_failed(licenses)
        if trouble is not None:
            note_side_failed(run.id, Side.LICENSES, trouble, runs=systems.state.runs, clock=systems.clock)
        note_step(run.id, Step.MATCH, runs=systems.state.runs, clock=systems.clock)
        matching, tenants = _match(run, systems)
    except TrueupError as failure:
        fail_run(run.id, failure, runs=systems.state.runs, clock=systems.clock)
        raise
    return ReadSide(snapshots if read is None else (*snapshots, read), matching, tenants, trouble)


def _unless_it_failed(licenses: Future[Snapshot] | None) -> tuple[Snapshot | None, TrueupError | None]:
    """The read of licenses, or why there is none. Raises StateTrouble, which is ours and would spoil the rest too."""
    try:
        return (None, None) if licenses is None else (licenses.result(), None)
    except StateTrouble:
        raise
    except TrueupError as trouble:
        return None, trouble


def _match(run: Run, systems: Systems) -> tuple[MatchingSummary, MatchingSummary | None]:
    state = systems.state
    accounts = auto_match(
        run_id=run.id,
        snapshots=state.snapshots,
        accounts=state.accounts,
        services=state.services,
        integrations=state.integrations,
        similarity=systems.similarity,
        clock=systems.clock,
    )
    tenants = match_tenants(
        run_id=run.id,
        snapshots=state.snapshots,
        license_accounts=state.license_accounts,
        integrations=state.integrations,
        similarity=systems.similarity,
        clock=systems.clock,
    )
    return accounts, tenants


def reconcile_run(run: Run, systems: Systems, *, actor: str, policy: ReconciliationPolicy) -> Outcome:
    """Compare and propose on what this run has read; the run then waits for a person or is done."""
    current = note_step(run.id, Step.RECONCILE, runs=systems.state.runs, clock=systems.clock)
    try:
        outcome = reconcile_reads(current, actor=actor, policy=policy, state=systems.state, clock=systems.clock)
    except TrueupError as trouble:
        fail_run(run.id, trouble, runs=systems.state.runs, clock=systems.clock)
        raise
    note_plan(run.id, outcome.plan, runs=systems.state.runs, clock=systems.clock)
    return outcome


class _Noting:
    """Records progress from several threads; the run record is written at most twice a second for each side."""

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
