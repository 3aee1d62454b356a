"""The control routes over HTTP, the request log, and what becomes of a bug inside a simulator."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import requests

from local.simulators import ConnectWiseSimulator, MimecastSimulator, World, demo_world, running
from local.simulators.credentials import connectwise_headers

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
    psa.latency_seconds = 0.5
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
