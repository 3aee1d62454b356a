"""Keys of machines, one item each. Must not: hold the secret of a key; only its hash is ever given here."""

from __future__ import annotations

from dataclasses import replace

from trueup.adapters.dynamodb.conditions import CONTENT, VERSION, Put, at, version_is
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.records import API_KEY
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.api_keys import ApiKey
from trueup.domain.audit import Audit
from trueup.domain.errors import NotFound


class DynamoDbApiKeys:
    """The ApiKeys port. A revoked key stays, so that the history can be read."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)

    def all(self) -> tuple[ApiKey, ...]:
        found = [API_KEY.unpack(item[CONTENT]) for item in self._table.query_all(self._table.keys.api_keys())]
        return tuple(sorted(found, key=lambda key: (key.created_at, key.id), reverse=True))

    def get(self, key_id: str) -> ApiKey:
        item = self._table.get(self._table.keys.api_key(key_id))
        if item is None:
            # What was asked for may be anything that somebody sent as a key: it is not repeated.
            raise NotFound("there is no such API key")
        return API_KEY.unpack(item[CONTENT])

    def save(self, key: ApiKey, audit: Audit) -> ApiKey:
        stored = replace(key, version=key.version + 1)
        item = at(self._table.keys.api_key(key.id), {CONTENT: API_KEY.pack(stored), VERSION: stored.version})
        self._chain.write([Put(item, version_is(key.version))], [audit])
        return stored
