"""Plans in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from tests.fakes.state_memory import Store, effect, require_version
from trueup.domain.audit import Audit
from trueup.domain.billing import WriteOutcome
from trueup.domain.errors import NotFound
from trueup.domain.plan import Change, ChangeResult, Plan, PlanState
from trueup.domain.sealing import require_open

_OPEN = frozenset({PlanState.PROPOSED, PlanState.APPROVED})


class FakePlans(Store):
    """Both plan ports: Plans and PlanIndex."""

    @effect("plans.propose")
    def propose(self, plan: Plan, audit: Audit) -> Plan:
        known = self._memory.plans.get(plan.id)
        stands = known is not None and known.state is not PlanState.SUPERSEDED
        if stands and self._memory.current.get(plan.period) == plan.id:
            return cast(Plan, known)
        require_open(plan.period, self._memory.links)
        for other in list(self._memory.plans.values()):
            if other.period == plan.period and other.id != plan.id and other.state in _OPEN:
                superseded = replace(other, state=PlanState.SUPERSEDED, version=other.version + 1)
                self._memory.plans[other.id] = superseded
        if not stands:
            version = known.version + 1 if known else 1
            self._memory.plans[plan.id] = replace(plan, state=PlanState.PROPOSED, results=(), version=version)
        self._memory.current[plan.period] = plan.id
        self._memory.log(audit)
        return self._memory.plans[plan.id]

    def get(self, plan_id: str) -> Plan:
        plan = self._memory.plans.get(plan_id)
        if plan is None:
            raise NotFound(f"there is no plan {plan_id!r}")
        return plan

    @effect("plans.save")
    def save(self, plan: Plan, audit: Audit) -> Plan:
        known = self.get(plan.id)
        require_open(plan.period, self._memory.links)
        require_version(f"plan {plan.id}", plan.version, known.version)
        stored = replace(plan, results=known.results, version=plan.version + 1)
        self._memory.plans[plan.id] = stored
        self._memory.log(audit)
        return stored

    @effect("plans.intend")
    def intend(self, plan: Plan, change: Change, audit: Audit) -> None:
        known = self.get(plan.id)
        require_open(plan.period, self._memory.links)
        require_version(f"plan {plan.id}", plan.version, known.version)
        known.change(change.id)
        intents = self._memory.intents.setdefault(plan.id, set())
        if change.id not in intents:
            intents.add(change.id)
            self._memory.log(audit)

    @effect("plans.record")
    def record(self, plan: Plan, result: ChangeResult, audit: Audit) -> Plan:
        known = self.get(plan.id)
        known.change(result.change_id)
        earlier = known.result(result.change_id)
        if earlier is not None and earlier.outcome is not WriteOutcome.UNKNOWN:
            return known
        updated = known.with_result(result)
        state = known.state if known.state is PlanState.SUPERSEDED else updated.state
        stored = replace(updated, state=state, version=known.version + 1)
        self._memory.plans[plan.id] = stored
        self._memory.log(audit)
        return stored

    def latest(self, limit: int = 20) -> tuple[Plan, ...]:
        with self._memory.lock:
            plans = sorted(self._memory.plans.values(), key=lambda plan: (plan.created_at, plan.id), reverse=True)
        return tuple(plans[:limit])

    def current(self, period: str) -> Plan | None:
        plan_id = self._memory.current.get(period)
        return None if plan_id is None else self.get(plan_id)

    def intended(self, plan_id: str) -> frozenset[str]:
        with self._memory.lock:
            return frozenset(self._memory.intents.get(plan_id, set()))
