"""What the credential check says, row by row."""

from __future__ import annotations

import pytest

from tests.adapters.connectwise.connected import connected
from tests.contracts.psa_subject_connectwise import CONNECTWISE_FIELDS
from tests.contracts.psa_subjects import Scene
from trueup.domain.errors import CredentialRejected, VendorUnavailable


def test_the_site_and_its_release_are_named_without_a_secret() -> None:
    with connected() as site:
        report = site.psa.check()
        assert site.simulator.world.writes == []
    assert report.identity == "Acme MSP (ConnectWise v2025.1)"
    assert any("Finance > Agreements: Edit All" in note for note in report.notes)


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("/company/*", {"read companies": "Companies > Company Maintenance: Inquire All"}),
        ("/finance/agreements", {"read agreements": "Finance > Agreements: Inquire All"}),
        ("/finance/agreements/*", {"read lines": "Finance > Agreements: Inquire All"}),
        ("/procurement/*", {"search products": "Procurement > Product Catalog: Inquire All"}),
    ],
)
def test_each_missing_permission_row_is_named(path: str, missing: dict[str, str]) -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=path, times=0, status=403)
        report = site.psa.check()
    assert {capability.name: capability.permission for capability in report.missing} == missing
    assert all(capability.detail for capability in report.missing)


def test_a_client_id_that_is_not_known_is_hinted_at_when_all_is_forbidden() -> None:
    with connected(credential=CONNECTWISE_FIELDS | {"client_id": "11111111-1111-4111-8111-111111111111"}) as site:
        report = site.psa.check()
    assert [capability.granted for capability in report.capabilities] == [False, False, False]
    assert any("client id" in note for note in report.notes)


@pytest.mark.parametrize("field", ["public_key", "private_key"])
def test_a_wrong_key_is_rejected(field: str) -> None:
    with (
        connected(credential=CONNECTWISE_FIELDS | {field: "wrong"}) as site,
        pytest.raises(CredentialRejected) as caught,
    ):
        site.psa.check()
    assert caught.value.status == 401


def test_a_site_without_counts_is_tried_by_lists() -> None:
    with connected() as site:
        site.simulator.faults.add("status", path="/*/count", times=0, status=404)
        assert not site.psa.check().missing
        assert any("pageSize=1&" in entry.query for entry in site.simulator.requests.entries if "catalog" in entry.path)


def test_a_site_without_agreements_says_that_lines_could_not_be_tried() -> None:
    with connected(Scene()) as site:
        report = site.psa.check()
    assert [capability.name for capability in report.capabilities] == [
        "read companies",
        "read agreements",
        "search products",
    ]
    assert any("lines could not be tried" in note for note in report.notes)


def test_a_site_that_is_away_is_no_verdict_on_the_credential() -> None:
    with connected() as site:
        site.simulator.faults.add("status", path="/procurement/*", times=0, status=502)
        with pytest.raises(VendorUnavailable):
            site.psa.check()


def test_after_a_rejected_key_nothing_more_is_tried() -> None:
    with connected(credential=CONNECTWISE_FIELDS | {"private_key": "wrong"}) as site, pytest.raises(CredentialRejected):
        site.psa.check()
    assert len([entry for entry in site.simulator.requests.entries if entry.status == 401]) == 1
