"""Emptying a partition in batches, and counting what was removed by its kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from bg_ingest.readings.stored.hour_items import HourUnreadable, hour_from_item
from bg_ingest.sync.quiet_polls import count_in, records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bg_ingest.dynamo import Item, Table

# A transaction holds four megabytes, and an item at most 400 kilobytes.
BATCH_ITEMS_MAX = 10

# The receipt's names for the items of the users and intake tables, by the first part of the sort key.
_KINDS = {
    "connection": "connections",
    "day": "days",
    "display": "settings",
    "inbox": "webhooks",
    "job": "jobs",
    "login": "logins",
    "parked": "logins",
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
    remove: Callable[[Sequence[Item]], None] | None = None  # Of items that others depend on.

    def empty(self) -> Iterator[Counter[str]]:
        """Remove batch after batch; each batch is removed before its counts are yielded."""
        items = self.table.query("pk = :pk", {":pk": self.pk}, consistent=True)
        removed = (item for item in items if self.is_removed(item))
        while batch := list(islice(removed, BATCH_ITEMS_MAX)):
            if self.remove:
                self.remove(batch)
            else:
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


def count_late_entry(_: Item) -> Counter[str]:
    """One entry of the late log."""
    return Counter(others=1)


def count_grant(item: Item) -> Counter[str]:
    """One grant; the items that point to it do not count."""
    return Counter(grants=int("#" not in item["sk"]))


def count_export(item: Item) -> Counter[str]:
    """One export of the user; the lists of files, also those of other exports, count as others."""
    return Counter({"others" if "#" in item["sk"] else "exports": 1})


def count_by_kind(item: Item) -> Counter[str]:
    """One item of the users or the intake table, by its sort key."""
    kind = item["sk"].partition("#")[0]
    # Records of quiet polls count as the jobs that they are.
    polls = count_in(records_of(item))
    itself = Counter[str]() if kind == "polls" else Counter({_KINDS.get(kind, "others"): 1})
    return itself + Counter(jobs=polls)
