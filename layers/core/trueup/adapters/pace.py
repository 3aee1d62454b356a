"""Bounds of a call, and the pace that keeps calls under a vendor's rate. It must not know what is called."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from trueup.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one call.

    ``total_seconds`` bounds one attempt from sending to the last byte; ``wait_seconds_maximum`` what a vendor may ask
    for in one wait; ``wait_budget_seconds`` what one call may spend in all on attempts that failed and on waiting. A
    wait beyond the budget is not begun: the error is raised, with its ``wait_seconds`` where the vendor told them, so
    that a durable run can wait instead. ``connections`` are kept open where no pace says how many calls there are.
    """

    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 30.0
    total_seconds: float = 60.0
    body_bytes: int = 10 * 1024 * 1024
    attempts: int = 5
    wait_seconds_maximum: float = 900.0
    wait_budget_seconds: float = 60.0
    backoff_first_seconds: float = 0.5
    backoff_maximum_seconds: float = 20.0
    connections: int = 10


PROMPT_LIMITS = HttpLimits(
    connect_timeout_seconds=3.0, read_timeout_seconds=10.0, total_seconds=15.0, attempts=3, wait_budget_seconds=10.0
)
"""For what is worth a few seconds, and not the time of a run or of a person who waits: telling people."""


class Pace:
    """No more than so many requests a second and so many at once, over all threads that share the object.

    ``burst`` requests may follow each other without waiting after as long a rest as they take at the pace.
    """

    def __init__(self, requests_per_second: float, parallel: int, *, burst: int = 1) -> None:
        self.parallel = parallel
        self._interval_seconds = 1.0 / requests_per_second
        self._saved_seconds_maximum = (burst - 1) * self._interval_seconds
        self._places = threading.BoundedSemaphore(parallel)
        self._lock = threading.Lock()
        self._next_free_seconds = 0.0

    @contextmanager
    def turn(self, clock: Clock) -> Iterator[None]:
        """Hold one of the parallel places, entered when the rate allows the next request."""
        with self._places:
            with self._lock:
                now = clock.monotonic_seconds()
                # Kept as if all came at the pace; how far that runs ahead of the clock is what a burst has taken.
                start = max(now, self._next_free_seconds - self._saved_seconds_maximum)
                self._next_free_seconds = max(now, self._next_free_seconds) + self._interval_seconds
            clock.sleep(start - now)
            yield

    def hold_back(self, clock: Clock, seconds: float) -> None:
        """Let nobody begin for that long: one thread was told to slow down, and the limit is shared."""
        with self._lock:
            free_seconds = clock.monotonic_seconds() + seconds + self._saved_seconds_maximum
            self._next_free_seconds = max(self._next_free_seconds, free_seconds)
