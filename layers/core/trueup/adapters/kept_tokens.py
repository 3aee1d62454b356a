"""A token that is asked for when needed, kept until shortly before it ends, and shared by threads.

How it is asked for is for each vendor's adapter. A token is never written anywhere and never shown.
"""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from trueup.ports.clock import Clock

UNTOLD_LIFETIME_SECONDS: Final = 300.0
"""Used when ``expires_in`` is missing or not positive."""

_LIFETIME_MAXIMUM_SECONDS = 86_400.0
_USED_AT_LEAST_SECONDS = 30.0
"""A token is kept this long even when it claims less, so that a lifetime of nothing does not ask for one per call."""

_TOKEN = re.compile(r"[!-~]{1,8192}")


@dataclass(frozen=True, slots=True)
class Grant:
    """A token as it was granted. ``lifetime`` is what the reply says of it in seconds, whatever that is."""

    token: str = field(repr=False)
    lifetime: object


def grant_in(document: object) -> Grant | None:
    """The grant in an OAuth token reply; None where it holds no token that can be sent in a header."""
    told: Mapping[object, object] = document if isinstance(document, Mapping) else {}
    token = told.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        return None
    return Grant(token, told.get("expires_in"))


class TokenKeeper(ABC):
    """Gives the current token, and a new one to whoever was refused with the old. Safe to share between threads.

    ``margin_seconds`` is how long before its end a token is used no more, but for half of a short life.
    """

    def __init__(self, clock: Clock, *, margin_seconds: float) -> None:
        self._clock = clock
        self._margin_seconds = margin_seconds
        self._lock = threading.Lock()
        self._token: str | None = None
        self._use_until_seconds = 0.0

    @abstractmethod
    def _ask(self) -> Grant:
        """Ask the vendor for a token, one thread at a time. What it raises, ``current`` and ``renewed`` raise."""

    def current(self) -> str:
        """A token that should be valid now. Raises as ``_ask``."""
        with self._lock:
            if self._token is None or self._clock.monotonic_seconds() >= self._use_until_seconds:
                return self._ask_and_keep()
            return self._token

    def renewed(self, refused: str) -> str:
        """A token other than the one that was refused; many threads refused at once ask for one new token together."""
        with self._lock:
            if self._token is not None and self._token != refused:
                return self._token
            return self._ask_and_keep()

    def _ask_and_keep(self) -> str:
        self._token = None
        grant = self._ask()
        self._use_until_seconds = self._clock.monotonic_seconds() + self._usable_seconds(grant.lifetime)
        self._token = grant.token
        return grant.token

    def _usable_seconds(self, lifetime: object) -> float:
        """How long to use a token that claims this lifetime: most of it, and for a claim that is none, five minutes."""
        if isinstance(lifetime, bool) or not isinstance(lifetime, int | Decimal) or lifetime <= 0:
            seconds = UNTOLD_LIFETIME_SECONDS
        else:
            seconds = min(float(lifetime), _LIFETIME_MAXIMUM_SECONDS)
        return max(seconds - min(self._margin_seconds, seconds / 2), _USED_AT_LEAST_SECONDS)
