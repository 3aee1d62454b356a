"""The outside systems an MSP connects, and how each connection stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from trueup.domain.billing import CapabilityReport


class Side(StrEnum):
    """Which side of the comparison an integration feeds."""

    VENDOR = "vendor"
    PSA = "psa"
    LICENSES = "licenses"

    @property
    def is_required(self) -> bool:
        """Whether there is no comparison without it: license counts are a third leg where they are connected."""
        return self is not Side.LICENSES


class IntegrationName(StrEnum):
    """``vendor_files``, ``psa_files`` and ``license_files`` are exports that people give in place of an API."""

    MIMECAST = "mimecast"
    VENDOR_FILES = "vendor_files"
    CONNECTWISE = "connectwise"
    AUTOTASK = "autotask"
    HALOPSA = "halopsa"
    SYNCRO = "syncro"
    PSA_FILES = "psa_files"
    MICROSOFT365 = "microsoft365"
    LICENSE_FILES = "license_files"

    @property
    def side(self) -> Side:
        return _SIDES.get(self, Side.PSA)

    @property
    def label(self) -> str:
        """What people call it."""
        return _LABELS[self]


_SIDES: dict[IntegrationName, Side] = {
    IntegrationName.MIMECAST: Side.VENDOR,
    IntegrationName.VENDOR_FILES: Side.VENDOR,
    IntegrationName.MICROSOFT365: Side.LICENSES,
    IntegrationName.LICENSE_FILES: Side.LICENSES,
}

_LABELS: dict[IntegrationName, str] = {
    IntegrationName.MIMECAST: "Mimecast",
    IntegrationName.VENDOR_FILES: "Mimecast files",
    IntegrationName.CONNECTWISE: "ConnectWise",
    IntegrationName.AUTOTASK: "Autotask",
    IntegrationName.HALOPSA: "HaloPSA",
    IntegrationName.SYNCRO: "Syncro",
    IntegrationName.PSA_FILES: "PSA files",
    IntegrationName.MICROSOFT365: "Microsoft 365",
    IntegrationName.LICENSE_FILES: "license count files",
}


class ConnectionState(StrEnum):
    """pending: the credential works and mapping is wanted; active: finished; needs attention: with cause and fix."""

    NOT_CONNECTED = "not_connected"
    PENDING = "pending"
    ACTIVE = "active"
    NEEDS_ATTENTION = "needs_attention"


@dataclass(frozen=True, slots=True)
class Integration:
    """One connection. It holds no secret: ``identifier_tail`` is the last four characters of the id, to tell keys
    apart.

    ``failures_in_a_row`` counts failed checks; one rejected reply may be a passing fault at the vendor, so a connection
    is only called broken after two, some minutes apart. ``finished_at`` is when its mapping was first finished.
    ``credential_ends_on`` is the last day of the credential where whoever connected said so; no API of these systems
    tells it.
    """

    name: IntegrationName
    state: ConnectionState = ConnectionState.NOT_CONNECTED
    address: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    identifier_tail: str = ""
    report: CapabilityReport | None = None
    checked_at: datetime | None = None
    cause: str = ""
    fix: str = ""
    failures_in_a_row: int = 0
    first_failed_at: datetime | None = None
    finished_at: datetime | None = None
    version: int = 0
    credential_ends_on: date | None = None

    @property
    def system(self) -> str:
        """Which system this is: its address, and the company there. What was read of one is not true of another."""
        return " ".join((self.address, *(value for _, value in self.settings)))


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One field of a connect form: its name, what to call it, whether it is secret, and where a person finds it."""

    name: str
    label: str
    secret: bool
    where: str = field(default="")


CREDENTIAL_FIELDS: dict[IntegrationName, tuple[CredentialField, ...]] = {
    IntegrationName.MIMECAST: (
        CredentialField(
            "client_id",
            "Client ID",
            False,
            "Mimecast Administration Console, Multi Account Control, Tenant API Gateway",
        ),
        CredentialField("client_secret", "Client secret", True, "shown once when the keys are generated"),
    ),
    IntegrationName.CONNECTWISE: (
        CredentialField("company_id", "Company ID", False, "what you type as Company when you sign in to ConnectWise"),
        CredentialField("public_key", "Public key", False, "API Member, API Keys tab"),
        CredentialField("private_key", "Private key", True, "shown once when the key is made"),
        CredentialField(
            "client_id", "Client ID", False, "the GUID of the integration at the ConnectWise developer site"
        ),
    ),
    IntegrationName.AUTOTASK: (
        CredentialField(
            "user_name", "User name", False, "Autotask Admin, Resources/Users, the API user: its Username (Key)"
        ),
        CredentialField("secret", "Secret", True, "the API user's Password (Secret), shown once when it is generated"),
        CredentialField("integration_code", "Integration code", True, "the API user's API Tracking Identifier"),
    ),
    IntegrationName.HALOPSA: (
        CredentialField(
            "client_id", "Client ID", False, "HaloPSA Configuration, Integrations, Halo API, Applications, Details tab"
        ),
        CredentialField("client_secret", "Client secret", True, "shown once when the application is made"),
    ),
    IntegrationName.SYNCRO: (
        CredentialField("api_key", "API token", True, "Syncro Admin, API Tokens, New Token (Custom Permissions)"),
    ),
    IntegrationName.VENDOR_FILES: (),
    IntegrationName.PSA_FILES: (),
    IntegrationName.MICROSOFT365: (
        CredentialField(
            "tenant_id", "Directory (tenant) ID", False, "your own tenant: Microsoft Entra admin center, Overview"
        ),
        CredentialField(
            "client_id",
            "Application (client) ID",
            False,
            "Entra admin center, App registrations, the multitenant application that your clients' tenants allow",
        ),
        CredentialField("client_secret", "Client secret", True, "the application, Certificates & secrets: its Value"),
    ),
    IntegrationName.LICENSE_FILES: (),
}

DEFAULT_ADDRESS: dict[IntegrationName, str] = {
    # HaloPSA and Syncro have a host for each MSP, so there is no default for them. Autotask finds its zone itself.
    IntegrationName.MIMECAST: "https://api.services.mimecast.com",
    IntegrationName.CONNECTWISE: "https://api-na.myconnectwise.net",
    IntegrationName.AUTOTASK: "https://webservices.autotask.net",
    IntegrationName.VENDOR_FILES: "files:vendor",
    IntegrationName.PSA_FILES: "files:psa",
    # National clouds have hosts of their own; the adapter lists them.
    IntegrationName.MICROSOFT365: "https://graph.microsoft.com",
    IntegrationName.LICENSE_FILES: "files:licenses",
}
