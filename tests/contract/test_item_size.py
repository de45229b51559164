"""The size of an item as DynamoDB itself counts it: it charges a second write unit for one byte more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.dynamo import to_attributes
from bg_ingest.sync.quiet_polls import WRITE_UNIT_BYTES, item_bytes

if TYPE_CHECKING:
    from bg_ingest.dynamo import Item, Table


@pytest.mark.integration
@pytest.mark.parametrize(
    "item",
    [
        {"text": "ä€"},
        {"one": 5, "three": 120, "thirteen": 1_764_154_000_123, "zero": 0, "round": 1_000_000, "less": -17},
        {"nothing": None, "truth": True, "bytes": b"ab"},
        {"nested": {"of": "text", "numbers": [1, 23, 456], "no": None}},
    ],
    ids=["text", "numbers", "short", "nested"],
)
def test_dynamodb_charges_by_this_size(users_table: Table, item: Item) -> None:
    """Exactly a kilobyte costs one unit, and one byte more costs two."""
    item = {"pk": "user", "sk": "size", "filled": b"", **item}
    room = WRITE_UNIT_BYTES - item_bytes(item)

    def units(filled: int) -> float:
        users_table.delete("user", "size")
        answer = users_table.client.put_item(
            TableName=users_table.name,
            Item=to_attributes(item | {"filled": bytes(filled)}),
            ReturnConsumedCapacity="TOTAL",
        )
        return answer["ConsumedCapacity"]["CapacityUnits"]

    assert (units(room), units(room + 1)) == (1, 2)
