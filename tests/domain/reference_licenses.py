"""What is licensed, to be billed and to be ordered, for the reference reconciler: from the words of the design."""

from __future__ import annotations

from typing import Any


def number(said: int | str) -> int | None:
    return said if isinstance(said, int) else None


def total(numbers: list[int | None]) -> int | None:
    """The sum, or None when a part of it is not known."""
    known = [item for item in numbers if item is not None]
    return sum(known) if len(known) == len(numbers) else None


def is_doubtful(world: Any, name: str) -> bool:
    return world.accounts[name]["status"] in {"suspended", "pending"}


def by_user(world: Any, product: str, parts: Any) -> bool:
    """Whether all that is billed as this product is sold by the user: what is counted, or what might be."""
    counted = {service for _, service, _ in parts}
    sold = counted or {key for key, item in world.services.items() if item["product"] == product}
    return all(world.services[key]["by_user"] for key in sold)


def licensed_users(world: Any, place: str, product: str, parts: Any) -> int | None:
    return number(world.licensed.get(place, "missing")) if by_user(world, product, parts) else None


def to_bill(world: Any, place: str, product: str, parts: Any, silent: Any) -> int | None:
    """The agreement, with sent orders in it where that is the tenant's wish; the licensed users; or the larger."""
    sent = world.orders if world.bills_on_order else {}
    agreed = total([sent.get((name, of), number(said)) for name, of, said in parts] + [None for _ in silent])
    users = licensed_users(world, place, product, parts)
    if world.basis == "agreement" or not by_user(world, product, parts):
        return agreed
    if world.basis == "licensed":
        return users
    return None if users is None or agreed is None else max(agreed, users)


def to_order(world: Any, place: str, product: str, parts: Any, silent: Any) -> tuple[int, bool] | None:
    """The licensed users, where the vendor's number is another and no order brings it there."""
    agreed = total([number(said) for _, _, said in parts] + [None for _ in silent])
    users = licensed_users(world, place, product, parts)
    if agreed is None or users is None or users == agreed:
        return None
    if users == sum(world.orders.get((name, of), said) for name, of, said in parts):
        return None
    gone = place not in world.clients or world.clients[place]["deleted"]
    under_way = any((name, of) in world.orders for name, of, _ in parts)
    return users, gone or under_way or len(parts) > 1 or is_doubtful(world, parts[0][0])
