"""The simulated Mimecast over a real socket: every route's shape, the token, the account switch, paging, limits."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from local.simulators import MimecastSimulator, demo_world, running
from local.simulators.credentials import (
    MIMECAST_CLIENT_ID,
    MIMECAST_CLIENT_SECRET,
    PARTNER_ACCOUNT_CODE,
    PASSPHRASE_CANARY,
)

FORM = {
    "grant_type": "client_credentials",
    "client_id": MIMECAST_CLIENT_ID,
    "client_secret": MIMECAST_CLIENT_SECRET,
}
FIRST_CODE = "CSIM10B202"


@pytest.fixture
def mimecast() -> Iterator[MimecastSimulator]:
    with running(MimecastSimulator(demo_world())) as simulator:
        yield simulator


@pytest.fixture
def session(mimecast: MimecastSimulator) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {mimecast.issue_token()}"
        yield session


def get_account(simulator: MimecastSimulator, session: requests.Session, **request: Any) -> dict[str, Any]:
    reply = session.post(f"{simulator.url}/api/account/get-account", timeout=5, **request)
    assert reply.status_code == 200
    envelope = reply.json()
    assert envelope["meta"] == {"status": 200}
    record: dict[str, Any] = envelope["data"][0]
    return record


def test_a_token_is_given_for_the_right_form(mimecast: MimecastSimulator) -> None:
    reply = requests.post(f"{mimecast.url}/oauth/token", data=FORM, timeout=5)
    assert reply.json() == {"access_token": "sim-token-0001", "token_type": "Bearer", "expires_in": 1799}


def test_a_wrong_secret_is_refused_in_each_of_the_three_shapes(mimecast: MimecastSimulator) -> None:
    shapes = []
    for _ in range(3):
        reply = requests.post(f"{mimecast.url}/oauth/token", data=FORM | {"client_secret": "wrong"}, timeout=5)
        assert reply.status_code == 401
        shapes.append(next(iter(reply.json())))
    assert shapes == ["error", "fail", "fault"]


def test_a_json_token_request_is_refused(mimecast: MimecastSimulator) -> None:
    assert requests.post(f"{mimecast.url}/oauth/token", json=FORM, timeout=5).status_code == 400


def test_calls_without_a_token_or_with_an_expired_one_are_401(
    mimecast: MimecastSimulator, session: requests.Session
) -> None:
    url = f"{mimecast.url}/identity/whoami"
    assert requests.get(url, timeout=5).json() == {"fail": [{"code": "unauthorized", "message": "Unauthorized"}]}
    mimecast.expire_tokens()
    reply = session.get(url, timeout=5)
    assert reply.status_code == 401
    assert reply.json()["fail"][0] == {
        "code": "token_expired",
        "message": "Access token has expired",
        "retryable": True,
    }


def test_whoami_names_home_and_target_account(mimecast: MimecastSimulator, session: requests.Session) -> None:
    home = session.get(f"{mimecast.url}/identity/whoami", timeout=5).json()
    assert home["type"] == "partner"
    assert home["account-codes"]["cg"] == home["home-account"]["cg"] == PARTNER_ACCOUNT_CODE
    headers = {"x-mc-accountcode": FIRST_CODE}
    target = session.get(f"{mimecast.url}/identity/whoami", headers=headers, timeout=5).json()
    assert (target["type"], target["account-codes"]["cg"], target["home-account"]["cg"]) == (
        "full",
        FIRST_CODE,
        PARTNER_ACCOUNT_CODE,
    )


def test_customers_come_in_pages_until_no_token_is_left(mimecast: MimecastSimulator, session: requests.Session) -> None:
    rows, token, pages = [], "", 0
    while True:
        parameters = {"pageSize": "20"} | ({"pageToken": token} if token else {})
        body = session.get(f"{mimecast.url}/partner/v1/customers", params=parameters, timeout=5).json()
        pagination = body["meta"]["pagination"]
        assert pagination["totalCount"] == len(mimecast.world.accounts)
        assert pagination["pageSize"] == len(body["customers"])
        rows += body["customers"]
        pages += 1
        token = pagination.get("next", "")
        if not token:
            break
    assert pages == 3
    assert [row["accountCode"] for row in rows] == list(mimecast.world.accounts)
    assert set(rows[0]) == {"accountCode", "accountName", "status", "region", "userCount"}


@pytest.mark.parametrize("parameters", [{"pageSize": "0"}, {"pageSize": "101"}, {"pageToken": "never-given"}])
def test_page_parameters_out_of_range_are_400(
    mimecast: MimecastSimulator, session: requests.Session, parameters: dict[str, str]
) -> None:
    reply = session.get(f"{mimecast.url}/partner/v1/customers", params=parameters, timeout=5)
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["code"] == "validation_error"


def test_one_customer_and_an_unknown_one(mimecast: MimecastSimulator, session: requests.Session) -> None:
    known = session.get(f"{mimecast.url}/partner/v1/customers/{FIRST_CODE}", timeout=5).json()
    assert known["accountName"] == "Alderbrook Dental Group"
    unknown = session.get(f"{mimecast.url}/partner/v1/customers/CSIM99Z999", timeout=5)
    assert unknown.status_code == 404
    assert unknown.json() == {"fail": [{"code": "not_found", "message": "Customer account was not found"}]}


def test_a_credential_without_the_partner_product_is_403(
    mimecast: MimecastSimulator, session: requests.Session
) -> None:
    mimecast.partner_allowed = False
    reply = session.get(f"{mimecast.url}/partner/v1/customers", timeout=5)
    assert reply.status_code == 403
    assert reply.json()["fail"][0]["code"] == "forbidden"
    assert session.get(f"{mimecast.url}/identity/whoami", timeout=5).status_code == 200


def test_contracts_carry_the_agreed_seats_per_product(mimecast: MimecastSimulator, session: requests.Session) -> None:
    body = session.get(f"{mimecast.url}/partner/v1/msp/contracts?pageSize=100", timeout=5).json()
    first = body["contracts"][0]
    assert first["accountCode"] == FIRST_CODE
    assert first["lines"] == [
        {
            "productId": "9702",
            "productName": "Email Security S1",
            "quantity": mimecast.world.accounts[FIRST_CODE].partner_seats,
        }
    ]
    one = session.get(f"{mimecast.url}/partner/v1/msp/contracts/{first['id']}", timeout=5).json()
    assert one == first


def test_products_packages_and_overages(mimecast: MimecastSimulator, session: requests.Session) -> None:
    products = session.get(f"{mimecast.url}/partner/v1/msp/products", timeout=5).json()["products"]
    assert {"id": "9731", "name": "Awareness Training add-on", "type": "addon"} in products
    packages = session.post(f"{mimecast.url}/api/provisioning/get-packages", json={"data": []}, timeout=5).json()
    assert {"products": {"id": "9702", "name": "Email Security S1"}} in packages["data"]
    code = mimecast.world.story("bill_more")[0].account_code
    overage = session.get(f"{mimecast.url}/partner/v1/msp/overages/{code}", timeout=5).json()
    assert overage["actualUsers"] - overage["contractedUsers"] == overage["overage"] == 9


def test_get_account_follows_either_form_of_the_switch(mimecast: MimecastSimulator, session: requests.Session) -> None:
    by_header = get_account(mimecast, session, json={"data": []}, headers={"x-mc-accountcode": FIRST_CODE})
    by_body = get_account(mimecast, session, json={"meta": {"accountCode": FIRST_CODE}, "data": []})
    assert by_header["accountCode"] == by_body["accountCode"] == FIRST_CODE
    assert by_header["userCount"] == mimecast.world.accounts[FIRST_CODE].account_seats
    assert by_header["passphrase"] == PASSPHRASE_CANARY
    assert get_account(mimecast, session, json={})["accountCode"] == PARTNER_ACCOUNT_CODE


@pytest.mark.parametrize("form", ["header", "body"])
def test_a_form_of_the_switch_that_is_turned_off_is_silently_ignored(
    mimecast: MimecastSimulator, session: requests.Session, form: str
) -> None:
    mimecast.on_behalf = mimecast.on_behalf - {form}
    header = get_account(mimecast, session, json={"data": []}, headers={"x-mc-accountcode": FIRST_CODE})
    body = get_account(mimecast, session, json={"meta": {"accountCode": FIRST_CODE}})
    seen = {"header": header["accountCode"], "body": body["accountCode"]}
    assert seen.pop(form) == PARTNER_ACCOUNT_CODE
    assert list(seen.values()) == [FIRST_CODE]


def test_an_account_that_cannot_be_read_fails_inside_a_200(
    mimecast: MimecastSimulator, session: requests.Session
) -> None:
    code = mimecast.world.story("missing")[0].account_code
    reply = session.post(
        f"{mimecast.url}/api/account/get-account", json={"data": []}, headers={"x-mc-accountcode": code}, timeout=5
    )
    assert reply.status_code == 200
    fail = reply.json()["fail"][0]
    assert fail["key"] == {"accountCode": code}
    assert fail["errors"][0]["retryable"] is False


def test_packages_change_their_order_and_may_be_objects(mimecast: MimecastSimulator, session: requests.Session) -> None:
    headers = {"x-mc-accountcode": FIRST_CODE}
    orders = {tuple(get_account(mimecast, session, json={}, headers=headers)["packages"]) for _ in range(8)}
    assert len(orders) > 1
    assert len({frozenset(order) for order in orders}) == 1
    mimecast.packages_as_objects = True
    packages = get_account(mimecast, session, json={}, headers=headers)["packages"]
    assert {"id": "1033", "name": "Mimecast Platform"} in packages


def test_support_info_names_the_main_product(mimecast: MimecastSimulator, session: requests.Session) -> None:
    reply = session.post(
        f"{mimecast.url}/api/account/get-support-info", json={"meta": {"accountCode": FIRST_CODE}}, timeout=5
    )
    assert reply.json()["data"][0]["mainProduct"] == "Email Security S1"


def test_every_reply_carries_limit_headers_and_a_request_id(
    mimecast: MimecastSimulator, session: requests.Session
) -> None:
    seen = []
    for path in ("/partner/v1/customers", "/partner/v1/customers", "/nowhere"):
        headers = session.get(f"{mimecast.url}{path}", timeout=5).headers
        assert 0 < int(headers["X-RateLimit-Reset"]) <= 5_000
        seen.append((headers["X-RateLimit-Limit"], int(headers["X-RateLimit-Remaining"]), headers["x-request-id"]))
    assert [limit for limit, _, _ in seen] == ["800"] * 3
    assert seen[1][1] == seen[0][1] - 1
    assert len({request_id for _, _, request_id in seen}) == 3


def test_the_limit_is_enforced_only_when_asked_for(mimecast: MimecastSimulator, session: requests.Session) -> None:
    now = [100.0]
    mimecast.expire_tokens()
    mimecast.monotonic = lambda: now[0]
    session.headers["Authorization"] = f"Bearer {mimecast.issue_token()}"
    mimecast.rate_limit = 2
    url = f"{mimecast.url}/partner/v1/msp/products"
    assert [session.get(url, timeout=5).status_code for _ in range(3)] == [200] * 3
    now[0] += 10
    mimecast.rate_limit_enforced = True
    assert [session.get(url, timeout=5).status_code for _ in range(2)] == [200] * 2
    reply = session.get(url, timeout=5)
    assert reply.status_code == 429
    assert reply.json()["fail"][0]["errors"][0]["code"] == "quota_exceeded"
    now[0] += int(reply.headers["X-RateLimit-Reset"]) / 1000
    assert session.get(url, timeout=5).status_code == 200


def test_directory_routes_answer_in_their_documented_shapes(
    mimecast: MimecastSimulator, session: requests.Session
) -> None:
    users = session.get(f"{mimecast.url}/user/cloud-gateway/v1/users?pageSize=100", timeout=5).json()["users"]
    assert [user["isAlias"] for user in users] == [False, True, False, False, False, False]
    roles = session.get(f"{mimecast.url}/role/cloud-gateway/v1/roles", timeout=5).json()["roles"]
    assert roles[0] == {"id": "r-10", "roleName": "Super Administrator"}
    for path, key in (
        ("user/get-internal-users", "users"),
        ("user/get-aliases", "aliases"),
        ("user/get-profile", "role"),
        ("directory/get-connection", "serverType"),
    ):
        body = {"meta": {"pagination": {"pageSize": 2}}, "data": [{"emailAddress": "dana.ops@simmsp.example"}]}
        reply = session.post(f"{mimecast.url}/api/{path}", json=body, timeout=5)
        assert key in reply.json()["data"][0], path


def test_internal_users_page_through_the_body(mimecast: MimecastSimulator, session: requests.Session) -> None:
    url = f"{mimecast.url}/api/user/get-internal-users"
    first = session.post(url, json={"meta": {"pagination": {"pageSize": 2}}}, timeout=5).json()
    token = first["meta"]["pagination"]["next"]
    body = {"meta": {"pagination": {"pageSize": 2, "pageToken": token}}}
    last = session.post(url, json=body, timeout=5).json()
    assert [len(page["data"][0]["users"]) for page in (first, last)] == [2, 2]
    assert last["meta"]["pagination"]["next"] != token


def test_what_the_older_list_says_differs_from_the_newer_one(
    mimecast: MimecastSimulator, session: requests.Session
) -> None:
    newer = session.get(f"{mimecast.url}/user/cloud-gateway/v1/users?pageSize=100", timeout=5).json()["users"]
    older = session.post(f"{mimecast.url}/api/user/get-internal-users", json={}, timeout=5).json()["data"][0]["users"]
    aliases = {user["emailAddress"]: user["isAlias"] for user in newer}
    assert {user["emailAddress"] for user in older if user["alias"] != aliases[user["emailAddress"]]} == {
        "kim.split@simmsp.example"
    }
    assert set(aliases) - {user["emailAddress"] for user in older} == {"friend@elsewhere.example"}
    assert not any("disabled" in user for user in older)


def test_a_customers_account_has_none_of_the_partners_people(
    mimecast: MimecastSimulator, session: requests.Session
) -> None:
    headers = {"x-mc-accountcode": next(iter(mimecast.world.accounts))}
    url = f"{mimecast.url}/user/cloud-gateway/v1/users?pageSize=100"
    assert session.get(url, headers=headers, timeout=5).json()["users"] == []


def test_the_directories_of_the_partner_have_switches(mimecast: MimecastSimulator, session: requests.Session) -> None:
    mimecast.directory_status, mimecast.directory_enabled = "error", False
    url = f"{mimecast.url}/directory/cloud-gateway/v1/integrations"
    rows = session.get(url, timeout=5).json()["integrations"]
    details = [session.get(f"{url}/{kind}/{row['id']}", timeout=5).json()
               for kind, row in zip(("m365", "active-directory"), rows, strict=True)]  # fmt: skip
    assert [(one["enabled"], one.get("status")) for one in details] == [(False, None), (True, "error")]
    assert session.get(f"{url}/google/dir-1", timeout=5).status_code == 404


def test_wrong_method_unknown_path_and_malformed_body(mimecast: MimecastSimulator, session: requests.Session) -> None:
    assert session.post(f"{mimecast.url}/partner/v1/customers", timeout=5).status_code == 405
    assert session.get(f"{mimecast.url}/partner/v2/customers", timeout=5).status_code == 404
    assert session.post(f"{mimecast.url}/api/account/get-account", data=b"{", timeout=5).status_code == 400
