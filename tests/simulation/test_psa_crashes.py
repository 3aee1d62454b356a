"""Each PSA by its real adapter: killed before and after every effect of an apply, and with every write's answer lost,
the apply that follows ends every line at the approved value, once.

Method: ``psa_stage`` counts the effects of an undisturbed apply, store and sockets alike; then the apply is run once
for each of them and each side of it, dies there, and is run again. What is there at the end is held against the PSA's
whole world as the undisturbed apply left it, so that a line nobody asked to change is seen as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from local.simulators import World, scaled_world
from tests.simulation.evidence import PsaWrite, writes_of
from tests.simulation.psa_stage import PROCESS, Killed, Stage, When, staged
from tests.simulation.simulated import PERSON, SimulatedOffice
from trueup.domain.billing import WriteOutcome
from trueup.domain.effective import EffectiveRule
from trueup.domain.plan import ChangeKind, Plan
from trueup.domain.verdicts import Verdict
from trueup.usecases import allocation, plan_apply, plan_lines

EMAIL, AWARENESS, BESIDE, IN_LINE = 88_431, 88_432, 88_450, 88_434
FIRST_LINES = {EMAIL, AWARENESS, BESIDE, IN_LINE}
"""Two lines of the first client, who is out of line with both, one that a scenario adds there, and a third client's."""

SEATS = 162
LACKING_AGREEMENT = "1202"
"""Of the second client, which is not billed at all; the third is in line."""

WRITES = {
    "connectwise": (("PATCH", "*/additions/*"), ("POST", "*/additions")),
    "autotask": (("POST", "/ContractServiceAdjustments"),),
    "halopsa": (("POST", "*/RecurringInvoice"),),
    "syncro": (("PUT", "*/line_items/*"),),
}
TIMES = {"last_updated", "updated_by", "datetime", "_lastUpdated", "items"}
"""What differs between two worlds in which the same was done: when, and how many answers were numbered."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the plan holds: two changed lines of one agreement unless told otherwise."""

    psa: str
    effective: str = ""
    creates: bool = False
    divides: bool = False

    @property
    def name(self) -> str:
        words = (self.psa, self.effective and "dated", self.creates and "makes a line", self.divides and "divides")
        return " ".join(word for word in words if word)


SCENARIOS = (
    Scenario("connectwise"),
    Scenario("connectwise", effective="next_period"),
    Scenario("connectwise", creates=True),
    Scenario("autotask"),
    Scenario("autotask", divides=True),
    Scenario("halopsa"),
    Scenario("halopsa", creates=True),
    Scenario("syncro"),
)


def world_of(scenario: Scenario) -> World:
    world = scaled_world(3, 5)
    world.edit_addition(IN_LINE, quantity=138)
    world.remove_addition(88_433)
    world.edit_addition(EMAIL, quantity=SEATS - 12)
    # Where a line is made one change stands beside it, else two of one agreement.
    world.edit_addition(AWARENESS, quantity=SEATS if scenario.creates or scenario.divides else SEATS + 8)
    if scenario.divides:
        world.add_addition(replace(world.additions[EMAIL], id=BESIDE, quantity=20.0))
    return world


def prepared(office: SimulatedOffice, scenario: Scenario) -> Plan:
    """The plan of the scenario, approved."""
    office.set_up()
    if scenario.divides:
        allocation.divide_lines(
            "250",
            "560",
            fixed=[(str(BESIDE), 30)],
            balance=str(EMAIL),
            reason="two sites",
            actor=PERSON,
            time_zone=office.policy.time_zone,
            integrations=office.state.integrations,
            snapshots=office.state.snapshots,
            allocations=office.state.allocations,
            clock=office.clock,
        )
    outcome = office.run(scenario.effective)
    plan = outcome.plan
    if scenario.creates:
        lacking = next(row for row in outcome.reconciliation.rows if row.verdict is Verdict.NEW_REVENUE)
        plan = plan_lines.add_line(
            plan.id,
            lacking.id,
            agreement_id=LACKING_AGREEMENT,
            effective="",
            actor=PERSON,
            policy=office.policy,
            integrations=office.state.integrations,
            snapshots=office.state.snapshots,
            services=office.state.services,
            reconciliations=office.state.reconciliations,
            runs=office.state.runs,
            plans=office.state.plans,
            clock=office.clock,
        )
    return office.approve(plan)


