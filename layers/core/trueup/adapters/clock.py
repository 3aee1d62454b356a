"""The machine's own clock, behind the Clock port. It must not be used by rules: they are given a time."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Real time: UTC from the system, durations from the monotonic counter, waits that truly wait."""

    def now(self) -> datetime:
        """The present as an aware datetime in UTC."""
        return datetime.now(UTC)

    def monotonic_seconds(self) -> float:
        """Seconds on a counter that never goes back, also when the system's time is corrected."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that long; nothing at all for zero or less."""
        if seconds > 0:
            time.sleep(seconds)
