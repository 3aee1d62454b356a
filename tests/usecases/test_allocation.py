"""A person divides the seats among several lines once; the runs after it propose what that comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tests.usecases.office import PERSON, TIME_ZONE, Office
from trueup.domain.billing import AgreementId, AgreementState, LineId
from trueup.domain.errors import InputInvalid, NotConnected, NotFound
from trueup.domain.integrations import IntegrationName
from trueup.domain.plan import Plan
from trueup.domain.verdicts import Row, Verdict
from trueup.usecases.allocation import Division, forget_division, list_divisions


@pytest.fixture
def two(month: Office) -> Office:
    """Client 1 has 12 seats on two lines: L1 bills 12 and L11 bills 3."""
    month.line(1, "3", line_id="L11")
    month.sync()
    return month


def row_of(office: Office) -> tuple[Row, Plan]:
    outcome = office.run()
    return next(row for row in outcome.reconciliation.rows if row.psa_account_id == "P1"), outcome.plan


def listed(office: Office) -> tuple[Division, ...]:
    state = office.state
    return list_divisions(
        time_zone=TIME_ZONE,
        integrations=state.integrations,
        snapshots=state.snapshots,
        allocations=state.allocations,
        clock=office.clock,
    )


def forget(office: Office, client: str = "P1", product: str = "560") -> None:
    state = office.state
    forget_division(
        client,
        product,
        actor=PERSON,
        time_zone=TIME_ZONE,
        integrations=state.integrations,
        snapshots=state.snapshots,
        allocations=state.allocations,
        clock=office.clock,
    )


def test_without_it_the_row_is_ambiguous_and_its_reason_is_the_command(two: Office) -> None:
    row, plan = row_of(two)
    assert row.verdict is Verdict.AMBIGUOUS
    assert "trueup lines divide P1 560 --fixed L1=SEATS --balance L11 --reason WHY" in row.reasons[0]
    assert all(change.psa_account_id != "P1" for change in plan.changes)


def test_with_it_the_runs_propose_the_shares_and_apply_writes_them(two: Office) -> None:
    divided = two.divide({"L11": 4}, "L1")
    assert (divided.fits, divided.product_code, divided.client_name) == (True, "MIME-EMAIL", "Harbor Dental Group")
    row, plan = row_of(two)
    assert (row.verdict, [(share.line.id, share.target) for share in row.shares]) == (
        Verdict.BILL_LESS,
        [("L1", 8), ("L11", 4)],
    )
    changes = {change.line_id: change for change in plan.changes if change.psa_account_id == "P1"}
    assert {line: (change.target, change.siblings) for line, change in changes.items()} == {
        "L1": (8, ("L11",)),
        "L11": (4, ("L1",)),
    }
    for change in plan.held:
        plan = two.release(plan, change.id)
    two.apply(two.approve(plan))
    assert (two.quantity("L1"), two.quantity("L11")) == (8, 4)
    row, plan = row_of(two)
    assert (row.verdict, plan.changes) == (Verdict.IN_LINE, ())
    two.vendor.sets("V1", 14)
    _, plan = row_of(two)
    assert [(change.line_id, change.target) for change in plan.changes] == [("L1", 10)]


def test_it_is_recorded_with_what_it_replaces(two: Office) -> None:
    two.divide({"L11": 4}, "L1")
    two.divide({"L1": 9}, "L11")
    events = [event.audit for event in two.state.history.all() if event.audit.action == "lines divided"]
    assert [(one.before, one.after, one.why, one.actor) for one in events] == [
        ("", "L11=4; the rest on L1", "two sites", PERSON),
        ("L11=4; the rest on L1", "L1=9; the rest on L11", "two sites", PERSON),
    ]
    (kept,) = two.state.allocations.all()
    assert (kept.version, kept.psa_system) == (2, two.state.integrations.get(IntegrationName.CONNECTWISE).system)


def test_the_product_may_be_called_by_its_product_id(two: Office) -> None:
    assert two.divide({"L11": 4}, "L1", product="MIME-EMAIL").allocation.product_id == "560"


@pytest.mark.parametrize(
    ("fixed", "balance", "field"),
    [
        ({"L11": 4}, "L404", "balance"),
        ({"L404": 4}, "L1", "fixed"),
        ({"L2": 4}, "L1", "fixed"),
        ({"L1": 4}, "L1", "fixed"),
        ({}, "L1", "fixed"),
        ({"L11": -1}, "L1", "fixed"),
    ],
)
def test_every_live_line_is_named_once_and_no_other(
    two: Office, fixed: Mapping[str, int], balance: str, field: str
) -> None:
    with pytest.raises(InputInvalid) as refused:
        two.divide(fixed, balance)
    assert refused.value.field == field
    assert two.state.allocations.all() == ()


def test_a_line_that_is_left_out_is_named(two: Office) -> None:
    two.line(1, "2", line_id="L12")
    two.sync()
    with pytest.raises(InputInvalid, match="line L12 is not named") as refused:
        two.divide({"L11": 4}, "L1")
    assert "L1 (12), L11 (3), L12 (2)" in refused.value.message
    two.psa.lines[LineId("L12")] = replace(two.psa.lines[LineId("L12")], effective_to=date(2025, 1, 1))
    two.sync()
    assert two.divide({"L11": 4}, "L1").fits


def test_lines_on_an_agreement_that_is_not_active_are_not_divided(two: Office) -> None:
    two.psa.agreements[AgreementId("A1")] = replace(
        two.psa.agreements[AgreementId("A1")], state=AgreementState.INACTIVE
    )
    two.sync()
    with pytest.raises(InputInvalid, match="nothing to divide"):
        two.divide({"L11": 4}, "L1")


@pytest.mark.parametrize(("client", "product"), [("P404", "560"), ("P1", "561"), ("P1", ""), ("", "560")])
def test_a_client_or_product_nobody_knows_is_refused(two: Office, client: str, product: str) -> None:
    with pytest.raises((InputInvalid, NotFound)):
        two.divide({"L11": 4}, "L1", client=client, product=product)


def test_one_line_needs_no_division(month: Office) -> None:
    with pytest.raises(InputInvalid, match="nothing to divide"):
        month.divide({"L9": 1}, "L2", client="P2")


def test_a_line_that_came_since_makes_it_ambiguous_again(two: Office) -> None:
    two.divide({"L11": 4}, "L1")
    two.line(1, "2", line_id="L12")
    row, _ = row_of(two)
    assert row.verdict is Verdict.AMBIGUOUS
    assert f"the division that {PERSON} gave is for other lines" in row.reasons[0]
    (shown,) = listed(two)
    assert (shown.fits, [line.id for line in shown.lines]) == (False, ["L1", "L11", "L12"])


def test_forgotten_it_is_ambiguous_again(two: Office) -> None:
    two.divide({"L11": 4}, "L1")
    forget(two, product="MIME-EMAIL")
    assert listed(two) == ()
    assert row_of(two)[0].verdict is Verdict.AMBIGUOUS
    assert "division forgotten" in two.actions()
    for client, product in (("P1", "560"), ("P2", "560"), ("P1", "561")):
        with pytest.raises(NotFound):
            forget(two, client, product)


def test_it_is_true_of_no_other_psa(two: Office) -> None:
    two.divide({"L11": 4}, "L1")
    two.connect(IntegrationName.CONNECTWISE, company_id="acmemsp_sandbox", switch=True)
    with pytest.raises(NotFound, match="never read in full"):
        two.divide({"L11": 4}, "L1")
    two.sync()
    (shown,) = listed(two)
    assert (shown.fits, shown.lines) == (False, ())


def test_nothing_connected_nothing_divided(office: Office) -> None:
    assert listed(office) == ()
    with pytest.raises(NotConnected):
        office.divide({"L11": 4}, "L1")


def test_an_edited_sibling_is_a_conflict_of_its_own(two: Office) -> None:
    two.divide({"L11": 4}, "L1")
    _, plan = row_of(two)
    for change in plan.held:
        plan = two.release(plan, change.id)
    approved = two.approve(plan)
    two.psa.person_edits("L11", quantity=Decimal(9))
    two.apply(approved)
    assert (two.quantity("L1"), two.quantity("L11")) == (8, 9)
