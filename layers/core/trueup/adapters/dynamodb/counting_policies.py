"""Counting policies: the one that holds, and beside it every version there was.

Must not: change a version that is stored; a closed month names it.
"""

from __future__ import annotations

from dataclasses import replace

from trueup.adapters.dynamodb.conditions import (
    ABSENT,
    CONTENT,
    VERSION,
    ConditionsFailed,
    Put,
    Value,
    at,
    version_is,
)
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.records import COUNTING_POLICY
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.audit import Audit
from trueup.domain.counting_policy import CountingPolicy
from trueup.domain.errors import VersionConflict


class DynamoDbCountingPolicies:
    """The CountingPolicies port."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)

    def all(self) -> tuple[CountingPolicy, ...]:
        found = [
            COUNTING_POLICY.unpack(item[CONTENT])
            for item in self._table.query_all(self._table.keys.counting_policies())
        ]
        return tuple(sorted(found, key=lambda policy: policy.key))

    def get(self, psa_system: str, scope: str) -> CountingPolicy:
        item = self._table.get(self._table.keys.counting_policy(psa_system, scope))
        if item is None:
            return CountingPolicy(scope=scope, psa_system=psa_system)
        return COUNTING_POLICY.unpack(item[CONTENT])

    def versions(self, psa_system: str, scope: str) -> tuple[CountingPolicy, ...]:
        found = self._table.query_all(self._table.keys.counting_policy_versions(psa_system, scope))
        return tuple(reversed([COUNTING_POLICY.unpack(item[CONTENT]) for item in found]))

    def save(self, policy: CountingPolicy, audit: Audit) -> CountingPolicy:
        stored = replace(policy, version=policy.version + 1)
        keys = self._table.keys
        values: dict[str, Value] = {CONTENT: COUNTING_POLICY.pack(stored), VERSION: stored.version}
        current = Put(at(keys.counting_policy(*policy.key), values), version_is(policy.version))
        past = Put(at(keys.counting_policy_version(*policy.key, stored.version), values), ABSENT)
        try:
            self._chain.write([current, past], [audit])
        except ConditionsFailed as refused:
            raise VersionConflict(f"the {policy.name} was changed by somebody else since it was read") from refused
        return stored
