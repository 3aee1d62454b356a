"""The fault board, and every fault of transport and body, seen from the other end of a real socket."""

import gzip
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from local.simulators import ConnectWiseSimulator, MimecastSimulator, World, demo_world, running
from local.simulators.credentials import connectwise_headers
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


def test_every_kind_is_exercised_by_a_test() -> None:
    here = Path(__file__)
    beside = ("test_simulators_vendor_faults.py", "test_simulators_halopsa.py", "test_simulators_microsoft365.py")
    text = here.read_text() + "".join(here.with_name(name).read_text() for name in beside)
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
