"""The list of client tenants, as the MSP's own tenant tells it: by GDAP, or by partner contracts where that is refused.

Must not: guess a tenant, or give half a list.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from trueup.adapters.microsoft365.paging import read_pages
from trueup.adapters.microsoft365.replies import CONTRACTS_PERMISSION, CUSTOMERS_PERMISSION
from trueup.adapters.microsoft365.session import PREFIX, GraphSession
from trueup.adapters.microsoft365.wire import INTEGRATION, ContractWire, CustomerWire
from trueup.domain.errors import PermissionMissing, ResourceAbsent

CUSTOMERS_PATH: Final = "/tenantRelationships/delegatedAdminCustomers"
CONTRACTS_PATH: Final = "/contracts"
_CUSTOMERS_DOING: Final = "listing clients (GDAP)"
_CONTRACTS_DOING: Final = "listing clients (partner contracts)"
_PAGE_SIZE: Final = "300"
"""The largest page of GDAP customers that is documented."""


@dataclass(frozen=True, slots=True)
class ClientList:
    """All client tenants, ids ascending, with their names; ``source`` is the path that told them."""

    names: dict[str, str]
    source: str

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self.names)

    @property
    def digest(self) -> str:
        """A short mark of exactly these tenants."""
        return hashlib.sha256(",".join(self.names).encode()).hexdigest()[:16]


def list_clients(own: GraphSession) -> ClientList:
    """The tenants the MSP may administer.

    Where GDAP customers may not be listed (403) or the cloud has no such list (404: not every national cloud does), the
    partner contracts tell them. Raises PermissionMissing naming both permissions where neither may be read.
    """
    try:
        return _gdap_customers(own)
    except (PermissionMissing, ResourceAbsent):
        pass
    try:
        return _contracts(own)
    except PermissionMissing as error:
        both = f"{CUSTOMERS_PERMISSION} or {CONTRACTS_PERMISSION}"
        raise PermissionMissing(
            f"Microsoft Graph lets the application list neither GDAP customers nor partner contracts; it needs {both}",
            integration=INTEGRATION,
            permission=both,
            status=error.status,
            vendor_code=error.vendor_code,
            request_id=error.request_id,
            remedy=f"Give the application the permission {CUSTOMERS_PERMISSION} in your own tenant and consent to it.",
        ) from None


def _gdap_customers(own: GraphSession) -> ClientList:
    pages = read_pages(
        own,
        CustomerWire,
        f"{PREFIX}{CUSTOMERS_PATH}",
        query=(("$select", "tenantId,displayName"), ("$top", _PAGE_SIZE)),
        doing=_CUSTOMERS_DOING,
        permission=CUSTOMERS_PERMISSION,
    )
    return _sorted([(one.id, one.name) for page in pages for one in page.records], CUSTOMERS_PATH)


def _contracts(own: GraphSession) -> ClientList:
    pages = read_pages(
        own, ContractWire, f"{PREFIX}{CONTRACTS_PATH}", doing=_CONTRACTS_DOING, permission=CONTRACTS_PERMISSION
    )
    return _sorted([(one.id, one.name) for page in pages for one in page.records], CONTRACTS_PATH)


def _sorted(found: list[tuple[str, str]], source: str) -> ClientList:
    """By id. A tenant that is listed twice (two contracts, or a page that moved on) is one, with its last name."""
    names = dict(found)
    return ClientList({one: names[one] for one in sorted(names)}, source)
