"""What was approved is written once and proved by reading back; whatever happens on the way, calling again mends it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.fakes.psa import WriteFault
from tests.usecases.office import APPROVER, PERIOD, Office
from trueup.adapters.autotask.writing import LOOKS_AFTER_SECONDS
from trueup.domain.audit import Audit, first_broken
from trueup.domain.billing import (
    AgreementId,
    LineId,
    Product,
    ProductId,
    PsaAccountId,
    WriteOutcome,
    WriteResult,
)
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.errors import (
    ChecksumMismatch,
    CredentialRejected,
    LeaseHeld,
    PermissionMissing,
    PlanNotReady,
    RateLimited,
    StateUnavailable,
    TrueupError,
    VendorUnavailable,
)
from trueup.domain.integrations import IntegrationName
from trueup.domain.plan import Plan, PlanState
from trueup.usecases.mapping import exclude_service
from trueup.usecases.plan_apply import APPLY_LEASE, AWAY_AFTER_CHANGES, LEASE_SECONDS, SETTLING_SECONDS, apply_plan

APPLIED, ALREADY, CONFLICT, REJECTED, UNKNOWN = (
    WriteOutcome.APPLIED,
    WriteOutcome.ALREADY,
    WriteOutcome.CONFLICT,
    WriteOutcome.REJECTED,
    WriteOutcome.UNKNOWN,
)


@pytest.fixture
def plan(month: Office) -> Plan:
    """Approved: L2 from 12 to 15 and L4 from 18 to 20; L3 is held."""
    return month.approve(month.run().plan)


def outcomes(plan: Plan) -> dict[str, WriteOutcome]:
    return {str(plan.change(result.change_id).line_id): result.outcome for result in plan.results}


def changes_of_history(month: Office) -> list[tuple[str, str, str, str]]:
    return [
        (event.audit.action, event.audit.subject.rpartition(" ")[2], event.audit.before, event.audit.after)
        for event in month.state.history.all()
        if event.audit.action.startswith("change ")
    ]


def test_the_approved_changes_are_written_once_and_the_held_one_is_not(month: Office, plan: Plan) -> None:
    applied = month.apply(plan)
    assert applied.is_done
    assert outcomes(applied.plan) == {"L2": APPLIED, "L4": APPLIED}
    assert applied.plan.state is PlanState.APPLIED
    assert (month.quantity("L2"), month.quantity("L3"), month.quantity("L4")) == (15, 10, 20)
    assert len(month.psa.writes) == 2


def test_every_change_has_its_audit_rows_with_before_after_why_and_evidence(month: Office, plan: Plan) -> None:
    month.apply(plan)
    assert sorted(changes_of_history(month)) == [
        ("change applied", "L2", "12", "15"),
        ("change applied", "L4", "18", "20"),
        ("change begun", "L2", "12", "15"),
        ("change begun", "L4", "18", "20"),
    ]
    rows = [event.audit for event in month.state.history.all() if event.audit.action == "change applied"]
    for row in rows:
        change = plan.change(row.subject.split()[1])
        assert (row.actor, row.evidence, row.run_id) == (APPROVER, change.evidence, plan.run_id)
        assert row.why
    assert first_broken(list(month.state.history.all())) is None


def test_applying_again_writes_nothing(month: Office, plan: Plan) -> None:
    first = month.apply(plan).plan
    events = month.actions()
    assert month.apply(plan).plan == first
    assert len(month.psa.writes) == 2
    assert month.psa.calls["set_quantity"] == 2
    assert month.actions() == events


def test_a_released_change_goes_with_the_plan(month: Office) -> None:
    proposed = month.run().plan
    plan = month.approve(month.release(proposed, proposed.held[0].id))
    assert outcomes(month.apply(plan).plan) == {"L2": APPLIED, "L3": APPLIED, "L4": APPLIED}
    assert month.quantity("L3") == 8


# What the plan must be.


def test_a_plan_that_is_not_approved_is_not_applied(month: Office) -> None:
    plan = month.run().plan
    with pytest.raises(PlanNotReady):
        month.apply(plan)
    assert month.psa.calls["set_quantity"] == 0


@pytest.mark.parametrize("checksum", ["", "0" * 64])
def test_another_checksum_applies_nothing(month: Office, plan: Plan, checksum: str) -> None:
    with pytest.raises(ChecksumMismatch):
        month.apply(plan, checksum=checksum)
    assert month.psa.calls["set_quantity"] == 0
    assert not [call for call in month.state.switches.calls if call.startswith("leases")]


def test_a_superseded_plan_is_not_applied(month: Office, plan: Plan) -> None:
    month.vendor.sets("V4", 30)
    month.run()
    with pytest.raises(PlanNotReady, match="replaced"):
        month.apply(plan)
    assert month.psa.calls["set_quantity"] == 0


def test_a_plan_superseded_after_it_was_read_is_not_applied(month: Office, plan: Plan) -> None:
    real = month.state.leases.acquire
    seen: list[object] = []

    def acquire(name: str, *, owner: str, seconds: int) -> int:
        if not seen:
            seen.append(name)
            month.vendor.sets("V4", 30)
            month.run()
        return real(name, owner=owner, seconds=seconds)

    month.state.leases.acquire = acquire  # type: ignore[method-assign]
    with pytest.raises(PlanNotReady):
        month.apply(plan)
    assert month.psa.calls["set_quantity"] == 0


@pytest.mark.parametrize(("period_now", "is_open"), [(PERIOD, True), ("2026-10", True), ("2026-11", False)])
def test_a_plan_belongs_to_its_month_and_may_be_applied_until_the_end_of_the_next(
    month: Office, plan: Plan, period_now: str, is_open: bool
) -> None:
    if is_open:
        assert month.apply(plan, period_now=period_now).is_done
        return
    with pytest.raises(PlanNotReady, match="is of 2026-09"):
        month.apply(plan, period_now=period_now)
    assert month.psa.calls["set_quantity"] == 0


def test_a_plan_of_two_weeks_ago_is_not_applied(month: Office, plan: Plan) -> None:
    month.clock.advance(14 * 24 * 3600 + 61)
    with pytest.raises(PlanNotReady, match="14 days"):
        month.apply(plan)
    assert month.psa.calls["set_quantity"] == 0


# What becomes of a write.


@pytest.mark.fault("P6")
def test_P6_a_quantity_somebody_changed_is_a_conflict_and_stays(month: Office, plan: Plan) -> None:
    month.psa.person_edits("L2", quantity=Decimal(13))
    applied = month.apply(plan).plan
    assert outcomes(applied) == {"L2": CONFLICT, "L4": APPLIED}
    assert month.quantity("L2") == 13
    assert applied.state is PlanState.APPLIED
    assert ("change conflict", "L2", "12", "13") in changes_of_history(month)


@pytest.mark.parametrize("decision", ["excluded", "moved"])
def test_a_change_of_an_account_that_was_decided_anew_since_the_plan_is_not_sent(
    month: Office, plan: Plan, decision: str
) -> None:
    first, other = sorted(plan.ready, key=lambda change: change.line_id)
    if decision == "excluded":
        month.exclude(first.vendor_ids[0])
    else:
        month.map_account(first.vendor_ids[0], other.psa_account_id)
    applied = month.apply(plan).plan
    assert outcomes(applied) == {"L2": CONFLICT, "L4": APPLIED}
    assert (month.quantity("L2"), len(month.psa.writes)) == (12, 1)
    result = applied.result(first.id)
    assert result is not None
    assert result.reason.startswith(f"nothing was sent: account {first.vendor_ids[0]} is ")


@pytest.mark.parametrize("decision", ["excluded", "moved"])
def test_a_change_of_a_service_that_was_decided_anew_since_the_plan_is_not_sent(
    month: Office, plan: Plan, decision: str
) -> None:
    if decision == "excluded":
        exclude_service("plan", reason="free", actor="dana", services=month.state.services, clock=month.clock)
    else:
        month.psa.products[ProductId("561")] = Product(ProductId("561"), "MIME-ARCHIVE", "Archive")
        month.map_service(product="MIME-ARCHIVE")
    applied = month.apply(plan).plan
    assert outcomes(applied) == {"L2": CONFLICT, "L4": CONFLICT}
    assert month.psa.calls["set_quantity"] == 0
    word = "excluded" if decision == "excluded" else "mapped to product MIME-ARCHIVE"
    assert {result.reason for result in applied.results} == {
        f"nothing was sent: service plan is {word} since the plan was made; run again"
    }


def test_a_change_of_a_client_that_a_newer_read_says_is_deleted_is_not_sent(month: Office, plan: Plan) -> None:
    month.clock.advance(60)
    month.psa.accounts[PsaAccountId("P2")] = replace(month.psa.accounts[PsaAccountId("P2")], deleted=True)
    month.sync()
    applied = month.apply(plan).plan
    assert outcomes(applied) == {"L2": CONFLICT, "L4": APPLIED}
    assert "client P2 is deleted in the PSA" in next(one.reason for one in applied.results if one.outcome is CONFLICT)


def test_a_change_that_was_begun_is_read_back_whatever_was_decided_since(month: Office, plan: Plan) -> None:
    """It may be in the PSA already, and then the history must say so."""
    change = min(plan.ready, key=lambda one: one.line_id)
    month.state.plans.intend(plan, change, Audit(month.clock.now(), APPROVER, "change begun", plan.id))
    month.psa.person_edits("L2", quantity=Decimal(15))
    month.exclude(change.vendor_ids[0])
    assert outcomes(month.apply(plan).plan) == {"L2": APPLIED, "L4": APPLIED}


@pytest.mark.fault("P6")
def test_P6_a_line_that_was_only_touched_is_a_conflict_too(month: Office, plan: Plan) -> None:
    month.psa.person_edits("L2")
    assert outcomes(month.apply(plan).plan)["L2"] is CONFLICT
    assert month.quantity("L2") == 12


def test_a_line_that_already_is_right_is_already(month: Office, plan: Plan) -> None:
    month.psa.person_edits("L2", quantity=Decimal(15))
    assert outcomes(month.apply(plan).plan) == {"L2": ALREADY, "L4": APPLIED}
    assert [str(write.reference.line_id) for write in month.psa.writes] == ["L4"]


@pytest.mark.fault("P7")
def test_P7_a_value_the_psa_changed_is_rejected_and_what_it_has_now_is_kept(month: Office, plan: Plan) -> None:
    month.psa.clamp_maximum = Decimal(13)
    month.psa.next_write(WriteFault.CLAMPED, WriteFault.CLAMPED)
    applied = month.apply(plan).plan
    assert set(outcomes(applied).values()) == {REJECTED}
    assert {result.quantity_seen for result in applied.results} == {Decimal(13)}


@pytest.mark.fault("P9")
def test_P9_a_line_the_psa_refuses_does_not_stop_the_others(month: Office, plan: Plan) -> None:
    month.psa.next_write(WriteFault.REFUSED)
    applied = month.apply(plan)
    assert sorted(outcomes(applied.plan).values()) == [APPLIED, REJECTED]
    assert applied.is_done


def test_a_yes_that_stored_nothing_is_rejected(month: Office, plan: Plan) -> None:
    month.psa.next_write(WriteFault.IGNORED)
    assert sorted(outcomes(month.apply(plan).plan).values()) == [APPLIED, REJECTED]


@pytest.mark.parametrize("gone", ["line", "agreement"])
def test_a_line_that_is_gone_is_rejected(month: Office, plan: Plan, gone: str) -> None:
    if gone == "line":
        del month.psa.lines[LineId("L2")]
    else:
        del month.psa.agreements[AgreementId("A2")]
    assert outcomes(month.apply(plan).plan) == {"L2": REJECTED, "L4": APPLIED}


@pytest.mark.fault("T6")
def test_T6_a_lost_reply_is_settled_by_reading_back(month: Office, plan: Plan) -> None:
    month.psa.next_write(WriteFault.REPLY_LOST)
    assert set(outcomes(month.apply(plan).plan).values()) == {APPLIED}
    assert len(month.psa.writes) == 2


@pytest.mark.fault("T6")
def test_T6_a_write_nobody_can_look_at_is_unknown_and_the_next_apply_finds_it_done(month: Office, plan: Plan) -> None:
    month.psa.next_write(WriteFault.UNREADABLE)
    first = month.apply(plan)
    assert sorted(outcomes(first.plan).values()) == [APPLIED, UNKNOWN]
    assert first.plan.state is PlanState.APPROVED, "an unknown outcome is not the end of it"
    second = month.apply(plan)
    assert set(outcomes(second.plan).values()) == {APPLIED}
    assert second.plan.state is PlanState.APPLIED
    assert len(month.psa.writes) == 2
    assert month.psa.sent == 2, "what was written is not sent again"


def test_a_write_that_never_arrived_is_unknown_and_written_by_the_next_apply(month: Office, plan: Plan) -> None:
    month.psa.next_write(WriteFault.LOST)
    assert UNKNOWN in outcomes(month.apply(plan).plan).values()
    assert len(month.psa.writes) == 1
    assert set(outcomes(month.apply(plan).plan).values()) == {APPLIED}
    assert (month.quantity("L2"), month.quantity("L4")) == (15, 20)
    assert len(month.psa.writes) == 2


@pytest.mark.parametrize(
    "trouble",
    [
        VendorUnavailable("no answer", integration="connectwise"),
        PermissionMissing("may not read it", integration="connectwise"),
    ],
)
def test_a_line_that_cannot_be_looked_at_is_unknown_and_the_others_go_on(
    month: Office, plan: Plan, trouble: TrueupError
) -> None:
    month.psa.fail_next("set_quantity", trouble)
    applied = month.apply(plan)
    assert sorted(outcomes(applied.plan).values()) == [APPLIED, UNKNOWN]
    assert set(outcomes(month.apply(plan).plan).values()) == {APPLIED}


@pytest.mark.parametrize(
    "trouble",
    [
        RateLimited("wait", integration="connectwise", wait_seconds=20),
        CredentialRejected("no", integration="connectwise", status=401),
    ],
)
def test_a_psa_that_lets_nothing_through_stops_the_apply_and_keeps_what_is_done(
    month: Office, plan: Plan, trouble: TrueupError
) -> None:
    first = plan.ready[0]
    month.psa.fail_next("set_quantity", trouble)
    with pytest.raises(type(trouble)):
        month.apply(plan)
    assert month.state.plans.get(plan.id).results == ()
    assert month.psa.calls["set_quantity"] == 1, "the others were not tried"
    applied = month.apply(plan).plan
    assert set(outcomes(applied).values()) == {APPLIED}
    assert month.state.plan_index.intended(plan.id) >= {first.id}


def longer_plan(month: Office, clients: int = 6) -> Plan:
    """Changes that nothing holds, one for each of so many clients more."""
    for number in range(10, 10 + clients):
        month.client(number, f"Client {number:03d}", 11, "10")
    month.sync()
    for number in range(10, 10 + clients):
        month.map_account(f"V{number}", f"P{number}")
    return month.approve(month.run().plan)


def test_a_psa_that_is_away_ends_the_apply_and_it_goes_on_when_asked_again(month: Office) -> None:
    plan = longer_plan(month)
    assert len(plan.ready) == 8
    away = VendorUnavailable("no answer", integration="connectwise")
    month.psa.fail_always("set_quantity", away)
    with pytest.raises(VendorUnavailable):
        month.apply(plan)
    assert month.psa.calls["set_quantity"] == AWAY_AFTER_CHANGES
    stored = month.state.plans.get(plan.id)
    assert [result.outcome for result in stored.results] == [UNKNOWN] * (AWAY_AFTER_CHANGES - 1)
    month.psa.mend()
    assert set(outcomes(month.apply(plan).plan).values()) == {APPLIED}
    assert len(month.psa.writes) == 8


def test_troubles_with_answers_between_them_do_not_end_the_apply(month: Office) -> None:
    plan = longer_plan(month)
    real, calls = month.psa.set_quantity, iter(range(100))
    away = VendorUnavailable("no answer", integration="connectwise")

    def set_quantity(*arguments: object, **named: object) -> WriteResult:
        if next(calls) % 3 != 2:
            raise away
        return real(*arguments, **named)  # type: ignore[arg-type]

    month.psa.set_quantity = set_quantity  # type: ignore[method-assign]
    applied = month.apply(plan).plan
    assert sorted(outcomes(applied).values()) == [APPLIED] * 2 + [UNKNOWN] * 6


# Interruptions.


@pytest.mark.parametrize("call", ["plans.intend", "plans.record", "leases.acquire"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.fault("A1")
def test_A1_killed_around_any_step_a_second_apply_ends_it_without_a_second_effect(
    month: Office, plan: Plan, call: str, when: str, skip: int
) -> None:
    month.state.switches.fail(call, when=when, skip=skip)  # type: ignore[arg-type]
    with pytest.raises(StateUnavailable):
        month.apply(plan, owner="first")
    month.clock.advance(LEASE_SECONDS + 1)
    applied = month.apply(plan, owner="second")
    assert set(outcomes(applied.plan).values()) == {APPLIED}
    assert (month.quantity("L2"), month.quantity("L4")) == (15, 20)
    assert len(month.psa.writes) == 2
    results = [item for item in changes_of_history(month) if item[0] != "change begun"]
    assert sorted(results) == [("change applied", "L2", "12", "15"), ("change applied", "L4", "18", "20")]


@pytest.mark.fault("A2")
def test_A2_a_result_and_its_audit_row_are_stored_together_or_not_at_all(month: Office, plan: Plan) -> None:
    month.state.switches.fail("plans.record")
    with pytest.raises(StateUnavailable):
        month.apply(plan)
    assert month.state.plans.get(plan.id).results == ()
    assert [item[0] for item in changes_of_history(month)] == ["change begun"]


@pytest.mark.fault("A7")
def test_A7_out_of_time_the_rest_waits_for_the_next_call(month: Office, plan: Plan) -> None:
    first = month.apply(plan, stop_at_seconds=0.0)
    assert not first.is_done
    assert first.plan.results == ()
    second = month.apply(plan)
    assert second.is_done
    assert set(outcomes(second.plan).values()) == {APPLIED}


# Two at once.


def test_two_at_once_are_refused_by_the_lease_and_the_holder_is_named(month: Office, plan: Plan) -> None:
    month.state.leases.acquire(APPLY_LEASE, owner="first", seconds=LEASE_SECONDS)
    with pytest.raises(LeaseHeld) as caught:
        month.apply(plan, owner="second")
    assert caught.value.holder == "first"
    assert month.psa.calls["set_quantity"] == 0


@pytest.mark.fault("A3")
def test_A3_the_lease_of_a_killed_apply_runs_out(month: Office, plan: Plan) -> None:
    month.state.leases.acquire(APPLY_LEASE, owner="killed", seconds=LEASE_SECONDS)
    month.clock.advance(LEASE_SECONDS - 1)
    with pytest.raises(LeaseHeld):
        month.apply(plan, owner="second")
    month.clock.advance(1)
    assert month.apply(plan, owner="second").is_done


def test_the_lease_is_given_back_at_the_end_and_after_trouble(month: Office, plan: Plan) -> None:
    month.psa.fail_next("set_quantity", CredentialRejected("no", integration="connectwise"))
    with pytest.raises(CredentialRejected):
        month.apply(plan, owner="first")
    assert month.apply(plan, owner="second").is_done
    month.state.leases.acquire(APPLY_LEASE, owner="third", seconds=1)


@pytest.mark.fault("A5")
def test_A5_an_apply_that_lost_its_lease_on_the_way_stops_before_the_next_write(month: Office, plan: Plan) -> None:
    def take_over(*_: object) -> None:
        month.clock.advance(LEASE_SECONDS + 1)
        month.state.leases.acquire(APPLY_LEASE, owner="second", seconds=LEASE_SECONDS)

    with pytest.raises(LeaseHeld):
        apply_plan(
            plan.id,
            checksum=plan.checksum,
            actor=APPROVER,
            owner="first",
            period_now=PERIOD,
            psa=month.psa,
            psa_system=month.state.integrations.get(IntegrationName.CONNECTWISE).system,
            capabilities=PSA_CAPABILITIES[IntegrationName.CONNECTWISE],
            open_line_creation=lambda: month.psa,
            accounts=month.state.accounts,
            services=month.state.services,
            snapshots=month.state.snapshots,
            plans=month.state.plans,
            plan_index=month.state.plan_index,
            leases=month.state.leases,
            clock=month.clock,
            on_result=take_over,
        )
    assert len(month.psa.writes) == 1
    assert month.apply(plan, owner="second").is_done
    assert len(month.psa.writes) == 2


def test_an_apply_that_waited_for_another_starts_from_what_that_one_did(month: Office, plan: Plan) -> None:
    real = month.state.leases.acquire
    waited: list[object] = []

    def acquire(name: str, *, owner: str, seconds: int) -> int:
        if not waited:
            waited.append(owner)
            month.apply(plan, owner="faster")
        return real(name, owner=owner, seconds=seconds)

    month.state.leases.acquire = acquire  # type: ignore[method-assign]
    applied = month.apply(plan, owner="slower")
    assert applied.is_done
    assert month.psa.calls["set_quantity"] == 2
    assert set(outcomes(applied.plan).values()) == {APPLIED}


def test_a_plan_superseded_between_two_changes_stops(month: Office, plan: Plan) -> None:
    real = month.state.plans.record
    seen: list[object] = []

    def record(*arguments: object) -> Plan:
        stored = real(*arguments)  # type: ignore[arg-type]
        if not seen:
            seen.append(stored)
            month.vendor.sets("V1", 40)
            month.run()
        return stored

    month.state.plans.record = record  # type: ignore[method-assign, assignment]
    with pytest.raises(TrueupError):
        month.apply(plan)
    assert len(month.psa.writes) == 1
    assert month.state.plans.get(plan.id).state is PlanState.SUPERSEDED


def test_a_plan_superseded_while_a_change_is_written_keeps_that_result_and_writes_no_other(
    month: Office, plan: Plan
) -> None:
    real = month.psa.set_quantity

    def set_quantity(*arguments: object, **named: object) -> WriteResult:
        written = real(*arguments, **named)  # type: ignore[arg-type]
        month.psa.set_quantity = real  # type: ignore[method-assign]
        month.vendor.sets("V1", 40)
        month.run()
        return written

    month.psa.set_quantity = set_quantity  # type: ignore[method-assign]
    with pytest.raises(PlanNotReady, match="replaced by a newer one"):
        month.apply(plan)
    assert len(month.psa.writes) == 1
    stored = month.state.plans.get(plan.id)
    assert stored.state is PlanState.SUPERSEDED
    assert list(outcomes(stored).values()) == [APPLIED]


# The turn of a month.


def test_last_months_plan_may_be_applied_until_this_month_has_one(month: Office, plan: Plan) -> None:
    assert month.apply(plan, period_now="2026-10").is_done
    assert len(month.psa.writes) == 2


def test_last_months_plan_is_not_written_once_this_month_has_one(month: Office, plan: Plan) -> None:
    newer = replace(plan, id="plan-2026-10-newer", period="2026-10", state=PlanState.PROPOSED, version=0)
    month.state.plans.propose(newer, Audit(at=month.clock.now(), actor=APPROVER, action="plan proposed", subject="x"))
    with pytest.raises(PlanNotReady, match="plan-2026-10-newer"):
        month.apply(plan, period_now="2026-10")
    assert month.psa.calls["set_quantity"] == 0
    assert month.apply(plan).is_done, "the month itself is not over before its end"


def test_plans_of_two_months_are_not_applied_at_the_same_time(month: Office, plan: Plan) -> None:
    newer = replace(plan, id="plan-2026-10-newer", period="2026-10", state=PlanState.PROPOSED, version=0)
    audit = Audit(at=month.clock.now(), actor=APPROVER, action="plan proposed", subject="x")
    approved = month.approve(month.state.plans.propose(newer, audit))
    refused = []

    def apply_the_other(*_: object) -> None:
        with pytest.raises(LeaseHeld) as caught:
            month.apply(approved, owner="second", period_now="2026-10")
        refused.append(caught.value.holder)

    apply_plan(
        plan.id,
        checksum=plan.checksum,
        actor=APPROVER,
        owner="first",
        period_now=PERIOD,
        psa=month.psa,
        psa_system=month.state.integrations.get(IntegrationName.CONNECTWISE).system,
        capabilities=PSA_CAPABILITIES[IntegrationName.CONNECTWISE],
        open_line_creation=lambda: month.psa,
        accounts=month.state.accounts,
        services=month.state.services,
        snapshots=month.state.snapshots,
        plans=month.state.plans,
        plan_index=month.state.plan_index,
        leases=month.state.leases,
        clock=month.clock,
        on_result=apply_the_other,
    )
    assert refused == ["first", "first"]


# What an interrupted apply of a PSA that writes differences may still have under way.


DIFFERENCES = PSA_CAPABILITIES[IntegrationName.AUTOTASK]


class Killed(BaseException):
    """The process is gone."""


def interrupted(month: Office, plan: Plan) -> None:
    """The plan's first change was begun by a process that is gone."""
    month.state.switches.fail("plans.record", Killed())
    with pytest.raises(Killed):
        month.apply(plan)


