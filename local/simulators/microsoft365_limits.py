"""How much the simulated Graph lets one application ask for, as it is documented for identity and access.

Token buckets over resource units by tenant and application, and over requests by application. The documented numbers
are the default; a test or a measurement turns them down. It must not wait: it says how long to.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

TENANT_WINDOW_SECONDS = 10.0
APPLICATION_WINDOW_SECONDS = 20.0
REQUESTS_WINDOW_SECONDS = 10.0
UNITS_OF_APPLICATION = 150_000
REQUESTS_OF_APPLICATION = 130_000


def documented_units_of_tenant(users: int) -> int:
    """Units a ten seconds for a tenant of that size."""
    return 3_500 if users < 50 else 5_000 if users <= 500 else 8_000


@dataclass(slots=True)
class _Bucket:
    """What is left, and when that was so."""

    left: float
    at_seconds: float


class Limits:
    """The buckets of one application. Safe to use from every request thread."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.units_of_tenant = 0
        self.units_of_application = UNITS_OF_APPLICATION
        self.requests_of_application = REQUESTS_OF_APPLICATION
        self.units_given = 0
        self.requests_given = 0
        self.requests_refused = 0
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, tenant_id: str, *, users: int, units: int) -> tuple[int, str]:
        """Take the cost of one request: 0, or the seconds to wait and the scope of the limit that is used up."""
        wanted = [
            (
                f"Tenant_Application {tenant_id}",
                units,
                self.units_of_tenant or documented_units_of_tenant(users),
                TENANT_WINDOW_SECONDS,
            ),
            ("Application units", units, self.units_of_application, APPLICATION_WINDOW_SECONDS),
            ("Application requests", 1, self.requests_of_application, REQUESTS_WINDOW_SECONDS),
        ]
        with self._lock:
            now = self._monotonic()
            buckets = [self._filled(name, quota, window, now) for name, _, quota, window in wanted]
            for bucket, (name, cost, quota, window) in zip(buckets, wanted, strict=True):
                # A bucket smaller than one request still gives one when it is full.
                lacking = min(cost, quota) - bucket.left
                if lacking > 1e-9:
                    self.requests_refused += 1
                    return max(math.ceil(lacking * window / quota), 1), name.partition(" ")[0]
            for bucket, (_, cost, _, _) in zip(buckets, wanted, strict=True):
                bucket.left -= cost
            self.units_given += units
            self.requests_given += 1
        return 0, ""

    def _filled(self, name: str, quota: int, window_seconds: float, now: float) -> _Bucket:
        bucket = self._buckets.setdefault(name, _Bucket(float(quota), now))
        bucket.left = min(bucket.left + (now - bucket.at_seconds) * quota / window_seconds, float(quota))
        bucket.at_seconds = now
        return bucket
