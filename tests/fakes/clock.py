"""A clock that stands still unless it is told to move; waiting moves it. For tests that must not sleep."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

DEFAULT_START = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)


class FakeClock:
    """Implements the Clock port. ``sleeps`` lists every wait asked for, in order; zero and less are left out."""

    def __init__(self, start: datetime = DEFAULT_START, *, tick_seconds: float = 0.0) -> None:
        self._start = start
        self._elapsed_seconds = 0.0
        self._tick_seconds = tick_seconds
        self._lock = threading.Lock()
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        with self._lock:
            return self._start + timedelta(seconds=self._elapsed_seconds)

    def monotonic_seconds(self) -> float:
        """Each reading moves the clock on by ``tick_seconds`` first, so that deadlines can be met without waiting."""
        with self._lock:
            self._elapsed_seconds += self._tick_seconds
            return self._elapsed_seconds

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            with self._lock:
                self._elapsed_seconds += seconds
                self.sleeps.append(seconds)

    def advance(self, seconds: float) -> None:
        """Move on without anybody having waited."""
        with self._lock:
            self._elapsed_seconds += seconds

    def step_to(self, moment: datetime) -> None:
        """Set the wall clock, forward or back, as a time server does; the monotonic clock goes on as it was."""
        with self._lock:
            self._start = moment - timedelta(seconds=self._elapsed_seconds)