def test_what_an_interrupted_apply_of_differences_began_is_waited_for_once(month: Office, plan: Plan) -> None:
    interrupted(month, plan)
    told: list[float] = []
    applied = month.apply(plan, capabilities=DIFFERENCES, on_wait=told.append)
    assert applied.is_done
    assert month.clock.sleeps == told == [SETTLING_SECONDS]
    month.clock.sleeps.clear()
    assert month.apply(plan, capabilities=DIFFERENCES).is_done
    assert month.clock.sleeps == []


def test_the_wait_is_longer_than_the_adapter_itself_watches_an_adjustment() -> None:
    assert sum(LOOKS_AFTER_SECONDS) < SETTLING_SECONDS < LEASE_SECONDS


def test_where_a_change_names_the_whole_quantity_nothing_is_waited_for(month: Office, plan: Plan) -> None:
    interrupted(month, plan)
    assert month.apply(plan).is_done
    assert month.clock.sleeps == []


def test_where_the_time_is_too_short_for_the_wait_the_rest_is_for_the_next_call(month: Office, plan: Plan) -> None:
    interrupted(month, plan)
    short = month.clock.monotonic_seconds() + SETTLING_SECONDS
    sent = len(month.psa.writes)
    applied = month.apply(plan, capabilities=DIFFERENCES, stop_at_seconds=short)
    assert (applied.is_done, month.clock.sleeps, len(month.psa.writes)) == (False, [], sent)
    longer = month.clock.monotonic_seconds() + SETTLING_SECONDS + 1
    assert month.apply(plan, capabilities=DIFFERENCES, stop_at_seconds=longer, owner="next").is_done
    assert month.clock.sleeps == [SETTLING_SECONDS]


