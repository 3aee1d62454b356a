"""Runs, one item each, and the one place that an unfinished run holds.

Method: a pointer names the run that took the place last, and moving it is what two starts compete for. The place is
free when no recent run is running, or those that are were not heard of for the lease time.
Must not: let a run that is over become unfinished again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from trueup.adapters.dynamodb.closing import ClosedPeriods
from trueup.adapters.dynamodb.conditions import (
    CONTENT,
    VERSION,
    Condition,
    ConditionsFailed,
    Operation,
    Put,
    Value,
    at,
    attribute_is,
    version_is,
)
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.records import RUN
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.audit import Audit
from trueup.domain.errors import LeaseHeld, NotFound, StateUnavailable, VersionConflict
from trueup.domain.runs import Run, RunState

LEASE_SECONDS = 2 * 60 * 60
_RUN_ID = "run_id"
_OVER = "run_over"
_CLOSED_CHECK = 3
"""The place of the period's check among the operations of a start."""
_ATTEMPTS = 10


class DynamoDbRuns:
    """The Runs port. A run that was last stored more than ``lease_seconds`` ago is taken for dead."""

    def __init__(self, table: DynamoDbTable, *, lease_seconds: int = LEASE_SECONDS) -> None:
        self._table = table
        self._chain = Chain(table)
        self._closed = ClosedPeriods(table)
        self._lease = timedelta(seconds=lease_seconds)

    def start(self, run: Run, audit: Audit | None) -> Run:
        """A dead run that still holds the place is marked as failed in the same transaction."""
        stored = replace(run, version=run.version + 1)
        for attempt in range(_ATTEMPTS):
            pointer = self._table.get(self._table.keys.unfinished_run())
            holder_id = None if pointer is None else str(pointer[_RUN_ID])
            holders = [one for one in self._recent(holder_id) if one.holds_place]
            for holder in holders:
                self._require_place(run, holder)
            by_time = at(self._table.keys.run_by_time(run.started_at, run.id), {_RUN_ID: run.id})
            place = at(self._table.keys.unfinished_run(), {_RUN_ID: run.id})
            operations: list[Operation] = [
                Put(self._item(stored), version_is(run.version)),
                Put(place, attribute_is(_RUN_ID, holder_id)),
                Put(by_time),
                self._closed.check(run.period),
            ]
            for dead in holders:
                operations.append(Put(self._item(self._abandoned(dead, run)), version_is(dead.version)))
            try:
                self._chain.write(operations, [audit])
            except ConditionsFailed as refused:
                self._closed.refuse_if(refused, _CLOSED_CHECK, run.period)
                if 0 in refused.failed:
                    self._require_place(run, self._find(run.id))
                    raise VersionConflict(f"run {run.id} exists already") from refused
                self._table.pause(attempt)
            else:
                return stored
        raise StateUnavailable(f"others started runs {_ATTEMPTS} times in a row; run {run.id} was not started")

    def get(self, run_id: str) -> Run:
        run = self._find(run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id!r}")
        return run

    def save(self, run: Run, audit: Audit | None) -> Run:
        moved = VersionConflict(f"run {run.id} was changed by somebody else since it was read, or is over")
        if run.version < 1:
            raise moved
        stored = replace(run, version=run.version + 1)
        condition = version_is(run.version)
        if not run.is_over:
            values: dict[str, Value] = {**condition.values, ":unfinished": 0}
            condition = Condition(f"{condition.expression} AND {_OVER} = :unfinished", values)
        try:
            self._chain.write([Put(self._item(stored), condition)], [audit])
        except ConditionsFailed as refused:
            raise moved from refused
        return stored

    def latest(self, limit: int = 20) -> tuple[Run, ...]:
        found = self._table.query(self._table.keys.runs_by_time(), limit=limit, forward=False)
        keys = [self._table.keys.run(item[_RUN_ID]) for item in found.items]
        runs = self._table.get_many(keys)
        return tuple(RUN.unpack(runs[key][CONTENT]) for key in keys if key in runs)

    def _find(self, run_id: str) -> Run | None:
        item = self._table.get(self._table.keys.run(run_id))
        return None if item is None else RUN.unpack(item[CONTENT])

    def _recent(self, holder_id: str | None) -> tuple[Run, ...]:
        """The newest runs and the one that took the place last: a run that waited may run again after a later one."""
        recent = self.latest()
        if holder_id is None or any(one.id == holder_id for one in recent):
            return recent
        holder = self._find(holder_id)
        return recent if holder is None else (*recent, holder)

    def _require_place(self, run: Run, holder: Run | None) -> None:
        if holder is None or not holder.holds_place:
            return
        if holder.id == run.id or holder.updated_at + self._lease > self._table.clock.now():
            raise LeaseHeld(f"run {holder.id} is not finished", holder=holder.id)

    def _abandoned(self, holder: Run, newer: Run) -> Run:
        now = self._table.clock.now()
        return replace(
            holder,
            state=RunState.FAILED,
            problem_code="run_abandoned",
            problem=f"nothing heard since {holder.updated_at.isoformat()}; run {newer.id} took its place",
            remedy="Nothing to do: the newer run reads both sides again.",
            updated_at=now,
            ended_at=now,
            version=holder.version + 1,
        )

    def _item(self, run: Run) -> dict[str, Value]:
        attributes: dict[str, Value] = {CONTENT: RUN.pack(run), VERSION: run.version, _OVER: int(run.is_over)}
        return at(self._table.keys.run(run.id), attributes)
