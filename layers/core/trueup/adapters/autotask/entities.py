"""What Autotask tells of its own records: what the user may do with them, and what their picklists mean.

Documented: a user whose security level hides records gets empty lists and no error. So an empty list where there should
be records is only believed after Autotask has said that the user may see all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trueup.adapters.autotask.session import AutotaskSession
from trueup.adapters.autotask.wire import INTEGRATION, AccessWire, EntityWire, FieldsWire, FieldWire, parse
from trueup.domain.errors import PermissionMissing, ResourceAbsent

_FULL_ACCESS: Final = frozenset({"", "all", "full"})
_NO_ACCESS: Final = frozenset({"none", "no", "false"})
"""How levels are spelled is assumed. Nothing said counts as no limit. A word that is not known is some access: enough
to connect with, and not enough to believe an empty list.
"""


def access_to(session: AutotaskSession, entity: str, *, permission: str) -> AccessWire:
    """What may be done with a kind of record. Raises as AutotaskSession.read."""
    reply = session.read(
        "GET", f"/{entity}/entityInformation", doing=f"asking what may be done with {entity}", permission=permission
    )
    return parse(EntityWire, reply.json(), source=f"entity information of {entity}").info


def sees_all(access: AccessWire) -> bool:
    return access.canQuery is not False and access.userAccessForQuery.strip().casefold() in _FULL_ACCESS


def may_query(access: AccessWire) -> bool:
    return access.canQuery is not False and access.userAccessForQuery.strip().casefold() not in _NO_ACCESS


def may_create(access: AccessWire) -> bool:
    return access.canCreate is not False and access.userAccessForCreate.strip().casefold() not in _NO_ACCESS


def require_sight(session: AutotaskSession, entity: str, *, permission: str) -> None:
    """Raises PermissionMissing when the user may not see all records of a kind, of which none came."""
    access = access_to(session, entity, permission=permission)
    if sees_all(access):
        return
    told = access.userAccessForQuery or "no access"
    raise PermissionMissing(
        f"Autotask lists no {entity}, and the API user may not see all of them (its access is {told[:40]}); "
        f"it needs {permission}",
        integration=INTEGRATION,
        permission=permission,
        status=None,
        remedy=f"Give the API user's security level {permission}; an empty list is not taken for the truth.",
    )


def fields_of(session: AutotaskSession, entity: str, *, permission: str) -> Sequence[FieldWire]:
    """The fields of a kind of record with their picklists; none where Autotask does not tell them."""
    try:
        reply = session.read(
            "GET", f"/{entity}/entityInformation/fields", doing=f"reading the fields of {entity}", permission=permission
        )
    except (PermissionMissing, ResourceAbsent):
        return ()
    return parse(FieldsWire, reply.json(), source=f"fields of {entity}").fields
