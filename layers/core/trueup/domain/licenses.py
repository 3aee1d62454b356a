"""What Microsoft 365 says of one client's tenant: who has which license. Facts only; counting says what counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from trueup.domain.counts import Count

TenantId = NewType("TenantId", str)
"""The directory (tenant) id of one client, opaque and exact; of a file the file's own key, after ``FILE_TENANT``."""

FILE_TENANT = "file:"
"""How the id of a tenant begins whose number comes from a file. A directory id is a GUID and never begins like this, so
that what was mapped of one source is not taken for a lost tenant of the other.
"""


class MailboxKind(StrEnum):
    """What a mailbox is for, as far as it may be read. unknown: nobody says, which is never the same as none."""

    USER = "user"
    SHARED = "shared"
    ROOM = "room"
    EQUIPMENT = "equipment"
    NONE = "none"
    UNKNOWN = "unknown"


class UserKind(StrEnum):
    MEMBER = "member"
    GUEST = "guest"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LicensedUser:
    """One user who has at least one license. ``enabled`` is None where it is not said; ``sku_ids`` are sorted."""

    id: str
    address: str
    name: str
    enabled: bool | None
    kind: UserKind
    mailbox: MailboxKind
    sku_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sku:
    """One license that a tenant owns: its id, Microsoft's short name for it, and the plans in it."""

    id: str
    part_number: str
    service_plans: tuple[str, ...]
    units: int
    units_used: int


@dataclass(frozen=True, slots=True)
class TenantLicenses:
    """Everything read of one client's tenant, or why it could not be read.

    ``failure`` is a sentence, empty when the tenant was read in full; a tenant that failed has no users and counts as
    failed, never as 0. ``remedy`` says what to do about it. ``stated`` is the count that a file gives in place of
    users. ``mark`` is where the next read may go on from (a delta link); it holds no credential.
    """

    id: TenantId
    name: str
    read_at: datetime
    users: tuple[LicensedUser, ...] = ()
    skus: tuple[Sku, ...] = ()
    failure: str = ""
    remedy: str = ""
    stated: Count | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True)
class LicensePage:
    """One page of a complete read of all tenants, ordered by tenant id; the fields are those of the other sides' pages.

    ``accounts`` are tenants. ``accounts_total`` is how many there are in all.
    """

    accounts: tuple[TenantLicenses, ...]
    next_cursor: str | None
    accounts_total: int | None = None
    accounts_as_of: datetime | None = None
