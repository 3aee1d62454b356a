"""Files behind the two ports: complete pages, no write, and their age told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.adapters.files.files_given import ACCOUNTS, COUNTS, LINES, Desk, psa_pages, vendor_pages
from trueup.domain.accounts import AccountState, VendorAccountId
from trueup.domain.billing import AgreementId, AgreementState, LineId, LineReference, WriteOutcome
from trueup.domain.counts import Seats
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.errors import InputInvalid, ReadIncomplete, ResourceAbsent
from trueup.domain.exported_files import FileKind
from trueup.domain.integrations import IntegrationName

A, C, L = FileKind.ACCOUNTS, FileKind.COUNTS, FileKind.LINES


@pytest.fixture
def desk() -> Desk:
    """With everything given."""
    desk = Desk()
    for kind, content in ((A, ACCOUNTS), (C, COUNTS), (L, LINES)):
        desk.give(kind, content)
    return desk


# Reading.


def test_no_file_is_no_empty_list() -> None:
    desk = Desk()
    for read in (desk.vendor().read_page, desk.psa().read_page):
        with pytest.raises(ResourceAbsent) as caught:
            read(None)
        assert "trueup import" in caught.value.remedy


@pytest.mark.parametrize("page_size", [1, 2, 3, 500])
def test_pages_add_up_whatever_their_size(desk: Desk, page_size: int) -> None:
    pages = vendor_pages(desk.vendor(page_size))
    assert [account.id for page in pages for account in page.accounts] == ["CSIM10B202", "CSIM10B203", "CSIM10B204"]
    assert {page.accounts_total for page in pages} == {3}
    assert sum(len(page.counts) for page in pages) == 3
    psa = psa_pages(desk.psa(page_size))
    assert {page.agreements_total for page in psa} == {3}
    assert sum(len(page.lines) for page in psa) == sum(len(page.agreements) for page in psa) == 3


def test_the_same_mark_gives_the_same_page(desk: Desk) -> None:
    vendor = desk.vendor(1)
    mark = vendor.read_page(None).next_cursor
    assert vendor.read_page(mark) == vendor.read_page(mark) == desk.vendor(1).read_page(mark)


def test_a_file_that_is_replaced_in_the_middle_of_a_read_ends_it(desk: Desk) -> None:
    vendor_mark, psa_mark = desk.vendor(1).read_page(None).next_cursor, desk.psa(1).read_page(None).next_cursor
    desk.give(C, COUNTS.replace(b"118", b"119"))
    desk.give(L, LINES.replace(b"118.00", b"119.00"))
    with pytest.raises(ReadIncomplete, match="replaced"):
        desk.vendor(1).read_page(vendor_mark)
    with pytest.raises(ReadIncomplete, match="replaced"):
        desk.psa(1).read_page(psa_mark)


@pytest.mark.parametrize("mark", ["", "x", "x:y", "x:-1", ":", "api:0", "x:" + "9" * 30])
def test_a_mark_of_something_else_is_refused(desk: Desk, mark: str) -> None:
    for read in (desk.vendor().read_page, desk.psa().read_page):
        with pytest.raises((InputInvalid, ReadIncomplete)):
            read(mark)


@pytest.mark.fault("C15")
def test_C15_states_come_from_the_file_and_an_unknown_word_is_kept(desk: Desk) -> None:
    desk.give(A, ACCOUNTS.replace(b'LLP",', b'LLP",NFR'))
    told = {account.id: (account.state, account.status_text) for account in desk.vendor_facts().accounts}
    assert told == {
        "CSIM10B202": (AccountState.ACTIVE, "Active"),
        "CSIM10B203": (AccountState.UNKNOWN, "NFR"),
        "CSIM10B204": (AccountState.PENDING, "In Progress"),
    }


def test_an_account_without_a_count_has_none(desk: Desk) -> None:
    assert "CSIM10B204" not in {count.account_id for count in desk.vendor_facts().counts}


def test_counts_of_an_account_the_list_lacks_are_not_lost(desk: Desk) -> None:
    desk.give(C, COUNTS + b"CSIM10B299,Email Security S1,5\n")
    facts = desk.vendor_facts()
    assert VendorAccountId("CSIM10B299") in {account.id for account in facts.accounts}


def test_seats_in_the_list_of_accounts_count_where_the_counts_are_silent(desk: Desk) -> None:
    desk.give(A, b"Account Code,Account Name,Users\nCSIM10B202,Alder,40\nCSIM10B204,Cedar,9\n")
    told = {(count.account_id, count.service_id) for count in desk.vendor_facts().counts}
    assert ("CSIM10B204", "account") in told
    assert ("CSIM10B202", "account") not in told


def test_lines_are_of_agreements_that_are_active(desk: Desk) -> None:
    facts = desk.psa_facts()
    assert {agreement.state for agreement in facts.agreements} == {AgreementState.ACTIVE}
    line = facts.lines[0]
    assert (line.quantity, line.unit_price, line.product_code) == (Decimal("44.00"), Decimal("4.25"), "MIME-EMAIL")
    assert facts.agreements[0].currency == "USD"


# Age.


def test_how_old_the_files_are_goes_with_every_page(desk: Desk) -> None:
    given = desk.clock.now()
    desk.clock.advance(9 * 86_400)
    desk.give(C, COUNTS)
    assert {page.accounts_as_of for page in vendor_pages(desk.vendor(1))} == {given}
    assert {page.accounts_as_of for page in psa_pages(desk.psa(1))} == {given}
    report = desk.psa().check()
    assert report.capabilities[0].detail == "3 rows, given 2026-09-01, 9 days ago"
    assert any("lines was given 9 days ago" in note for note in report.notes)
    assert not any("of counts was" in note for note in desk.vendor().check().notes)


def test_a_check_says_which_file_is_lacking_and_how_to_give_it() -> None:
    desk = Desk()
    assert [one.permission for one in desk.psa().check().missing] == ["trueup import lines FILE.csv"]
    desk.give(A, ACCOUNTS)
    assert [one.name for one in desk.vendor().check().missing] == ["counts"]


# Products and writes.


def test_products_are_those_of_the_lines(desk: Desk) -> None:
    (product,) = desk.psa().search_products("mime")
    assert (product.id, product.code, product.name) == ("MIME-EMAIL", "MIME-EMAIL", "Email security")
    assert desk.psa().search_products("nothing") == ()
    for bad in ("", "  "):
        with pytest.raises(InputInvalid):
            desk.psa().search_products(bad)


def test_nothing_is_written_and_a_person_is_told_what_to_enter(desk: Desk) -> None:
    line = desk.psa_facts().lines[0]
    reference = LineReference(line.agreement_id, line.id, line.product_id)
    result = desk.psa().set_quantity(reference, expected=line.quantity, expected_version="", target=Seats(46))
    assert result.outcome is WriteOutcome.REJECTED
    assert "enter it in the PSA by hand (44 -> 46)" in result.reason
    assert desk.psa().read_line(reference).line.quantity == 44
    same = desk.psa().set_quantity(reference, expected=line.quantity, expected_version="", target=Seats(44))
    assert same.outcome is WriteOutcome.ALREADY
    gone = LineReference(AgreementId("none"), LineId("none"))
    assert desk.psa().set_quantity(gone, expected=Decimal(1), expected_version="", target=Seats(2)).outcome is (
        WriteOutcome.REJECTED
    )
    with pytest.raises(ResourceAbsent):
        desk.psa().read_line(gone)
    assert not PSA_CAPABILITIES[IntegrationName.PSA_FILES].takes_writes


def test_a_client_name_of_two_clients_says_nothing_of_whose_a_line_is(desk: Desk) -> None:
    desk.give(FileKind.CLIENTS, b"Client ID,Client Name\n1,Dovetail Ltd\n2,Dovetail Ltd\n")
    with pytest.raises(InputInvalid, match="more than one client of the name on line 4"):
        desk.psa_facts()