def test_the_lease_is_held_again_after_the_wait(month: Office, plan: Plan) -> None:
    """The wait and the adapter's own looks together are longer than the lease."""
    interrupted(month, plan)
    month.state.switches.calls.clear()
    month.apply(plan, capabilities=DIFFERENCES)
    assert month.state.switches.calls[:4] == ["leases.acquire", "leases.acquire", "leases.acquire", "plans.intend"]


# Another PSA.


def test_a_plan_for_one_psa_is_never_written_into_another(month: Office, plan: Plan) -> None:
    """A sandbox is often a copy: the lines there have the ids, quantities and versions of the real ones."""
    month.connect(IntegrationName.CONNECTWISE, company_id="acmemsp_sandbox", switch=True)
    with pytest.raises(PlanNotReady, match="acmemsp_sandbox is connected now"):
        month.apply(plan)
    assert month.psa.calls["set_quantity"] == 0
    again = month.run().plan
    assert again.id != plan.id
    assert [change.content() for change in again.changes] == [change.content() for change in plan.changes]
    assert again.state is PlanState.PROPOSED, "the approval was for the other one"
    assert month.apply(month.approve(again)).is_done


def test_a_new_key_for_the_same_psa_changes_nothing_for_the_plan(month: Office, plan: Plan) -> None:
    month.connect(IntegrationName.CONNECTWISE, public_key="anotherPublicKey2")
    assert month.apply(plan).is_done
