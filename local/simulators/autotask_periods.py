"""The billing periods of the simulated Autotask's contracts: they begin when the contract did and last whole months.

Which kind of period a contract has is kept in the world's `vendor_state["autotask"]`; one that says nothing is monthly.
"""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from local.simulators.world import World

MONTHLY, QUARTERLY, SEMI_ANNUAL, YEARLY = 1, 2, 3, 4
PERIOD_LABELS = {MONTHLY: "Monthly", QUARTERLY: "Quarterly", SEMI_ANNUAL: "Semi-Annual", YEARLY: "Yearly"}
_MONTHS = {MONTHLY: 1, QUARTERLY: 3, SEMI_ANNUAL: 6, YEARLY: 12}
_STATE = "autotask"


def period_type_of(world: World, contract_id: int) -> int:
    """The value of `contractPeriodType`."""
    return int(world.vendor_state.get(_STATE, {}).get("period_types", {}).get(str(contract_id), MONTHLY))


def set_period_type(world: World, contract_id: int, kind: int) -> None:
    """What a person chose when the contract was made. KeyError for a kind there is not."""
    if kind not in _MONTHS:
        raise KeyError(kind)
    with world.lock:
        world.vendor_state.setdefault(_STATE, {}).setdefault("period_types", {})[str(contract_id)] = kind
        world.persist()


@dataclass(frozen=True, slots=True)
class Periods:
    """The periods of one contract, told by days in them."""

    contract_starts_on: date
    months: int

    @classmethod
    def of(cls, world: World, contract_id: int) -> "Periods":
        """Those of a contract of the world."""
        starts_on = date.fromisoformat(world.agreements[contract_id].start_date[:10])
        return cls(starts_on, _MONTHS[period_type_of(world, contract_id)])

    def start_of(self, day: date) -> date:
        """The first day of the period that holds a day; before the contract there is only its first."""
        return self._start(self._number_of(day))

    def end_of(self, day: date) -> date:
        """The last day of the period that holds a day."""
        return self._start(self._number_of(day) + 1) - timedelta(days=1)

    def _number_of(self, day: date) -> int:
        if day <= self.contract_starts_on:
            return 0
        months = (day.year - self.contract_starts_on.year) * 12 + day.month - self.contract_starts_on.month
        number = months // self.months
        return number if self._start(number) <= day else number - 1

    def _start(self, number: int) -> date:
        """The day on which period 0, 1, 2 and so on begins; a month that is too short begins it on its last day."""
        month = self.contract_starts_on.year * 12 + self.contract_starts_on.month - 1 + number * self.months
        year, index = divmod(month, 12)
        days = calendar.monthrange(year, index + 1)[1]
        return date(year, index + 1, min(self.contract_starts_on.day, days))
