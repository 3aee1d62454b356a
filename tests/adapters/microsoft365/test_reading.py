"""Reading tenants: who is licensed, what their mailboxes are for, and that a tenant is read whole or not at all."""

from __future__ import annotations

import pytest

from local.simulators import demo_world, running
from local.simulators.demo_directory import NO_ACCESS, NO_TENANT, TENANT_STORIES
from local.simulators.directory import APPS, MAIL
from local.simulators.microsoft365 import Microsoft365Simulator
from tests.adapters.microsoft365.connected import (
    BATCH,
    CUSTOMERS,
    DELTA,
    HARBOR,
    MAILBOX,
    PIER,
    QUAY,
    SCENE,
    SKUS,
    TOKEN,
    connected,
    of,
)
from tests.contracts.license_subjects import FIELDS, Tenant
from tests.fakes.clock import FakeClock
from trueup.adapters.microsoft365.licenses import TENANTS_AT_ONCE, open_microsoft365
from trueup.adapters.microsoft365.mailboxes import BATCHES_AT_ONCE
from trueup.domain.counting import count_tenant
from trueup.domain.counting_policy import DEFAULT_POLICY
from trueup.domain.counts import Failed, Known
from trueup.domain.errors import (
    CredentialRejected,
    RateLimited,
    ReadIncomplete,
    RequestRefused,
    UnsafeAddress,
    VendorUnavailable,
)
from trueup.domain.licenses import MailboxKind, TenantLicenses, UserKind


def test_users_come_with_all_that_a_count_needs() -> None:
    with connected((HARBOR,)) as site:
        tenant = site.tenant(HARBOR)
        for kind in ("shared", "room", "equipment", "guest", "blocked"):
            tenant.add(1, kind)  # type: ignore[arg-type]  # the loop's words are the kinds
        tenant.add(1, "user", APPS)
        users = site.users()
        assert len(users) == 5 + 6
        kinds = [user.mailbox for user in users[5:]]
        shared, room, equipment = MailboxKind.SHARED, MailboxKind.ROOM, MailboxKind.EQUIPMENT
        assert kinds == [shared, room, equipment, MailboxKind.USER, MailboxKind.USER, MailboxKind.UNKNOWN]
        assert [user.kind for user in users if user.kind is not UserKind.MEMBER] == [UserKind.GUEST]
        assert [user.enabled for user in users[8:]] == [True, False, True]
        assert users[8].address.endswith("#EXT#@client1.example")
        assert users[10].sku_ids == (APPS,)


def test_the_licenses_of_a_tenant_come_with_their_plans_and_units() -> None:
    with connected((HARBOR,)) as site:
        mail = next(sku for sku in site.read_harbor().skus if sku.id == MAIL)
        assert (mail.part_number, mail.units, mail.units_used) == ("O365_BUSINESS_PREMIUM", 6, 5)
        assert "EXCHANGE_S_STANDARD" in mail.service_plans


def test_many_users_come_in_pages_and_mailboxes_twenty_at_a_time() -> None:
    with connected((Tenant(1, HARBOR.name, 250),)) as site:
        assert len(site.users()) == 250
        assert site.asked(DELTA) == 3
        assert site.asked(BATCH, "POST") == 13


def test_one_token_serves_a_tenant_and_the_list_is_asked_for_once() -> None:
    scene = tuple(Tenant(number, f"Client {number}", 2) for number in range(1, 20))
    with connected(scene) as site:
        site.simulator.customer_page_size = 7
        assert len(site.read()) == 19
        assert site.asked(CUSTOMERS) == 3
        assert site.asked("/token", "POST") == 20
        assert site.simulator.requests.max_concurrent <= TENANTS_AT_ONCE * BATCHES_AT_ONCE


def test_a_license_that_the_tenant_does_not_list_is_kept_by_its_id() -> None:
    unknown = "99999999-0000-4000-8000-000000000000"
    with connected((HARBOR,)) as site:
        site.simulator.faults.add("set_field", path=DELTA, field="skuId", raw=f'"{unknown}"')
        assert {user.sku_ids for user in site.users()} == {(unknown,)}


