"""The connections, one item each. Must not: hold a secret; those are in the vault."""

from __future__ import annotations

from dataclasses import replace

from trueup.adapters.dynamodb.conditions import CONTENT, VERSION, Put, at, version_is
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.records import INTEGRATION
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.audit import Audit
from trueup.domain.integrations import Integration, IntegrationName


class DynamoDbIntegrations:
    """The Integrations port."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)

    def get(self, name: IntegrationName) -> Integration:
        item = self._table.get(self._table.keys.integration(name))
        return Integration(name) if item is None else INTEGRATION.unpack(item[CONTENT])

    def all(self) -> tuple[Integration, ...]:
        found = self._table.get_many([self._table.keys.integration(name) for name in IntegrationName])
        stored = {item.name: item for item in (INTEGRATION.unpack(raw[CONTENT]) for raw in found.values())}
        return tuple(stored.get(name, Integration(name)) for name in IntegrationName)

    def save(self, integration: Integration, audit: Audit | None) -> Integration:
        stored = replace(integration, version=integration.version + 1)
        key = self._table.keys.integration(integration.name)
        item = at(key, {CONTENT: INTEGRATION.pack(stored), VERSION: stored.version})
        self._chain.write([Put(item, version_is(integration.version))], [audit])
        return stored
