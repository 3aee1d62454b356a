"""Exported files: header and columns found and confirmed; every bad row told by line and column; all or nothing."""

from __future__ import annotations

import codecs
from decimal import Decimal

import pytest

from tests.adapters.files.files_given import ACCOUNTS, COUNTS, LINES, Desk
from trueup.domain.billing import ProductId, PsaAccountId
from trueup.domain.counts import Basis, Known
from trueup.domain.errors import Conflict, InputInvalid
from trueup.domain.exported_files import FileKind
from trueup.usecases.file_import import forget_file, given_file, given_files, look_at_file

A, C, L, CL, P = FileKind.ACCOUNTS, FileKind.COUNTS, FileKind.LINES, FileKind.CLIENTS, FileKind.PRODUCTS


@pytest.fixture
def desk() -> Desk:
    return Desk()


def refused(desk: Desk, kind: FileKind, content: bytes, **columns: str) -> str:
    """What is said of a file that is not taken; the file before stays."""
    before = desk.uploads.get(kind.upload_name)
    with pytest.raises(InputInvalid) as caught:
        desk.give(kind, content, columns)
    assert desk.uploads.get(kind.upload_name) == before
    return caught.value.message


# Header and columns.


def test_the_header_is_found_below_what_a_portal_writes_above_it(desk: Desk) -> None:
    given = desk.give(A, ACCOUNTS)
    assert given.columns == {"account_id": "Account Code", "account_name": "Account Name", "status": "Status"}
    assert given.upload is not None
    assert given.upload.rows == 3


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda text: text.encode(), id="utf-8"),
        pytest.param(lambda text: codecs.BOM_UTF8 + text.encode(), id="utf-8 with a mark"),
        pytest.param(lambda text: text.encode("utf-16"), id="utf-16"),
        pytest.param(lambda text: text.encode("utf-16-le"), id="utf-16 without a mark"),
        pytest.param(lambda text: text.encode("utf-16-be"), id="utf-16 the other way round"),
        pytest.param(lambda text: text.encode("cp1252"), id="cp1252"),
    ],
)
def test_separator_and_encoding_are_found(desk: Desk, separator: str, encode: object) -> None:
    assert callable(encode)
    rows = [("Account Code", "Account Name", "Users"), ("A1", "Bäckerei Grün €", "5"), ("A2", "Élan", "6")]
    desk.give(A, encode("\r\n".join(separator.join(row) for row in rows)))
    assert [account.name for account in desk.vendor_facts().accounts] == ["Bäckerei Grün €", "Élan"]


def test_columns_nobody_has_seen_are_shown_and_not_taken(desk: Desk) -> None:
    with pytest.raises(Conflict) as caught:
        desk.give(A, ACCOUNTS, is_confirmed=False)
    assert 'account code from "Account Code"' in caught.value.message
    assert desk.uploads.get(A.upload_name) is None


def test_confirmed_columns_are_remembered_for_the_next_file_of_the_kind(desk: Desk) -> None:
    file = b"Tenant,Who,Anzahl\nA1,Alder,5\n"
    assert look_at_file(C, file, columns={}, files=desk.tables, uploads=desk.uploads).missing == ("account_id", "seats")
    columns = {"account_id": "Tenant", "account_name": "Who", "seats": "Anzahl"}
    desk.give(C, file, columns)
    look = look_at_file(C, b"Anzahl,Tenant,Who\n7,A1,Alder\n", columns={}, files=desk.tables, uploads=desk.uploads)
    assert look.remembered
    desk.give(C, b"Anzahl,Tenant,Who\n7,A1,Alder\n", is_confirmed=False)
    assert given_file(C, uploads=desk.uploads).columns == columns
    (count,) = desk.vendor_facts().counts
    assert isinstance(count.count, Known)
    assert count.count.seats == 7
    assert count.count.evidence[0].key == "Anzahl"


def test_another_export_of_the_kind_is_confirmed_anew(desk: Desk) -> None:
    desk.give(C, b"Tenant,Anzahl\nA1,5\n", {"account_id": "Tenant", "seats": "Anzahl"})
    with pytest.raises(Conflict):
        desk.give(C, COUNTS, is_confirmed=False)


