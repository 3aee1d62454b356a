"""Implements ExportedFiles: looks at a file, and says whether every row of it makes sense."""

from __future__ import annotations

from collections.abc import Mapping

from trueup.adapters.files.columns import find_columns
from trueup.adapters.files.records import read_records
from trueup.domain.exported_files import FileKind, FileLook

_SAMPLE_ROWS = 3
_SAMPLE_CHARACTERS = 200


class ExportedTables:
    """``home_currency`` is the MSP's own."""

    def __init__(self, home_currency: str) -> None:
        self._home_currency = home_currency

    def look(self, kind: FileKind, content: bytes, columns: Mapping[str, str]) -> FileLook:
        """See ExportedFiles.look."""
        found = find_columns(kind, content, columns, with_known_names=True)
        table = found.table
        return FileLook(
            kind=kind,
            header_line=table.header.line,
            headers=table.header.cells,
            columns=found.columns,
            missing=found.missing,
            encoding=table.encoding,
            separator=table.separator,
            rows=len(table.rows),
            sample=tuple(tuple(cell[:_SAMPLE_CHARACTERS] for cell in row.cells) for row in table.rows[:_SAMPLE_ROWS]),
        )

    def check(self, kind: FileKind, content: bytes, columns: Mapping[str, str]) -> int:
        """See ExportedFiles.check."""
        return len(read_records(kind, content, columns, home_currency=self._home_currency))
