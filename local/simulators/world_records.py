"""The records of the simulated world: plain values that both sides of the simulation look at. They know no HTTP."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class VendorAccount:
    """One Mimecast customer account. A count of None is not told by that route (the field is left out)."""

    code: str
    name: str
    status: str = "active"
    region: str = "us"
    partner_seats: int | None = None
    account_seats: int | None = None
    account_readable: bool = True
    actual_users: int | None = None
    main_product: str = "Email Security S1"
    contact_email: str = ""
    packages: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ContractLine:
    """One product of a Mimecast contract with its agreed seats."""

    product_id: str
    product_name: str
    quantity: int


@dataclass(slots=True)
class VendorContract:
    """One Mimecast agreement. Dates are `YYYY-MM-DD`."""

    id: str
    account_code: str
    organization_id: str
    lines: list[ContractLine]
    status: str = "active"
    start_date: str = "2025-11-01"
    renewal_date: str = "2027-11-01"
    next_billing_date: str = "2026-12-01"


@dataclass(slots=True)
class VendorProduct:
    """A product the partner may sell; `type` is primary or addon."""

    id: str
    name: str
    type: str


@dataclass(slots=True)
class PsaCompany:
    """One ConnectWise company."""

    id: int
    identifier: str
    name: str
    status: str = "Active"
    deleted: bool = False
    last_updated: str = "2025-11-02T09:14:55Z"
    updated_by: str = "jsmith"


@dataclass(slots=True)
class PsaAgreement:
    """One ConnectWise agreement; `status` is Active, Cancelled, Expired or Inactive."""

    id: int
    company_id: int
    name: str
    status: str = "Active"
    start_date: str = "2024-01-01T00:00:00Z"
    end_date: str | None = None
    prorate: bool = True
    last_updated: str = "2025-11-01T00:10:00Z"
    updated_by: str = "billing"


@dataclass(slots=True)
class PsaAddition:
    """One billed line (ConnectWise addition). Quantities are numbers, as in ConnectWise, so 1.5 can happen."""

    id: int
    agreement_id: int
    product_id: int
    quantity: float
    unit_price: float
    unit_cost: float
    less_included: float = 0.0
    bill_customer: str = "Billable"
    effective_date: str = "2024-01-01T00:00:00Z"
    cancelled_date: str | None = None
    description: str = ""
    invoice_description: str = ""
    sequence_number: float = 10.0
    last_updated: str = "2025-10-31T18:22:10Z"
    updated_by: str = "jsmith"


@dataclass(slots=True)
class CatalogItem:
    """One product of the ConnectWise catalog; its identifier is what the screens call Product ID."""

    id: int
    identifier: str
    description: str
    price: float
    cost: float
    vendor_sku: str = ""
    product_class: str = "Agreement"
    inactive: bool = False
    serialized: bool = False
    last_updated: str = "2025-06-01T00:00:00Z"


@dataclass(slots=True)
class WriteRecord:
    """One write that reached the PSA: what was asked, what was answered, whether anything changed.

    `status` 0 means the connection was closed unanswered. `before` and `after` are quantities of the line.
    """

    at: str
    method: str
    path: str
    body: str
    status: int = 0
    committed: bool = False
    line_id: int | None = None
    before: float | None = None
    after: float | None = None


@dataclass(frozen=True, slots=True)
class ClientStory:
    """Which case of the demo month a client plays, and where to find it on each side (None: not there)."""

    story: str
    account_code: str | None
    company_id: int | None
