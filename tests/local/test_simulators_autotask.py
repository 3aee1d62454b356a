"""The simulated Autotask: that it behaves as documented, forgets nothing, and offers the published paths only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from local.simulators.autotask import AutotaskSimulator
from local.simulators.autotask_filters import FilterError, parse_filter
from local.simulators.autotask_periods import QUARTERLY, Periods, set_period_type
from local.simulators.autotask_routes import ROUTES, canonical
from local.simulators.autotask_units import POSTED_MESSAGE, UnitLedger
from local.simulators.credentials import AUTOTASK_USER_NAME, autotask_headers
from local.simulators.demo_world import demo_world
from local.simulators.server import running
from local.simulators.world import World, WriteRecord

SPECS = Path(__file__).resolve().parents[3] / "shared" / "specs"
PATHS = SPECS / "autotask-v1.0-paths-2021.txt"
EVERYTHING = [{"op": "exist", "field": "id"}]
TODAY = datetime(2026, 9, 10, 12, tzinfo=UTC)


class Site:
    """A running simulator and plain calls to it."""

    def __init__(self, simulator: AutotaskSimulator) -> None:
        self.simulator = simulator
        self.today = TODAY
        simulator.world.clock = lambda: self.today
        self.line = next(iter(simulator.world.additions.values()))

    def call(self, method: str, path: str, *, body: object = None, headers: Any = None) -> requests.Response:
        return requests.request(
            method,
            f"{self.simulator.url}/ATServicesRest/V1.0{path}",
            json=body,
            headers=autotask_headers() if headers is None else headers,
            timeout=5,
        )

    def query(self, entity: str, *conditions: object, **more: object) -> list[dict[str, Any]]:
        reply = self.call("POST", f"/{entity}/query", body={"filter": list(conditions) or EVERYTHING, **more})
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["items"]
        return found

    def rows(self) -> list[tuple[str, str, int, bool]]:
        found = self.query("ContractServiceUnits", {"op": "eq", "field": "contractServiceID", "value": self.line.id})
        return [
            (row["startDate"][:10], row["endDate"][:10], row["units"], row["approveAndPostDate"] is not None)
            for row in found
            if row["endDate"] >= "2026-08"
        ]

    def adjust(self, change: int, on: str = "2026-10-01", **other: object) -> requests.Response:
        body = {
            "contractID": self.line.agreement_id,
            "contractServiceID": self.line.id,
            "effectiveDate": f"{on}T00:00:00",
            "unitChange": change,
        }
        return self.call("POST", "/ContractServiceAdjustments", body={**body, **other})


@contextmanager
def site(world: World | None = None) -> Iterator[Site]:
    with running(AutotaskSimulator(world or demo_world())) as simulator:
        yield Site(simulator)


@pytest.fixture
def autotask() -> Iterator[Site]:
    with site() as opened:
        opened.simulator.world.edit_addition(opened.line.id, quantity=42)
        opened.simulator.units.roll()
        yield opened


# Getting in.


def test_zone_information_needs_no_secret_and_does_not_know_every_user(autotask: Site) -> None:
    known = autotask.call("GET", f"/zoneInformation?user={AUTOTASK_USER_NAME}", headers={})
    assert known.json()["url"] == f"{autotask.simulator.url}/ATServicesRest/"
    unknown = autotask.call("GET", "/zoneInformation?user=nobody", headers={})
    assert (unknown.status_code, list(unknown.json())) == (500, ["errors"])


@pytest.mark.parametrize("name", ["ApiIntegrationCode", "UserName", "Secret"])
def test_each_of_the_three_headers_is_needed(autotask: Site, name: str) -> None:
    headers = {key: value for key, value in autotask_headers().items() if key != name}
    assert autotask.call("GET", "/ThresholdInformation", headers=headers).status_code == 401
    assert autotask.call("GET", "/ThresholdInformation", headers={**headers, name: "x"}).status_code == 401


def test_paths_do_not_mind_the_case(autotask: Site) -> None:
    url = f"{autotask.simulator.url}/atservicesrest/v1.0/companies/QUERY"
    reply = requests.post(url, json={"filter": EVERYTHING}, headers=autotask_headers(), timeout=5)
    assert reply.status_code == 200
    assert canonical("/contractserviceunits/query/count") == "/ContractServiceUnits/query/count"


def test_the_threshold_counts_calls_of_the_hour_by_everybody(autotask: Site) -> None:
    now = [0.0]
    autotask.simulator.monotonic = lambda: now[0]
    autotask.simulator.other_calls = 100
    assert autotask.call("GET", "/ThresholdInformation").json() == {
        "externalRequestThreshold": 10_000,
        "requestThresholdTimeframe": 60,
        "currentTimeframeRequestCount": 101,
    }
    assert autotask.call("GET", "/ThresholdInformation").json()["currentTimeframeRequestCount"] == 102
    now[0] = 3_601.0
    assert autotask.call("GET", "/ThresholdInformation").json()["currentTimeframeRequestCount"] == 101


def test_at_the_end_of_the_threshold_nothing_is_answered_any_more(autotask: Site) -> None:
    autotask.simulator.other_calls = 10_000
    assert autotask.call("GET", "/ThresholdInformation").status_code == 429


def test_the_fourth_call_at_once_for_one_kind_of_record_is_refused() -> None:
    with running(AutotaskSimulator(demo_world(), latency_seconds=0.3)) as simulator:
        opened = Site(simulator)
        with ThreadPoolExecutor(max_workers=6) as pool:
            paths = ["/Companies/query"] * 5 + ["/Contracts/query"]
            replies = list(pool.map(lambda path: opened.call("POST", path, body={"filter": EVERYTHING}), paths))
        assert sorted(reply.status_code for reply in replies[:5])[-1] == 429
        assert replies[5].status_code == 200


# Queries.


def test_a_page_names_the_next_one_for_the_same_verb_and_body(autotask: Site) -> None:
    body = {"MaxRecords": 20, "IncludeFields": ["id", "companyName"], "filter": EVERYTHING}
    first = autotask.call("POST", "/Companies/query", body=body).json()
    assert (first["pageDetails"]["count"], first["pageDetails"]["requestCount"]) == (20, 20)
    assert set(first["items"][0]) == {"id", "companyName"}
    seen, url = [row["id"] for row in first["items"]], first["pageDetails"]["nextPageUrl"]
    while url:
        page = requests.post(url, json=body, headers=autotask_headers(), timeout=5).json()
        seen += [row["id"] for row in page["items"]]
        url = page["pageDetails"]["nextPageUrl"]
    assert seen == sorted(autotask.simulator.world.companies)
    count = autotask.call("POST", "/Companies/query/count", body={"filter": EVERYTHING}).json()
    assert count == {"queryCount": len(seen)}


def test_a_query_may_be_a_get(autotask: Site) -> None:
    search = json.dumps({"filter": [{"op": "eq", "field": "id", "value": 250}]})
    reply = autotask.call("GET", f"/Companies/query?search={requests.utils.quote(search)}")
    assert [row["id"] for row in reply.json()["items"]] == [250]
    assert autotask.call("GET", "/Companies/250").json()["item"]["id"] == 250
    assert autotask.call("GET", "/Companies/9").json() == {"item": None}


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"filter": []},
        {"filter": "x"},
        {"filter": [{"op": "like", "field": "id", "value": 1}]},
        {"filter": [{"op": "eq", "field": "nonsense", "value": 1}]},
        {"filter": [{"op": "gt", "field": "id", "value": "x"}]},
        {"filter": [{"op": "in", "field": "id", "value": list(range(501))}]},
        {"filter": EVERYTHING, "MaxRecords": 501},
        {"filter": EVERYTHING, "MaxRecords": 0},
    ],
)
def test_a_query_that_is_none_is_a_500_that_says_why(autotask: Site, body: object) -> None:
    reply = autotask.call("POST", "/Companies/query", body=body)
    assert reply.status_code == 500
    assert reply.json()["errors"][0]


RECORD = {"id": 5, "name": "Mimecast", "gone": None, "on": "2026-10-01T00:00:00"}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"op": "eq", "field": "ID", "value": 5}, True),
        ({"op": "noteq", "field": "id", "value": 5}, False),
        ({"op": "gt", "field": "id", "value": 4}, True),
        ({"op": "gte", "field": "on", "value": "2026-10-01T00:00:00"}, True),
        ({"op": "lt", "field": "on", "value": "2026-10-01T00:00:00"}, False),
        ({"op": "lte", "field": "id", "value": 5}, True),
        ({"op": "contains", "field": "name", "value": "MECA"}, True),
        ({"op": "beginsWith", "field": "name", "value": "mime"}, True),
        ({"op": "endsWith", "field": "name", "value": "mime"}, False),
        ({"op": "exist", "field": "gone"}, False),
        ({"op": "notExist", "field": "gone"}, True),
        ({"op": "in", "field": "id", "value": [1, 5]}, True),
        ({"op": "notIn", "field": "id", "value": [1, 5]}, False),
        ({"op": "gt", "field": "gone", "value": 1}, False),
        (
            {"op": "or", "items": [{"op": "eq", "field": "id", "value": 1}, {"op": "eq", "field": "id", "value": 5}]},
            True,
        ),
        (
            {"op": "and", "items": [{"op": "eq", "field": "id", "value": 5}, {"op": "exist", "field": "gone"}]},
            False,
        ),
    ],
)
def test_conditions_mean_what_is_documented(condition: object, holds: bool) -> None:
    assert parse_filter([condition])(RECORD) is holds


def test_groups_that_are_nested_without_end_are_refused() -> None:
    condition: Any = {"op": "eq", "field": "id", "value": 1}
    for _ in range(30):
        condition = {"op": "and", "items": [condition]}
    with pytest.raises(FilterError):
        parse_filter([condition])


def test_a_user_who_may_not_see_a_kind_of_record_gets_an_empty_list(autotask: Site) -> None:
    autotask.simulator.restricted = frozenset({"Contracts"})
    assert autotask.query("Contracts") == []
    access = autotask.call("GET", "/Contracts/entityInformation").json()["info"]
    assert (access["canQuery"], access["userAccessForQuery"]) == (True, "None")


# Units.


def test_units_come_in_a_row_for_each_month(autotask: Site) -> None:
    assert autotask.rows() == [
        ("2026-08-01", "2026-08-31", autotask.rows()[0][2], True),
        ("2026-09-01", "2026-09-30", 42, False),
        ("2026-10-01", "2026-10-31", 42, False),
        ("2026-11-01", "2026-11-30", 42, False),
        ("2026-12-01", "2026-12-31", 42, False),
    ]


def test_periods_begin_when_the_contract_did() -> None:
    with site() as autotask:
        contract, units = autotask.line.agreement_id, int(autotask.line.quantity)
        autotask.simulator.world.edit_agreement(contract, start_date="2024-01-15T00:00:00Z")
        assert [(row[0], row[1], row[3]) for row in autotask.rows()][:3] == [
            ("2026-07-15", "2026-08-14", True),
            ("2026-08-15", "2026-09-14", False),
            ("2026-09-15", "2026-10-14", False),
        ]
        set_period_type(autotask.simulator.world, contract, QUARTERLY)
        assert [(row[0], row[1], row[3]) for row in autotask.rows()] == [
            ("2026-07-15", "2026-10-14", False),
            ("2026-10-15", "2027-01-14", False),
        ]
        (record,) = autotask.query("Contracts", {"op": "eq", "field": "id", "value": contract})
        assert (record["startDate"], record["contractPeriodType"]) == ("2024-01-15T00:00:00", QUARTERLY)
        autotask.adjust(5, "2026-10-15")
        assert [row[2] for row in autotask.rows()] == [units, units + 5]
        with pytest.raises(KeyError):
            set_period_type(autotask.simulator.world, contract, 9)


def test_a_day_that_a_month_lacks_is_its_last() -> None:
    periods = Periods(date(2024, 1, 31), 1)
    assert [periods.start_of(day) for day in (date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 31))] == [
        date(2026, 1, 31),
        date(2026, 2, 28),
        date(2026, 3, 31),
    ]
    assert periods.end_of(date(2026, 2, 28)) == date(2026, 3, 30)
    assert periods.start_of(date(2020, 5, 5)) == date(2024, 1, 31)


def test_an_adjustment_moves_its_day_and_all_later_ones_and_splits_a_period(autotask: Site) -> None:
    assert autotask.adjust(5, "2026-10-12").json() == {"itemId": 70_001}
    assert [(row[0], row[2]) for row in autotask.rows()[1:]] == [
        ("2026-09-01", 42),
        ("2026-10-01", 42),
        ("2026-10-12", 47),
        ("2026-11-01", 47),
        ("2026-12-01", 47),
    ]


def test_the_same_adjustment_sent_twice_counts_twice(autotask: Site) -> None:
    for _ in range(2):
        assert autotask.adjust(5).status_code == 200
    assert autotask.rows()[2][2] == 52
    writes = [write for write in autotask.simulator.world.writes if write.committed]
    assert [(write.line_id, write.before, write.after) for write in writes] == [
        (autotask.line.id, 42.0, 47.0),
        (autotask.line.id, 47.0, 52.0),
    ]


def test_the_child_path_of_a_contract_adjusts_as_well(autotask: Site) -> None:
    path = f"/Contracts/{autotask.line.agreement_id}/ServiceAdjustments"
    body = {"contractServiceID": autotask.line.id, "effectiveDate": "2026-10-01", "unitChange": -2}
    assert autotask.call("POST", path, body=body).status_code == 200
    assert autotask.rows()[2][2] == 40


def test_the_quantity_of_the_shared_world_becomes_that_of_the_day_when_it_comes(autotask: Site) -> None:
    autotask.adjust(5)
    assert autotask.line.quantity == 42
    autotask.today = datetime(2026, 10, 1, tzinfo=UTC)
    rows = autotask.rows()
    assert autotask.line.quantity == 47
    assert [row[2] for row in rows if row[0] >= "2026-09-01"][:3] == [42, 47, 47]


def test_a_persons_edit_moves_this_period_and_all_later_ones(autotask: Site) -> None:
    before = autotask.rows()
    autotask.simulator.world.edit_addition(autotask.line.id, quantity=50)
    after = autotask.rows()
    assert after[0] == before[0]
    assert [row[2] for row in after[1:]] == [50, 50, 50, 50]


@pytest.mark.parametrize(
    ("change", "on", "says"),
    [
        (5, "2026-08-15", POSTED_MESSAGE),
        (-43, "2026-10-01", "negative"),
        (5, "2023-01-01", "dates of the contract"),
        (5, "2150-01-01", "dates of the contract"),
        (5, "2030-01-01", "no billing period"),
        (5, "never", "not a date"),
        (1.5, "2026-10-01", "whole number"),
        (True, "2026-10-01", "whole number"),
    ],
)
def test_what_cannot_be_adjusted_is_a_500_that_says_why(autotask: Site, change: Any, on: str, says: str) -> None:
    before = autotask.rows()
    reply = autotask.adjust(change, on)
    assert reply.status_code == 500
    assert says in reply.json()["errors"][0]
    assert autotask.rows() == before
    assert not [write for write in autotask.simulator.world.writes if write.committed]


def test_which_periods_are_posted_can_be_set(autotask: Site) -> None:
    autotask.simulator.posted_through = "2026-10-01"
    assert autotask.adjust(5).json() == {"errors": [POSTED_MESSAGE]}
    autotask.simulator.posted_through = ""
    assert autotask.adjust(5).status_code == 200


def test_a_service_that_the_contract_does_not_have_is_put_onto_it_without_a_word(autotask: Site) -> None:
    world = autotask.simulator.world
    unused = next(key for key in world.catalog if key not in {line.product_id for line in world.lines_of(1201)})
    before = len(world.lines_of(1201))
    body = {"contractID": 1201, "serviceID": unused, "effectiveDate": "2026-10-01", "unitChange": 4}
    assert autotask.call("POST", "/ContractServiceAdjustments", body=body).status_code == 200
    assert len(world.lines_of(1201)) == before + 1
    made = world.lines_of(1201)[-1]
    assert (made.product_id, made.quantity, made.effective_date[:10]) == (unused, 4.0, "2026-10-01")
    for wrong in ({"serviceID": 99_999}, {"contractServiceID": 1}, {}):
        reply = autotask.call(
            "POST",
            "/ContractServiceAdjustments",
            body={"contractID": 1201, "effectiveDate": "2026-10-01", "unitChange": 4, **wrong},
        )
        assert reply.status_code == 500


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "query", 404), ("POST", "query", 405), ("GET", "7", 404)]
)
def test_adjustments_cannot_be_queried(autotask: Site, method: str, path: str, status: int) -> None:
    reply = autotask.call(method, f"/ContractServiceAdjustments/{path}", body={"filter": EVERYTHING})
    assert reply.status_code == status


def test_what_the_shared_world_knows_and_autotask_cannot_say() -> None:
    with site() as opened:
        world = opened.simulator.world
        (free,) = world.story("do_not_bill")
        (asleep,) = world.story("inactive_agreement")
        contracts = {row["companyID"]: row for row in opened.query("Contracts")}
        services = opened.query("ContractServices")
        free_prices = [row["unitPrice"] for row in services if row["contractID"] == contracts[free.company_id]["id"]]
        assert 0.0 in free_prices
        assert contracts[asleep.company_id]["status"] == 0
        deleted = {company.id for company in world.companies.values() if company.deleted}
        assert {row["id"] for row in opened.query("Companies") if not row["isActive"]} == deleted


def test_a_line_that_ended_and_one_to_come_have_units_in_their_own_months_only() -> None:
    with site() as opened:
        (story,) = opened.simulator.world.story("cancelled_and_future")
        (contract,) = [row for row in opened.query("Contracts") if row["companyID"] == story.company_id]
        rows = opened.query("ContractServiceUnits", {"op": "eq", "field": "contractID", "value": contract["id"]})
        spans: dict[int, list[str]] = {}
        for row in rows:
            spans.setdefault(row["contractServiceID"], []).append(row["startDate"][:7])
        months = sorted((found[0], found[-1]) for found in spans.values())
    assert ("2024-01", "2025-03") in months
    assert ("2099-01", "2099-01") in months


# Keeping.


def test_a_restart_forgets_no_dated_change(tmp_path: Path) -> None:
    state = tmp_path / "world.json"
    world = demo_world()
    world.state_file = state
    with site(world) as opened:
        opened.simulator.world.edit_addition(opened.line.id, quantity=42)
        assert opened.adjust(5, "2026-10-12").status_code == 200
        before = opened.rows()
    with site(World.load(state)) as again:
        assert again.rows() == before
        again.today = datetime(2026, 10, 20, tzinfo=UTC)
        again.rows()
        assert again.simulator.world.additions[again.line.id].quantity == 47


def test_an_adjustment_and_its_record_are_kept_together_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    world = demo_world()
    world.clock = lambda: TODAY
    ledger, line = UnitLedger(world), next(iter(world.additions.values()))
    record = WriteRecord("", "POST", "/ContractServiceAdjustments", "")

    def fails() -> None:
        ledger.adjust(line, date(2026, 10, 1), -10_000)

    with pytest.raises(ValueError, match="negative"):
        world.commit(record, line.id, fails)
    assert world.writes == []
    assert ledger.units_on(line, date(2026, 10, 1)) == int(line.quantity)


def test_days_far_apart_roll_into_the_quantity_in_their_order() -> None:
    world = demo_world()
    days = [TODAY]
    world.clock = lambda: days[0]
    ledger, line = UnitLedger(world), next(iter(world.additions.values()))
    start = int(line.quantity)
    ledger.adjust(line, date(2026, 12, 1), 2)
    ledger.adjust(line, date(2026, 10, 1), 1)
    for weeks, expected in ((0, 0), (4, 1), (8, 1), (13, 3)):
        days[0] = TODAY + timedelta(weeks=weeks)
        ledger.roll()
        assert line.quantity == start + expected
        assert ledger.units_on(line, date(2026, 9, 10)) == start


# The published paths.


@pytest.mark.skipif(not PATHS.exists(), reason="the published list of Autotask's paths is not beside the project")
def test_every_route_is_a_published_one() -> None:
    published = {
        (found[1], found[2].casefold()) for found in re.finditer(r"\*\*([A-Z]+)\*\* /V1\.0(/\S*)", PATHS.read_text())
    }
    assert len(published) > 2_000
    entities = ["Companies", "Contracts", "ContractServices", "ContractServiceUnits", "Services", "CompanyWebhooks"]
    served = {
        (method, template.replace("{entity}", entity).casefold())
        for template, handlers in ROUTES.items()
        for method in handlers
        for entity in entities
        # What follows a page is given by its address alone, which no description lists.
        if not template.endswith("/next")
    }
    assert {(method, path.replace("{parentid}", "{id}")) for method, path in served} <= {
        (method, path.replace("{parentid}", "{id}")) for method, path in published
    }
    for extra in ("/zoneinformation", "/contractserviceadjustments/entityinformation"):
        assert ("GET", extra) in published


@pytest.mark.skipif(not PATHS.exists(), reason="the published list of Autotask's paths is not beside the project")
def test_no_query_of_adjustments_is_published() -> None:
    assert not re.search(r"/V1\.0/ContractServiceAdjustments/query", PATHS.read_text())


# The control routes.


def test_every_switch_can_be_turned_over_the_control_route(autotask: Site) -> None:
    url = f"{autotask.simulator.url}/_control/settings"
    changes = {
        "other_calls": 5_000,
        "restricted": ["Contracts"],
        "posted_through": "2026-10-01",
        "months_ahead": 1,
        "locked_out": False,
        "zone_url": "https://webservices5.autotask.net/ATServicesRest/",
    }
    told = requests.post(url, json=changes, timeout=5).json()
    assert {name: told[name] for name in changes} == changes
    assert set(told) == set(autotask.simulator.settable)
    assert requests.post(url, json={"posted_through": "never"}, timeout=5).status_code == 400
    assert autotask.query("Contracts") == []
    assert len(autotask.rows()) == 3
    log = requests.get(f"{autotask.simulator.url}/_control/requests", timeout=5).text
    assert autotask_headers()["Secret"] not in log
