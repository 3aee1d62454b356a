"""Who counts: each user in or out with the reason, tenants added up, nothing unreadable taken for zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.billing import PsaAccountId
from trueup.domain.counting import count_tenant, count_tenants, failed_counts, licensed_counts
from trueup.domain.counting_policy import (
    DEFAULT_POLICY,
    AddressPattern,
    CountingPolicy,
    PolicyBook,
    brings_mailbox,
    policies_in,
)
from trueup.domain.counts import SEATS_MAXIMUM, Basis, Evidence, Failed, Known, Missing, Seats
from trueup.domain.errors import InputInvalid
from trueup.domain.licenses import LicensedUser, MailboxKind, Sku, TenantId, TenantLicenses, UserKind

AT = datetime(2026, 7, 1, 6, tzinfo=UTC)
PREMIUM = Sku("sku-1", "SPB", ("EXCHANGE_S_STANDARD", "TEAMS1"), 25, 20)
POWER_BI = Sku("sku-2", "POWER_BI_STANDARD", ("EXCHANGE_S_FOUNDATION", "BI_AZURE_P0"), 100, 9)
KIOSK = Sku("sku-3", "EXCHANGEDESKLESS", ("EXCHANGE_S_DESKLESS",), 10, 3)
SKUS = (PREMIUM, POWER_BI, KIOSK)


def user(number: int = 1, *skus: str, **changes: Any) -> LicensedUser:
    plain = LicensedUser(
        id=f"U{number}",
        address=f"user{number}@client.example",
        name=f"User {number}",
        enabled=True,
        kind=UserKind.MEMBER,
        mailbox=MailboxKind.USER,
        sku_ids=skus or ("sku-1",),
    )
    return replace(plain, **changes)


def tenant(*users: LicensedUser, id: str = "T1", **changes: Any) -> TenantLicenses:
    return replace(TenantLicenses(TenantId(id), f"Client {id}", AT, users, SKUS), **changes)


def stated(number: int, id: str = "T1") -> TenantLicenses:
    count = Known(Seats(number), Basis.LICENSE_FILE, AT, (Evidence("file", "seats", id, number),))
    return TenantLicenses(TenantId(id), f"Client {id}", AT, stated=count)


def fits(pattern: str, address: str) -> bool:
    return AddressPattern(pattern).fits(address.casefold())


def reason_of(one: LicensedUser, policy: CountingPolicy = DEFAULT_POLICY) -> tuple[bool, str]:
    (counted,) = count_tenant(tenant(one), policy).users
    return counted.is_counted, counted.reason


# Each user in or out, with the reason


@pytest.mark.parametrize(
    ("one", "is_counted", "reason"),
    [
        (user(), True, "has SPB"),
        (user(1, "sku-3", "sku-1"), True, "has EXCHANGEDESKLESS, SPB"),
        (user(1, "sku-2"), False, "has no license that counts: only POWER_BI_STANDARD"),
        (user(1, "sku-9"), False, "has no license that counts: only sku-9, which the tenant does not list"),
        (user(mailbox=MailboxKind.SHARED, enabled=False), False, "a shared mailbox"),
        (user(mailbox=MailboxKind.ROOM, enabled=False), False, "a room"),
        (user(mailbox=MailboxKind.EQUIPMENT), False, "equipment"),
        (user(kind=UserKind.GUEST), False, "a guest"),
        (user(enabled=False), False, "sign-in is blocked"),
        (user(kind=UserKind.GUEST, enabled=False), False, "a guest; sign-in is blocked"),
        (user(mailbox=MailboxKind.UNKNOWN), True, "has SPB (what the mailbox is for is not known)"),
        (user(mailbox=MailboxKind.NONE), True, "has SPB (there is no mailbox yet)"),
        (user(kind=UserKind.UNKNOWN), True, "has SPB (whether a guest is not known)"),
        (user(enabled=None), True, "has SPB (whether sign-in is blocked is not known)"),
    ],
)
def test_everybody_is_in_or_out_with_the_reason_in_words(one: LicensedUser, is_counted: bool, reason: str) -> None:
    assert reason_of(one) == (is_counted, reason)


@pytest.mark.parametrize(
    ("switch", "one"),
    [
        ("counts_shared", user(mailbox=MailboxKind.SHARED, enabled=False)),
        ("counts_rooms", user(mailbox=MailboxKind.ROOM, enabled=False)),
        ("counts_rooms", user(mailbox=MailboxKind.EQUIPMENT, enabled=False)),
        ("counts_guests", user(kind=UserKind.GUEST)),
        ("counts_blocked", user(enabled=False)),
    ],
)
def test_each_switch_lets_its_kind_of_user_in(switch: str, one: LicensedUser) -> None:
    assert reason_of(one)[0] is False
    assert reason_of(one, replace(DEFAULT_POLICY, **{switch: True}))[0] is True  # type: ignore[arg-type]


def test_a_mailbox_that_nobody_explains_can_be_left_out() -> None:
    policy = replace(DEFAULT_POLICY, counts_unknown_mailboxes=False)
    assert reason_of(user(mailbox=MailboxKind.UNKNOWN), policy) == (False, "nobody says what the mailbox is for")


def test_service_users_are_left_out_by_their_address() -> None:
    policy = replace(DEFAULT_POLICY, service_users=("svc-*",)).checked()
    one = user(address="SVC-Backup@client.example")
    assert reason_of(one, policy) == (False, "a service user by the pattern svc-*")
    assert reason_of(user(address="my-svc-x@client.example"), policy)[0] is True


def test_named_licenses_count_and_ignored_ones_never_do() -> None:
    by_name = CountingPolicy(counted_skus=("power_bi_standard",))
    assert reason_of(user(1, "sku-2"), by_name) == (True, "has POWER_BI_STANDARD")
    assert reason_of(user(1, "sku-1"), by_name)[0] is False
    ignored = CountingPolicy(counted_skus=("SPB",), ignored_skus=("spb",))
    assert reason_of(user(1, "sku-1"), ignored)[0] is False


@pytest.mark.parametrize(
    ("plans", "brings"),
    [
        (("EXCHANGE_S_STANDARD",), True),
        (("exchange_s_enterprise",), True),
        (("EXCHANGE_S_DESKLESS", "EXCHANGE_S_FOUNDATION"), True),
        (("EXCHANGE_S_FOUNDATION",), False),
        (("EXCHANGE_S_ARCHIVE_ADDON",), False),
        (("EXCHANGE_ANALYTICS",), False),
        (("TEAMS1", "SHAREPOINTSTANDARD"), False),
        ((), False),
    ],
)
def test_a_license_counts_when_it_brings_a_mailbox(plans: tuple[str, ...], brings: bool) -> None:
    assert brings_mailbox(plans) is brings


# What cannot be read is never zero


def test_a_tenant_that_failed_has_no_count_and_no_users() -> None:
    counted = count_tenant(tenant(user(), failure="consent was withdrawn"), DEFAULT_POLICY)
    assert counted.count == Failed("tenant Client T1: consent was withdrawn")
    assert counted.users == ()


def test_a_tenant_without_licensed_users_has_none() -> None:
    count = count_tenant(tenant(), DEFAULT_POLICY).count
    assert isinstance(count, Known)
    assert count.seats == 0


def test_users_with_licenses_in_a_tenant_that_lists_none_is_a_contradiction() -> None:
    count = count_tenant(tenant(user(), skus=()), DEFAULT_POLICY).count
    assert count == Failed("tenant Client T1: it lists users with licenses, and no license that it owns")


def test_several_tenants_add_up_and_one_that_failed_fails_the_client() -> None:
    both = count_tenants([tenant(user(1), id="T2", read_at=AT - timedelta(hours=1)), tenant(user(1))], DEFAULT_POLICY)
    assert isinstance(both.count, Known)
    assert (both.count.seats, both.count.basis) == (2, Basis.LICENSED_USERS)
    assert both.count.as_of == AT - timedelta(hours=1)
    assert [one.tenant_id for one in both.users] == ["T1", "T2"]
    failed = count_tenants([tenant(user()), tenant(id="T2", failure="no consent")], DEFAULT_POLICY)
    assert isinstance(failed.count, Failed)


def test_a_client_without_any_tenant_has_no_count() -> None:
    assert isinstance(count_tenants([], DEFAULT_POLICY).count, Missing)


def test_the_evidence_names_the_tenant_and_the_version_of_the_policy() -> None:
    policy = CountingPolicy(scope="C7", minimum_seats=5, version=3)
    count = count_tenant(tenant(user()), policy).count
    assert isinstance(count, Known)
    assert count.evidence == (
        Evidence("licensed users", "assignedLicenses", "T1", 1),
        Evidence("counting policy", "version 3", "C7", 5),
    )


# A number from a file


def test_a_stated_number_is_taken_as_it_is_unless_the_policy_says_otherwise() -> None:
    policy = CountingPolicy(included_seats=2, minimum_seats=10)
    as_it_is = count_tenant(stated(7), policy).count
    assert as_it_is == stated(7).stated
    adjusted = count_tenant(stated(7), replace(policy, adjusts_stated=True)).count
    assert isinstance(adjusted, Known)
    assert adjusted.seats == 10


def test_a_stated_number_that_is_missing_or_failed_stays_so() -> None:
    missing = tenant(stated=Missing("the file has no number"))
    assert count_tenants([missing, stated(7, "T2")], DEFAULT_POLICY).count == Missing(
        "tenant Client T1: the file has no number"
    )
    failed = tenant(stated=Failed("the file says a dozen"))
    assert isinstance(count_tenants([failed, missing], DEFAULT_POLICY).count, Failed)


def test_more_seats_than_any_client_has_is_no_count() -> None:
    both = [stated(SEATS_MAXIMUM), stated(SEATS_MAXIMUM, "T2")]
    assert isinstance(count_tenants(both, DEFAULT_POLICY).count, Failed)


def test_a_conflict_of_the_file_is_kept() -> None:
    known = stated(7).stated
    assert isinstance(known, Known)
    count = count_tenant(replace(stated(7), stated=replace(known, conflict="also says 8")), DEFAULT_POLICY).count
    assert isinstance(count, Known)
    assert count.conflict == "also says 8"


# Included, minimum, multiple, cap


@pytest.mark.parametrize(
    ("users", "policy", "seats"),
    [
        (12, CountingPolicy(), 12),
        (12, CountingPolicy(included_seats=5), 7),
        (3, CountingPolicy(included_seats=5), 0),
        (3, CountingPolicy(minimum_seats=5), 5),
        (0, CountingPolicy(minimum_seats=5), 5),
        (12, CountingPolicy(multiple_seats=5), 15),
        (15, CountingPolicy(multiple_seats=5), 15),
        (3, CountingPolicy(minimum_seats=7, multiple_seats=5), 10),
        (12, CountingPolicy(cap_seats=10), 10),
        (12, CountingPolicy(cap_seats=13, multiple_seats=5), 13),
        (12, CountingPolicy(included_seats=5, minimum_seats=10, multiple_seats=4, cap_seats=11), 11),
    ],
)
def test_users_become_seats_in_one_order(users: int, policy: CountingPolicy, seats: int) -> None:
    assert policy.adjusted(users) == seats


def test_the_minimum_is_the_clients_not_each_tenants() -> None:
    policy = CountingPolicy(minimum_seats=5)
    count = count_tenants([tenant(user(), id="T1"), tenant(user(), id="T2")], policy).count
    assert isinstance(count, Known)
    assert count.seats == 5


# What a policy may say


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"included_seats": -1}, "included_seats"),
        ({"minimum_seats": "5"}, "minimum_seats"),
        ({"minimum_seats": True}, "minimum_seats"),
        ({"multiple_seats": 0}, "multiple_seats"),
        ({"cap_seats": SEATS_MAXIMUM + 1}, "cap_seats"),
        ({"cap_seats": 4, "minimum_seats": 5}, "cap_seats"),
        ({"counted_skus": ("",)}, "counted_skus"),
        ({"ignored_skus": ("A" * 201,)}, "ignored_skus"),
        ({"ignored_skus": ("A\nB",)}, "ignored_skus"),
        ({"counted_skus": tuple(f"S{number}" for number in range(201))}, "counted_skus"),
        ({"service_users": ("*",)}, "service_users"),
        ({"service_users": ("**@*",)}, "service_users"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_by_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        replace(DEFAULT_POLICY, **changes).checked()
    assert refused.value.field == field
    assert refused.value.remedy


def test_lists_are_put_in_order() -> None:
    policy = CountingPolicy(counted_skus=(" SPB", "E3", "SPB")).checked()
    assert policy.counted_skus == ("E3", "SPB")


@pytest.mark.parametrize(
    ("pattern", "address", "does"),
    [
        ("svc-*", "svc-a@x.example", True),
        ("svc-*", "svc-", True),
        ("*-svc@*", "a-svc@x.example", True),
        ("*@x.example", "a@x.example.org", False),
        ("Admin@X.example", "admin@x.EXAMPLE", True),
        ("admin@x.example", "admin2@x.example", False),
        ("a*a", "a", False),
        ("a*b*c", "aXbXc", True),
        ("a*b*c", "aXcXb", False),
        ("a*ab*b", "aab", False),
        ("a.c@x", "abc@x", False),
    ],
)
def test_a_pattern_fits_whole_addresses(pattern: str, address: str, does: bool) -> None:
    assert fits(pattern, address) is does


def test_a_hostile_pattern_takes_no_time() -> None:
    assert fits("*a" * 100 + "b", "a" * 5_000) is False


# Which policy holds


def test_a_client_has_its_own_policy_or_that_of_the_msp() -> None:
    msp = CountingPolicy(minimum_seats=1, version=1)
    own = CountingPolicy(scope="C1", psa_system="psa one", minimum_seats=2, version=1)
    elsewhere = CountingPolicy(scope="C2", psa_system="psa two", minimum_seats=3, version=1)
    gone = CountingPolicy(scope="C3", psa_system="psa one", minimum_seats=4, version=2, cleared=True)
    book = policies_in([own, elsewhere, gone, msp], "psa one")
    assert book.of(PsaAccountId("C1")) == own
    assert book.own == (own,)
    for other in ("C2", "C3", "C4"):
        assert book.of(PsaAccountId(other)) == msp
    assert book.of(None) == msp
    assert policies_in([], "psa one").of(PsaAccountId("C1")) == DEFAULT_POLICY
    assert (own.name, msp.name) == ("policy of client C1, version 1", "policy of the MSP, version 1")
    assert DEFAULT_POLICY.name == "default policy"


@pytest.mark.fault("C12")
def test_C12_each_mapped_client_has_a_count_and_a_lost_tenant_fails_it() -> None:
    mapped = {
        TenantId("T1"): PsaAccountId("C1"),
        TenantId("T2"): PsaAccountId("C1"),
        TenantId("T3"): PsaAccountId("C2"),
    }
    policies = PolicyBook(DEFAULT_POLICY, (CountingPolicy(scope="C1", minimum_seats=9, version=2),))
    read = [tenant(user(), id="T1"), tenant(user(), id="T2"), tenant(user(), id="T4")]
    counts = licensed_counts(iter(read), mapped, policies)
    assert list(counts) == ["C1", "C2"]
    first = counts[PsaAccountId("C1")]
    assert isinstance(first, Known)
    assert first.seats == 9
    lost = counts[PsaAccountId("C2")]
    assert isinstance(lost, Failed)
    assert "T3" in lost.reason
    assert failed_counts(mapped, "Microsoft 365 was not read") == {
        "C1": Failed("Microsoft 365 was not read"),
        "C2": Failed("Microsoft 365 was not read"),
    }


# Properties

SEATS = st.integers(0, 12)
USERS = st.builds(
    LicensedUser,
    id=st.uuids().map(str),
    address=st.sampled_from(["ann@c.example", "SVC-1@c.example", "scan@c.example", ""]),
    name=st.just("Somebody"),
    enabled=st.sampled_from([True, False, None]),
    kind=st.sampled_from(UserKind),
    mailbox=st.sampled_from(MailboxKind),
    sku_ids=st.lists(st.sampled_from(["sku-1", "sku-2", "sku-3", "sku-9"]), unique=True).map(tuple),
)
POLICIES = st.builds(
    CountingPolicy,
    counted_skus=st.sampled_from([(), ("SPB",), ("POWER_BI_STANDARD", "spb")]),
    ignored_skus=st.sampled_from([(), ("SPB",), ("EXCHANGEDESKLESS",)]),
    counts_shared=st.booleans(),
    counts_rooms=st.booleans(),
    counts_guests=st.booleans(),
    counts_blocked=st.booleans(),
    counts_unknown_mailboxes=st.booleans(),
    service_users=st.sampled_from([(), ("svc-*",), ("scan@c.example", "*1*")]),
    included_seats=SEATS,
    minimum_seats=SEATS,
    cap_seats=st.none() | st.integers(12, 20),
    multiple_seats=st.integers(1, 6),
)
TENANTS = st.lists(
    st.builds(
        lambda number, users, failure: tenant(*users, id=f"T{number}", failure=failure),
        st.integers(0, 10**9),
        st.lists(USERS, max_size=6),
        st.sampled_from(["", "", "", "no consent"]),
    ),
    unique_by=lambda one: one.id,
    max_size=3,
)


def reference(tenants: Sequence[TenantLicenses], policy: CountingPolicy) -> int | None:
    """The same rules, said once more in another way; None where there is no number."""
    if not tenants or any(one.failure for one in tenants):
        return None
    total = 0
    for one in tenants:
        for person in one.users:
            names = {sku.part_number for sku in SKUS if sku.id in person.sku_ids}
            names -= {name.upper() for name in policy.ignored_skus}
            wanted = {name.upper() for name in policy.counted_skus} or {"SPB", "EXCHANGEDESKLESS"}
            resource = person.mailbox in {"room", "equipment"}
            shared = person.mailbox == "shared"
            out = (
                not names & wanted
                or ("svc-*" in policy.service_users and person.address.lower().startswith("svc-"))
                or ("*1*" in policy.service_users and "1" in person.address)
                or person.address in policy.service_users
                or (person.kind == "guest" and not policy.counts_guests)
                or (shared and not policy.counts_shared)
                or (resource and not policy.counts_rooms)
                or (person.mailbox == "unknown" and not policy.counts_unknown_mailboxes)
                or (person.enabled is False and not (shared or resource or policy.counts_blocked))
            )
            total += not out
    total = max(0, total - policy.included_seats)
    total = max(total, policy.minimum_seats)
    while total % policy.multiple_seats:
        total += 1
    return total if policy.cap_seats is None or total < policy.cap_seats else policy.cap_seats


@given(TENANTS, POLICIES)
def test_the_count_agrees_with_an_independent_one(tenants: list[TenantLicenses], policy: CountingPolicy) -> None:
    count = count_tenants(tenants, policy).count
    expected = reference(tenants, policy)
    assert (count.seats if isinstance(count, Known) else None) == expected


@given(TENANTS, POLICIES)
def test_nobody_is_lost_and_the_order_says_nothing(tenants: list[TenantLicenses], policy: CountingPolicy) -> None:
    counted = count_tenants(tenants, policy)
    assert counted == count_tenants(list(reversed(tenants)), policy)
    readable = [one for one in tenants if not one.failure]
    assert len(counted.users) == sum(len(one.users) for one in readable)
    assert all(one.reason for one in counted.users)
    for one in counted.tenants:
        mine = [person for person in counted.users if person.tenant_id == one.id]
        assert one.users is None or (one.users, one.users_out) == (
            sum(person.is_counted for person in mine),
            sum(not person.is_counted for person in mine),
        )
    if isinstance(counted.count, Known):
        assert policy.minimum_seats <= counted.count.seats <= (policy.cap_seats or SEATS_MAXIMUM)


@given(
    TENANTS,
    POLICIES,
    st.sampled_from(
        ["counts_shared", "counts_rooms", "counts_guests", "counts_blocked", "counts_unknown_mailboxes"],
    ),
)
def test_letting_a_kind_of_user_in_never_lowers_the_count(
    tenants: list[TenantLicenses], policy: CountingPolicy, switch: str
) -> None:
    without = count_tenants(tenants, replace(policy, **{switch: False}))  # type: ignore[arg-type]
    with_them = count_tenants(tenants, replace(policy, **{switch: True}))  # type: ignore[arg-type]
    counted = {one.user.id for one in without.users if one.is_counted}
    assert counted <= {one.user.id for one in with_them.users if one.is_counted}


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_patterns_agree_with_a_slow_reading_of_them(pattern: str, address: str) -> None:
    def slow(wanted: str, text: str) -> bool:
        if not wanted:
            return not text
        if wanted[0] == "*":
            return any(slow(wanted[1:], text[start:]) for start in range(len(text) + 1))
        return bool(text) and wanted[0] == text[0] and slow(wanted[1:], text[1:])

    assert fits(pattern, address) is slow(pattern, address)
