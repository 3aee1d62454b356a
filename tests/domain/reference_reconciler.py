"""A second, slow reconciler, written from the words of the design and from nothing of the product's code.

It reads a world as plain dicts (tests/domain/worlds.py) and says each row as a tuple: (verdict, client, product,
accounts, agreement seats, billed seats, money, currency, change, licensed seats, seats to bill, order). A change is
(line, from, to, is it held), an order (seats, does something stand in its way).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.domain.reference_licenses import is_doubtful, licensed_users, number, to_bill, to_order, total
from tests.domain.reference_lines import begins_later, bills_on, quantity_of, taking_over, works, worth

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
        rows.extend(
            (word, account["client"], None, (name,), seats, None, None, "USD", *[None] * 4) for word, seats in said
        )
    return rows


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
        (name, service, world.counts[name, service])
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

    users = licensed_users(world, place, product, parts)

    if not parts and not silent:
        names = tuple(owners) if len(owners) == 1 else ()
        rest = (currency, None, users, None, None)
        if billed == 0:
            return ("in_line", place, product, names, None, billed, Decimal(0), *rest)
        if any(world.services[of]["mapping"] in OPEN for name in owners for of in counts_that_ask(world, name)):
            return ("missing_data", place, product, names, None, billed, None, *rest)
        return ("not_sold", place, product, names, None, billed, worth(first, 0) if clear else None, *rest)

    names = tuple(sorted([name for name, _, _ in parts] + silent))
    doubled = len(set(names)) < len(names)
    seats = total([number(said) for _, _, said in parts] + [None for _ in silent])
    wanted = None if doubled else to_bill(world, place, product, parts, silent)
    order = None if doubled else to_order(world, place, product, parts, silent)

    def row(verdict: str, money: Decimal | None = None, change: Said | None = None) -> Said:
        if order and verdict in {"bill_more", "bill_less"}:
            verdict = "order_and_bill"
        if order and seats is not None and verdict == "in_line":
            verdict = "order_more" if order[0] > seats else "order_less"
        return (verdict, place, product, names, seats, billed, money, currency, change, users, wanted, order)

    if place not in world.clients or world.clients[place]["deleted"]:
        return row("held")
    if doubled or len(awake) > 1:
        return row("ambiguous")
    if telling and not clear:
        return row("held")
    if wanted is None:
        return row("missing_data")
    if wanted == (billed or 0):
        return row("in_line", Decimal(0))
    if next_one:
        return row("held")
    if not awake or billed is None:
        prices = [item["price"] for _, item in sorted(world.services.items()) if item["product"] == product]
        price = next((price for price in prices if price is not None), None)
        return row("new_revenue", None if price is None else price * wanted)
    money = worth(first, wanted)
    more = wanted - billed
    jump = more > 25 or (more > 2 and Decimal(more) > Decimal(billed) / 2)
    doubtful = silent or any(is_doubtful(world, name) for name in names)
    held = more < 0 or jump or bool(doubtful) or money is None or not first["billable"]
    return row("bill_more" if more > 0 else "bill_less", money, (min(awake), Decimal(billed), wanted, held))