@pytest.mark.fault("C10")
def test_C10_ids_in_capitals_are_the_same_ids() -> None:
    with connected((HARBOR,)) as site:
        site.simulator.faults.add("set_field", path=CUSTOMERS, field="tenantId", raw=f'"{HARBOR.id.upper()}"')
        site.simulator.faults.add("set_field", path=DELTA, field="skuId", raw=f'"{MAIL.upper()}"')
        tenant = site.read_harbor()
        assert tenant.id == HARBOR.id
        assert {user.sku_ids for user in tenant.users} == {(MAIL,)}


# A tenant that cannot be read.


def failed(tenant: TenantLicenses) -> str:
    """Why it failed; a failed tenant has nothing that could be counted."""
    assert tenant.failure
    assert tenant.remedy
    assert (tenant.users, tenant.skus, tenant.mark, tenant.stated) == ((), (), "", None)
    assert isinstance(count_tenant(tenant, DEFAULT_POLICY).count, Failed)
    return tenant.failure


@pytest.mark.parametrize(
    ("access", "said", "mended"),
    [
        ("no_consent", "AADSTS700016", f"/{QUAY.id}/adminconsent?client_id="),
        ("no_relationship", "Insufficient privileges", "Organization.Read.All"),
        ("gone", "AADSTS90002", "still exists"),
    ],
)
def test_a_tenant_without_access_fails_with_what_mends_it_and_the_others_are_read(
    access: str, said: str, mended: str
) -> None:
    with connected() as site:
        site.simulator.world.edit_directory(lambda directory: setattr(directory.tenants[QUAY.id], "access", access))
        read = site.read()
        assert said in failed(read[QUAY.name])
        assert mended in read[QUAY.name].remedy
        assert [len(read[one.name].users) for one in (HARBOR, PIER)] == [5, 3]


@pytest.mark.fault("C14")
@pytest.mark.parametrize("path", [SKUS, DELTA])
@pytest.mark.parametrize("status", [400, 403, 404, 500, 503])
def test_C14_a_tenant_that_refuses_or_breaks_in_the_middle_has_failed(path: str, status: int) -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=of(QUAY, path), times=0, status=status)
        read = site.read()
        assert failed(read[QUAY.name])
        assert len(read[HARBOR.name].users) == 5


@pytest.mark.fault("T12")
@pytest.mark.parametrize("kind", ["repeated_token", "token_loop", "endless_tokens", "no_last_link"])
def test_T12_pages_that_repeat_or_do_not_end_are_no_users(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trueup.adapters.microsoft365.paging.PAGES_MAXIMUM", 12)
    with connected() as site:
        site.simulator.user_page_size = 2
        site.simulator.faults.add(kind, path=of(QUAY, DELTA), times=0)
        read = site.read()
        assert "pages" in failed(read[QUAY.name])
        assert len(read[HARBOR.name].users) == 5


@pytest.mark.fault("T12")
def test_T12_users_that_come_twice_are_one_each() -> None:
    with connected() as site:
        site.simulator.user_page_size = 2
        site.simulator.faults.add("duplicate_page", path=DELTA, times=0)
        assert [len(tenant.users) for tenant in site.read().values()] == [5, 4, 3]


@pytest.mark.fault("T20")
@pytest.mark.parametrize("kind", ["link_elsewhere", "redirect"])
def test_T20_a_link_or_redirect_to_another_server_is_not_followed(kind: str) -> None:
    with connected() as site:
        site.simulator.user_page_size = 2
        site.simulator.faults.add(kind, path=of(QUAY, DELTA), times=0)
        read = site.read()
        assert "not" in failed(read[QUAY.name])
        assert len(read[PIER.name].users) == 3
        site.simulator.faults.add(kind, path=CUSTOMERS, times=0)
        site.simulator.customer_page_size = 1
        with pytest.raises(UnsafeAddress):
            site.source.read_page(None)


@pytest.mark.fault("C20")
def test_C20_licenses_of_another_tenant_are_thrown_away() -> None:
    with connected() as site:
        site.simulator.faults.add("other_client", path=of(QUAY, SKUS), tenant_id=PIER.id)
        read = site.read()
        assert "another tenant" in failed(read[QUAY.name])
        assert len(read[PIER.name].users) == 3


@pytest.mark.fault("C20")
def test_C20_users_of_another_tenant_are_nobodys() -> None:
    with connected() as site:
        site.simulator.faults.add("other_client", path=of(QUAY, DELTA), times=0, tenant_id=PIER.id)
        read = site.read()
        assert "same users" in failed(read[QUAY.name])
        assert "same users" in failed(read[PIER.name])
        assert len(read[HARBOR.name].users) == 5


@pytest.mark.fault("C7")
def test_C7_licenses_in_use_and_nobody_who_has_one_is_no_empty_tenant() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=of(QUAY, DELTA), field="assignedLicenses", remove=True)
        read = site.read()
        assert "4 licenses are in use" in failed(read[QUAY.name])
        assert "User.Read.All" in read[QUAY.name].remedy


