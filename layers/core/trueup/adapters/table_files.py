"""Tables that people export as text: encoding, separator and line numbers, found and never assumed in silence.

Method: the caller says which row is a header, and the separator is the one under which such a row is found near the
top. Must not: guess at what a cell means, or read a prefix of a file that cannot be read whole.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

HEADER_WITHIN_ROWS: Final = 20
SEPARATORS: Final = (",", ";", "\t", "|")
ROWS_MAXIMUM: Final = 100_000
TOLD_PROBLEMS: Final = 20
_SNIFFED_BYTES = 200


class NotATable(Exception):
    """The bytes are no text, or no table. ``args[0]`` says why in words that follow "the file"."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row with the line of the file on which it begins, from 1; cells are trimmed."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A header and the rows below it; empty rows are left out."""

    header: TableRow
    rows: tuple[TableRow, ...]
    encoding: str
    separator: str


def decoded(content: bytes, *, with_cp1252: bool) -> tuple[str, str]:
    """The text and the name of its encoding: UTF-16 or UTF-8 by its byte order mark, UTF-16 by its zero bytes, UTF-8
    where it is that, else (``with_cp1252``) what Windows writes as "CSV". Raises NotATable.
    """
    encodings = ["utf-8-sig", *(["cp1252"] if with_cp1252 else [])]
    head = content[:_SNIFFED_BYTES]
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif with_cp1252 and len(head) >= 4 and head[1::2].count(0) > len(head) // 4:
        encodings = ["utf-16-le"]
    elif with_cp1252 and len(head) >= 4 and head[0::2].count(0) > len(head) // 4:
        encodings = ["utf-16-be"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise NotATable("holds NUL characters; it is not a CSV file")
        return text, encoding.removesuffix("-sig")
    raise NotATable("is not text in UTF-8")


def find_table(
    content: bytes, is_header: Callable[[Sequence[str]], bool], *, with_cp1252: bool = False
) -> Table | None:
    """The table whose header the caller recognizes among the first rows; None when no row is one under any separator.

    Raises NotATable when the bytes are no text, a quote does not end, or there are more than ROWS_MAXIMUM rows.
    """
    text, encoding = decoded(content, with_cp1252=with_cp1252)
    for separator in SEPARATORS:
        rows = rows_of(text, separator)
        for index, row in enumerate(rows[:HEADER_WITHIN_ROWS]):
            if is_header(row.cells):
                below = tuple(one for one in rows[index + 1 :] if any(one.cells))
                if len(below) > ROWS_MAXIMUM:
                    raise NotATable(f"has more than {ROWS_MAXIMUM} rows")
                return Table(row, below, encoding, separator)
    return None


def rows_of(text: str, separator: str) -> list[TableRow]:
    """Every row under that separator. Raises NotATable."""
    try:
        return list(_rows(text, separator))
    except csv.Error:
        raise NotATable("is not well-formed CSV (a quote that does not end?)") from None


def _rows(text: str, separator: str) -> Iterator[TableRow]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    for cells in reader:
        yield TableRow(line, tuple(cell.strip() for cell in cells))
        line = reader.line_num + 1


def folded_header(cell: str) -> str:
    """A header as it is compared: ``AccountCode``, ``account_code`` and ``Account Code`` are one."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell)
    return re.sub(r"[\s_\-./:#*()]+", " ", parted).strip().casefold()


def position(headers: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Where the first of the wanted names is among folded headers."""
    return next((headers.index(one) for one in wanted if one in headers), None)


def bad_rows(problems: Sequence[str], what: str) -> str:
    """All bad rows in one message, the first ones in words."""
    more = f"; and {len(problems) - TOLD_PROBLEMS} more" if len(problems) > TOLD_PROBLEMS else ""
    return f"{what} has {len(problems)} bad rows and was not taken: {'; '.join(problems[:TOLD_PROBLEMS])}{more}"
