"""What every fake of an outside system can be told to do wrong, and how often it was asked."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import replace

from trueup.domain.billing import Capability
from trueup.domain.errors import TrueupError


class Misbehaving:
    """Errors on order, for the next call or for all, and a credential that may lose what it may do.

    ``calls`` counts calls by method. A fake enters each method of its port by ``_enter``.
    """

    def __init__(self, capabilities: tuple[Capability, ...]) -> None:
        self.capabilities = capabilities
        self.calls: Counter[str] = Counter()
        self._errors: dict[str, deque[TrueupError]] = {}
        self._lasting_errors: dict[str, TrueupError] = {}
        self._lock = threading.RLock()

    def fail_next(self, method: str, *errors: TrueupError) -> None:
        """Raise these, one for each of the next calls of that method."""
        self._errors.setdefault(method, deque()).extend(errors)

    def fail_always(self, method: str, error: TrueupError) -> None:
        """Raise this on every call of that method."""
        self._lasting_errors[method] = error

    def heal(self) -> None:
        """No call fails any more."""
        self._errors.clear()
        self._lasting_errors.clear()

    def revoke(self, *names: str) -> None:
        """Take capabilities away from the credential; without names all of them."""
        self.capabilities = tuple(
            replace(one, granted=False, detail="forbidden") if not names or one.name in names else one
            for one in self.capabilities
        )

    def _enter(self, method: str) -> None:
        with self._lock:
            self.calls[method] += 1
            waiting = self._errors.get(method)
            if waiting:
                raise waiting.popleft()
            if method in self._lasting_errors:
                raise self._lasting_errors[method]
