"""Keeps calls to one vendor under its rate over all threads. It must not know what is called."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from trueup.ports.clock import Clock


class Pace:
    """No more than so many requests a second and so many at once, over all threads that share the object."""

    def __init__(self, requests_per_second: float, parallel: int) -> None:
        self.parallel = parallel
        self._interval_seconds = 1.0 / requests_per_second
        self._places = threading.BoundedSemaphore(parallel)
        self._lock = threading.Lock()
        self._next_free_seconds = 0.0

    @contextmanager
    def turn(self, clock: Clock) -> Iterator[None]:
        """Hold one of the parallel places, entered when the rate allows the next request."""
        with self._places:
            with self._lock:
                now = clock.monotonic_seconds()
                start = max(now, self._next_free_seconds)
                self._next_free_seconds = start + self._interval_seconds
            clock.sleep(start - now)
            yield

    def hold_back(self, clock: Clock, seconds: float) -> None:
        """Let nobody begin for that long: one thread was told to slow down, and the limit is shared."""
        with self._lock:
            self._next_free_seconds = max(self._next_free_seconds, clock.monotonic_seconds() + seconds)
