"""Rows of exported files as records, whole files or nothing: every bad row is told by its line and column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from trueup.adapters.files.cells import (
    BadCell,
    NumberStyle,
    Price,
    currency_meant,
    currency_of,
    day_of,
    id_of,
    name_of,
    price_of,
    quantity_of,
    seats_of,
)
from trueup.adapters.files.columns import find_columns
from trueup.adapters.table_files import Table, TableRow, bad_rows
from trueup.domain.errors import InputInvalid
from trueup.domain.exported_files import FILE_FIELDS, FileKind

FIELD: Final = "file"
_REMEDY: Final = "Correct these rows where they come from, export again and give the file again; nothing was taken."


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One row. ``line`` is its line in the file; what a column is missing for, or a cell is empty of, is None."""

    line: int
    texts: Mapping[str, str]
    numbers: Mapping[str, Decimal]
    days: Mapping[str, date]
    currency: str | None = None

    def text(self, name: str) -> str:
        return self.texts.get(name, "")


@dataclass(slots=True)
class _Reading:
    """One file under way."""

    kind: FileKind
    table: Table
    places: Mapping[str, int]
    home_currency: str
    styles: dict[str, NumberStyle] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def cell(self, row: TableRow, name: str) -> str:
        place = self.places.get(name)
        return "" if place is None or place >= len(row.cells) else row.cells[place]

    def header(self, name: str) -> str:
        return self.table.header.cells[self.places[name]]

    def style(self, name: str) -> NumberStyle:
        if name not in self.styles:
            self.styles[name] = NumberStyle.of(self.cell(row, name).removeprefix("-") for row in self.table.rows)
        return self.styles[name]


def read_records(
    kind: FileKind, content: bytes, columns: Mapping[str, str], *, home_currency: str
) -> tuple[FileRecord, ...]:
    """Every record of the file, in its order. ``home_currency`` is the MSP's own, for a bare dollar sign.

    Raises InputInvalid (``file``) naming all bad rows: a required cell that is empty, a cell that does not mean what
    its column is for, a record that is there twice or says two things of one.
    """
    found = find_columns(kind, content, columns, with_known_names=False)
    if found.missing:
        labels = ", ".join(one.label for one in FILE_FIELDS[kind] if one.name in found.missing)
        raise InputInvalid(f"the file has no column for: {labels}", field="columns", remedy="Say which column it is.")
    reading = _Reading(kind, found.table, found.places, home_currency)
    records: list[FileRecord] = []
    for row in found.table.rows:
        record = _record(reading, row)
        if record is not None:
            records.append(record)
    reading.problems += _contradictions(kind, records)
    if reading.problems:
        raise InputInvalid(bad_rows(sorted(reading.problems, key=_line_of), "the file"), field=FIELD, remedy=_REMEDY)
    if not records:
        raise InputInvalid("the file has a header and no rows", field=FIELD, remedy="Export it again, with its rows.")
    return tuple(records)


def _line_of(problem: str) -> int:
    return int(problem.removeprefix("line ").partition(":")[0])


def _record(reading: _Reading, row: TableRow) -> FileRecord | None:
    width = len(reading.table.header.cells)
    if len(row.cells) < max(reading.places.values()) + 1 or any(row.cells[width:]):
        reading.problems.append(f"line {row.line}: {len(row.cells)} columns where the header has {width}")
        return None
    texts: dict[str, str] = {}
    numbers: dict[str, Decimal] = {}
    prices: dict[str, Price] = {}
    days: dict[str, date] = {}
    bad: list[tuple[str, str]] = []
    for known in FILE_FIELDS[reading.kind]:
        if known.name not in reading.places:
            continue
        text = reading.cell(row, known.name)
        try:
            if not text:
                if known.required:
                    raise BadCell("is empty")
            elif known.name in _DAYS:
                days[known.name] = day_of(text)
            elif known.name == "quantity":
                numbers[known.name] = quantity_of(text, reading.style(known.name))
            elif known.name in _PRICES:
                prices[known.name] = price_of(text, reading.style(known.name))
                numbers[known.name] = prices[known.name].amount
            elif known.name == "seats":
                numbers[known.name] = Decimal(seats_of(text))
            else:
                texts[known.name] = _TEXTS.get(known.name, id_of)(text)
        except BadCell as why:
            bad.append((known.name, str(why)))
    currency = None if bad else _currency(reading, texts, prices, bad)
    if bad:
        reading.problems += [f"line {row.line}: column {reading.header(name)!r} {why}" for name, why in bad]
        return None
    return FileRecord(row.line, texts, numbers, days, currency)


