"""What the credential check says, and that it says it for whoever has to fix it."""

import pytest

from tests.adapters.mimecast.mimecast_connected import CONTRACTS, GET_ACCOUNT, WHOAMI, a_world, an_account, connected
from trueup.domain.errors import CredentialRejected, VendorUnavailable

FILE = b"Account Code,Account Name\nCSIM10B1,Client 1\n"


def test_a_full_credential_may_do_everything() -> None:
    with connected(a_world(an_account(1), an_account(2))) as running:
        report = running.vendor.check()
    assert report.missing == ()
    assert report.identity == "account CSIM00A001, credential ending in 0001"
    assert {one.name: one.detail for one in report.capabilities} == {
        "customers": "2 customer accounts",
        "contracts": "readable",
        "on_behalf": "by header",
        "account_detail": "readable",
    }
    assert report.notes == ()


def test_a_credential_without_the_partner_api_is_told_which_row_is_missing() -> None:
    with connected(a_world(an_account(1))) as running:
        running.simulator.partner_allowed = False
        report = running.vendor.check()
    assert {one.name for one in report.missing} == {"customers", "contracts", "on_behalf", "account_detail"}
    customers = report.missing[0]
    assert "Multi Tenant API" in customers.permission
    assert "403" in customers.detail


@pytest.mark.parametrize("status", [403, 404])
def test_contracts_that_cannot_be_read_are_told_with_what_follows(status: int) -> None:
    with connected(a_world(an_account(1))) as running:
        running.simulator.faults.add("status", path=CONTRACTS, status=status, times=0)
        report = running.vendor.check()
    assert [one.name for one in report.missing] == ["contracts"]
    assert any("without contracts" in note for note in report.notes)


def test_whoami_may_be_forbidden() -> None:
    with connected(a_world(an_account(1))) as running:
        running.simulator.faults.add("status", path=WHOAMI, status=403, times=0)
        report = running.vendor.check()
    assert report.missing == ()
    assert report.identity == "credential ending in 0001"
    assert any("does not say whom" in note for note in report.notes)


def test_a_gateway_that_obeys_no_switch_is_told() -> None:
    with connected(a_world(an_account(1))) as running:
        running.simulator.on_behalf = frozenset()
        report = running.vendor.check()
    assert [one.name for one in report.missing] == ["on_behalf", "account_detail"]


def test_an_account_that_may_not_be_read_is_told_with_its_row() -> None:
    with connected(a_world(an_account(1, account_readable=False))) as running:
        report = running.vendor.check()
    assert [(one.name, one.permission) for one in report.missing] == [("account_detail", "Account | Dashboard | Read")]


def test_a_switch_that_stops_being_obeyed_is_told_and_not_raised() -> None:
    with connected(a_world(an_account(1))) as running:
        running.simulator.faults.add("ignored_account_switch", path=GET_ACCOUNT, times=0)
        report = running.vendor.check()
    assert [one.name for one in report.missing] == ["account_detail"]


def test_a_partner_without_customers_is_not_refused() -> None:
    with connected(a_world(), customer_file=FILE) as running:
        report = running.vendor.check()
    assert [one.name for one in report.missing] == ["on_behalf", "account_detail"]
    assert "no customer account" in report.missing[0].detail
    assert any("customer file" in note for note in report.notes)


def test_a_wrong_secret_and_a_vendor_that_is_away_are_errors() -> None:
    fields = {"client_id": "somebody-else", "client_secret": "x"}
    with connected(a_world(), fields=fields) as running, pytest.raises(CredentialRejected):
        running.vendor.check()
    with connected(a_world()) as running:
        running.simulator.faults.add("status", status=503, times=0)
        with pytest.raises(VendorUnavailable):
            running.vendor.check()
