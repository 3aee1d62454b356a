"""Killed before and after every effect of a month, on the store and on the PSA: what follows ends where it should.

Method: the month is run once to count its effects; then once more for each effect and each side of it, where the
process dies there (nothing it would do on its way out is done), is started again, and goes on as a person at the
command line would. Two people are tried: one repeats the command that died, one starts a new run first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from tests.fakes.psa import WriteFault
from tests.simulation.auditor import Evidence, audit, writes_of
from tests.usecases.office import SECRET, Office, open_office
from trueup.domain.billing import WriteOutcome, WriteResult
from trueup.domain.integrations import ConnectionState
from trueup.domain.mapping import MappingState
from trueup.domain.plan import Plan, PlanState
from trueup.usecases.monthly_run import end_run
from trueup.usecases.plan_apply import LEASE_SECONDS

type When = Literal["before", "after"]

SEATS = {"L1": 12, "L2": 15, "L3": 8, "L4": 20}
"""What the lines must hold at the end; L1 was right from the start."""


class Killed(BaseException):
    """The process is gone. Not an Exception: nothing may catch it and go on."""


def fresh_office() -> Office:
    """Nothing connected yet; one client in line, two to bill more, one to bill less, one that nobody has mapped."""
    office = open_office(page_size=3)
    office.client(1, "Harbor Dental Group", 12, "12")
    office.client(2, "Larkspur Legal", 15, "12")
    office.client(3, "Mossgate Freight", 8, "10")
    office.client(4, "Northgate Museum", 20, "18")
    office.vendor.add_account("V5", "Nobody Knows", 4)
    return office


def carry_on(office: Office, *, starts_over: bool = False) -> None:
    """What a person does until the month is applied, going on from whatever was stored."""
    if any(item.state is ConnectionState.NOT_CONNECTED for item in office.state.integrations.all()):
        office.connect_both()
    if not any(entry.state is MappingState.MAPPED for entry in office.state.services.all()):
        office.sync()
        office.map_service()
    office.finish()
    plan = office.state.plan_index.current("2026-09")
    if plan is None or starts_over:
        plan = office.run().plan
    if plan.state is not PlanState.APPLIED and plan.changes:
        approve_and_apply(office, plan)


def approve_and_apply(office: Office, plan: Plan) -> None:
    if plan.state is PlanState.PROPOSED:
        for change in plan.held:
            plan = office.release(plan, change.id)
        plan = office.approve(plan)
    applied = office.apply(plan, owner=f"process {office.clock.monotonic_seconds()}")
    if any(result.outcome is WriteOutcome.UNKNOWN for result in applied.plan.results):
        office.apply(plan, owner=f"process {office.clock.monotonic_seconds()}")
    end_run(plan.run_id, runs=office.state.runs, clock=office.clock)


def second_month(office: Office) -> Plan:
    """A run after everything was applied."""
    return office.run().plan


def kill_at(office: Office, number: int, when: When) -> None:
    """Die at that effect on the store; whatever the dying process still tries is not done."""
    switches = office.state.switches
    if when == "after":
        switches.fail("*", Killed(), when="after", skip=number)
    switches.fail("*", Killed(), when="before", skip=number + (when == "after"), times=1_000_000)


def restart(office: Office) -> None:
    """Another process on the same store; the lease of the dead one has run out."""
    office.state.switches.heal()
    office.clock.advance(LEASE_SECONDS + 1)


def require_done(office: Office) -> None:
    """The lines hold what was approved, each written once; the history says so; nothing is left to do."""
    assert {line_id: int(office.quantity(line_id)) for line_id in SEATS} == SEATS
    written = [str(write.reference.line_id) for write in office.psa.writes]
    assert sorted(written) == ["L2", "L3", "L4"]
    plan = second_month(office)
    assert plan.changes == ()
    report = audit(
        Evidence(
            office.state,
            writes=writes_of(office.psa),
            policy=office.policy,
            secrets=[SECRET],
            is_settled=True,
        )
    )
    report.require_sound()
    assert report.checked >= {"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10"}
    assert second_month(office).id == plan.id


def effects_of_a_month() -> list[str]:
    office = fresh_office()
    carry_on(office)
    return office.state.switches.calls


def test_a_month_without_a_crash_ends_where_it_should() -> None:
    office = fresh_office()
    carry_on(office)
    require_done(office)
    kinds = set(effects_of_a_month())
    assert kinds >= {
        "integrations.save", "snapshots.add_page", "snapshots.complete", "accounts.save", "services.save",
        "runs.start", "runs.save", "reconciliations.save", "plans.propose", "plans.save", "plans.intend",
        "plans.record", "leases.acquire", "leases.release", "checkpoints.clear",
    }  # fmt: skip


EFFECTS = effects_of_a_month()


@pytest.mark.parametrize("starts_over", [False, True], ids=["repeats the command", "starts over"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.fault("A1")
def test_A1_killed_at_any_effect_on_the_store(when: When, starts_over: bool) -> None:
    died = 0
    for number in range(len(EFFECTS) + 3):
        office = fresh_office()
        kill_at(office, number, when)
        try:
            carry_on(office)
        except Killed:
            died += 1
        restart(office)
        carry_on(office, starts_over=starts_over)
        require_done(office)
    assert died >= len(EFFECTS), "every effect was met"


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_effect_of_the_run_after_the_month(when: When) -> None:
    office = fresh_office()
    carry_on(office)
    before = len(office.state.switches.calls)
    second_month(office)
    effects = len(office.state.switches.calls) - before
    assert effects > 10
    for number in range(effects):
        office = fresh_office()
        carry_on(office)
        kill_at(office, number, when)
        with pytest.raises(Killed):
            second_month(office)
        restart(office)
        require_done(office)


@pytest.mark.parametrize("starts_over", [False, True], ids=["repeats the command", "starts over"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.fault("A1")
def test_A1_killed_around_any_write_to_the_psa(number: int, when: When, starts_over: bool) -> None:
    office = fresh_office()
    heal = die_at_write(office, number, when)
    with pytest.raises(Killed):
        carry_on(office)
    assert len(office.psa.writes) == number + (when == "after")
    heal()
    restart(office)
    carry_on(office, starts_over=starts_over)
    require_done(office)


def die_at_write(office: Office, number: int, when: When) -> Callable[[], None]:
    """Die around that call of the PSA. The result undoes it."""
    real = office.psa.set_quantity
    seen: list[object] = []

    def set_quantity(*arguments: object, **named: object) -> WriteResult:
        seen.append(arguments)
        is_the_one = len(seen) == number + 1
        if is_the_one and when == "before":
            raise dead(office)
        result = real(*arguments, **named)  # type: ignore[arg-type]
        if is_the_one:
            raise dead(office)
        return result

    def heal() -> None:
        del office.psa.set_quantity

    office.psa.set_quantity = set_quantity  # type: ignore[method-assign]
    return heal


def dead(office: Office) -> Killed:
    """From now on the store hears nothing of this process."""
    office.state.switches.fail("*", Killed(), when="before", times=1_000_000)
    return Killed()


@pytest.mark.parametrize("starts_over", [False, True], ids=["repeats the command", "starts over"])
@pytest.mark.parametrize("fault", [WriteFault.UNREADABLE, WriteFault.LOST, WriteFault.REPLY_LOST])
@pytest.mark.fault("T6")
def test_T6_an_unclear_write_and_a_kill_at_any_effect_after_it(fault: WriteFault, starts_over: bool) -> None:
    first = EFFECTS.index("plans.intend")
    for number in range(first, len(EFFECTS)):
        for unclear in range(3):
            for when in ("before", "after"):
                office = fresh_office()
                fail_write(office, unclear, fault)
                kill_at(office, number, when)
                try:
                    carry_on(office)
                except Killed:
                    restart(office)
                carry_on(office, starts_over=starts_over)
                require_done(office)


def fail_write(office: Office, number: int, fault: WriteFault) -> None:
    """That write, and no other, meets the fault."""
    real = office.psa.set_quantity
    seen: list[object] = []

    def set_quantity(*arguments: object, **named: object) -> WriteResult:
        if len(seen) == number:
            office.psa.next_write(fault)
        seen.append(arguments)
        return real(*arguments, **named)  # type: ignore[arg-type]

    office.psa.set_quantity = set_quantity  # type: ignore[method-assign]


@pytest.mark.parametrize("fault", [WriteFault.CLAMPED, WriteFault.REFUSED, WriteFault.IGNORED])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_write_the_psa_did_not_take_over_is_told_and_proposed_again(fault: WriteFault, number: int) -> None:
    office = fresh_office()
    fail_write(office, number, fault)
    carry_on(office)
    plan = office.state.plan_index.current("2026-09")
    assert plan is not None
    outcomes = sorted(result.outcome for result in plan.results)
    assert outcomes == [WriteOutcome.APPLIED, WriteOutcome.APPLIED, WriteOutcome.REJECTED]
    again = second_month(office)
    assert len(again.changes) == 1
    approve_and_apply(office, again)
    assert {line_id: int(office.quantity(line_id)) for line_id in SEATS} == SEATS
    assert second_month(office).changes == ()
    audit(Evidence(office.state, writes=writes_of(office.psa), policy=office.policy, secrets=[SECRET])).require_sound()


@pytest.mark.parametrize("times", [2, 3])
def test_killed_again_and_again(times: int) -> None:
    for number in range(3, len(EFFECTS), 7):
        office = fresh_office()
        for kill in range(times):
            kill_at(office, number // (kill + 1), "after")
            try:
                carry_on(office)
            except Killed:
                restart(office)
        office.state.switches.heal()
        carry_on(office)
        require_done(office)
