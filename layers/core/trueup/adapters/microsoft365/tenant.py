"""Reads one client's tenant whole: its licenses, who has them, and what their mailboxes are for.

Nothing is taken on trust that can be cross-checked: licenses name their tenant, and say how many are in use. It raises
what keeps the tenant from being read; it must never give fewer users for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from trueup.adapters.microsoft365.mailboxes import read_mailbox_kinds
from trueup.adapters.microsoft365.paging import read_pages
from trueup.adapters.microsoft365.replies import SKUS_PERMISSION, USERS_PERMISSION
from trueup.adapters.microsoft365.session import PREFIX, GraphSession
from trueup.adapters.microsoft365.users import Mark, UsersRead, read_all, read_changes
from trueup.adapters.microsoft365.wire import INTEGRATION, VENDOR, SkuWire
from trueup.domain.errors import ReadIncomplete, TenantScopeMismatch
from trueup.domain.licenses import LicensedUser, MailboxKind, Sku, TenantId, TenantLicenses

SKUS_PATH: Final = "/subscribedSkus"
SKUS_SELECTED: Final = "id,accountId,skuId,skuPartNumber,appliesTo,consumedUnits,prepaidUnits,servicePlans"
_SKUS_DOING: Final = "reading licenses"


def read_tenant(session: GraphSession, name: str, earlier: TenantLicenses | None) -> TenantLicenses:
    """The whole tenant, going on from ``earlier`` where that can be.

    Raises VendorTrouble of every kind: TenantScopeMismatch for an answer of another tenant, ReadIncomplete for users
    that cannot be all.
    """
    read_at = session.client.clock.now()
    skus = read_skus(session)
    mark = Mark.of(earlier, today=read_at.date())
    read = read_changes(session, earlier, mark) if earlier is not None and mark is not None else None
    if read is None or not _agrees(read, skus):
        keeping = earlier if mark is not None else None
        read = read_all(session, keeping=keeping, since=read_at.date() if mark is None else mark.since)
    _require_users(read, skus)
    users = _with_mailbox_kinds(session, read)
    return TenantLicenses(
        TenantId(session.tenant_id), name, read_at, users=users, skus=_merged(skus), mark=read.mark.text
    )


def read_skus(session: GraphSession) -> list[SkuWire]:
    """The licenses the tenant owns. Raises TenantScopeMismatch when one names another tenant and not this one."""
    pages = read_pages(
        session,
        SkuWire,
        f"{PREFIX}{SKUS_PATH}",
        query=(("$select", SKUS_SELECTED),),
        doing=_SKUS_DOING,
        permission=SKUS_PERMISSION,
    )
    skus = [one for page in pages for one in page.records]
    if any(one.tenants and session.tenant_id not in one.tenants for one in skus):
        raise TenantScopeMismatch(
            f"{VENDOR}, {_SKUS_DOING}: the answer is about another tenant than the one that was asked for; it was "
            "thrown away",
            integration=INTEGRATION,
            remedy="Read again; if it lasts, ask Microsoft.",
        )
    return skus


def _agrees(read: UsersRead, skus: Iterable[SkuWire]) -> bool:
    """Whether users put together from changes have as many licenses as the tenant says are in use.

    Where they differ, which may also be because Microsoft counts later than it tells, all users are read to be sure.
    """
    used = read.units_used()
    return all(used.get(one.sku_id, 0) == one.consumed for one in skus if one.is_for_users and one.consumed is not None)


def _require_users(read: UsersRead, skus: Iterable[SkuWire]) -> None:
    """A tenant whose licenses are in use and which shows nobody who has one was not shown whole."""
    in_use = sum(one.consumed or 0 for one in skus if one.is_for_users)
    if in_use and not read.users:
        raise ReadIncomplete(
            f"{VENDOR} says that {in_use} licenses are in use and shows no user who has one",
            integration=INTEGRATION,
            remedy=f"Check that the application has {USERS_PERMISSION} in this tenant, then read again.",
        )


def _with_mailbox_kinds(session: GraphSession, read: UsersRead) -> tuple[LicensedUser, ...]:
    """All users by id; those whose mailbox is not known from before are asked for."""
    unknown = sorted(user.id for user in read.users.values() if user.mailbox is MailboxKind.UNKNOWN)
    kinds = read_mailbox_kinds(session, unknown)
    return tuple(
        replace(user, mailbox=kinds[user_id]) if user_id in kinds else user
        for user_id, user in sorted(read.users.items())
    )


def _merged(skus: Iterable[SkuWire]) -> tuple[Sku, ...]:
    """Each license once, by id; one that is listed twice under two ids of its own was bought twice."""
    by_row = {(one.id or one.sku_id, one.sku_id): one.sku() for one in skus}
    merged: dict[str, Sku] = {}
    for sku in by_row.values():
        other = merged.get(sku.id)
        if other is not None:
            sku = replace(
                sku,
                service_plans=tuple(sorted({*sku.service_plans, *other.service_plans})),
                units=sku.units + other.units,
                units_used=sku.units_used + other.units_used,
            )
        merged[sku.id] = sku
    return tuple(merged[sku_id] for sku_id in sorted(merged))