@pytest.mark.fault("C7")
def test_C7_missing_null_and_empty_are_three_things() -> None:
    with connected((Tenant(1, HARBOR.name, 0),)) as site:
        assert site.users() == []
        site.simulator.faults.add("set_field", path=DELTA, field="assignedLicenses", remove=True)
        assert site.users() == []
        site.simulator.faults.add("set_field", path=DELTA, field="assignedLicenses", raw="null")
        assert "assignedLicenses" in failed(site.read_harbor())


@pytest.mark.parametrize(
    ("path", "field", "raw"),
    [
        (SKUS, "consumedUnits", '"5"'),
        (SKUS, "consumedUnits", "-1"),
        (SKUS, "consumedUnits", "5.5"),
        (SKUS, "consumedUnits", "true"),
        (SKUS, "consumedUnits", "1e30"),
        (SKUS, "skuId", "7"),
        (SKUS, "value", "{}"),
        (DELTA, "id", '"7"'),
        (DELTA, "id", "null"),
        (DELTA, "accountEnabled", '"true"'),
        (DELTA, "skuId", "null"),
        (DELTA, "userPrincipalName", '""'),
        (DELTA, "value", "null"),
        (DELTA, "@odata.deltaLink", "7"),
        (BATCH, "responses", "null"),
        (BATCH, "status", '"200"'),
    ],
)
@pytest.mark.fault("C4")
def test_C4_a_value_of_another_type_fails_the_tenant_and_names_the_field(path: str, field: str, raw: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=of(QUAY, path), times=0, field=field, raw=raw)
        read = site.read()
        assert "Microsoft Graph" in failed(read[QUAY.name])
        assert len(read[HARBOR.name].users) == 5


@pytest.mark.fault("C7")
def test_C7_what_is_only_shown_may_be_null_or_missing() -> None:
    with connected((HARBOR,)) as site:
        for field in ("displayName", "userType", "accountEnabled", "servicePlans", "prepaidUnits", "skuPartNumber"):
            for path, raw in ((DELTA, "null"), (SKUS, "null")):
                site.simulator.faults.add("set_field", path=path, field=field, raw=raw)
        user = site.users()[0]
        assert (user.name, user.enabled, user.kind) == ("", None, UserKind.UNKNOWN)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("html", {}),
        ("empty", {"status": 200}),
        ("truncated", {}),
        ("reset_mid_body", {}),
        ("wrong_content_type", {}),
        ("duplicate_keys", {}),
        ("deep_json", {}),
        ("drop_before_commit", {}),
    ],
)
@pytest.mark.fault("T7")
def test_T7_a_broken_body_is_asked_for_again_and_its_beginning_is_never_believed(
    kind: str, options: dict[str, int]
) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, path=of(QUAY, DELTA), **options)
        assert len(site.users(QUAY)) == 4
        site.simulator.faults.add(kind, path=of(QUAY, DELTA), times=0, **options)
        assert failed(site.read()[QUAY.name])


