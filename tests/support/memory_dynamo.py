"""
DynamoDB in memory: the operations that the service uses, safe for threads.

It evaluates the expressions that the stores send. The tests in tests/contract run against it and against
moto.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from tests.support.memory_expressions import changed, holds

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

Attributes = dict[str, Any]
Key = tuple[str, str]

_BATCH_KEYS_MAX = 100
_INDEX = "seat"  # The only index.
_PARTITION_CONDITION = re.compile(r"(\w+) = (:\w+)")
_RANGE_CONDITION = re.compile(r"pk = (:\w+) AND sk BETWEEN (:\w+) AND (:\w+)$")
_USER_CONDITION = re.compile(r"pk = (:\w+)(?: AND |$)")


@dataclass
class MemoryDynamo:
    """The operations of boto3's client, on dictionaries."""

    tables: defaultdict[str, dict[Key, Attributes]] = field(default_factory=lambda: defaultdict(dict))
    page_items_max: int = 50  # Small, so that tests use paging.
    writes: int = 0
    _keys: defaultdict[str, defaultdict[str, set[Key]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def client(cls) -> DynamoDBClient:
        """A new in-memory DynamoDB, typed as boto3's client."""
        return cast("DynamoDBClient", cls())

    def get_item(self, *, TableName: str, Key: Attributes, **_: Any) -> Attributes:  # noqa: N803 - boto3's.
        """One item."""
        item = self.tables[TableName].get(_key(Key))
        return {"Item": dict(item)} if item else {}

    def put_item(self, *, TableName: str, Item: Attributes, **request: Any) -> Attributes:  # noqa: N803 - boto3's.
        """Replace an item if the condition holds."""
        self._write(TableName, _key(Item), request, lambda _: dict(Item))
        return {}

    def update_item(self, *, TableName: str, Key: Attributes, **request: Any) -> Attributes:  # noqa: N803 - boto3's.
        """Change an item if the condition holds."""
        expression, values = request["UpdateExpression"], request.get("ExpressionAttributeValues", {})
        _, after = self._write(
            TableName, _key(Key), request, lambda item: changed(expression, {**Key, **item}, values)
        )
        return {"Attributes": after}

    def delete_item(self, *, TableName: str, Key: Attributes, **request: Any) -> Attributes:  # noqa: N803 - boto3's.
        """Remove an item if the condition holds."""
        before, _ = self._write(TableName, _key(Key), request, lambda _: None)
        return {"Attributes": before} if before else {}

    def query(self, *, TableName: str, **request: Any) -> Attributes:  # noqa: N803 - boto3's.
        """The next page of items that match the key condition."""
        condition, values = request["KeyConditionExpression"], request["ExpressionAttributeValues"]
        with self._lock:
            items = [
                dict(item) for item in self._candidates(TableName, request) if holds(condition, item, values)
            ]
        if "IndexName" in request:
            items = [{name: item[name] for name in ("pk", "sk", request["IndexName"])} for item in items]
        descending = not request.get("ScanIndexForward", True)
        items.sort(key=_key, reverse=descending)
        if start := request.get("ExclusiveStartKey"):
            after = _key(start)
            items = [item for item in items if (_key(item) < after if descending else _key(item) > after)]
        page = items[: min(request.get("Limit", self.page_items_max), self.page_items_max)]
        if len(page) == len(items):
            return {"Items": page}
        return {"Items": page, "LastEvaluatedKey": {name: page[-1][name] for name in ("pk", "sk")}}

    def batch_get_item(self, *, RequestItems: dict[str, Attributes]) -> Attributes:  # noqa: N803 - boto3's.
        """Several items, or some of their attributes. A large batch is not finished."""
        ((table, request),) = RequestItems.items()
        keys = request["Keys"]
        assert len(keys) <= _BATCH_KEYS_MAX
        done = keys[: self.page_items_max]
        with self._lock:
            items = [
                dict(self.tables[table][key]) for each in done if (key := _key(each)) in self.tables[table]
            ]
        if projection := request.get("ProjectionExpression"):
            names = set(projection.split(", "))
            items = [{name: value for name, value in item.items() if name in names} for item in items]
        rest = keys[self.page_items_max :]
        return {"Responses": {table: items}, "UnprocessedKeys": {table: {"Keys": rest}} if rest else {}}

    def transact_write_items(
        self,
        *,
        TransactItems: list[dict[str, Attributes]],  # noqa: N803 - boto3's.
        **_: Any,
    ) -> Attributes:
        """Make all writes if every condition holds; none otherwise."""
        with self._lock:
            held = [self._holds(*entry) for each in TransactItems for entry in each.items()]
        if not all(held):
            reasons = [{"Code": "None" if holding else "ConditionalCheckFailed"} for holding in held]
            error: Any = {"Error": {"Code": "TransactionCanceledException", "Message": "refused"}}
            raise ClientError(error | {"CancellationReasons": reasons}, "TransactWriteItems")
        operations: dict[str, Any] = {
            "Put": self.put_item,
            "Update": self.update_item,
            "Delete": self.delete_item,
        }
        for each in TransactItems:
            for kind, request in each.items():
                operations[kind](**request)
        return {}

    def _holds(self, kind: str, request: Attributes) -> bool:
        if "ConditionExpression" not in request:
            return True
        key = _key(request["Item"] if kind == "Put" else request["Key"])
        item = self.tables[request["TableName"]].get(key, {})
        return holds(request["ConditionExpression"], item, request.get("ExpressionAttributeValues", {}))

    def scan(self, *, TableName: str) -> Attributes:  # noqa: N803 - boto3's.
        """All items in one page, because only tests scan."""
        with self._lock:
            return {"Items": [dict(item) for item in self.tables[TableName].values()]}

    def _candidates(self, table: str, request: Attributes) -> list[Attributes]:
        """The items that may match the key condition, found quickly."""
        items = self.tables[table]
        condition, values = request["KeyConditionExpression"], request["ExpressionAttributeValues"]
        if index := request.get("IndexName"):
            named = _PARTITION_CONDITION.match(condition)
            assert named
            assert named[1] == index == _INDEX
            keys = self._keys[index][values[named[2]]["S"]]
            return [items[key] for key in sorted(keys) if key in items]
        if named := _RANGE_CONDITION.match(condition):
            user_id, first, last = (values[name]["S"] for name in named.groups())
            keys = self._keys[table][user_id]
            return [items[key] for key in keys if first <= key[1] <= last and key in items]
        if named := _USER_CONDITION.match(condition):
            return [items[key] for key in self._keys[table][values[named[1]]["S"]] if key in items]
        return list(items.values())

    def _write(
        self,
        table: str,
        key: Key,
        request: Attributes,
        write: Callable[[Attributes], Attributes | None],
    ) -> tuple[Attributes | None, Attributes | None]:
        condition, values = request.get("ConditionExpression"), request.get("ExpressionAttributeValues", {})
        with self._lock:
            self.writes += 1
            before = self.tables[table].get(key)
            if condition and not holds(condition, before or {}, values):
                raise _refused(before)
            after = write(before or {})
            if after is None:
                self.tables[table].pop(key, None)
            else:
                self.tables[table][key] = after
                self._keys[table][key[0]].add(key)
                if _INDEX in after:
                    self._keys[_INDEX][after[_INDEX]["S"]].add(key)
        return before, after


def _key(attributes: Attributes) -> Key:
    return attributes["pk"]["S"], attributes["sk"]["S"]


def _refused(item: Attributes | None) -> ClientError:
    answer: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": "refused"}}
    return ClientError(answer | ({"Item": dict(item)} if item else {}), "Write")
