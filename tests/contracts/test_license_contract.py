"""What every source of license counts behind the port must do: the fake in memory and Microsoft 365 over a real socket.

Method: both hold the same tenants and are given the same trouble; the outcomes must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.contracts.license_subjects import FIELDS, FakeSubject, Subject, Tenant, microsoft365_subject
from trueup.domain.errors import (
    CredentialRejected,
    InputInvalid,
    PermissionMissing,
    RateLimited,
    SchemaUnknown,
    TrueupError,
    VendorTrouble,
    VendorUnavailable,
)
from trueup.domain.licenses import LicensePage, TenantLicenses

type Opened = Callable[[tuple[Tenant, ...]], Subject]

HARBOR = Tenant(7, "Harbor Dental Group", 42)
MANY = tuple(Tenant(number, f"Client {number}", number % 5) for number in range(1, 20))
HOSTILE = (
    Tenant(1, "<img src=x onerror=alert(1)>"),
    Tenant(2, '=HYPERLINK("http://evil.example","x")'),
    Tenant(3, "Orchard\r\nX-Injected: yes"),
    Tenant(4, "Granite \u202eytiruceS\u202c"),
    Tenant(5, "Ｆｕｌｌ Ｗｉｄｔｈ"),  # full-width letters are the case
    Tenant(6, ""),
)


@pytest.fixture(params=["fake", "microsoft365"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Opens a source that holds these tenants."""
    with ExitStack() as stack:

        def open_subject(scene: tuple[Tenant, ...]) -> Subject:
            if request.param == "fake":
                return FakeSubject(scene)
            return stack.enter_context(microsoft365_subject(scene))

        yield open_subject


def pages_of(subject: Subject) -> list[LicensePage]:
    pages, cursor = [], None
    for _ in range(100):
        pages.append(subject.licenses.read_page(cursor))
        cursor = pages[-1].next_cursor
        if cursor is None:
            return pages
    raise AssertionError("the read does not end")


def tenants_of(subject: Subject) -> list[TenantLicenses]:
    return [tenant for page in pages_of(subject) for tenant in page.accounts]


def licensed_of(subject: Subject) -> dict[str, int | str]:
    """How many users each tenant has, or the word for one that could not be read."""
    return {tenant.id: "failed" if tenant.failure else len(tenant.users) for tenant in tenants_of(subject)}


# Paging.


def test_no_tenants_read_as_complete_and_empty(opened: Opened) -> None:
    pages = pages_of(opened(()))
    assert [(page.accounts, page.accounts_total) for page in pages] == [((), 0)]


def test_one_tenant_is_read_with_its_users_and_licenses(opened: Opened) -> None:
    (tenant,) = tenants_of(opened((HARBOR,)))
    assert (tenant.id, tenant.name, tenant.failure, len(tenant.users)) == (HARBOR.id, HARBOR.name, "", 42)
    assert tenant.mark
    owned = {sku.id: sku for sku in tenant.skus}
    for user in tenant.users:
        assert user.sku_ids == tuple(sorted(user.sku_ids)) != ()
        assert all(owned[sku_id].part_number and owned[sku_id].service_plans for sku_id in user.sku_ids)
    assert sum(sku.units_used for sku in tenant.skus) == 42
    assert [user.id for user in tenant.users] == sorted({user.id for user in tenant.users})


def test_many_pages_hold_every_tenant_once_in_order(opened: Opened) -> None:
    pages = pages_of(opened(MANY))
    assert len(pages) == 3
    listed = [tenant.id for page in pages for tenant in page.accounts]
    assert listed == [tenant.id for tenant in MANY]
    assert {page.accounts_total for page in pages} == {len(MANY)}


def test_a_page_can_be_read_again_with_its_cursor(opened: Opened) -> None:
    subject = opened(MANY)
    cursor = subject.licenses.read_page(None).next_cursor
    first, second = subject.licenses.read_page(cursor), subject.licenses.read_page(cursor)
    assert [one.users for one in first.accounts] == [one.users for one in second.accounts]
    assert first.next_cursor == second.next_cursor


@pytest.mark.parametrize("cursor", ["", "x", "fake:", "fake:-1", "1:0:aaaaaaaaaaaaaaaa", "1:1:", "\x00"])
def test_a_foreign_cursor_is_refused(opened: Opened, cursor: str) -> None:
    with pytest.raises((InputInvalid, VendorTrouble)):
        opened((HARBOR,)).licenses.read_page(cursor)


# Counts.


@pytest.mark.fault("C7")
def test_C7_a_tenant_that_cannot_be_read_failed_and_has_no_users_and_never_zero(opened: Opened) -> None:
    tenants = tenants_of(opened((HARBOR, Tenant(8, "Silent", None), Tenant(9, "Empty", 0))))
    failed = {tenant.name: tenant.failure for tenant in tenants if tenant.failure}
    assert list(failed) == ["Silent"]
    silent = next(tenant for tenant in tenants if tenant.name == "Silent")
    assert (silent.users, silent.skus, silent.mark) == ((), (), "")
    assert silent.remedy
    assert {tenant.name: len(tenant.users) for tenant in tenants if not tenant.failure} == {
        HARBOR.name: 42,
        "Empty": 0,
    }


