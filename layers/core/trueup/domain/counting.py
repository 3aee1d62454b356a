"""The licensed count of a client: its tenants' users, each in or out by the counting policy, with the reason in words.

Pure. A tenant that could not be read makes its client's count failed, never 0. Must not: keep more of a tenant than its
tally when many are counted; a list of users is made for one client at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from trueup.domain.billing import PsaAccountId
from trueup.domain.counting_policy import AddressPattern, CountingPolicy, PolicyBook, brings_mailbox
from trueup.domain.counts import SEATS_MAXIMUM, Basis, Count, Evidence, Failed, Known, Missing, Seats
from trueup.domain.licenses import LicensedUser, MailboxKind, Sku, TenantId, TenantLicenses, UserKind

_ROOMS = frozenset({MailboxKind.ROOM, MailboxKind.EQUIPMENT})
_NO_PERSON = frozenset({MailboxKind.SHARED, *_ROOMS})


@dataclass(frozen=True, slots=True)
class CountedUser:
    """One user, in or out. ``reason`` tells a person why: what counts, or everything that keeps the user out."""

    tenant_id: TenantId
    user: LicensedUser
    is_counted: bool
    reason: str


@dataclass(frozen=True, slots=True)
class TenantTally:
    """What one tenant adds to the count of its client. ``users`` are those that count; None where there is no list of
    users, because the tenant failed or because a file states its number.
    """

    id: TenantId
    name: str
    read_at: datetime
    users: int | None = None
    users_out: int = 0
    failure: str = ""
    stated: Count | None = None


@dataclass(frozen=True, slots=True)
class LicenseCount:
    """The count of one client with what it was made of. ``policy`` is the one that it was counted by."""

    count: Count
    policy: CountingPolicy
    tenants: tuple[TenantTally, ...]
    users: tuple[CountedUser, ...] = ()


def count_tenant(licenses: TenantLicenses, policy: CountingPolicy) -> LicenseCount:
    """The count of a client that has this one tenant, and its users in and out."""
    return count_tenants((licenses,), policy)


def count_tenants(tenants: Iterable[TenantLicenses], policy: CountingPolicy) -> LicenseCount:
    """The count of a client that has all these tenants, and its users in and out, by tenant, address and id.

    The policy's minimum, cap and multiple hold for the client, not for each tenant.
    """
    listed = sorted(tenants, key=lambda tenant: tenant.id)
    users = [user for tenant in listed for user in counted_users(tenant, policy)]
    tallies = tuple(tally(tenant, policy) for tenant in listed)
    users.sort(key=lambda one: (one.tenant_id, one.user.address.casefold(), one.user.id))
    return LicenseCount(count_of(tallies, policy), policy, tallies, tuple(users))


def licensed_counts(
    tenants: Iterable[TenantLicenses],
    mapped: Mapping[TenantId, PsaAccountId],
    policies: PolicyBook,
) -> dict[PsaAccountId, Count]:
    """The count of each client that a tenant is mapped to; tenants may come one by one, and none is kept.

    A mapped tenant that is not among them makes its client's count failed: somebody said that the client's users are
    there, and nobody says that there are none.
    """
    own = {PsaAccountId(one.scope): one for one in policies.own}
    tallies: dict[PsaAccountId, list[TenantTally]] = defaultdict(list)
    seen: set[TenantId] = set()
    for tenant in tenants:
        client = mapped.get(tenant.id)
        if client is not None:
            seen.add(tenant.id)
            tallies[client].append(tally(tenant, own.get(client, policies.general)))
    lost: dict[PsaAccountId, list[TenantId]] = defaultdict(list)
    for tenant_id in sorted(mapped.keys() - seen):
        lost[mapped[tenant_id]].append(tenant_id)
    counts: dict[PsaAccountId, Count] = {}
    for client in sorted(tallies.keys() | lost.keys()):
        if lost[client]:
            counts[client] = Failed(
                f"tenant {', '.join(lost[client])} is mapped to this client, but the read of licenses did not list it"
            )
        else:
            counts[client] = count_of(tallies[client], own.get(client, policies.general))
    return counts


def failed_counts(mapped: Mapping[TenantId, PsaAccountId], reason: str) -> dict[PsaAccountId, Count]:
    """What is known of each mapped client when the licenses were not read: that they should have been."""
    return {client: Failed(reason) for client in sorted(set(mapped.values()))}


def tally(tenant: TenantLicenses, policy: CountingPolicy) -> TenantTally:
    """What this tenant adds up to."""
    failure = _failure(tenant)
    if failure or tenant.stated is not None:
        return TenantTally(tenant.id, tenant.name, tenant.read_at, failure=failure, stated=tenant.stated)
    users_in = sum(one.is_counted for one in counted_users(tenant, policy))
    return TenantTally(tenant.id, tenant.name, tenant.read_at, users_in, len(tenant.users) - users_in)


def count_of(tallies: Sequence[TenantTally], policy: CountingPolicy) -> Count:
    """The client's count from its tenants: failed when one failed, missing when a number is missing, else their sum."""
    by_id = sorted(tallies, key=lambda one: one.id)
    if not by_id:
        return Missing("no tenant is mapped to this client")
    failed = [f"{_called(one)}: {_failure_of(one)}" for one in by_id if _failure_of(one)]
    if failed:
        return Failed("; ".join(failed))
    missing = [f"{_called(one)}: {one.stated.reason}" for one in by_id if isinstance(one.stated, Missing)]
    if missing:
        return Missing("; ".join(missing))
    return _sum(by_id, policy)


