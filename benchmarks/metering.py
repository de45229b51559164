"""DynamoDB units, from its own answers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_READS = {"GetItem", "Query"}
_WRITES = {"PutItem", "UpdateItem", "DeleteItem"}


class Meter:
    """Adds up the units of every call of one client.

    A refused condition costs as much as the write, but its answer does not state the units. It is counted
    as one unit, the price of an item of up to a kilobyte.
    """

    def __init__(self, client: DynamoDBClient) -> None:
        self.units: Counter[tuple[str, str]] = Counter()
        self.calls = 0
        for operation in _READS | _WRITES:
            client.meta.events.register(f"before-parameter-build.dynamodb.{operation}", self._ask)
            client.meta.events.register(f"after-call.dynamodb.{operation}", self._add)

    def reset(self) -> None:
        """Reset the counts."""
        self.units.clear()
        self.calls = 0

    def written(self, table: str) -> float:
        """Return the write units of a table."""
        return self.units[table, "write"]

    def read(self, table: str) -> float:
        """Return the read units of a table."""
        return self.units[table, "read"]

    def _ask(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"
        context["metered_table"] = params["TableName"]

    def _add(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        self.calls += 1
        kind = "write" if model.name in _WRITES else "read"
        refused = parsed.get("Error", {}).get("Code") == "ConditionalCheckFailedException"
        consumed = 1 if refused else parsed.get("ConsumedCapacity", {}).get("CapacityUnits", 0)
        self.units[context["metered_table"], kind] += consumed
