"""Contracts of Autotask whose periods are not the months of the calendar."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from local.simulators.autotask_periods import QUARTERLY, SEMI_ANNUAL, YEARLY, set_period_type
from tests.adapters.autotask.connected import (
    EMAIL,
    HARBOR,
    LINE,
    REFERENCE,
    UNITS,
    Connected,
    connected,
    read_all,
    write,
)
from tests.contracts.psa_subjects import Scene, an_agreement
from trueup.adapters.autotask.wire import ContractWire, ContractWords, FieldWire, parse, parse_list
from trueup.domain.billing import Agreement, WriteOutcome

TODAY = date(2026, 9, 1)
FROM_THE_15TH = Scene((HARBOR,), (replace(an_agreement(1201, HARBOR), starts_on=date(2024, 1, 15)),), (LINE,), (EMAIL,))
CONTRACT = {
    "id": 1201,
    "companyID": 250,
    "contractName": "Managed",
    "contractType": 7,
    "status": 1,
    "startDate": "2024-01-15T00:00:00",
    "endDate": None,
}


def words(*choices: tuple[object, str]) -> ContractWords:
    """The picklist of kinds of periods, and nothing else."""
    field = {
        "name": "contractPeriodType",
        "picklistValues": [{"value": value, "label": label} for value, label in choices],
    }
    return ContractWords.of(parse_list(FieldWire, [field], source="fields"))


def contract_of(period_type: object, told: ContractWords, **other: object) -> Agreement:
    record = {**CONTRACT, "contractPeriodType": period_type, **other}
    return parse(ContractWire, record, source="contracts").agreement(told, TODAY)


@pytest.mark.parametrize(
    ("value", "label", "begins"),
    [
        (1, "Monthly", date(2026, 9, 15)),
        ("1", "monthly ", date(2026, 9, 15)),
        ("m", "Monthly", date(2026, 9, 15)),
        (2, "Quarterly", date(2026, 10, 15)),
        ("q", "Quarterly", date(2026, 10, 15)),
        (3, "Semi-Annual", date(2027, 1, 15)),
        ("y", "Yearly", date(2027, 1, 15)),
        (5, "Every full moon", None),
    ],
)
def test_the_next_period_is_worked_out_from_what_the_picklist_calls_the_kind(
    value: object, label: str, begins: date | None
) -> None:
    assert contract_of(value, words((str(value), label))).next_period_on == begins


@pytest.mark.parametrize("value", [None, 2, "q", "", "1.5"])
def test_a_kind_that_the_picklist_does_not_tell_says_nothing(value: object) -> None:
    assert contract_of(value, words(("1", "Monthly"))).next_period_on is None
    assert contract_of(value, ContractWords()).next_period_on is None


def test_a_contract_without_a_first_day_says_nothing() -> None:
    assert contract_of(1, words(("1", "Monthly")), startDate=None).next_period_on is None


def adjusted(site: Connected, change: int, on: date) -> None:
    site.simulator.units.adjust(site.world.additions[88431], on, change)


@pytest.mark.parametrize(
    ("kind", "begins"),
    [(None, "2026-09-15"), (QUARTERLY, "2026-10-15"), (SEMI_ANNUAL, "2027-01-15"), (YEARLY, "2027-01-15")],
)
def test_a_line_is_read_as_it_bills_in_the_contracts_own_next_period_and_written_from_then(
    kind: int | None, begins: str
) -> None:
    day = date.fromisoformat(begins)
    with connected(FROM_THE_15TH) as site:
        if kind is not None:
            set_period_type(site.world, 1201, kind)
        adjusted(site, 2, day)
        (agreement,), (line,) = (lambda whole: (whole.agreements, whole.lines))(read_all(site.psa))
        assert agreement.next_period_on == day
        assert (line.quantity, line.version.split("|")[1]) == (Decimal(14), begins)
        assert site.psa.read_line(REFERENCE).line == line
        result = write(site, 20, expected="14", effective=day)
        assert result.outcome is WriteOutcome.APPLIED
        eve = date.fromordinal(day.toordinal() - 1)
        assert (site.units(eve), site.units(day), site.adjustments()) == (12, 20, 1)


def test_the_first_of_a_month_is_refused_in_such_a_contract() -> None:
    with connected(FROM_THE_15TH) as site:
        result = write(site, 15, effective=date(2026, 10, 1))
        assert (result.outcome, site.adjustments()) == (WriteOutcome.REJECTED, 0)
        assert "name 2026-10-15" in result.reason


def test_where_the_periods_are_other_than_worked_out_nothing_is_sent() -> None:
    """What is taken for the next period may be wrong, and would be billed pro rata then."""
    with connected(FROM_THE_15TH) as site:
        rows = [
            {
                "id": at,
                "contractID": 1201,
                "contractServiceID": 88431,
                "startDate": f"{begins}T00:00:00",
                "endDate": f"{ends}T00:00:00",
                "units": 12,
            }
            for at, (begins, ends) in enumerate([("2026-08-16", "2026-09-15"), ("2026-09-16", "2026-10-15")], start=1)
        ]
        body = json.dumps({"items": rows, "pageDetails": {"nextPageUrl": None}})
        site.simulator.faults.add("raw", path=UNITS, times=0, body=body)
        result = write(site, 15, effective=date(2026, 9, 15))
        assert (result.outcome, site.world.writes) == (WriteOutcome.REJECTED, [])
        assert "name 2026-09-16" in result.reason
