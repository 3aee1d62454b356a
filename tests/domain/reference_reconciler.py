"""A second, slow reconciler, written from the words of the design and from nothing of the product's code.

It reads a world as plain dicts (tests/domain/worlds.py) and says each row as a tuple: (verdict, client, product,
accounts, agreement seats, billed seats, money, currency, change). A change is (line, from, to, is it held).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

Said = tuple[Any, ...]
OPEN = {"unmapped", "new"}


def reference_rows(world: Any) -> list[Said]:
    rows: list[Said] = []
    products = {item["product"] for item in world.services.values() if item["mapping"] == "mapped"}
    places = set(world.clients) | {item["client"] for item in world.lines.values()}
    places |= {item["client"] for item in world.accounts.values() if item["mapping"] == "mapped"}
    told_of: set[str] = set()
    for place in places:
        for product in products:
            row = client_and_product(world, place, product)
            if row is not None:
                rows.append(row)
                told_of.update(row[3])
    for name, account in world.accounts.items():
        if account["mapping"] == "excluded":
            continue
        mapped = account["mapping"] == "mapped"
        open_word = "ambiguous" if account["mapping"] == "ambiguous" else "unmapped"
        asking = counts_that_ask(world, name)
        said = [(open_word, number(world.counts[name, service])) for service in asking if not mapped]
        said += [
            ("unmapped", number(world.counts[name, service]))
            for service in asking
            if mapped and world.services[service]["mapping"] in OPEN
        ]
        if not asking and name not in told_of:
            said = [("missing_data" if mapped else open_word, None)]
        rows.extend((word, account["client"], None, (name,), seats, None, None, "USD", None) for word, seats in said)
    return rows


def number(said: int | str) -> int | None:
    return said if isinstance(said, int) else None


def counts_that_ask(world: Any, name: str) -> list[str]:
    """All counts of an account but features (packages) that nobody mapped; one feature when there is nothing else."""
    mine = sorted(service for account, service in world.counts if account == name)
    features = [of for of in mine if world.services[of]["kind"] == "package"]
    ask = [of for of in mine if of not in features or world.services[of]["mapping"] not in OPEN]
    return ask or mine[:1]


def client_and_product(world: Any, place: str, product: str) -> Said | None:
    owners = [name for name, item in world.accounts.items() if item["mapping"] == "mapped" and item["client"] == place]
    silent = [name for name in owners if not any(account == name for account, _ in world.counts)]
    parts = [
        (name, world.counts[name, service])
        for name in owners
        for service, item in world.services.items()
        if item["mapping"] == "mapped" and item["product"] == product and (name, service) in world.counts
    ]
    lines = {key: item for key, item in world.lines.items() if item["client"] == place and item["product"] == product}
    live = {key: item for key, item in lines.items() if bills_on(item, world.today)}
    if not parts and not live:
        return None
    awake = {key: item for key, item in live.items() if works(world, item)}
    later = {key: item for key, item in lines.items() if begins_later(item, world.today)}
    next_one = taking_over(world, lines, awake, later)
    telling = next_one or awake or live or later
    first = telling[min(telling)] if telling else {"agreement": ""}
    of_first = world.agreements.get(first["agreement"], {}).get("currency")
    currency = of_first if of_first and len(awake) < 2 else "USD"
    billed = quantity_of(next_one or awake or {key: live[key] for key in sorted(live)[:1]})
    clear = (len(awake) == 1 or bool(next_one)) and billed is not None and first["writable"]

    if not parts and not silent:
        names = tuple(owners) if len(owners) == 1 else ()
        if billed == 0:
            return ("in_line", place, product, names, None, billed, Decimal(0), currency, None)
        if any(world.services[of]["mapping"] in OPEN for name in owners for of in counts_that_ask(world, name)):
            return ("missing_data", place, product, names, None, billed, None, currency, None)
        return ("not_sold", place, product, names, None, billed, worth(first, 0) if clear else None, currency, None)

    names = tuple(sorted([name for name, _ in parts] + silent))
    numbers = [number(said) for _, said in parts] + [None for _ in silent]
    seats = None if None in numbers else sum(item for item in numbers if item is not None)

    def row(verdict: str, money: Decimal | None = None, change: Said | None = None) -> Said:
        return (verdict, place, product, names, seats, billed, money, currency, change)

    if place not in world.clients or world.clients[place]["deleted"]:
        return row("held")
    if len(set(names)) < len(names) or (len(awake) > 1):
        return row("ambiguous")
    if telling and not clear:
        return row("held")
    if seats is None:
        return row("missing_data")
    if seats == (billed or 0):
        return row("in_line", Decimal(0))
    if next_one:
        return row("held")
    if not awake or billed is None:
        prices = [item["price"] for _, item in sorted(world.services.items()) if item["product"] == product]
        price = next((price for price in prices if price is not None), None)
        return row("new_revenue", None if price is None else price * seats)
    money = worth(first, seats)
    more = seats - billed
    jump = more > 25 or (more > 2 and Decimal(more) > Decimal(billed) / 2)
    doubtful = any(world.accounts[name]["status"] in {"suspended", "pending"} for name in names)
    held = more < 0 or jump or doubtful or money is None or not first["billable"]
    return row("bill_more" if more > 0 else "bill_less", money, (min(awake), Decimal(billed), seats, held))


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
