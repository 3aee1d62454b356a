"""License counts in memory behind the LicenseReading port, with switches that make it misbehave.

It passes the same contract suite as the real adapter, so a use case tested on it meets the same outcomes. Change what
it knows between two pages with ``on_page``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tests.fakes.misbehaving import Misbehaving
from trueup.domain.billing import Capability, CapabilityReport
from trueup.domain.errors import InputInvalid
from trueup.domain.licenses import LicensedUser, LicensePage, MailboxKind, Sku, TenantId, TenantLicenses, UserKind
from trueup.ports.clock import Clock
from trueup.ports.licenses import EarlierReads

INTEGRATION = "microsoft365"
MAIL_SKU = "00000000-0000-4000-8000-0000000000a1"
CAPABILITIES = (
    Capability("tenants", True, "DelegatedAdminRelationship.Read.All"),
    Capability("licenses", True, "Organization.Read.All"),
    Capability("users", True, "User.Read.All"),
    Capability("mailbox_kinds", True, "MailboxSettings.Read"),
)


class FakeLicenses(Misbehaving):
    """Implements LicenseReading. Safe to use from several threads.

    ``calls`` counts calls by method; ``went_on`` lists the tenants that were read from where ``earlier`` ended.
    ``told_total`` replaces the total that pages tell, ``repeats_marks`` makes every page but the first lead to itself.
    """

    def __init__(self, clock: Clock, *, page_size: int = 8, earlier: EarlierReads | None = None) -> None:
        super().__init__(CAPABILITIES)
        self.tenants: dict[str, TenantLicenses] = {}
        self.page_size = page_size
        self.earlier = earlier
        self.went_on: list[str] = []
        self.told_total: Callable[[int], int | None] = lambda actual: actual
        self.repeats_marks = False
        self.on_page: Callable[[int], None] | None = None
        self._clock = clock
        self._serial = 0

    # What a test may make happen.

    def add_tenant(self, tenant_id: str, name: str, licensed: int = 0) -> None:
        """A client's tenant with that many ordinary licensed users."""
        sku = Sku(MAIL_SKU, "O365_BUSINESS_PREMIUM", ("EXCHANGE_S_STANDARD",), licensed, licensed)
        self.tenants[tenant_id] = TenantLicenses(TenantId(tenant_id), name, self._clock.now(), skus=(sku,))
        self.sets(tenant_id, licensed)

    def sets(self, tenant_id: str, licensed: int) -> None:
        """The tenant has that many ordinary licensed users from now on, and no others."""
        tenant = self.tenants[tenant_id]
        users = tuple(licensed_user(f"{tenant_id}-{number:05d}") for number in range(licensed))
        skus = tuple(replace(sku, units=licensed, units_used=licensed) for sku in tenant.skus)
        self.tenants[tenant_id] = replace(tenant, users=users, skus=skus, failure="", remedy="")

    def set_users(self, tenant_id: str, *users: LicensedUser) -> None:
        """The tenant has exactly these users from now on."""
        ordered = tuple(sorted(users, key=lambda user: user.id))
        self.tenants[tenant_id] = replace(self.tenants[tenant_id], users=ordered, failure="", remedy="")

    def fails(self, tenant_id: str, failure: str = "nobody consented", remedy: str = "Ask for consent.") -> None:
        """The tenant cannot be read from now on."""
        empty = replace(self.tenants[tenant_id], users=(), skus=(), mark="")
        self.tenants[tenant_id] = replace(empty, failure=failure, remedy=remedy)

    def renames(self, tenant_id: str, name: str) -> None:
        """The tenant has another name; its id stays."""
        self.tenants[tenant_id] = replace(self.tenants[tenant_id], name=name)

    def removes(self, tenant_id: str) -> None:
        """The tenant is no longer listed."""
        del self.tenants[tenant_id]

    # The port.

    def check(self) -> CapabilityReport:
        """The capabilities as they stand."""
        self._enter("check")
        return CapabilityReport("Fake license counts (in memory)", self.capabilities)

    def read_page(self, cursor: str | None) -> LicensePage:
        """Tenants by id, ``page_size`` at a time."""
        self._enter("read_page")
        found = re.fullmatch(r"fake:([0-9]{1,9})", "fake:0" if cursor is None else cursor, re.ASCII)
        if found is None:
            raise InputInvalid("this is not a cursor of these license counts", field="cursor")
        start = int(found[1])
        with self._lock:
            if self.on_page is not None:
                self.on_page(start)
            return self._page(start)

    # Inside.

    def _page(self, start: int) -> LicensePage:
        everyone = sorted(self.tenants)
        end = start + self.page_size
        next_cursor = f"fake:{end}" if end < len(everyone) else None
        if self.repeats_marks and start > 0:
            next_cursor = f"fake:{start}"
        return LicensePage(
            tuple(self._read(tenant_id) for tenant_id in everyone[start:end]),
            next_cursor,
            self.told_total(len(everyone)),
        )

    def _read(self, tenant_id: str) -> TenantLicenses:
        tenant = replace(self.tenants[tenant_id], read_at=self._clock.now())
        earlier = self.earlier.of(tenant.id) if self.earlier is not None else None
        if tenant.failure:
            return tenant
        if earlier is not None and earlier.mark:
            self.went_on.append(tenant_id)
        self._serial += 1
        return replace(tenant, mark=f"mark-{self._serial}")


def licensed_user(
    user_id: str,
    *,
    enabled: bool | None = True,
    kind: UserKind = UserKind.MEMBER,
    mailbox: MailboxKind = MailboxKind.USER,
    sku_ids: tuple[str, ...] = (MAIL_SKU,),
) -> LicensedUser:
    """One user with a license; an ordinary person unless told otherwise."""
    address = f"{user_id}@client.example"
    return LicensedUser(user_id, address, f"User {user_id}", enabled, kind, mailbox, sku_ids)
