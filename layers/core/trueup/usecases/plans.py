"""What people do with a plan before it is applied: release a held change, approve it by its checksum."""

from __future__ import annotations

from collections.abc import Iterable

from trueup.domain.audit import Audit
from trueup.domain.errors import NotAllowed, NotFound, PlanNotReady
from trueup.domain.plan import Plan, PlanState, Release, require_fresh
from trueup.domain.runs import Run, RunState, Step
from trueup.ports.clock import Clock
from trueup.ports.state import ApiKeys, PlanIndex, Plans, Runs
from trueup.ports.workflow import Workflow
from trueup.usecases.mapping import require_reason


def plan_of_period(period: str, plan_index: PlanIndex) -> Plan:
    """The plan of the period that counts. Raises NotFound when there is none."""
    plan = plan_index.current(period)
    if plan is None:
        raise NotFound(f"{period} has no plan", remedy="Make one: trueup run.")
    return plan


def release_change(plan_id: str, change_id: str, *, reason: str, actor: str, plans: Plans, clock: Clock) -> Plan:
    """Let a held change go with the plan. The plan has a new checksum after it.

    Raises NotFound, InputInvalid (``reason``), PlanNotReady once the plan is approved, Conflict when nothing holds it.
    """
    why = require_reason(reason)
    plan = plans.get(plan_id)
    now = clock.now()
    change = plan.change(change_id)
    released = plan.released(change_id, Release(actor, now, why))
    return plans.save(
        released,
        Audit(
            at=now,
            actor=actor,
            action="change released",
            subject=f"{plan_id} {change_id}",
            before=", ".join(hold.guard for hold in change.holds),
            after=released.checksum,
            why=why,
            evidence=change.evidence,
            run_id=plan.run_id,
        ),
    )


def approve_plan(
    plan_id: str,
    *,
    checksum: str,
    actor: str,
    two_person_approval: bool,
    plans: Plans,
    api_keys: ApiKeys,
    clock: Clock,
) -> Plan:
    """Approve exactly what that checksum is of. Approving again with the same checksum changes nothing.

    An API key is the hand of whoever made it: nobody is two people by way of a key of their own. Raises
    ChecksumMismatch, PlanNotReady, and NotAllowed when the tenant wants a second person and the actor prepared the
    plan, released one of its changes or added a line to it.
    """
    plan = plans.get(plan_id)
    if plan.approved_checksum and plan.approved_checksum == checksum == plan.checksum:
        plan.require_approved(checksum)
        return plan
    if two_person_approval and shares_a_person(actor, plan.hands, api_keys):
        raise NotAllowed(
            f"{actor} prepared plan {plan_id}, released a change of it or added a line to it",
            remedy="Have another person approve it.",
        )
    now = clock.now()
    require_fresh(plan, now)
    approved = plan.approved(checksum, by=actor, at=now)
    return plans.save(
        approved,
        Audit(
            at=now,
            actor=actor,
            action="plan approved",
            subject=plan_id,
            after=f"{len(approved.ready)} changes",
            evidence=checksum,
            run_id=plan.run_id,
        ),
    )


def shares_a_person(actor: str, hands: Iterable[str], api_keys: ApiKeys) -> bool:
    """Whether the actor, or who made the key that acts, is one of those who had a hand in it, be it by a key."""
    makers = {key.actor: key.created_by for key in api_keys.all()}
    return makers.get(actor, actor) in {makers.get(hand, hand) for hand in hands}


def ask_to_apply(
    plan_id: str, *, checksum: str, actor: str, plans: Plans, runs: Runs, workflow: Workflow, clock: Clock
) -> Plan:
    """Have an approved plan applied by the workflow: by a run that waits for it, or by one of its own.

    Asked again, it is a new try: an earlier one may have failed before it had anything to record, and two at once are
    harmless. Raises NotFound, ChecksumMismatch, PlanNotReady.
    """
    plan = plans.get(plan_id)
    plan.require_approved(checksum)
    if plan.state is PlanState.APPLIED:
        return plan
    told = [_told(run, checksum, actor, workflow) for run in _concerned(plan_id, runs) if run.callback_id]
    if not any(told):
        workflow.apply(plan_id, checksum, actor, attempt=int(clock.now().timestamp()))
    return plan


def _concerned(plan_id: str, runs: Runs) -> list[Run]:
    """The runs that end with this plan, newest first: a later run that proposes an equal plan waits for it too.

    Raises PlanNotReady while one of them has proposed it and does not wait yet: told now, it would never hear of it.
    """
    concerned = [run for run in runs.latest() if run.plan_id == plan_id and not run.is_over]
    for run in concerned:
        if run.state is RunState.RUNNING and run.step is Step.APPROVE and not run.callback_id:
            raise PlanNotReady(f"run {run.id} is just proposing this plan", remedy="Ask again in a moment.")
    return concerned


def _told(run: Run, checksum: str, actor: str, workflow: Workflow) -> bool:
    """Whether the run could be told to go on; one that no longer waits cannot."""
    try:
        workflow.go_on(run.callback_id, checksum, actor)
    except PlanNotReady:
        return False
    return True