def test_a_column_that_is_said_to_be_none_stays_none(desk: Desk) -> None:
    file = b"Client,Product,Quantity,Start Date\nAlder,MIME,5,09/01/2026\n"
    assert "column 'Start Date' is not a day that can be read in one way" in refused(desk, L, file)
    desk.give(L, file, {"starts_on": ""})
    assert desk.psa_facts().lines[0].effective_from is None


def test_a_column_that_is_not_there_is_named_with_those_that_are(desk: Desk) -> None:
    assert "no column 'Sitze'" in refused(desk, C, COUNTS, seats="Sitze")
    assert "no field 'colour'" in refused(desk, C, COUNTS, colour="Seats")
    assert "taken for account_id and for seats" in refused(desk, C, COUNTS, account_id="Seats", seats="Seats")


def test_two_columns_of_one_name_are_not_guessed_between(desk: Desk) -> None:
    assert "two columns are called 'Users'" in refused(
        desk, A, b"Account Code,Account Name,Users,Users\nA1,Alder,5,6\n"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no row of the file has two columns"),
        (b"hello\n", "no row of the file has two columns"),
        (b"Account Code,Account Name\n", "no rows"),
        (b'Account Code,Account Name\n"A1,Alder\n', "quote"),
        (b"Account Code,Account Name\nA1,nul\x00name\n", "NUL"),
        (b"x" * (5 * 1024 * 1024), "larger than 5 MB"),
        (b"One,Two\n1,2\n", "no column for: account code, account name"),
    ],
)
def test_what_is_no_such_table_is_refused_with_the_reason(desk: Desk, content: bytes, words: str) -> None:
    assert words in refused(desk, A, content)


# Rows.


def test_every_bad_row_is_told_by_line_and_column_and_nothing_is_taken(desk: Desk) -> None:
    desk.give(C, COUNTS)
    message = refused(
        desk,
        C,
        b"Account Code,Product,Seats\n"
        b"A1,Mail,5\n"
        b",Mail,5\n"
        b"A2,Mail,\n"
        b"A3,Mail,1.5\n"
        b'A4,Mail,"1,234"\n'
        b"A5,Mail,-1\n"
        b"A6,Mail,10000001\n"
        b"A1,Mail,6\n"
        b"A7\n"
        b"A8,Mail,5,more\n"
        b"A9,Mail,\xd9\xa1\n",
    )
    assert "10 bad rows" in message
    for words in (
        "line 3: column 'Account Code' is empty",
        "line 4: column 'Seats' is empty",
        "line 5: column 'Seats' is not a whole number written in digits",
        "line 6: column 'Seats' is not",
        "line 7: column 'Seats' is not",
        "line 8: column 'Seats' is not",
        "line 9: the same account and service as line 2",
        "line 10: 1 columns where the header has 3",
        "line 11: 4 columns where the header has 3",
        "line 12: column 'Seats' is not",
    ):
        assert words in message


def test_lines_are_counted_through_quoted_line_breaks(desk: Desk) -> None:
    message = refused(desk, C, b'Account Code,Product,Seats\nA1,"two\nlines",5\nA2,Mail,x\n')
    assert "line 4: column 'Seats'" in message


def test_an_id_with_two_names_is_a_contradiction(desk: Desk) -> None:
    message = refused(desk, L, b"Client Id,Client Name,Product,Quantity\n1,Alder,M,5\n1,Birch,N,5\n")
    assert "line 3: another name of the client than line 2 has for the same id of the client" in message


def test_a_line_that_is_there_twice_is_named_and_one_that_differs_is_another(desk: Desk) -> None:
    assert "line 3: the same line as line 2" in refused(desk, L, b"Client,Product,Quantity\nAlder,M,5\nAlder,M,5\n")
    assert "line 3: the same line as line 2" in refused(
        desk, L, b"Line Id,Client,Product,Quantity\n7,Alder,M,5\n7,Alder,N,6\n"
    )
    desk.give(L, b"Client,Product,Quantity\nAlder,M,5\nAlder,M,6\n")
    assert [line.id for line in desk.psa_facts().lines] == ["Alder / all lines / M", "Alder / all lines / M / 2"]


