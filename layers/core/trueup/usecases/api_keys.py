"""Keys for machines: made once and shown once, listed without their secret, revoked for good."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace

from trueup.domain.api_keys import KEY_NAME_CHARACTERS_MAXIMUM, KEY_PREFIX, ApiKey, KeyScope, secret_hash
from trueup.domain.audit import Audit
from trueup.domain.errors import InputInvalid
from trueup.ports.clock import Clock
from trueup.ports.state import ApiKeys

SECRET_BYTES = 32
ID_BYTES = 6
CALLS_A_MINUTE = 60
CALLS_A_MINUTE_MAXIMUM = 600


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. ``text`` is what the machine sends; it is nowhere but here."""

    key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"NewKey({self.key.id}, hidden)"


def create_key(
    name: str,
    scopes: Collection[KeyScope],
    *,
    actor: str,
    api_keys: ApiKeys,
    clock: Clock,
    calls_a_minute: int = CALLS_A_MINUTE,
) -> NewKey:
    """Make a key. Only the hash of its secret is stored. Raises InputInvalid naming the field."""
    shown = name.strip()
    if not shown or len(shown) > KEY_NAME_CHARACTERS_MAXIMUM or not shown.isprintable():
        raise InputInvalid(
            f"a key needs a name of at most {KEY_NAME_CHARACTERS_MAXIMUM} characters",
            field="name",
            remedy="Name it after what will use it.",
        )
    if not scopes:
        words = ", ".join(scope.value for scope in KeyScope)
        raise InputInvalid("a key needs a scope", field="scopes", remedy=f"Give at least one of {words}.")
    if not 1 <= calls_a_minute <= CALLS_A_MINUTE_MAXIMUM:
        raise InputInvalid(
            f"a key may make 1 to {CALLS_A_MINUTE_MAXIMUM} calls a minute",
            field="calls_a_minute",
            remedy="Choose a number in between.",
        )
    secret = secrets.token_urlsafe(SECRET_BYTES)
    now = clock.now()
    key = ApiKey(
        id=secrets.token_hex(ID_BYTES),
        name=shown,
        scopes=frozenset(scopes),
        secret_hash=secret_hash(secret),
        created_at=now,
        created_by=actor,
        calls_a_minute=calls_a_minute,
    )
    stored = api_keys.save(
        key, Audit(at=now, actor=actor, action="API key made", subject=key.actor, after=_scopes(key))
    )
    return NewKey(stored, f"{KEY_PREFIX}_{stored.id}_{secret}")


def revoke_key(key_id: str, *, actor: str, api_keys: ApiKeys, clock: Clock) -> ApiKey:
    """From now on the key opens nothing; it stays in the list. Revoking again changes nothing. Raises NotFound."""
    key = api_keys.get(key_id)
    if key.revoked_at is not None:
        return key
    now = clock.now()
    audit = Audit(at=now, actor=actor, action="API key revoked", subject=key.actor, before=_scopes(key))
    return api_keys.save(replace(key, revoked_at=now, revoked_by=actor), audit)


def _scopes(key: ApiKey) -> str:
    return " ".join(sorted(scope.value for scope in key.scopes))