@pytest.mark.fault("T11")
@pytest.mark.parametrize("kind", ["oversized", "gzip_bomb"])
def test_T11_a_page_without_end_is_no_page(kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, path=of(QUAY, DELTA), times=0, size_bytes=20_000_000)
        assert "larger" in failed(site.read()[QUAY.name])


# What concerns all.


@pytest.mark.fault("T16")
def test_T16_a_token_that_ended_is_renewed_once() -> None:
    with connected() as site:
        site.simulator.faults.add("unauthorized", path=of(QUAY, DELTA))
        assert len(site.users(QUAY)) == 4
        assert site.asked(f"/{QUAY.id}/oauth2", "POST") == 2


@pytest.mark.fault("T17")
def test_T17_a_token_that_is_refused_again_fails_its_tenant_only() -> None:
    with connected() as site:
        site.simulator.faults.add("unauthorized", path=of(QUAY, DELTA), times=0)
        read = site.read()
        assert "status 401" in failed(read[QUAY.name])
        assert len(read[HARBOR.name].users) == 5
        assert site.asked(f"/{QUAY.id}/oauth2", "POST") == 2


@pytest.mark.fault("T17")
def test_T17_a_secret_that_expires_during_the_read_is_our_own_trouble() -> None:
    scene = tuple(Tenant(number, f"Client {number}", 1) for number in range(1, 12))
    with connected(scene) as site:
        cursor = site.source.read_page(None).next_cursor
        site.simulator.faults.add(
            "raw",
            path=TOKEN,
            times=0,
            status=401,
            body='{"error":"invalid_client","error_description":"AADSTS7000222"}',
        )
        with pytest.raises(CredentialRejected) as caught:
            site.source.read_page(cursor)
        assert "new secret" in caught.value.remedy


@pytest.mark.fault("T23")
def test_T23_when_every_tenant_is_away_graph_is_and_nobody_failed() -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=SKUS, times=0, status=503)
        with pytest.raises(VendorUnavailable):
            site.source.read_page(None)


def test_one_tenant_that_is_away_has_failed_alone() -> None:
    with connected((HARBOR,)) as site:
        site.simulator.faults.add("status", path=SKUS, times=0, status=503)
        assert "503" in failed(site.read_harbor())


@pytest.mark.fault("T14")
def test_T14_a_list_of_clients_that_changes_during_the_read_is_incomplete() -> None:
    scene = tuple(Tenant(number, f"Client {number}", 1) for number in range(1, 12))
    with connected(scene) as site:
        cursor = site.source.read_page(None).next_cursor
        site.simulator.world.edit_directory(lambda directory: directory.tenants.pop(scene[0].id))
        later = open_microsoft365(site.simulator.url, FIELDS, clock=site.clock, allow_loopback=True)
        with pytest.raises(ReadIncomplete, match="changed"):
            later.read_page(cursor)
        assert len(later.read_page(None).accounts) == TENANTS_AT_ONCE
        later.close()


def test_another_process_goes_on_with_the_cursor() -> None:
    scene = tuple(Tenant(number, f"Client {number}", 1) for number in range(1, 12))
    with connected(scene) as site:
        cursor = site.source.read_page(None).next_cursor
        later = open_microsoft365(site.simulator.url, FIELDS, clock=site.clock, allow_loopback=True)
        page = later.read_page(cursor)
        assert [tenant.name for tenant in page.accounts] == [tenant.name for tenant in scene[8:]]
        assert (page.next_cursor, page.accounts_total) == (None, 11)
        later.close()


# Waiting.


@pytest.mark.fault("T1")
def test_T1_a_wait_in_one_tenant_is_waited_there() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", path=of(QUAY, DELTA), retry_after="9")
        site.simulator.faults.add("raw", path=of(PIER, SKUS), status=503, body="{}", headers={"Retry-After": "4"})
        assert [len(tenant.users) for tenant in site.read().values()] == [5, 4, 3]
        assert 13 <= sum(site.clock.sleeps) < 15


