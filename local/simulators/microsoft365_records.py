"""What the simulated Graph sends, in the documented shapes."""

from typing import Any

from local.simulators.directory import APPS, SKUS, ClientTenant, DirectoryUser


def customer_record(tenant: ClientTenant) -> dict[str, Any]:
    """One GDAP customer."""
    return {
        "@odata.type": "#microsoft.graph.delegatedAdminCustomer",
        "@odata.etag": 'W/"1"',
        "id": tenant.id,
        "tenantId": tenant.id,
        "displayName": tenant.name,
    }


def contract_record(tenant: ClientTenant) -> dict[str, Any]:
    """One partner contract; its id is its own."""
    return {
        "id": tenant.id[:-4] + "c0de",
        "contractType": "ResellerPartnerContract",
        "customerId": tenant.id,
        "defaultDomainName": tenant.domain,
        "displayName": tenant.name,
    }


def sku_records(tenant: ClientTenant) -> list[dict[str, Any]]:
    """The licenses the tenant owns: those in use, and a free one that is the whole company's."""
    used: dict[str, int] = {}
    for user in tenant.users.values():
        if user.is_licensed:
            used[user.sku] = used.get(user.sku, 0) + 1
    owned = [sku_id for sku_id in SKUS if used.get(sku_id) or sku_id != APPS]
    return [
        {
            "accountName": tenant.domain.partition(".")[0],
            "accountId": tenant.id,
            "appliesTo": "User",
            "capabilityStatus": "Enabled",
            "consumedUnits": used.get(sku_id, 0),
            "id": f"{tenant.id}_{sku_id}",
            "prepaidUnits": {
                "enabled": used.get(sku_id, 0) + tenant.spare_units,
                "suspended": 0,
                "warning": 0,
                "lockedOut": 0,
            },
            "servicePlans": [
                {
                    "servicePlanId": sku_id[:-4] + f"{number:04x}",
                    "servicePlanName": plan,
                    "provisioningStatus": "Success",
                    "appliesTo": "User",
                }
                for number, plan in enumerate(SKUS[sku_id][1])
            ],
            "skuId": sku_id,
            "skuPartNumber": SKUS[sku_id][0],
            "subscriptionIds": [],
        }
        for sku_id in owned
    ]


def user_record(tenant: ClientTenant, user: DirectoryUser, selected: str) -> dict[str, Any]:
    """One user with the properties that were selected; one that is gone has its id only."""
    user_id = tenant.user_id(user)
    if user.removed:
        return {"id": user_id, "@removed": {"reason": "changed"}}
    licenses = [{"disabledPlans": [], "skuId": user.sku}] if user.is_licensed else []
    record = {
        "id": user_id,
        "userPrincipalName": tenant.address(user),
        "displayName": user.name,
        "accountEnabled": user.kind not in ("blocked", "shared", "room", "equipment"),
        "userType": "Guest" if user.kind == "guest" else "Member",
        "assignedLicenses": licenses,
        "mail": tenant.address(user),
    }
    wanted = {"id", *selected.split(",")} if selected else set(record)
    return {name: value for name, value in record.items() if name in wanted}


def mailbox_record(purpose: str) -> dict[str, Any]:
    """The part of mailbox settings that was selected."""
    return {"@odata.context": "$metadata#users/mailboxSettings(userPurpose)", "userPurpose": purpose}