_DAYS = frozenset({"starts_on", "ends_on", "as_of"})
_PRICES = frozenset({"unit_price", "price", "cost"})
_TEXTS: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(("account_name", "client_name", "agreement_name", "product_name", "status"), name_of),
    "currency": currency_of,
}


def _currency(
    reading: _Reading, texts: Mapping[str, str], prices: Mapping[str, Price], bad: list[tuple[str, str]]
) -> str | None:
    """The one currency of the row's amounts; what speaks against it is added to ``bad``."""
    meant: str | None = texts.get("currency")
    for name, price in prices.items():
        try:
            meant = currency_meant(price, meant, reading.home_currency) or meant
        except BadCell as why:
            bad.append((name, str(why)))
    return meant


def _contradictions(kind: FileKind, records: list[FileRecord]) -> Iterator[str]:
    """What two rows say against each other."""
    yield from _twice(kind, records)
    for owner, told in _ONE_EACH.get(kind, ()):
        first: dict[str, FileRecord] = {}
        for record in records:
            if not record.text(owner) or not record.text(told):
                continue
            known = first.setdefault(record.text(owner), record)
            if known.text(told) != record.text(told):
                labels = {one.name: one.label for one in FILE_FIELDS[kind]}
                what = f"another {labels[told]} than line {known.line} has"
                yield f"line {record.line}: {what} for the same {labels[owner]}"
    if kind is FileKind.LINES:
        yield from _mixed_currencies(records)
    if kind is FileKind.LICENSES:
        nobody = (record for record in records if not _identity(kind, record))
        yield from (f"line {record.line}: neither a name nor an id of a client" for record in nobody)


_ONE_EACH: dict[FileKind, tuple[tuple[str, str], ...]] = {
    FileKind.COUNTS: (("account_id", "account_name"), ("service_id", "service_name")),
    FileKind.LICENSES: (("client_id", "client_name"),),
    FileKind.LINES: (("client_id", "client_name"), ("agreement_id", "client_id"), ("agreement_id", "client_name")),
}
"""Pairs of which the first may have one of the second only."""


def _twice(kind: FileKind, records: list[FileRecord]) -> Iterator[str]:
    seen: dict[object, int] = {}
    for record in records:
        key = _identity(kind, record)
        if key in seen:
            yield f"line {record.line}: {_SAME[kind]} as line {seen[key]}"
        else:
            seen[key] = record.line


_SAME = {
    FileKind.ACCOUNTS: "the same account code",
    FileKind.COUNTS: "the same account and service",
    FileKind.CLIENTS: "the same client",
    FileKind.LINES: "the same line",
    FileKind.PRODUCTS: "the same product code",
    FileKind.LICENSES: "the same client",
}


def _identity(kind: FileKind, record: FileRecord) -> object:
    """What no two records of a file may share. A line without an id may have a fellow that differs in anything."""
    if kind is FileKind.ACCOUNTS:
        return record.text("account_id")
    if kind is FileKind.COUNTS:
        return record.text("account_id"), record.text("service_id") or record.text("service_name")
    if kind in {FileKind.CLIENTS, FileKind.LICENSES}:
        return record.text("client_id") or record.text("client_name")
    if kind is FileKind.PRODUCTS:
        return record.text("product_code")
    if record.text("line_id"):
        return record.text("line_id")
    return (
        tuple(sorted(record.texts.items())),
        tuple(sorted(record.numbers.items())),
        tuple(sorted(record.days.items())),
    )


def _mixed_currencies(records: list[FileRecord]) -> Iterator[str]:
    """One agreement is billed in one currency."""
    first: dict[tuple[str, str], FileRecord] = {}
    for record in records:
        if record.currency is None:
            continue
        agreement = record.text("agreement_id") or record.text("agreement_name")
        key = (record.text("client_id") or record.text("client_name"), agreement)
        known = first.setdefault(key, record)
        if known.currency != record.currency:
            other = f"line {known.line} of the same agreement is in {known.currency}"
            yield f"line {record.line}: {record.currency}, and {other}"
