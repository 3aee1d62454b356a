"""Who may do what right now: leases, checkpoints of unfinished reads, and replies kept by Idempotency-Key.

Method: expiry is decided by the stored time against the clock, because the table removes expired items hours late.
Must not: keep a record of business here; all of it but the leases expires.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from trueup.adapters.dynamodb.conditions import CONTENT, VERSION, ConditionsFailed, Delete, Put, Value, at, version_is
from trueup.adapters.dynamodb.contents import Expiring
from trueup.adapters.dynamodb.keys import EXPIRY
from trueup.adapters.dynamodb.records import CLAIM, LEASE, Claim, Lease
from trueup.adapters.dynamodb.table import DynamoDbTable, StoredItem
from trueup.domain.errors import Conflict, InputInvalid, LeaseHeld, StateUnavailable
from trueup.domain.integrations import Side

CLAIM_SECONDS = 120
CHECKPOINT_SECONDS = 30 * 24 * 60 * 60
_ATTEMPTS = 10
_CLAIM = "claim"


class DynamoDbLeases:
    """The Leases port. A lease's item never expires from the table: its fencing number would begin again with 1."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table

    def acquire(self, name: str, *, owner: str, seconds: int) -> int:
        for attempt in range(_ATTEMPTS):
            now = self._table.clock.now()
            lease, version = self._read(name)
            live = lease is not None and bool(lease.owner) and lease.until > now
            if lease is not None and live and lease.owner != owner:
                raise LeaseHeld(f"{name} is held by {lease.owner}", holder=lease.owner)
            fence = 1 if lease is None else lease.fence + (0 if live else 1)
            try:
                self._write(name, Lease(owner, fence, now + timedelta(seconds=seconds)), version)
            except ConditionsFailed:
                self._table.pause(attempt)
            else:
                return fence
        raise StateUnavailable(f"others took the lease {name} {_ATTEMPTS} times in a row")

    def release(self, name: str, *, owner: str) -> None:
        for attempt in range(_ATTEMPTS):
            lease, version = self._read(name)
            if lease is None or lease.owner != owner:
                return
            try:
                self._write(name, Lease("", lease.fence, lease.until), version)
            except ConditionsFailed:
                self._table.pause(attempt)
            else:
                return
        raise StateUnavailable(f"the lease {name} could not be given back; it ends by itself")

    def _read(self, name: str) -> tuple[Lease | None, int]:
        item = self._table.get(self._table.keys.lease(name))
        return (None, 0) if item is None else (LEASE.unpack(item[CONTENT]), int(item[VERSION]))

    def _write(self, name: str, lease: Lease, version: int) -> None:
        item = at(self._table.keys.lease(name), {CONTENT: LEASE.pack(lease), VERSION: version + 1})
        self._table.write([Put(item, version_is(version))])


class DynamoDbCheckpoints:
    """The Checkpoints port. A read that was not taken up for a month begins anew."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._expiring = Expiring(table)

    def load(self, run_id: str, side: Side) -> bytes | None:
        item = self._table.get(self._table.keys.checkpoint(side, run_id))
        if item is None or int(item[EXPIRY]) <= _epoch(self._table.clock.now()):
            return None
        return self._expiring.content(item)

    def save(self, run_id: str, side: Side, content: bytes) -> None:
        until = _epoch(self._table.clock.now()) + CHECKPOINT_SECONDS
        attributes = self._expiring.attributes(content, expires_at_epoch_seconds=until)
        self._table.write([Put(at(self._table.keys.checkpoint(side, run_id), attributes))])

    def clear(self, run_id: str, side: Side) -> None:
        self._table.write([Delete(self._table.keys.checkpoint(side, run_id))])


class DynamoDbIdempotency:
    """The Idempotency port.

    A claim that nobody finishes holds its key for ``claim_seconds`` only: a process that died while it answered must
    not lock its caller out for as long as the key is remembered.
    """

    def __init__(self, table: DynamoDbTable, *, claim_seconds: int = CLAIM_SECONDS) -> None:
        self._table = table
        self._expiring = Expiring(table)
        self._claim_seconds = claim_seconds

    def begin(self, key: str, *, fingerprint: str, seconds: int) -> bytes | None:
        for attempt in range(_ATTEMPTS):
            now = self._table.clock.now()
            item, claim, version = self._read(key)
            until = now + timedelta(seconds=seconds)
            if item is not None and claim is not None and claim.until > now:
                if claim.fingerprint != fingerprint:
                    raise InputInvalid(
                        "this key came with another request before",
                        field="Idempotency-Key",
                        remedy="Use a new key for a new request.",
                    )
                if claim.answered:
                    return self._expiring.content(item)
                if claim.busy_until > now:
                    raise Conflict(
                        "a request with this key is being answered right now",
                        remedy="Wait a moment and send the same request with the same key again.",
                    )
                until = claim.until
            busy_until = min(until, now + timedelta(seconds=self._claim_seconds))
            try:
                self._write(key, Claim(fingerprint, busy_until, until), version, {EXPIRY: _epoch(until)})
            except ConditionsFailed:
                self._table.pause(attempt)
            else:
                return None
        raise StateUnavailable(f"others used this Idempotency-Key {_ATTEMPTS} times in a row")

    def finish(self, key: str, reply: bytes) -> None:
        """The first reply stays; a key whose time is over keeps nothing."""
        for attempt in range(_ATTEMPTS):
            _item, claim, version = self._read(key)
            if claim is None or claim.answered or claim.until <= self._table.clock.now():
                return
            answered = Claim(claim.fingerprint, claim.busy_until, claim.until, answered=True)
            attributes = self._expiring.attributes(reply, expires_at_epoch_seconds=_epoch(claim.until))
            try:
                self._write(key, answered, version, attributes)
            except ConditionsFailed:
                self._table.pause(attempt)
            else:
                return
        raise StateUnavailable("the reply of this Idempotency-Key could not be stored")

    def abandon(self, key: str) -> None:
        _item, claim, version = self._read(key)
        if claim is None or claim.answered:
            return
        try:
            self._table.write([Delete(self._table.keys.claim(key), version_is(version))])
        except ConditionsFailed:
            # Somebody else claimed or answered it meanwhile: it is theirs now.
            return

    def _read(self, key: str) -> tuple[StoredItem | None, Claim | None, int]:
        item = self._table.get(self._table.keys.claim(key))
        return (None, None, 0) if item is None else (item, CLAIM.unpack(item[_CLAIM]), int(item[VERSION]))

    def _write(self, key: str, claim: Claim, version: int, attributes: dict[str, Value]) -> None:
        item: dict[str, Value] = {_CLAIM: CLAIM.pack(claim), VERSION: version + 1, **attributes}
        self._table.write([Put(at(self._table.keys.claim(key), item), version_is(version))])


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())
