"""Finding the API and finding it again; what is sent with every call; what a refusal is called."""

from __future__ import annotations

import json

import pytest

from local.simulators import credentials
from tests.adapters.connectwise.connected import COMPANY_INFO, REFERENCE, connected, read_all
from tests.contracts.psa_subject_connectwise import CONNECTWISE_FIELDS
from trueup.domain.billing import AgreementId, LineId, LineReference
from trueup.domain.errors import (
    ConfigurationInvalid,
    CredentialRejected,
    PermissionMissing,
    RequestRefused,
    ResourceAbsent,
    SchemaUnknown,
    TrueupError,
    UnsafeAddress,
    VendorTrouble,
    VendorUnavailable,
)

COUNT = "/company/companies/count"


def info(codebase: object) -> str:
    return json.dumps({"CompanyName": "Acme MSP", "Codebase": codebase, "CompanyID": "acmemsp", "IsCloud": "True"})


def test_the_credential_goes_to_the_api_and_never_to_company_info() -> None:
    with connected() as site:
        read_all(site.psa)
        asked = site.simulator.requests.entries
    assert [entry.authorized for entry in asked if "companyinfo" in entry.path] == [False]
    others = [entry for entry in asked if "companyinfo" not in entry.path]
    assert all(entry.authorized for entry in others)
    assert {entry.headers["clientid"] for entry in others} == {credentials.CONNECTWISE_CLIENT_ID}
    assert {entry.headers["accept"] for entry in others} == {"application/vnd.connectwise.com+json; version=2025.1"}
    assert all(entry.path.startswith("/v2025_1/apis/3.0/") for entry in others)


def test_lists_are_read_forward_only_with_their_fields() -> None:
    with connected() as site:
        read_all(site.psa)
        lists = [entry for entry in site.simulator.requests.entries if "pageSize" in entry.query]
    assert len(lists) == 3
    assert all(entry.headers["pagination-type"] == "forward-only" for entry in lists)
    assert all("_info" in entry.query for entry in lists)


def test_an_upgrade_in_the_middle_is_followed_once() -> None:
    with connected() as site:
        cursor = site.psa.read_page(None).next_cursor
        site.simulator.codebase = "v2025_2/"
        assert len(site.psa.read_page(cursor).lines) == 1
        site.psa.read_line(REFERENCE)
        asked = site.simulator.requests.entries
    assert sum("companyinfo" in entry.path for entry in asked) == 2
    assert asked[-1].path.startswith("/v2025_2/")


def test_a_codebase_that_answers_nothing_falls_back_to_the_router_path() -> None:
    with connected() as site:
        site.simulator.faults.add("raw", path=COMPANY_INFO, times=0, body=info("v1999_1/"))
        assert len(read_all(site.psa).lines) == 1
        paths = {entry.path.split("/")[1] for entry in site.simulator.requests.entries if entry.status == 200}
    assert paths == {"login", "v4_6_release"}


def test_an_upgrade_to_a_codebase_that_answers_nothing_falls_back_too() -> None:
    with connected() as site:
        cursor = site.psa.read_page(None).next_cursor
        site.simulator.codebase = "v2025_9/"
        site.simulator.faults.add("raw", path=COMPANY_INFO, times=0, body=info("v1999_1/"))
        assert len(site.psa.read_page(cursor).lines) == 1
        assert site.simulator.requests.entries[-1].path.startswith("/v4_6_release/")


@pytest.mark.parametrize("body", ["null", info(""), info(None)])
def test_a_site_that_names_no_codebase_is_called_on_the_router_path(body: str) -> None:
    with connected() as site:
        site.simulator.faults.add("raw", path=COMPANY_INFO, times=0, body=body)
        assert len(read_all(site.psa).accounts) == 1


@pytest.mark.parametrize(
    "codebase", ["../../", "v1/../../evil/", "@evil.example/", "//evil.example/", "v2025_1/?x=", "v2025 1/", "2025/"]
)
def test_a_codebase_that_is_no_release_never_goes_into_an_address(codebase: str) -> None:
    with connected() as site:
        site.simulator.faults.add("raw", path=COMPANY_INFO, times=0, body=info(codebase))
        with pytest.raises(UnsafeAddress):
            site.psa.check()
        assert site.simulator.requests.total == 1


def test_company_info_of_another_shape_is_named() -> None:
    with connected() as site:
        site.simulator.faults.add("raw", path=COMPANY_INFO, times=0, body=info(7))
        with pytest.raises(SchemaUnknown, match="Codebase"):
            site.psa.check()