# Numbers and money.


@pytest.mark.fault("C17")
@pytest.mark.parametrize(
    ("cells", "amounts"),
    [
        (["4.25", "4"], ["4.25", "4"]),
        (["4,25", "1.234,50", "1.234"], ["4.25", "1234.50", "1234"]),
        (["4.25", "1,234.50", "1,234"], ["4.25", "1234.50", "1234"]),
        (["0.125"], ["0.125"]),
        (["0,0625"], ["0.0625"]),
        (["$4.25", "-4.25", "$-1.50"], ["4.25", "-4.25", "-1.50"]),
        (["4.25 USD", "US$ 1"], ["4.25", "1"]),
        (["1234.567"], ["1234.567"]),
    ],
)
def test_C17_prices_are_exact_decimals_in_either_notation(desk: Desk, cells: list[str], amounts: list[str]) -> None:
    rows = "".join(f'Alder,M{number},5,"{cell}"\n' for number, cell in enumerate(cells))
    desk.give(L, f"Client,Product,Quantity,Price\n{rows}".encode())
    assert [line.unit_price for line in desk.psa_facts().lines] == [Decimal(amount) for amount in amounts]


@pytest.mark.fault("C17")
@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("1,234", "can be read in two ways"),
        ("1.234", "can be read in two ways"),
        ("1,23,4", "is not a number"),
        ("4.25.1", "is not a number"),
        ("four", "is not an amount"),
        ("1e3", "is not an amount"),
        ("(4.25)", "is not an amount"),
        ("4.25 EUR £", "is not an amount"),
        ("€4.25", "is in EUR, and the currency of the row is USD"),
        ("NaN", "is not an amount"),
        ("99999999999999999999", "more digits"),
    ],
)
def test_C17_what_is_no_amount_or_of_another_currency_is_refused(desk: Desk, cell: str, words: str) -> None:
    message = refused(desk, L, f'Client,Product,Quantity,Price,Currency\nAlder,M,5,"{cell}",USD\n'.encode())
    assert "line 2: column 'Price'" in message
    assert words in message


@pytest.mark.fault("C17")
def test_C17_currencies_are_equal_within_an_agreement(desk: Desk) -> None:
    file = b"Client,Agreement,Product,Quantity,Price,Currency\nA,X,M,5,4.25,USD\nA,X,N,5,4.25,EUR\nA,Y,M,5,1.50,EUR\n"
    assert "line 3: EUR, and line 2 of the same agreement is in USD" in refused(desk, L, file)
    desk.give(L, file.replace(b"A,X,N,5,4.25,EUR\n", b""))
    assert [one.currency for one in desk.psa_facts().agreements] == ["USD", "EUR"]


@pytest.mark.fault("C17")
def test_C17_a_bare_dollar_is_the_msps_own_or_nobodys() -> None:
    file = b"Client,Product,Quantity,Price\nAlder,M,5,$4.25\n"
    for currency in ("USD", "CAD"):
        desk = Desk(currency)
        desk.give(L, file)
        assert desk.psa_facts().agreements[0].currency == currency
    assert "does not say whose" in refused(Desk("GBP"), L, file)


@pytest.mark.parametrize(
    ("cell", "quantity"), [("12", "12"), ("12.00", "12.00"), ("12,50", "12.50"), ("-1", "-1"), ("0", "0")]
)
def test_quantities_are_kept_as_they_are(desk: Desk, cell: str, quantity: str) -> None:
    desk.give(L, f'Client,Product,Quantity\nAlder,M,"{cell}"\n'.encode())
    assert desk.psa_facts().lines[0].quantity == Decimal(quantity)


@pytest.mark.parametrize("cell", ["twelve", "12 users", "1e2", "0x10", "--1", "1.000", "\u0661\u0662"])
def test_what_is_no_quantity_is_refused(desk: Desk, cell: str) -> None:
    assert "line 2: column 'Quantity'" in refused(desk, L, f'Client,Product,Quantity\nAlder,M,"{cell}"\n'.encode())


