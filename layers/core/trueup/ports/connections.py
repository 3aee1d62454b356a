"""Opening an outside system with an address and a credential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from trueup.domain.callbacks import CallbackSecrets
from trueup.domain.integrations import Integration, IntegrationName
from trueup.domain.uploads import Upload
from trueup.ports.callbacks import CallbackRegistration, CallbackVerification
from trueup.ports.licenses import EarlierReads, LicenseReading
from trueup.ports.orders import OrderSubmission
from trueup.ports.portal_users import PortalUserReading
from trueup.ports.psa import PsaAccountReading, PsaBilling, PsaLineCreation
from trueup.ports.psa_tickets import TicketCreation
from trueup.ports.vendor import VendorBilling


class Connections(Protocol):
    """Knows which addresses may be called and how each system is spoken to."""

    def address(self, name: IntegrationName, text: str) -> str:
        """The address rebuilt from its checked parts. Raises UnsafeAddress for anything that may not be called."""
        ...

    def vendor(
        self, name: IntegrationName, address: str, fields: Mapping[str, str], *, customer_file: Upload | None = None
    ) -> VendorBilling:
        """The vendor spoken to with that credential; accounts come from the customer file where it does not list them.

        Raises InputInvalid naming a field that is missing or the bad lines of the file.
        """
        ...

    def customer_file_rows(self, name: IntegrationName, content: bytes) -> int:
        """How many customers an exported file lists; it is read whole and not used.

        Raises InputInvalid naming all bad lines, or that this system takes no such file.
        """
        ...

    def order_submission(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> OrderSubmission:
        """For a vendor that takes orders through an API. Raises InputInvalid for another one."""
        ...

    def portal_users(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PortalUserReading:
        """The partner's own account, for a vendor that has a partner portal. Raises InputInvalid for another one."""
        ...

    def psa(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PsaBilling:
        """The PSA spoken to with that credential. Raises InputInvalid naming a field that is missing."""
        ...

    def licenses(
        self, name: IntegrationName, address: str, fields: Mapping[str, str], *, earlier: EarlierReads | None = None
    ) -> LicenseReading:
        """What tells license counts, spoken to with that credential; it goes on from ``earlier`` where that can be.

        Raises InputInvalid naming a field that is missing, or that this integration tells no license counts.
        """
        ...

    def line_creation(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PsaLineCreation:
        """For a PSA that ``creates_lines``. Raises InputInvalid for another one."""
        ...

    def account_reading(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PsaAccountReading:
        """For a PSA that sends callbacks. Raises InputInvalid for another one."""
        ...

    def callback_registration(
        self, name: IntegrationName, address: str, fields: Mapping[str, str]
    ) -> CallbackRegistration:
        """For a PSA that sends callbacks. Raises InputInvalid for another one."""
        ...

    def callback_verification(self, integration: Integration, secrets: CallbackSecrets) -> CallbackVerification:
        """For a PSA that sends callbacks; needs no credential. Raises InputInvalid for another one."""
        ...

    def tickets(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> TicketCreation:
        """For a PSA that tickets can be made in. Raises InputInvalid for another one."""
        ...
