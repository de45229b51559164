"""Emptying a partition: read as it is removed, batch by batch, each counted by what it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from bg_ingest.readings.stored.formats import HourUnreadable
from bg_ingest.readings.stored.hour_items import hour_from_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bg_ingest.dynamo import Item, Table

BATCH_ITEMS_MAX = 25  # DynamoDB's own limit.

# How the receipt calls what the users table holds, by the first part of the sort key.
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
    """One partition of one table, the items of it that are to go, and how they are counted."""

    table: Table
    pk: str
    goes: Callable[[Item], bool]
    counted: Callable[[Item], Counter[str]]

    def empty(self) -> Iterator[Counter[str]]:
        """Remove batch after batch; each is removed by the time its counts are given."""
        items = self.table.query("pk = :pk", {":pk": self.pk}, consistent=True)
        going = (item for item in items if self.goes(item))
        while batch := list(islice(going, BATCH_ITEMS_MAX)):
            self.table.delete_all([(item["pk"], item["sk"]) for item in batch])
            yield sum(map(self.counted, batch), Counter())


def as_hour(item: Item) -> Counter[str]:
    """An hour, and as many readings as are in it; one that cannot be read is removed all the same."""
    try:
        readings = len(hour_from_item(item).readings)
    except (HourUnreadable, ValueError, KeyError):
        readings = 0
    return Counter(hours=1) + Counter(readings=readings)


def as_audit_entry(_: Item) -> Counter[str]:
    """One entry of the audit."""
    return Counter(audit_entries=1)


def as_kind(item: Item) -> Counter[str]:
    """One of what its sort key says."""
    return Counter({_KINDS.get(item["sk"].partition("#")[0], "others"): 1})
