"""Time that is only ever told: a year passes as fast as the work is done."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2027, 1, 1, 6, 0, tzinfo=UTC)
"""The first run of every simulated year, so that one seed always gives one year."""


class YearClock:
    """Implements Clock. Waiting is over at once and moves the time on; nothing else does."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._seconds = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._start + timedelta(seconds=self._seconds)

    def monotonic_seconds(self) -> float:
        with self._lock:
            return self._seconds

    def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._seconds += seconds

    def advance_to(self, moment: datetime) -> None:
        """Go on to that moment; one that is over changes nothing."""
        self.advance(max(0.0, (moment - self.now()).total_seconds()))
