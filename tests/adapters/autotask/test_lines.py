"""Lines of Autotask: a contract service and its units by period, joined to what bills on a day."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tests.adapters.autotask.connected import (
    AWARENESS,
    EMAIL,
    HARBOR,
    LINE,
    MANAGED,
    REFERENCE,
    UNITS,
    connected,
    read_all,
    write,
)
from tests.contracts.psa_subjects import Scene, a_line
from trueup.adapters.autotask.lines import GAP_REASON, NO_UNITS_REASON
from trueup.domain.billing import QuantityStep, WriteOutcome
from trueup.domain.errors import ReplyUnreadable, SchemaUnknown


def units_row(
    start: str, end: str, units: int, *, row_id: int = 1, posted: str | None = None, **other: object
) -> dict[str, object]:
    row = {
        "id": row_id,
        "contractID": 1201,
        "contractServiceID": 88431,
        "serviceID": 560,
        "startDate": f"{start}T00:00:00",
        "endDate": f"{end}T00:00:00",
        "units": units,
        "approveAndPostDate": posted,
    }
    return {**row, **other}


def result(*items: object) -> str:
    return json.dumps({"items": items, "pageDetails": {"count": len(items), "nextPageUrl": None}})


def test_a_line_bills_what_its_units_are_from_the_next_month_on() -> None:
    with connected() as site:
        before = site.psa.read_line(REFERENCE).line
        site.simulator.units.adjust(site.world.additions[88431], date(2026, 9, 15), 2)
        site.simulator.units.adjust(site.world.additions[88431], date(2026, 11, 1), -4)
        after = site.psa.read_line(REFERENCE).line
    assert (before.quantity, before.steps) == (Decimal(12), ())
    assert after.quantity == 14
    assert after.steps == (
        QuantityStep(date(2026, 9, 1), Decimal(12)),
        QuantityStep(date(2026, 9, 15), Decimal(14)),
        QuantityStep(date(2026, 11, 1), Decimal(10)),
    )
    assert after.version != before.version


def test_the_first_of_the_next_month_is_that_of_the_msp() -> None:
    """At half past eleven in the evening of 31 August UTC it is September in London."""
    with connected(start=datetime(2026, 8, 31, 23, 30, tzinfo=UTC)) as site:
        assert "2026-10-01" in site.psa.read_line(REFERENCE).line.version
    with connected(start=datetime(2026, 8, 31, 22, 30, tzinfo=UTC)) as site:
        assert "2026-09-01" in site.psa.read_line(REFERENCE).line.version


def test_ended_and_future_lines_say_when() -> None:
    ended = a_line(88432, MANAGED, AWARENESS, "11", effective_to=date(2025, 3, 31))
    future = a_line(88433, MANAGED, AWARENESS, "99", effective_from=date(2099, 1, 1))
    ending = a_line(88434, MANAGED, AWARENESS, "5", effective_to=date(2026, 9, 20))
    scene = Scene((HARBOR,), (MANAGED,), (LINE, ended, future, ending), (EMAIL, AWARENESS))
    with connected(scene) as site:
        lines = {line.id: line for line in read_all(site.psa).lines}
    today = date(2026, 9, 1)
    assert (lines[ended.id].quantity, lines[ended.id].effective_to) == (11, date(2025, 3, 31))
    assert (lines[future.id].quantity, lines[future.id].effective_from) == (99, date(2099, 1, 1))
    assert (lines[ending.id].quantity, lines[ending.id].effective_to) == (5, date(2026, 9, 20))
    assert [line.is_live(today) for line in lines.values()] == [True, False, False, True]
    assert lines[future.id].is_future(today)


def test_a_service_without_any_units_bills_nothing_and_is_not_written() -> None:
    with connected() as site:
        site.simulator.faults.add("raw", path=UNITS, times=0, body=result())
        line = site.psa.read_line(REFERENCE).line
        assert not line.is_live(date(2026, 9, 1))
        assert not line.is_future(date(2026, 9, 1))
        assert line.not_writable_reason == NO_UNITS_REASON


def test_a_gap_in_the_units_is_not_written_into() -> None:
    rows = result(units_row("2026-09-01", "2026-09-30", 12), units_row("2026-11-01", "2026-11-30", 12, row_id=2))
    with connected() as site:
        site.simulator.faults.add("raw", path=UNITS, times=0, body=rows)
        line = site.psa.read_line(REFERENCE).line
        assert line.effective_to == date(2026, 10, 1)
        assert str(line.not_writable_reason).startswith(GAP_REASON)
        assert write(site, version=line.version).outcome is WriteOutcome.REJECTED
        assert site.world.writes == []


@pytest.mark.parametrize(
    "rows",
    [
        (units_row("2026-09-01", "2026-10-01", 12), units_row("2026-10-01", "2026-10-31", 13, row_id=2)),
        (units_row("2026-09-30", "2026-09-01", 12),),
        (units_row("2026-09-01", "2026-09-30", 12, contractID=9),),
    ],
    ids=["two numbers for a day", "ends before it begins", "of another contract"],
)
def test_units_that_contradict_themselves_are_not_read(rows: tuple[object, ...]) -> None:
    with connected() as site:
        site.simulator.faults.add("raw", path=UNITS, times=0, body=result(*rows))
        with pytest.raises(ReplyUnreadable):
            site.psa.read_line(REFERENCE)


@pytest.mark.parametrize(
    ("entity", "field"),
    [
        ("Companies", "companyName"),
        ("Contracts", "companyID"),
        ("ContractServices", "serviceID"),
        ("ContractServiceUnits", "startDate"),
        ("Services", "name"),
    ],
)
def test_a_required_field_that_is_missing_is_named(entity: str, field: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=f"/{entity}/query", times=0, field=field, remove=True)
        with pytest.raises(SchemaUnknown, match=field):
            read_all(site.psa)


@pytest.mark.parametrize("raw", ["1.5", "1e400", '"12"', "true", "null", "1e30"])
def test_units_that_are_no_number_are_refused_and_a_fraction_is_kept(raw: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=UNITS, times=0, field="units", raw=raw)
        if raw == "1.5":
            assert site.psa.read_line(REFERENCE).line.quantity == Decimal("1.5")
            return
        with pytest.raises(ReplyUnreadable):
            site.psa.read_line(REFERENCE)


@pytest.mark.parametrize(("price", "billable"), [("0", False), ("0.00", False), ("0.01", True), ("null", True)])
def test_a_service_whose_price_is_nothing_is_not_billed(price: str, billable: bool) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path="/ContractServices/query", times=0, field="unitPrice", raw=price)
        assert site.psa.read_line(REFERENCE).line.billable is billable
