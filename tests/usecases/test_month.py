"""The read side of a month in one process: both sides at once, resumed where it stopped, failed out loud."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from tests.usecases.office import PERSON, Office, open_office
from trueup.domain.errors import ReadIncomplete, StateUnavailable, VendorUnavailable
from trueup.domain.integrations import Side
from trueup.domain.plan import PlanState
from trueup.domain.runs import RunState, SideProgress, Step
from trueup.usecases.month import read_and_match, reconcile_run

AWAY = VendorUnavailable("no answer", integration="mimecast", status=503, remedy="Wait for it.")


def test_a_run_records_both_sides_its_plan_and_that_it_waits(month: Office) -> None:
    plan = month.run().plan
    run = month.state.runs.get(plan.run_id)
    assert [(side.side, side.accounts, side.done) for side in run.sides] == [
        (Side.VENDOR, 4, True),
        (Side.PSA, 4, True),
    ]
    assert (run.state, run.step) == (RunState.WAITING_FOR_APPROVAL, Step.APPROVE)
    assert (run.plan_id, run.plan_checksum, run.ended_at) == (plan.id, plan.checksum, None)


def test_a_month_in_line_is_done_at_once(month: Office) -> None:
    for line_id, quantity in (("L2", 15), ("L3", 8), ("L4", 20)):
        month.psa.person_edits(line_id, quantity=Decimal(quantity))
    plan = month.run().plan
    run = month.state.runs.get(plan.run_id)
    assert plan.changes == ()
    assert run.state is RunState.DONE
    assert run.ended_at == month.clock.now()


def test_both_sides_are_read_at_the_same_time(month: Office) -> None:
    both = threading.Barrier(2, timeout=10)
    real = month.psa.read_page
    waited: list[int] = []

    def vendor_page(_start: int) -> None:
        both.wait()

    def read_page(cursor: str | None) -> object:
        if not waited:
            waited.append(both.wait())
        return real(cursor)

    month.vendor.on_page = vendor_page
    month.psa.read_page = read_page  # type: ignore[method-assign, assignment]
    month.sync()
    assert waited, "the vendor's page waited for the PSA's and the other way round"


def test_progress_is_told_to_the_caller_and_kept_on_the_run() -> None:
    office = open_office(page_size=2)
    for number in range(6):
        office.client(number, f"Client {number}", 5, "5")
    office.connect_both()
    seen: list[SideProgress] = []
    run = office.begin()
    read_and_match(run, office.systems, actor=PERSON, on_progress=seen.append)
    vendor = [progress.accounts for progress in seen if progress.side is Side.VENDOR]
    assert vendor == [2, 4, 6, 6]
    assert all(side.done and side.accounts == 6 for side in office.state.runs.get(run.id).sides)


def test_the_run_record_is_not_written_for_every_page() -> None:
    office = open_office(page_size=1)
    for number in range(40):
        office.client(number, f"Client {number}", 5, "5")
    office.connect_both()
    office.sync()
    writes = office.state.switches.calls.count("runs.save")
    assert writes < 10, "time stands still here, so only the first page and the end of each side are due"


@pytest.mark.parametrize("side", ["vendor", "psa"])
def test_a_side_that_fails_fails_the_run_with_what_to_do(month: Office, side: str) -> None:
    (month.vendor if side == "vendor" else month.psa).fail_always("read_page", AWAY)
    with pytest.raises(VendorUnavailable):
        month.run()
    run = month.state.runs.latest()[0]
    assert (run.state, run.problem_code, run.remedy) == (RunState.FAILED, "vendor_unavailable", "Wait for it.")
    assert month.actions()[-1] == "run failed"


def test_after_a_failed_run_the_next_one_reads_again_and_converges(month: Office) -> None:
    month.vendor.fail_next("read_page", AWAY)
    with pytest.raises(VendorUnavailable):
        month.run()
    plan = month.run().plan
    assert plan.run_id == "2026-09-003"
    assert len(plan.changes) == 3


def test_an_interrupted_run_goes_on_and_reads_no_finished_side_again(month: Office) -> None:
    run = month.begin()
    month.read_vendor(run.id)
    pages = month.vendor.calls["read_page"]
    read_and_match(month.begin(), month.systems, actor=PERSON)
    assert month.vendor.calls["read_page"] == pages
    assert month.state.runs.latest()[0].id == run.id


def test_a_drop_is_refused_and_accepted_by_a_person(month: Office) -> None:
    for account_id in ("V2", "V3", "V4"):
        month.vendor.removes(account_id)
    with pytest.raises(ReadIncomplete, match="listed 1 accounts, last time it was 4"):
        month.run()
    assert month.state.runs.latest()[0].state is RunState.FAILED
    side = month.sync(accept_drop=True)
    assert side.snapshots[0].accounts == 1
    assert month.account("V2").absent_runs == 1


@pytest.mark.parametrize("call", ["runs.save", "accounts.save", "services.save", "plans.propose"])
def test_a_store_that_is_away_for_a_moment_fails_the_run_and_the_next_one_is_whole(month: Office, call: str) -> None:
    month.vendor.add_account("V5", "New Client", 3)
    month.vendor.sets("V5", 3, "archive")
    month.state.switches.fail(call)
    with pytest.raises(StateUnavailable):
        month.run()
    plan = month.run().plan
    assert len(plan.changes) == 3
    assert plan.state is PlanState.PROPOSED
    assert month.account("V5").vendor_name == "New Client"


def test_a_plan_that_was_approved_but_not_applied_is_still_waited_for(month: Office) -> None:
    plan = month.approve(month.run().plan)
    again = month.run().plan
    assert again.id == plan.id
    assert again.state is PlanState.APPROVED
    assert month.state.runs.latest()[0].state is RunState.WAITING_FOR_APPROVAL


def test_reconciling_a_run_that_has_not_read_fails_it(month: Office) -> None:
    run = month.begin()
    with pytest.raises(ReadIncomplete):
        reconcile_run(run, month.systems, actor=PERSON, policy=month.policy)
    assert month.state.runs.get(run.id).state is RunState.FAILED
