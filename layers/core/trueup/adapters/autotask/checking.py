"""Tries a credential: what the API user may see and change, without changing anything.

Method: Autotask says of every kind of record what the user may do with it. It is also asked how many contracts there
are, because a user whose security level hides them gets empty lists and no error.
"""

from __future__ import annotations

from typing import Final

from trueup.adapters.autotask.entities import access_to, may_create, may_query, sees_all
from trueup.adapters.autotask.querying import count, equal, everything
from trueup.adapters.autotask.reading import COMPANIES, CONTRACT_SERVICES, CONTRACTS, SERVICES, UNITS
from trueup.adapters.autotask.replies import ADJUST_PERMISSION
from trueup.adapters.autotask.session import AutotaskSession
from trueup.adapters.autotask.wire import RECURRING_VALUE
from trueup.domain.billing import Capability, CapabilityReport
from trueup.domain.errors import PermissionMissing, RequestRefused, ResourceAbsent

ADJUSTMENTS: Final = "ContractServiceAdjustments"
NO_CONTRACTS_NOTE: Final = (
    "Autotask lists companies but no recurring service contract. If there are some, the API user's security level "
    "hides them: Autotask answers with an empty list then, not with an error."
)
BUNDLES_NOTE: Final = "Services that are billed inside a service bundle are not read."

_QUERIES: Final = (
    ("read companies", COMPANIES),
    ("read contracts", CONTRACTS),
    ("read contract services", CONTRACT_SERVICES),
    ("read units", UNITS),
    ("search products", SERVICES),
)
CHECKS: Final = (*(name for name, _ in _QUERIES), "adjust units")


def check_credential(session: AutotaskSession) -> CapabilityReport:
    """What the credential may do. Raises CredentialRejected when it is not accepted, VendorUnavailable if away."""
    found = [_try(session, name, listing.entity, listing.permission) for name, listing in _QUERIES]
    found.append(_try(session, "adjust units", ADJUSTMENTS, ADJUST_PERMISSION, creating=True))
    notes = []
    granted = {capability.name for capability in found if capability.granted}
    if {"read companies", "read contracts"} <= granted and _no_contracts(session):
        notes.append(NO_CONTRACTS_NOTE)
    notes += [BUNDLES_NOTE, session.budget.usage().note()]
    zone = session.zone_name()
    identity = f"{session.user_name} (Autotask, zone {zone})" if zone else f"{session.user_name} (Autotask)"
    return CapabilityReport(identity, tuple(found), tuple(notes))


def _try(session: AutotaskSession, name: str, entity: str, permission: str, *, creating: bool = False) -> Capability:
    try:
        access = access_to(session, entity, permission=permission)
    except (PermissionMissing, ResourceAbsent, RequestRefused) as refused:
        return Capability(name, False, permission, refused.message)
    granted = may_create(access) if creating else may_query(access)
    told = (access.userAccessForCreate if creating else access.userAccessForQuery)[:40]
    whole = granted and (creating or sees_all(access))
    return Capability(name, granted, permission, "" if whole else f"the user's access is {told or 'not told'}")


def _no_contracts(session: AutotaskSession) -> bool:
    contracts = count(session, CONTRACTS, [equal("contractType", RECURRING_VALUE)])
    return contracts == 0 and count(session, COMPANIES, [everything()]) > 0
