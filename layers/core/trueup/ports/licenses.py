"""Reading who is licensed, tenant by tenant."""

from __future__ import annotations

from typing import Protocol

from trueup.domain.billing import CapabilityReport
from trueup.domain.licenses import LicensePage, TenantId, TenantLicenses


class LicenseReading(Protocol):
    """Reads the license counts of all clients. It never writes."""

    def check(self) -> CapabilityReport:
        """Try the credential and say what it may do. Raises CredentialRejected, UnsafeAddress, VendorTrouble."""
        ...

    def read_page(self, cursor: str | None) -> LicensePage:
        """A few tenants of a complete read; None starts. Safe to repeat with the same cursor.

        A tenant that cannot be read is in the page with its failure. Raises VendorTrouble when the list of tenants or
        the credential itself fails, or when what is left to wait for a rate limit is longer than a call may last.
        """
        ...


class EarlierReads(Protocol):
    """What the last complete read said of a tenant, so that only what changed has to be asked for."""

    def of(self, tenant_id: TenantId) -> TenantLicenses | None:
        """Tenants are asked for in ascending order of their ids."""
        ...
