"""Every portal user in one item, so that a file is taken over whole and a check is stored whole.

Must not: decide who may be added; the domain does.
"""

from __future__ import annotations

from dataclasses import replace

from trueup.adapters.dynamodb.conditions import CONTENT, VERSION, ConditionsFailed, Put, at, version_is
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.records import PORTAL_BOOK
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.audit import Audit
from trueup.domain.errors import VersionConflict
from trueup.domain.portal_users import PortalBook


class DynamoDbPortalUsers:
    """The PortalUsers port."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)

    def get(self) -> PortalBook:
        item = self._table.get(self._table.keys.portal_users())
        return PortalBook() if item is None else PORTAL_BOOK.unpack(item[CONTENT])

    def save(self, book: PortalBook, audit: Audit) -> PortalBook:
        stored = replace(book, version=book.version + 1)
        item = at(self._table.keys.portal_users(), {CONTENT: PORTAL_BOOK.pack(stored), VERSION: stored.version})
        try:
            self._chain.write([Put(item, version_is(book.version))], [audit])
        except ConditionsFailed as refused:
            raise VersionConflict("the portal users were changed by somebody else since they were read") from refused
        return stored
