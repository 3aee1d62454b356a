"""The files that are kept, read again: what each says, how old it is, and which page of them a mark names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from trueup.adapters.files.records import FileRecord, read_records
from trueup.domain.billing import Capability
from trueup.domain.canonical import sha256
from trueup.domain.errors import InputInvalid, ReadIncomplete, ResourceAbsent
from trueup.domain.exported_files import FileKind, KeptFile, kept_file
from trueup.domain.integrations import IntegrationName
from trueup.ports.clock import Clock
from trueup.ports.state import Uploads

PAGE_RECORDS = 500


class KeptFiles:
    """The files of one integration as they are at the first look. Read again for another look."""

    def __init__(
        self, name: IntegrationName, kinds: Sequence[FileKind], uploads: Uploads, *, home_currency: str
    ) -> None:
        self.name = name
        self._home_currency = home_currency
        found = {kind: uploads.get(kind.upload_name) for kind in kinds}
        self.files: dict[FileKind, KeptFile] = {
            kind: kept_file(kind, upload) for kind, upload in found.items() if upload is not None
        }
        self._records: dict[FileKind, tuple[FileRecord, ...]] = {}

    def records(self, kind: FileKind) -> tuple[FileRecord, ...]:
        """What the file says; nothing when none of that kind is kept. Raises InputInvalid for one that is damaged."""
        if kind not in self.files:
            return ()
        if kind not in self._records:
            file = self.files[kind]
            self._records[kind] = read_records(kind, file.content, file.columns, home_currency=self._home_currency)
        return self._records[kind]

    def require(self, *kinds: FileKind) -> None:
        """Raises ResourceAbsent when none of these was given: no file is not an empty list."""
        if not any(kind in self.files for kind in kinds):
            raise ResourceAbsent(
                f"no file of {' or '.join(kind.value for kind in kinds)} was given",
                integration=self.name,
                remedy=f"Give it first: trueup import {kinds[0].value} FILE.csv.",
            )

    @cached_property
    def digest(self) -> str:
        """Tells these files from any others."""
        return sha256([[kind.value, file.digest] for kind, file in sorted(self.files.items())])[:16]

    @property
    def as_of(self) -> datetime | None:
        """When the oldest of them was given."""
        return min((file.uploaded_at for file in self.files.values()), default=None)

    def place(self, cursor: str | None) -> int:
        """Where a page begins. Raises InputInvalid for a mark that is none, ReadIncomplete for one of other files."""
        if cursor is None:
            return 0
        digest, _, offset = cursor.partition(":")
        if not (offset.isascii() and offset.isdecimal()) or len(offset) > 9:
            raise InputInvalid("this page mark is not one of exported files", field="cursor")
        if digest != self.digest:
            raise ReadIncomplete(
                "a file was replaced or forgotten while they were read",
                integration=self.name,
                remedy="Run again; it begins with the files that are kept now.",
            )
        return int(offset)

    def mark(self, place: int, total: int) -> str | None:
        """The mark of the page that begins there; None behind the last record."""
        return f"{self.digest}:{place}" if place < total else None

    def capability(self, kind: FileKind, what: str, now: datetime) -> Capability:
        """Whether that file is kept, and how old it is."""
        file = self.files.get(kind)
        detail = ""
        if file is not None:
            days = (now - file.uploaded_at).days
            detail = f"{len(self.records(kind))} rows, given {file.uploaded_at:%Y-%m-%d}"
            detail += f", {days} days ago" if days else ""
        return Capability(what, file is not None, f"trueup import {kind.value} FILE.csv", detail)

    def notes(self, clock: Clock) -> tuple[str, ...]:
        """What a person should know of their age."""
        now = clock.now()
        return tuple(
            f"the file of {kind.value} was given {(now - file.uploaded_at).days} days ago; give a new one before a run"
            for kind, file in self.files.items()
            if file.is_old(now)
        )
