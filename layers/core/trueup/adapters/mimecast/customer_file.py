"""The customer list that the partner portal exports (Bulk Admin Upload, Export SEG Customers), as a source of accounts.

The portal documents that the file holds account codes; its columns are not documented, so they are found by name. The
file is taken whole or not at all: every bad row is told with its line number.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from trueup.adapters.mimecast.reading import display_text
from trueup.adapters.mimecast.source_counts import SourceCount
from trueup.domain.accounts import VendorAccount, VendorAccountId
from trueup.domain.counts import SEATS_MAXIMUM, Basis, Evidence
from trueup.domain.errors import InputInvalid
from trueup.domain.uploads import UPLOAD_BYTES_MAXIMUM, Upload

FIELD: Final = "customer_file"
_HEADER_WITHIN_LINES = 20
_TOLD_PROBLEMS = 20
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
    rows = _rows(_decoded(content))
    header_at, columns = _header(rows)
    customers: list[FileCustomer] = []
    problems: list[str] = []
    lines: dict[str, int] = {}
    for line, cells in rows[header_at + 1 :]:
        if not any(cells):
            continue
        customer, problem = _customer(line, cells, columns)
        if customer is None:
            problems.append(f"line {line}: {problem}")
        elif customer.code in lines:
            problems.append(f"line {line}: the account code of line {lines[customer.code]} again")
        else:
            lines[customer.code] = line
            customers.append(customer)
    if problems:
        shown = "; ".join(problems[:_TOLD_PROBLEMS])
        more = f"; and {len(problems) - _TOLD_PROBLEMS} more" if len(problems) > _TOLD_PROBLEMS else ""
        raise _invalid(f"the customer file has {len(problems)} bad rows and was not taken: {shown}{more}")
    if not customers:
        raise _invalid("the customer file lists no customers")
    return CustomerFile(tuple(customers), hashlib.sha256(content).hexdigest()[:_DIGEST_CHARACTERS])


def _decoded(content: bytes) -> str:
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise _invalid("the customer file is not text in UTF-8") from None
    if "\0" in text:
        raise _invalid("the customer file holds NUL characters; it is not a CSV file")
    return text


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """Line number and cells of every row, by the separator under which a header row is found."""
    read: list[tuple[int, list[str]]] = []
    for separator in (",", ";", "\t", "|"):
        try:
            read = list(_cells(text, separator))
        except csv.Error:
            raise _invalid("the customer file is not well-formed CSV (a quote that does not end?)") from None
        if any(_columns(cells) for _, cells in read[:_HEADER_WITHIN_LINES]):
            return read
    return read


def _cells(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    for cells in reader:
        yield line, [cell.strip() for cell in cells]
        line = reader.line_num + 1


def _header(rows: list[tuple[int, list[str]]]) -> tuple[int, _Columns]:
    for index, (_, cells) in enumerate(rows[:_HEADER_WITHIN_LINES]):
        columns = _columns(cells)
        if columns is not None:
            return index, columns
    raise _invalid("the customer file has no header row with an account code and a customer name")


def _columns(cells: Sequence[str]) -> _Columns | None:
    names = [re.sub(r"[\s_-]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell)).strip().casefold() for cell in cells]
    code, name = _position(names, _CODE_COLUMNS), _position(names, _NAME_COLUMNS)
    if code is None or name is None:
        return None
    return _Columns(code, name, _position(names, _SEATS_COLUMNS), len(names))


def _position(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(one) for one in wanted if one in names), None)


def _customer(line: int, cells: list[str], columns: _Columns) -> tuple[FileCustomer | None, str]:
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
