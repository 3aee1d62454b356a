"""The exported customer list: taken whole or not at all."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.mimecast.mimecast_connected import CUSTOMERS, GIVEN_AT, a_world, an_account, connected, contract
from trueup.adapters.mimecast.customer_file import parse_customer_file
from trueup.domain.accounts import AccountState
from trueup.domain.counts import Basis, Known, Missing
from trueup.domain.errors import InputInvalid, PermissionMissing, ReadIncomplete, VendorUnavailable

PLAIN = 'Account Code,Account Name,Users\nCSIM10B1,Alder & Co,46\nCSIM10B2,"Birch, Rowe",\n'


def rows_of(content: bytes | str) -> list[tuple[str, str, int | None, int]]:
    found = parse_customer_file(content.encode() if isinstance(content, str) else content)
    return [(one.code, one.name, one.seats, one.line) for one in found.customers]


EXPECTED = [("CSIM10B1", "Alder & Co", 46, 2), ("CSIM10B2", "Birch, Rowe", None, 3)]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(PLAIN.encode(), id="plain"),
        pytest.param(codecs.BOM_UTF8 + PLAIN.encode(), id="byte order mark"),
        pytest.param(PLAIN.encode("utf-16"), id="UTF-16"),
        pytest.param(PLAIN.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(b'account code;account name;USERS\nCSIM10B1;Alder & Co;46\nCSIM10B2;"Birch, Rowe";\n', id=";"),
        pytest.param(
            b"Account_Code\tAccountName\tuser count\nCSIM10B1\tAlder & Co\t46\nCSIM10B2\tBirch, Rowe\t\n", id="tab"
        ),
        pytest.param(
            b'Region,Customer Name,Account Code,Seats\nus,Alder & Co,CSIM10B1,46\nuk,"Birch, Rowe",CSIM10B2,\n',
            id="other order",
        ),
    ],
)
def test_every_dialect_reads_the_same(content: bytes) -> None:
    assert rows_of(content) == EXPECTED


def test_title_lines_before_the_header_and_blank_lines_are_passed_over() -> None:
    content = f"SEG Customers\nexported 2026-09-01\n\n{PLAIN}\n,,\n"
    assert [row[3] for row in rows_of(content)] == [5, 6]


def test_line_numbers_count_the_lines_of_the_file_also_after_a_name_over_two_lines() -> None:
    content = 'Account Code,Account Name\nA1,"Two\nlines"\nA2,Next\n'
    assert [(row[0], row[3]) for row in rows_of(content)] == [("A1", 2), ("A2", 4)]


def test_every_bad_row_is_told_with_its_line_and_none_is_taken() -> None:
    content = (
        "Account Code,Account Name,Users\n"
        "A1,Good,5\n"
        ",No code,5\n"
        "A3,,5\n"
        'A4,Comma,"1,234"\n'
        "A5,Decimal,12.0\n"
        "A6,Negative,-1\n"
        "A1,Again,5\n"
        "A8,Short\n"
        "A9,Long,5,more\n"
        "A 10,Space,5\n"
        "A11,Too many,99999999\n"
    )
    with pytest.raises(InputInvalid) as caught:
        parse_customer_file(content.encode())
    told = str(caught.value)
    assert caught.value.field == "customer_file"
    assert "10 bad rows" in told
    for part in (
        "line 3: no account code",
        "line 4: no customer name",
        "line 5: the number of users",
        "line 6: the number of users",
        "line 7: the number of users",
        "line 8: the account code of line 2 again",
        "line 9: 2 columns where the header has 3",
        "line 10: 4 columns",
        "line 11: an account code with spaces",
        "line 12: the number of users",
    ):
        assert part in told


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"just text\n",
        b"Account Code,Users\nA1,5\n",
        b"Account Code,Account Name\n",
        b'Account Code,Account Name\nA1,"no end\n',
        b"Account Code,Account Name\nA1,\xff\xfe\xfd\n",
        b"Account Code,Account Name\nA1,nul\x00name\n",
        b"PK\x03\x04 an xlsx file",
        b"a" * (5 * 1024 * 1024 + 1),
    ],
)
def test_what_is_no_customer_list_is_refused(content: bytes) -> None:
    with pytest.raises(InputInvalid) as caught:
        parse_customer_file(content)
    assert caught.value.remedy


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for candidate in (content, b"Account Code,Account Name,Users\n" + content):
        try:
            customers = parse_customer_file(candidate).customers
        except InputInvalid:
            continue
        assert all(one.code and one.name for one in customers)


def test_the_file_stands_in_where_the_list_may_not_be_read() -> None:
    accounts = [an_account(number, partner_seats=None, account_seats=None) for number in (1, 2)]
    with connected(a_world(*accounts), customer_file=PLAIN.encode(), page_size=1) as running:
        running.simulator.faults.add("status", path=CUSTOMERS, status=403, times=0)
        first, second = running.pages()
        assert running.asked("GET", CUSTOMERS) == 1
    assert [first.accounts[0].name, second.accounts[0].name] == ["Alder & Co", "Birch, Rowe"]
    assert first.accounts[0].state is AccountState.UNKNOWN
    assert first.accounts_total == second.accounts_total == 2
    count = first.counts[0].count
    assert isinstance(count, Known)
    assert (count.seats, count.basis) == (46, Basis.MANUAL_FILE)
    assert count.evidence[0].reference == "line 2"
    assert count.as_of == first.accounts_as_of == second.accounts_as_of == GIVEN_AT, "it is as old as the file"
    assert isinstance(second.counts[0].count, Missing)


def test_contracts_are_believed_before_the_file() -> None:
    world = a_world(an_account(1, partner_seats=None))
    contract(world, "CSIM10B1", ("9702", 40))
    with connected(world, customer_file=PLAIN.encode()) as running:
        running.simulator.faults.add("status", path=CUSTOMERS, status=404, times=0)
        counts = running.counts()
    count = counts["CSIM10B1", "9702"]
    assert isinstance(count, Known)
    assert (count.seats, count.basis) == (40, Basis.CONTRACT)
    assert count.conflict == "the contract says 40, but the exported customer file says 46"
    assert count.as_of > GIVEN_AT


def test_a_list_that_can_be_read_is_not_added_to_from_the_file() -> None:
    with connected(a_world(an_account(1, partner_seats=46, account_seats=46)), customer_file=PLAIN.encode()) as running:
        [page] = running.pages()
    assert [account.id for account in page.accounts] == ["CSIM10B1"]
    assert page.accounts_as_of is None


def test_where_the_list_can_be_read_the_file_fills_silence_and_contradicts_nobody() -> None:
    silent, speaking = an_account(1, partner_seats=None, account_seats=None), an_account(2, partner_seats=12)
    file = b"Account Code,Account Name,Users\nCSIM10B1,Alder & Co,46\nCSIM10B2,Birch,99\n"
    with connected(a_world(silent, speaking), customer_file=file) as running:
        counts = {account: count for (account, _), count in running.counts().items()}
    filled, read = counts["CSIM10B1"], counts["CSIM10B2"]
    assert isinstance(filled, Known)
    assert isinstance(read, Known)
    assert (filled.seats, filled.basis, filled.as_of) == (46, Basis.MANUAL_FILE, GIVEN_AT)
    assert (read.seats, read.basis) == (12, Basis.PARTNER_CUSTOMER)
    assert "file" not in (read.conflict or "")


@pytest.mark.parametrize("other", [None, PLAIN.replace("46", "47").encode()])
def test_a_read_is_not_finished_with_another_file_than_it_was_begun_with(other: bytes | None) -> None:
    world = a_world(*[an_account(number) for number in (1, 2)])
    with connected(world, customer_file=PLAIN.encode(), page_size=1) as running:
        running.simulator.faults.add("status", path=CUSTOMERS, status=403, times=0)
        cursor = running.vendor.read_page(None).next_cursor
    with connected(world, customer_file=other, page_size=1) as running, pytest.raises(ReadIncomplete, match="replaced"):
        running.vendor.read_page(cursor)


def test_the_file_does_not_hide_trouble_that_passes() -> None:
    with connected(a_world(an_account(1)), customer_file=PLAIN.encode()) as running:
        running.simulator.faults.add("status", path=CUSTOMERS, status=500, times=0)
        with pytest.raises(VendorUnavailable):
            running.vendor.read_page(None)


def test_a_list_lost_in_the_middle_is_not_finished_from_the_file() -> None:
    accounts = [an_account(number) for number in (1, 2, 3)]
    with connected(a_world(*accounts), customer_file=PLAIN.encode(), page_size=1) as running:
        cursor = running.vendor.read_page(None).next_cursor
        running.simulator.partner_allowed = False
        with pytest.raises(PermissionMissing):
            running.vendor.read_page(cursor)