@pytest.mark.fault("T2")
@pytest.mark.parametrize("form", ["http_date", "past_date", "abc", "-5", None])
def test_T2_a_wait_in_another_form_or_none_is_short(form: str | None) -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", path=of(QUAY, DELTA), retry_after=form)
        assert len(site.users(QUAY)) == 4
        assert sum(site.clock.sleeps) < 5


@pytest.mark.fault("T1")
def test_T1_a_long_wait_is_the_callers_and_the_page_can_be_read_after_it() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", path=of(QUAY, DELTA), retry_after="400")
        with pytest.raises(RateLimited) as caught:
            site.source.read_page(None)
        assert caught.value.wait_seconds == 400
        site.clock.advance(caught.value.wait_seconds)
        assert [len(tenant.users) for tenant in site.read().values()] == [5, 4, 3]


def test_a_tenant_that_keeps_asking_for_short_waits_failed_and_the_others_are_read() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", path=of(QUAY, DELTA), times=0, retry_after="2")
        read = site.read()
        assert "wait" in failed(read[QUAY.name])
        assert "later" in read[QUAY.name].remedy
        assert len(read[HARBOR.name].users) == 5


def test_what_graph_refuses_is_told_with_its_own_id_of_the_call() -> None:
    with connected((HARBOR,)) as site:
        site.simulator.faults.add("status", path=CUSTOMERS, times=0, status=400)
        with pytest.raises(RequestRefused) as caught:
            site.source.read_page(None)
        assert len(caught.value.details()["vendor_request_id"]) == 32


def test_the_limits_of_the_tenants_are_waited_for_each_by_itself() -> None:
    with connected() as site:
        # The licenses take both units of a tenant, the users need another one: five seconds later.
        site.simulator.units_of_tenant = 2
        site.simulator.monotonic = site.clock.monotonic_seconds
        assert [len(tenant.users) for tenant in site.read().values()] == [5, 4, 3]
        assert 5 <= sum(site.clock.sleeps) < 3 * 6
        assert len(site.clock.sleeps) <= 3


# The demo month.


def test_the_demo_month_has_every_case_of_a_third_leg() -> None:
    world = demo_world()
    with running(Microsoft365Simulator(world)) as simulator:
        source = open_microsoft365(simulator.url, FIELDS, clock=FakeClock(), allow_loopback=True)
        tenants, cursor = {}, None
        while True:
            page = source.read_page(cursor)
            tenants.update({tenant.name: tenant for tenant in page.accounts})
            cursor = page.next_cursor
            if cursor is None:
                break
        source.close()
    counts = {name: count_tenant(tenant, DEFAULT_POLICY).count for name, tenant in tenants.items()}
    assert [name for name, count in counts.items() if isinstance(count, Failed)] == [NO_ACCESS]
    assert not set(NO_TENANT) & set(counts)
    agreed = {
        account.name[:2000]: account.account_seats or account.partner_seats for account in world.accounts.values()
    }
    off = {}
    for name, count in counts.items():
        seats = agreed.get(name)
        if isinstance(count, Known) and seats is not None and count.seats != seats:
            off[name] = count.seats - seats
    assert off == {name: difference for name, (_, difference) in TENANT_STORIES.items()}
    users = [user for tenant in tenants.values() for user in tenant.users]
    assert {user.mailbox for user in users} >= {MailboxKind.SHARED, MailboxKind.ROOM, MailboxKind.EQUIPMENT}
    assert any(user.kind is UserKind.GUEST for user in users)
    assert any(user.enabled is False and user.mailbox is MailboxKind.USER for user in users)
    assert sum(user.address.startswith("svc-") for user in users) == 1


def test_mailboxes_are_asked_for_by_id_only() -> None:
    with connected(SCENE) as site:
        site.read()
        assert site.asked(MAILBOX.rpartition("/")[0]) == 0
        assert {entry.query for entry in site.simulator.requests.entries if entry.path == BATCH} == {""}
