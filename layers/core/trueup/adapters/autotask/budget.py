"""The hourly limit that all integrations of an Autotask tenant share, and how much of it Trueup lets itself use.

Documented: 10,000 calls an hour by everybody together, slower answers from half of it on, and nothing for anybody at
the end. So Trueup counts its own calls, attempts that failed included, keeps under a share, slows down itself from half
on, and stops before the end. It must not stop the reading back of what was written: room for that is kept beforehand.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from trueup.adapters.autotask.wire import INTEGRATION, ThresholdWire
from trueup.adapters.pace import Pace
from trueup.domain.errors import RateLimited
from trueup.ports.clock import Clock

SHARE_DEFAULT: Final = 0.25
"""Trueup's own calls never take more of the limit than this."""

SLOW_FROM: Final = 0.5
SLOW_SECONDS: Final = 1.0
STOP_FROM: Final = 0.9
"""Shares of the limit used by everybody: slower from the first on, as Autotask itself is; nothing more from the last
on, so that Trueup is never the one who shuts the others out."""

STOP_SECONDS: Final = 600.0
"""How long to wait when everybody's calls are the reason: nobody tells when they leave the hour."""

LIMIT_DEFAULT: Final = 10_000
WINDOW_SECONDS_DEFAULT: Final = 3_600.0

ASKED_AGAIN_AFTER_CALLS: Final = 100
ASKED_AGAIN_AFTER_SECONDS: Final = 300.0
"""When the limit is asked for anew; each time is a call itself."""

WRITE_ROOM_CALLS: Final = 40
"""Calls that must be free before a write: itself and every look at what became of it."""

_FREED_SHARE = 0.1
"""A pause lasts until this much of the share is free again, so that the next call is not the last one once more."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How the limit stands: calls of everybody as told last, plus those Trueup made since."""

    limit: int
    used: int
    own: int
    own_limit: int

    def note(self) -> str:
        return (
            f"Autotask's limit of {self.limit:,} calls an hour is shared by all integrations: {self.used:,} are used; "
            f"Trueup takes at most {self.own_limit:,} of them and has used {self.own:,} from here."
        )


class CallBudget:
    """Counts calls and says when the next may be made. Safe to share between threads."""

    def __init__(self, clock: Clock, share: float = SHARE_DEFAULT) -> None:
        if not 0 < share <= 1:
            raise ValueError("the share of the limit lies between 0 and 1")
        self._clock = clock
        self._share = share
        self._lock = threading.Lock()
        self._calls: deque[float] = deque()
        self._limit = LIMIT_DEFAULT
        self._window_seconds = WINDOW_SECONDS_DEFAULT
        self._told_used = 0
        self._told_at_seconds: float | None = None
        self._since_told = 0

    def is_due(self) -> bool:
        """Whether the limit is to be asked for (again)."""
        with self._lock:
            if self._told_at_seconds is None or self._since_told >= ASKED_AGAIN_AFTER_CALLS:
                return True
            return self._clock.monotonic_seconds() - self._told_at_seconds >= ASKED_AGAIN_AFTER_SECONDS

    def told(self, threshold: ThresholdWire | None) -> None:
        """Take over what Autotask says; None where it does not say, then the documented limit holds."""
        with self._lock:
            self._told_at_seconds = self._clock.monotonic_seconds()
            self._since_told = 0
            if threshold is None:
                return
            self._limit = max(threshold.externalRequestThreshold, 1)
            self._window_seconds = max(threshold.requestThresholdTimeframe, 1) * 60.0
            self._told_used = max(threshold.currentTimeframeRequestCount, 0)

    def usage(self) -> Usage:
        with self._lock:
            self._forget()
            return self._usage()

    def take(self, *, asking: bool = False) -> float:
        """Count one call that is about to be made; the seconds to wait before it. Raises RateLimited if none may be.

        The call that asks how the limit stands is let through whatever was told before: only so can a pause end.
        """
        with self._lock:
            self._require(1, of_everybody=not asking)
            self._calls.append(self._clock.monotonic_seconds())
            self._since_told += 1
            return SLOW_SECONDS if self._usage().used >= SLOW_FROM * self._limit else 0.0

    def require_room(self, calls: int = WRITE_ROOM_CALLS) -> None:
        """Raises RateLimited when so many calls may not be made one after another."""
        with self._lock:
            self._require(calls)

    def _require(self, calls: int, *, of_everybody: bool = True) -> None:
        self._forget()
        usage = self._usage()
        if of_everybody and usage.used + calls > STOP_FROM * usage.limit:
            raise RateLimited(
                f"{usage.used:,} of the {usage.limit:,} calls an hour that all integrations of this Autotask share are "
                "used; Trueup waits so as not to shut the others out",
                integration=INTEGRATION,
                wait_seconds=STOP_SECONDS,
                status=None,
            )
        if usage.own + calls > usage.own_limit:
            raise RateLimited(
                f"Trueup has used its share of {usage.own_limit:,} of Autotask's {usage.limit:,} calls an hour",
                integration=INTEGRATION,
                wait_seconds=self._wait_seconds(usage.own_limit),
                status=None,
            )

    def _wait_seconds(self, own_limit: int) -> float:
        freed = min(max(int(own_limit * _FREED_SHARE), 1), len(self._calls))
        if not freed:
            return self._window_seconds
        leaves_at_seconds = self._calls[freed - 1] + self._window_seconds
        return max(leaves_at_seconds - self._clock.monotonic_seconds(), 1.0)

    def _forget(self) -> None:
        begins_seconds = self._clock.monotonic_seconds() - self._window_seconds
        while self._calls and self._calls[0] <= begins_seconds:
            self._calls.popleft()

    def _usage(self) -> Usage:
        return Usage(
            limit=self._limit,
            used=self._told_used + self._since_told,
            own=len(self._calls),
            own_limit=int(self._limit * self._share),
        )


class BudgetedPace(Pace):
    """A pace whose every turn, and so every attempt, is taken from the budget; ``asking`` as in CallBudget.take."""

    def __init__(self, requests_per_second: float, parallel: int, budget: CallBudget, *, asking: bool = False) -> None:
        super().__init__(requests_per_second, parallel)
        self._budget = budget
        self._asking = asking

    @contextmanager
    def turn(self, clock: Clock) -> Iterator[None]:
        """As Pace.turn. Raises RateLimited when the budget lets nothing through."""
        clock.sleep(self._budget.take(asking=self._asking))
        with super().turn(clock):
            yield