@dataclass
class Case:
    """A stage with what the undisturbed apply left behind."""

    scenario: Scenario
    stage: Stage
    effects: tuple[str, ...]
    left: Any
    writes: Counter[PsaWrite]

    @property
    def first_write(self) -> int:
        return self.effects.index(self._writing_effects()[0])

    def _writing_effects(self) -> list[str]:
        """The requests that are no question; tokens and queries are sent by POST as well."""
        words = ("additions", "ContractServiceAdjustments", "RecurringInvoice", "line_items")
        return [one for one in self.effects if not one.startswith("GET") and any(word in one for word in words)]

    @property
    def number_of_writes(self) -> int:
        return len(self._writing_effects())

    def lose(self, *, committed: bool, nth: int = 1, times: int = 0) -> None:
        """Answers to writes are lost, all unless told otherwise, each counted by its kind of request."""
        for method, path in WRITES[self.scenario.psa]:
            self.stage.office.psa_simulator.faults.add(
                "drop_after_commit" if committed else "drop_before_commit",
                method=method,
                path=path,
                nth=nth,
                times=times,
            )

    def finish(self, owner: str) -> None:
        """Apply again as a person would, until nothing is unknown, and look at everything."""
        stage = self.stage
        for _ in range(3):
            plan = stage.apply(owner=owner).plan
            if all(result.is_final for result in plan.results):
                break
        outcomes = [(result.outcome, result.reason) for result in plan.results]
        assert {outcome for outcome, _ in outcomes} == {WriteOutcome.APPLIED}, outcomes
        assert len(outcomes) == len(plan.changes)
        assert standing(stage.office.world) == self.left
        assert happened(stage.office.world) == self.writes, "each once"
        stage.office.audit()


def standing(world: World) -> Any:
    """Everything the PSA holds, without when and by whom it was written, and in which order lines were made."""
    record = {name: value for name, value in world.as_json().items() if name not in {"writes", "audit"}}
    names = {
        line.id: f"made on {line.agreement_id} for {line.product_id} with {line.quantity:g} from {line.effective_date}"
        for line in world.additions.values()
        if line.id not in FIRST_LINES
    }
    changes = record["vendor_state"].get("halopsa", {}).get("changes", [])
    for change in changes:
        del change["id"]
    changes.sort(key=lambda change: (change["invoice_line_id"], change["field_name"]))
    return _comparable(record, {**names, **{str(number): name for number, name in names.items()}})


