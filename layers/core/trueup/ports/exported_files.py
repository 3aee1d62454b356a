"""Reading files that people export: what columns there are, and whether every row makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from trueup.domain.exported_files import FileKind, FileLook


class ExportedFiles(Protocol):
    def look(self, kind: FileKind, content: bytes, columns: Mapping[str, str]) -> FileLook:
        """Where the header is and which column is taken for which field; ``columns`` is what a person says of some.

        Raises InputInvalid (``file``) when it is no table at all, InputInvalid (``columns``) when no row has a column
        that was named.
        """
        ...

    def check(self, kind: FileKind, content: bytes, columns: Mapping[str, str]) -> int:
        """How many records the file has. Raises InputInvalid (``file``) naming every bad row by line and column."""
        ...
