"""Which column of an exported file is taken for which field: what a person said, else by the names exports use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trueup.adapters.table_files import (
    HEADER_WITHIN_ROWS,
    SEPARATORS,
    NotATable,
    Table,
    TableRow,
    decoded,
    find_table,
    folded_header,
    rows_of,
)
from trueup.domain.errors import InputInvalid
from trueup.domain.exported_files import FILE_FIELDS, FileKind, require_fields
from trueup.domain.uploads import UPLOAD_BYTES_MAXIMUM

_SPARE_BYTES = 64 * 1024
"""What is kept beside the file must fit as well."""


@dataclass(frozen=True, slots=True)
class FoundColumns:
    """The table, where each field is in it, and the required fields that no column is taken for."""

    table: Table
    places: Mapping[str, int]
    missing: tuple[str, ...]

    @property
    def columns(self) -> dict[str, str]:
        """The header that is taken for each field."""
        return {name: self.table.header.cells[place] for name, place in self.places.items()}


def find_columns(kind: FileKind, content: bytes, columns: Mapping[str, str], *, with_known_names: bool) -> FoundColumns:
    """``columns`` is what a person says of some fields, by the header as it stands in the file; the others are looked
    for by known names, or (not ``with_known_names``) have no column.

    The header is the first row that has a column for every required field; where there is none, the first row with
    two cells or more, so that a person can be shown what there is. Raises InputInvalid.
    """
    if len(content) > UPLOAD_BYTES_MAXIMUM - _SPARE_BYTES:
        raise _invalid("the file is larger than 5 MB", "Leave out what is not needed, or split the export.")
    require_fields(kind, columns)
    try:
        table = find_table(content, lambda cells: _is_header(kind, cells, columns, with_known_names), with_cp1252=True)
        table = table or _any_table(content, columns)
    except NotATable as no_table:
        raise _invalid(f"the file {no_table}") from None
    if table is None:
        raise _invalid("no row of the file has two columns")
    header = {folded_header(cell) for cell in table.header.cells}
    for name, wanted in columns.items():
        if folded_header(wanted) not in header:
            raise InputInvalid(
                f"the file has no column {wanted!r} (for {name})",
                field="columns",
                remedy=f"It has: {', '.join(cell for cell in table.header.cells if cell)}."[:500],
            )
    repeated = [cell for cell in table.header.cells if cell and _count(table.header.cells, cell) > 1]
    places = _places(kind, table.header.cells, columns, with_known_names)
    for name, place in places.items():
        if table.header.cells[place] in repeated:
            raise _invalid(f"two columns are called {table.header.cells[place]!r} (for {name})", "Rename one of them.")
    return FoundColumns(table, places, _missing(kind, places))


def _count(cells: Sequence[str], wanted: str) -> int:
    return sum(1 for cell in cells if folded_header(cell) == folded_header(wanted))


def _is_header(kind: FileKind, cells: Sequence[str], columns: Mapping[str, str], with_known_names: bool) -> bool:
    places = _places(kind, cells, columns, with_known_names)
    return places.keys() >= columns.keys() and not _missing(kind, places)


def _places(kind: FileKind, cells: Sequence[str], columns: Mapping[str, str], with_known_names: bool) -> dict[str, int]:
    """Each field's column. A column is taken for one field only: what a person said first, then in the order in which
    a name is known for fewer fields.
    """
    headers = [folded_header(cell) for cell in cells]
    places: dict[str, int] = {}
    for name, wanted in columns.items():
        if folded_header(wanted) in headers:
            places[name] = headers.index(folded_header(wanted))
    if not with_known_names:
        return places
    fields = [one for one in FILE_FIELDS[kind] if one.name not in columns]
    rank = max((len(one.headers) for one in fields), default=0)
    for level in range(rank):
        for one in fields:
            if one.name in places or level >= len(one.headers) or one.headers[level] not in headers:
                continue
            place = headers.index(one.headers[level])
            if place not in places.values():
                places[one.name] = place
    return places


def _missing(kind: FileKind, places: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(one.name for one in FILE_FIELDS[kind] if one.required and one.name not in places)


def _any_table(content: bytes, columns: Mapping[str, str]) -> Table | None:
    """A table for a person to look at: the row that has the named columns, else the widest of the first rows."""
    text, encoding = decoded(content, with_cp1252=True)
    wanted = {folded_header(header) for header in columns.values()}
    best: tuple[int, int, str, list[TableRow], int] | None = None
    for separator in SEPARATORS:
        rows = rows_of(text, separator)
        for index, row in enumerate(rows[:HEADER_WITHIN_ROWS]):
            filled = [cell for cell in row.cells if cell]
            named = len(wanted & {folded_header(cell) for cell in filled})
            if len(filled) > 1 and (best is None or (named, len(filled)) > best[:2]):
                best = (named, len(filled), separator, rows, index)
    if best is None:
        return None
    _, _, separator, rows, index = best
    below = tuple(row for row in rows[index + 1 :] if any(row.cells))
    return Table(rows[index], below, encoding, separator)


def _invalid(message: str, remedy: str = "Export it again as CSV and give it unchanged.") -> InputInvalid:
    return InputInvalid(message, field="file", remedy=remedy)
