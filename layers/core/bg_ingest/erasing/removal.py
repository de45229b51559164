"""Emptying a partition in batches, and counting what was removed by its kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from bg_ingest.readings.stored.hour_items import HourUnreadable, hour_from_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bg_ingest.dynamo import Item, Table

BATCH_ITEMS_MAX = 25  # DynamoDB's limit.

# The receipt's names for the items of the users table, by the first part of the sort key.
_KINDS = {
    "connection": "connections",
    "day": "days",
    "inbox": "webhooks",
    "job": "jobs",
    "login": "logins",
    "quarantine": "quarantined",
    "sync": "sync_states",
}


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of one table, which of its items are removed, and how they are counted."""

    table: Table
    pk: str
    is_removed: Callable[[Item], bool]
    count: Callable[[Item], Counter[str]]

    def empty(self) -> Iterator[Counter[str]]:
        """Remove batch after batch; each batch is removed before its counts are yielded."""
        items = self.table.query("pk = :pk", {":pk": self.pk}, consistent=True)
        removed = (item for item in items if self.is_removed(item))
        while batch := list(islice(removed, BATCH_ITEMS_MAX)):
            self.table.delete_all([(item["pk"], item["sk"]) for item in batch])
            yield sum(map(self.count, batch), Counter())


def count_hour(item: Item) -> Counter[str]:
    """One hour and its readings; an unreadable hour counts without readings."""
    try:
        readings = len(hour_from_item(item).readings)
    except (HourUnreadable, ValueError, KeyError):
        readings = 0
    return Counter(hours=1) + Counter(readings=readings)


def count_audit_entry(_: Item) -> Counter[str]:
    """One audit entry."""
    return Counter(audit_entries=1)


def count_by_kind(item: Item) -> Counter[str]:
    """One item of the users table, by its sort key."""
    return Counter({_KINDS.get(item["sk"].partition("#")[0], "others"): 1})
