"""Accounts and services with their mappings, one item each. Accounts are the vendor's, or tenants with licenses.

Method: groups of 40 entries with their audits in one transaction each; lists of one state come from the index.
Must not: decide anything from the index, which may lag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from trueup.adapters.dynamodb.conditions import (
    CONTENT,
    VERSION,
    ConditionsFailed,
    Operation,
    Put,
    Value,
    at,
    version_is,
)
from trueup.adapters.dynamodb.cursors import read_cursor, require_limit, write_cursor
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.keys import (
    INDEX_PARTITION_KEY,
    INDEX_SORT_KEY,
    LICENSE_ACCOUNTS,
    SORT_KEY,
    VENDOR_ACCOUNTS,
    Key,
)
from trueup.adapters.dynamodb.records import ACCOUNT, SERVICE
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.accounts import ServiceId, VendorAccountId
from trueup.domain.audit import Audit
from trueup.domain.errors import NotFound, VersionConflict
from trueup.domain.mapping import AccountEntry, MappingState, ServiceEntry
from trueup.ports.state import Page

GROUP = 40


class DynamoDbAccounts:
    """The Accounts port, for the accounts of one ``space`` of keys."""

    def __init__(self, table: DynamoDbTable, space: str = VENDOR_ACCOUNTS) -> None:
        self._table = table
        self._chain = Chain(table)
        self._space = space

    def all(self) -> Iterator[AccountEntry]:
        for item in self._table.query_all(self._table.keys.accounts(self._space)):
            yield ACCOUNT.unpack(item[CONTENT])

    def get(self, vendor_id: VendorAccountId) -> AccountEntry:
        item = self._table.get(self._table.keys.account(vendor_id, self._space))
        if item is None:
            raise NotFound(f"there is no {_NOUNS[self._space]} {vendor_id!r}")
        return ACCOUNT.unpack(item[CONTENT])

    def page(self, *, state: MappingState | None, cursor: str | None, limit: int) -> Page[AccountEntry]:
        """A page of very long entries may hold fewer than ``limit``: one query reads one megabyte at most."""
        require_limit(limit)
        if state is None:
            after = None if cursor is None else read_cursor(cursor, self._list_name(None), parts=1)[0]
            found = self._table.query(self._table.keys.accounts(self._space), limit=limit + 1, after=after)
        else:
            prefix = self._table.keys.accounts_in_state(state, self._space)
            place: tuple[str, Key] | None = None
            if cursor is not None:
                index_sort_key, sort_key = read_cursor(cursor, self._list_name(state), parts=2)
                place = index_sort_key, Key(self._table.keys.accounts(self._space).pk, sort_key)
            found = self._table.query_index(prefix, limit=limit + 1, after=place)
        shown = found.items[:limit]
        next_cursor: str | None = None
        if shown and (found.has_more or len(found.items) > limit):
            last = shown[-1]
            parts = [last[SORT_KEY]] if state is None else [last[INDEX_SORT_KEY], last[SORT_KEY]]
            next_cursor = write_cursor(self._list_name(state), *parts)
        return Page(tuple(ACCOUNT.unpack(item[CONTENT]) for item in shown), next_cursor)

    def save(self, entries: Sequence[AccountEntry], audits: Sequence[Audit]) -> tuple[AccountEntry, ...]:
        return save_in_groups(self._chain, entries, audits, name=lambda entry: str(entry.vendor_id), item=self._item)

    def _item(self, entry: AccountEntry) -> dict[str, Value]:
        key = self._table.keys.account(entry.vendor_id, self._space)
        index_key = self._table.keys.account_in_state(entry.state, entry.vendor_name, entry.vendor_id, self._space)
        attributes: dict[str, Value] = {
            CONTENT: ACCOUNT.pack(entry),
            VERSION: entry.version,
            INDEX_PARTITION_KEY: index_key.pk,
            INDEX_SORT_KEY: index_key.sk,
        }
        return at(key, attributes)

    def _list_name(self, state: MappingState | None) -> str:
        return self._space if state is None else f"{self._space} {state.value}"


_NOUNS = {VENDOR_ACCOUNTS: "vendor account", LICENSE_ACCOUNTS: "tenant"}


class DynamoDbServices:
    """The Services port."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)

    def all(self) -> tuple[ServiceEntry, ...]:
        return tuple(SERVICE.unpack(item[CONTENT]) for item in self._table.query_all(self._table.keys.services()))

    def get(self, service_id: ServiceId) -> ServiceEntry:
        item = self._table.get(self._table.keys.service(service_id))
        if item is None:
            raise NotFound(f"there is no vendor service {service_id!r}")
        return SERVICE.unpack(item[CONTENT])

    def save(self, entries: Sequence[ServiceEntry], audits: Sequence[Audit]) -> tuple[ServiceEntry, ...]:
        return save_in_groups(self._chain, entries, audits, name=lambda entry: str(entry.service_id), item=self._item)

    def _item(self, entry: ServiceEntry) -> dict[str, Value]:
        key = self._table.keys.service(entry.service_id)
        return at(key, {CONTENT: SERVICE.pack(entry), VERSION: entry.version})


def save_in_groups[Entry: (AccountEntry, ServiceEntry)](
    chain: Chain,
    entries: Sequence[Entry],
    audits: Sequence[Audit],
    *,
    name: Callable[[Entry], str],
    item: Callable[[Entry], dict[str, Value]],
) -> tuple[Entry, ...]:
    """Store groups of 40, each whole; an audit goes with the entry that is its subject, others with the first group."""
    groups = {name(entry): place // GROUP for place, entry in enumerate(entries)}
    if not entries:
        chain.write([], audits)
    stored: list[Entry] = []
    for number, start in enumerate(range(0, len(entries), GROUP)):
        group = entries[start : start + GROUP]
        names = [name(entry) for entry in group]
        twice = next((one for one in names if names.count(one) > 1), None)
        if twice is not None:
            raise _moved(twice)
        fresh = [replace(entry, version=entry.version + 1) for entry in group]
        operations: list[Operation] = [
            Put(item(after), version_is(before.version)) for before, after in zip(group, fresh, strict=True)
        ]
        try:
            chain.write(operations, [audit for audit in audits if groups.get(audit.subject, 0) == number])
        except ConditionsFailed as refused:
            raise _moved(names[min(refused.failed)]) from refused
        stored.extend(fresh)
    return tuple(stored)


def _moved(name: str) -> VersionConflict:
    return VersionConflict(f"{name!r} was changed by somebody else since it was read")
