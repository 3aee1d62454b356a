"""The users, aliases, roles, domains and directories of the simulated partner account, in the documented shapes.

The people are data of the simulator and not of the world: no seat depends on them. Each plays a case of portal
readiness. Must not: answer for a customer; a call with an account switch is about an account that has no such people.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.simulators.messages import Reply, Request, json_reply
from local.simulators.mimecast_records import json_object, page_offset, page_token

if TYPE_CHECKING:
    from local.simulators.mimecast import MimecastSimulator

DOMAIN = "simmsp.example"
SECOND_DOMAIN = "simmsp-group.example"


@dataclass(frozen=True, slots=True)
class DirectoryUser:
    """One user of the partner's account. ``legacy_alias`` is what the older list says, where it says something else;
    ``alias_of`` is the primary address of an alias.
    """

    id: str
    local_part: str
    name: str
    alias: bool = False
    disabled: bool = False
    source: str = "ldap"
    address_type: str = "created_by_ldap_sync"
    alias_of: str = ""
    legacy_alias: bool | None = None
    domain: str = DOMAIN
    internal: bool = True
    role: str = "Basic User"
    local_password: bool = False

    @property
    def address(self) -> str:
        return f"{self.local_part}@{self.domain}"


USERS: tuple[DirectoryUser, ...] = (
    DirectoryUser("u-1", "dana.ops", "Dana Ops", role="Full Administrator"),
    DirectoryUser(
        "u-2", "billing", "Billing", alias=True, source="cloud", address_type="created_manually",
        alias_of=f"dana.ops@{DOMAIN}",
    ),
    DirectoryUser("u-3", "lee.sales", "Lee Sales", disabled=True, source="cloud", address_type="created_by_email"),
    DirectoryUser("u-4", "kim.split", "Kim Split", legacy_alias=True),
    DirectoryUser(
        "u-5", "Robin.Portal", "Robin Portal", source="cloud", address_type="created_manually",
        role="Partner Administrator", local_password=True,
    ),
    DirectoryUser(
        "u-6", "friend", "A Friend", source="cloud", address_type="created_by_email", domain="elsewhere.example",
        internal=False,
    ),
)  # fmt: skip
"""A primary, an alias of it, a disabled one, one that the two lists disagree on, one with a cloud password, and one
outside correspondent, whom only the newer list names."""

_ROLES: tuple[dict[str, str], ...] = (
    {"id": "r-10", "roleName": "Super Administrator"},
    {"id": "r-11", "roleName": "Partner Administrator"},
)


def _envelope(data: list[dict[str, Any]], pagination: dict[str, Any] | None = None) -> Reply:
    meta = {"status": 200} if pagination is None else {"status": 200, "pagination": pagination}
    return json_reply(200, {"meta": meta, "data": data, "fail": []})


def _people(simulator: "MimecastSimulator", request: Request) -> tuple[DirectoryUser, ...]:
    """The people of the account that the call is for: those of the partner, or nobody."""
    body = json_object(request.body) or {}
    return () if simulator.switched_to(request, body) else simulator.directory_users


def _user_record(user: DirectoryUser) -> dict[str, Any]:
    return {
        "id": user.id, "emailAddress": user.address, "name": user.name, "domain": user.domain,
        "type": "user", "internal": user.internal, "disabled": user.disabled, "addressType": user.address_type,
        "isAlias": user.alias, "source": user.source, "createdDateTime": "2026-02-03T10:00:00Z",
        "updatedDateTime": "2026-08-01T07:12:00Z",
    }  # fmt: skip


def _users(simulator: "MimecastSimulator", request: Request) -> Reply:
    return simulator.page(request, "users", list(_people(simulator, request)), _user_record)


def _roles(_simulator: "MimecastSimulator", _request: Request) -> Reply:
    return json_reply(200, {"roles": _ROLES, "meta": {"pagination": {}}})


def _domains(simulator: "MimecastSimulator", request: Request) -> Reply:
    rows = [
        {"id": f"dom-{number}", "domain": name, "local": True, "sendOnly": False, "inboundType": "ldap"}
        for number, name in enumerate((DOMAIN, SECOND_DOMAIN), start=1)
    ]
    return simulator.page(request, "domains", rows, dict)


def _internal_users(simulator: "MimecastSimulator", request: Request) -> Reply:
    """Pages by `meta.pagination` of the body. It names internal users only, and does not say who is disabled."""
    body = json_object(request.body)
    if body is None:
        return simulator.error_reply(400, "err_malformed", "The body is not a JSON object")
    meta = body.get("meta")
    pagination = meta.get("pagination", {}) if isinstance(meta, Mapping) else {}
    size, start = int(pagination.get("pageSize", 100)), page_offset(str(pagination.get("pageToken", "")))
    if start is None:
        return simulator.error_reply(400, "err_malformed", "The page token is not valid")
    internal = [user for user in _people(simulator, request) if user.internal]
    page = [
        {
            "name": user.name, "emailAddress": user.address, "domain": user.domain,
            "alias": user.alias if user.legacy_alias is None else user.legacy_alias,
            "addressType": user.address_type, "source": user.source,
        }
        for user in internal[start : start + size]
    ]  # fmt: skip
    fault = request.fault("total_disagrees")
    total = len(internal) + (int(fault.option("difference", 1)) if fault else 0)
    told: dict[str, Any] = {"pageSize": len(page), "totalCount": total}
    if request.fault("endless_tokens"):
        told["next"] = base64.b64encode(f"0:{simulator.next_serial()}".encode()).decode()
    elif request.fault("repeated_token"):
        told["next"] = pagination.get("pageToken") or page_token(start)
    elif start + size < len(internal):
        told["next"] = page_token(start + size)
    return _envelope([{"users": page, "userCount": len(internal)}], pagination=told)


def _asked_address(request: Request) -> str:
    data = (json_object(request.body) or {}).get("data")
    first = data[0] if isinstance(data, list) and data and isinstance(data[0], Mapping) else {}
    return str(first.get("emailAddress", "")).lower()


def _aliases(simulator: "MimecastSimulator", request: Request) -> Reply:
    wanted = _asked_address(request)
    aliases = [
        {
            "alias": user.address, "aliasFor": user.alias_of, "aliasDisplayName": user.name, "domain": user.domain,
            "isInternal": True, "type": user.address_type,
        }
        for user in _people(simulator, request)
        if user.alias_of.lower() == wanted
    ]  # fmt: skip
    return _envelope([{"aliases": aliases}])


def _profile(simulator: "MimecastSimulator", request: Request) -> Reply:
    wanted = _asked_address(request)
    user = next((one for one in _people(simulator, request) if one.address.lower() == wanted), None)
    if user is None:
        error = {"code": "err_user_not_found", "message": "The user was not found", "retryable": False}
        fail = {"key": {"emailAddress": wanted}, "errors": [error]}
        return json_reply(200, {"meta": {"status": 200}, "data": [], "fail": [fail]})
    profile = {
        "id": user.address, "name": user.name, "emailAddress": user.address, "role": user.role,
        "admin": "Administrator" in user.role, "external": not user.internal, "localPassword": user.local_password,
        "changePassword": False, "accountCode": simulator.world.partner.code,
    }  # fmt: skip
    return _envelope([profile])


def _directory_connections(simulator: "MimecastSimulator", _request: Request) -> Reply:
    shared = {"lastSync": _last_sync(simulator, "+0000"), "syncRunning": False, "acknowledgeDisabledAccounts": True}
    cloud = {
        "id": "dir-1", "enabled": simulator.directory_enabled, "description": "Entra ID", "serverType": "office_365",
        "status": "ok", "domains": [DOMAIN],
        "office365Settings": {
            "tenantDomain": "simmsp.onmicrosoft.example", "clientId": "00000000-0000-0000-0000-000000000001",
        },
    }  # fmt: skip
    local = {
        "id": "dir-2", "enabled": True, "description": "Head office", "serverType": "active_directory",
        "status": simulator.directory_status, "domains": [SECOND_DOMAIN],
    }  # fmt: skip
    return _envelope([{**cloud, **shared}, {**local, **shared}])


def _last_sync(simulator: "MimecastSimulator", zone: str) -> str:
    return simulator.world.clock().replace(hour=0, minute=0, second=11).strftime("%Y-%m-%dT%H:%M:%S") + zone


def _integrations(simulator: "MimecastSimulator", request: Request) -> Reply:
    """The fields of these rows are not public: an id, a type and a description are assumed."""
    rows = [
        {"id": "dir-1", "type": "m365", "description": "Entra ID"},
        {"id": "dir-2", "type": "active_directory", "description": "Head office"},
    ]
    return simulator.page(request, "integrations", rows, dict)


def _integration(simulator: "MimecastSimulator", _request: Request, kind: str, integration_id: str) -> Reply:
    """The detail of one directory. Only that of Microsoft 365 tells no status (published)."""
    shared = {
        "id": integration_id, "info": "", "lastSyncDateTime": _last_sync(simulator, "Z"), "syncRunning": False,
        "acknowledgeDisabledAccounts": True, "maxUnlink": 10, "deleteUsers": True,
    }  # fmt: skip
    match kind, integration_id:
        case "m365", "dir-1":
            return json_reply(
                200,
                {
                    **shared, "enabled": simulator.directory_enabled, "description": "Entra ID", "domains": [DOMAIN],
                    "connectorId": "connector-1", "clientId": "00000000-0000-0000-0000-000000000001",
                    "tenantDomain": "simmsp.onmicrosoft.example", "serverSubtype": "standard",
                    "syncGuestUsers": False, "syncContacts": False,
                },
            )  # fmt: skip
        case "active-directory", "dir-2":
            told = {"enabled": True, "description": "Head office", "domains": [SECOND_DOMAIN]}
            return json_reply(200, {**shared, **told, "status": simulator.directory_status})
    return simulator.error_reply(404)


DIRECTORY_ROUTES: Mapping[str, tuple[str, Callable[..., Reply]]] = {
    "/user/cloud-gateway/v1/users": ("GET", _users),
    "/role/cloud-gateway/v1/roles": ("GET", _roles),
    "/domain/cloud-gateway/v1/internal-domains": ("GET", _domains),
    "/api/user/get-internal-users": ("POST", _internal_users),
    "/api/user/get-aliases": ("POST", _aliases),
    "/api/user/get-profile": ("POST", _profile),
    "/directory/cloud-gateway/v1/integrations": ("GET", _integrations),
    "/directory/cloud-gateway/v1/integrations/{kind}/{id}": ("GET", _integration),
    "/api/directory/get-connection": ("POST", _directory_connections),
}
"""Template to method and handler, for the Mimecast simulator's table of routes."""