def _comparable(value: Any, names: Mapping[int | str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(key, key): _comparable(one, names) for key, one in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [_comparable(one, names) for one in value]
    return names.get(value, value) if type(value) is int else value


def happened(world: World) -> Counter[PsaWrite]:
    """The writes that changed something. Saying a second time when a line ends, or what it already has, changes
    nothing.
    """
    writes = [replace(write, line_id="") if write.made else write for write in writes_of(world)]
    moved = Counter(write for write in writes if write.before != write.after)
    return moved + Counter({write for write in writes if write.ends})


@pytest.fixture(scope="module", params=SCENARIOS, ids=lambda scenario: scenario.name)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    scenario: Scenario = request.param
    with staged(world_of(scenario), scenario.psa, partial(prepared, scenario=scenario)) as stage:
        stage.set_back()
        stage.apply(owner=PROCESS)
        world = stage.office.world
        yield Case(scenario, stage, tuple(stage.effects.calls), standing(world), happened(world))


def test_undisturbed_the_plan_is_applied_and_nothing_else_moves(case: Case) -> None:
    stage = case.stage
    stage.set_back()
    before = standing(stage.office.world)
    applied = stage.apply(owner=PROCESS).plan
    assert [result.outcome for result in applied.results] == [WriteOutcome.APPLIED] * 2
    kinds = {change.kind for change in applied.changes}
    assert (ChangeKind.CREATE_LINE in kinds) == case.scenario.creates
    rules = {change.effective_rule for change in applied.changes}
    assert (EffectiveRule.NEXT_PERIOD in rules) == (case.scenario.psa == "autotask" or bool(case.scenario.effective))
    for change in applied.changes:
        result = applied.result(change.id)
        assert result is not None
        asked = replace(change, line_id=result.line_id or change.line_id)
        assert stage.office.psa_says(asked) == float(change.target)
    assert case.number_of_writes == (4 if case.scenario.effective else 2)
    after = standing(stage.office.world)
    touched = {str(change.line_id) for change in applied.changes} | {str(one.line_id) for one in applied.results}
    others = {key for key in before["additions"] if str(key) not in touched}
    assert others
    assert {key: after["additions"][key] for key in others} == {key: before["additions"][key] for key in others}
    assert after["agreements"] == before["agreements"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.fault("A1")
def test_A1_killed_at_any_effect_the_next_apply_ends_every_line_at_the_approved_value_once(
    case: Case, when: When
) -> None:
    """A process that comes at once under the same lease, and one that comes when the lease is over."""
    for number in range(len(case.effects)):
        for owner in (PROCESS, "") if when == "after" else (("", PROCESS)[number % 2],):
            case.stage.set_back()
            case.stage.die(number, when)
            case.finish(owner)


@pytest.mark.parametrize("committed", [True, False], ids=["after commit", "before commit"])
@pytest.mark.fault("T6")
def test_T6_every_write_is_answered_by_a_timeout(case: Case, committed: bool) -> None:
    case.stage.set_back()
    case.lose(committed=committed)
    first = case.stage.apply(owner=PROCESS).plan
    unknown = [result for result in first.results if result.outcome is WriteOutcome.UNKNOWN]
    assert bool(unknown) is not committed or case.scenario.effective
    case.stage.office.psa_simulator.faults.clear()
    case.finish(PROCESS)


@pytest.mark.parametrize("committed", [True, False], ids=["after commit", "before commit"])
@pytest.mark.fault("T6")
def test_T6_one_write_is_answered_by_a_timeout(case: Case, committed: bool) -> None:
    for nth in range(1, case.number_of_writes + 1):
        case.stage.set_back()
        case.lose(committed=committed, nth=nth, times=1)
        case.finish(PROCESS)


@pytest.mark.parametrize("committed", [True, False], ids=["after commit", "before commit"])
@pytest.mark.fault("T6")
def test_T6_every_write_is_answered_by_a_timeout_and_the_process_is_killed(case: Case, committed: bool) -> None:
    """After any effect from the first write on; before an effect is after the one before it."""
    case.stage.set_back()
    case.lose(committed=committed)
    case.stage.apply(owner=PROCESS)
    effects = len(case.stage.effects.calls)
    assert effects > case.first_write + 4
    for number in range(case.first_write, effects):
        case.stage.set_back()
        case.lose(committed=committed)
        case.stage.die(number, "after")
        case.finish((PROCESS, "")[number % 2])


@pytest.mark.fault("A1")
def test_A1_killed_twice(case: Case) -> None:
    """Whoever comes after the dead dies as well, wherever it has got to."""
    died = 0
    for number in range(case.first_write - 1, len(case.effects), 3):
        case.stage.set_back()
        case.stage.die(number, "after")
        case.stage.effects.begin(number // 2, "after")
        try:
            case.stage.apply(owner=PROCESS)
        except Killed:
            died += 1
        case.stage.effects.begin()
        case.finish(PROCESS)
    assert died >= 2


# A server that commits late.


SLOW_SECONDS = 100
only_differences = pytest.mark.parametrize("case", [Scenario("autotask")], indirect=True, ids=["autotask"])


@pytest.fixture
def slow(case: Case) -> Case:
    """The process is killed right after it has sent its first difference, which the server carries out much later."""
    case.stage.set_back()
    route = WRITES["autotask"][0]
    case.stage.office.psa_simulator.faults.add("late_commit", method=route[0], path=route[1], seconds=SLOW_SECONDS)
    case.stage.die(case.first_write, "after")
    assert happened(case.stage.office.world) == Counter()
    return case


@only_differences
def test_a_difference_that_a_slow_server_commits_after_the_kill_counts_once(slow: Case) -> None:
    """Whoever comes at once waits longer than the server may take, and finds it done."""
    slow.finish(PROCESS)


@only_differences
def test_without_the_wait_the_same_difference_would_count_twice(slow: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test before this one cannot pass by accident."""
    monkeypatch.setattr(plan_apply, "SETTLING_SECONDS", 0.0)
    stage = slow.stage
    applied = stage.apply(owner=PROCESS).plan
    assert [result.outcome for result in applied.results] == [WriteOutcome.APPLIED] * 2
    stage.office.clock.advance(SLOW_SECONDS)
    doubled = next(one for one in applied.changes if stage.office.psa_says(one) != float(one.target))
    assert stage.office.psa_says(doubled) == float(doubled.target + (doubled.target - doubled.expected))


@only_differences
def test_a_difference_that_is_committed_late_is_watched_for_by_the_process_that_sent_it(slow: Case) -> None:
    slow.finish(PROCESS)
    slow.stage.set_back()
    route = WRITES["autotask"][0]
    slow.stage.office.psa_simulator.faults.add("late_commit", method=route[0], path=route[1], seconds=SLOW_SECONDS)
    applied = slow.stage.apply(owner=PROCESS).plan
    assert [result.outcome for result in applied.results] == [WriteOutcome.APPLIED] * 2
    slow.finish(PROCESS)
