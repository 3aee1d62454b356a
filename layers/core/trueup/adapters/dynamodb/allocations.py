"""How people divided seats among several lines: one record for each client and product of a PSA.

Must not: decide whether a division still fits the lines; the domain does.
"""

from __future__ import annotations

from dataclasses import replace

from trueup.adapters.dynamodb.conditions import CONTENT, VERSION, ConditionsFailed, Delete, Put, at, version_is
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.keys import Key
from trueup.adapters.dynamodb.records import ALLOCATION
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.allocation import Allocation
from trueup.domain.audit import Audit
from trueup.domain.errors import VersionConflict


class DynamoDbAllocations:
    """The Allocations port."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)

    def all(self) -> tuple[Allocation, ...]:
        found = self._table.query_all(self._table.keys.allocations())
        return tuple(ALLOCATION.unpack(item[CONTENT]) for item in found)

    def save(self, allocation: Allocation, audit: Audit) -> Allocation:
        stored = replace(allocation, version=allocation.version + 1)
        key = self._key(allocation)
        item = at(key, {CONTENT: ALLOCATION.pack(stored), VERSION: stored.version})
        try:
            self._chain.write([Put(item, version_is(allocation.version))], [audit])
        except ConditionsFailed as refused:
            raise _moved(allocation) from refused
        return stored

    def remove(self, allocation: Allocation, audit: Audit) -> bool:
        key = self._key(allocation)
        item = self._table.get(key)
        if item is None:
            return False
        try:
            self._chain.write([Delete(key, version_is(int(item[VERSION])))], [audit])
        except ConditionsFailed as refused:
            raise _moved(allocation) from refused
        return True

    def _key(self, allocation: Allocation) -> Key:
        return self._table.keys.allocation(allocation.psa_system, allocation.psa_account_id, allocation.product_id)


def _moved(allocation: Allocation) -> VersionConflict:
    named = f"product {allocation.product_id} of client {allocation.psa_account_id}"
    return VersionConflict(f"the division of {named} was changed by somebody else")
