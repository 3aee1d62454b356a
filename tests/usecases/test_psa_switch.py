"""Another PSA: what was mapped in the one is never taken for true of the other, nothing is lost, and back is back."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.fakes.connections import PSA_HOST
from tests.fakes.psa import FakePsa
from tests.usecases.office import PERSON, Office, open_office
from trueup.api.spreadsheets import mappings_csv, read_mappings, read_services, services_csv
from trueup.domain.billing import (
    Agreement,
    AgreementId,
    AgreementState,
    Line,
    LineId,
    Product,
    ProductId,
    PsaAccount,
    PsaAccountId,
)
from trueup.domain.errors import (
    Conflict,
    InputInvalid,
    NotConnected,
    NotFound,
    PermissionMissing,
    PlanNotReady,
    StateUnavailable,
)
from trueup.domain.integrations import ConnectionState, Integration, IntegrationName, Side
from trueup.domain.mapping import FormerTarget, MappingState
from trueup.domain.matching import MatchRule
from trueup.domain.verdicts import Verdict
from trueup.usecases import mapping_import
from trueup.usecases.credential_validation import disconnect
from trueup.usecases.opening import connected
from trueup.usecases.psa_switch import INDEX, kept_file, kept_mappings

MAPPED, UNMAPPED, EXCLUDED = MappingState.MAPPED, MappingState.UNMAPPED, MappingState.EXCLUDED
CONNECTWISE = IntegrationName.CONNECTWISE
OTHER_KINDS = (IntegrationName.AUTOTASK, IntegrationName.HALOPSA, IntegrationName.SYNCRO)


def other_psa(office: Office, *names: str, first_id: int = 1, stored: dict[int, str] | None = None) -> FakePsa:
    """A PSA with clients of these names under ids that mean other clients in the first one, and the same product."""
    product = Product(ProductId("900"), "MIME-EMAIL", "Mimecast Email Security", Decimal("5.00"))
    psa = FakePsa(office.clock, products=[product])
    for number, name in enumerate(names, start=first_id):
        key = PsaAccountId(f"P{number}")
        kept = stored or {}
        ids = (("connectwise", kept[number]),) if number in kept else ()
        psa.accounts[key] = PsaAccount(key, "", name, "Active", stored_ids=ids)
        agreement = Agreement(AgreementId(f"B{number}"), key, "Managed", "Managed", AgreementState.ACTIVE)
        psa.agreements[agreement.id] = agreement
        line = Line(
            LineId(f"M{number}"), agreement.id, key, product.id, product.code, "", Decimal(7), "w1",
            unit_price=Decimal("5.00"),
        )  # fmt: skip
        psa.lines[line.id] = line
    return psa


def changed(office: Office, psa: FakePsa, name: IntegrationName = CONNECTWISE, **fields: str) -> None:
    """Connect that PSA in place of the one before."""
    office.connections.psa_system = office.psa = psa
    if name is CONNECTWISE:
        fields = {"company_id": "othermsp", **fields}
    office.change_psa(name, **fields)


def read(office: Office) -> None:
    office.clock.advance(60)
    office.sync(accept_drop=True)


def pairs(office: Office) -> dict[str, str | None]:
    return {str(entry.vendor_id): entry.psa_id for entry in office.state.accounts.all()}


def service(office: Office) -> tuple[MappingState, str | None]:
    (entry,) = office.state.services.all()
    return entry.state, entry.product_id


# Only one at a time, and only by a person's word.


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_another_kind_is_refused_until_a_person_says_so(month: Office, name: IntegrationName) -> None:
    before, opened = month.state.integrations.all(), list(month.connections.opened)
    with pytest.raises(Conflict) as caught:
        month.change_psa(name, switch=False)
    assert f"trueup connect {name.value} --switch" in caught.value.remedy
    assert '"switch": true' in caught.value.remedy
    assert month.state.integrations.all() == before
    assert month.connections.opened == opened, "the new credential was sent nowhere"


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_the_old_credential_is_forgotten_and_what_is_matched_again_is_told(
    month: Office, name: IntegrationName
) -> None:
    done = month.change_psa(name)
    assert done.integration.state is ConnectionState.PENDING
    assert connected(Side.PSA, month.state.integrations).name is name
    assert month.state.integrations.get(CONNECTWISE) == Integration(CONNECTWISE, version=3)
    with pytest.raises(NotConnected):
        month.vault.get("connectwise", host=PSA_HOST)
    assert done.kept is not None
    assert (done.kept.psa, done.kept.accounts, done.kept.services) == ("connectwise", 4, 1)
    assert month.actions()[-5:] == [
        "account mappings kept",
        "service mappings kept",
        "mappings kept",
        "integration disconnected",
        "integration connected",
    ]


def test_a_credential_that_does_not_work_leaves_the_old_psa_connected(month: Office) -> None:
    month.psa.fail_always("check", PermissionMissing("no", integration="halopsa"))
    with pytest.raises(PermissionMissing):
        month.change_psa(IntegrationName.HALOPSA)
    assert connected(Side.PSA, month.state.integrations).name is CONNECTWISE
    assert kept_mappings(uploads=month.state.uploads) == ()


def test_what_cannot_be_kept_stops_the_change(month: Office) -> None:
    month.state.switches.fail("uploads.put", skip=1)
    with pytest.raises(StateUnavailable):
        month.change_psa(IntegrationName.HALOPSA)
    assert connected(Side.PSA, month.state.integrations).name is CONNECTWISE
    assert month.change_psa(IntegrationName.HALOPSA).kept is not None


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_change_that_is_interrupted_is_finished_by_the_same_command(month: Office, when: str, number: int) -> None:
    """Forgetting the old one and storing the new one are two steps."""
    month.state.switches.fail("integrations.save", when=when, skip=number)  # type: ignore[arg-type]
    with pytest.raises(StateUnavailable):
        month.change_psa(IntegrationName.HALOPSA)
    done = month.change_psa(IntegrationName.HALOPSA)
    assert done.kept is not None
    assert connected(Side.PSA, month.state.integrations).name is IntegrationName.HALOPSA
    assert month.state.integrations.get(CONNECTWISE).state is ConnectionState.NOT_CONNECTED
    assert len(kept_mappings(uploads=month.state.uploads)) == 1


def test_two_that_are_connected_all_the_same_are_not_guessed_between(month: Office) -> None:
    month.state.integrations.save(
        Integration(IntegrationName.SYNCRO, ConnectionState.ACTIVE, "https://x.example"), None
    )
    with pytest.raises(Conflict, match="ConnectWise and Syncro are connected"):
        connected(Side.PSA, month.state.integrations)


def test_the_vendor_too_is_one(month: Office) -> None:
    with pytest.raises(Conflict, match="only one vendor"):
        month.connect(IntegrationName.VENDOR_FILES)


def test_a_vendor_by_other_means_keeps_every_mapping(month: Office) -> None:
    """An account code means the same account in the API and in a file."""
    before = pairs(month)
    month.connections.accepted_secret = None
    assert month.change_psa(IntegrationName.VENDOR_FILES).kept is None
    assert month.state.integrations.get(IntegrationName.MIMECAST).state is ConnectionState.NOT_CONNECTED
    read(month)
    assert pairs(month) == before
    assert service(month) == (MAPPED, "560")


# What is mapped counts in its own PSA.


@pytest.mark.parametrize("name", [CONNECTWISE, *OTHER_KINDS])
def test_equal_ids_of_another_psa_never_carry_a_mapping(month: Office, name: IntegrationName) -> None:
    """P1 is another client there. Only the name of the old client says who is who."""
    changed(month, other_psa(month, "Larkspur Legal", "Quillfeather Ltd", "Harbor Dental Group"), name)
    read(month)
    assert pairs(month) == {"V1": "P3", "V2": "P1", "V3": None, "V4": None}
    rules = {str(entry.vendor_id): entry.decision.rule for entry in month.state.accounts.all() if entry.decision}
    assert rules == {"V1": MatchRule.FORMER_NAME, "V2": MatchRule.FORMER_NAME}
    left = month.account("V3")
    assert left.former[0].target_id == "P3"
    assert left.former[0].integration == "connectwise"
    assert any("was mapped to P3 Mossgate Freight in connectwise" in warning for warning in left.warnings)
    assert service(month) == (MAPPED, "900")


def test_a_comparison_uses_no_mapping_of_another_psa_even_before_names_are_matched(month: Office) -> None:
    changed(month, other_psa(month, "Nobody", "Nobody else", "A third", "A fourth"))
    run = month.begin(accept_drop=True)
    month.read_vendor(run.id)
    month.read_psa(run.id, accept_drop=True)
    outcome = month.reconcile(run)
    assert not outcome.plan.changes
    assert {row.verdict for row in outcome.reconciliation.rows} == {Verdict.UNMAPPED, Verdict.NOT_SOLD}


def test_the_client_that_carries_the_old_id_is_the_one_whatever_it_is_called(month: Office) -> None:
    stored = {1: "P4", 2: "P3", 3: "P1", 4: "P2"}
    psa = other_psa(month, "HDG Holdings", "Larkspur & Partners", "Harbor", "Northgate Museum", stored=stored)
    changed(month, psa, IntegrationName.HALOPSA)
    read(month)
    assert pairs(month) == {"V1": "P3", "V2": "P4", "V3": "P2", "V4": "P1"}
    decision = month.account("V1").decision
    assert decision is not None
    assert (decision.rule, decision.replaced) == (MatchRule.STORED_ID, "P1")


def test_a_client_mapped_by_a_person_after_the_last_read_is_found_by_its_id_too(office: Office) -> None:
    office.client(1, "Harbor Dental Group", 12, "12", psa_name="Quillfeather")
    office.connect_both()
    office.sync()
    office.map_service()
    office.map_account("V1", "P1")
    changed(office, other_psa(office, "Nobody", "HDG", stored={2: "P1"}), IntegrationName.HALOPSA)
    assert kept_mappings(uploads=office.state.uploads)[0].psa == "connectwise"
    read(office)
    assert pairs(office) == {"V1": "P2"}


def test_an_id_that_two_clients_carry_is_no_proof(month: Office) -> None:
    changed(month, other_psa(month, "One", "Two", stored={1: "P1", 2: "P1"}), IntegrationName.HALOPSA)
    read(month)
    assert month.account("V1").state is UNMAPPED


def test_a_name_that_two_clients_have_is_left_to_a_person(month: Office) -> None:
    changed(month, other_psa(month, "Harbor Dental Group", "Harbor Dental Group"), IntegrationName.AUTOTASK)
    read(month)
    entry = month.account("V1")
    assert (entry.state, entry.psa_id) == (MappingState.AMBIGUOUS, None)


def test_what_a_person_mapped_to_another_name_is_found_by_that_name(office: Office) -> None:
    office.client(1, "Harbor Dental Group", 12, "12", psa_name="Hemlock Holdings")
    office.connect_both()
    office.sync()
    office.map_account("V1", "P1")
    changed(office, other_psa(office, "Harbor Dental Group", "HEMLOCK HOLDINGS"), IntegrationName.HALOPSA)
    read(office)
    assert pairs(office) == {"V1": "P2"}, "the client it was billed as, not the one that shares the vendor's name"


def test_two_accounts_of_one_client_go_together(office: Office) -> None:
    office.client(1, "Harbor Dental Group", 12, "12")
    office.vendor.add_account("V2", "Harbor Dental East", 5)
    office.connect_both()
    office.sync()
    office.map_account("V2", "P1")
    changed(office, other_psa(office, "Somebody", "Harbor Dental Group"), IntegrationName.HALOPSA)
    read(office)
    assert pairs(office) == {"V1": "P2", "V2": "P2"}


def test_excluded_stays_excluded_and_what_was_taken_back_stays_open(month: Office) -> None:
    month.exclude("V1")
    month.clear("V2")
    changed(month, other_psa(month, "Harbor Dental Group", "Larkspur Legal"), IntegrationName.HALOPSA)
    read(month)
    assert month.account("V1").state is EXCLUDED
    assert (month.account("V2").state, month.account("V2").psa_id) == (UNMAPPED, None)
    assert [one.psa_id for one in month.account("V2").suggestions] == ["P2"]


def test_the_name_in_the_psa_before_ranks_suggestions_too(office: Office) -> None:
    office.client(1, "HDG", 12, "12", psa_name="Bramblewood Veterinary Clinic")
    office.connect_both()
    office.sync()
    office.map_account("V1", "P1")
    changed(office, other_psa(office, "Bramblewood Vet Clinic"), IntegrationName.HALOPSA)
    read(office)
    (suggestion,) = office.account("V1").suggestions
    assert suggestion.psa_id == "P1"
    assert "by the name of its client in the PSA before" in suggestion.reasons


# There and back.


def test_another_company_and_back_restores_every_mapping(month: Office) -> None:
    first = month.psa
    month.psa_client(9, "Northgate Trust")
    month.sync()
    month.map_account("V4", "P9")
    before = {entry.vendor_id: (entry.psa_id, entry.decision) for entry in month.state.accounts.all()}
    billed = service(month)
    changed(month, other_psa(month, "Larkspur Legal"))
    read(month)
    assert pairs(month) == {"V1": None, "V2": "P1", "V3": None, "V4": None}
    changed(month, first, company_id="acmemsp")
    assert connected(Side.PSA, month.state.integrations).state is ConnectionState.PENDING
    read(month)
    assert {entry.vendor_id: (entry.psa_id, entry.decision) for entry in month.state.accounts.all()} == before
    assert service(month) == billed
    assert [one.system for one in month.account("V2").former] == ["https://api.psa.example othermsp"]
    month.finish()
    assert month.run().plan.changes


def test_a_client_that_is_gone_when_one_comes_back_is_not_restored(month: Office) -> None:
    first = month.psa
    changed(month, other_psa(month, "Larkspur Legal"))
    read(month)
    del first.accounts[PsaAccountId("P1")]
    changed(month, first, company_id="acmemsp")
    read(month)
    assert month.account("V1").state is UNMAPPED
    assert month.account("V2").psa_id == "P2"


def test_matching_again_after_a_change_changes_nothing(month: Office) -> None:
    changed(month, other_psa(month, "Larkspur Legal", "Nobody"))
    read(month)
    before, calls = list(month.state.accounts.all()), len(month.state.switches.calls)
    month.match()
    assert list(month.state.accounts.all()) == before
    assert month.state.switches.calls[calls:] == []


def test_a_crash_between_the_groups_is_mended_by_the_next_run(month: Office) -> None:
    changed(month, other_psa(month, "Larkspur Legal", "Harbor Dental Group"))
    for call in ("services.save", "accounts.save"):
        month.state.switches.fail(call, when="after")
        with pytest.raises(Exception, match="away"):
            read(month)
    read(month)
    assert pairs(month) == {"V1": "P2", "V2": "P1", "V3": None, "V4": None}
    assert service(month) == (MAPPED, "900")


def test_finishing_needs_a_mapping_in_the_connected_psa(month: Office) -> None:
    changed(month, other_psa(month, "Nobody"))
    with pytest.raises(Conflict, match="one account must be mapped; at least one service must be mapped"):
        month.finish()


def test_a_plan_of_the_psa_before_is_not_applied_in_the_new_one(month: Office) -> None:
    plan = month.approve(month.run().plan)
    changed(month, other_psa(month, "Harbor Dental Group"))
    with pytest.raises(PlanNotReady, match="is connected now"):
        month.apply(plan)


def test_mappings_of_before_the_psa_was_kept_are_of_the_one_that_was_read_last(month: Office) -> None:
    for entry in month.state.accounts.all():
        month.state.accounts.save([replace(entry, psa_system="", psa_integration="")], [])
    for item in month.state.services.all():
        month.state.services.save([replace(item, psa_system="", psa_integration="")], [])
    done = month.change_psa(IntegrationName.SYNCRO)
    assert done.kept is not None
    assert done.kept.accounts == 4
    month.connections.psa_system = other_psa(month, "Nobody")
    read(month)
    assert pairs(month) == dict.fromkeys(("V1", "V2", "V3", "V4"))
    assert month.account("V1").former[0].integration == "connectwise"


def test_disconnecting_first_is_a_change_of_psa_as_well(month: Office) -> None:
    disconnect(CONNECTWISE, actor=PERSON, integrations=month.state.integrations, vault=month.vault, clock=month.clock)
    done = month.change_psa(IntegrationName.HALOPSA, switch=False)
    assert done.kept is not None
    assert done.kept.accounts == 4


# Services.


@pytest.mark.parametrize(
    "products", [[], [("900", "MIME-EMAIL", True)], [("900", "A", False), ("901", "MIME-E", False)]]
)
def test_a_service_without_one_active_product_of_its_code_is_open(
    month: Office, products: list[tuple[str, str, bool]]
) -> None:
    psa = other_psa(month, "Nobody")
    psa.products = {
        ProductId(key): Product(ProductId(key), code, "Mail", inactive=inactive) for key, code, inactive in products
    }
    changed(month, psa)
    read(month)
    assert service(month) == (UNMAPPED, None)
    (entry,) = month.state.services.all()
    assert (entry.former[0].target_id, entry.former[0].code) == ("560", "MIME-EMAIL")


def test_two_products_of_one_code_are_for_a_person(month: Office) -> None:
    psa = other_psa(month, "Nobody")
    psa.products[ProductId("901")] = Product(ProductId("901"), "MIME-EMAIL", "Another")
    changed(month, psa)
    read(month)
    assert service(month) == (UNMAPPED, None)


@pytest.mark.fault("P10")
def test_P10_a_catalog_that_may_not_be_searched_leaves_services_open(month: Office) -> None:
    psa = other_psa(month, "Nobody")
    psa.fail_always("search_products", PermissionMissing("no catalog", integration="halopsa"))
    changed(month, psa, IntegrationName.HALOPSA)
    read(month)
    assert service(month) == (UNMAPPED, None)


# The files.


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_what_was_mapped_is_kept_as_files(month: Office) -> None:
    month.exclude("V3", "=our own")
    kept = month.change_psa(IntegrationName.HALOPSA).kept
    assert kept is not None
    assert kept_mappings(uploads=month.state.uploads) == (kept,)
    found = rows(kept_file(kept.id, "accounts", uploads=month.state.uploads))
    assert {row["vendor_account_id"]: row["psa_account_id"] for row in found} == {
        "V1": "P1", "V2": "P2", "V3": "", "V4": "P4"
    }  # fmt: skip
    assert found[2]["reason"] == "'=our own"
    assert {row["psa"] for row in found} == {"connectwise", ""}
    (billed,) = rows(kept_file(kept.id, "services", uploads=month.state.uploads))
    assert (billed["service_id"], billed["product_code"]) == ("plan", "MIME-EMAIL")
    with pytest.raises(NotFound):
        kept_file("none", "accounts", uploads=month.state.uploads)
    with pytest.raises(InputInvalid):
        kept_file(kept.id, INDEX, uploads=month.state.uploads)


def test_the_same_change_given_again_keeps_its_files_once(month: Office) -> None:
    first = month.change_psa(IntegrationName.HALOPSA).kept
    month.clock.advance(60)
    assert month.change_psa(IntegrationName.HALOPSA).kept == first
    assert len(kept_mappings(uploads=month.state.uploads)) == 1


def test_an_export_names_the_client_in_the_psa_before(month: Office) -> None:
    changed(month, other_psa(month, "Larkspur Legal"))
    read(month)
    found = {row["vendor_account_id"]: row for row in rows(mappings_csv(month.state.accounts.all()))}
    assert found["V1"]["former_account_name"] == "Harbor Dental Group"
    assert (found["V1"]["former_psa"], found["V1"]["former_account_id"]) == ("connectwise", "P1")
    (billed,) = rows(services_csv(month.state.services.all()))
    assert billed["former_product_code"] == "MIME-EMAIL"


def take(office: Office, content: str) -> int:
    return mapping_import.import_mappings(
        read_mappings(content.encode()),
        actor=PERSON,
        accounts=office.state.accounts,
        snapshots=office.state.snapshots,
        clock=office.clock,
    )


def test_a_kept_file_is_imported_by_stored_ids_and_names_never_by_the_old_ids(month: Office) -> None:
    exported = mappings_csv(month.state.accounts.all())
    changed(month, other_psa(month, "Larkspur Legal", "Mossgate", "Nobody", "Else", stored={2: "P3"}))
    read(month)
    for vendor_id in ("V2", "V3"):
        month.clear(vendor_id)
    wanted = "\n".join(
        line for line in exported.splitlines() if line.split(",")[0] in ("vendor_account_id", "V2", "V3")
    )
    assert take(month, wanted) == 2
    assert pairs(month) == {"V1": None, "V2": "P1", "V3": "P2", "V4": None}


@pytest.mark.fault("M11")
def test_M11_one_row_that_no_client_fits_rejects_the_whole_file(month: Office) -> None:
    exported = mappings_csv(month.state.accounts.all())
    changed(month, other_psa(month, "Larkspur Legal"))
    read(month)
    before = list(month.state.accounts.all())
    with pytest.raises(InputInvalid) as caught:
        take(month, exported)
    for line, name in ((2, "Harbor Dental Group"), (4, "Mossgate Freight"), (5, "Northgate Museum")):
        assert f"line {line}: " in caught.value.message
        assert name in caught.value.message
    assert "line 3" not in caught.value.message
    assert list(month.state.accounts.all()) == before


@pytest.mark.fault("M11")
def test_M11_duplicate_and_unknown_services_reject_the_whole_file(month: Office) -> None:
    content = "service_id,product_code,reason\nplan,MIME-EMAIL,\nplan,MIME-EMAIL,\nnone,MIME-EMAIL,\n"
    with pytest.raises(InputInvalid) as caught:
        mapping_import.import_services(
            read_services(content.encode()),
            actor=PERSON,
            services=month.state.services,
            psa=month.psa,
            psa_integration=connected(Side.PSA, month.state.integrations),
            clock=month.clock,
        )
    assert "line 3: 'plan' is there already, on line 2" in caught.value.message
    assert "line 4: there is no service 'none'" in caught.value.message


def test_a_name_typed_into_the_file_maps_where_it_is_unique(month: Office) -> None:
    month.psa_client(7, "Quillfeather & Sons")
    month.sync()
    assert take(month, "vendor_account_id,psa_account_id,psa_account_name\nV1,,QUILLFEATHER AND SONS\n") == 1
    assert month.account("V1").psa_id == "P7"


# An account that comes back.


@pytest.mark.fault("C13")
def test_C13_an_account_that_comes_back_under_a_new_id_is_only_suggested(month: Office) -> None:
    month.vendor.removes("V1")
    month.vendor.add_account("V9", "Harbor Dental Group", 12)
    read(month)
    entry = month.account("V9")
    assert entry.psa_id is None
    assert entry.suggestions[0].psa_id == "P1"
    assert "account V1 of the same name is no longer listed" in entry.suggestions[0].reasons[0]
    assert month.account("V1").psa_id == "P1"


@pytest.mark.fault("C13")
def test_C13_neither_is_it_bound_by_its_name_after_a_change_of_psa(month: Office) -> None:
    month.vendor.removes("V1")
    read(month)
    month.vendor.add_account("V9", "Harbor Dental Group", 12)
    changed(month, other_psa(month, "Harbor Dental Group"))
    read(month)
    assert month.account("V1").psa_id == "P1"
    assert month.account("V1").former[0] == FormerTarget(
        "https://api.psa.example acmemsp", "connectwise", "P1", "Harbor Dental Group",
        month.account("V1").former[0].decision,
    )  # fmt: skip
    assert month.account("V9").psa_id is None


def test_an_office_that_never_changed_has_no_former_mapping() -> None:
    office = open_office()
    office.client(1, "Harbor Dental Group", 12, "12")
    office.set_up()
    assert office.account("V1").former == ()
    assert office.account("V1").psa_integration == "connectwise"
