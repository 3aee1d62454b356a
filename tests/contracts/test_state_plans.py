"""What every state must do for plans: propose, approve, intend, record, and look up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contracts.state_samples import NOW, PERIOD, approved, audit, change, plan, result
from tests.contracts.test_state_contract import actions, interleaved
from tests.store_fixture import StateSubject
from trueup.domain.billing import WriteOutcome
from trueup.domain.errors import NotFound, TrueupError, VersionConflict
from trueup.domain.plan import Plan, PlanState, Release
from trueup.ports.state_bundle import State


def proposed_and_approved(state: State, name: str = "a", changes: int = 2) -> Plan:
    return state.plans.save(approved(state.plans.propose(plan(name, changes), audit("proposed"))), audit("approved"))


class TestPropose:
    def test_comes_back_whole(self, subject: StateSubject) -> None:
        stored = subject.state.plans.propose(plan(held=1), audit("proposed"))
        assert stored == replace(plan(held=1), version=1)
        assert subject.reopen().plans.get(stored.id) == stored
        assert subject.reopen().plan_index.current(PERIOD) == stored
        assert actions(subject.state) == ["proposed"]

    def test_a_plan_without_changes_is_a_plan(self, state: State) -> None:
        stored = state.plans.propose(plan(changes=0), audit())
        assert state.plans.get(stored.id).changes == ()

    @pytest.mark.parametrize("is_approved", [False, True])
    def test_supersedes_the_open_plan_of_the_period_only(self, state: State, is_approved: bool) -> None:
        old = state.plans.propose(plan("a"), audit())
        if is_approved:
            old = state.plans.save(approved(old), audit())
        elsewhere = state.plans.propose(plan("a", period="2026-10"), audit())
        new = state.plans.propose(plan("b", changes=1), audit())
        superseded = state.plans.get(old.id)
        assert superseded == replace(old, state=PlanState.SUPERSEDED, version=old.version + 1)
        assert state.plan_index.current(PERIOD) == new
        assert state.plan_index.current("2026-10") == elsewhere
        with pytest.raises(VersionConflict):
            state.plans.save(approved(old) if not is_approved else old, audit())

    def test_an_equal_proposal_keeps_releases_and_approval(self, state: State) -> None:
        stored = state.plans.propose(plan(held=1), audit("proposed"))
        released = state.plans.save(stored.released("chg-00001", Release("bob", NOW, "asked")), audit("released"))
        assert state.plans.propose(plan(held=1, minutes=5), audit("again")) == released
        sealed = state.plans.save(approved(released), audit("approved"))
        assert state.plans.propose(plan(held=1, minutes=9), audit("again")) == sealed
        assert actions(state) == ["proposed", "released", "approved"]

    def test_an_equal_proposal_of_an_applied_plan_returns_it(self, state: State) -> None:
        current = proposed_and_approved(state, changes=1)
        applied = state.plans.record(current, result(1), audit("applied"))
        assert applied.state is PlanState.APPLIED
        assert state.plans.propose(plan(changes=1), audit("again")) == applied
        assert state.plan_index.current(PERIOD) == applied

    def test_an_applied_plan_is_not_superseded(self, state: State) -> None:
        applied = state.plans.record(proposed_and_approved(state, changes=1), result(1), audit())
        new = state.plans.propose(plan("b"), audit())
        assert state.plans.get(applied.id) == applied
        assert state.plan_index.current(PERIOD) == new
        assert state.plans.propose(plan(changes=1), audit()) == applied
        assert state.plans.get(new.id).state is PlanState.SUPERSEDED
        assert state.plan_index.current(PERIOD) == applied

    def test_a_superseded_plan_is_proposed_afresh(self, state: State) -> None:
        old = proposed_and_approved(state)
        state.plans.intend(old, old.changes[0], audit())
        state.plans.record(old, result(1), audit())
        state.plans.propose(plan("b"), audit())
        fresh = state.plans.propose(plan("a", minutes=30), audit("afresh"))
        assert fresh.state is PlanState.PROPOSED
        assert fresh.approved_by == ""
        assert fresh.results == ()
        assert fresh == replace(plan("a", minutes=30), version=fresh.version)
        assert fresh.version > old.version
        assert state.plans.get(fresh.id) == fresh
        assert state.plans.get(plan("b").id).state is PlanState.SUPERSEDED
        assert [one.id for one in state.plan_index.latest()] == [fresh.id, plan("b").id]
        assert state.plan_index.intended(fresh.id) == {"chg-00001"}
        with pytest.raises(VersionConflict):
            state.plans.intend(old, old.changes[1], audit())

    def test_of_interleaved_proposals_one_is_open(self, state: State) -> None:
        names = "abcde"
        outcomes = interleaved([lambda name=name: state.plans.propose(plan(name), audit(name)) for name in names])
        assert all(isinstance(outcome, Plan) for outcome in outcomes)
        open_plans = [state.plans.get(plan(name).id) for name in names]
        assert [one.state for one in open_plans].count(PlanState.PROPOSED) == 1
        current = state.plan_index.current(PERIOD)
        assert current is not None
        assert current.state is PlanState.PROPOSED
        assert sorted(actions(state)) == list(names)

    def test_of_interleaved_equal_proposals_one_is_stored(self, state: State) -> None:
        outcomes = interleaved([lambda: state.plans.propose(plan("a"), audit("p")) for _ in range(4)])
        assert all(isinstance(outcome, Plan) and outcome.version == 1 for outcome in outcomes)
        assert actions(state) == ["p"]

    def test_approving_and_superseding_at_once_leave_no_approved_plan_behind(self, state: State) -> None:
        stored = state.plans.propose(plan("a"), audit())
        interleaved(
            [
                lambda: state.plans.save(approved(stored), audit("approved")),
                lambda: state.plans.propose(plan("b"), audit("b")),
            ]
        )
        assert state.plans.get(stored.id).state is PlanState.SUPERSEDED
        current = state.plan_index.current(PERIOD)
        assert current is not None
        assert current.id == plan("b").id


class TestSave:
    def test_an_approval_is_stored_with_its_audit(self, subject: StateSubject) -> None:
        sealed = proposed_and_approved(subject.state)
        assert sealed.version == 2
        assert subject.reopen().plans.get(sealed.id) == sealed
        assert actions(subject.state) == ["proposed", "approved"]

    def test_a_plan_that_moved_is_refused(self, state: State) -> None:
        stored = state.plans.propose(plan(held=2), audit("proposed"))
        released = stored.released("chg-00001", Release("bob", NOW, "asked"))
        state.plans.save(released, audit("released"))
        with pytest.raises(VersionConflict):
            state.plans.save(stored.released("chg-00002", Release("eve", NOW, "too late")), audit("lost"))
        assert actions(state) == ["proposed", "released"]
        assert [one.is_held for one in state.plans.get(stored.id).changes] == [False, True]

    def test_an_unknown_plan_is_not_found(self, state: State) -> None:
        for act in (
            lambda: state.plans.get("plan-x"),
            lambda: state.plans.save(plan(), audit()),
            lambda: state.plans.intend(plan(), change(1), audit()),
            lambda: state.plans.record(plan(), result(1), audit()),
        ):
            with pytest.raises(NotFound):
                act()
        assert state.plan_index.current(PERIOD) is None
        assert state.plan_index.latest() == ()
        assert state.plan_index.intended("plan-x") == frozenset()
        assert actions(state) == []


class TestApply:
    def test_an_intent_may_be_repeated_and_is_told_once(self, subject: StateSubject) -> None:
        sealed = proposed_and_approved(subject.state)
        for _ in range(2):
            subject.state.plans.intend(sealed, sealed.changes[0], audit("intended"))
        assert subject.reopen().plan_index.intended(sealed.id) == {"chg-00001"}
        assert subject.reopen().plans.get(sealed.id) == sealed
        assert actions(subject.state)[2:] == ["intended"]

    def test_no_intent_for_a_plan_that_moved_or_a_change_it_has_not(self, state: State) -> None:
        sealed = proposed_and_approved(state)
        with pytest.raises(NotFound):
            state.plans.intend(sealed, change(9), audit())
        state.plans.propose(plan("b"), audit())
        with pytest.raises(VersionConflict):
            state.plans.intend(sealed, sealed.changes[0], audit("intended"))
        assert state.plan_index.intended(sealed.id) == frozenset()
        assert "intended" not in actions(state)

    def test_results_are_kept_and_the_last_one_ends_the_plan(self, subject: StateSubject) -> None:
        state = subject.state
        sealed = proposed_and_approved(state)
        half = state.plans.record(sealed, result(2), audit("applied 2"))
        assert (half.state, half.version, half.results) == (PlanState.APPROVED, 3, (result(2),))
        assert subject.reopen().plans.get(sealed.id) == half
        done = state.plans.record(half, result(1, WriteOutcome.CONFLICT), audit("conflict 1"))
        assert done.state is PlanState.APPLIED
        assert done.results == (result(1, WriteOutcome.CONFLICT), result(2))
        assert subject.reopen().plans.get(sealed.id) == done
        assert actions(state)[2:] == ["applied 2", "conflict 1"]

    def test_a_final_result_stays_and_an_unknown_one_is_replaced(self, state: State) -> None:
        sealed = proposed_and_approved(state)
        unknown = state.plans.record(sealed, result(1, WriteOutcome.UNKNOWN), audit("unknown"))
        assert unknown.result("chg-00001") == result(1, WriteOutcome.UNKNOWN)
        final = state.plans.record(unknown, result(1, WriteOutcome.ALREADY), audit("already"))
        assert state.plans.record(final, result(1, WriteOutcome.REJECTED), audit("lost")) == final
        assert state.plans.record(sealed, result(1, WriteOutcome.REJECTED), audit("lost")) == final
        assert state.plans.get(sealed.id) == final
        assert actions(state)[2:] == ["unknown", "already"]

    def test_a_result_is_stored_although_the_plan_moved(self, state: State) -> None:
        """What happened at the PSA happened, whatever became of the plan meanwhile."""
        sealed = proposed_and_approved(state, changes=1)
        state.plans.propose(plan("b"), audit())
        late = state.plans.record(sealed, result(1), audit("late"))
        assert late.result("chg-00001") == result(1)
        assert late.state is PlanState.SUPERSEDED
        assert state.plans.get(sealed.id) == late
        assert actions(state)[-1] == "late"

    def test_a_result_of_a_change_that_is_not_there_is_refused(self, state: State) -> None:
        sealed = proposed_and_approved(state)
        with pytest.raises(NotFound):
            state.plans.record(sealed, result(9), audit("lost"))
        assert actions(state) == ["proposed", "approved"]

    def test_interleaved_results_are_all_kept(self, state: State) -> None:
        sealed = proposed_and_approved(state, changes=6)
        outcomes = interleaved(
            [
                lambda number=number: state.plans.record(sealed, result(number), audit(f"r{number}"))
                for number in range(1, 7)
            ]
        )
        assert not [outcome for outcome in outcomes if isinstance(outcome, TrueupError)]
        stored = state.plans.get(sealed.id)
        assert stored.state is PlanState.APPLIED
        assert stored.results == tuple(result(number) for number in range(1, 7))
        assert sorted(actions(state)[2:]) == [f"r{number}" for number in range(1, 7)]

    def test_of_interleaved_results_of_one_change_one_stays(self, state: State) -> None:
        sealed = proposed_and_approved(state)
        outcomes = (WriteOutcome.APPLIED, WriteOutcome.REJECTED, WriteOutcome.CONFLICT, WriteOutcome.ALREADY)
        interleaved(
            [
                lambda outcome=outcome: state.plans.record(sealed, result(1, outcome), audit(outcome.value))
                for outcome in outcomes
            ]
        )
        (kept,) = state.plans.get(sealed.id).results
        assert actions(state)[2:] == [kept.outcome.value]


class TestIndex:
    def test_the_newest_first(self, state: State) -> None:
        for minutes, name in enumerate("abc"):
            state.plans.propose(plan(name, minutes=minutes), audit())
        assert [one.id[-1] for one in state.plan_index.latest()] == ["c", "b", "a"]
        assert [one.id[-1] for one in state.plan_index.latest(2)] == ["c", "b"]

    def test_a_large_plan_comes_back_whole(self, state: State) -> None:
        stored = state.plans.propose(plan(changes=1_000), audit())
        assert state.plans.get(stored.id) == replace(plan(changes=1_000), version=1)
        assert stored.checksum == plan(changes=1_000).checksum
