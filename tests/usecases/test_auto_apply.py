"""The policy approves small increases in its own name, once, and what is left waits for a person."""

from __future__ import annotations

from tests.usecases.office import Office
from trueup.domain.auto_apply import AutoApplyPolicy
from trueup.domain.plan import Plan, PlanState
from trueup.usecases.auto_apply import POLICY, SmallPart, approve_small_increases, propose_rest

ALLOWED = AutoApplyPolicy(increase_seats=5)


def approved(month: Office, plan: Plan, policy: AutoApplyPolicy = ALLOWED) -> SmallPart | None:
    return approve_small_increases(plan, policy=policy, plans=month.state.plans, clock=month.clock)


def test_without_the_tenants_word_every_change_waits_for_a_person(month: Office) -> None:
    plan = month.run().plan
    assert approved(month, plan, AutoApplyPolicy()) is None
    assert month.state.plans.get(plan.id).state is PlanState.PROPOSED


def test_the_small_part_is_approved_once_and_the_rest_is_proposed_after_it(month: Office) -> None:
    plan = month.run().plan
    part = approved(month, plan)
    assert part is not None
    assert not part.is_all
    assert part.plan.state is PlanState.APPROVED
    assert (part.plan.approved_by, part.plan.held) == (POLICY, ())
    assert month.state.plans.get(plan.id).state is PlanState.SUPERSEDED
    assert approved(month, month.state.plans.get(plan.id)) == part, "repeated, it changes nothing"
    rest = propose_rest(plan, policy=ALLOWED, plans=month.state.plans, clock=month.clock)
    assert rest.state is PlanState.PROPOSED
    assert len(rest.changes) + len(part.plan.changes) == len(plan.changes)
    assert month.state.plan_index.current(plan.period) == rest
    by_policy = [event.audit for event in month.state.history.all() if event.audit.actor == POLICY]
    assert [audit.action for audit in by_policy] == ["plan proposed", "plan approved", "plan proposed"]
    assert "at most 5 seats" in by_policy[1].why


def test_what_a_later_run_finds_again_is_applied_again(month: Office) -> None:
    """Somebody set the line back: the same small increase is another plan, for the first one was applied."""
    first = approved(month, month.run().plan)
    assert first is not None
    month.apply(first.plan)
    for change in first.plan.changes:
        month.psa.person_edits(change.line_id, quantity=change.expected)
    again = approved(month, month.run().plan)
    assert again is not None
    assert again.plan.id != first.plan.id
    assert again.plan.state is PlanState.APPROVED
