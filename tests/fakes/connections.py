"""Opening systems that are in memory, behind the Connections port.

An address is a host name, optionally written as an https address; only the hosts that were given may be called. Each
open is remembered without the credential's values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tests.fakes.psa import FakePsa
from trueup.domain.callbacks import CallbackSecrets
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.errors import CredentialRejected, InputInvalid, UnsafeAddress
from trueup.domain.integrations import CREDENTIAL_FIELDS, Integration, IntegrationName, Side
from trueup.domain.uploads import Upload
from trueup.ports.callbacks import CallbackRegistration, CallbackVerification
from trueup.ports.licenses import EarlierReads, LicenseReading
from trueup.ports.orders import OrderSubmission
from trueup.ports.portal_users import PortalUserReading
from trueup.ports.psa import PsaAccountReading, PsaBilling, PsaLineCreation
from trueup.ports.psa_tickets import TicketCreation
from trueup.ports.vendor import VendorBilling

VENDOR_HOST = "https://api.vendor.example"
PSA_HOST = "https://api.psa.example"
LICENSES_HOST = "https://api.licenses.example"


@dataclass(slots=True)
class FakeConnections:
    """Implements Connections.

    ``accepted_secret`` is the one secret that both systems accept; None accepts any. ``opened`` lists what was opened
    where, ``customer_files`` what files came with it, ``earlier_reads`` what each opening of the license side was to go
    on from. A customer file of the fakes holds one customer a line; a line "bad" is one. Making lines and reading one
    client go to the PSA, when it is a FakePsa; callbacks and license counts go to what is set here.
    """

    vendor_system: VendorBilling
    psa_system: PsaBilling
    hosts: Collection[str] = (VENDOR_HOST, PSA_HOST, LICENSES_HOST)
    accepted_secret: str | None = None
    opened: list[tuple[str, str]] = field(default_factory=list)
    customer_files: list[Upload | None] = field(default_factory=list)
    registration: CallbackRegistration | None = None
    verification: CallbackVerification | None = None
    ticket_creation: TicketCreation | None = None
    license_system: LicenseReading | None = None
    earlier_reads: list[EarlierReads | None] = field(default_factory=list)
    portal_reading: PortalUserReading | None = None
    orders: OrderSubmission | None = None

    def address(self, name: IntegrationName, text: str) -> str:
        host = text.strip().rstrip("/")
        if host not in self.hosts:
            raise UnsafeAddress(f"{name} may not be called at this address")
        return host

    def vendor(
        self, name: IntegrationName, address: str, fields: Mapping[str, str], *, customer_file: Upload | None = None
    ) -> VendorBilling:
        self.customer_files.append(customer_file)
        self._enter(name, address, fields.get("client_secret", ""))
        return self.vendor_system

    def order_submission(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> OrderSubmission:
        self._enter(name, address, fields.get("client_secret", ""))
        if name is not IntegrationName.MIMECAST or self.orders is None:
            raise InputInvalid(f"{name.label} takes no orders through an API", field="name")
        return self.orders

    def portal_users(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PortalUserReading:
        self._enter(name, address, fields.get("client_secret", ""))
        if name is not IntegrationName.MIMECAST or self.portal_reading is None:
            raise InputInvalid(f"{name.label} has no account whose users could be checked", field="name")
        return self.portal_reading

    def customer_file_rows(self, name: IntegrationName, content: bytes) -> int:
        if name.side is not Side.VENDOR:
            raise InputInvalid(f"{name} takes no customer file", field="name")
        lines = content.splitlines()
        if not lines or b"bad" in lines:
            raise InputInvalid("the customer file has bad rows", field="customer_file")
        return len(lines)

    def psa(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PsaBilling:
        self._enter(name, address, _secret_of(name, fields))
        return self.psa_system

    def licenses(
        self, name: IntegrationName, address: str, fields: Mapping[str, str], *, earlier: EarlierReads | None = None
    ) -> LicenseReading:
        self.earlier_reads.append(earlier)
        self._enter(name, address, _secret_of(name, fields))
        if name.side is not Side.LICENSES or self.license_system is None:
            raise InputInvalid(f"{name.label} tells no license counts", field="name")
        return self.license_system

    def line_creation(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PsaLineCreation:
        self._enter(name, address, _secret_of(name, fields))
        if not PSA_CAPABILITIES[name].creates_lines or not isinstance(self.psa_system, FakePsa):
            raise InputInvalid(f"{name.label} lets no program make lines", field="name")
        return self.psa_system

    def account_reading(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> PsaAccountReading:
        self._enter(name, address, _secret_of(name, fields))
        if not PSA_CAPABILITIES[name].callbacks or not isinstance(self.psa_system, FakePsa):
            raise InputInvalid(f"{name.label} sends no callbacks", field="name")
        return self.psa_system

    def callback_registration(
        self, name: IntegrationName, address: str, fields: Mapping[str, str]
    ) -> CallbackRegistration:
        self._enter(name, address, _secret_of(name, fields))
        if not PSA_CAPABILITIES[name].callbacks or self.registration is None:
            raise InputInvalid(f"{name.label} sends no callbacks", field="name")
        return self.registration

    def callback_verification(self, integration: Integration, secrets: CallbackSecrets) -> CallbackVerification:
        if not PSA_CAPABILITIES[integration.name].callbacks or self.verification is None:
            raise InputInvalid(f"{integration.name.label} sends no callbacks", field="name")
        return self.verification

    def tickets(self, name: IntegrationName, address: str, fields: Mapping[str, str]) -> TicketCreation:
        self._enter(name, address, _secret_of(name, fields))
        if self.ticket_creation is None:
            raise InputInvalid(f"{name.label} takes no tickets from Trueup", field="name")
        return self.ticket_creation

    def _enter(self, name: IntegrationName, address: str, secret: str) -> None:
        self.opened.append((name.value, address))
        if self.accepted_secret is not None and secret != self.accepted_secret:
            raise CredentialRejected("the credential is not accepted", integration=name.value, status=401)


def _secret_of(name: IntegrationName, fields: Mapping[str, str]) -> str:
    """The first secret field of the integration's credential."""
    return next((fields.get(one.name, "") for one in CREDENTIAL_FIELDS[name] if one.secret), "")
