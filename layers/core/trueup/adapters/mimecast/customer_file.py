"""The customer list that the partner portal exports (Bulk Admin Upload, Export SEG Customers), as a source of accounts.

The portal documents that the file holds account codes; its columns are not documented, so they are found by name. The
file is taken whole or not at all: every bad row is told with its line number.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from trueup.adapters.mimecast.reading import display_text
from trueup.adapters.mimecast.source_counts import SourceCount
from trueup.adapters.table_files import NotATable, bad_rows, find_table, folded_header, position
from trueup.domain.accounts import VendorAccount, VendorAccountId
from trueup.domain.counts import SEATS_MAXIMUM, Basis, Evidence
from trueup.domain.errors import InputInvalid
from trueup.domain.uploads import UPLOAD_BYTES_MAXIMUM, Upload

FIELD: Final = "customer_file"
_DIGEST_CHARACTERS = 16
_CODE_COLUMNS = ("account code", "customer account code", "mimecast account code", "code")
_NAME_COLUMNS = ("account name", "customer name", "company name", "customer", "company", "name")
_SEATS_COLUMNS = (
    "seats",
    "users",
    "user count",
    "number of users",
    "permitted users",
    "licensed users",
    "licenses",
    "licences",
    "quantity",
)
_CODE = re.compile(r"[!-~]{1,100}")
_SEATS = re.compile(r"[0-9]{1,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FileCustomer:
    """One row; ``seats`` is None where the file tells none. ``line`` is its line in the file, from 1."""

    code: str
    name: str
    seats: int | None
    line: int

    @property
    def account(self) -> VendorAccount:
        """The account as the port tells it; the file says nothing of its state."""
        return VendorAccount(VendorAccountId(self.code), self.name)

    @property
    def source_count(self) -> SourceCount:
        if self.seats is None:
            return SourceCount(Basis.MANUAL_FILE)
        evidence = Evidence("exported customer file (account-level count)", "seats", f"line {self.line}", self.seats)
        return SourceCount(Basis.MANUAL_FILE, (evidence,))


@dataclass(frozen=True, slots=True)
class CustomerFile:
    """A whole file, in its own order. ``digest`` tells it from another; ``as_of`` is when it was given, if known."""

    customers: tuple[FileCustomer, ...]
    digest: str
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Columns:
    code: int
    name: int
    seats: int | None
    width: int


def open_customer_file(upload: Upload) -> CustomerFile:
    """A kept file. What it tells is as old as the file. Raises what ``parse_customer_file`` raises."""
    return replace(parse_customer_file(upload.content), as_of=upload.uploaded_at)


def parse_customer_file(content: bytes) -> CustomerFile:
    """The customers of an exported file in UTF-8 or UTF-16, separated by comma, semicolon, tab or bar.

    Raises InputInvalid: too large, not text, no header row with an account code and a name, no customers, or bad rows
    (all of them named, the first twenty in words).
    """
    if len(content) > UPLOAD_BYTES_MAXIMUM:
        raise _invalid(f"the customer file is larger than {UPLOAD_BYTES_MAXIMUM} bytes")
    try:
        table = find_table(content, lambda cells: _columns(cells) is not None)
    except NotATable as no_table:
        raise _invalid(f"the customer file {no_table}") from None
    columns = _columns(table.header.cells) if table is not None else None
    if table is None or columns is None:
        raise _invalid("the customer file has no header row with an account code and a customer name")
    customers: list[FileCustomer] = []
    problems: list[str] = []
    lines: dict[str, int] = {}
    for row in table.rows:
        customer, problem = _customer(row.line, row.cells, columns)
        if customer is None:
            problems.append(f"line {row.line}: {problem}")
        elif customer.code in lines:
            problems.append(f"line {row.line}: the account code of line {lines[customer.code]} again")
        else:
            lines[customer.code] = row.line
            customers.append(customer)
    if problems:
        raise _invalid(bad_rows(problems, "the customer file"))
    if not customers:
        raise _invalid("the customer file lists no customers")
    return CustomerFile(tuple(customers), hashlib.sha256(content).hexdigest()[:_DIGEST_CHARACTERS])


def _columns(cells: Sequence[str]) -> _Columns | None:
    names = [folded_header(cell) for cell in cells]
    code, name = position(names, _CODE_COLUMNS), position(names, _NAME_COLUMNS)
    if code is None or name is None:
        return None
    return _Columns(code, name, position(names, _SEATS_COLUMNS), len(names))


def _customer(line: int, cells: Sequence[str], columns: _Columns) -> tuple[FileCustomer | None, str]:
    """The customer of a row, or None and what is wrong with it."""
    if len(cells) < columns.width or any(cells[columns.width :]):
        return None, f"{len(cells)} columns where the header has {columns.width}"
    code, name = cells[columns.code], display_text(cells[columns.name])
    if not _CODE.fullmatch(code):
        return None, "no account code" if not code else "an account code with spaces or letters outside ASCII"
    if not name:
        return None, "no customer name"
    text = cells[columns.seats] if columns.seats is not None else ""
    if text and (not _SEATS.fullmatch(text) or int(text) > SEATS_MAXIMUM):
        return None, "the number of users is not a whole number written in digits"
    return FileCustomer(code, name, int(text) if text else None, line), ""


def _invalid(message: str) -> InputInvalid:
    return InputInvalid(
        message, field=FIELD, remedy="Export the customers from the partner portal again and give the file unchanged."
    )