@pytest.mark.fault("C18")
def test_C18_hostile_names_arrive_as_they_are(opened: Opened) -> None:
    assert [tenant.name for tenant in tenants_of(opened(HOSTILE))] == [tenant.name for tenant in HOSTILE]


def test_a_later_read_goes_on_from_the_earlier_one_and_gives_what_a_full_read_gives(opened: Opened) -> None:
    subject = opened(MANY)
    first = {tenant.id: tenant for tenant in tenants_of(subject)}
    subject.earlier.kept.update(first)
    subject.earlier.asked.clear()
    for tenant, licensed in ((MANY[0], 9), (MANY[1], 0), (MANY[2], 2)):
        subject.set_licensed(tenant, licensed)
    going_on = tenants_of(subject)
    assert subject.earlier.asked == [tenant.id for tenant in MANY]
    subject.earlier.kept.clear()
    anew = tenants_of(subject)
    assert [one.users for one in going_on] == [one.users for one in anew]
    assert [len(one.users) for one in going_on[:3]] == [9, 0, 2]


def test_a_tenant_that_is_gone_is_not_listed_any_more(opened: Opened) -> None:
    subject = opened(MANY)
    subject.earlier.kept.update({tenant.id: tenant for tenant in tenants_of(subject)})
    subject.remove_tenant(MANY[4])
    assert [tenant.id for tenant in tenants_of(subject)] == [one.id for one in MANY if one is not MANY[4]]


# The credential.


def test_a_good_credential_is_reported_with_what_it_may_do(opened: Opened) -> None:
    report = opened((HARBOR,)).licenses.check()
    assert report.identity
    assert report.missing == ()
    assert [one.name for one in report.capabilities] == ["tenants", "licenses", "users", "mailbox_kinds"]
    assert all(capability.permission for capability in report.capabilities)


@pytest.mark.fault("T17")
def test_T17_a_bad_credential_is_rejected(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.reject_credential()
    with pytest.raises(CredentialRejected) as caught:
        subject.licenses.check()
    assert caught.value.remedy
    with pytest.raises(CredentialRejected):
        subject.licenses.read_page(None)


def test_a_missing_permission_to_list_is_named_and_is_never_an_empty_list(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.forbid_tenants()
    missing = {capability.name: capability for capability in subject.licenses.check().missing}
    assert "DelegatedAdminRelationship.Read.All" in missing["tenants"].permission
    with pytest.raises(PermissionMissing) as caught:
        subject.licenses.read_page(None)
    assert caught.value.permission


# Trouble.


@pytest.mark.fault("T1")
@pytest.mark.parametrize("seconds", [3, 400])
def test_T1_a_rate_limit_passes_however_long_it_is(opened: Opened, seconds: int) -> None:
    subject = opened((HARBOR,))
    subject.limit_list(seconds)
    try:
        page = subject.licenses.read_page(None)
    except RateLimited as limited:
        subject.clock.sleep(limited.wait_seconds)
        page = subject.licenses.read_page(None)
    assert [len(tenant.users) for tenant in page.accounts] == [42]
    assert seconds <= sum(subject.clock.sleeps) < seconds + 5


def test_an_outage_of_one_call_passes(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.be_away()
    try:
        page = subject.licenses.read_page(None)
    except VendorUnavailable:
        page = subject.licenses.read_page(None)
    assert len(page.accounts) == 1


@pytest.mark.fault("T5")
def test_T5_no_answer_in_time_is_trouble_and_never_an_empty_page(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.never_answer()
    with pytest.raises(VendorUnavailable) as caught:
        subject.licenses.read_page(None)
    assert caught.value.integration == "microsoft365"


@pytest.mark.fault("T24")
def test_T24_unknown_fields_are_passed_over(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.add_unknown_fields()
    assert licensed_of(subject) == {HARBOR.id: 42}


def test_a_missing_required_field_is_named_and_no_value_is_told(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.leave_out_tenant_ids()
    with pytest.raises(SchemaUnknown) as caught:
        subject.licenses.read_page(None)
    assert "tenantId" in str(caught.value)
    assert HARBOR.name not in str(caught.value)


def test_no_secret_is_in_any_error(opened: Opened) -> None:
    troubles: list[TrueupError] = []
    for name in ("reject_credential", "forbid_tenants", "never_answer", "leave_out_tenant_ids"):
        subject = opened((HARBOR,))
        getattr(subject, name)()
        for call in (subject.licenses.check, lambda subject=subject: subject.licenses.read_page(None)):
            try:
                call()
            except TrueupError as met:
                troubles.append(met)
    assert len(troubles) >= 5
    for trouble in troubles:
        chain: list[BaseException] = []
        link: BaseException | None = trouble
        while link is not None:
            chain.append(link)
            link = link.__cause__ or link.__context__
        shown = " ".join(f"{item!s} {item!r} {item.__dict__}" for item in chain) + repr(trouble.details())
        assert FIELDS["client_secret"] not in shown
        assert "sim-graph-token-" not in shown
        assert trouble.remedy
