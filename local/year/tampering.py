"""Bytes of closed months are changed in the store, one at a time, and each change must be found and named.

Method: the store is asked which items a proof reads; in one of them one byte of one attribute is flipped, the months
are proven again, and the item is put back. Must not: leave an item changed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trueup.adapters.dynamodb.keys import PARTITION_KEY, SORT_KEY
from trueup.adapters.dynamodb.state import open_state
from trueup.domain.errors import Conflict
from trueup.ports.clock import Clock
from trueup.ports.state_bundle import State
from trueup.usecases.sealed_proof import verify_months

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

type Place = tuple[str, str]

NOT_SEALED = frozenset({"written_by"})
"""The store's own note of which attempt wrote an item, by which a lost reply is known again; it says nothing."""


@dataclass(frozen=True, slots=True)
class Tampering:
    """``items`` is how many stored items the proof reads, ``missed`` the flips that it did not find, in words."""

    items: int
    flips: int
    missed: tuple[str, ...]


def tamper(
    client: DynamoDBClient, *, table: str, tenant: str, clock: Clock, rng: random.Random, flips: int
) -> Tampering:
    """Flip so many bytes, each in an item that the proof reads. Raises Conflict when the months do not hold before."""
    state = open_state(client, table_name=table, tenant=tenant, clock=clock)
    with _recorded(client) as read:
        sound = verify_months(None, state=state)
    if not sound.holds:
        raise Conflict(f"the months do not hold as they are: {sound.broken or sound.broken_event}")
    places = sorted(read)
    missed = [words for _ in range(flips) if (words := _missed(client, table, rng.choice(places), state, rng))]
    return Tampering(len(places), flips, tuple(missed))


def _missed(client: DynamoDBClient, table: str, place: Place, state: State, rng: random.Random) -> str:
    """Flip one byte there; which one in words where the proof did not find it, empty where it did."""
    key = {PARTITION_KEY: {"S": place[0]}, SORT_KEY: {"S": place[1]}}
    item = client.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    names = [name for name, value in item.items() if name not in {*key, *NOT_SEALED} and {"B", "S", "N"} & set(value)]
    if not names:
        return ""
    name = rng.choice(names)
    changed, where = _flipped(item[name], rng)
    try:
        client.put_item(TableName=table, Item={**item, name: changed})
        proof = verify_months(None, state=state)
    finally:
        client.put_item(TableName=table, Item=item)
    return f"{name} of {place[0]} {place[1]}, {where}" if proof.holds else ""


def _flipped(value: Mapping[str, Any], rng: random.Random) -> tuple[dict[str, Any], str]:
    if "B" in value:
        content = bytearray(value["B"])
        place = rng.randrange(len(content))
        # The whole byte: a packed content ends within a byte, and the bits after its end say nothing.
        content[place] ^= 0xFF
        return {"B": bytes(content)}, f"byte {place}"
    if "N" in value:
        return {"N": str(int(value["N"]) ^ 1)}, f"number {value['N']}"
    text = str(value["S"])
    place = rng.randrange(len(text))
    other = chr(ord(text[place]) ^ 1)
    return {"S": text[:place] + other + text[place + 1 :]}, f"character {place}"


@contextmanager
def _recorded(client: DynamoDBClient) -> Iterator[set[Place]]:
    """The items that are read of the store while the block lasts."""
    seen: set[Place] = set()

    def note(parsed: Mapping[str, Any], **_: Any) -> None:
        found = list(parsed.get("Items", ()))
        found += [parsed["Item"]] if parsed.get("Item") else []
        found += [item for items in parsed.get("Responses", {}).values() for item in items]
        seen.update((item[PARTITION_KEY]["S"], item[SORT_KEY]["S"]) for item in found)

    names = [f"after-call.dynamodb.{name}" for name in ("GetItem", "Query", "BatchGetItem")]
    for name in names:
        client.meta.events.register(name, note)
    try:
        yield seen
    finally:
        for name in names:
            client.meta.events.unregister(name, note)
