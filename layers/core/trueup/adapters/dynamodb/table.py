"""The one table: reads, queries and whole writes, with bounded patience.

Method: the low-level client; every write goes through one transaction with a token, so that a repeat after a lost reply
is not taken for somebody else's change. What DynamoDB hands back unprocessed is sent again, and in the end raised.
Must not: wait for ever, drop an item, or read from the index what a decision rests on.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
)

from trueup.adapters.dynamodb.conditions import (
    WRITTEN_BY,
    Check,
    Condition,
    ConditionsFailed,
    Delete,
    Item,
    Operation,
    Put,
    Value,
)
from trueup.adapters.dynamodb.failures import meaning
from trueup.adapters.dynamodb.keys import (
    INDEX,
    INDEX_PARTITION_KEY,
    INDEX_SORT_KEY,
    PARTITION_KEY,
    SORT_KEY,
    Key,
    Keys,
    Prefix,
)
from trueup.domain.errors import ConfigurationInvalid, RecordTooLarge, StateTrouble, StateUnavailable
from trueup.ports.clock import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

ITEM_MAXIMUM_BYTES = 400 * 1024
TRANSACTION_MAXIMUM_BYTES = 4_000_000
TRANSACTION_MAXIMUM_OPERATIONS = 100
_WRITE_BATCH = 25
_READ_BATCH = 100
_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 2.0
_NUMBER_BYTES = 21

type StoredItem = dict[str, Any]


@dataclass(frozen=True, slots=True)
class QueryPage:
    """What one query brought. ``has_more`` says that the table stopped before the end (limit or one megabyte)."""

    items: tuple[StoredItem, ...]
    has_more: bool


class DynamoDbTable:
    """One tenant's view of the table. ``attempts`` bounds every call; waits double from 50 ms to 2 s, with jitter."""

    def __init__(
        self, client: DynamoDBClient, table_name: str, tenant: str, clock: Clock, *, attempts: int = 8
    ) -> None:
        self.keys = Keys(tenant)
        self.clock = clock
        self._client = client
        self._table_name = table_name
        self._attempts = attempts

    def get(self, key: Key) -> StoredItem | None:
        """The item as it is now (consistent read)."""
        reply = self._call("get_item", TableName=self._table_name, Key=self._typed_key(key), ConsistentRead=True)
        item = reply.get("Item")
        return None if item is None else self._untyped(item)

    def get_many(self, keys: Sequence[Key]) -> dict[Key, StoredItem]:
        """Those that exist, as they are now. Raises StateUnavailable when some are left unread after all attempts."""
        found: dict[Key, StoredItem] = {}
        unique = list(dict.fromkeys(keys))
        for start in range(0, len(unique), _READ_BATCH):
            wanted: list[Any] = [self._typed_key(key) for key in unique[start : start + _READ_BATCH]]
            for attempt in range(self._attempts):
                request = {self._table_name: {"Keys": wanted, "ConsistentRead": True}}
                reply = self._call("batch_get_item", RequestItems=request)
                for raw in reply.get("Responses", {}).get(self._table_name, ()):
                    item = self._untyped(raw)
                    found[Key(item[PARTITION_KEY], item[SORT_KEY])] = item
                wanted = reply.get("UnprocessedKeys", {}).get(self._table_name, {}).get("Keys", [])
                if not wanted:
                    break
                self._wait(attempt)
            if wanted:
                raise StateUnavailable(f"the table left {len(wanted)} records unread after {self._attempts} attempts")
        return found

    def put_many(self, items: Sequence[Item]) -> None:
        """Store items that nobody else writes (new generations, content by its address); no condition, any order."""
        for item in items:
            _require_size(item)
        self._write_many([{"PutRequest": {"Item": self._typed(item)}} for item in items])

    def delete_many(self, keys: Sequence[Key]) -> None:
        self._write_many([{"DeleteRequest": {"Key": self._typed_key(key)}} for key in keys])

    def write(self, operations: Sequence[Operation]) -> None:
        """All operations or none. Raises ConditionsFailed naming the operations whose condition did not hold.

        Every item carries the token of the write that stored it. The table remembers tokens for minutes only, and an
        embedded one only until it is restarted; the item tells for as long as it stands whose write was carried out.
        """
        token = secrets.token_hex(16)
        operations = [_marked(operation, token) for operation in operations]
        if len(operations) > TRANSACTION_MAXIMUM_OPERATIONS:
            raise RecordTooLarge(f"{len(operations)} records cannot be stored in one step")
        sizes = [_require_size(operation.item) for operation in operations if isinstance(operation, Put)]
        if sum(sizes) > TRANSACTION_MAXIMUM_BYTES:
            raise RecordTooLarge(f"records of {sum(sizes)} bytes cannot be stored in one step")
        try:
            self._call(
                "transact_write_items",
                TransactItems=[self._typed_operation(operation) for operation in operations],
                ClientRequestToken=token,
            )
        except ConditionsFailed as refused:
            if not refused.came_after_a_failure or not self._has_written(operations, token):
                raise

    def update(self, key: Key, expression: str, condition: Condition, values: Item) -> StoredItem:
        """Change one item where it lies and return it as it is then. Raises ConditionsFailed.

        When a reply is lost the change may have been carried out, and it is made again: for numbers that may be too
        high, and nothing else.
        """
        reply = self._call(
            "update_item",
            TableName=self._table_name,
            Key=self._typed_key(key),
            UpdateExpression=expression,
            ConditionExpression=condition.expression,
            ExpressionAttributeValues=self._typed({**condition.values, **values}),
            ReturnValues="ALL_NEW",
        )
        return self._untyped(reply["Attributes"])

    def query(
        self,
        prefix: Prefix,
        *,
        limit: int | None = None,
        forward: bool = True,
        after: str | None = None,
        between: tuple[str, str] | None = None,
    ) -> QueryPage:
        """One query, consistent. ``after`` is the sort key to go on behind; ``between`` two sort keys, both read."""
        values = {":pk": prefix.pk}
        expression = f"{PARTITION_KEY} = :pk"
        if between is not None:
            expression += f" AND {SORT_KEY} BETWEEN :low AND :high"
            values |= {":low": between[0], ":high": between[1]}
        elif prefix.sk:
            expression += f" AND begins_with({SORT_KEY}, :prefix)"
            values |= {":prefix": prefix.sk}
        request = self._query_request(expression, values, limit, forward)
        if after is not None:
            request["ExclusiveStartKey"] = self._typed_key(Key(prefix.pk, after))
        return self._query(ConsistentRead=True, **request)

    def query_index(self, prefix: Prefix, *, limit: int, after: tuple[str, Key] | None) -> QueryPage:
        """One query of the index, which may lag: for lists that people look at. ``after``: index sort key and key."""
        request = self._query_request(f"{INDEX_PARTITION_KEY} = :pk", {":pk": prefix.pk}, limit, forward=True)
        if after is not None:
            index_sort_key, key = after
            index_key = {INDEX_PARTITION_KEY: {"S": prefix.pk}, INDEX_SORT_KEY: {"S": index_sort_key}}
            request["ExclusiveStartKey"] = self._typed_key(key) | index_key
        return self._query(IndexName=INDEX, **request)

    def query_all(self, prefix: Prefix) -> Iterator[StoredItem]:
        """Every item, page after page, in the order of the sort key."""
        after: str | None = None
        while True:
            page = self.query(prefix, after=after)
            yield from page.items
            if not page.has_more:
                return
            # A page may be empty and yet not the last one only under a filter, and no query here has one.
            if not page.items:
                raise StateTrouble("the table says that there is more and gives nothing")
            after = page.items[-1][SORT_KEY]

    def pause(self, attempt: int) -> None:
        """Wait before a write is tried again that somebody else came before."""
        self._wait(attempt)

    def _query_request(
        self, expression: str, values: Mapping[str, str], limit: int | None, forward: bool
    ) -> dict[str, Any]:
        request: dict[str, Any] = {
            "TableName": self._table_name,
            "KeyConditionExpression": expression,
            "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
            "ScanIndexForward": forward,
        }
        return request if limit is None else request | {"Limit": limit}

    def _query(self, **request: Any) -> QueryPage:
        reply = self._call("query", **request)
        items = tuple(self._untyped(item) for item in reply.get("Items", ()))
        return QueryPage(items, has_more=bool(reply.get("LastEvaluatedKey")))

    def _write_many(self, requests: list[dict[str, Any]]) -> None:
        for start in range(0, len(requests), _WRITE_BATCH):
            left = requests[start : start + _WRITE_BATCH]
            for attempt in range(self._attempts):
                reply = self._call("batch_write_item", RequestItems={self._table_name: left})
                left = reply.get("UnprocessedItems", {}).get(self._table_name, [])
                if not left:
                    break
                self._wait(attempt)
            if left:
                raise StateUnavailable(f"the table left {len(left)} records unwritten after {self._attempts} attempts")

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        send: Callable[..., dict[str, Any]] = getattr(self._client, operation)
        last: Exception | None = None
        for attempt in range(self._attempts):
            try:
                return send(**request)
            except ClientError as error:
                end = meaning(error)
                if isinstance(end, ConditionsFailed):
                    end.came_after_a_failure = last is not None
                if end is not None:
                    raise end from error
                last = error
            except ParamValidationError as error:
                raise StateTrouble(f"{operation} was asked for in a form that does not exist") from error
            except (NoCredentialsError, PartialCredentialsError, NoRegionError) as error:
                raise ConfigurationInvalid(
                    f"the table cannot be called: {type(error).__name__}",
                    remedy="Give this process a role or credentials and a region.",
                ) from error
            except BotoCoreError as error:
                # No answer, or none that could be read. The same request is safe: reads change nothing, batches put the
                # same items again, transactions carry a token.
                last = error
            if attempt + 1 < self._attempts:
                self._wait(attempt)
        reason = last.response["Error"]["Code"] if isinstance(last, ClientError) else type(last).__name__
        raise StateUnavailable(f"the table did not {operation} in {self._attempts} attempts: {reason}") from last

    def _has_written(self, operations: Sequence[Operation], token: str) -> bool:
        keys = [
            Key(str(put.item[PARTITION_KEY]), str(put.item[SORT_KEY])) for put in operations if isinstance(put, Put)
        ]
        return any(item.get(WRITTEN_BY) == token for item in self.get_many(keys).values())

    def _wait(self, attempt: int) -> None:
        longest = min(_FIRST_WAIT_SECONDS * 2.0**attempt, _LONGEST_WAIT_SECONDS)
        self.clock.sleep(longest * (0.5 + secrets.randbelow(500) / 1000))

    def _typed_key(self, key: Key) -> dict[str, Any]:
        return {PARTITION_KEY: {"S": key.pk}, SORT_KEY: {"S": key.sk}}

    def _typed(self, item: Item) -> dict[str, Any]:
        return {name: _typed_value(value) for name, value in item.items()}

    def _untyped(self, item: Mapping[str, Mapping[str, Any]]) -> StoredItem:
        return {name: int(value["N"]) if "N" in value else next(iter(value.values())) for name, value in item.items()}

    def _typed_operation(self, operation: Operation) -> dict[str, Any]:
        request: dict[str, Any] = {"TableName": self._table_name}
        match operation:
            case Put(item, condition):
                return {"Put": request | {"Item": self._typed(item)} | self._typed_condition(condition)}
            case Delete(key, condition):
                return {"Delete": request | {"Key": self._typed_key(key)} | self._typed_condition(condition)}
            case Check(key, condition):
                return {"ConditionCheck": request | {"Key": self._typed_key(key)} | self._typed_condition(condition)}

    def _typed_condition(self, condition: Condition | None) -> dict[str, Any]:
        if condition is None:
            return {}
        typed: dict[str, Any] = {"ConditionExpression": condition.expression}
        if condition.values:
            typed["ExpressionAttributeValues"] = self._typed(condition.values)
        return typed


def _marked(operation: Operation, token: str) -> Operation:
    if isinstance(operation, Put):
        return Put({**operation.item, WRITTEN_BY: token}, operation.condition)
    return operation


def _typed_value(value: Value) -> dict[str, Any]:
    """Items hold only text, whole numbers and bytes; everything else is inside the bytes."""
    match value:
        case str():
            return {"S": value}
        case bytes():
            return {"B": value}
        case int():
            return {"N": str(value)}


def item_size(item: Item) -> int:
    """How many bytes the table counts for an item; numbers are counted with the most they can take."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Value) -> int:
    match value:
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case int():
            return _NUMBER_BYTES


def _require_size(item: Item) -> int:
    size = item_size(item)
    if size > ITEM_MAXIMUM_BYTES:
        raise RecordTooLarge(
            f"a record of {size} bytes does not fit into the {ITEM_MAXIMUM_BYTES} bytes that the table takes",
            remedy="Shorten the texts of this one record; nothing of this call was stored.",
        )
    return size
