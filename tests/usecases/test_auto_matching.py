"""Equal names are mapped once and by id; what a person decided stays; doubt is left to a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.usecases.office import PERSON, Office
from trueup.domain.accounts import AccountState, ServiceKind, VendorAccountId
from trueup.domain.billing import PsaAccountId
from trueup.domain.errors import NotFound, StateUnavailable, VersionConflict
from trueup.domain.mapping import AccountEntry, MappingState, MatchingSummary
from trueup.domain.matching import MatchRule
from trueup.usecases.account_matching import AUTOMATIC

MAPPED, UNMAPPED, AMBIGUOUS = MappingState.MAPPED, MappingState.UNMAPPED, MappingState.AMBIGUOUS


@pytest.fixture
def office(office: Office) -> Office:
    """Two clients of equal names, connected."""
    office.client(1, "Harbor Dental Group", 12, "12")
    office.client(2, "Larkspur Legal", 15, "12")
    office.connect_both()
    return office


def read_and_match(office: Office, number: int = 1) -> MatchingSummary:
    run_id = f"2026-09-{number:03d}"
    office.clock.advance(60)
    office.read_vendor(run_id)
    office.read_psa(run_id)
    return office.match(run_id)


def pairs(office: Office) -> dict[str, str | None]:
    return {str(entry.vendor_id): entry.psa_id for entry in office.state.accounts.all()}


def test_equal_names_are_mapped_with_who_and_why(office: Office) -> None:
    summary = read_and_match(office)
    assert pairs(office) == {"V1": "P1", "V2": "P2"}
    assert (summary.newly_mapped, summary.totals.mapped, summary.totals.all) == (2, 2, 2)
    decision = office.account("V1").decision
    assert decision is not None
    assert (decision.by, decision.rule, decision.at) == (AUTOMATIC, MatchRule.EXACT, office.clock.now())
    assert office.account("V1").psa_name == "Harbor Dental Group"
    mapped = [event.audit for event in office.state.history.all() if event.audit.action == "accounts mapped"]
    assert [(audit.actor, audit.subject, audit.run_id) for audit in mapped] == [
        (AUTOMATIC, "2 accounts", "2026-09-001")
    ]
    assert mapped[0].evidence


def test_a_side_that_was_never_read_is_named(office: Office) -> None:
    office.read_vendor()
    with pytest.raises(NotFound, match="psa was never read"):
        office.match()


def test_matching_again_changes_nothing(office: Office) -> None:
    read_and_match(office)
    office.psa_client(9, "Larkspur Law")
    before, events = list(office.state.accounts.all()), office.actions()
    calls = len(office.state.switches.calls)
    summary = office.match()
    assert summary.newly_mapped == 0
    assert list(office.state.accounts.all()) == before
    assert office.actions() == events
    assert office.state.switches.calls[calls:] == [], "nothing changed, nothing is written"


@pytest.mark.fault("M8")
def test_M8_a_rename_keeps_the_mapping_and_is_told(office: Office) -> None:
    read_and_match(office)
    office.vendor.renames("V1", "Harbor Smiles")
    office.psa.accounts[PsaAccountId("P2")] = replace(office.psa.accounts[PsaAccountId("P2")], name="Larkspur & Co")
    summary = read_and_match(office, 2)
    assert pairs(office) == {"V1": "P1", "V2": "P2"}
    assert summary.renamed == ("V1",)
    entry = office.account("V1")
    assert entry.vendor_name == "Harbor Smiles"
    assert "renamed since it was mapped; it was Harbor Dental Group" in entry.warnings
    assert office.account("V2").psa_name == "Larkspur & Co"
    assert office.actions().count("accounts mapped") == 1


@pytest.mark.fault("M9")
def test_M9_two_accounts_that_swap_names_do_not_cross_over(office: Office) -> None:
    read_and_match(office)
    office.vendor.renames("V1", "Larkspur Legal")
    office.vendor.renames("V2", "Harbor Dental Group")
    summary = read_and_match(office, 2)
    assert pairs(office) == {"V1": "P1", "V2": "P2"}
    assert summary.renamed == ("V1", "V2")


def test_what_a_person_decided_is_never_touched(office: Office) -> None:
    read_and_match(office)
    office.psa_client(9, "Somebody Else")
    read_and_match(office, 2)
    office.map_account("V1", "P9")
    office.exclude("V2", "our own account")
    decided = {key: office.account(key) for key in ("V1", "V2")}
    read_and_match(office, 3)
    for key, entry in decided.items():
        now = office.account(key)
        assert (now.state, now.psa_id, now.decision) == (entry.state, entry.psa_id, entry.decision)
        assert now.decision is not None
        assert now.decision.by == PERSON


def test_what_was_taken_back_stays_unmapped_and_gets_suggestions(office: Office) -> None:
    read_and_match(office)
    office.clear("V1")
    summary = read_and_match(office, 2)
    entry = office.account("V1")
    assert entry.state is UNMAPPED
    assert entry.psa_id is None
    assert [suggestion.psa_id for suggestion in entry.suggestions] == ["P1"]
    assert summary.newly_mapped == 0


@pytest.mark.fault("M1")
def test_M1_two_clients_of_one_name_are_ambiguous(office: Office) -> None:
    office.psa_client(3, "Harbor Dental Group")
    read_and_match(office)
    entry = office.account("V1")
    assert entry.state is AMBIGUOUS
    assert "P1, P3" in entry.ambiguity
    assert entry.psa_id is None


@pytest.mark.fault("M1")
def test_M1_a_second_client_of_a_mapped_name_is_not_matched_by_its_name(office: Office) -> None:
    read_and_match(office)
    office.client(3, "Harbor Dental Group", 5, "5")
    read_and_match(office, 2)
    assert office.account("V1").psa_id == "P1"
    entry = office.account("V3")
    assert entry.state is AMBIGUOUS, "V3 may be the client P3, or a second account of P1"
    assert "P1" in entry.ambiguity


def test_a_name_that_is_ambiguous_no_more_is_mapped(office: Office) -> None:
    office.psa_client(3, "Harbor Dental Group")
    read_and_match(office)
    office.psa_client(3, "Harbor Dental Group", deleted=True)
    read_and_match(office, 2)
    entry = office.account("V1")
    assert (entry.state, entry.psa_id, entry.ambiguity) == (MAPPED, "P1", "")


@pytest.mark.fault("P1")
def test_P1_a_deleted_client_is_no_partner_for_anybody(office: Office) -> None:
    office.psa_client(1, "Harbor Dental Group", deleted=True)
    read_and_match(office)
    assert office.account("V1").state is UNMAPPED
    assert office.account("V1").suggestions == ()


def test_weaker_likeness_is_a_suggestion_with_its_reason(office: Office) -> None:
    office.vendor.add_account("V3", "Bramblewood Veterinary Clinic", 4)
    office.psa_client(3, "Bramblewood Vet Clinic")
    read_and_match(office)
    entry = office.account("V3")
    assert entry.state is UNMAPPED
    assert [suggestion.psa_id for suggestion in entry.suggestions] == ["P3"]
    assert entry.suggestions[0].reasons


@pytest.mark.fault("C12")
def test_C12_an_account_that_is_no_longer_listed_is_kept_and_counted_once_a_read(office: Office) -> None:
    read_and_match(office)
    office.vendor.removes("V1")
    for number in range(2, 5):
        read_and_match(office, number)
        office.match()
        entry = office.account("V1")
        assert entry.absent_runs == number - 1, "matching twice on one read counts once"
        assert (entry.state, entry.psa_id) == (MAPPED, "P1")
    office.vendor.add_account("V1", "Harbor Dental Group", 12)
    read_and_match(office, 5)
    assert office.account("V1").absent_runs == 0
    assert office.account("V1").psa_id == "P1"


@pytest.mark.fault("C13")
def test_C13_an_account_that_comes_back_under_another_id_is_not_bound_by_its_name(office: Office) -> None:
    read_and_match(office)
    office.vendor.removes("V1")
    office.vendor.add_account("V7", "Harbor Dental Group", 12)
    read_and_match(office, 2)
    assert office.account("V7").state is AMBIGUOUS
    assert office.account("V1").psa_id == "P1"


@pytest.mark.fault("C10")
def test_C10_ids_are_compared_character_by_character(office: Office) -> None:
    for account_id in ("007", "7", "a7", "A7"):
        office.vendor.add_account(account_id, f"Client {account_id}", 1)
    read_and_match(office)
    assert {"007", "7", "a7", "A7"} <= set(pairs(office))


def test_the_vendors_own_words_are_brought_up_to_date(office: Office) -> None:
    read_and_match(office)
    office.vendor.add_account("V1", "Harbor Dental Group", 12, state=AccountState.SUSPENDED)
    read_and_match(office, 2)
    assert office.account("V1").account_state is AccountState.SUSPENDED
    assert office.account("V1").psa_id == "P1"


@pytest.mark.fault("C8")
def test_C8_a_new_service_is_listed_as_unmapped_with_how_many_accounts_it_counts(office: Office) -> None:
    office.vendor.add_service("archive", "Email Archive", ServiceKind.ADDON)
    office.vendor.sets("V1", 5, "archive")
    read_and_match(office)
    services = {str(entry.service_id): entry for entry in office.state.services.all()}
    assert services["archive"].state is UNMAPPED
    assert services["archive"].accounts_counted == 1
    assert services["plan"].accounts_counted == 2


def test_a_service_that_is_no_longer_sold_keeps_its_mapping(office: Office) -> None:
    office.vendor.add_service("archive", "Email Archive", ServiceKind.ADDON)
    office.vendor.sets("V1", 5, "archive")
    read_and_match(office)
    office.map_service("archive")
    office.vendor.counts = {key: count for key, count in office.vendor.counts.items() if key[1] != "archive"}
    read_and_match(office, 2)
    assert {str(entry.service_id): entry.state for entry in office.state.services.all()} == {
        "archive": MAPPED,
        "plan": UNMAPPED,
    }


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_between_groups_is_mended_by_matching_again(office: Office, when: str) -> None:
    for number in range(3, 100):
        office.client(number, f"Client number {number}", 5, "5")
    office.state.switches.fail("accounts.save", when=when, skip=1)  # type: ignore[arg-type]
    with pytest.raises(StateUnavailable):
        read_and_match(office)
    office.match()
    assert pairs(office) == {f"V{number}": f"P{number}" for number in range(1, 100)}
    versions = {entry.version for entry in office.state.accounts.all()}
    assert versions == {1}, "nothing was stored twice"


def test_a_person_who_decides_meanwhile_wins(office: Office) -> None:
    read_and_match(office)
    office.clear("V1")
    office.psa_client(9, "Somebody Else")
    office.read_psa("2026-09-002")
    office.vendor.renames("V1", "Harbor Dental")
    office.read_vendor("2026-09-002")
    real_save = office.state.accounts.save
    decided: list[AccountEntry] = []

    def save(entries: list[AccountEntry], audits: list[object]) -> object:
        if not decided:
            decided.append(office.account("V1"))
            real_save([replace(office.account("V1"), state=MAPPED, psa_id=PsaAccountId("P9"))], [])
        return real_save(entries, audits)  # type: ignore[arg-type]

    office.state.accounts.save = save  # type: ignore[method-assign, assignment]
    office.match("2026-09-002")
    assert office.account("V1").psa_id == "P9"
    assert office.account("V1").vendor_name == "Harbor Dental"


def test_a_person_who_never_stops_deciding_is_told_to_the_caller(office: Office) -> None:
    read_and_match(office)
    office.vendor.renames("V1", "Harbor Dental")
    office.read_vendor("2026-09-002")
    office.state.switches.fail("accounts.save", VersionConflict("moved"), times=3)
    with pytest.raises(VersionConflict):
        office.match("2026-09-002")
    assert office.state.accounts.get(VendorAccountId("V1")).vendor_name == "Harbor Dental Group"
