"""The auditor finds nothing wrong with a sound month, and every one of its checks can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest

from tests.fakes.state_plans import FakePlans
from tests.simulation.auditor import Evidence, PsaWrite, Report, audit, writes_of
from tests.usecases.office import SECRET, Office, small_month
from trueup.domain.audit import Audit, chained
from trueup.domain.billing import PsaAccountId
from trueup.domain.counts import Seats
from trueup.domain.integrations import Side
from trueup.domain.mapping import MappingState

EVERYTHING = {"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10"}


@pytest.fixture
def office() -> Office:
    """A month that was run, released, approved, applied and run again."""
    office = small_month()
    plan = office.run().plan
    office.apply(office.approve(office.release(plan, plan.held[0].id)))
    office.vendor.add_account("V5", "Nobody Knows", 7)
    office.run()
    return office


def memory_of(office: Office) -> Any:
    return cast(FakePlans, office.state.plans)._memory


def look(office: Office, **more: Any) -> Report:
    evidence = Evidence(
        office.state,
        writes=writes_of(office.psa),
        policy=office.policy,
        texts=["what was printed"],
        secrets=[SECRET],
        foreign=["tenant-b-canary"],
        is_settled=True,
    )
    return audit(replace(evidence, **more))


def test_a_sound_month_has_no_violation_and_every_invariant_is_looked_at(office: Office) -> None:
    report = look(office)
    report.require_sound()
    assert report.checked == EVERYTHING


def test_a_month_that_was_only_read_is_sound_too() -> None:
    office = small_month()
    report = look(office)
    report.require_sound()
    assert {"I4", "I7", "I8", "I9"} <= report.checked
    office.run()
    look(office).require_sound()


def test_violations_are_raised_with_their_words(office: Office) -> None:
    with pytest.raises(AssertionError, match="I6: word 0"):
        look(office, texts=[f"Authorization: {SECRET}"]).require_sound()


# Each of these spoils one thing; the auditor must name that invariant.


def no_plan(office: Office) -> dict[str, Any]:
    return {"writes": [*writes_of(office.psa), PsaWrite("L1", Decimal(12), Decimal(99), Decimal(99))]}


def written_while_held(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    for key, plan in memory.plans.items():
        memory.plans[key] = replace(plan, changes=tuple(replace(change, release=None) for change in plan.changes))
    return {}


def not_from_this_period(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    for key, plan in memory.plans.items():
        memory.plans[key] = replace(plan, snapshots=("0" * 64, "1" * 64))
    return {}


def never_approved(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    memory.events = [event for event in memory.events if event.audit.action != "plan approved"]
    return {}


def target_from_nowhere(office: Office) -> dict[str, Any]:
    office.vendor.sets("V1", 14)
    plan = office.run().plan
    changes = tuple(replace(change, target=Seats(change.target + 1)) for change in plan.changes)
    memory_of(office).plans[plan.id] = replace(plan, changes=changes)
    return {"is_settled": False}


def written_twice(office: Office) -> dict[str, Any]:
    writes = writes_of(office.psa)
    return {"writes": [*writes, writes[0]]}


def plan_of_another_tenant(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    key = next(iter(memory.plans))
    memory.plans[key] = replace(memory.plans[key], tenant="other")
    return {}


def name_of_another_tenant(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    memory.accounts["V1"] = replace(memory.accounts["V1"], status_text="tenant-b-canary")
    return {}


def account_lost(office: Office) -> dict[str, Any]:
    del memory_of(office).accounts["V5"]
    return {}


def account_gone_and_not_marked(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    memory.accounts["V99"] = replace(memory.accounts["V5"], vendor_id="V99")
    return {}


def excluded_with_a_client(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    memory.accounts["V5"] = replace(memory.accounts["V5"], psa_id=PsaAccountId("P1"))
    return {}


def member_in_two_rows(office: Office) -> dict[str, Any]:
    def spoil(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*rows, replace(rows[0], id="again"))

    return spoil_rows(office, spoil)


def seats_lost(office: Office) -> dict[str, Any]:
    return spoil_rows(office, lambda rows: rows[1:])


def spoil_rows(office: Office, spoil: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> dict[str, Any]:
    memory = memory_of(office)
    (period,) = memory.comparisons
    comparison = memory.comparisons[period]
    memory.comparisons[period] = replace(comparison, rows=spoil(comparison.rows))
    return {"policy": None}


def proposed_again(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    applied = next(plan for plan in memory.plans.values() if plan.results)
    open_plan = next(plan for plan in memory.plans.values() if not plan.changes)
    memory.plans[open_plan.id] = replace(open_plan, changes=applied.changes, run_id="earlier")
    return {"writes": None}


def secret_in_the_history(office: Office) -> dict[str, Any]:
    last = memory_of(office).events[-1]
    audit_row = Audit(office.clock.now(), "dana", "said", "something", why=SECRET)
    memory_of(office).events.append(chained(audit_row, number=last.number + 1, previous_hash=last.hash))
    return {}


def secret_printed(_office: Office) -> dict[str, Any]:
    return {"texts": ["all is well", f"connecting with {SECRET}"]}


def history_rewritten(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    memory.events[3] = replace(memory.events[3], audit=replace(memory.events[3].audit, actor="somebody else"))
    return {}


def result_without_a_row(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    rows = [event for event in memory.events if event.audit.action != "change applied"]
    memory.events = rechained(rows)
    return {}


def row_without_evidence(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    memory.events = rechained(
        [
            replace(event, audit=replace(event.audit, evidence="")) if event.audit.action == "change applied" else event
            for event in memory.events
        ]
    )
    return {}


def write_nobody_announced(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    memory.events = rechained([event for event in memory.events if event.audit.action != "change begun"])
    return {}


def rechained(events: list[Any]) -> list[Any]:
    previous, again = "0" * 64, []
    for number, event in enumerate(events, start=1):
        again.append(chained(event.audit, number=number, previous_hash=previous))
        previous = again[-1].hash
    return again


def spoil_header(office: Office, **changes: Any) -> dict[str, Any]:
    memory = memory_of(office)
    memory.latest[Side.VENDOR] = replace(memory.latest[Side.VENDOR], **changes)
    return {"policy": None}


def partial_snapshot(office: Office) -> dict[str, Any]:
    page = office.vendor.read_page(None)
    address = office.state.snapshots.add_page(Side.VENDOR, replace(page, next_cursor="fake:100"))
    return spoil_header(office, pages=(address,))


def snapshot_with_a_wrong_total(office: Office) -> dict[str, Any]:
    page = office.vendor.read_page(None)
    address = office.state.snapshots.add_page(Side.VENDOR, replace(page, accounts_total=50))
    return spoil_header(office, pages=(address,))


def snapshot_that_says_more_than_it_holds(office: Office) -> dict[str, Any]:
    return spoil_header(office, accounts=50)


def snapshot_nobody_recorded(office: Office) -> dict[str, Any]:
    return spoil_header(office, id="vendor-2026-09-777-00000000")


def written_in_a_dry_run(_office: Office) -> dict[str, Any]:
    dry = small_month()
    dry.run()
    return {"state": dry.state, "writes": [PsaWrite("L2", Decimal(12), Decimal(15), Decimal(15))]}


def another_comparison(office: Office) -> dict[str, Any]:
    memory = memory_of(office)
    (period,) = memory.comparisons
    comparison = memory.comparisons[period]
    rows = (replace(comparison.rows[0], reasons=("made up",)), *comparison.rows[1:])
    memory.comparisons[period] = replace(comparison, rows=rows)
    return {}


SPOILED: tuple[tuple[str, Callable[[Office], dict[str, Any]]], ...] = (
    ("I1", no_plan),
    ("I1", written_while_held),
    ("I1", not_from_this_period),
    ("I1", never_approved),
    ("I1", target_from_nowhere),
    ("I2", written_twice),
    ("I3", plan_of_another_tenant),
    ("I3", name_of_another_tenant),
    ("I4", account_lost),
    ("I4", account_gone_and_not_marked),
    ("I4", excluded_with_a_client),
    ("I4", member_in_two_rows),
    ("I4", seats_lost),
    ("I5", proposed_again),
    ("I6", secret_in_the_history),
    ("I6", secret_printed),
    ("I7", history_rewritten),
    ("I7", result_without_a_row),
    ("I7", row_without_evidence),
    ("I7", write_nobody_announced),
    ("I8", partial_snapshot),
    ("I8", snapshot_with_a_wrong_total),
    ("I8", snapshot_that_says_more_than_it_holds),
    ("I8", snapshot_nobody_recorded),
    ("I9", written_in_a_dry_run),
    ("I10", another_comparison),
)


@pytest.mark.parametrize(("invariant", "spoil"), SPOILED, ids=lambda value: getattr(value, "__name__", value))
def test_every_check_can_fail(office: Office, invariant: str, spoil: Callable[[Office], dict[str, Any]]) -> None:
    report = look(office, **spoil(office))
    broken = {violation.partition(":")[0] for violation in report.violations}
    assert invariant in broken, report.violations


def test_every_invariant_has_a_case_that_breaks_it() -> None:
    assert {invariant for invariant, _ in SPOILED} == EVERYTHING


def test_a_person_who_maps_after_the_run_makes_the_rows_uncheckable_and_not_wrong(office: Office) -> None:
    office.psa_client(9, "Somebody")
    office.sync()
    office.map_account("V5", "P9")
    report = look(office)
    report.require_sound()
    assert "I10" not in report.checked
    assert office.account("V5").state is MappingState.MAPPED
