"""Which tenants the clients of a world have, and who is licensed in them: the third leg of the demo month.

Most clients have as many licensed users as their agreement says. The stories named here do not: they make the verdicts
that need a third leg. All is drawn from the world's seed and its names.
"""

import random
import uuid
from collections.abc import Mapping

from local.simulators.directory import APPS, KIOSK, ClientTenant, Directory
from local.simulators.world import World

_NAMESPACE = uuid.UUID("6f1c7b52-3d4e-4a90-8f0e-0a5d6c1b2e37")

NO_TENANT = ("Inglewick Museum Trust", "Moorcroft Legal")
"""Clients whose licensed count is missing, because nobody knows a tenant of theirs."""

NO_ACCESS = "Birch & Rowe LLP"
"""The client whose tenant did not consent: its licensed count is failed."""

TENANT_STORIES: Mapping[str, tuple[str, int]] = {
    # The PSA bills the agreement, and the agreement is off: only an order is due.
    "Elmstead Veterinary Care": ("order_more", 3),
    "Hollybank Accountants": ("order_more", 5),
    "Drayford Nurseries": ("order_and_bill", 4),
    "Foxglove Interiors": ("order_less", -4),
    "Cedarhollow Freight Ltd": ("order_less", -2),
    # Both are off.
    "Kingsmoor Engineering": ("order_and_bill", 6),
    "Oakhampton Print Works": ("order_and_bill", -2),
}
"""The story of a client's tenant, and how many more users are licensed than agreed."""

EVERY_KIND = "Elmstead Veterinary Care"
"""The client whose tenant has one of everything that holds a license and is nobody's seat."""

OTHERS = (("Pebblecourt Hotels", 31), ("Ivybridge Kennels", 9))
"""Tenants of clients that have no Mimecast account: one buys only other things, one is billed for what was not sold."""


def directory_of(world: World) -> Directory:
    """The tenants of a world as it is now. A world of any size has one for each account of Mimecast."""
    tenants = []
    for account in world.accounts.values():
        # The client whose name is ten thousand letters has no PSA side either; it stays out of the third leg.
        if account.name in NO_TENANT or len(account.name) > 500:
            continue
        agreed = account.account_seats if account.account_seats is not None else account.partner_seats
        story, difference = TENANT_STORIES.get(account.name, ("in_line", 0)) if world.kind == "demo" else ("in_line", 0)
        seats = 14 if agreed is None else agreed
        tenants.append(_tenant(world, account.name, account.code, max(seats + difference, 0), story))
    if world.kind == "demo":
        tenants += [_tenant(world, name, None, licensed, "no_account") for name, licensed in OTHERS]
    return Directory(tenants)


def _tenant(world: World, name: str, account_code: str | None, licensed: int, story: str) -> ClientTenant:
    number = len(world.accounts) if account_code is None else list(world.accounts).index(account_code)
    tenant = ClientTenant(
        id=str(uuid.uuid5(_NAMESPACE, f"{world.seed} {account_code or name}")),
        name=name,
        domain=f"client{202 + number}.example" if account_code is not None else f"client-{number}-other.example",
        account_code=account_code,
        story=story,
    )
    tenant.version = 0
    if name == NO_ACCESS and world.kind == "demo":
        tenant.story, tenant.access = "no_consent", "no_consent"
    service = 1 if name == "Hollybank Accountants" and world.kind == "demo" else 0
    tenant.add(licensed - service)
    if licensed:
        _add_others(tenant, random.Random(f"{world.seed} {tenant.id}"), service)
    tenant.version = 1
    for user in tenant.users.values():
        user.changed = 1
    return tenant


def _add_others(tenant: ClientTenant, rng: random.Random, service: int) -> None:
    """Accounts that are nobody's seat: a license does not make a person."""
    if service:
        tenant.add(service, "service")
    if tenant.name == EVERY_KIND:
        _add_every_kind(tenant)
        return
    if rng.random() < 0.35:
        tenant.add(rng.randint(1, 2), "shared")
    if rng.random() < 0.2:
        tenant.add(1, "room", KIOSK)
    if rng.random() < 0.1:
        tenant.add(1, "equipment", KIOSK)
    if rng.random() < 0.15:
        tenant.add(1, "guest")
    if rng.random() < 0.2:
        tenant.add(1, "blocked")
    if rng.random() < 0.2:
        tenant.add(1, "user", APPS)
    tenant.add(rng.randint(1, 5), "unlicensed")


def _add_every_kind(tenant: ClientTenant) -> None:
    tenant.add(2, "shared")
    tenant.add(1, "room", KIOSK)
    tenant.add(1, "equipment", KIOSK)
    tenant.add(1, "guest")
    tenant.add(1, "blocked")
    tenant.add(1, "user", APPS)
    tenant.add(3, "unlicensed")
