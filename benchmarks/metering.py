"""DynamoDB units, from its own answers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

_READS = {"get_item", "batch_get_item", "query"}
_WRITES = {"put_item", "update_item", "delete_item", "transact_write_items"}


class Meter:
    """Adds up the units of every call of `client`, which makes the calls of the client it is given.

    A refused condition costs as much as the write, but its answer does not state the units. It is counted
    as one unit, the price of an item of up to a kilobyte.
    """

    def __init__(self, client: DynamoDBClient) -> None:
        self.units: dict[tuple[str, str], float] = defaultdict(float)
        self.calls = 0
        self.client = cast("DynamoDBClient", _Metered(client, self))

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

    def add(self, method: str, table: str, units: float) -> None:
        """Add one call."""
        self.calls += 1
        self.units[table, "write" if method in _WRITES else "read"] += units


@dataclass(frozen=True, slots=True)
class _Metered:
    """A client whose calls are counted."""

    client: DynamoDBClient
    meter: Meter

    def __getattr__(self, method: str) -> Any:
        call = getattr(self.client, method)
        return partial(self._call, method, call) if method in _READS | _WRITES else call

    def _call(self, method: str, call: Callable[..., Any], **request: Any) -> Any:
        try:
            answer = call(**request, ReturnConsumedCapacity="TOTAL")
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                self.meter.add(method, request["TableName"], 1)
            raise
        consumed = answer["ConsumedCapacity"]  # Of a request for several items: a list, by table.
        for each in consumed if isinstance(consumed, list) else [consumed]:
            self.meter.add(method, each["TableName"], each["CapacityUnits"])
        return answer
