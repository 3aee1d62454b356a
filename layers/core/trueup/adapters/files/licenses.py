"""A file of license counts behind the LicenseReading port: each row is one client's number, and how old it is.

The number is what somebody counted; who was counted is not known. A client that the file does not name has no count,
which is never a zero.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from functools import cached_property

from trueup.adapters.files.kept import PAGE_RECORDS, KeptFiles
from trueup.adapters.files.records import FileRecord
from trueup.domain.billing import CapabilityReport
from trueup.domain.counts import Basis, Evidence, Known, Seats
from trueup.domain.exported_files import FileKind
from trueup.domain.integrations import IntegrationName
from trueup.domain.licenses import FILE_TENANT, LicensePage, TenantId, TenantLicenses
from trueup.ports.clock import Clock
from trueup.ports.state import Uploads

_NO_CURRENCY = ""
"""A file of license counts has no amounts, so no currency is wanted for reading it."""


class LicenseFiles:
    """Implements LicenseReading over the file that is kept when it is opened."""

    def __init__(self, uploads: Uploads, clock: Clock, *, page_size: int = PAGE_RECORDS) -> None:
        self._files = KeptFiles(
            IntegrationName.LICENSE_FILES, (FileKind.LICENSES,), uploads, home_currency=_NO_CURRENCY
        )
        self._clock = clock
        self._page_size = page_size

    def check(self) -> CapabilityReport:
        """See LicenseReading.check."""
        return CapabilityReport(
            "a file of license counts, given by hand",
            (self._files.capability(FileKind.LICENSES, "license counts", self._clock.now()),),
            self._files.notes(self._clock),
        )

    def read_page(self, cursor: str | None) -> LicensePage:
        """See LicenseReading.read_page. Raises ResourceAbsent while no file was given."""
        self._files.require(FileKind.LICENSES)
        start = self._files.place(cursor)
        return LicensePage(
            accounts=self._clients[start : start + self._page_size],
            next_cursor=self._files.mark(start + self._page_size, len(self._clients)),
            accounts_total=len(self._clients),
            accounts_as_of=self._files.as_of,
        )

    @cached_property
    def _clients(self) -> tuple[TenantLicenses, ...]:
        """Every client that the file names, by id."""
        found = [self._client(record) for record in self._files.records(FileKind.LICENSES)]
        return tuple(sorted(found, key=lambda client: client.id))

    def _client(self, record: FileRecord) -> TenantLicenses:
        file = self._files.files[FileKind.LICENSES]
        name, key = record.text("client_name"), record.text("client_id")
        number = int(record.numbers["seats"])
        as_of = file.uploaded_at
        if "as_of" in record.days:
            # A day without a time is taken from its beginning, and no count is younger than the file that tells it.
            as_of = min(as_of, datetime.combine(record.days["as_of"], time(), UTC))
        evidence = Evidence("file of license counts", file.columns["seats"], f"line {record.line}", number)
        return TenantLicenses(
            id=TenantId(f"{FILE_TENANT}{key or name}"),
            name=name or key,
            read_at=file.uploaded_at,
            stated=Known(Seats(number), Basis.LICENSE_FILE, as_of, (evidence,)),
        )


def open_license_files(uploads: Uploads, *, clock: Clock) -> LicenseFiles:
    """The file that is kept now."""
    return LicenseFiles(uploads, clock)
