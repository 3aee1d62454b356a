"""Immutable bytes under their SHA-256, in as many items as they need.

Method: the bytes are cut at fixed places and each piece is compressed by itself, so that the same content always lies
in the same items whoever stored it; a read proves the address. Must not: hold what changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from trueup.adapters.dynamodb import records
from trueup.adapters.dynamodb.conditions import CONTENT, at
from trueup.adapters.dynamodb.keys import EXPIRY, Key
from trueup.adapters.dynamodb.table import DynamoDbTable, StoredItem
from trueup.domain.errors import StateUnavailable

PIECE_BYTES = 350 * 1024
_READ_AT_ONCE = 16
_PARTS = "parts_total"
_APART = "content_address"


class Contents:
    """Stores bytes, returns their address. With ``expires_at_epoch_seconds`` they are only kept until then."""

    def __init__(self, table: DynamoDbTable, *, expires_at_epoch_seconds: int | None = None) -> None:
        self._table = table
        self._expiry = expires_at_epoch_seconds

    def put(self, content: bytes) -> str:
        return self.put_all([content])[0]

    def put_all(self, contents: Sequence[bytes]) -> tuple[str, ...]:
        """The addresses in the order of the contents."""
        items: dict[Key, dict[str, str | int | bytes]] = {}
        addresses: list[str] = []
        for content in contents:
            address = hashlib.sha256(content).hexdigest()
            addresses.append(address)
            pieces = [content[start : start + PIECE_BYTES] for start in range(0, len(content), PIECE_BYTES)] or [b""]
            for number, piece in enumerate(pieces):
                key = self._key(address, number)
                items[key] = at(key, {CONTENT: records.pack(piece), _PARTS: len(pieces)})
                if self._expiry is not None:
                    items[key][EXPIRY] = self._expiry
        self._table.put_many(list(items.values()))
        return tuple(addresses)

    def get(self, address: str) -> bytes:
        return next(self.get_all([address]))

    def get_all(self, addresses: Sequence[str]) -> Iterator[bytes]:
        """The contents in order, a few at a time. Raises StateUnavailable when one is gone or damaged."""
        for start in range(0, len(addresses), _READ_AT_ONCE):
            some = addresses[start : start + _READ_AT_ONCE]
            first = self._table.get_many([self._key(address, 0) for address in some])
            for address in some:
                yield self._assembled(address, first.get(self._key(address, 0)))

    def _assembled(self, address: str, first: StoredItem | None) -> bytes:
        if first is None:
            raise StateUnavailable(f"stored content {address} is gone")
        parts = int(first[_PARTS])
        if parts < 1:
            raise StateUnavailable(f"stored content {address} says that it has {parts} parts: it was damaged")
        keys = [self._key(address, number) for number in range(1, parts)]
        others = self._table.get_many(keys)
        if len(others) != len(keys):
            raise StateUnavailable(f"stored content {address} is not whole")
        packed = [first[CONTENT], *(others[key][CONTENT] for key in keys)]
        content = b"".join(records.unpack(piece) for piece in packed)
        if hashlib.sha256(content).hexdigest() != address:
            raise StateUnavailable(f"stored content {address} does not have its address: it was changed or damaged")
        return content

    def _key(self, address: str, number: int) -> Key:
        if self._expiry is None:
            return self._table.keys.content_part(address, number)
        return self._table.keys.temporary_part(address, number)


class Expiring:
    """Bytes that belong to one item and are kept until a time: in the item, or beside it when they are large."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def attributes(self, content: bytes, *, expires_at_epoch_seconds: int) -> dict[str, str | int | bytes]:
        """What the item has to hold; stores what does not fit."""
        packed = records.pack(content)
        if len(packed) <= PIECE_BYTES:
            return {CONTENT: packed, EXPIRY: expires_at_epoch_seconds}
        apart = Contents(self._table, expires_at_epoch_seconds=expires_at_epoch_seconds)
        return {_APART: apart.put(content), EXPIRY: expires_at_epoch_seconds}

    def content(self, item: StoredItem) -> bytes:
        if CONTENT in item:
            return records.unpack(item[CONTENT])
        return Contents(self._table, expires_at_epoch_seconds=item[EXPIRY]).get(item[_APART])
