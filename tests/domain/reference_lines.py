"""What lines of the PSA bill, for the reference reconciler: from the words of the design, on plain dicts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any


def taking_over(world: Any, lines: Any, awake: Any, later: Any) -> dict[str, Any]:
    """The one line that follows on the agreement of a line which ends, or has just ended; not where several bill."""
    days = [0, 1, 2]
    over = {key: item for key, item in lines.items() if item["ends"] and (world.today - item["ends"]).days in days}
    ending = awake or {key: item for key, item in over.items() if works(world, item)}
    if len(awake) > 1 or not ending:
        return {}
    line = ending[min(ending)]
    follow = {
        key: item
        for key, item in later.items()
        if item["agreement"] == line["agreement"] and line["ends"] and (item["begins"] - line["ends"]).days in days
    }
    return follow if len(follow) == 1 else {}


def bills_on(line: Any, day: Any) -> bool:
    return not (line["begins"] and line["begins"] > day) and not (line["ends"] and line["ends"] <= day)


def begins_later(line: Any, day: Any) -> bool:
    return bool(line["begins"] and line["begins"] > day and not (line["ends"] and line["ends"] <= line["begins"]))


def works(world: Any, line: Any) -> bool:
    """Whether the line's agreement is active by its flag and by its dates."""
    found = world.agreements.get(line["agreement"])
    if found is None or found["state"] != "active":
        return False
    over = found["ends"] and found["ends"] < world.today
    return not over and not (found["starts"] and found["starts"] > world.today)


def quantity_of(lines: dict[str, Any]) -> int | None:
    """What these lines bill together; None without a line, or when one has no whole number of users."""
    amounts = [Decimal(item["quantity"]) for item in lines.values()]
    if not amounts or any(amount % 1 or not 0 <= amount <= 10_000_000 for amount in amounts):
        return None
    return int(sum(amounts))


def worth(line: Any, seats: int) -> Decimal | None:
    """What a month gains when the line goes to so many seats; free units stay free, a line not billed is worth none."""
    if not line["billable"]:
        return Decimal(0)
    if line["price"] is None:
        return None
    free = Decimal(line["free"])
    charged = [max(Decimal(0), amount - free) for amount in (Decimal(line["quantity"]), Decimal(seats))]
    return (charged[1] - charged[0]) * Decimal(line["price"])
