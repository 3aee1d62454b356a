"""A file of license counts behind the LicenseReading port: strict numbers, one for each client, and their age."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.adapters.files.files_given import Desk
from trueup.adapters.files.licenses import LicenseFiles
from trueup.domain.counting import count_tenant
from trueup.domain.counting_policy import CountingPolicy
from trueup.domain.counts import Basis, Evidence, Known
from trueup.domain.errors import InputInvalid, ReadIncomplete, ResourceAbsent
from trueup.domain.exported_files import FileKind
from trueup.domain.integrations import IntegrationName
from trueup.domain.licenses import LicensePage, TenantLicenses

COUNTS = b"""Client Name,Client ID,Licensed Users,As of
Alder Dental Group,A-1,44,2026-08-30
"Birch & Rowe, LLP",A-2,0,2026-08-30
Cedar Freight Ltd,A-3,7,
"""
BY_NAME = b"Customer,Seats\nAlder Dental Group,44\nBirch Ltd,3\n"


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.give(FileKind.LICENSES, COUNTS)
    return desk


def pages_of(licenses: LicenseFiles) -> list[LicensePage]:
    pages = [licenses.read_page(None)]
    while pages[-1].next_cursor is not None:
        pages.append(licenses.read_page(pages[-1].next_cursor))
    return pages


def clients_of(desk: Desk) -> dict[str, TenantLicenses]:
    return {client.name: client for page in pages_of(desk.licenses()) for client in page.accounts}


def refused(content: bytes) -> str:
    with pytest.raises(InputInvalid) as caught:
        Desk().give(FileKind.LICENSES, content)
    return caught.value.message


def test_no_file_is_no_empty_list() -> None:
    with pytest.raises(ResourceAbsent) as caught:
        Desk().licenses().read_page(None)
    assert "trueup import licenses" in caught.value.remedy


@pytest.mark.parametrize("page_size", [1, 2, 500])
def test_pages_add_up_whatever_their_size(desk: Desk, page_size: int) -> None:
    pages = pages_of(desk.licenses(page_size))
    ids = [client.id for page in pages for client in page.accounts]
    assert ids == sorted(ids) == ["file:A-1", "file:A-2", "file:A-3"]
    assert {page.accounts_total for page in pages} == {3}
    assert {page.accounts_as_of for page in pages} == {desk.clock.now()}


def test_a_number_has_its_day_and_its_line(desk: Desk) -> None:
    alder, cedar = clients_of(desk)["Alder Dental Group"], clients_of(desk)["Cedar Freight Ltd"]
    assert alder.stated == Known(
        44,  # type: ignore[arg-type]
        Basis.LICENSE_FILE,
        datetime(2026, 8, 30, tzinfo=UTC),
        (Evidence("file of license counts", "Licensed Users", "line 2", 44),),
    )
    assert isinstance(cedar.stated, Known)
    assert cedar.stated.as_of == desk.clock.now()
    assert count_tenant(alder, CountingPolicy(minimum_seats=50)).count == alder.stated


def test_a_count_is_never_younger_than_its_file(desk: Desk) -> None:
    desk.give(FileKind.LICENSES, COUNTS.replace(b"2026-08-30", b"2027-08-30"))
    stated = clients_of(desk)["Alder Dental Group"].stated
    assert isinstance(stated, Known)
    assert stated.as_of == desk.clock.now()


def test_a_client_may_be_told_by_name_or_by_id_alone() -> None:
    desk = Desk()
    desk.give(FileKind.LICENSES, BY_NAME)
    assert {client.id for client in clients_of(desk).values()} == {"file:Alder Dental Group", "file:Birch Ltd"}
    desk.give(FileKind.LICENSES, b"Tenant ID,Users\n11111111-0000-4000-8000-000000000001,5\n")
    (client,) = clients_of(desk).values()
    assert client.name == "11111111-0000-4000-8000-000000000001"


@pytest.mark.parametrize("cell", [b"12.5", b"-3", b"1e3", b"a dozen", b"", b"99999999", b"1 200"])
@pytest.mark.fault("C4")
def test_C4_what_is_no_number_of_users_refuses_the_file(cell: bytes) -> None:
    words = refused(b"Client,Seats\nAlder,4\nBirch," + cell + b"\n")
    assert "line 3" in words
    assert "Seats" in words


@pytest.mark.fault("C9")
@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (b"Alder,A-1,4,\nAlder,A-1,5,\n", "the same client"),
        (b"Alder,A-1,4,\nBirch,A-1,5,\n", "the same client"),
        (b",,4,\n", "neither a name nor an id"),
        (b"Alder,A-1,4,30/08/2026\n", "a day that can be read in one way"),
    ],
)
def test_C9_rows_that_cannot_be_meant_refuse_the_file(rows: bytes, words: str) -> None:
    assert words in refused(b"Client Name,Client ID,Seats,As of\n" + rows)


def test_a_file_that_is_replaced_in_the_middle_of_a_read_ends_it(desk: Desk) -> None:
    mark = desk.licenses(1).read_page(None).next_cursor
    desk.give(FileKind.LICENSES, COUNTS.replace(b",44,", b",45,"))
    with pytest.raises(ReadIncomplete, match="replaced"):
        desk.licenses(1).read_page(mark)


@pytest.mark.parametrize("mark", ["", "x", "x:y", "x:-1", "x:" + "9" * 30])
def test_a_mark_of_something_else_is_refused(desk: Desk, mark: str) -> None:
    with pytest.raises((InputInvalid, ReadIncomplete)):
        desk.licenses().read_page(mark)


def test_the_check_says_how_old_the_file_is(desk: Desk) -> None:
    assert Desk().licenses().check().missing
    desk.clock.advance(9 * 24 * 3600)
    report = desk.licenses().check()
    assert not report.missing
    assert "9 days ago" in report.capabilities[0].detail
    assert "give a new one" in report.notes[0]
    assert FileKind.LICENSES.integration is IntegrationName.LICENSE_FILES
