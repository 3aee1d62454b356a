"""Killed before and after every effect while lines are made, divided seats are written, or a plan is taken back.

Method: the month is set up whole, then the part that is looked at is run once to count its effects and once more for
each of them and each side of it, as in ``test_crashes``: whoever died is started again and goes on from the records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from tests.fakes.psa import WriteFault
from tests.simulation.auditor import Evidence, audit, writes_of
from tests.simulation.test_crashes import Killed, When, dead, kill_at, restart
from tests.usecases.office import SECRET, Office, open_office
from trueup.domain.billing import LineId, WriteOutcome
from trueup.domain.errors import TrueupError
from trueup.domain.plan import ChangeKind, Plan, PlanState
from trueup.domain.verdicts import Verdict
from trueup.usecases.plan_apply import SETTLING_SECONDS


def lacking_office() -> Office:
    """One client to bill more, one that has no line, and one whose seats are divided among two lines."""
    office = open_office(page_size=5)
    office.client(1, "Harbor Dental Group", 15, "12")
    office.client(2, "Larkspur Legal", 20, None)
    office.client(3, "Mossgate Freight", 14, "6")
    office.line(3, "5", line_id="L33")
    office.set_up()
    office.divide({"L3": 6}, "L33", client="P3")
    for number in (1, 2, 3):
        terms = office.psa.agreements
        key = next(key for key in terms if key == f"A{number}")
        terms[key] = replace(terms[key], prorates=True)
    office.state.switches.calls.clear()
    return office


def quantities(office: Office) -> dict[str, list[int]]:
    """What each client is billed on the first of next month, line by line."""
    day = date(2026, 10, 1)
    found: dict[str, list[int]] = {"P1": [], "P2": [], "P3": []}
    for line in sorted(office.psa.lines.values(), key=lambda line: line.id):
        if line.is_live(day):
            found[line.account_id].append(int(line.quantity))
    return found


RIGHT = {"P1": [15], "P2": [20], "P3": [6, 8]}
BEFORE = {"P1": [12], "P2": [20], "P3": [6, 5]}


def bring_about(office: Office, *, effective: str = "") -> Plan:
    """What a person does until everybody is billed right, going on from whatever was stored."""
    plan = office.state.plan_index.current("2026-09")
    if plan is None:
        plan = office.run(effective).plan
    if plan.state is PlanState.PROPOSED:
        plan = prepared(office, plan)
    return finished(office, plan)


def prepared(office: Office, plan: Plan) -> Plan:
    rows = office.state.reconciliations.get(plan.period).rows
    lacking = next((row for row in rows if row.verdict is Verdict.NEW_REVENUE), None)
    if lacking is not None and all(change.kind is not ChangeKind.CREATE_LINE for change in plan.changes):
        plan = office.add_line(plan, lacking.id, "A2")
    for change in plan.held:
        plan = office.release(plan, change.id)
    return office.approve(plan) if plan.changes else plan


def finished(office: Office, plan: Plan) -> Plan:
    if plan.state is not PlanState.APPROVED:
        return plan
    applied = office.apply(plan, owner=f"process {office.clock.monotonic_seconds()}").plan
    if any(result.outcome is WriteOutcome.UNKNOWN for result in applied.results):
        applied = office.apply(plan, owner=f"process {office.clock.monotonic_seconds()}").plan
    return applied


def take_back(office: Office, applied: Plan) -> Plan:
    """Ask for the undo, or go on with the one that was asked for."""
    current = office.state.plan_index.current("2026-09")
    undo = current if current is not None and current.id != applied.id else office.undo(applied).plan
    if undo.state is PlanState.PROPOSED:
        undo = office.approve(undo)
    return finished(office, undo)


def require_sound(office: Office) -> None:
    report = audit(Evidence(office.state, writes=writes_of(office.psa), policy=office.policy, secrets=[SECRET]))
    report.require_sound()
    assert report.checked >= {"I1", "I2", "I7", "I9"}


def effects_of(part: Callable[[Office], object], office: Office) -> int:
    before = len(office.state.switches.calls)
    part(office)
    return len(office.state.switches.calls) - before


@pytest.mark.parametrize(("effective", "waits"), [("", [SETTLING_SECONDS]), ("next_period", [SETTLING_SECONDS])])
def test_a_line_that_an_interrupted_apply_may_still_be_making_is_waited_for(effective: str, waits: list[float]) -> None:
    """Looked for at once it might not be there yet, and would be made twice."""
    office = lacking_office()
    plan = prepared(office, office.run(effective).plan)
    makes_line = next(change for change in plan.ready if change.kind is ChangeKind.CREATE_LINE or change.effective)
    office.state.switches.fail("plans.record", Killed(), skip=plan.ready.index(makes_line))
    with pytest.raises(Killed):
        office.apply(plan, owner="killed")
    restart(office)
    office.clock.sleeps.clear()
    assert office.apply(plan, owner="next").is_done
    assert office.clock.sleeps == waits
    assert quantities(office) == RIGHT


@pytest.mark.parametrize("effective", ["", "next_period"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.fault("A1")
def test_A1_killed_at_any_effect_while_lines_are_made_and_shares_written(when: When, effective: str) -> None:
    effects = effects_of(lambda office: bring_about(office, effective=effective), lacking_office())
    assert effects > 20
    for number in range(effects):
        office = lacking_office()
        kill_at(office, number, when)
        with pytest.raises(Killed):
            bring_about(office, effective=effective)
        restart(office)
        bring_about(office, effective=effective)
        assert quantities(office) == RIGHT, (number, when)
        assert len(office.psa.writes) == 3
        require_sound(office)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["create_line", "set_quantity"])
@pytest.mark.fault("A1")
def test_A1_killed_around_the_write_itself(method: str, when: When) -> None:
    for number in range(1 if method == "create_line" else 2):
        office = lacking_office()
        heal = die_around(office, method, number, when)
        with pytest.raises(Killed):
            bring_about(office)
        heal()
        restart(office)
        bring_about(office)
        assert quantities(office) == RIGHT
        assert len(office.psa.writes) == 3
        require_sound(office)


def die_around(office: Office, method: str, number: int, when: When) -> Callable[[], None]:
    real = getattr(office.psa, method)
    calls = iter(range(100))

    def write(*arguments: object, **named: object) -> object:
        is_the_one = next(calls) == number
        if is_the_one and when == "before":
            raise dead(office)
        result = real(*arguments, **named)
        if is_the_one:
            raise dead(office)
        return result

    setattr(office.psa, method, write)
    return lambda: delattr(office.psa, method)


@pytest.mark.parametrize("fault", [WriteFault.UNREADABLE, WriteFault.LOST])
@pytest.mark.fault("T6")
def test_T6_an_unclear_new_line_and_a_kill_at_any_effect_after_it(fault: WriteFault) -> None:
    effects = effects_of(bring_about, lacking_office())
    for number in range(effects - 12, effects):
        office = lacking_office()
        unclear_creation(office, fault)
        kill_at(office, number, "after")
        try:
            bring_about(office)
        except Killed:
            restart(office)
        bring_about(office)
        assert quantities(office) == RIGHT
        require_sound(office)


def unclear_creation(office: Office, fault: WriteFault) -> None:
    """The first line that is made, and no later try, meets the fault."""
    real, faults = office.psa.create_line, [fault]

    def create_line(order: object) -> object:
        if faults:
            office.psa.next_write(faults.pop())
        return real(order)  # type: ignore[arg-type]

    office.psa.create_line = create_line  # type: ignore[method-assign, assignment]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.fault("A1")
def test_A1_killed_at_any_effect_while_a_plan_is_taken_back(when: When) -> None:
    def applied_office() -> tuple[Office, Plan]:
        office = lacking_office()
        applied = bring_about(office)
        office.clock.advance(60)
        return office, applied

    first, plan = applied_office()
    effects = effects_of(lambda office: take_back(office, plan), first)
    assert effects > 8
    for number in range(effects):
        office, applied = applied_office()
        kill_at(office, number, when)
        with pytest.raises(Killed):
            take_back(office, applied)
        restart(office)
        take_back(office, applied)
        assert quantities(office) == BEFORE, (number, when)
        assert len(office.psa.writes) == 5
        require_sound(office)
        with pytest.raises(TrueupError):
            office.undo(applied)


def test_a_new_run_after_a_kill_makes_no_second_line() -> None:
    """Who starts over instead of repeating the apply finds the line that was made, and the plan without it."""
    for when in ("before", "after"):
        office = lacking_office()
        heal = die_around(office, "create_line", 0, when)  # type: ignore[arg-type]
        with pytest.raises(Killed):
            bring_about(office)
        heal()
        restart(office)
        plan = office.run().plan
        if plan.state is PlanState.PROPOSED:
            plan = prepared(office, plan)
        finished(office, plan)
        assert quantities(office) == RIGHT
        assert sorted(line.id for line in office.psa.lines.values() if line.account_id == "P2") == [LineId("88431")]
        require_sound(office)


def test_the_auditor_sees_a_line_nobody_asked_for_a_second_one_and_a_share_nobody_approved() -> None:
    office = lacking_office()
    bring_about(office)
    writes = writes_of(office.psa)
    made = next(write for write in writes if write.made)
    share = next(write for write in writes if write.line_id == "L33")
    for extra, invariant in (
        (made, "I2"),
        (replace(made, agreement_id="A9"), "I1"),
        (replace(made, asked=made.asked + 1), "I1"),
        (replace(share, asked=share.asked + 1), "I1"),
        (replace(share, line_id="L1", ends=True), "I1"),
    ):
        report = audit(Evidence(office.state, writes=[*writes, extra], policy=office.policy))
        assert any(one.startswith(invariant) for one in report.violations), (extra, report.violations)


def test_the_auditor_sees_what_takes_back_a_thing_that_was_not_so_and_a_line_without_a_name_behind_it() -> None:
    office = lacking_office()
    applied = bring_about(office)
    office.clock.advance(60)
    undone = take_back(office, applied)
    require_sound(office)
    memory = office.state.plans._memory.plans  # type: ignore[attr-defined]
    first = undone.changes[0]
    nameless = [replace(one, added_by="") for one in applied.changes]
    for plan, changes in (
        (undone, [replace(first, undoes="plan-x/chg-x"), *undone.changes[1:]]),
        (undone, [replace(first, undoes=undone.changes[1].undoes), *undone.changes[1:]]),
        (applied, nameless),
    ):
        memory[plan.id] = replace(plan, changes=tuple(changes))
        report = audit(Evidence(office.state, writes=writes_of(office.psa), policy=office.policy))
        assert any(one.startswith("I1") for one in report.violations), changes
        memory[plan.id] = plan
    require_sound(office)
