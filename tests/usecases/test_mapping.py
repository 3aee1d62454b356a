"""What a person decides is recorded with who and why, and an import is taken whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.usecases.office import PERSON, Office, open_office
from trueup.domain.billing import Product, ProductId
from trueup.domain.errors import InputInvalid, NotFound, VendorUnavailable
from trueup.domain.mapping import MappingState
from trueup.domain.matching import MatchRule
from trueup.domain.verdicts import Verdict
from trueup.usecases.mapping import exclude_service, require_reason
from trueup.usecases.mapping_import import MappingRow, import_mappings


@pytest.fixture
def office(month: Office) -> Office:
    """The small month with a fifth account nobody has matched and a client without an account."""
    month.vendor.add_account("V5", "Unknown Name", 3)
    month.psa_client(6, "Another Client")
    month.sync()
    return month


def rows(*items: tuple[str, str, str]) -> list[MappingRow]:
    return [MappingRow(number, *item) for number, item in enumerate(items, start=2)]


def take(office: Office, *items: tuple[str, str, str]) -> int:
    return import_mappings(
        rows(*items),
        actor=PERSON,
        accounts=office.state.accounts,
        snapshots=office.state.snapshots,
        clock=office.clock,
    )


# Accounts.


def test_a_person_maps_by_id_and_the_record_says_what_it_replaced(office: Office) -> None:
    entry = office.map_account("V1", "P6")
    assert (entry.state, entry.psa_id, entry.psa_name) == (MappingState.MAPPED, "P6", "Another Client")
    assert entry.decision is not None
    assert (entry.decision.by, entry.decision.rule, entry.decision.replaced) == (PERSON, MatchRule.PERSON, "P1")
    audit = list(office.state.history.all())[-1].audit
    assert (audit.action, audit.subject, audit.before, audit.after) == ("account mapped", "V1", "P1", "P6")


@pytest.mark.parametrize("psa_id", ["P99", "", "p1", " P1"])
def test_an_unknown_client_is_refused(office: Office, psa_id: str) -> None:
    before = office.account("V1")
    with pytest.raises(InputInvalid) as caught:
        office.map_account("V1", psa_id)
    assert caught.value.field == "psa_account_id"
    assert office.account("V1") == before


def test_a_deleted_client_is_refused(office: Office) -> None:
    office.psa_client(6, "Another Client", deleted=True)
    office.sync()
    with pytest.raises(InputInvalid, match="deleted"):
        office.map_account("V5", "P6")


def test_an_unknown_account_is_not_found(office: Office) -> None:
    with pytest.raises(NotFound):
        office.map_account("V99", "P1")
    with pytest.raises(NotFound):
        office.exclude("V99")
    with pytest.raises(NotFound):
        office.clear("V99")


def test_before_the_first_sync_nothing_can_be_mapped() -> None:
    with pytest.raises(NotFound):
        open_office().map_account("V1", "P1")


@pytest.mark.fault("M2")
def test_M2_two_accounts_of_one_client_are_a_persons_decision_and_are_added_up(office: Office) -> None:
    office.map_account("V5", "P1")
    outcome = office.run()
    row = next(row for row in outcome.reconciliation.rows if row.psa_account_id == "P1")
    assert [str(member.vendor_id) for member in row.members] == ["V1", "V5"]
    assert row.verdict is Verdict.BILL_MORE
    assert any("2 vendor accounts are added up: V1 12 + V5 3" in reason for reason in row.reasons)
    change = next(change for change in outcome.plan.changes if change.psa_account_id == "P1")
    assert (change.expected, change.target) == (Decimal(12), 15)


@pytest.mark.parametrize("reason", ["", "   ", "\n", "x" * 501])
def test_an_exclusion_needs_a_reason(office: Office, reason: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        office.exclude("V1", reason)
    assert caught.value.field == "reason"
    assert office.account("V1").state is MappingState.MAPPED


def test_an_excluded_account_is_listed_with_its_reason(office: Office) -> None:
    office.exclude("V5", "  our own account ")
    outcome = office.run()
    assert [(item.vendor_id, item.reason, item.by) for item in outcome.reconciliation.excluded] == [
        ("V5", "our own account", PERSON)
    ]


def test_a_decision_can_be_taken_back(office: Office) -> None:
    entry = office.clear("V1")
    assert (entry.state, entry.psa_id, entry.psa_name) == (MappingState.UNMAPPED, None, "")
    assert entry.decision is not None
    assert entry.decision.replaced == "P1"


def test_a_reason_is_trimmed() -> None:
    assert require_reason("  it is ours ") == "it is ours"
    assert require_reason("x" * 500) == "x" * 500


# Import.


def test_an_import_takes_all_rows_and_counts_what_changed(office: Office) -> None:
    changed = take(office, ("V1", "P1", ""), ("V5", "P6", "seen on the invoice"), ("V2", "", "left us"))
    assert changed == 2, "V1 was mapped to P1 already"
    assert office.account("V5").psa_id == "P6"
    decision = office.account("V5").decision
    assert decision is not None
    assert (decision.rule, decision.reason) == (MatchRule.IMPORT, "seen on the invoice")
    assert office.account("V2").state is MappingState.EXCLUDED
    assert office.actions()[-2:] == ["account mapped", "account excluded"]


def test_an_import_and_a_person_record_an_exclusion_alike(office: Office) -> None:
    office.exclude("V1", "left us")
    take(office, ("V2", "", "left us"))
    by_person, by_import = office.account("V1"), office.account("V2")
    assert by_import.vendor_name_decided == by_import.vendor_name
    assert by_person.vendor_name_decided == by_person.vendor_name


@pytest.mark.fault("M11")
def test_M11_one_bad_line_refuses_the_whole_import_and_every_bad_line_is_named(office: Office) -> None:
    before, events = list(office.state.accounts.all()), office.actions()
    with pytest.raises(InputInvalid) as caught:
        take(
            office,
            ("V5", "P6", ""),
            ("V99", "P1", ""),
            ("V2", "P99", ""),
            ("V5", "P1", ""),
            ("V3", "", ""),
            ("V4", "P4", "x" * 501),
        )
    text = str(caught.value)
    assert caught.value.field == "file"
    for words in (
        "line 3: there is no vendor account 'V99'",
        "line 4: 'P99' is not a client",
        "line 5: 'V5' is there already, on line 2",
        "line 6: a reason",
        "line 7: a reason",
    ):
        assert words in text
    assert "line 2" not in text.replace("on line 2", "")
    assert list(office.state.accounts.all()) == before
    assert office.actions() == events


def test_a_thousand_bad_lines_make_a_short_message(office: Office) -> None:
    with pytest.raises(InputInvalid) as caught:
        take(office, *((f"X{number}", "P1", "") for number in range(1000)))
    assert "and 980 more" in str(caught.value)
    assert len(str(caught.value)) < 2_000


def test_importing_the_same_file_again_changes_nothing(office: Office) -> None:
    assert take(office, ("V5", "P6", "")) == 1
    events = office.actions()
    assert take(office, ("V5", "P6", "")) == 0
    assert office.actions() == events


# Services.


@pytest.mark.parametrize("named", ["MIME-EMAIL", "560", " MIME-EMAIL "])
def test_a_service_is_mapped_by_product_id_or_internal_id(office: Office, named: str) -> None:
    office.map_service(product=named)
    (entry,) = office.state.services.all()
    assert (entry.product_id, entry.product_code, entry.catalog_price) == ("560", "MIME-EMAIL", Decimal("4.25"))
    assert office.actions()[-1] == "service mapped"


@pytest.mark.parametrize("named", ["", "  ", "MIME", "mime-email", "Mimecast Email Security", "56"])
def test_what_only_looks_like_a_product_is_refused(office: Office, named: str) -> None:
    before = office.state.services.all()
    with pytest.raises(InputInvalid) as caught:
        office.map_service(product=named)
    assert caught.value.field == "product_id"
    assert office.state.services.all() == before


def test_two_products_of_one_code_are_refused(office: Office) -> None:
    twin = Product(ProductId("777"), "MIME-EMAIL", "Another one")
    office.psa.products[twin.id] = twin
    with pytest.raises(InputInvalid, match="more than one product"):
        office.map_service()
    office.map_service(product="777")
    assert office.state.services.all()[0].product_id == "777"


def test_a_product_code_wins_over_another_products_internal_id(office: Office) -> None:
    code_like_id = Product(ProductId("900"), "560", "Its code is the other's id")
    office.psa.products[code_like_id.id] = code_like_id
    office.map_service(product="560")
    assert office.state.services.all()[0].product_id == "900"


def test_a_psa_that_is_away_changes_nothing(office: Office) -> None:
    before = office.state.services.all()
    office.psa.fail_always("search_products", VendorUnavailable("no answer", integration="connectwise"))
    with pytest.raises(VendorUnavailable):
        office.map_service()
    assert office.state.services.all() == before


def test_a_service_can_be_excluded_with_a_reason_and_mapped_again(office: Office) -> None:
    entry = exclude_service(
        "plan", reason="given away", actor=PERSON, services=office.state.services, clock=office.clock
    )
    assert (entry.state, entry.product_id, entry.catalog_price) == (MappingState.EXCLUDED, None, None)
    assert office.actions()[-1] == "service excluded"
    office.map_service()
    mapped = office.state.services.all()[0]
    assert mapped.state is MappingState.MAPPED
    assert replace(mapped, version=0, decision=None).product_id == "560"


def test_an_unknown_service_is_not_found(office: Office) -> None:
    with pytest.raises(NotFound):
        office.map_service("nothing")
