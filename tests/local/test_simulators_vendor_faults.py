"""The faults that only a vendor can have: paging that goes astray, a switch that is ignored, writes that deceive."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import requests

from local.simulators import ConnectWiseSimulator, MimecastSimulator, World, demo_world, running
from local.simulators.credentials import MIMECAST_CLIENT_ID, MIMECAST_CLIENT_SECRET, connectwise_headers

LINE = 88432
CUSTOMERS = "/partner/v1/customers"


@pytest.fixture
def world() -> World:
    return demo_world()


@pytest.fixture
def mimecast(world: World) -> Iterator[MimecastSimulator]:
    with running(MimecastSimulator(world)) as simulator:
        yield simulator


@pytest.fixture
def psa(world: World) -> Iterator[ConnectWiseSimulator]:
    with running(ConnectWiseSimulator(world)) as simulator:
        yield simulator


def customers(simulator: MimecastSimulator, **parameters: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {simulator.issue_token()}"}
    return requests.get(f"{simulator.url}{CUSTOMERS}", params=parameters, headers=headers, timeout=5)


def line(simulator: ConnectWiseSimulator) -> requests.Response:
    return requests.get(_line_url(simulator), headers=connectwise_headers(), timeout=5)


def patch(simulator: ConnectWiseSimulator, quantity: int = 47) -> requests.Response:
    body = [{"op": "replace", "path": "quantity", "value": quantity}]
    return requests.patch(_line_url(simulator), json=body, headers=connectwise_headers(), timeout=5)


def _line_url(simulator: ConnectWiseSimulator) -> str:
    agreement = simulator.world.additions[LINE].agreement_id
    return f"{simulator.url}/v2025_1/apis/3.0/finance/agreements/{agreement}/additions/{LINE}"


def test_page_tokens_that_repeat_loop_or_never_end(mimecast: MimecastSimulator) -> None:
    def next_tokens(kind: str, count: int) -> list[str]:
        fault = mimecast.faults.add(kind, times=0)
        tokens = [""]
        for _ in range(count):
            body = customers(mimecast, pageSize="10", **({"pageToken": tokens[-1]} if tokens[-1] else {})).json()
            tokens.append(body["meta"]["pagination"]["next"])
        assert fault.fired == count
        mimecast.faults.clear()
        return tokens[1:]

    assert len(set(next_tokens("repeated_token", 4))) == 1
    first, second, third, fourth = next_tokens("token_loop", 4)
    assert (first, second) == (third, fourth)
    assert first != second
    assert len(set(next_tokens("endless_tokens", 12))) == 12


def test_a_page_sent_twice_and_a_total_that_disagrees(mimecast: MimecastSimulator) -> None:
    first = customers(mimecast, pageSize="10").json()
    mimecast.faults.add("duplicate_page", query="pageToken")
    mimecast.faults.add("total_disagrees", difference=-2, query="pageToken")
    again = customers(mimecast, pageSize="10", pageToken=first["meta"]["pagination"]["next"]).json()
    assert again["customers"] == first["customers"]
    assert again["meta"]["pagination"]["totalCount"] == first["meta"]["pagination"]["totalCount"] - 2


def test_the_same_of_connectwise(psa: ConnectWiseSimulator) -> None:
    def page(page_id: int) -> tuple[list[int], int]:
        headers = connectwise_headers() | {"pagination-type": "forward-only"}
        url = f"{psa.url}/v2025_1/apis/3.0/company/companies"
        reply = requests.get(url, params={"pageSize": 20, "pageId": page_id}, headers=headers, timeout=5)
        following = urlsplit(reply.links["next"]["url"]).query.rsplit("=", 1)[1]
        return [row["id"] for row in reply.json()], int(following)

    rows, following = page(0)
    for kind, expected_rows, expected_next in (
        ("duplicate_page", rows, rows[-1] + 20),
        ("page_ignored", rows, rows[-1]),
        ("repeated_token", None, rows[-1]),
        ("token_loop", None, 0),
    ):
        psa.faults.add(kind)
        got, offered = page(following)
        assert expected_rows is None or got == expected_rows, kind
        assert offered == expected_next, kind
    psa.faults.add("endless_tokens", times=0)
    page_id = following
    for _ in range(10):
        got, after = page(page_id)
        assert len(got) == 20
        assert after > page_id
        page_id = after


def test_a_count_that_disagrees(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("total_disagrees", difference=3)
    url = f"{psa.url}/v2025_1/apis/3.0/company/companies/count"
    reply = requests.get(url, headers=connectwise_headers(), timeout=5)
    assert reply.json() == {"count": len(psa.world.companies) + 3}


def test_an_ignored_account_switch(mimecast: MimecastSimulator) -> None:
    mimecast.faults.add("ignored_account_switch", path="/api/account/get-account")
    headers = {"Authorization": f"Bearer {mimecast.issue_token()}", "x-mc-accountcode": "CSIM10B202"}
    codes = [
        requests.post(f"{mimecast.url}/api/account/get-account", json={}, headers=headers, timeout=5).json()
        for _ in range(2)
    ]
    assert [one["data"][0]["accountCode"] for one in codes] == ["CSIM00A001", "CSIM10B202"]


def test_a_token_without_a_lifetime_or_already_expired(mimecast: MimecastSimulator) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": MIMECAST_CLIENT_ID,
        "client_secret": MIMECAST_CLIENT_SECRET,
    }
    mimecast.faults.add("token_reply")
    assert "expires_in" not in requests.post(f"{mimecast.url}/oauth/token", data=form, timeout=5).json()
    mimecast.faults.add("token_reply", expires_in=-5)
    expired = requests.post(f"{mimecast.url}/oauth/token", data=form, timeout=5).json()
    assert expired["expires_in"] == -5
    headers = {"Authorization": f"Bearer {expired['access_token']}"}
    reply = requests.get(f"{mimecast.url}{CUSTOMERS}", headers=headers, timeout=5)
    assert reply.json()["fail"][0]["code"] == "token_expired"


@pytest.mark.parametrize(
    ("kind", "expected", "agreed"),
    [("", "completed", 45), ("order_lost", "in_progress", 41), ("order_rejected", "rejected", 41)],
)
def test_an_order_that_comes_or_does_not(mimecast: MimecastSimulator, kind: str, expected: str, agreed: int) -> None:
    """It is in the agreement from the second read of the customers on, unless it was lost or rejected."""
    mimecast.order_reads = 2
    code, contract = next((one.account_code, one) for one in mimecast.world.contracts.values())
    contract.lines[0].quantity = 41
    headers = {"Authorization": f"Bearer {mimecast.issue_token()}"}

    def post(path: str, body: dict[str, object]) -> requests.Response:
        return requests.post(f"{mimecast.url}/partner/v1/msp/{path}", json=body, headers=headers, timeout=5)

    line = {"productId": contract.lines[0].product_id, "currentQuantity": 41, "newQuantity": 45}
    quote = post("quotes", {"accountCode": code, "lines": [line]})
    assert quote.status_code == 201
    if kind:
        mimecast.faults.add(kind, method="POST", path="*/orders")
    taken = post("orders", {"quoteId": quote.json()["quoteId"]})
    assert (taken.status_code, taken.json()["status"]) == (202, "submitted")
    customers(mimecast)
    assert contract.lines[0].quantity == 41
    customers(mimecast)
    assert contract.lines[0].quantity == agreed
    status = f"{mimecast.url}/partner/v1/msp/request-status/{taken.json()['requestId']}"
    assert requests.get(status, headers=headers, timeout=5).json()["status"] == expected


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("quotes", {}),
        ("quotes", {"accountCode": "NOBODY", "lines": [{"productId": "1", "currentQuantity": 1, "newQuantity": 2}]}),
        ("quotes", {"accountCode": "NOBODY", "lines": [{"productId": "1", "currentQuantity": 1, "newQuantity": -2}]}),
        ("orders", {"quoteId": "qt-1"}),
    ],
)
def test_an_order_that_is_not_understood_is_refused(
    mimecast: MimecastSimulator, path: str, body: dict[str, object]
) -> None:
    headers = {"Authorization": f"Bearer {mimecast.issue_token()}"}
    reply = requests.post(f"{mimecast.url}/partner/v1/msp/{path}", json=body, headers=headers, timeout=5)
    assert (reply.status_code, reply.json()["errors"][0]["code"]) == (400, "validation_error")
    unknown = requests.get(f"{mimecast.url}/partner/v1/msp/request-status/req-9", headers=headers, timeout=5)
    assert unknown.status_code == 404


def test_a_clamped_quantity(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("clamped_quantity", maximum=40)
    reply = patch(psa)
    assert (reply.status_code, reply.json()["quantity"], line(psa).json()["quantity"]) == (200, 40.0, 40.0)


def test_a_false_success(psa: ConnectWiseSimulator) -> None:
    before = line(psa).json()
    psa.faults.add("false_success", method="PATCH")
    assert patch(psa).json() == line(psa).json() == before
    assert [write.committed for write in psa.world.writes] == [False]


@pytest.mark.parametrize("reset", [False, True])
def test_a_patch_that_never_arrived_and_one_whose_answer_is_lost(psa: ConnectWiseSimulator, reset: bool) -> None:
    before = line(psa).json()["quantity"]
    psa.faults.add("drop_before_commit", method="PATCH", reset=reset)
    with pytest.raises(requests.exceptions.ConnectionError):
        patch(psa)
    assert line(psa).json()["quantity"] == before
    psa.faults.add("drop_after_commit", method="PATCH", reset=reset)
    with pytest.raises(requests.exceptions.ConnectionError):
        patch(psa)
    assert line(psa).json()["quantity"] == 47.0
    assert [(write.status, write.committed) for write in psa.world.writes] == [(0, False), (0, True)]


def test_a_patch_that_is_done_and_answered_500(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("error_after_commit", method="PATCH")
    assert patch(psa).status_code == 500
    assert line(psa).json()["quantity"] == 47.0
    assert [(write.status, write.committed) for write in psa.world.writes] == [(500, True)]


def test_a_line_that_a_person_moves_in_between(psa: ConnectWiseSimulator) -> None:
    first = line(psa).json()
    psa.faults.add("moved_line", method="GET", quantity=61)
    second = line(psa).json()
    assert (second["quantity"], second["_info"]["updatedBy"]) == (61.0, "jsmith")
    psa.faults.add("moved_line", method="GET", touch_only=True)
    third = line(psa).json()
    assert third["quantity"] == 61.0
    stamps = [one["_info"]["lastUpdated"] for one in (first, second, third)]
    assert stamps == sorted(set(stamps))
    assert psa.world.writes == []


def test_a_write_that_is_closed_unanswered_and_done_only_later(psa: ConnectWiseSimulator) -> None:
    world, moment = psa.world, psa.world.clock()
    world.clock = lambda: moment
    before = world.additions[LINE].quantity
    psa.faults.add("late_commit", method="PATCH", seconds=100)
    with pytest.raises(requests.ConnectionError):
        patch(psa, 47)
    world.clock = lambda: moment + timedelta(seconds=99)
    assert line(psa).json()["quantity"] == before
    world.clock = lambda: moment + timedelta(seconds=100)
    assert line(psa).json()["quantity"] == 47
    assert line(psa).json()["quantity"] == 47
    assert [(write.committed, write.after) for write in world.writes] == [(False, None), (True, 47.0)]
