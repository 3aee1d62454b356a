"""The keys that ConnectWise signs its callbacks with, fetched from the address that a callback names.

Until the callback is proven that address is the word of whoever sent it. So it is only called when it is on the
tenant's own PSA server, rebuilt from its checked parts, without a credential, without following redirects, briefly, and
for a short answer. It must not be given an address on any other server.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trueup.adapters.connectwise.wire import INTEGRATION
from trueup.adapters.http import BaseAddress, HttpClient, HttpLimits, RetryRule, same_origin_path
from trueup.domain.errors import UnsafeAddress
from trueup.ports.clock import Clock

KEY_LIMITS: Final = HttpLimits(
    connect_timeout_seconds=1.0, read_timeout_seconds=1.5, total_seconds=2.0, body_bytes=4_096, attempts=1
)
"""ConnectWise documents that it waits five seconds for the answer to a callback."""

KEY_LIFETIME_SECONDS: Final = 3_600.0
"""How long a key is believed without asking again (assumed: nothing is documented of keys that change)."""

REFRESH_SECONDS: Final = 60.0
"""A key that does not fit is asked for again when it is older than this: forged callbacks cannot cause many calls."""

KEYS_MAXIMUM: Final = 64
"""How many keys are remembered: a genuine server has few."""

_KEY_CHARACTERS_MAXIMUM = 1_024
_API_PREFIX = "api-"


@dataclass(frozen=True, slots=True)
class KeyAddress:
    """Where a key is: a server of the tenant's own and a path on it."""

    server: BaseAddress
    path: str


@dataclass(frozen=True, slots=True)
class _Remembered:
    key: bytes
    fetched_seconds: float


class SigningKeys:
    """Keys by address, remembered for a while. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[KeyAddress, _Remembered] = {}

    def remembered(self, address: KeyAddress, clock: Clock) -> bytes | None:
        """The key if it was fetched lately."""
        return self._younger_than(KEY_LIFETIME_SECONDS, address, clock)

    def fetched(self, address: KeyAddress, clock: Clock) -> bytes | None:
        """The key as its server tells it now; None when it was asked a moment ago or tells none.

        Raises VendorUnavailable, RateLimited, ReplyUnreadable and UnsafeAddress (a redirect) as HttpClient does.
        """
        if self._younger_than(REFRESH_SECONDS, address, clock) is not None:
            return None
        key = fetch_key(address, clock)
        if key is None:
            return None
        with self._lock:
            while len(self._known) >= KEYS_MAXIMUM:
                self._known.pop(next(iter(self._known)))
            self._known[address] = _Remembered(key, clock.monotonic_seconds())
        return key

    def _younger_than(self, seconds: float, address: KeyAddress, clock: Clock) -> bytes | None:
        with self._lock:
            known = self._known.get(address)
        if known is None or not 0 <= clock.monotonic_seconds() - known.fetched_seconds < seconds:
            return None
        return known.key


def own_key_address(base: BaseAddress, key_url: str) -> KeyAddress:
    """Where the key is, if that is the tenant's own PSA server. Raises UnsafeAddress for every other address.

    In the field the key of a cloud site has been seen on the host of the API and on the one where people sign in,
    which is the same name without ``api-``; both belong to the site's region and nothing else does.
    """
    servers = [base]
    if base.scheme == "https" and base.host.startswith(_API_PREFIX):
        servers.append(BaseAddress(base.scheme, base.host.removeprefix(_API_PREFIX), base.port))
    if not key_url.startswith(("https://", "http://")):
        raise UnsafeAddress("the address of a signing key is no whole URL; it was not called")
    for server in servers:
        try:
            return KeyAddress(server, same_origin_path(server, key_url))
        except UnsafeAddress:
            continue
    raise UnsafeAddress("the address of a signing key is not on the tenant's own ConnectWise server; it was not called")


def fetch_key(address: KeyAddress, clock: Clock) -> bytes | None:
    """The 32 bytes to sign with: SHA-256 of the text that the server tells as ``signing_key``; None when it tells none.

    That the text is hashed first is documented, and seen in the field.
    """
    with HttpClient(
        address.server, integration=INTEGRATION, clock=clock, limits=KEY_LIMITS, reset_headers=()
    ) as client:
        reply = client.send("GET", address.path, retry=RetryRule.NEVER)
        document = reply.json() if reply.status == 200 else None
    if not isinstance(document, Mapping):
        return None
    text = {str(name).casefold(): value for name, value in document.items()}.get("signing_key")
    if not isinstance(text, str) or not 0 < len(text) <= _KEY_CHARACTERS_MAXIMUM:
        return None
    try:
        return hashlib.sha256(text.encode("utf-8")).digest()
    except UnicodeEncodeError:
        return None