def test_a_missing_record_does_not_move_the_session() -> None:
    with connected() as site:
        site.psa.read_line(REFERENCE)
        with pytest.raises(ResourceAbsent):
            site.psa.read_line(LineReference(AgreementId("1201"), LineId("7")))
        site.psa.read_line(REFERENCE)
        assert site.simulator.requests.entries[-1].path.startswith("/v2025_1/")


@pytest.mark.parametrize("company_id", ["nobody", "a/../b", "x%2Fy"])
def test_an_unknown_company_id_is_a_rejected_credential(company_id: str) -> None:
    with (
        connected(credential=CONNECTWISE_FIELDS | {"company_id": company_id}) as site,
        pytest.raises(CredentialRejected),
    ):
        site.psa.check()


def test_a_404_for_everything_says_that_the_keys_may_be_wrong() -> None:
    with connected(credential=CONNECTWISE_FIELDS | {"private_key": "wrong-key"}) as site:
        site.simulator.bad_credentials_status = 404
        with pytest.raises(CredentialRejected) as caught:
            site.psa.check()
        with pytest.raises(CredentialRejected) as read:
            site.psa.read_page(None)
    assert "404" in caught.value.remedy
    assert "keys" in caught.value.remedy
    assert read.value.remedy == caught.value.remedy


def test_a_host_that_takes_no_api_calls_names_the_prefix() -> None:
    body = '{"code":"Security","message":"SSL is required.","errors":null}'
    for path in (COMPANY_INFO, "/company/*"):
        with connected() as site:
            site.simulator.faults.add("raw", path=path, times=0, status=403, body=body)
            with pytest.raises(ConfigurationInvalid) as caught:
                site.psa.check()
            assert "api-" in caught.value.remedy


def test_ssl_required_under_status_200_is_noticed_too() -> None:
    body = '{"code":"Security","message":"SSL is required.","errors":null}'
    with connected() as site:
        site.simulator.faults.add("raw", path=COMPANY_INFO, times=0, body=body)
        with pytest.raises(ConfigurationInvalid, match="SSL"):
            site.psa.check()


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, RequestRefused), (401, CredentialRejected), (403, PermissionMissing), (503, VendorUnavailable)],
)
def test_refusals_have_their_own_names(status: int, error: type[TrueupError]) -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=COUNT, times=0, status=status)
        with pytest.raises(error) as caught:
            site.psa.read_page(None)
    if isinstance(caught.value, PermissionMissing):
        assert caught.value.permission == "Companies > Company Maintenance: Inquire All"


def test_an_inner_error_is_told_with_its_field() -> None:
    body = (
        '{"code":"InvalidObject","message":"company object is invalid","errors":'
        '[{"code":"OutOfRange","message":"too \\u202elate\\r\\nX: 1","resource":"company","field":"yearEstablished"}]}'
    )
    with connected() as site:
        site.simulator.faults.add("raw", path=COUNT, status=400, body=body)
        with pytest.raises(RequestRefused) as caught:
            site.psa.read_page(None)
    assert caught.value.vendor_code == "OutOfRange"
    assert "yearEstablished: too ?late??X: 1" in caught.value.message


@pytest.mark.parametrize(
    "body", ["", "[]", "null", '"text"', '{"errors":[7],"message":5}', "<html>no</html>", '{"error":']
)
def test_an_error_body_of_any_shape_still_gives_its_status(body: str) -> None:
    with connected() as site:
        site.simulator.faults.add("raw", path=COUNT, status=400, body=body)
        with pytest.raises(RequestRefused) as caught:
            site.psa.read_page(None)
    assert "status 400" in caught.value.message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_no_secret_is_in_any_error_even_when_the_server_repeats_it(status: int) -> None:
    secret, basic = credentials.CONNECTWISE_PRIVATE_KEY, "YWNtZW1zcCtzaW1QdWJsaWNLZXkwMDAx"
    body = json.dumps({"code": secret, "message": "x" * 180 + secret + f" Basic {basic} key {secret}", "errors": None})
    with connected() as site:
        site.simulator.faults.add("raw", path="/company/companies", times=0, status=status, body=body)
        with pytest.raises(VendorTrouble) as caught:
            site.psa.read_page(None)
    shown = f"{caught.value!r} {caught.value} {caught.value.remedy} {caught.value.details()} {site.psa!r}"
    assert secret not in shown
    assert secret[:12] not in shown
    assert basic not in shown
