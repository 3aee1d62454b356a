"""Files that people export from a portal or a PSA and give in place of an API: what each tells, and what is kept of it.

The columns are known by the names that exports use for them, or by what a person said; either way a person has seen
which column is taken for what before the first file is used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from trueup.domain.errors import InputInvalid
from trueup.domain.integrations import IntegrationName
from trueup.domain.uploads import Upload

OLD_AFTER = timedelta(days=7)
"""A file that was given longer ago may be of another month (as trueup.domain.guards has it for counts)."""


class FileKind(StrEnum):
    """accounts and counts come from the vendor's portal; lines, clients and products from the PSA; licenses are counts
    of licensed users that people give where Microsoft 365 may not be read.
    """

    ACCOUNTS = "accounts"
    COUNTS = "counts"
    LINES = "lines"
    CLIENTS = "clients"
    PRODUCTS = "products"
    LICENSES = "licenses"

    @property
    def integration(self) -> IntegrationName:
        """The integration that reads it."""
        if self is FileKind.LICENSES:
            return IntegrationName.LICENSE_FILES
        return IntegrationName.VENDOR_FILES if self in _OF_THE_VENDOR else IntegrationName.PSA_FILES

    @property
    def upload_name(self) -> str:
        """What it is kept under."""
        return f"{self.value} file"


_OF_THE_VENDOR = frozenset({FileKind.ACCOUNTS, FileKind.COUNTS})


@dataclass(frozen=True, slots=True)
class FileField:
    """One thing that a file may tell. ``headers`` are the folded names that exports are known to use for it."""

    name: str
    label: str
    headers: tuple[str, ...]
    required: bool = False


_ACCOUNT_ID = FileField(
    "account_id",
    "account code",
    ("account code", "customer account code", "mimecast account code", "account id", "vendor account id", "code"),
    required=True,
)
_ACCOUNT_NAMES = ("account name", "customer name", "company name", "vendor account name", "customer", "company", "name")
_SEATS = (
    "seats",
    "users",
    "user count",
    "number of users",
    "permitted users",
    "licensed users",
    "licenses",
    "licences",
    "quantity",
    "count",
)
_CLIENT_ID = FileField(
    "client_id",
    "id of the client",
    ("client id", "company id", "customer id", "company rec id", "psa account id", "account number"),
)
_CLIENT_NAME = FileField(
    "client_name",
    "name of the client",
    (
        "client name",
        "client",
        "company name",
        "company",
        "customer name",
        "customer",
        "business name",
        "psa account name",
    ),
    required=True,
)
_PRODUCT_CODE = FileField(
    "product_code",
    "product code",
    (
        "product code",
        "product id",
        "product",
        "item code",
        "item",
        "sku",
        "part number",
        "service code",
        "service",
        "service name",
        "product identifier",
    ),
    required=True,
)
_PRODUCT_NAME = FileField(
    "product_name", "product name", ("product name", "item name", "description", "product description", "name")
)
_CURRENCY = FileField("currency", "currency", ("currency", "currency code"))

FILE_FIELDS: dict[FileKind, tuple[FileField, ...]] = {
    FileKind.ACCOUNTS: (
        _ACCOUNT_ID,
        FileField("account_name", "account name", _ACCOUNT_NAMES, required=True),
        FileField("status", "status", ("status", "account status", "state")),
        FileField("seats", "seats", _SEATS),
    ),
    FileKind.COUNTS: (
        _ACCOUNT_ID,
        FileField("account_name", "account name", _ACCOUNT_NAMES),
        FileField("service_id", "id of the service", ("service id", "product id", "product code", "sku")),
        FileField(
            "service_name",
            "name of the service",
            ("service", "service name", "product", "product name", "plan", "package"),
        ),
        FileField("seats", "seats", _SEATS, required=True),
    ),
    FileKind.LINES: (
        _CLIENT_ID,
        _CLIENT_NAME,
        FileField("agreement_id", "id of the agreement", ("agreement id", "contract id", "schedule id", "invoice id")),
        FileField(
            "agreement_name",
            "name of the agreement",
            ("agreement name", "agreement", "contract name", "contract", "schedule name", "recurring invoice"),
        ),
        FileField("line_id", "id of the line", ("line id", "addition id", "contract service id", "line item id", "id")),
        _PRODUCT_CODE,
        _PRODUCT_NAME,
        FileField("quantity", "quantity", ("quantity", "qty", "units", "billed quantity", "billed"), required=True),
        FileField("unit_price", "unit price", ("unit price", "price", "unit sell price", "sell price", "rate")),
        _CURRENCY,
        FileField("starts_on", "first day", ("effective date", "start date", "starts on", "from")),
        FileField("ends_on", "day it ends", ("cancelled date", "canceled date", "end date", "ends on", "until")),
    ),
    FileKind.CLIENTS: (_CLIENT_ID, _CLIENT_NAME),
    FileKind.PRODUCTS: (
        _PRODUCT_CODE,
        _PRODUCT_NAME,
        FileField("price", "price", ("price", "unit price", "sell price")),
        FileField("cost", "cost", ("cost", "unit cost")),
        _CURRENCY,
    ),
    # A row names its client by one of the two. The id is whatever tells clients of one name apart, not the PSA's.
    FileKind.LICENSES: (
        FileField(
            "client_id",
            "id of the client",
            ("client id", "company id", "customer id", "tenant id", "directory id", "microsoft id"),
        ),
        FileField(
            "client_name",
            "name of the client",
            ("client name", "client", "company name", "company", "customer name", "customer", "tenant name", "tenant"),
        ),
        FileField("seats", "licensed users", _SEATS, required=True),
        FileField("as_of", "day of the count", ("as of", "as of date", "counted on", "date", "report date")),
    ),
}


@dataclass(frozen=True, slots=True)
class FileLook:
    """What a file looks like before it is taken. Lines count from 1.

    ``columns`` says which header is taken for which field, ``missing`` which required fields have none. ``remembered``
    is whether these are the columns that a person confirmed for an earlier file of the kind. ``sample`` are the first
    rows below the header.
    """

    kind: FileKind
    header_line: int
    headers: tuple[str, ...]
    columns: Mapping[str, str]
    missing: tuple[str, ...]
    encoding: str
    separator: str
    rows: int
    sample: tuple[tuple[str, ...], ...]
    remembered: bool = False


def require_fields(kind: FileKind, columns: Mapping[str, str]) -> None:
    """Raises InputInvalid (``columns``) for a field that the kind does not have, or a header taken for two."""
    known = {field.name for field in FILE_FIELDS[kind]}
    for name in columns:
        if name not in known:
            raise InputInvalid(
                f"a file of {kind.value} has no field {name!r}",
                field="columns",
                remedy=f"Use one of: {', '.join(field.name for field in FILE_FIELDS[kind])}.",
            )
    taken: dict[str, str] = {}
    for name, header in columns.items():
        if header in taken:
            raise InputInvalid(
                f"the column {header!r} is taken for {taken[header]} and for {name}",
                field="columns",
                remedy="Say which of the two it is.",
            )
        taken[header] = name


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file as it was given, with the columns that were confirmed for it. ``digest`` tells it from another."""

    kind: FileKind
    columns: Mapping[str, str]
    content: bytes
    digest: str
    uploaded_at: datetime

    def is_old(self, now: datetime) -> bool:
        return now - self.uploaded_at > OLD_AFTER


def kept_content(columns: Mapping[str, str], content: bytes) -> bytes:
    """Both in one piece: the columns in a line of JSON, then the file unchanged."""
    return json.dumps(dict(columns), sort_keys=True).encode("ascii") + b"\n" + content


def kept_file(kind: FileKind, upload: Upload) -> KeptFile:
    """The file that lies in an upload."""
    head, _, content = upload.content.partition(b"\n")
    digest = hashlib.sha256(upload.content).hexdigest()[:16]
    return KeptFile(kind, json.loads(head), content, digest, upload.uploaded_at)
