"""Whose key that is, and whether it still has calls left this minute."""

from __future__ import annotations

from trueup.domain.api_keys import ApiKey, secret_hash, split_key
from trueup.domain.errors import InputInvalid, NotFound, TooManyRequests
from trueup.ports.clock import Clock
from trueup.ports.state import ApiKeys, Counters

MINUTE_SECONDS = 60


def key_of(text: str, *, api_keys: ApiKeys) -> ApiKey | None:
    """The key that was sent, or None for one that is unknown, wrong, revoked, or of another tenant.

    A key of another tenant is unknown here: keys are looked for among this tenant's own.
    """
    try:
        key_id, secret = split_key(text)
    except InputInvalid:
        return None
    try:
        key = api_keys.get(key_id)
    except NotFound:
        secret_hash(secret)  # The same work as for a key there is.
        return None
    return key if key.accepts(secret) else None


def count_call(key_id: str, *, calls_a_minute: int, counters: Counters, clock: Clock) -> None:
    """Count one call of that key. Raises TooManyRequests with the seconds until the next minute of the clock begins."""
    now = clock.now()
    minute = int(now.timestamp()) // MINUTE_SECONDS
    calls = counters.add(f"key {key_id} {minute}", seconds=2 * MINUTE_SECONDS)
    if calls > calls_a_minute:
        left = MINUTE_SECONDS - now.timestamp() % MINUTE_SECONDS
        raise TooManyRequests(f"this key may make {calls_a_minute} calls a minute", wait_seconds=left)
