"""What the credential check says, permission by permission."""

from __future__ import annotations

import pytest

from local.simulators.credentials import SYNCRO_API_KEY, SYNCRO_USER_TOKEN_CANARY
from tests.adapters.syncro.syncro_connected import connected
from trueup.domain.errors import CredentialRejected, VendorUnavailable


def test_the_user_and_the_account_are_named_and_the_token_that_syncro_tells_is_not() -> None:
    with connected() as site:
        report = site.psa.check()
        assert site.simulator.world.writes == []
    assert report.identity == "Trueup API at acmemsp.syncromsp.com"
    assert any("Recurring Invoices - Edit" in note for note in report.notes)
    assert not {SYNCRO_USER_TOKEN_CANARY, SYNCRO_API_KEY} & set(repr(report).split("'"))
    assert SYNCRO_USER_TOKEN_CANARY not in repr(report)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("/customers", {"read customers": "Customers - List/Search"}),
        ("/schedules", {"read recurring invoices": "Recurring Invoices - List"}),
        ("/products", {"search products": "Products - List/Search"}),
    ],
)
def test_each_missing_permission_is_named_whatever_status_it_has(
    path: str, missing: dict[str, str], status: int
) -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=path, times=0, status=status)
        report = site.psa.check()
    assert {capability.name: capability.permission for capability in report.missing} == missing
    assert all(capability.detail for capability in report.missing)


def test_a_wrong_token_is_rejected_with_what_to_do() -> None:
    with connected(credential={"api_key": "wrong"}) as site, pytest.raises(CredentialRejected) as caught:
        site.psa.check()
    assert caught.value.status == 401
    assert "API token" in caught.value.remedy


def test_an_address_where_no_account_answers_is_told() -> None:
    with connected() as site:
        site.simulator.faults.add("status", path="/me", times=0, status=404)
        with pytest.raises(CredentialRejected) as caught:
            site.psa.check()
    assert caught.value.status == 404


def test_an_account_that_is_away_is_no_rejected_token() -> None:
    with connected() as site:
        site.simulator.faults.add("status", path="/me", times=0, status=503)
        with pytest.raises(VendorUnavailable):
            site.psa.check()
