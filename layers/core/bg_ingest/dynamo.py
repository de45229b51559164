"""
A DynamoDB table with plain Python values, and with refused conditions as results instead of exceptions.

The resource layer of boto3 turns every number into a Decimal, and a refused condition into an exception that
has to be recognised by its text.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]

# A busy DynamoDB may leave part of a read undone, which is then sent again.
_BATCH_TRIES_MAX = 8
_BATCH_KEYS_MAX = 100  # DynamoDB's limit of keys in one read.
# A conflict with another write lasts for milliseconds. The client itself repeats throttled calls.
_TRANSACTION_TRIES_MAX = 4


class Unprocessed(Exception):
    """DynamoDB left part of a read undone in every attempt."""


@dataclass(frozen=True, slots=True)
class Write:
    """
    The result of a conditional write.

    `item` after an accepted update: the item as it is now. After an accepted delete: the item that was
    removed. After a refusal: the item for which the condition failed, or None if there is no item.
    """

    accepted: bool
    item: Item | None


@dataclass(frozen=True, slots=True)
class Change:
    """
    One write of a transaction, on the condition if there is one.

    With `item` the whole item is stored. With `expression` some attributes are changed. With neither the item
    is removed.
    """

    pk: str
    sk: str
    expression: str | None = None
    values: Item | None = None
    item: Item | None = None
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table with the keys `pk` and `sk`."""

    client: DynamoDBClient
    name: str

    def is_active(self) -> bool:
        """Whether the table exists and can be used."""
        return self.client.describe_table(TableName=self.name)["Table"]["TableStatus"] == "ACTIVE"

    def get(self, pk: str, sk: str) -> Item | None:
        """The current item. The read is consistent, because the next write usually depends on it."""
        answer = self.client.get_item(
            TableName=self.name, Key=to_attributes({"pk": pk, "sk": sk}), ConsistentRead=True
        )
        return from_attributes(answer["Item"]) if "Item" in answer else None

    def get_all(
        self, keys: Iterable[tuple[str, str]], attributes: Iterable[str] = (), *, consistent: bool = False
    ) -> list[Item]:
        """
        The items that exist, in no order; if attributes are named, only these.

        The latest writes may be missing unless the read is consistent, at twice the price. Raises
        Unprocessed if DynamoDB left some unread in every attempt.
        """
        remaining: Any = [to_attributes({"pk": pk, "sk": sk}) for pk, sk in keys]
        asked: Any = {"ConsistentRead": consistent}
        if projection := ", ".join(attributes):
            asked["ProjectionExpression"] = projection
        items: list[Item] = []
        tries_left = _BATCH_TRIES_MAX
        while remaining:
            if not tries_left:
                raise Unprocessed(f"{len(remaining)} items are unread after {_BATCH_TRIES_MAX} attempts")
            batch, remaining = remaining[:_BATCH_KEYS_MAX], remaining[_BATCH_KEYS_MAX:]
            answer: Any = self.client.batch_get_item(RequestItems={self.name: {"Keys": batch} | asked})
            found = answer["Responses"].get(self.name, [])
            items += map(from_attributes, found)
            unread = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            tries_left = _BATCH_TRIES_MAX if len(unread) < len(batch) else tries_left - 1
            remaining = [*unread, *remaining]
        return items

    def put(self, item: Item, condition: str | None = None, values: Item | None = None) -> Write:
        """Store the whole item if the condition holds."""
        request = _conditional(condition, values)
        return self._write(
            lambda: self.client.put_item(TableName=self.name, Item=to_attributes(item), **request)
        )

    def update(self, pk: str, sk: str, change: str, values: Item, condition: str | None = None) -> Write:
        """Change some attributes if the condition holds. `change` is an UpdateExpression."""
        request = _conditional(condition, values)
        key = to_attributes({"pk": pk, "sk": sk})
        return self._write(
            lambda: self.client.update_item(
                TableName=self.name, Key=key, UpdateExpression=change, ReturnValues="ALL_NEW", **request
            )
        )

    def delete(self, pk: str, sk: str, condition: str | None = None, values: Item | None = None) -> Write:
        """Remove the item if the condition holds."""
        request = _conditional(condition, values)
        key = to_attributes({"pk": pk, "sk": sk})
        return self._write(
            lambda: self.client.delete_item(TableName=self.name, Key=key, ReturnValues="ALL_OLD", **request)
        )

    def transact(self, changes: Iterable[Change]) -> bool:
        """Make all changes or none; False if a condition did not hold."""
        items = [_transact_item(self.name, change) for change in changes]
        for tries_left in reversed(range(_TRANSACTION_TRIES_MAX)):
            try:
                self.client.transact_write_items(TransactItems=items)
            except ClientError as error:
                reasons: Any = error.response.get("CancellationReasons", [])
                codes = {reason.get("Code") for reason in reasons}
                if "ConditionalCheckFailed" in codes:
                    return False
                if tries_left and "TransactionConflict" in codes:
                    continue  # Another process was writing one of the items.
                raise  # Nothing was written.
            return True
        raise AssertionError  # The last try returns or raises.

    def delete_all(self, keys: Iterable[tuple[str, str]]) -> None:
        """
        Remove items in one transaction; they need not exist.

        Not by BatchWriteItem: a role with that action could also put items.
        """
        changes = [Change(pk, sk) for pk, sk in keys]
        if changes:
            self.transact(changes)

    def query(
        self,
        condition: str,
        values: Item,
        *,
        index: str | None = None,
        descending: bool = False,
        consistent: bool = False,
        page_items_max: int | None = None,
    ) -> Iterator[Item]:
        """The items that match the key condition. Pages are read as their items are consumed."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": to_attributes(values),
            "ScanIndexForward": not descending,
            "ConsistentRead": consistent,
        }
        if index:
            request["IndexName"] = index
        if page_items_max:
            request["Limit"] = page_items_max
        while True:
            page = self.client.query(**request)
            yield from map(from_attributes, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _write(self, send: Any) -> Write:
        try:
            answer = send()
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            found: Any = error.response.get("Item")
            return Write(accepted=False, item=from_attributes(found) if found else None)
        return Write(
            accepted=True, item=from_attributes(answer["Attributes"]) if "Attributes" in answer else None
        )


def _transact_item(table: str, change: Change) -> Any:
    request: dict[str, Any] = {"TableName": table}
    if change.values:
        request["ExpressionAttributeValues"] = to_attributes(change.values)
    if change.condition:
        request["ConditionExpression"] = change.condition
    if change.item is not None:
        return {"Put": request | {"Item": to_attributes(change.item)}}
    request["Key"] = to_attributes({"pk": change.pk, "sk": change.sk})
    if change.expression:
        return {"Update": request | {"UpdateExpression": change.expression}}
    return {"Delete": request}


def _conditional(condition: str | None, values: Item | None) -> dict[str, Any]:
    request: dict[str, Any] = {}
    if values:
        request["ExpressionAttributeValues"] = to_attributes(values)
    if condition:
        # A refusal returns the item, so that no second read is needed, which could race with another write.
        request |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return request


def to_attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values in DynamoDB's form."""
    return {name: _to_attribute(value) for name, value in item.items()}


def from_attributes(item: Mapping[str, Any]) -> Item:
    """Plain values from DynamoDB's form."""
    return {name: _from_attribute(value) for name, value in item.items()}


def _to_attribute(value: Any) -> dict[str, Any]:  # noqa: PLR0911 - one line per type reads best.
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case dict():
            return {"M": to_attributes(value)}
        case list():
            return {"L": [_to_attribute(member) for member in value]}
        case _:
            # Floats are excluded on purpose: DynamoDB's numbers are decimal, so a float could come back
            # changed.
            raise TypeError(f"cannot store a {type(value).__name__}")


def _from_attribute(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return int(value)
        case "B":
            return b64decode(value) if isinstance(value, str) else bytes(value)
        case "M":
            return from_attributes(value)
        case "L":
            return [_from_attribute(member) for member in value]
        case _:  # S and BOOL hold plain values.
            return value
