"""Reading the PSA: the rules of the vendor's read hold, and its agreements and lines count as well."""

from __future__ import annotations

import pytest

from tests.usecases.office import Office, open_office
from trueup.domain.billing import PsaPage
from trueup.domain.errors import CredentialRejected, NotConnected, ReadIncomplete, VendorUnavailable
from trueup.domain.facts import psa_facts
from trueup.domain.integrations import IntegrationName, Side
from trueup.usecases.reading import ReadOrder, read_side


@pytest.fixture
def office() -> Office:
    """Seven clients with a line each, on pages of three, connected."""
    office = open_office(page_size=3)
    for number in range(7):
        office.client(number, f"Client {number}", 10, "10")
    office.connect_both()
    return office


def test_a_whole_read_holds_clients_agreements_and_lines(office: Office) -> None:
    snapshot = office.read_psa().snapshot
    assert snapshot is not None
    facts = psa_facts(office.state.snapshots.psa_pages(snapshot))
    assert (len(facts.accounts), len(facts.agreements), len(facts.lines)) == (7, 7, 7)
    assert (snapshot.accounts, snapshot.records) == (7, 21)
    assert office.actions()[-1] == "psa read"


def test_nothing_connected_names_the_command() -> None:
    with pytest.raises(NotConnected) as caught:
        open_office().read_psa()
    assert "trueup connect connectwise" in caught.value.remedy


def test_a_read_in_pieces_says_the_same_as_one_in_one_go(office: Office) -> None:
    whole = office.read_psa("2026-09-001").snapshot
    pieces = office.read_psa("2026-09-002", stop_at_seconds=0.0)
    while pieces.snapshot is None:
        pieces = office.read_psa("2026-09-002", stop_at_seconds=0.0)
    assert whole is not None
    assert pieces.snapshot.digest == whole.digest
    assert pieces.snapshot.records == whole.records


def test_a_read_that_began_at_another_psa_begins_anew(office: Office) -> None:
    """Pages of two systems are never one snapshot."""
    begun = office.read_psa(stop_at_seconds=0.0)
    assert (begun.snapshot, begun.progress.pages) == (None, 1)
    office.connect(IntegrationName.CONNECTWISE, company_id="acmemsp_sandbox", switch=True)
    office.clock.advance(60)
    whole = office.read_psa().snapshot
    assert whole is not None
    assert whole.started_at == office.clock.now()
    assert whole.system.endswith("acmemsp_sandbox")
    assert len(whole.pages) == len(set(whole.pages))


def test_a_run_that_had_read_another_psa_reads_the_one_that_is_connected_now(office: Office) -> None:
    first = office.read_psa().snapshot
    office.connect(IntegrationName.CONNECTWISE, company_id="acmemsp_sandbox", switch=True)
    office.clock.advance(60)
    second = office.read_psa().snapshot
    assert first is not None
    assert second is not None
    assert (first.system == second.system, second.started_at > first.started_at) == (False, True)


@pytest.mark.fault("T15")
def test_T15_agreements_that_do_not_add_up_are_incomplete(office: Office) -> None:
    def read_page(cursor: str | None) -> PsaPage:
        page = office.psa.read_page(cursor)
        total = None if page.agreements_total is None else page.agreements_total + 1
        return PsaPage(
            page.accounts, page.agreements, page.lines, page.next_cursor, page.accounts_total, agreements_total=total
        )

    with pytest.raises(ReadIncomplete, match="there are 8 agreements and sent 7"):
        read_side(
            ReadOrder("2026-09", "2026-09-001", "dana"),
            integration=IntegrationName.CONNECTWISE,
            read_page=read_page,
            snapshots=office.state.snapshots,
            checkpoints=office.state.checkpoints,
            clock=office.clock,
        )
    assert office.state.snapshots.latest(Side.PSA) is None


@pytest.mark.fault("C7")
def test_C7_agreements_that_vanish_while_the_clients_stay_are_not_believed(office: Office) -> None:
    full = office.read_psa().snapshot
    office.psa.agreements.clear()
    office.psa.lines.clear()
    with pytest.raises(ReadIncomplete, match="listed 7 accounts, agreements and lines, last time it was 21"):
        office.read_psa("2026-09-002")
    assert office.state.snapshots.latest(Side.PSA) == full
    assert office.read_psa("2026-09-002", accept_drop=True).snapshot is not None


@pytest.mark.fault("T23")
def test_T23_a_day_without_the_psa_changes_nothing_and_the_next_day_converges(office: Office) -> None:
    full = office.read_psa().snapshot
    office.psa.fail_always("read_page", VendorUnavailable("no answer", integration="connectwise"))
    for run in range(2, 26):
        office.clock.advance(3600)
        with pytest.raises(VendorUnavailable):
            office.read_psa(f"2026-09-{run:03d}")
        assert office.state.snapshots.latest(Side.PSA) == full
    office.psa._lasting_errors.clear()
    again = office.read_psa("2026-09-026").snapshot
    assert again is not None
    assert full is not None
    assert again.digest == full.digest


@pytest.mark.fault("T17")
def test_T17_a_rejected_credential_is_asked_once(office: Office) -> None:
    office.psa.fail_always("read_page", CredentialRejected("no", integration="connectwise", status=401))
    with pytest.raises(CredentialRejected):
        office.read_psa()
    assert office.psa.calls["read_page"] == 1
