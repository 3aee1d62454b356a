"""The users, aliases and roles of the simulated partner account: fixed replies in the documented shapes.

They never change, so they are data rather than part of the world.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from local.simulators.messages import Reply, Request, json_reply

_DOMAIN = "simmsp.example"
_USERS: tuple[dict[str, Any], ...] = (
    {
        "id": "u-1", "emailAddress": f"dana.ops@{_DOMAIN}", "name": "Dana Ops", "domain": _DOMAIN, "internal": True,
        "disabled": False, "addressType": "created_by_ldap_sync", "isAlias": False, "source": "ldap",
        "createdDateTime": "2026-02-03T10:00:00Z", "updatedDateTime": "2026-08-01T07:12:00Z",
    },
    {
        "id": "u-2", "emailAddress": f"billing@{_DOMAIN}", "name": "Billing", "domain": _DOMAIN, "internal": True,
        "disabled": False, "addressType": "created_manually", "isAlias": True, "source": "cloud",
    },
    {
        "id": "u-3", "emailAddress": f"lee.sales@{_DOMAIN}", "name": "Lee Sales", "domain": _DOMAIN, "internal": True,
        "disabled": True, "addressType": "created_by_email", "isAlias": False, "source": "cloud",
    },
)  # fmt: skip
_ROLES: tuple[dict[str, str], ...] = (
    {"id": "r-10", "roleName": "Super Administrator"},
    {"id": "r-11", "roleName": "Partner Administrator"},
)


def _envelope(data: list[dict[str, Any]], pagination: dict[str, Any] | None = None) -> Reply:
    meta = {"status": 200} if pagination is None else {"status": 200, "pagination": pagination}
    return json_reply(200, {"meta": meta, "data": data, "fail": []})


def _users(_simulator: object, _request: Request) -> Reply:
    return json_reply(200, {"users": _USERS, "meta": {"pagination": {}}})


def _roles(_simulator: object, _request: Request) -> Reply:
    return json_reply(200, {"roles": _ROLES, "meta": {"pagination": {}}})


def _internal_users(_simulator: object, request: Request) -> Reply:
    """Pages by `meta.pagination` of the body; the token is the number of the first row wanted."""
    body = json.loads(request.body or b"{}")
    pagination = body.get("meta", {}).get("pagination", {})
    size, start = int(pagination.get("pageSize", 100)), int(pagination.get("pageToken", "0"))
    users = [
        {
            "name": user["name"], "emailAddress": user["emailAddress"], "domain": user["domain"],
            "alias": user["isAlias"], "addressType": user["addressType"], "source": user["source"],
        }
        for user in _USERS[start : start + size]
    ]  # fmt: skip
    told: dict[str, Any] = {"pageSize": len(users), "totalCount": len(_USERS)}
    if start + size < len(_USERS):
        told["next"] = str(start + size)
    return _envelope([{"users": users, "userCount": len(_USERS)}], pagination=told)


def _aliases(_simulator: object, _request: Request) -> Reply:
    alias = {
        "alias": f"billing@{_DOMAIN}", "aliasFor": f"dana.ops@{_DOMAIN}", "aliasDisplayName": "Billing",
        "domain": _DOMAIN, "isInternal": True, "type": "created_manually",
    }  # fmt: skip
    return _envelope([{"aliases": [alias]}])


def _profile(_simulator: object, _request: Request) -> Reply:
    profile = {
        "id": f"dana.ops@{_DOMAIN}", "name": "Dana Ops", "emailAddress": f"dana.ops@{_DOMAIN}",
        "role": "Full Administrator", "admin": True, "external": False, "localPassword": False,
        "changePassword": False, "accountCode": "CSIM00A001",
    }  # fmt: skip
    return _envelope([profile])


def _directory_connections(_simulator: object, _request: Request) -> Reply:
    connection = {
        "id": "dir-1", "enabled": True, "description": "Entra ID", "serverType": "office_365", "status": "ok",
        "lastSync": "2026-09-01T06:00:11+0000", "syncRunning": False, "domains": [_DOMAIN],
        "acknowledgeDisabledAccounts": True,
        "office365Settings": {
            "tenantDomain": "simmsp.onmicrosoft.example", "clientId": "00000000-0000-0000-0000-000000000001",
        },
    }  # fmt: skip
    return _envelope([connection])


DIRECTORY_ROUTES: Mapping[str, tuple[str, Callable[..., Reply]]] = {
    "/user/cloud-gateway/v1/users": ("GET", _users),
    "/role/cloud-gateway/v1/roles": ("GET", _roles),
    "/api/user/get-internal-users": ("POST", _internal_users),
    "/api/user/get-aliases": ("POST", _aliases),
    "/api/user/get-profile": ("POST", _profile),
    "/api/directory/get-connection": ("POST", _directory_connections),
}
"""Template to method and handler, for the Mimecast simulator's table of routes."""
