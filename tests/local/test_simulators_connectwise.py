"""The simulated ConnectWise over a real socket: discovery, credentials, paging, conditions, fields, writes, limit."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import requests

from local.simulators import ConnectWiseSimulator, demo_world, running, scaled_world
from local.simulators.credentials import connectwise_headers
from tests.local.recording_hook import RecordingHook

FORWARD = {"pagination-type": "forward-only"}
QUANTITY = {"op": "replace", "path": "quantity", "value": 47}


@pytest.fixture
def psa() -> Iterator[ConnectWiseSimulator]:
    with running(ConnectWiseSimulator(demo_world())) as simulator:
        yield simulator


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers.update(connectwise_headers())
        yield session


def base(simulator: ConnectWiseSimulator) -> str:
    return f"{simulator.url}/v2025_1/apis/3.0"


def line_url(simulator: ConnectWiseSimulator, line_id: int) -> str:
    line = simulator.world.additions[line_id]
    return f"{base(simulator)}/finance/agreements/{line.agreement_id}/additions/{line_id}"


def email_line(simulator: ConnectWiseSimulator, story: str) -> int:
    company = simulator.world.story(story)[0].company_id
    return next(
        line.id
        for line in simulator.world.additions.values()
        if line.product_id == 560 and simulator.world.agreements[line.agreement_id].company_id == company
    )


def test_company_info_needs_no_credential_and_names_the_code_base(psa: ConnectWiseSimulator) -> None:
    reply = requests.get(f"{psa.url}/login/companyinfo/acmemsp", timeout=5)
    assert reply.json() == {
        "CompanyName": "Acme MSP",
        "Codebase": "v2025_1/",
        "VersionCode": "v2025.1",
        "VersionNumber": "v2025.1.100000",
        "CompanyID": "acmemsp",
        "IsCloud": "True",
    }
    assert requests.get(f"{psa.url}/login/companyinfo/other", timeout=5).status_code == 404


def test_credentials_are_checked_on_every_call(psa: ConnectWiseSimulator) -> None:
    url, headers = f"{base(psa)}/company/companies/count", connectwise_headers()
    without_client_id = {name: value for name, value in headers.items() if name != "clientId"}
    assert requests.get(url, headers=headers, timeout=5).json() == {"count": len(psa.world.companies)}
    refused = requests.get(url, headers=without_client_id, timeout=5)
    assert (refused.status_code, refused.json()["code"]) == (403, "SecurityError")
    wrong = headers | {"Authorization": "Basic d3Jvbmc="}
    reply = requests.get(url, headers=wrong, timeout=5)
    assert reply.status_code == 401
    assert reply.json() == {"code": "Unauthorized", "message": "Unauthorized", "errors": None}
    psa.bad_credentials_status = 404
    assert requests.get(url, headers=wrong, timeout=5).status_code == 404


def test_both_code_bases_answer_until_an_upgrade(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    paths = [f"{psa.url}/{codebase}/apis/3.0/company/companies/count" for codebase in ("v2025_1", "v4_6_release")]
    assert [session.get(path, timeout=5).status_code for path in paths] == [200, 200]
    psa.codebase = "v2026_4/"
    assert [session.get(path, timeout=5).status_code for path in paths] == [404, 200]


def test_the_reply_names_the_pinned_release_or_the_latest(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    url = f"{base(psa)}/company/companies/count"
    assert session.get(url, timeout=5).headers["Content-Type"].endswith("version=2025.1")
    unpinned = session.get(url, headers={"Accept": "application/json"}, timeout=5)
    assert unpinned.headers["Content-Type"].endswith("version=2026.4")


def test_forward_only_paging_always_offers_a_next_link(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    url, seen, page_id = f"{base(psa)}/company/companies", [], 0
    while True:
        reply = session.get(url, params={"pageSize": "20", "pageId": str(page_id)}, headers=FORWARD, timeout=5)
        rows = reply.json()
        seen += [row["id"] for row in rows]
        page_id = rows[-1]["id"]
        assert reply.headers["Link"] == f'<{url}?pageSize=20&pageId={page_id}>; rel="next"'
        if len(rows) < 20:
            break
    assert seen == sorted(psa.world.companies)


def test_forward_only_paging_refuses_an_order(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    url = f"{base(psa)}/company/companies?orderBy=name"
    assert session.get(url, headers=FORWARD, timeout=5).status_code == 400
    names = [row["name"] for row in session.get(f"{url} desc&pageSize=100", timeout=5).json()]
    assert names == sorted(names, key=str.casefold, reverse=True)


def test_numbered_paging_links_on_only_when_there_is_more(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    url, seen, pages = f"{base(psa)}/company/companies?pageSize=25&fields=id", [], 0
    while url:
        reply = session.get(url, timeout=5)
        seen += [row["id"] for row in reply.json()]
        pages += 1
        url = reply.links.get("next", {}).get("url", "")
    assert pages == 3
    assert seen == sorted(psa.world.companies)
    assert "prev" in reply.links


def test_the_page_size_is_25_by_default_and_capped_at_1000(session: requests.Session) -> None:
    with running(ConnectWiseSimulator(scaled_world(1_100))) as psa:
        url = f"{base(psa)}/company/companies"
        assert len(session.get(url, timeout=5).json()) == 25
        reply = session.get(url, params={"pageSize": "5000"}, headers=FORWARD, timeout=5)
        assert len(reply.json()) == 1_000
        assert "pageSize=1000" in reply.headers["Link"]


def test_fields_cut_the_record_and_info_must_be_listed(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    url = f"{base(psa)}/finance/agreements"
    (row,) = session.get(url, params={"fields": "id,company/id,agreementStatus", "pageSize": "1"}, timeout=5).json()
    assert row == {"id": 1201, "company": {"id": 250}, "agreementStatus": "Active"}
    (row,) = session.get(url, params={"fields": "id,_info,nonsense", "pageSize": "1"}, timeout=5).json()
    assert row["_info"]["lastUpdated"] == "2025-11-01T00:10:00Z"
    assert set(row) == {"id", "_info"}
    assert "_info" in session.get(f"{url}/1201", timeout=5).json()


def test_agreements_of_a_company_by_condition(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    conditions = 'company/id=250 and agreementStatus="Active"'
    (row,) = session.get(f"{base(psa)}/finance/agreements", params={"conditions": conditions}, timeout=5).json()
    assert row["company"] == {"id": 250, "identifier": "AlderbrookDentalGrou250", "name": "Alderbrook Dental Group"}
    count = session.get(f"{base(psa)}/finance/agreements/count", params={"conditions": conditions}, timeout=5)
    assert count.json() == {"count": 1}


def test_a_bad_condition_is_400(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    for conditions in ("name ~ 3", "nosuchfield=1", 'name="open', "id="):
        reply = session.get(f"{base(psa)}/company/companies", params={"conditions": conditions}, timeout=5)
        assert reply.status_code == 400, conditions


def test_catalog_search_by_product_id(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    parameters = {
        "conditions": 'identifier contains "MIME" and inactiveFlag=false',
        "fields": "id,identifier,description,price,cost,productClass",
    }
    rows = session.get(f"{base(psa)}/procurement/catalog", params=parameters, timeout=5).json()
    assert [row["identifier"] for row in rows] == ["MIME-EMAIL-S1", "MIME-AWARE", "MIME-ARCHIVE"]
    assert session.get(f"{base(psa)}/procurement/catalog/count", timeout=5).json() == {"count": 8}
    assert session.get(f"{base(psa)}/procurement/catalog/560", timeout=5).json()["price"] == 4.25


def test_additions_of_an_agreement(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    line_id = email_line(psa, "less_included")
    row = session.get(line_url(psa, line_id), timeout=5).json()
    assert (row["quantity"], row["lessIncluded"], row["billedQuantity"]) == (30.0, 5.0, 25.0)
    assert (row["extPrice"], row["extCost"], row["margin"]) == (127.5, 87.0, 40.5)
    assert row["product"] == {"id": 560, "identifier": "MIME-EMAIL-S1", "serializedFlag": False}
    rows = session.get(line_url(psa, line_id).rsplit("/", 1)[0], timeout=5).json()
    assert row in rows
    count = session.get(line_url(psa, line_id).rsplit("/", 1)[0] + "/count", timeout=5).json()
    assert count == {"count": len(rows)}


def test_unknown_records_are_404(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    reply = session.get(f"{base(psa)}/finance/agreements/1201/additions/999999", timeout=5)
    assert reply.status_code == 404
    assert reply.json() == {"code": "NotFound", "message": "Addition 999999 not found", "errors": None}
    for path in ("company/companies/1", "finance/agreements/1", "finance/agreements/1/additions", "nowhere"):
        assert session.get(f"{base(psa)}/{path}", timeout=5).status_code == 404, path
    other = psa.world.additions[88431].agreement_id + 1
    assert session.get(f"{base(psa)}/finance/agreements/{other}/additions/88431", timeout=5).status_code == 404


def test_a_patch_of_the_quantity_shows_in_the_next_get(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    line_id = email_line(psa, "bill_more")
    url, before = line_url(psa, line_id), psa.world.additions[line_id].quantity
    old = session.get(url, timeout=5).json()
    reply = session.patch(url, json=[QUANTITY], timeout=5)
    assert reply.status_code == 200
    new = session.get(url, timeout=5).json()
    assert new == reply.json()
    assert (new["quantity"], new["billedQuantity"], new["extPrice"]) == (47.0, 47.0, 199.75)
    assert new["_info"]["lastUpdated"] > old["_info"]["lastUpdated"]
    (write,) = psa.world.writes
    assert (write.line_id, write.before, write.after, write.status, write.committed) == (line_id, before, 47, 200, True)


@pytest.mark.parametrize(
    "body",
    [
        QUANTITY,
        [],
        [QUANTITY | {"path": "/quantity"}],
        [QUANTITY | {"path": "Quantity"}],
        [QUANTITY | {"op": "set"}],
        [QUANTITY | {"value": "47"}],
        [QUANTITY | {"value": True}],
        [QUANTITY | {"value": -1}],
        [QUANTITY | {"value": 1_000_000}],
        [{"op": "remove", "path": "quantity"}],
        "quantity",
    ],
)
def test_a_patch_the_vendor_refuses_changes_nothing(
    psa: ConnectWiseSimulator, session: requests.Session, body: Any
) -> None:
    before = session.get(line_url(psa, 88432), timeout=5).json()
    reply = session.patch(line_url(psa, 88432), json=body, timeout=5)
    assert reply.status_code == 400
    assert reply.json()["code"] == "InvalidObject"
    assert session.get(line_url(psa, 88432), timeout=5).json() == before
    assert [write.committed for write in psa.world.writes] == [False]


def test_an_out_of_range_quantity_names_the_field(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    reply = session.patch(line_url(psa, 88432), json=[QUANTITY | {"value": -1}], timeout=5)
    assert reply.json()["errors"] == [
        {
            "code": "OutOfRange",
            "message": "The field quantity must be between 0 and 999999.",
            "resource": "addition",
            "field": "quantity",
        }
    ]


def test_a_sub_path_is_answered_200_and_changes_nothing(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    url = line_url(psa, 88432)
    before = session.get(url, timeout=5).json()
    body = [{"op": "replace", "path": "product/identifier", "value": "OTHER"}]
    reply = session.patch(url, json=body, timeout=5)
    assert (reply.status_code, reply.json()) == (200, before)
    assert session.get(url, timeout=5).json() == before


def test_put_and_delete_are_not_served(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    assert session.put(line_url(psa, 88432), json={"quantity": 1}, timeout=5).status_code == 405
    assert session.delete(line_url(psa, 88432), timeout=5).status_code == 405


def test_a_new_addition_is_created_with_a_location(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    url = f"{base(psa)}/finance/agreements/1201/additions"
    body = {
        "product": {"id": 560},
        "quantity": 47,
        "billCustomer": "Billable",
        "effectiveDate": "2025-12-01T00:00:00Z",
    }
    reply = session.post(url, json=body, timeout=5)
    assert reply.status_code == 201
    created = session.get(reply.headers["Location"], timeout=5).json()
    assert (created["quantity"], created["effectiveDate"]) == (47.0, "2025-12-01T00:00:00Z")
    assert session.post(url, json={"quantity": 1}, timeout=5).status_code == 400


def test_the_audit_trail_tells_who_changed_a_quantity(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    line_id = email_line(psa, "small_increase")
    psa.world.edit_addition(line_id, quantity=1.5)
    agreement_id = psa.world.additions[line_id].agreement_id
    session.patch(line_url(psa, line_id), json=[QUANTITY], timeout=5)
    url = f"{base(psa)}/system/audittrail"
    _by_hand, row = session.get(url, params={"type": "Agreement", "id": str(agreement_id)}, timeout=5).json()
    assert row["text"] == "Addition MIME-EMAIL-S1 quantity changed from 1.5 to 47"
    assert (row["enteredBy"], row["auditSource"]) == ("ApiMimecast", "API")
    assert session.get(url, timeout=5).status_code == 400


def test_callbacks_are_registered(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    url = f"{base(psa)}/system/callbacks"
    body = {"url": "https://hook.example/cw?recordId=", "objectId": 1, "type": "agreement", "level": "owner"}
    reply = session.post(url, json=body, timeout=5)
    assert (reply.status_code, reply.json()["id"], reply.json()["memberId"]) == (201, 77, 196)
    assert session.get(url, timeout=5).json() == [reply.json()]
    assert session.post(url, json={}, timeout=5).status_code == 400


def test_a_callback_is_changed_and_removed_by_its_id(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    url = f"{base(psa)}/system/callbacks"
    body = {"url": "https://hook.example/cw?recordId=", "objectId": 1, "type": "company", "level": "owner"}
    for _ in range(2):
        session.post(url, json=body, timeout=5)
    off = [{"op": "replace", "path": "inactiveFlag", "value": True}]
    assert session.patch(f"{url}/77", json=off, timeout=5).json()["inactiveFlag"] is True
    assert session.patch(f"{url}/77", json=[{"op": "replace", "path": "id", "value": 5}], timeout=5).status_code == 400
    assert session.patch(f"{url}/77", json={}, timeout=5).status_code == 400
    assert session.delete(f"{url}/77", timeout=5).status_code == 204
    for call in (session.get, session.delete):
        assert call(f"{url}/77", timeout=5).status_code == 404
    assert session.get(f"{url}/78", timeout=5).json()["id"] == 78
    assert session.post(url, json=body, timeout=5).json()["id"] == 79
    assert session.post(url, json=body | {"type": "ticket"}, timeout=5).status_code == 400


@pytest.fixture
def hook() -> Iterator[RecordingHook]:
    with RecordingHook() as hook:
        yield hook


def subscribe(psa: ConnectWiseSimulator, session: requests.Session, hook: RecordingHook, **more: object) -> None:
    body = {"url": f"{hook.url}?recordId=", "objectId": 1, "type": "agreement", "level": "owner", **more}
    assert session.post(f"{base(psa)}/system/callbacks", json=body, timeout=5).status_code == 201
    psa.callbacks.retry_waits_seconds = (0.0, 0.0)
    psa.callbacks.changes()


def test_a_callback_is_sent_signed_to_the_registered_address(
    psa: ConnectWiseSimulator, session: requests.Session, hook: RecordingHook
) -> None:
    subscribe(psa, session, hook)
    line = psa.world.additions[email_line(psa, "small_increase")]
    psa.world.edit_addition(line.id, quantity=99.0)
    operation = {"operation": "deliver_callbacks"}
    assert session.post(f"{psa.url}/_control/state", json=operation, timeout=5).status_code == 204
    (path, given, body) = hook.taken[0]
    message = json.loads(body)
    assert path == f"/hook?recordId={line.agreement_id}&action=updated"
    assert (message["Type"], message["ID"], message["CompanyId"]) == ("agreement", line.agreement_id, "acmemsp")
    assert json.loads(message["Entity"])["_info"]["lastUpdated"] == line.last_updated
    key = session.get(message["Metadata"]["key_url"], timeout=5).json()["signing_key"]
    expected = hmac.new(hashlib.sha256(key.encode()).digest(), body, hashlib.sha256).digest()
    assert given == base64.b64encode(expected).decode()
    psa.deliver_callbacks()
    assert len(hook.taken) == 1


@pytest.mark.parametrize(
    ("status", "deliveries"), [(204, 1), (200, 1), (500, 1), (401, 1), (429, 3), (409, 3), (404, 3)]
)
def test_only_the_documented_statuses_are_sent_again_and_twice_at_most(
    psa: ConnectWiseSimulator, session: requests.Session, hook: RecordingHook, status: int, deliveries: int
) -> None:
    subscribe(psa, session, hook)
    hook.status = status
    psa.world.edit_addition(email_line(psa, "small_increase"), quantity=99.0)
    psa.deliver_callbacks()
    assert len(hook.taken) == deliveries
    assert [one.status for one in psa.callbacks.sent] == [status] * deliveries


def test_what_is_switched_off_our_own_or_off_this_machine_is_not_called(
    psa: ConnectWiseSimulator, session: requests.Session, hook: RecordingHook
) -> None:
    subscribe(psa, session, hook, isSelfSuppressedFlag=True)
    subscribe(psa, session, hook, inactiveFlag=True)
    subscribe(psa, session, hook, type="company")
    psa.world.edit_addition(email_line(psa, "small_increase"), "ApiMimecast", quantity=99.0)
    psa.deliver_callbacks()
    assert hook.taken == []
    for callback in psa.world.callbacks:
        callback["url"] = "http://hook.example/?recordId="
    psa.world.edit_company(next(iter(psa.world.companies)), name="Renamed")
    psa.deliver_callbacks()
    assert [one.status for one in psa.callbacks.sent] == [0]


@pytest.mark.parametrize(("delivery", "numbers"), [("twice", [1, 1, 2, 2]), ("reversed", [2, 1]), ("stale", [1, 2, 1])])
def test_deliveries_can_be_repeated_and_out_of_order(
    psa: ConnectWiseSimulator, session: requests.Session, hook: RecordingHook, delivery: str, numbers: list[int]
) -> None:
    subscribe(psa, session, hook, type="company")
    settings = {"callback_delivery": delivery}
    assert session.post(f"{psa.url}/_control/settings", json=settings, timeout=5).status_code == 200
    assert session.post(f"{psa.url}/_control/settings", json={"callback_delivery": "x"}, timeout=5).status_code == 400
    first, second = sorted(psa.world.companies)[:2]
    for number, company in enumerate((first, second), start=1):
        psa.world.clock = partial(datetime, 2027, 1, number, tzinfo=UTC)
        psa.world.edit_company(company, name=f"Renamed {number}")
    psa.deliver_callbacks()
    assert [json.loads(body)["ID"] for _, _, body in hook.taken] == [{1: first, 2: second}[one] for one in numbers]


def test_callbacks_can_follow_each_change_by_themselves(
    psa: ConnectWiseSimulator, session: requests.Session, hook: RecordingHook
) -> None:
    subscribe(psa, session, hook)
    control = f"{psa.url}/_control"
    assert session.post(f"{control}/settings", json={"callbacks_on_change": True}, timeout=5).status_code == 200
    edit = {"operation": "edit_addition", "id": email_line(psa, "small_increase"), "quantity": 99}
    assert session.post(f"{control}/state", json=edit, timeout=5).status_code == 204
    assert hook.came.wait(5)
    assert len(hook.taken) == 1


def test_the_limit_answers_429_with_the_seconds_to_wait(psa: ConnectWiseSimulator, session: requests.Session) -> None:
    now = [50.0]
    psa.monotonic = lambda: now[0]
    psa.limit_per_minute = 3
    url = f"{base(psa)}/company/companies/count"
    assert [session.get(url, timeout=5).status_code for _ in range(3)] == [200] * 3
    now[0] += 12.5
    reply = session.get(url, timeout=5)
    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "48")
    message = "Too many requests. Please try again in 48 seconds."
    assert reply.json() == {"error": "ConnectWiseAPI", "message": message}
    now[0] += 48
    assert session.get(url, timeout=5).status_code == 200
