"""Tries a credential: whether the clients may be listed, and what may be read in the first of them.

Method: the calls a sync makes, each for as little as it can ask for. A client that did not consent says nothing about
the application, so the next one is tried; a permission that is missing is named. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from trueup.adapters.microsoft365.customers import CONTRACTS_PATH, ClientList, list_clients
from trueup.adapters.microsoft365.replies import (
    CUSTOMERS_PERMISSION,
    MAILBOXES_PERMISSION,
    SKUS_PERMISSION,
    USERS_PERMISSION,
    graph_error,
)
from trueup.adapters.microsoft365.session import GraphSession
from trueup.adapters.microsoft365.tenant import read_skus
from trueup.adapters.microsoft365.wire import UserWire, parse_page
from trueup.domain.billing import Capability, CapabilityReport
from trueup.domain.errors import PermissionMissing, VendorTrouble

TENANTS_TRIED: Final = 5
_USERS_DOING = "trying to read users"
_USERS_QUERY = (("$select", "id,userPrincipalName,assignedLicenses"), ("$top", "20"))
_NO_TENANT = "not tried: no client's tenant could be entered"
_NO_USER = "not tried: no user could be read"

NO_GDAP_NOTE: Final = (
    "The list of GDAP customers may not be read; the clients are those of the partner contracts, which may be others."
)
NO_MAILBOXES_NOTE: Final = (
    f"Without {MAILBOXES_PERMISSION} nobody says which mailboxes are shared or rooms: each licensed user's is unknown."
)


@dataclass(slots=True)
class _Tried:
    """What is known of the permissions so far; None is not tried yet."""

    licenses: Capability | None = None
    users: Capability | None = None
    mailboxes: Capability | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return None not in (self.licenses, self.users, self.mailboxes)


def check_credential(
    own: GraphSession, open_tenant: Callable[[str], GraphSession], *, identity: str
) -> CapabilityReport:
    """See LicenseReading.check. Raises CredentialRejected when the MSP's own tenant does not let the application in."""
    own.sign_in()
    tried = _Tried()
    try:
        clients = list_clients(own)
    except PermissionMissing as error:
        tenants = Capability("tenants", False, error.permission or CUSTOMERS_PERMISSION, error.message)
    else:
        tenants = Capability("tenants", True, CUSTOMERS_PERMISSION, f"{len(clients.names)} client tenants")
        if clients.source == CONTRACTS_PATH:
            tried.notes.append(NO_GDAP_NOTE)
        _try_tenants(tried, clients, open_tenant)
    if tried.mailboxes is not None and not tried.mailboxes.granted:
        tried.notes.append(NO_MAILBOXES_NOTE)
    return CapabilityReport(
        identity,
        (
            tenants,
            tried.licenses or Capability("licenses", False, SKUS_PERMISSION, _NO_TENANT),
            tried.users or Capability("users", False, USERS_PERMISSION, _NO_TENANT),
            tried.mailboxes or Capability("mailbox_kinds", False, MAILBOXES_PERMISSION, _NO_USER),
        ),
        tuple(tried.notes),
    )


def _try_tenants(tried: _Tried, clients: ClientList, open_tenant: Callable[[str], GraphSession]) -> None:
    closed = 0
    for tenant_id in clients.ids[:TENANTS_TRIED]:
        try:
            session = open_tenant(tenant_id)
            session.sign_in()
            _try_tenant(tried, session)
        except VendorTrouble as error:
            closed += 1
            tried.notes.append(f"The tenant {tenant_id} cannot be read: {error.message}. {error.remedy}")
        if tried.is_complete:
            return


def _try_tenant(tried: _Tried, session: GraphSession) -> None:
    """Raises VendorTrouble for anything but a missing permission."""
    if tried.licenses is None or not tried.licenses.granted:
        try:
            read_skus(session)
            tried.licenses = Capability("licenses", True, SKUS_PERMISSION)
        except PermissionMissing as error:
            tried.licenses = Capability("licenses", False, SKUS_PERMISSION, error.message)
    users: list[UserWire] = []
    try:
        document = session.read("/users", query=_USERS_QUERY, doing=_USERS_DOING, permission=USERS_PERMISSION)
        users = parse_page(UserWire, document, source=_USERS_DOING).records
        tried.users = Capability("users", True, USERS_PERMISSION)
    except PermissionMissing as error:
        tried.users = Capability("users", False, USERS_PERMISSION, error.message)
    if users:
        # Whoever has a license most likely has a mailbox.
        _try_mailbox(tried, session, next((user for user in users if user.sku_ids), users[0]).id)


def _try_mailbox(tried: _Tried, session: GraphSession, user_id: str) -> None:
    """A user without a mailbox answers 404, which needs the permission too (assumed)."""
    reply = session.get(f"/v1.0/users/{user_id}/mailboxSettings", query=(("$select", "userPurpose"),))
    detail = ""
    if reply.status == 403:
        document = reply.json() if reply.body else None
        detail = " ".join(part for part in graph_error(document, secrets=session.secrets) if part) or "refused"
    tried.mailboxes = Capability("mailbox_kinds", reply.status in (200, 404), MAILBOXES_PERMISSION, detail)