def _sum(tallies: Sequence[TenantTally], policy: CountingPolicy) -> Count:
    stated = [one.stated for one in tallies if isinstance(one.stated, Known)]
    read = [one for one in tallies if one.users is not None]
    users = sum(one.users or 0 for one in read)
    numbers = sum(one.seats for one in stated)
    if policy.adjusts_stated:
        seats = policy.adjusted(users + numbers)
    else:
        seats = numbers + (policy.adjusted(users) if read else 0)
    if seats > SEATS_MAXIMUM:
        return Failed(f"the tenants of this client add up to more than {SEATS_MAXIMUM} seats")
    listed = [Evidence("licensed users", "assignedLicenses", str(one.id), one.users or 0) for one in read]
    evidence = [*listed, *(item for one in stated for item in one.evidence)]
    if read or policy.adjusts_stated:
        evidence.append(Evidence("counting policy", f"version {policy.version}", policy.scope or "MSP", seats))
    bases = {Basis.LICENSED_USERS for _ in read} | {one.basis for one in stated}
    conflicts = [one.conflict for one in stated if one.conflict]
    return Known(
        Seats(seats),
        bases.pop() if len(bases) == 1 else Basis.SUM,
        min([*(one.read_at for one in read), *(one.as_of for one in stated)]),
        tuple(evidence),
        "; ".join(conflicts) or None,
    )


def counted_users(tenant: TenantLicenses, policy: CountingPolicy) -> Iterator[CountedUser]:
    """Each user of the tenant, in or out; none of a tenant that failed, whose users are not known."""
    if _failure(tenant):
        return
    rules = _Rules(tenant.skus, policy)
    for user in tenant.users:
        is_counted, reason = rules.verdict(user)
        yield CountedUser(tenant.id, user, is_counted, reason)


class _Rules:
    """One policy on one tenant's licenses. Users with the same licenses are many, so what these are is worked out
    once.
    """

    def __init__(self, skus: Iterable[Sku], policy: CountingPolicy) -> None:
        self._policy = policy
        self._skus = {sku.id: sku for sku in skus}
        self._wanted = {name.upper() for name in policy.counted_skus}
        self._ignored = {name.upper() for name in policy.ignored_skus}
        self._patterns = [AddressPattern(text) for text in policy.service_users]
        self._known: dict[tuple[str, ...], tuple[tuple[str, ...], str]] = {}

    def verdict(self, user: LicensedUser) -> tuple[bool, str]:
        """Whether the user counts, and why or why not."""
        if user.sku_ids not in self._known:
            self._known[user.sku_ids] = self._licenses(user.sku_ids)
        counting, without = self._known[user.sku_ids]
        against = [without] if without else []
        against.extend(self._against(user))
        if against:
            return False, "; ".join(against)
        return True, f"has {', '.join(counting)}{_doubts(user)}"

    def _licenses(self, sku_ids: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """The part numbers that count among these licenses, and what to say when none does."""
        counting: list[str] = []
        others: list[str] = []
        for sku_id in sku_ids:
            sku = self._skus.get(sku_id)
            if sku is None:
                others.append(f"{sku_id}, which the tenant does not list")
            elif self._counts(sku):
                counting.append(sku.part_number)
            else:
                others.append(sku.part_number)
        if counting:
            return tuple(sorted(counting)), ""
        what = f": only {', '.join(sorted(others))}" if others else ""
        return (), f"has no license that counts{what}"

    def _counts(self, sku: Sku) -> bool:
        name = sku.part_number.upper()
        if name in self._ignored:
            return False
        return name in self._wanted if self._wanted else brings_mailbox(sku.service_plans)

    def _against(self, user: LicensedUser) -> Iterator[str]:
        policy = self._policy
        address = user.address.casefold() if self._patterns else ""
        pattern = next((one for one in self._patterns if one.fits(address)), None)
        if pattern is not None:
            yield f"a service user by the pattern {pattern.text}"
        if user.kind is UserKind.GUEST and not policy.counts_guests:
            yield "a guest"
        if user.mailbox is MailboxKind.SHARED and not policy.counts_shared:
            yield "a shared mailbox"
        if user.mailbox in _ROOMS and not policy.counts_rooms:
            yield "a room" if user.mailbox is MailboxKind.ROOM else "equipment"
        if user.mailbox is MailboxKind.UNKNOWN and not policy.counts_unknown_mailboxes:
            yield "nobody says what the mailbox is for"
        if user.enabled is False and user.mailbox not in _NO_PERSON and not policy.counts_blocked:
            yield "sign-in is blocked"


def _doubts(user: LicensedUser) -> str:
    """What is not known of a user who counts: such a user is taken for a member, with sign-in, with a mailbox."""
    doubts: Sequence[tuple[bool, str]] = (
        (user.mailbox is MailboxKind.UNKNOWN, "what the mailbox is for is not known"),
        (user.mailbox is MailboxKind.NONE, "there is no mailbox yet"),
        (user.kind is UserKind.UNKNOWN, "whether a guest is not known"),
        (user.enabled is None, "whether sign-in is blocked is not known"),
    )
    said = [words for applies, words in doubts if applies]
    return f" ({'; '.join(said)})" if said else ""


def _failure(tenant: TenantLicenses) -> str:
    """Why nothing may be made of this tenant; empty when something may.

    Licenses that no product is listed for are two reads that contradict each other: nobody can say what they are.
    """
    if tenant.failure:
        return tenant.failure
    if tenant.stated is None and not tenant.skus and any(user.sku_ids for user in tenant.users):
        return "it lists users with licenses, and no license that it owns"
    return ""


def _failure_of(one: TenantTally) -> str:
    return one.failure or (one.stated.reason if isinstance(one.stated, Failed) else "")


def _called(one: TenantTally) -> str:
    return f"tenant {one.name}" if one.name else f"tenant {one.id}"