@pytest.mark.parametrize(
    ("cell", "day"), [("2026-09-01", "2026-09-01"), ("1.9.2026", "2026-09-01"), ("01-Sep-2026", "2026-09-01"),
                      ("2026-09-01T00:00:00Z", "2026-09-01")]
)  # fmt: skip
def test_days_that_can_be_read_in_one_way(desk: Desk, cell: str, day: str) -> None:
    desk.give(L, f"Client,Product,Quantity,Start Date\nAlder,M,5,{cell}\n".encode())
    assert str(desk.psa_facts().lines[0].effective_from) == day


@pytest.mark.parametrize("cell", ["01/09/2026", "2026-02-30", "yesterday", "1.2.26", "32 Sep 2026"])
def test_other_days_are_refused(desk: Desk, cell: str) -> None:
    message = refused(desk, L, f"Client,Product,Quantity,Start Date\nAlder,M,5,{cell}\n".encode())
    assert "line 2: column 'Start Date' is not a day that can be read in one way" in message


@pytest.mark.fault("C18")
def test_C18_hostile_names_are_kept_and_hostile_ids_are_refused(desk: Desk) -> None:
    names = ["=HYPERLINK(1)", "\u202eevil", "x" * 20_000, "a\u200bb", "\ufeffmark"]
    rows = "".join(f'A{number},"{name}",5\n' for number, name in enumerate(names))
    desk.give(A, f"Account Code,Account Name,Users\n{rows}".encode())
    told = [account.name for account in desk.vendor_facts().accounts]
    assert told == [names[0], names[1], "x" * 10_000, names[3], names[4]]
    for bad in ("\u202eA1", "A" * 257, "A\u200b1"):
        assert "line 2: column 'Account Code'" in refused(desk, A, f"Account Code,Account Name\n{bad},Alder\n".encode())
    assert "not text" in refused(desk, A, "Account Code,Account Name\nA1,\ud800\n".encode("utf-16", "surrogatepass"))


# What is kept.


def test_what_is_given_forgotten_and_how_old_it_is(desk: Desk) -> None:
    desk.give(A, ACCOUNTS)
    assert {one.kind for one in given_files(uploads=desk.uploads) if one.upload is not None} == {A}
    for is_there in (True, False):
        assert forget_file(A, actor="dana", uploads=desk.uploads, clock=desk.clock) is is_there
    assert given_file(A, uploads=desk.uploads).upload is None


def test_clients_and_products_are_taken_beside_the_lines(desk: Desk) -> None:
    desk.give(L, LINES)
    desk.give(CL, b"Client ID,Client Name\n271,Alder Dental Group\n272,Nobody Yet\n")
    desk.give(P, b"Product Code,Name,Price\nMIME-EMAIL,Mimecast Email Security,5.00\nMIME-AWARE,Awareness,1.50\n")
    facts = desk.psa_facts()
    assert {account.id: account.name for account in facts.accounts} == {
        "271": "Alder Dental Group", "272": "Nobody Yet", "Birch & Rowe, LLP": "Birch & Rowe, LLP",
        "Dovetail Ltd": "Dovetail Ltd",
    }  # fmt: skip
    assert facts.lines[0].account_id == PsaAccountId("271")
    (found, *_) = desk.psa().search_products("MIME-AWARE")
    assert (found.id, found.price) == (ProductId("MIME-AWARE"), Decimal("1.50"))


def test_counts_say_where_they_are_from(desk: Desk) -> None:
    desk.give(A, ACCOUNTS)
    desk.give(C, COUNTS)
    facts = desk.vendor_facts(page_size=1)
    assert [(count.account_id, count.service_id) for count in facts.counts] == [
        ("CSIM10B202", "Awareness Training"), ("CSIM10B202", "Email Security S1"), ("CSIM10B203", "Email Security S1"),
    ]  # fmt: skip
    known = facts.counts[1].count
    assert isinstance(known, Known)
    assert (known.basis, known.as_of) == (Basis.MANUAL_FILE, desk.clock.now())
    assert (known.evidence[0].source, known.evidence[0].reference) == ("file of counts", "line 2")
