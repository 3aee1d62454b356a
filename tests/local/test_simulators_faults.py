"""Every fault of the simulators, seen from the other end of a real socket."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from local.simulators import ConnectWiseSimulator, MimecastSimulator, World, demo_world, running
from local.simulators.credentials import MIMECAST_CLIENT_ID, MIMECAST_CLIENT_SECRET, connectwise_headers
from local.simulators.faults import KINDS, FaultBoard

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


# The board.


def test_a_fault_hits_from_the_nth_match_for_so_many_times() -> None:
    board = FaultBoard()
    fault = board.add("status", method="GET", path="/finance/agreements*", query="pageId=", nth=2, times=2, status=502)
    path = ("/v2025_1/apis/3.0/finance/agreements", "/finance/agreements")
    assert board.take("PATCH", path, "pageId=1") == []
    assert board.take("GET", path, "page=1") == []
    assert board.take("GET", ("/company/companies",), "pageId=1") == []
    assert [bool(board.take("GET", path, "pageId=1")) for _ in range(5)] == [False, True, True, False, False]
    assert (fault.seen, fault.fired) == (5, 2)


def test_times_zero_is_for_ever_and_clear_ends_it() -> None:
    board = FaultBoard()
    board.add("empty", times=0)
    assert all(board.take("GET", ("/",), "") for _ in range(50))
    board.clear()
    assert board.take("GET", ("/",), "") == []


@pytest.mark.parametrize("wrong", [{"kind": "nonsense"}, {"kind": "empty", "nth": 0}, {"kind": "empty", "times": -1}])
def test_a_fault_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown fault kind|nth counts"):
        FaultBoard().add(**wrong)


def test_every_kind_is_exercised_in_this_file() -> None:
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    missing = [kind for kind in KINDS if f'"{kind}"' not in text]
    assert missing == []


# Refusals.


@pytest.mark.parametrize("form", ["3", "1000000000", "abc", "-5"])
def test_429_with_retry_after_as_it_was_ordered(
    mimecast: MimecastSimulator, psa: ConnectWiseSimulator, form: str
) -> None:
    for simulator in (mimecast, psa):
        simulator.faults.add("rate_limited", retry_after=form)
    for reply in (customers(mimecast), line(psa)):
        assert (reply.status_code, reply.headers["Retry-After"]) == (429, form)


def test_429_with_dates_and_without_any_header(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("rate_limited", retry_after="http_date", seconds=90)
    assert parsedate_to_datetime(line(psa).headers["Retry-After"]) > datetime.now(UTC)
    psa.faults.add("rate_limited", retry_after="past_date")
    assert parsedate_to_datetime(line(psa).headers["Retry-After"]) < datetime.now(UTC)
    psa.faults.add("rate_limited")
    bare = line(psa)
    assert bare.status_code == 429
    assert "Retry-After" not in bare.headers
    assert bare.json()["error"] == "ConnectWiseAPI"
    assert line(psa).status_code == 200


def test_429_of_mimecast_counts_in_milliseconds(mimecast: MimecastSimulator) -> None:
    mimecast.faults.add("rate_limited", path=CUSTOMERS, reset_milliseconds=2750)
    reply = customers(mimecast)
    assert reply.headers["X-RateLimit-Reset"] == "2750"
    assert reply.headers["X-RateLimit-Remaining"] == "0"
    assert "Retry-After" not in reply.headers
    assert reply.json()["fail"][0]["errors"][0]["code"] == "quota_exceeded"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("token_expired", "token_expired"),
        ("token_verification_failed", "token_verification_failed"),
        ("plain", "unauthorized"),
    ],
)
def test_401_of_each_kind(mimecast: MimecastSimulator, code: str, told: str) -> None:
    mimecast.faults.add("unauthorized", code=code)
    reply = customers(mimecast)
    assert (reply.status_code, reply.json()["fail"][0]["code"]) == (401, told)
    assert customers(mimecast).status_code == 200


@pytest.mark.parametrize("status", [400, 403, 404, 409, 500, 502, 503, 504])
def test_any_status_in_the_vendors_own_shape(
    mimecast: MimecastSimulator, psa: ConnectWiseSimulator, status: int
) -> None:
    mimecast.faults.add("status", status=status)
    psa.faults.add("status", status=status)
    from_mimecast, from_psa = customers(mimecast), line(psa)
    assert from_mimecast.status_code == from_psa.status_code == status
    assert from_mimecast.json()["fail"]
    if status < 500:
        assert set(from_psa.json()) == {"code", "message", "errors"}
    else:
        assert from_psa.headers["Content-Type"].startswith("text/html")


def test_a_conflict_and_a_named_error(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("status", method="PATCH", status=409)
    psa.faults.add("status", method="GET", status=403, code="Security", message="SSL is required.")
    assert patch(psa).status_code == 409
    assert line(psa).json() == {"code": "Security", "message": "SSL is required.", "errors": None}
    assert [write.committed for write in psa.world.writes] == [False]


@pytest.mark.parametrize("status", [200, 502])
def test_an_html_page(psa: ConnectWiseSimulator, status: int) -> None:
    psa.faults.add("html", status=status)
    reply = line(psa)
    assert reply.status_code == status
    assert reply.headers["Content-Type"].startswith("text/html")
    assert reply.text.startswith("<!DOCTYPE html>")


def test_a_failure_inside_200_nested_and_flat(mimecast: MimecastSimulator) -> None:
    mimecast.faults.add("fail_in_200")
    nested = customers(mimecast)
    assert nested.json()["fail"][0]["errors"][0]["code"] == "err_account_access_denied"
    mimecast.faults.add("fail_in_200", nested=False, code="err_developer_key")
    flat = customers(mimecast)
    assert (nested.status_code, flat.status_code) == (200, 200)
    assert flat.json()["fail"][0]["code"] == "err_developer_key"


@pytest.mark.parametrize("status", [200, 204])
def test_an_empty_reply(mimecast: MimecastSimulator, status: int) -> None:
    mimecast.faults.add("empty", status=status)
    reply = customers(mimecast)
    assert (reply.status_code, reply.content) == (status, b"")


def test_a_redirect_to_another_host(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("redirect", location="https://elsewhere.example/steal")
    reply = requests.get(_line_url(psa), headers=connectwise_headers(), allow_redirects=False, timeout=5)
    assert (reply.status_code, reply.headers["Location"]) == (302, "https://elsewhere.example/steal")


def test_any_reply_at_all(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("raw", body="[1,", status=203, content_type="application/json", headers={"X-Sim": "yes"})
    reply = line(psa)
    assert (reply.status_code, reply.text, reply.headers["X-Sim"]) == (203, "[1,", "yes")


# Bodies.


def test_a_body_far_too_large_is_streamed(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("oversized", size_bytes=5_000_000)
    reply = line(psa)
    assert len(reply.content) == 5_000_000
    assert reply.json() == []


def test_a_gzip_bomb_is_small_on_the_wire(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("gzip_bomb", size_bytes=20_000_000)
    with requests.get(_line_url(psa), headers=connectwise_headers(), stream=True, timeout=5) as reply:
        packed = reply.raw.read(decode_content=False)
    assert reply.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 100_000
    assert len(gzip.decompress(packed)) == 20_000_002


def test_deeply_nested_json(mimecast: MimecastSimulator) -> None:
    mimecast.faults.add("deep_json", depth=100_000)
    assert customers(mimecast).content == b"[" * 100_000 + b"]" * 100_000


def test_a_body_shorter_than_promised(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("truncated")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        line(psa)
    psa.faults.add("truncated", sent_bytes=10)
    head, body = _read_raw(psa)
    promised = int(next(text.split(":")[1] for text in head.split("\r\n") if text.startswith("Content-Length")))
    assert (len(body), promised > 100) == (10, True)


def test_a_connection_reset_in_the_middle_of_the_body(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("reset_mid_body")
    with pytest.raises(ConnectionResetError):
        _read_raw(psa)


def test_a_body_that_drips(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("drip", bytes_per_second=20)
    started = time.monotonic()
    with requests.get(_line_url(psa), headers=connectwise_headers(), stream=True, timeout=5) as reply:
        received = reply.raw.read(4)
    assert received == b'{"id'
    assert time.monotonic() - started > 0.15


def test_a_late_reply_runs_into_the_clients_time_out(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("late_reply", method="PATCH", seconds=30)
    body = [{"op": "replace", "path": "quantity", "value": 47}]
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.patch(_line_url(psa), json=body, headers=connectwise_headers(), timeout=0.2)
    assert line(psa).json()["quantity"] == 47.0


def test_the_wrong_content_type(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("wrong_content_type", content_type="text/plain")
    reply = line(psa)
    assert reply.headers["Content-Type"] == "text/plain"
    assert reply.json()["id"] == LINE


def test_sunset_headers(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("extra_headers")
    assert {"Sunset", "Deprecation"} <= set(line(psa).headers)


def test_duplicate_keys(mimecast: MimecastSimulator) -> None:
    mimecast.faults.add("duplicate_keys")
    text = customers(mimecast, pageSize="1").text
    assert text.count('"accountCode":') == 2
    assert '"accountCode":999' in text


def test_unknown_fields_everywhere(psa: ConnectWiseSimulator) -> None:
    psa.faults.add("unknown_fields")
    row = line(psa).json()
    assert row["simNewFlag"] is row["product"]["simNewFlag"] is True
    assert row["quantity"] == psa.world.additions[LINE].quantity


@pytest.mark.parametrize("raw", ['"12"', "12.5", "1e30", "NaN", "true", "null", "9007199254740993", "-3"])
def test_a_count_of_another_type(mimecast: MimecastSimulator, raw: str) -> None:
    mimecast.faults.add("set_field", field="userCount", raw=raw, where={"accountCode": "CSIM10B203"})
    text = customers(mimecast, pageSize="2").text
    assert f'"userCount":{raw}}}' in text
    assert f'"userCount":{mimecast.world.accounts["CSIM10B202"].partner_seats}}}' in text


def test_a_missing_field(mimecast: MimecastSimulator) -> None:
    mimecast.faults.add("set_field", field="userCount", remove=True)
    rows = customers(mimecast, pageSize="3").json()["customers"]
    assert all("userCount" not in row for row in rows)


# Paging.


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


# The vendors' own.


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


# The control routes.


def test_faults_counts_and_edits_over_http(psa: ConnectWiseSimulator) -> None:
    control = f"{psa.url}/_control"
    order = {"kind": "status", "method": "GET", "path": "*/additions/*", "nth": 2, "times": 1, "status": 503}
    assert requests.post(f"{control}/faults", json=order, timeout=5).status_code == 201
    assert [line(psa).status_code for _ in range(3)] == [200, 503, 200]
    (fault,) = requests.get(f"{control}/faults", timeout=5).json()
    assert (fault["seen"], fault["fired"], fault["options"]) == (3, 1, {"status": 503})
    assert requests.delete(f"{control}/faults", timeout=5).status_code == 204
    assert requests.get(f"{control}/faults", timeout=5).json() == []

    counts = requests.get(f"{control}/requests", timeout=5).json()
    assert counts["by_route"]["GET /finance/agreements/{id}/additions/{id}"] == 2
    assert counts["by_status"] == {"200": 2, "503": 1}
    assert counts["total"] == 3
    assert "entries" not in requests.get(f"{control}/requests?entries=no", timeout=5).json()

    edit = {"operation": "edit_addition", "id": LINE, "quantity": 5}
    assert requests.post(f"{control}/state", json=edit, timeout=5).status_code == 204
    assert line(psa).json()["quantity"] == 5.0
    state = requests.get(f"{control}/state", timeout=5).json()
    assert state["additions"][str(LINE)]["updated_by"] == "jsmith"


def test_control_routes_refuse_nonsense(psa: ConnectWiseSimulator) -> None:
    control = f"{psa.url}/_control"
    for path, body in (
        ("faults", {"kind": "nonsense"}),
        ("state", {"operation": "nonsense"}),
        ("state", {"operation": "edit_addition", "id": 1, "quantity": 5}),
        ("state", {"operation": "edit_addition", "id": LINE, "quantity": "many"}),
        ("state", {"operation": "edit_addition", "id": LINE, "colour": "red"}),
        ("settings", {"nonsense": 1}),
        ("settings", {"limit_per_minute": "many"}),
    ):
        assert requests.post(f"{control}/{path}", json=body, timeout=5).status_code == 400, (path, body)
    assert requests.get(f"{control}/nonsense", timeout=5).status_code == 404


def test_settings_are_turned_over_http(mimecast: MimecastSimulator) -> None:
    control = f"{mimecast.url}/_control"
    changed = requests.post(
        f"{control}/settings", json={"on_behalf": ["body"], "latency_seconds": 0.15}, timeout=5
    ).json()
    assert (changed["on_behalf"], changed["latency_seconds"]) == (["body"], 0.15)
    assert mimecast.on_behalf == frozenset({"body"})
    started = time.monotonic()
    assert customers(mimecast).status_code == 200
    assert time.monotonic() - started >= 0.15
    token = mimecast.issue_token()
    assert requests.post(f"{control}/state", json={"operation": "expire_tokens"}, timeout=5).status_code == 204
    reply = requests.get(f"{mimecast.url}{CUSTOMERS}", headers={"Authorization": f"Bearer {token}"}, timeout=5)
    assert reply.status_code == 401


def test_the_widest_concurrency_is_counted(psa: ConnectWiseSimulator) -> None:
    psa.latency_seconds = 0.2
    with ThreadPoolExecutor(4) as pool:
        statuses = [reply.status_code for reply in pool.map(lambda _: line(psa), range(4))]
    assert statuses == [200] * 4
    assert psa.requests.max_concurrent == 4
    psa.requests.clear()
    assert (psa.requests.max_concurrent, psa.requests.total) == (0, 0)


@pytest.mark.parametrize("where", ["answer", "finish"])
def test_a_bug_of_the_simulator_fails_the_test_that_met_it(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError

    def meet_it() -> None:
        with running(ConnectWiseSimulator(demo_world())) as psa, suppress(requests.exceptions.ConnectionError):
            monkeypatch.setattr(psa, where, broken)
            line(psa)

    with pytest.raises(ExceptionGroup, match="the ConnectWise simulator failed"):
        meet_it()


def test_the_log_keeps_no_secret(mimecast: MimecastSimulator) -> None:
    token = mimecast.issue_token()
    requests.get(f"{mimecast.url}{CUSTOMERS}", headers={"Authorization": f"Bearer {token}"}, timeout=5)
    text = json.dumps(mimecast.requests.as_json())
    assert token not in text
    assert mimecast.requests.entries[0].authorized is True


def _read_raw(simulator: ConnectWiseSimulator) -> tuple[str, bytes]:
    """The reply to a GET of the line as it comes off the socket: its head, and its body until the connection ends."""
    address = urlsplit(_line_url(simulator))
    headers = "".join(f"{name}: {value}\r\n" for name, value in connectwise_headers().items())
    received = b""
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=5) as connection:
        connection.sendall(f"GET {address.path} HTTP/1.1\r\nHost: sim\r\n{headers}\r\n".encode())
        while chunk := connection.recv(65_536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return head.decode("latin-1"), body
