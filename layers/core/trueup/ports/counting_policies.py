"""Keeping the rules by which licensed users become seats, every version of them."""

from __future__ import annotations

from typing import Protocol

from trueup.domain.audit import Audit
from trueup.domain.counting_policy import CountingPolicy


class CountingPolicies(Protocol):
    """One policy for the MSP and one for each client that has its own; an earlier version is never changed."""

    def all(self) -> tuple[CountingPolicy, ...]:
        """The newest version of each, those that were taken back too; the MSP's first, then by PSA and client."""
        ...

    def get(self, psa_system: str, scope: str) -> CountingPolicy:
        """The newest version for that client (the MSP: both empty), or one of version 0 where nobody said any."""
        ...

    def versions(self, psa_system: str, scope: str) -> tuple[CountingPolicy, ...]:
        """Every version for that client, the newest first."""
        ...

    def save(self, policy: CountingPolicy, audit: Audit) -> CountingPolicy:
        """Store it as the version after ``policy.version``, which must be the newest one; returns it with its version.

        Raises VersionConflict when somebody else stored one since.
        """
        ...
