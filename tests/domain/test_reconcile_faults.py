"""The faults that a comparison meets, one by one: nothing the vendor or the PSA says becomes a wrong bill."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.domain.building import (
    READ_AT,
    TODAY,
    agreement,
    by_verdict,
    client,
    entry,
    is_left_alone,
    known,
    legs,
    line,
    only_row,
    proposed,
    seats_of,
    service,
)
from trueup.domain.billing import Agreement, AgreementState, PsaAccount
from trueup.domain.counts import Basis, Failed, Known, Missing
from trueup.domain.mapping import MappingState, ServiceEntry
from trueup.domain.reconcile import Legs, reconcile
from trueup.domain.verdicts import Verdict

YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


@pytest.mark.fault("C17")
def test_C17_money_stays_exact_and_currencies_are_never_added() -> None:
    given = legs(
        {("V1", "S1"): known(13), ("V2", "S1"): known(13)},
        [
            line("L1", price="0.105"),
            line("L2", psa_id="P2", agreement_id="A2", price="1.10"),
        ],
        entries=[entry("V1", "P1"), entry("V2", "P2")],
        agreements=[agreement("A1"), agreement("A2", "P2", currency="EUR")],
        clients=[client("P1"), client("P2")],
    )
    assert reconcile(given).totals.money == (
        ("EUR", Verdict.BILL_MORE, Decimal("3.30")),
        ("USD", Verdict.BILL_MORE, Decimal("0.315")),
    )


@pytest.mark.fault("C8")
@pytest.mark.parametrize("services", [[service("S1", "X")], [service("S1", "X"), service("SKU-9", None)]])
def test_C8_an_unknown_sku_waits_as_unmapped_and_is_never_dropped(services: list[ServiceEntry]) -> None:
    given = legs({("V1", "S1"): known(10), ("V1", "SKU-9"): known(7)}, services=services)
    rows = by_verdict(given)
    assert set(rows) == {Verdict.IN_LINE, Verdict.UNMAPPED}
    assert seats_of(rows[Verdict.UNMAPPED]) == (7, "missing")
    assert rows[Verdict.UNMAPPED].reasons == ("the service SKU-9 (Service SKU-9) is not mapped to a product",)
    assert reconcile(given).totals.agreement_seats == 17


@pytest.mark.fault("C8")
def test_C8_a_count_of_a_service_that_the_vendor_never_listed_is_shown_by_its_id() -> None:
    given = legs({("V1", "S1"): known(10), ("V1", "SKU-9"): known(7)})
    services = tuple(item for item in given.vendor.services if item.id != "SKU-9")
    given = replace(given, vendor=replace(given.vendor, services=services))
    assert by_verdict(given)[Verdict.UNMAPPED].members[0].service_name == "SKU-9"


@pytest.mark.fault("C7")
@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({("V1", "S1"): Missing("the contract names no count")}, "the contract names no count"),
        ({("V1", "S1"): Failed("the count is null")}, "the count is null"),
        ({}, "the vendor gives no count for account V1"),
    ],
)
def test_C7_no_field_no_value_and_no_count_are_three_cases_and_none_is_zero(
    counts: dict[tuple[str, str], Missing | Failed], words: str
) -> None:
    given = legs({**counts}, [line(quantity="10")])
    row = only_row(given)
    assert row.verdict is Verdict.MISSING_DATA
    assert row.reasons[0] == words
    assert seats_of(row)[1] == 10
    assert row.monthly_money is None
    assert is_left_alone(given)


@pytest.mark.fault("C12")
@pytest.mark.parametrize("absent_runs", [1, 2, 3, 4])
def test_C12_an_account_that_left_the_list_keeps_its_line_and_is_never_deleted(absent_runs: int) -> None:
    given = legs({}, [line(quantity="10")], entries=[entry(absent_runs=absent_runs)], not_listed=["V1"])
    reconciliation = reconcile(given)
    (row,) = reconciliation.rows
    assert row.verdict is Verdict.MISSING_DATA
    assert seats_of(row) == ("missing", 10)
    assert ("end its line in the PSA and exclude the account" in row.reasons[0]) == (absent_runs >= 3)
    assert reconciliation.totals.accounts.mapped == 1
    assert is_left_alone(given)


@pytest.mark.fault("C12")
def test_C12_an_absent_account_makes_the_sum_of_its_client_missing() -> None:
    """Fifteen are billed for two accounts, one is not listed: billing the ten of the other alone would be wrong."""
    given = legs(
        {("V1", "S1"): known(10)},
        [line(quantity="15")],
        entries=[entry("V1"), entry("V2", absent_runs=1)],
        not_listed=["V2"],
    )
    row = only_row(given)
    assert row.verdict is Verdict.MISSING_DATA
    assert seats_of(row) == ("missing", 15)
    assert reconcile(given).totals.billed_seats == 15
    assert is_left_alone(given)


@pytest.mark.fault("C12")
def test_C12_two_absent_accounts_of_one_client_are_one_row() -> None:
    entries = [entry("V1", absent_runs=1), entry("V2", absent_runs=3)]
    row = only_row(legs({}, [line()], entries=entries, not_listed=["V1", "V2"]))
    assert [member.vendor_id for member in row.members] == ["V1", "V2"]


@pytest.mark.fault("C12")
def test_C12_an_absent_account_that_was_excluded_is_out_of_the_comparison() -> None:
    given = legs(
        {("V1", "S1"): known(10)},
        entries=[entry("V1"), entry("V2", None, state=MappingState.EXCLUDED, absent_runs=5)],
        not_listed=["V2"],
    )
    assert only_row(given).verdict is Verdict.IN_LINE


@pytest.mark.fault("P3")
@pytest.mark.parametrize("agreed", [0, 10, 15, 40])
def test_P3_two_live_lines_for_one_product_are_ambiguous_and_neither_is_changed(agreed: int) -> None:
    given = legs({("V1", "S1"): known(agreed)}, [line("L1", "10"), line("L2", "5")])
    row = only_row(given)
    assert row.verdict is Verdict.AMBIGUOUS
    assert seats_of(row) == (agreed, 15)
    assert row.line is None
    assert "2 live lines bill the same product: L1 (10 on Agreement A1), L2 (5 on Agreement A1)" in row.reasons[0]
    assert is_left_alone(given)


@pytest.mark.fault("P3")
def test_P3_two_live_lines_of_which_one_bills_no_whole_number_have_no_sum() -> None:
    row = only_row(legs(lines=[line("L1", "10"), line("L2", "0.5")]))
    assert (row.verdict, seats_of(row)) == (Verdict.AMBIGUOUS, (10, "failed"))


@pytest.mark.fault("P3")
def test_P3_a_line_that_ended_or_has_not_begun_does_not_make_two() -> None:
    given = legs(
        {("V1", "S1"): known(12)},
        [line("L1", "10"), line("L2", "5", ends=YESTERDAY), line("L3", "7", begins=TOMORROW)],
    )
    row = only_row(given)
    assert row.verdict is Verdict.BILL_MORE
    assert f"line L3 begins on {TOMORROW} with 7" in row.reasons
    assert [(change.line_id, change.target) for change in proposed(reconcile(given)).changes] == [("L1", 12)]


@pytest.mark.fault("P2")
def test_P2_a_product_on_two_active_agreements_is_ambiguous() -> None:
    given = legs(
        {("V1", "S1"): known(12)},
        [line("L1", "10"), line("L2", "2", agreement_id="A2")],
        agreements=[agreement("A1"), agreement("A2")],
    )
    row = only_row(given)
    assert row.verdict is Verdict.AMBIGUOUS
    assert "Agreement A1" in row.reasons[0]
    assert "Agreement A2" in row.reasons[0]
    assert is_left_alone(given)


@pytest.mark.fault("P1")
@pytest.mark.parametrize(("clients", "word"), [([client(deleted=True)], "deleted"), ([], "no longer listed")])
def test_P1_a_client_that_is_deleted_or_gone_goes_to_review_and_nothing_is_made_anew(
    clients: list[PsaAccount], word: str
) -> None:
    given = legs({("V1", "S1"): known(12)}, clients=clients)
    row = only_row(given)
    assert row.verdict is Verdict.HELD
    assert row.reasons == (f"the mapped client is {word} in the PSA; map the account to another or exclude it",)
    assert seats_of(row) == (12, 10)
    assert is_left_alone(given)


@pytest.mark.fault("P1")
def test_P1_a_client_without_a_line_that_is_gone_is_not_called_new_revenue() -> None:
    assert only_row(legs({("V1", "S1"): known(12)}, [], clients=[])).verdict is Verdict.HELD


@pytest.mark.fault("P2")
@pytest.mark.parametrize(
    ("contract", "word"),
    [
        (agreement(state=AgreementState.INACTIVE), "inactive"),
        (agreement(state=AgreementState.CANCELLED), "cancelled"),
        (agreement(state=AgreementState.EXPIRED), "expired"),
        (agreement(state=AgreementState.UNKNOWN), "unknown"),
        (agreement(ends=YESTERDAY), "expired"),
        (agreement(starts=TOMORROW), "inactive"),
        (agreement("another"), "unknown"),
    ],
)
def test_P2_a_line_on_an_agreement_that_is_not_active_is_held(contract: Agreement, word: str) -> None:
    given = legs({("V1", "S1"): known(12)}, agreements=[contract])
    row = only_row(given)
    assert row.verdict is Verdict.HELD
    assert f"the agreement of line L1 is {word}, not active" in row.reasons[0]
    assert seats_of(row) == (12, 10)
    assert is_left_alone(given)


@pytest.mark.fault("P2")
@pytest.mark.parametrize("contract", [agreement(ends=TODAY), agreement(starts=TODAY), agreement(ends=TOMORROW)])
def test_P2_an_agreement_counts_on_its_first_and_its_last_day(contract: Agreement) -> None:
    given = legs({("V1", "S1"): known(12)}, agreements=[contract])
    assert only_row(given).verdict is Verdict.BILL_MORE


@pytest.mark.fault("P2")
def test_P2_beside_a_line_on_an_active_agreement_the_one_that_sleeps_is_named_and_left_out() -> None:
    given = legs(
        {("V1", "S1"): known(12)},
        [line("L1", "10"), line("L2", "5", agreement_id="A2")],
        agreements=[agreement("A1"), agreement("A2", state=AgreementState.CANCELLED)],
    )
    row = only_row(given)
    assert (row.verdict, seats_of(row)) == (Verdict.BILL_MORE, (12, 10))
    assert "line L2 on an agreement that is not active is left out" in row.reasons


@pytest.mark.fault("M2")
def test_M2_two_vendor_accounts_on_one_client_are_summed_and_the_sum_is_shown() -> None:
    given = legs(
        {("V2", "S1"): known(5, reference="contract 2"), ("V1", "S1"): known(10)},
        [line(quantity="14")],
        entries=[entry("V2"), entry("V1")],
    )
    row = only_row(given)
    assert (row.verdict, seats_of(row)) == (Verdict.BILL_MORE, (15, 14))
    assert "2 vendor accounts are added up: V1 10 + V2 5" in row.reasons
    count = row.counts.agreement
    assert isinstance(count, Known)
    assert count.basis is Basis.SUM
    assert [piece.reference for piece in count.evidence] == ["contract 1", "contract 2"]
    (change,) = proposed(reconcile(given)).changes
    assert (change.vendor_ids, change.target) == (("V1", "V2"), 15)


@pytest.mark.fault("M2")
def test_M2_the_sum_is_as_old_as_its_oldest_part_and_keeps_what_disagrees() -> None:
    old = Known(known(5).seats, Basis.CONTRACT, READ_AT - timedelta(days=2), conflict="the account itself says 6")
    row = only_row(legs({("V1", "S1"): known(10), ("V2", "S1"): old}, entries=[entry("V1"), entry("V2")]))
    count = row.counts.agreement
    assert isinstance(count, Known)
    assert count.as_of == READ_AT - timedelta(days=2)
    assert count.conflict == "the account itself says 6"


def _renamed(vendor_name: str, psa_name: str) -> Legs:
    return legs({("V1", "S1"): known(12)}, entries=[entry(name=vendor_name)], clients=[client(name=psa_name)])


@pytest.mark.fault("M8")
def test_M8_a_rename_on_either_side_changes_the_names_shown_and_nothing_else() -> None:
    before, after = _renamed("Acme", "Acme"), _renamed("Zenith", "Acme Holdings")
    row, renamed = only_row(before), only_row(after)
    assert (renamed.members[0].vendor_name, renamed.psa_account_name) == ("Zenith", "Acme Holdings")
    assert (renamed.id, renamed.verdict, renamed.counts) == (row.id, row.verdict, row.counts)
    assert proposed(reconcile(after)).checksum == proposed(reconcile(before)).checksum


@pytest.mark.fault("M9")
def test_M9_two_accounts_that_swapped_their_names_keep_their_own_clients() -> None:
    def month(first: str, second: str) -> Legs:
        return legs(
            {("V1", "S1"): known(12), ("V2", "S1"): known(30)},
            [line("L1", "10"), line("L2", "29", psa_id="P2", agreement_id="A2")],
            entries=[entry("V1", "P1", name=first), entry("V2", "P2", name=second)],
            agreements=[agreement("A1"), agreement("A2", "P2")],
            clients=[client("P1", name="Acme"), client("P2", name="Beta")],
        )

    plan, swapped = (proposed(reconcile(given)) for given in (month("Acme", "Beta"), month("Beta", "Acme")))
    assert {(change.line_id, change.target) for change in swapped.changes} == {("L1", 12), ("L2", 30)}
    assert swapped.checksum == plan.checksum


@pytest.mark.fault("C18")
@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0", "\u202egnp.exe", "a\x00b", "\ud800", "x" * 10_000, "", "\r\nSet-Cookie: a"]
)
def test_C18_hostile_names_pass_through_untouched(name: str) -> None:
    row = only_row(_renamed(name, name))
    assert (row.members[0].vendor_name, row.psa_account_name) == (name, name)
    (change,) = proposed(reconcile(_renamed(name, name))).changes
    assert change.psa_account_name == name
