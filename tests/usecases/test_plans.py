"""A held change is released with a reason, a plan is approved by its checksum, and by another person when wanted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from tests.usecases.office import APPROVER, PERSON, Office
from trueup.domain.api_keys import ApiKey, KeyScope, secret_hash
from trueup.domain.audit import Audit
from trueup.domain.errors import ChecksumMismatch, Conflict, InputInvalid, NotAllowed, NotFound, PlanNotReady
from trueup.domain.plan import Plan, PlanState
from trueup.usecases.monthly_run import note_waiting
from trueup.usecases.plans import approve_plan, ask_to_apply, release_change


@pytest.fixture
def plan(month: Office) -> Plan:
    return month.run().plan


def approve_by(month: Office, plan: Plan, checksum: str, *, actor: str = APPROVER, two_person: bool = False) -> Plan:
    return approve_plan(
        plan.id,
        checksum=checksum,
        actor=actor,
        two_person_approval=two_person,
        plans=month.state.plans,
        api_keys=month.state.api_keys,
        clock=month.clock,
    )


def test_a_release_lets_the_change_go_and_gives_the_plan_another_checksum(month: Office, plan: Plan) -> None:
    held = plan.held[0]
    released = month.release(plan, held.id, " confirmed by phone ")
    assert released.held == ()
    assert released.checksum != plan.checksum
    assert month.state.plans.get(plan.id) == released
    audit = list(month.state.history.all())[-1].audit
    assert (audit.action, audit.actor, audit.why) == ("change released", PERSON, "confirmed by phone")
    assert audit.before == "decrease"
    assert audit.after == released.checksum


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_release_needs_a_reason(month: Office, plan: Plan, reason: str) -> None:
    with pytest.raises(InputInvalid):
        month.release(plan, plan.held[0].id, reason)
    assert month.state.plans.get(plan.id) == plan


def test_a_change_that_nothing_holds_or_nobody_knows_cannot_be_released(month: Office, plan: Plan) -> None:
    with pytest.raises(Conflict, match="not held"):
        month.release(plan, plan.ready[0].id)
    with pytest.raises(NotFound):
        month.release(plan, "chg-nothing")
    with pytest.raises(NotFound):
        release_change("plan-x", "chg", reason="why", actor=PERSON, plans=month.state.plans, clock=month.clock)


def test_an_approved_plan_cannot_be_changed(month: Office, plan: Plan) -> None:
    month.approve(plan)
    with pytest.raises(PlanNotReady):
        month.release(plan, plan.held[0].id)


def test_a_plan_is_approved_by_its_checksum(month: Office, plan: Plan) -> None:
    approved = month.approve(plan)
    assert (approved.state, approved.approved_by) == (PlanState.APPROVED, APPROVER)
    assert approved.approved_checksum == plan.checksum
    audit = list(month.state.history.all())[-1].audit
    assert (audit.action, audit.after, audit.evidence) == ("plan approved", "2 changes", plan.checksum)


@pytest.mark.parametrize("checksum", ["", "0" * 64])
def test_another_checksum_approves_nothing(month: Office, plan: Plan, checksum: str) -> None:
    with pytest.raises(ChecksumMismatch):
        approve_by(month, plan, checksum)
    assert month.state.plans.get(plan.id).state is PlanState.PROPOSED


def test_the_checksum_from_before_a_release_approves_nothing(month: Office, plan: Plan) -> None:
    month.release(plan, plan.held[0].id)
    with pytest.raises(ChecksumMismatch):
        approve_by(month, plan, plan.checksum)


def test_approving_again_changes_nothing(month: Office, plan: Plan) -> None:
    approved = month.approve(plan)
    events = month.actions()
    month.clock.advance(60)
    assert month.approve(plan, actor="somebody else") == approved
    assert month.actions() == events


def test_a_plan_with_nothing_to_apply_cannot_be_approved(month: Office) -> None:
    for account_id, seats in (("V2", 12), ("V4", 18)):
        month.vendor.sets(account_id, seats)
    only_held = month.run().plan
    assert only_held.ready == ()
    with pytest.raises(PlanNotReady, match="nothing to apply"):
        month.approve(only_held)


def test_a_superseded_plan_cannot_be_approved(month: Office, plan: Plan) -> None:
    month.vendor.sets("V4", 30)
    month.run()
    with pytest.raises(PlanNotReady):
        month.approve(plan)


def test_a_plan_of_two_weeks_ago_cannot_be_approved(month: Office, plan: Plan) -> None:
    month.clock.advance(14 * 24 * 3600 + 1)
    with pytest.raises(PlanNotReady, match="14 days"):
        month.approve(plan)


def test_who_prepared_a_plan_may_not_approve_it_when_two_people_are_wanted(month: Office, plan: Plan) -> None:
    with pytest.raises(NotAllowed):
        month.approve(plan, actor=PERSON, two_person=True)
    assert month.approve(plan, two_person=True).approved_by == APPROVER


def test_a_key_is_the_hand_of_whoever_made_it_when_two_people_are_wanted(month: Office, plan: Plan) -> None:
    made = Audit(at=month.clock.now(), actor=PERSON, action="api key made", subject="k1")
    mine = ApiKey("k1", "Rule", frozenset({KeyScope.PLAN_APPROVE}), secret_hash("s"), month.clock.now(), PERSON)
    other = replace(mine, id="k2", created_by=APPROVER)
    for key in (mine, other):
        month.state.api_keys.save(key, made)
    with pytest.raises(NotAllowed):
        month.approve(plan, actor=mine.actor, two_person=True)
    assert month.approve(plan, actor=other.actor, two_person=True).approved_by == other.actor


def test_who_released_a_change_may_not_approve_it_when_two_people_are_wanted(month: Office, plan: Plan) -> None:
    held = plan.held[0]
    released = release_change(
        plan.id, held.id, reason="seen", actor=APPROVER, plans=month.state.plans, clock=month.clock
    )
    with pytest.raises(NotAllowed):
        month.approve(released, two_person=True)
    assert month.approve(released, actor="kim", two_person=True).approved_by == "kim"


def test_one_person_may_do_both_when_the_tenant_says_so(month: Office, plan: Plan) -> None:
    assert month.approve(plan, actor=PERSON).approved_by == PERSON


# Having it applied elsewhere.


@dataclass
class RecordingWorkflow:
    """Implements Workflow by writing down what it was asked."""

    asked: list[str] = field(default_factory=list)
    no_longer_waits: bool = False

    def start(self, run_id: str) -> None:
        self.asked.append(f"start {run_id}")

    def apply(self, plan_id: str, checksum: str, actor: str, *, attempt: int) -> None:
        self.asked.append(f"apply {plan_id} {attempt}")

    def go_on(self, callback_id: str, checksum: str, actor: str) -> None:
        if self.no_longer_waits:
            raise PlanNotReady("nobody waits")
        self.asked.append(f"go on {callback_id}")


def ask(month: Office, plan: Plan, workflow: RecordingWorkflow) -> Plan:
    return ask_to_apply(
        plan.id,
        checksum=plan.checksum,
        actor=APPROVER,
        plans=month.state.plans,
        runs=month.state.runs,
        workflow=workflow,
        clock=month.clock,
    )


def test_a_run_that_waits_is_told_to_go_on(month: Office, plan: Plan) -> None:
    note_waiting(plan.run_id, "callback-1", runs=month.state.runs, clock=month.clock)
    workflow = RecordingWorkflow()
    ask(month, month.approve(plan), workflow)
    assert workflow.asked == ["go on callback-1"]


def test_without_a_waiting_run_the_plan_is_applied_by_one_of_its_own(month: Office, plan: Plan) -> None:
    approved = month.approve(plan)
    workflow = RecordingWorkflow()
    ask(month, approved, workflow)
    assert workflow.asked == [f"apply {plan.id} {int(month.clock.now().timestamp())}"]


def test_a_run_that_no_longer_waits_is_replaced(month: Office, plan: Plan) -> None:
    note_waiting(plan.run_id, "callback-1", runs=month.state.runs, clock=month.clock)
    approved = month.approve(plan)
    workflow = RecordingWorkflow(no_longer_waits=True)
    ask(month, approved, workflow)
    assert workflow.asked == [f"apply {plan.id} {int(month.clock.now().timestamp())}"]


def test_asked_again_after_a_try_that_failed_without_a_trace_it_is_tried_again(month: Office, plan: Plan) -> None:
    """The workflow does a thing once for its name, so a name that came twice would never be carried out."""
    approved = month.approve(plan)
    workflow = RecordingWorkflow()
    ask(month, approved, workflow)
    month.clock.advance(60)
    ask(month, approved, workflow)
    assert len(set(workflow.asked)) == 2


def test_an_applied_plan_asks_nobody(month: Office, plan: Plan) -> None:
    approved = month.approve(plan)
    month.apply(approved)
    workflow = RecordingWorkflow()
    assert ask(month, approved, workflow).state is PlanState.APPLIED
    assert workflow.asked == []


def test_a_plan_that_is_not_approved_asks_nobody(month: Office, plan: Plan) -> None:
    workflow = RecordingWorkflow()
    with pytest.raises(PlanNotReady):
        ask(month, plan, workflow)
    assert workflow.asked == []
