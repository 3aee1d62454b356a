"""Two at once, in many orders: leases and conditional writes keep every line from being written twice."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import fields
from typing import Any

import pytest

from tests.fakes.state import FakeState
from tests.simulation.auditor import Evidence, audit, writes_of
from tests.simulation.turns import Turns, errors_of
from tests.usecases.office import APPROVER, PERIOD, PERSON, SECRET, Office, small_month
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.errors import LeaseHeld, TrueupError
from trueup.domain.integrations import IntegrationName
from trueup.domain.plan import Plan, PlanState
from trueup.usecases.month import Systems, read_and_match, reconcile_run
from trueup.usecases.plan_apply import LEASE_SECONDS, Applied, apply_plan

SEEDS = range(60)


def approved(office: Office) -> Plan:
    plan = office.run().plan
    return office.approve(office.release(plan, plan.held[0].id))


def apply_in_turns(office: Office, plan: Plan, turns: Turns, owner: str) -> Applied:
    return apply_plan(
        plan.id,
        checksum=plan.checksum,
        actor=APPROVER,
        owner=owner,
        period_now=PERIOD,
        psa=turns.wrap(office.psa),
        psa_system=office.state.integrations.get(IntegrationName.CONNECTWISE).system,
        capabilities=PSA_CAPABILITIES[IntegrationName.CONNECTWISE],
        open_line_creation=lambda: turns.wrap(office.psa),
        accounts=office.state.accounts,
        services=office.state.services,
        snapshots=office.state.snapshots,
        plans=turns.wrap(office.state.plans),
        plan_index=turns.wrap(office.state.plan_index),
        leases=turns.wrap(office.state.leases),
        clock=office.clock,
    )


def require_once(office: Office) -> None:
    """Every line was written at most once, and what is there is sound."""
    times = Counter(str(write.reference.line_id) for write in office.psa.writes)
    assert set(times.values()) <= {1}, times
    audit(Evidence(office.state, writes=writes_of(office.psa), policy=office.policy, secrets=[SECRET])).require_sound()


def require_finished(office: Office, plan: Plan) -> None:
    """After one more apply, alone, everything is there exactly once."""
    office.clock.advance(LEASE_SECONDS + 1)
    office.apply(plan, owner="last")
    assert {line: int(office.quantity(line)) for line in ("L2", "L3", "L4")} == {"L2": 15, "L3": 8, "L4": 20}
    assert len(office.psa.writes) == 3
    require_once(office)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_applies_at_once(seed: int) -> None:
    office = small_month()
    plan = approved(office)
    turns = Turns(seed)
    results = turns.carry_out(*(lambda owner=owner: apply_in_turns(office, plan, turns, owner) for owner in "ab"))
    assert all(isinstance(error, LeaseHeld) for error in errors_of(results)), results
    assert len(errors_of(results)) <= 1, "one of the two gets through"
    require_once(office)
    require_finished(office, plan)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.fault("A5")
def test_A5_two_applies_at_once_while_leases_run_out_under_them(seed: int) -> None:
    office = small_month()
    plan = approved(office)

    def stall(rng: random.Random) -> None:
        if rng.random() < 0.25:
            office.clock.advance(LEASE_SECONDS + 1)

    turns = Turns(seed, stall)
    results = turns.carry_out(*(lambda owner=owner: apply_in_turns(office, plan, turns, owner) for owner in "abc"))
    for error in errors_of(results):
        assert isinstance(error, TrueupError), error
    require_once(office)
    require_finished(office, plan)


def test_the_orders_really_differ_and_can_be_repeated() -> None:
    def trail(seed: int) -> list[int]:
        office = small_month()
        plan = approved(office)
        turns = Turns(seed)
        turns.carry_out(*(lambda owner=owner: apply_in_turns(office, plan, turns, owner) for owner in "ab"))
        return turns.trail

    trails = [tuple(trail(seed)) for seed in range(10)]
    assert len(set(trails)) > 5
    assert trail(3) == list(trails[3])


def in_turns(state: FakeState, turns: Turns) -> FakeState:
    """Every store of the bundle, each call of which may hand the turn on."""
    stores: dict[str, Any] = {item.name: getattr(state, item.name) for item in fields(state)}
    switches = stores.pop("switches")
    return FakeState(**{name: turns.wrap(store) for name, store in stores.items()}, switches=switches)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_runs_at_once_are_one_run_or_two_whole_ones(seed: int) -> None:
    office = small_month()
    turns = Turns(seed)
    stepped = Office(
        office.clock,
        office.vendor,
        office.psa,
        in_turns(office.state, turns),
        office.vault,
        office.connections,
    )

    def run() -> Plan:
        systems: Systems = stepped.systems
        run = stepped.begin()
        read_and_match(run, systems, actor=PERSON)
        return reconcile_run(run, systems, actor=PERSON, policy=office.policy).plan

    results = turns.carry_out(run, run)
    plans = [result for result in results if isinstance(result, Plan)]
    for error in errors_of(results):
        assert isinstance(error, TrueupError), error
    assert plans, results
    assert len({plan.id for plan in plans}) == 1
    assert len(office.state.plan_index.latest()) == 1
    audit(Evidence(office.state, writes=writes_of(office.psa), policy=office.policy, secrets=[SECRET])).require_sound()
    office.run()
    audit(Evidence(office.state, writes=writes_of(office.psa), policy=office.policy)).require_sound()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_with_other_numbers_while_an_apply_is_under_way(seed: int) -> None:
    office = small_month()
    plan = approved(office)
    office.vendor.sets("V4", 21)
    turns = Turns(seed)

    def run_again() -> Plan:
        turns.step()
        return office.run().plan

    results = turns.carry_out(lambda: apply_in_turns(office, plan, turns, "a"), run_again)
    for error in errors_of(results):
        assert isinstance(error, TrueupError), error
    require_once(office)
    newest = office.run().plan
    assert office.state.plans.get(plan.id).state in (PlanState.APPLIED, PlanState.SUPERSEDED)
    for change in newest.held:
        newest = office.release(newest, change.id)
    office.clock.advance(LEASE_SECONDS + 1)
    office.apply(office.approve(newest), owner="last")
    assert {line: int(office.quantity(line)) for line in ("L2", "L3", "L4")} == {"L2": 15, "L3": 8, "L4": 21}
    audit(Evidence(office.state, writes=writes_of(office.psa), policy=office.policy, secrets=[SECRET])).require_sound()
