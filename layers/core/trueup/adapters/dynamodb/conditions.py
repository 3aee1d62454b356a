"""What a write asks of the table: operations, and the conditions they are bound to.

Must not: talk to DynamoDB; the table does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trueup.adapters.dynamodb.keys import PARTITION_KEY, SORT_KEY, Key
from trueup.domain.errors import VersionConflict

type Value = str | int | bytes
type Item = Mapping[str, Value]

VERSION = "record_version"
CONTENT = "content"
WRITTEN_BY = "written_by"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on the record as it is stored; attribute names are ours and none is a reserved word."""

    expression: str
    values: Mapping[str, Value] = field(default_factory=dict)


ABSENT = Condition(f"attribute_not_exists({PARTITION_KEY})")


def version_is(version: int) -> Condition:
    """The record still has the version that was read; 0 means that there is none yet."""
    return Condition(f"{VERSION} = :version", {":version": version}) if version else ABSENT


def attribute_is(name: str, value: Value | None) -> Condition:
    """The attribute still has the value that was read; None means that there is no such record yet."""
    return ABSENT if value is None else Condition(f"{name} = :value", {":value": value})


@dataclass(frozen=True, slots=True)
class Put:
    """Store this item whole."""

    item: Item
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove what lies at this key."""

    key: Key
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Change nothing, and hold the others back unless the condition holds."""

    key: Key
    condition: Condition


type Operation = Put | Delete | Check


class ConditionsFailed(VersionConflict):
    """Nothing was stored, because conditions did not hold. ``failed`` are the places of their operations.

    ``came_after_a_failure`` tells that the same call was sent before and its reply lost: it may be its own write that
    was met.
    """

    def __init__(self, failed: frozenset[int]) -> None:
        super().__init__("a stored record was changed by somebody else since it was read")
        self.failed = failed
        self.came_after_a_failure = False


def at(key: Key, attributes: Item) -> dict[str, Value]:
    """An item at that key."""
    return {PARTITION_KEY: key.pk, SORT_KEY: key.sk, **attributes}
