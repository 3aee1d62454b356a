"""Portal users: reading what the partner's own account says of them, and keeping who they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trueup.domain.audit import Audit
from trueup.domain.portal_readiness import AccountFacts
from trueup.domain.portal_users import PortalBook, PortalUser


class PortalUserReading(Protocol):
    """The account that the credential belongs to; never one of a customer."""

    def read(self, users: Sequence[PortalUser]) -> AccountFacts:
        """What the account says of these addresses, and of nobody else. It only reads.

        What the credential may not read is told in the facts, with the permission; so is a list that broke off. Raises
        CredentialRejected, and RateLimited or VendorUnavailable when no list of users answered at all.
        """
        ...


class PortalUsers(Protocol):
    """Who is to be a portal user, and what the last check said: one record, stored whole."""

    def get(self) -> PortalBook:
        """The book, empty (version 0) where there is none yet."""
        ...

    def save(self, book: PortalBook, audit: Audit) -> PortalBook:
        """Store it with its audit; returns it with its new version. Raises VersionConflict when it moved."""
        ...
