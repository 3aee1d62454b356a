"""Vendor accounts and what the vendor sells and counts for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from trueup.domain.counts import Count

VendorAccountId = NewType("VendorAccountId", str)
"""The vendor's own id, opaque and exact (Mimecast: the account code). ``"007"`` and ``"7"`` differ."""

ServiceId = NewType("ServiceId", str)


class ServiceKind(StrEnum):
    """Plan and add-on come from a contract; account is the one count of a whole account; package is a feature.

    A package is a feature, not a thing that is billed: it may be mapped, but an unmapped one asks nobody for anything.
    """

    PLAN = "plan"
    ADDON = "addon"
    ACCOUNT = "account"
    PACKAGE = "package"


class AccountState(StrEnum):
    """What the vendor says of the account; anything that is not plainly active is held for a person."""

    ACTIVE = "active"
    PENDING = "pending"
    SUSPENDED = "suspended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class VendorAccount:
    """One customer account at the vendor. ``status_text`` is the vendor's own word, kept as it came."""

    id: VendorAccountId
    name: str
    state: AccountState = AccountState.UNKNOWN
    status_text: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A thing the vendor sells and counts."""

    id: ServiceId
    name: str
    kind: ServiceKind


@dataclass(frozen=True, slots=True)
class ServiceCount:
    """What the vendor says of one service of one account."""

    account_id: VendorAccountId
    service_id: ServiceId
    count: Count


@dataclass(frozen=True, slots=True)
class VendorPage:
    """One page of a complete read of the vendor.

    ``next_cursor`` is None on the last page. ``accounts_total`` is how many accounts the vendor says there are in all,
    or None when it does not say. ``accounts_as_of`` is set where the list of accounts is older than this read: when the
    file was given that it comes from.
    """

    accounts: tuple[VendorAccount, ...]
    services: tuple[Service, ...]
    counts: tuple[ServiceCount, ...]
    next_cursor: str | None
    accounts_total: int | None = None
    accounts_as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class VendorFacts:
    """All that one complete snapshot of the vendor says. Ids are unique in each tuple."""

    accounts: tuple[VendorAccount, ...]
    services: tuple[Service, ...]
    counts: tuple[ServiceCount, ...]
