"""Portal users in memory."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.state_memory import Store, effect, require_version
from trueup.domain.audit import Audit
from trueup.domain.portal_users import PortalBook


class FakePortalUsers(Store):
    def get(self) -> PortalBook:
        return self._memory.portal_book

    @effect("portal_users.save")
    def save(self, book: PortalBook, audit: Audit) -> PortalBook:
        require_version("the portal users", book.version, self._memory.portal_book.version)
        self._memory.portal_book = replace(book, version=book.version + 1)
        self._memory.log(audit)
        return self._memory.portal_book
