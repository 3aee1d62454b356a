"""Portal exports behind the VendorBilling port: accounts from the one file, counts from the other, and their age.

An account without a count has none; that is never a zero. Services are known by their id, or by their name where the
file tells no id.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

from trueup.adapters.files.kept import PAGE_RECORDS, KeptFiles
from trueup.adapters.files.records import FileRecord
from trueup.domain.accounts import (
    AccountState,
    Service,
    ServiceCount,
    ServiceId,
    ServiceKind,
    VendorAccount,
    VendorAccountId,
    VendorPage,
)
from trueup.domain.billing import CapabilityReport
from trueup.domain.counts import Basis, Evidence, Known, Seats
from trueup.domain.exported_files import FileKind
from trueup.domain.integrations import IntegrationName
from trueup.ports.clock import Clock
from trueup.ports.state import Uploads

WHOLE_ACCOUNT: Final = Service(ServiceId("account"), "Whole account", ServiceKind.ACCOUNT)
"""The one count of an account, where a file names no service."""

_STATES = {
    "active": AccountState.ACTIVE,
    "enabled": AccountState.ACTIVE,
    "live": AccountState.ACTIVE,
    "pending": AccountState.PENDING,
    "in progress": AccountState.PENDING,
    "provisioning": AccountState.PENDING,
    "trial": AccountState.PENDING,
    "suspended": AccountState.SUSPENDED,
    "disabled": AccountState.SUSPENDED,
    "inactive": AccountState.SUSPENDED,
    "closed": AccountState.SUSPENDED,
}


class VendorFiles:
    """Implements VendorBilling over the files that are kept when it is opened."""

    def __init__(self, uploads: Uploads, clock: Clock, *, home_currency: str, page_size: int = PAGE_RECORDS) -> None:
        kinds = (FileKind.ACCOUNTS, FileKind.COUNTS)
        self._files = KeptFiles(IntegrationName.VENDOR_FILES, kinds, uploads, home_currency=home_currency)
        self._clock = clock
        self._page_size = page_size

    def check(self) -> CapabilityReport:
        """See VendorBilling.check."""
        now = self._clock.now()
        return CapabilityReport(
            "exported files, given by hand",
            (
                self._files.capability(FileKind.ACCOUNTS, "accounts", now),
                self._files.capability(FileKind.COUNTS, "counts", now),
            ),
            self._files.notes(self._clock),
        )

    def read_page(self, cursor: str | None) -> VendorPage:
        """See VendorBilling.read_page. Raises ResourceAbsent while no file was given."""
        self._files.require(FileKind.ACCOUNTS, FileKind.COUNTS)
        start = self._files.place(cursor)
        page = list(self._accounts.values())[start : start + self._page_size]
        told = [one for account in page for one in self._counts.get(account.id, ())]
        return VendorPage(
            accounts=tuple(page),
            services=tuple({service.id: service for service, _ in told}.values()),
            counts=tuple(count for _, count in told),
            next_cursor=self._files.mark(start + self._page_size, len(self._accounts)),
            accounts_total=len(self._accounts),
            accounts_as_of=self._files.as_of,
        )

    @cached_property
    def _accounts(self) -> dict[VendorAccountId, VendorAccount]:
        """Every account that a file names: those of the list, then those that only the counts know."""
        found: dict[VendorAccountId, VendorAccount] = {}
        for kind in (FileKind.ACCOUNTS, FileKind.COUNTS):
            for record in self._files.records(kind):
                key = VendorAccountId(record.text("account_id"))
                status = record.text("status")
                state = _STATES.get(status.casefold(), AccountState.UNKNOWN)
                found.setdefault(key, VendorAccount(key, record.text("account_name") or str(key), state, status))
        return found

    @cached_property
    def _counts(self) -> dict[VendorAccountId, list[tuple[Service, ServiceCount]]]:
        """By account. The list of accounts stands in where the file of counts says nothing of an account."""
        found: dict[VendorAccountId, list[tuple[Service, ServiceCount]]] = {}
        for kind in (FileKind.COUNTS, FileKind.ACCOUNTS):
            counted = set(found)
            for record in self._files.records(kind):
                seats, key = record.numbers.get("seats"), VendorAccountId(record.text("account_id"))
                if seats is not None and key not in counted:
                    service = _service(record)
                    known = self._known(kind, record, int(seats))
                    found.setdefault(key, []).append((service, ServiceCount(key, service.id, known)))
        return found

    def _known(self, kind: FileKind, record: FileRecord, number: int) -> Known:
        file = self._files.files[kind]
        evidence = Evidence(f"file of {kind.value}", file.columns.get("seats", "seats"), f"line {record.line}", number)
        return Known(Seats(number), Basis.MANUAL_FILE, file.uploaded_at, (evidence,))


def _service(record: FileRecord) -> Service:
    service_id, name = record.text("service_id"), record.text("service_name")
    if not service_id and not name:
        return WHOLE_ACCOUNT
    return Service(ServiceId(service_id or name), name or service_id, ServiceKind.PLAN)


def open_vendor_files(uploads: Uploads, *, clock: Clock, home_currency: str) -> VendorFiles:
    """The files that are kept now; ``home_currency`` is the MSP's own."""
    return VendorFiles(uploads, clock, home_currency=home_currency)
