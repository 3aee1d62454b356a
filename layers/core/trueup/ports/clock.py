"""Time, given from outside so that rules and tests do not depend on the machine's."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present as an aware datetime in UTC."""
        ...

    def monotonic_seconds(self) -> float:
        """A reading that never goes back, for durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        ...
