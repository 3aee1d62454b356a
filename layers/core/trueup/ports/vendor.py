"""The vendor that sells and counts (Mimecast)."""

from __future__ import annotations

from typing import Protocol

from trueup.domain.accounts import VendorPage
from trueup.domain.billing import CapabilityReport


class VendorBilling(Protocol):
    """Reads what the vendor bills for. It never writes."""

    def check(self) -> CapabilityReport:
        """Try the credential and say what it may do. Raises CredentialRejected, UnsafeAddress, VendorTrouble."""
        ...

    def read_page(self, cursor: str | None) -> VendorPage:
        """One page of a complete read; None starts. Safe to repeat with the same cursor.

        Raises VendorTrouble (never an empty page) when the vendor does not give what was asked.
        """
        ...
