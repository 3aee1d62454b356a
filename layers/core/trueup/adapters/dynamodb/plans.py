"""Plans: a header that says how a plan stands, its changes apart by content address, one item for each result.

Method: every step is one transaction with its audit. What is proposed, approved or recorded moves the header's version,
so that nobody acts on a plan that became another. Must not: lose a result, or leave two plans of a period open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trueup.adapters.dynamodb.closing import ClosedPeriods
from trueup.adapters.dynamodb.conditions import (
    ABSENT,
    CONTENT,
    VERSION,
    Check,
    ConditionsFailed,
    Delete,
    Operation,
    Put,
    Value,
    at,
    attribute_is,
    version_is,
)
from trueup.adapters.dynamodb.contents import Contents
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.records import CHANGES, PLAN, RESULT, PlanHeader
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.audit import Audit
from trueup.domain.billing import WriteOutcome
from trueup.domain.errors import NotFound, StateUnavailable, VersionConflict
from trueup.domain.plan import Change, ChangeResult, Plan, PlanState

CHANGES_A_GROUP = 100
_PLAN_ID = "plan_id"
_CHANGE_ID = "change_id"
_ATTEMPTS = 10
_OPEN = frozenset({PlanState.PROPOSED, PlanState.APPROVED})


class DynamoDbPlans:
    """Both ports: Plans and PlanIndex."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)
        self._contents = Contents(table)
        self._closed = ClosedPeriods(table)

    def propose(self, plan: Plan, audit: Audit) -> Plan:
        for attempt in range(_ATTEMPTS):
            known = self._header(plan.id)
            current_id = self._current_id(plan.period)
            stands = known is not None and known.plan.state is not PlanState.SUPERSEDED
            if known is not None and stands and current_id == plan.id:
                return self._whole(known)
            operations: list[Operation] = [
                Put(
                    at(self._table.keys.current_plan(plan.period), {_PLAN_ID: plan.id}),
                    attribute_is(_PLAN_ID, current_id),
                )
            ]
            other = self._header(current_id) if current_id not in {None, plan.id} else None
            if other is not None and other.plan.state in _OPEN:
                superseded = replace(other.plan, state=PlanState.SUPERSEDED, version=other.plan.version + 1)
                operations.append(self._put(replace(other, plan=superseded), other.plan.version))
            if known is None or not stands:
                header, more = self._proposed(plan, known)
                operations.extend(more)
            else:
                header = known
                operations.append(Check(self._table.keys.plan(plan.id), version_is(known.plan.version)))
            try:
                self._write_open(plan.period, operations, audit)
            except ConditionsFailed:
                self._table.pause(attempt)
            else:
                return self._whole(header)
        raise StateUnavailable(f"others proposed plans of {plan.period} {_ATTEMPTS} times in a row")

    def get(self, plan_id: str) -> Plan:
        return self._whole(self._require(plan_id))

    def save(self, plan: Plan, audit: Audit) -> Plan:
        """Results are not stored by this: they have a place of their own."""
        known = self._require(plan.id)
        if known.plan.version != plan.version:
            raise _moved(plan)
        groups = self._put_changes(plan.changes)
        stored = replace(plan, version=plan.version + 1)
        try:
            put = self._put(replace(known, plan=stored, groups=groups), plan.version)
            self._write_open(plan.period, [put], audit)
        except ConditionsFailed as refused:
            raise _moved(plan) from refused
        return replace(stored, results=self._results(plan.id, known.round))

    def intend(self, plan: Plan, change: Change, audit: Audit) -> None:
        """Raises VersionConflict when the plan is not what it was when it was read: then nothing may be sent."""
        plan.change(change.id)
        if plan.version < 1:
            self._require(plan.id)
            raise _moved(plan)
        intent = at(self._table.keys.plan_intent(plan.id, change.id), {_CHANGE_ID: change.id})
        check = Check(self._table.keys.plan(plan.id), version_is(plan.version))
        try:
            self._write_open(plan.period, [check, Put(intent, ABSENT)], audit)
        except ConditionsFailed as refused:
            if 0 in refused.failed:
                self._require(plan.id)
                raise _moved(plan) from refused

    def record(self, plan: Plan, result: ChangeResult, audit: Audit) -> Plan:
        """A plan that moved since it was read is read again: what happened at the PSA must be stored in any case."""
        for attempt in range(_ATTEMPTS):
            known = self._require(plan.id)
            if known.plan.version != plan.version or known.plan.state is not plan.state:
                plan = self._whole(known)
            plan.change(result.change_id)
            earlier = plan.result(result.change_id)
            if earlier is not None and earlier.outcome is not WriteOutcome.UNKNOWN:
                return plan
            updated = replace(plan.with_result(result), version=known.plan.version + 1)
            if plan.state is PlanState.SUPERSEDED:
                updated = replace(updated, state=PlanState.SUPERSEDED)
            place = self._table.keys.plan_result(plan.id, known.round, result.change_id)
            operations: list[Operation] = [
                self._put(replace(known, plan=updated), known.plan.version),
                Put(at(place, {CONTENT: RESULT.pack(result)})),
            ]
            try:
                self._chain.write(operations, [audit])
            except ConditionsFailed:
                self._table.pause(attempt)
            else:
                return updated
        raise StateUnavailable(f"others changed plan {plan.id} {_ATTEMPTS} times in a row; the result is not stored")

    def latest(self, limit: int = 20) -> tuple[Plan, ...]:
        found = self._table.query(self._table.keys.plans_by_time(), limit=limit, forward=False)
        return tuple(self.get(item[_PLAN_ID]) for item in found.items)

    def current(self, period: str) -> Plan | None:
        plan_id = self._current_id(period)
        return None if plan_id is None else self.get(plan_id)

    def intended(self, plan_id: str) -> frozenset[str]:
        found = self._table.query_all(self._table.keys.plan_intents(plan_id))
        return frozenset(item[_CHANGE_ID] for item in found)

    def _write_open(self, period: str, operations: list[Operation], audit: Audit) -> None:
        """All of it while the period is open. Raises MonthSealed, ConditionsFailed."""
        try:
            self._chain.write([*operations, self._closed.check(period)], [audit])
        except ConditionsFailed as refused:
            self._closed.refuse_if(refused, len(operations), period)
            raise

    def _proposed(self, plan: Plan, known: PlanHeader | None) -> tuple[PlanHeader, list[Operation]]:
        """The header of a new plan and what stores it; the results of an earlier round are left behind."""
        version = known.plan.version if known else 0
        fresh = replace(plan, state=PlanState.PROPOSED, results=(), version=version + 1)
        header = PlanHeader(fresh, self._put_changes(plan.changes), round=known.round + 1 if known else 1)
        by_time = self._table.keys.plan_by_time(plan.created_at, plan.id)
        operations: list[Operation] = [self._put(header, version), Put(at(by_time, {_PLAN_ID: plan.id}))]
        if known is not None and known.plan.created_at != plan.created_at:
            operations.append(Delete(self._table.keys.plan_by_time(known.plan.created_at, plan.id)))
        return header, operations

    def _put(self, header: PlanHeader, version: int) -> Put:
        bare = replace(header, plan=replace(header.plan, changes=(), results=()))
        content: dict[str, Value] = {CONTENT: PLAN.pack(bare), VERSION: header.plan.version}
        return Put(at(self._table.keys.plan(header.plan.id), content), version_is(version))

    def _put_changes(self, changes: Sequence[Change]) -> tuple[str, ...]:
        """Before the header: what no header names does not exist."""
        groups = [changes[start : start + CHANGES_A_GROUP] for start in range(0, len(changes), CHANGES_A_GROUP)]
        return self._contents.put_all([CHANGES.plain(tuple(group)) for group in groups])

    def _header(self, plan_id: str | None) -> PlanHeader | None:
        item = None if plan_id is None else self._table.get(self._table.keys.plan(plan_id))
        return None if item is None else PLAN.unpack(item[CONTENT])

    def _require(self, plan_id: str) -> PlanHeader:
        header = self._header(plan_id)
        if header is None:
            raise NotFound(f"there is no plan {plan_id!r}")
        return header

    def _current_id(self, period: str) -> str | None:
        item = self._table.get(self._table.keys.current_plan(period))
        return None if item is None else str(item[_PLAN_ID])

    def _whole(self, header: PlanHeader) -> Plan:
        groups = [CHANGES.read(plain) for plain in self._contents.get_all(header.groups)]
        changes = tuple(change for group in groups for change in group)
        return replace(header.plan, changes=changes, results=self._results(header.plan.id, header.round))

    def _results(self, plan_id: str, round_number: int) -> tuple[ChangeResult, ...]:
        found = self._table.query_all(self._table.keys.plan_results(plan_id, round_number))
        return tuple(sorted((RESULT.unpack(item[CONTENT]) for item in found), key=lambda result: result.change_id))


def _moved(plan: Plan) -> VersionConflict:
    return VersionConflict(f"plan {plan.id} was changed by somebody else since it was read")
