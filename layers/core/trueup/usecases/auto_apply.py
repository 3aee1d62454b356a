"""The part of a plan that the tenant's policy lets go without a person, approved in the policy's name."""

from __future__ import annotations

from dataclasses import dataclass

from trueup.domain.audit import Audit
from trueup.domain.auto_apply import AutoApplyPolicy, divide
from trueup.domain.plan import Plan, PlanState, require_fresh
from trueup.ports.clock import Clock
from trueup.ports.state import Plans
from trueup.usecases.reconciliation import unused_plan

POLICY = "policy"
"""The actor of what no person approved: the tenant's policy did."""


@dataclass(frozen=True, slots=True)
class SmallPart:
    """The approved part, to be applied by its checksum. ``is_all`` is False when the rest waits for a person."""

    plan: Plan
    is_all: bool


def approve_small_increases(plan: Plan, *, policy: AutoApplyPolicy, plans: Plans, clock: Clock) -> SmallPart | None:
    """Approve the small increases of a plan as a plan of their own; None when there are none, or none are allowed.

    Safe to repeat. The plan that it is a part of is superseded; ``propose_rest`` then proposes what is left of it.
    """
    small, rest = divide(plan, policy)
    if small is None or plan.state is PlanState.APPLIED:
        return None
    now = clock.now()
    require_fresh(small, now)
    if rest is not None:
        small = _proposed(small, f"the small increases of {plan.id}", plans, clock)
    if small.state is PlanState.PROPOSED:
        audit = Audit(
            at=now,
            actor=POLICY,
            action="plan approved",
            subject=small.id,
            after=f"{len(small.changes)} changes",
            why=f"increases of at most {policy.increase_seats} seats may be applied without a person",
            evidence=small.checksum,
            run_id=small.run_id,
        )
        small = plans.save(small.approved(small.checksum, by=POLICY, at=now), audit)
    return SmallPart(small, is_all=rest is None)


def propose_rest(plan: Plan, *, policy: AutoApplyPolicy, plans: Plans, clock: Clock) -> Plan:
    """Propose what waits for a person, once the small part was applied. Safe to repeat."""
    _, rest = divide(plan, policy)
    assert rest is not None, "there is a rest where the small part was not all"
    return _proposed(rest, f"what is left of {plan.id}", plans, clock)


def _proposed(part: Plan, why: str, plans: Plans, clock: Clock) -> Plan:
    unused = unused_plan(part, plans, lambda stored: stored.run_id == part.run_id)
    audit = Audit(
        at=clock.now(),
        actor=POLICY,
        action="plan proposed",
        subject=unused.id,
        after=f"{len(unused.changes)} changes, {len(unused.held)} held",
        why=why,
        evidence=unused.checksum,
        run_id=unused.run_id,
    )
    return plans.propose(unused, audit)
