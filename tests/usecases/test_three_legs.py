"""A month of three legs: what is licensed is read with the rest, and what is billed follows the tenant's choice."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.simulation.auditor import Evidence, audit, writes_of
from tests.usecases.office import PERIOD, PERSON, Office, open_office
from trueup.domain.audit import Audit
from trueup.domain.billing import PsaAccountId, WriteOutcome
from trueup.domain.counts import BillingBasis, Failed, Known
from trueup.domain.errors import VendorUnavailable
from trueup.domain.integrations import Side
from trueup.domain.order_parts import Signature
from trueup.domain.verdicts import Row, Verdict
from trueup.usecases.client_counts import ClientCounts, client_counts
from trueup.usecases.month import read_and_match, reconcile_run
from trueup.usecases.reconciliation import Outcome, ReconciliationPolicy

AGREED_LICENSED_BILLED = {
    "Harbor Dental Group": (10, 10, "10"),
    "Larkspur Legal": (10, 12, "10"),
    "Mossgate Freight": (10, 8, "10"),
    "Northgate Museum": (15, 17, "12"),
}


@pytest.fixture
def office() -> Office:
    """Four clients whose tenants have the same names, and licenses connected."""
    office = open_office()
    for number, (name, (agreed, licensed, billed)) in enumerate(AGREED_LICENSED_BILLED.items(), start=1):
        office.client(number, name, agreed, billed)
        office.licenses.add_tenant(f"t-{number}", name, licensed)
    office.set_up()
    office.connect_licenses()
    return office


def chosen(office: Office, basis: BillingBasis, *, bills_on_order: bool = False) -> ReconciliationPolicy:
    return replace(office.policy, billing_basis=basis, bills_on_order=bills_on_order)


def run(office: Office, policy: ReconciliationPolicy | None = None) -> Outcome:
    office.clock.advance(60)
    begun = office.begin()
    read_and_match(begun, office.systems, actor=PERSON)
    fresh = office.state.runs.get(begun.id)
    return reconcile_run(fresh, office.systems, actor=PERSON, policy=policy or office.policy)


def rows(outcome: Outcome) -> dict[str, Row]:
    return {str(row.psa_account_id): row for row in outcome.reconciliation.rows}


def verdicts(outcome: Outcome) -> list[str]:
    return [row.verdict.value for _, row in sorted(rows(outcome).items())]


def changes(outcome: Outcome) -> dict[str, tuple[Decimal, int]]:
    return {str(change.line_id): (change.expected, change.target) for change in outcome.plan.changes}


def require_sound(office: Office, policy: ReconciliationPolicy) -> None:
    report = audit(Evidence(office.state, writes=writes_of(office.psa), policy=policy))
    report.require_sound()
    assert {"I1", "I4", "I8", "I10"} <= report.checked


def asked(office: Office, client: str, policy: ReconciliationPolicy) -> ClientCounts:
    state = office.state
    return client_counts(
        PsaAccountId(client),
        policy=policy,
        integrations=state.integrations,
        snapshots=state.snapshots,
        accounts=state.accounts,
        services=state.services,
        allocations=state.allocations,
        license_accounts=state.license_accounts,
        counting_policies=state.counting_policies,
        change_orders=state.change_orders,
        clock=office.clock,
    )


def send_order(office: Office, vendor_id: str) -> str:
    """A person approved what the run had drafted for that account, and typed it into the portal."""
    now = office.clock.now()
    order = next(one for one in office.state.change_orders.open() if one.vendor_id == vendor_id)
    sent = order.approved_by(order.checksum, Signature("bob", now)).submitted_in_portal(
        Signature("bob", now), order_number="SO-1", agreement_acknowledged=True, downsell=None
    )
    office.state.change_orders.save(sent, Audit(now, "bob", "change order submitted", order.id))
    return order.id


@pytest.mark.parametrize(
    ("basis", "expected", "planned"),
    [
        (BillingBasis.AGREEMENT, ["in_line", "order_more", "order_less", "order_and_bill"], {"L4": 15}),
        (BillingBasis.LICENSED, ["in_line", "order_and_bill", "order_and_bill", "order_and_bill"],
         {"L2": 12, "L3": 8, "L4": 17}),
        (BillingBasis.LARGER, ["in_line", "order_and_bill", "order_less", "order_and_bill"], {"L2": 12, "L4": 17}),
    ],
)  # fmt: skip
def test_the_basis_decides_what_is_billed_and_never_what_is_ordered(
    office: Office, basis: BillingBasis, expected: list[str], planned: dict[str, int]
) -> None:
    policy = chosen(office, basis)
    outcome = run(office, policy)
    assert verdicts(outcome) == expected
    assert {line: target for line, (_, target) in changes(outcome).items()} == planned
    orders = {client: (row.order.agreement, row.order.target) for client, row in rows(outcome).items() if row.order}
    assert orders == {"P2": (10, 12), "P3": (10, 8), "P4": (15, 17)}
    totals = outcome.reconciliation.totals
    assert (totals.agreement_seats, totals.licensed_seats, totals.billed_seats) == (45, 47, 42)
    assert (totals.order_more_seats, totals.order_less_seats) == (4, 2)
    require_sound(office, policy)


def test_the_plan_names_all_three_reads_and_keeps_the_checksum_of_two(office: Office) -> None:
    three = run(office)
    latest = [office.state.snapshots.latest(side) for side in Side]
    assert three.plan.snapshots == tuple(read.digest for read in latest if read is not None)
    assert len(three.plan.snapshots) == 3
    inputs = office.state.comparison_records.inputs(PERIOD)
    assert inputs is not None
    assert {read.side for read in inputs.reads} == set(Side)
    two = open_office()
    for number, (name, (agreed, _, billed)) in enumerate(AGREED_LICENSED_BILLED.items(), start=1):
        two.client(number, name, agreed, billed)
    two.set_up()
    assert run(two).plan.checksum == three.plan.checksum


def test_licenses_that_were_not_read_do_not_hinder_who_bills_the_agreement(office: Office) -> None:
    run(office)
    office.licenses.fail_always("read_page", VendorUnavailable("no answer", integration="microsoft365"))
    outcome = run(office)
    assert verdicts(outcome) == ["in_line", "in_line", "in_line", "bill_more"]
    assert all(isinstance(row.counts.licensed, Failed) for row in outcome.reconciliation.rows)
    assert "licensed: Microsoft 365 was not read" in rows(outcome)["P4"].reasons[-1]


@pytest.mark.parametrize("basis", [BillingBasis.LICENSED, BillingBasis.LARGER])
def test_a_tenant_that_cannot_be_read_leaves_its_line_alone(office: Office, basis: BillingBasis) -> None:
    office.licenses.fails("t-4", "consent was withdrawn")
    outcome = run(office, chosen(office, basis))
    row = rows(outcome)["P4"]
    assert (row.verdict, row.bill_target, row.order) == (Verdict.MISSING_DATA, None, None)
    assert "consent was withdrawn" in row.reasons[0]
    assert "L4" not in changes(outcome)


@pytest.mark.parametrize("bills_on_order", [True, False])
def test_an_order_is_not_asked_for_twice_and_billed_when_the_tenant_says(office: Office, bills_on_order: bool) -> None:
    policy = chosen(office, BillingBasis.AGREEMENT, bills_on_order=bills_on_order)
    run(office, policy)
    order_id = send_order(office, "V2")
    outcome = run(office, policy)
    row = rows(outcome)["P2"]
    assert row.order is None
    assert row.verdict is (Verdict.BILL_MORE if bills_on_order else Verdict.IN_LINE)
    assert ("L2" in changes(outcome)) == bills_on_order
    assert any(order_id in reason for reason in row.reasons)
    assert row.counts.agreement == rows(outcome)["P2"].members[0].count, "the vendor's own figure stays as it was read"
    require_sound(office, policy)


def test_a_change_that_follows_the_licensed_count_is_written_and_settled(office: Office) -> None:
    policy = chosen(office, BillingBasis.LARGER)
    outcome = run(office, policy)
    approved = office.approve(outcome.plan)
    applied = office.apply(approved)
    assert {result.outcome for result in applied.plan.results} == {WriteOutcome.APPLIED}
    assert str(office.psa.lines[next(line for line in office.psa.lines if line == "L4")].quantity) == "17"
    again = run(office, policy)
    assert changes(again) == {}
    assert verdicts(again) == ["in_line", "order_more", "order_less", "order_more"]
    require_sound(office, policy)


@pytest.mark.parametrize("basis", list(BillingBasis))
def test_one_client_has_the_rows_of_the_run(office: Office, basis: BillingBasis) -> None:
    policy = chosen(office, basis)
    outcome = run(office, policy)
    for client, row in rows(outcome).items():
        counts = asked(office, client, policy)
        assert counts.found.rows == (row,)
        assert counts.licenses_read_at is not None
        assert isinstance(row.counts.licensed, Known)
