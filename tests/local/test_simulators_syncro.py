"""The simulated Syncro: shapes as published, what its world cannot say, writes and limits."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.simulators import demo_world, running
from local.simulators.credentials import syncro_headers
from local.simulators.syncro import ROUTES, SyncroSimulator

SPECIFICATION = Path(__file__).resolve().parents[3] / "shared" / "specs" / "syncro-swagger-v1-2026-04.json"
published = pytest.mark.skipif(
    not SPECIFICATION.exists(), reason="the published Syncro description is not beside the project"
)


@pytest.fixture
def psa() -> Iterator[SyncroSimulator]:
    with running(SyncroSimulator(demo_world())) as simulator:
        yield simulator


def call(psa: SyncroSimulator, method: str, path: str, body: object = None, **query: str) -> requests.Response:
    url = f"{psa.url}/api/v1{path}"
    return requests.request(method, url, params=query, json=body, headers=syncro_headers(), timeout=5)


def get(psa: SyncroSimulator, path: str, **query: str) -> Any:
    reply = call(psa, "GET", path, **query)
    assert reply.status_code == 200
    return reply.json()


def schedule_of(psa: SyncroSimulator, story: str) -> dict[str, Any]:
    customer_id = str(psa.world.story(story)[0].company_id)
    (schedule,) = get(psa, "/schedules", customer_id=customer_id)["schedules"]
    found: dict[str, Any] = schedule
    return found


def email_lines(schedule: dict[str, Any]) -> list[dict[str, Any]]:
    return [line for line in schedule["lines"] if line["name"] == "MIME-EMAIL-S1"]


def samples() -> dict[str, Any]:
    """Every published sample of the routes served, by method and path."""
    paths = json.loads(SPECIFICATION.read_text(encoding="utf-8"))["paths"]
    return {
        f"{method} {path.replace('schedule_line_item_id', 'id')}": one["responses"]["200"]["content"][
            "application/json"
        ]["example"]
        for path, methods in paths.items()
        for method, one in methods.items()
        if "example" in one["responses"].get("200", {}).get("content", {}).get("application/json", {})
    }


def check(value: Any, sample: Any, where: str = "") -> None:
    """The same keys and kinds as in the sample; a null or an empty list on either side says nothing of the kind."""
    if value is None or sample is None:
        return
    if isinstance(sample, dict):
        assert isinstance(value, dict), where
        if sample:
            assert set(value) == set(sample), where
        for name in sample:
            check(value[name], sample[name], f"{where}.{name}")
    elif isinstance(sample, list):
        assert isinstance(value, list), where
        for one in value if sample else []:
            check(one, sample[0], f"{where}[]")
    elif isinstance(sample, int | float) and not isinstance(sample, bool):
        assert isinstance(value, int | float), where
        assert not isinstance(value, bool), where
    else:
        assert type(value) is type(sample), where


@published
def test_every_route_is_a_published_one() -> None:
    served = {f"{method.lower()} {path}" for path, handlers in ROUTES.items() for method in handlers}
    assert served <= set(samples())


@published
@pytest.mark.parametrize(
    "path", ["/me", "/customers", "/customers/250", "/schedules", "/schedules/1201", "/products", "/products/560"]
)
def test_replies_have_the_keys_and_kinds_of_the_published_samples(psa: SyncroSimulator, path: str) -> None:
    template = "/".join("{id}" if part.isdecimal() else part for part in path.split("/"))
    found, sample = get(psa, path), samples()[f"get {template}"]
    if template in ("/schedules", "/products"):
        # The samples of these lists leave the page metadata out, which was seen with them all the same.
        found.pop("meta")
    check(found, sample)


@published
def test_lines_have_the_keys_and_kinds_of_the_published_line(psa: SyncroSimulator) -> None:
    sample = samples()["put /schedules/{id}/line_items/{id}"]
    schedule = get(psa, "/schedules/1201")["schedule"]
    for line in schedule["lines"]:
        check({"schedule_line_item": line}, sample)
    line_id = schedule["lines"][0]["id"]
    reply = call(psa, "PUT", f"/schedules/1201/line_items/{line_id}", {"quantity": 47})
    assert reply.status_code == 200
    check(reply.json(), sample)
    assert reply.json()["schedule_line_item"]["quantity"] == "47.0"


@published
def test_the_check_itself_finds_a_wrong_kind_and_a_wrong_name() -> None:
    sample = samples()["put /schedules/{id}/line_items/{id}"]
    good = sample["schedule_line_item"]
    for wrong in ({"quantity": 47}, {"nonsense": 1}, {"taxable": 1}):
        with pytest.raises(AssertionError):
            check({"schedule_line_item": good | wrong}, sample)


def test_a_wrong_key_gets_nothing(psa: SyncroSimulator) -> None:
    reply = requests.get(f"{psa.url}/api/v1/me", headers={"Authorization": "Bearer wrong"}, timeout=5)
    assert (reply.status_code, reply.json()) == (401, {"error": "Not authorized"})


def test_pages_hold_25_rows_and_tell_how_many_there_are(psa: SyncroSimulator) -> None:
    first, last = get(psa, "/customers"), get(psa, "/customers", page="3")
    assert len(first["customers"]) == 25
    assert first["meta"] == last["meta"] | {"page": 1}
    assert get(psa, "/customers", page="9")["customers"] == []
    shown = first["meta"]["total_entries"]
    assert get(psa, "/customers", include_disabled="true")["meta"]["total_entries"] == shown + 1


def test_what_syncro_cannot_say_is_said_as_it_would_be(psa: SyncroSimulator) -> None:
    assert [line["price_retail"] for line in email_lines(schedule_of(psa, "do_not_bill"))] == [0.0]
    assert schedule_of(psa, "inactive_agreement")["paused"]
    assert len(email_lines(schedule_of(psa, "cancelled_and_future"))) == 1
    assert len(email_lines(schedule_of(psa, "two_live_lines"))) == 2


@pytest.mark.parametrize("status", ["Cancelled", "Expired"])
def test_a_schedule_that_is_over_is_gone(psa: SyncroSimulator, status: str) -> None:
    psa.world.edit_agreement(1201, status=status)
    assert call(psa, "GET", "/schedules/1201").status_code == 404
    assert call(psa, "PUT", "/schedules/1201/line_items/88432", {"quantity": 1}).status_code == 404


def test_a_write_is_kept_and_recorded(psa: SyncroSimulator) -> None:
    line = email_lines(schedule_of(psa, "small_increase"))[0]
    path = f"/schedules/{line['schedule_id']}/line_items/{line['id']}"
    assert call(psa, "PUT", path, {"quantity": 2}).status_code == 200
    (record,) = psa.world.writes
    assert (record.committed, record.line_id, record.before, record.after) == (True, line["id"], 1.0, 2.0)
    psa.faults.add("drop_after_commit", method="PUT")
    with pytest.raises(requests.exceptions.ConnectionError):
        call(psa, "PUT", path, {"quantity": 3})
    assert (psa.world.writes[1].status, psa.world.writes[1].committed) == (0, True)
    assert psa.world.additions[line["id"]].quantity == 3.0


@pytest.mark.parametrize(
    ("body", "status"),
    [({"name": " "}, 422), ({"quantity": "many"}, 422), ({"quantity": True}, 422), ({"quantity": -1}, 422), ([], 400)],
)
def test_a_write_that_makes_no_sense_is_refused(psa: SyncroSimulator, body: object, status: int) -> None:
    reply = call(psa, "PUT", "/schedules/1201/line_items/88432", body)
    assert reply.status_code == status
    assert reply.json()["error"]
    assert not psa.world.writes[0].committed


def test_a_counted_line_keeps_its_count_whatever_is_sent(psa: SyncroSimulator) -> None:
    psa.world.catalog[560].serialized = True
    line = email_lines(schedule_of(psa, "small_increase"))[0]
    assert line["recurring_type_id"] is not None
    reply = call(psa, "PUT", f"/schedules/{line['schedule_id']}/line_items/{line['id']}", {"quantity": 9})
    assert (reply.status_code, reply.json()["schedule_line_item"]["quantity"]) == (200, "1.0")


def test_flags_that_are_not_named_may_be_reset(psa: SyncroSimulator) -> None:
    line = email_lines(schedule_of(psa, "small_increase"))[0]
    path = f"/schedules/{line['schedule_id']}/line_items/{line['id']}"
    assert not call(psa, "PUT", path, {"taxable": False}).json()["schedule_line_item"]["taxable"]
    assert not call(psa, "PUT", path, {"quantity": 2}).json()["schedule_line_item"]["taxable"]
    psa.resets_flags = True
    assert call(psa, "PUT", path, {"quantity": 2}).json()["schedule_line_item"]["taxable"]


def test_the_limit_answers_429_until_the_minute_is_over(psa: SyncroSimulator) -> None:
    now = [50.0]
    psa.monotonic = lambda: now[0]
    psa.limit_per_minute = 3
    assert [call(psa, "GET", "/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    now[0] += 60
    assert call(psa, "GET", "/me").status_code == 200


def test_products_are_found_by_text_name_and_sku(psa: SyncroSimulator) -> None:
    def ids(**query: str) -> list[int]:
        return [row["id"] for row in get(psa, "/products", **query)["products"]]

    assert ids(query="mime-email") == [560, 563]
    assert ids(name="MIME-EMAIL-S1") == ids(sku="MC-S1") == [560]
    assert call(psa, "GET", "/products/1").status_code == 404
