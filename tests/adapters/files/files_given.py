"""Files as people export them, given to a store in memory and opened as the adapters open them."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fakes.clock import FakeClock
from tests.fakes.state import fake_state
from trueup.adapters.files.exported import ExportedTables
from trueup.adapters.files.licenses import LicenseFiles
from trueup.adapters.files.psa import PsaFiles
from trueup.adapters.files.vendor import VendorFiles
from trueup.domain.accounts import VendorFacts, VendorPage
from trueup.domain.billing import PsaFacts, PsaPage
from trueup.domain.exported_files import FileKind
from trueup.domain.facts import psa_facts, vendor_facts
from trueup.ports.state import Uploads
from trueup.usecases.file_import import GivenFile, import_file

ACCOUNTS = b"""Export SEG Customers,,
Created 2026-09-01,,

Account Code,Account Name,Status
CSIM10B202,Alder Dental Group,Active
CSIM10B203,"Birch & Rowe, LLP",
CSIM10B204,Cedar Freight Ltd,In Progress
"""
COUNTS = b"""Account Code,Product,Seats
CSIM10B202,Email Security S1,46
CSIM10B202,Awareness Training,46
CSIM10B203,Email Security S1,118
"""
LINES = b"""Company Name,Agreement Name,Product ID,Description,Quantity,Unit Price
Alder Dental Group,Managed,MIME-EMAIL,Email security,44.00,$4.25
"Birch & Rowe, LLP",Managed,MIME-EMAIL,Email security,118.00,$4.25
Dovetail Ltd,Managed,MIME-EMAIL,Email security,7.00,$4.25
"""


class Desk:
    """What a person gives files to; the clock stands at the first of September 2026."""

    def __init__(self, currency: str = "USD") -> None:
        self.clock = FakeClock()
        self.uploads: Uploads = fake_state(self.clock).uploads
        self.tables = ExportedTables(currency)
        self.currency = currency

    def give(
        self, kind: FileKind, content: bytes, columns: Mapping[str, str] | None = None, *, is_confirmed: bool = True
    ) -> GivenFile:
        return import_file(
            kind,
            content,
            columns=columns or {},
            is_confirmed=is_confirmed,
            actor="dana",
            files=self.tables,
            uploads=self.uploads,
            clock=self.clock,
        )

    def vendor(self, page_size: int = 500) -> VendorFiles:
        return VendorFiles(self.uploads, self.clock, home_currency=self.currency, page_size=page_size)

    def psa(self, page_size: int = 500) -> PsaFiles:
        return PsaFiles(self.uploads, self.clock, home_currency=self.currency, page_size=page_size)

    def licenses(self, page_size: int = 500) -> LicenseFiles:
        return LicenseFiles(self.uploads, self.clock, page_size=page_size)

    def vendor_facts(self, page_size: int = 500) -> VendorFacts:
        return vendor_facts(vendor_pages(self.vendor(page_size)))

    def psa_facts(self, page_size: int = 500) -> PsaFacts:
        return psa_facts(psa_pages(self.psa(page_size)))


def vendor_pages(vendor: VendorFiles) -> list[VendorPage]:
    pages = [vendor.read_page(None)]
    while pages[-1].next_cursor is not None:
        pages.append(vendor.read_page(pages[-1].next_cursor))
    return pages


def psa_pages(psa: PsaFiles) -> list[PsaPage]:
    pages = [psa.read_page(None)]
    while pages[-1].next_cursor is not None:
        pages.append(psa.read_page(pages[-1].next_cursor))
    return pages
