"""What a check says of the application: each permission by its name, and how many clients there are."""

from __future__ import annotations

import pytest

from tests.adapters.microsoft365.connected import CUSTOMERS, HARBOR, QUAY, SCENE, TOKEN, connected
from tests.contracts.license_subjects import FIELDS, Tenant
from trueup.adapters.microsoft365.checking import NO_GDAP_NOTE, NO_MAILBOXES_NOTE
from trueup.domain.errors import CredentialRejected, PermissionMissing, RateLimited, VendorUnavailable


def test_a_whole_application_may_do_everything_and_says_how_many_clients_there_are() -> None:
    with connected() as site:
        report = site.source.check()
        assert report.missing == ()
        assert report.capabilities[0].detail == "3 client tenants"
        assert FIELDS["tenant_id"] in report.identity
        assert report.notes == ()


@pytest.mark.parametrize(
    ("switch", "name", "permission"),
    [
        ("licenses_allowed", "licenses", "Organization.Read.All"),
        ("users_allowed", "users", "User.Read.All"),
        ("mailboxes_allowed", "mailbox_kinds", "MailboxSettings.Read"),
    ],
)
def test_a_permission_that_is_missing_is_named(switch: str, name: str, permission: str) -> None:
    with connected() as site:
        setattr(site.simulator, switch, False)
        report = site.source.check()
        missing = {one.name: one for one in report.missing}
        assert missing[name].permission == permission
        assert missing[name].detail
        assert (NO_MAILBOXES_NOTE in report.notes) == (name == "mailbox_kinds")


def test_partner_contracts_stand_in_where_gdap_customers_may_not_be_listed() -> None:
    with connected() as site:
        site.simulator.gdap_allowed = False
        report = site.source.check()
        assert report.missing == ()
        assert NO_GDAP_NOTE in report.notes
        assert [len(tenant.users) for tenant in site.read().values()] == [5, 4, 3]


def test_a_cloud_without_gdap_is_read_by_partner_contracts() -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=CUSTOMERS, times=0, status=404)
        assert len(site.read()) == 3


def test_without_any_list_it_says_so_and_the_read_names_both_permissions() -> None:
    with connected() as site:
        site.simulator.gdap_allowed = site.simulator.contracts_allowed = False
        assert [one.granted for one in site.source.check().capabilities] == [False] * 4
        with pytest.raises(PermissionMissing) as caught:
            site.source.read_page(None)
        assert "DelegatedAdminRelationship.Read.All or Directory.Read.All" in caught.value.message


def test_a_client_without_consent_is_passed_over_and_told() -> None:
    with connected((Tenant(1, HARBOR.name, None), QUAY)) as site:
        report = site.source.check()
        assert report.missing == ()
        assert any(HARBOR.id in note and "AADSTS700016" in note for note in report.notes)


def test_without_any_client_nothing_can_be_tried() -> None:
    with connected(()) as site:
        report = site.source.check()
        assert [one.granted for one in report.capabilities] == [True, False, False, False]
        assert all("not tried" in one.detail for one in report.missing)


def test_what_cannot_be_tried_for_trouble_is_told_and_the_check_goes_on() -> None:
    with connected() as site:
        site.simulator.faults.add("html", path=f"/{HARBOR.id}/v1.0/subscribedSkus", times=0)
        report = site.source.check()
        assert report.missing == ()
        assert any(HARBOR.id in note for note in report.notes)


@pytest.mark.fault("T17")
@pytest.mark.parametrize("field", ["client_id", "client_secret", "tenant_id"])
def test_T17_a_wrong_field_is_rejected_with_what_to_check(field: str) -> None:
    wrong = {**FIELDS, field: "11111111-0000-4000-8000-000000000000"}
    with connected(credential=wrong) as site:
        with pytest.raises(CredentialRejected) as caught:
            site.source.check()
        assert "client secret" in caught.value.remedy
        with pytest.raises(CredentialRejected):
            site.source.read_page(None)


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ({"kind": "status", "status": 500}, VendorUnavailable),
        ({"kind": "rate_limited", "retry_after": "600"}, RateLimited),
        ({"kind": "drop_before_commit"}, VendorUnavailable),
    ],
)
def test_a_login_server_in_trouble_is_no_rejection(trouble: dict[str, object], error: type[Exception]) -> None:
    with connected(SCENE) as site:
        site.simulator.faults.add(path=TOKEN, times=0, **trouble)  # type: ignore[arg-type]  # options of the fault
        with pytest.raises(error):
            site.source.check()


@pytest.mark.fault("T18")
@pytest.mark.parametrize("lifetime", [None, 0, -5])
def test_T18_a_token_without_a_lifetime_does_not_ask_for_one_per_call(lifetime: int | None) -> None:
    with connected((HARBOR,)) as site:
        site.simulator.faults.add("token_reply", path=TOKEN, times=0, expires_in=lifetime)
        assert len(site.users()) == 5
        assert site.asked("/token", "POST") == 2


def test_a_token_reply_without_a_token_is_told() -> None:
    with connected((HARBOR, QUAY)) as site:
        site.simulator.faults.add("set_field", path=f"/{QUAY.id}/oauth2/*", times=0, field="access_token", remove=True)
        assert "access_token" in site.read()[QUAY.name].failure
