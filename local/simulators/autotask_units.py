"""The units of contract services by billing period, and what an adjustment does to them.

An addition's quantity in the shared world is the units of today. Changes of other days are kept in the world's
`vendor_state["autotask"]`: those to come wait there until their day, those that have come are kept so that earlier
periods still say what they said. An adjustment is a difference: it moves every row from its day on, and asking twice
moves them twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from local.simulators.autotask_periods import Periods
from local.simulators.autotask_records import FAR_END, price_of
from local.simulators.world import PsaAddition, World

STATE = "autotask"
MONTHS_BEFORE = 1
_DAY_ZERO = date(2000, 1, 1)
_IDS_PER_LINE = 40_000
POSTED_MESSAGE = (
    "Unable to make changes as it would result in the deletion/modification of an already approved and posted "
    "contract period."
)


class AdjustmentError(ValueError):
    """The adjustment is refused; the text is what the vendor says."""


@dataclass(frozen=True, slots=True)
class Row:
    """The units of one contract service in one period, or in the part of it from where an adjustment took effect."""

    line: PsaAddition
    starts_on: date
    ends_on: date
    units: int
    posted: bool
    period_days: int

    @property
    def id(self) -> int:
        return self.line.id * _IDS_PER_LINE + (self.starts_on - _DAY_ZERO).days

    def record(self) -> dict[str, Any]:
        """As `ContractServiceUnits` tells it; the price is that of all units for the days of the row."""
        share = ((self.ends_on - self.starts_on).days + 1) / self.period_days
        price = round(self.units * price_of(self.line) * share, 2)
        return {
            "id": self.id,
            "contractID": self.line.agreement_id,
            "contractServiceID": self.line.id,
            "serviceID": self.line.product_id,
            "startDate": f"{self.starts_on.isoformat()}T00:00:00",
            "endDate": f"{self.ends_on.isoformat()}T00:00:00",
            "units": self.units,
            "price": price,
            "cost": round(self.units * self.line.unit_cost * share, 2),
            "internalCurrencyPrice": price,
            "approveAndPostDate": f"{self.starts_on.isoformat()}T00:00:00" if self.posted else None,
            "vendorCompanyID": None,
            "organizationalLevelAssociationID": None,
        }


def line_of_row(row_id: int) -> int:
    """The contract service whose row has this id."""
    return row_id // _IDS_PER_LINE


class UnitLedger:
    """The units of every addition of a world, by day. Call it under the world's lock."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.months_ahead = 3
        self.posted_through: date | None = None
        self._known = {line.id: line.quantity for line in world.additions.values()}

    @property
    def today(self) -> date:
        return self.world.clock().date()

    def _changes(self, line_id: int) -> list[dict[str, Any]]:
        """`{"on", "change", "come"}` of one line, by day; `come` are those that the quantity holds already."""
        found: list[dict[str, Any]] = self._state().get(str(line_id), [])
        return found

    def _state(self) -> dict[str, Any]:
        kept: dict[str, Any] = self.world.vendor_state.setdefault(STATE, {}).setdefault("changes", {})
        return kept

    def _note(self, line_id: int, on: date, change: int, *, come: bool) -> None:
        changes = self._state().setdefault(str(line_id), [])
        changes.append({"on": on.isoformat(), "change": change, "come": come})
        changes.sort(key=lambda one: str(one["on"]))

    def roll(self) -> None:
        """Bring quantities to today: changes whose day has come move them; what people edited meanwhile is noted."""
        today = self.today
        for line in self.world.additions.values():
            known = self._known.setdefault(line.id, line.quantity)
            if line.quantity != known:
                self._note(line.id, self._row_start(line, today), int(line.quantity) - int(known), come=True)
                self._known[line.id] = line.quantity
        for key in list(self._state()):
            line_now = self.world.additions.get(int(key))
            if line_now is not None:
                self._fold(line_now, today)

    def _row_start(self, line: PsaAddition, today: date) -> date:
        """The first day of the row that holds today: a person's edit changes it and all later ones."""
        cuts = (date.fromisoformat(one["on"]) for one in self._changes(line.id))
        return max([Periods.of(self.world, line.agreement_id).start_of(today), *(day for day in cuts if day <= today)])

    def _fold(self, line: PsaAddition, today: date) -> None:
        due = [
            one for one in self._changes(line.id) if not one["come"] and one["on"] <= _anchor(line, today).isoformat()
        ]
        if not due:
            return
        for one in due:
            one["come"] = True
        quantity = line.quantity + sum(one["change"] for one in due)
        self._known[line.id] = quantity
        self.world.edit_addition(line.id, "ApiMimecast", quantity=quantity)

    def units_on(self, line: PsaAddition, day: date) -> int:
        """The units that the line has on a day, whether it lives then or not."""
        on, anchor = day.isoformat(), _anchor(line, self.today).isoformat()
        units = int(line.quantity)
        for one in self._changes(line.id):
            if one["come"] and on < one["on"] <= anchor:
                units -= one["change"]
            elif not one["come"] and one["on"] <= on:
                units += one["change"]
        return units

    def rows_of(self, line: PsaAddition) -> Iterator[Row]:
        """Every row of the line from last month to some months ahead, and the periods in which it begins and ends."""
        first, last = self._life(line)
        if first > last:
            return
        days = {date.fromisoformat(one["on"]) for one in self._changes(line.id)}
        periods = Periods.of(self.world, line.agreement_id)
        for period in self._periods(periods, first, last):
            period_ends = periods.end_of(period)
            begins, ends = max(period, first), min(period_ends, last)
            cuts = sorted({begins, *(day for day in days if begins < day <= ends)})
            for at, start in enumerate(cuts):
                end = cuts[at + 1] - timedelta(days=1) if at + 1 < len(cuts) else ends
                days_whole = (period_ends - period).days + 1
                posted = self._is_posted(start, periods)
                yield Row(line, start, end, self.units_on(line, start), posted, days_whole)

    def _life(self, line: PsaAddition) -> tuple[date, date]:
        """First and last day of the line: its own, within those of its contract. A line ends the day it is ended on."""
        contract = self.world.agreements[line.agreement_id]
        first = max(_day(contract.start_date), _day(line.effective_date))
        last = _day(contract.end_date or FAR_END)
        if line.cancelled_date is not None:
            last = min(last, _day(line.cancelled_date) - timedelta(days=1))
        return first, last

    def _periods(self, periods: Periods, first: date, last: date) -> list[date]:
        """The first days of the periods that are told."""
        today = self.today
        ahead = max(self.months_ahead, periods.months)
        around = [_month_after(today, step) for step in range(-MONTHS_BEFORE, ahead + 1)]
        edges = [day for day in (first, last) if day.isoformat() != FAR_END]
        starts = {periods.start_of(day) for day in (*around, *edges)}
        return sorted(start for start in starts if periods.end_of(start) >= first and start <= last)

    def _is_posted(self, start: date, periods: Periods) -> bool:
        """Unless told otherwise, what lies before the period of today."""
        if self.posted_through is not None:
            return start <= self.posted_through
        return start < periods.start_of(self.today)

    def adjust(self, line: PsaAddition, on: date, change: int) -> tuple[int, int]:
        """Move all rows from that day on; the units of that day before and after. AdjustmentError when refused."""
        first, last = self._life(line)
        if not first <= on <= last:
            raise AdjustmentError("The effective date must lie within the dates of the contract.")
        row = next((row for row in self.rows_of(line) if row.starts_on <= on <= row.ends_on), None)
        if row is None:
            raise AdjustmentError("The effective date lies in no billing period of the contract.")
        if row.posted:
            raise AdjustmentError(POSTED_MESSAGE)
        before = row.units
        if min(later.units for later in self.rows_of(line) if later.ends_on >= on) + change < 0:
            raise AdjustmentError("The number of units must not become negative.")
        self._note(line.id, on, change, come=False)
        self._fold(line, self.today)
        return before, before + change

    def split(self, line: PsaAddition, on: date) -> None:
        """A person cuts a row in two with the same units on both sides."""
        self._note(line.id, on, 0, come=False)

    def learn(self, line: PsaAddition) -> None:
        """Know a line that was made just now."""
        self._known[line.id] = line.quantity


def _anchor(line: PsaAddition, today: date) -> date:
    """The day whose units the quantity is: today, or the first day of a line to come."""
    return max(today, _day(line.effective_date))


def _day(text: str) -> date:
    return date.fromisoformat(text[:10])


def _month_after(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)
