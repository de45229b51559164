"""The size of an item as DynamoDB counts it: a write costs one unit for each kilobyte that it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bg_ingest.dynamo import Item

WRITE_UNIT_BYTES = 1024


def item_bytes(item: Item) -> int:
    """The bytes of all names and values; every number is an integer."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Any) -> int:
    match value:
        case None | bool():
            return 1
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case dict():
            return 3 + sum(len(name.encode()) + _value_bytes(each) + 1 for name, each in value.items())
        case list():
            return 3 + sum(_value_bytes(each) + 1 for each in value)
    # An integer: a byte for each pair of digits up to the last pair that is not zero, one more, and one
    # for a minus.
    digits = str(abs(int(value))).lstrip("0")
    pairs = digits.zfill(len(digits) + len(digits) % 2)
    while pairs.endswith("00"):
        pairs = pairs[:-2]
    return len(pairs) // 2 + 1 + int(value < 0)
