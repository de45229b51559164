"""The reading store: readings of all users in DynamoDB, one item per user and hour."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from bg_ingest.readings.as_of import columns_as_of
from bg_ingest.readings.saving import save_records
from bg_ingest.readings.stored.hour_items import HourItems, columns_from_item, hour_from_item
from bg_ingest.readings.stored_reading import LONG_AGO, hour_change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table
    from bg_ingest.readings.columns import HourColumns
    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.stored_reading import Hour, StoredReading

READINGS_PER_HOUR = 12  # What sensors do today. Only the size of a DynamoDB page depends on it.

# Device clocks run ahead by minutes. A reading dated later than this is not the newest one.
AHEAD_MAX = timedelta(minutes=10)
FAR_AHEAD = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SaveReport:
    """The number of records of one save that were stored, revised and so on."""

    stored: int
    revised: int
    duplicates: int
    hours_written: int
    expired: int = 0  # Older than the retention, and not written.


@dataclass(frozen=True, slots=True)
class ReadingStore:
    """The stored readings of all users."""

    table: Table
    clock: Clock
    retention_days: int
    cause: Callable[[], str | None] = lambda: None  # The correlation id of the request or message in work.

    def save(self, user_id: str, readings: Iterable[Reading], fetched_at: datetime) -> SaveReport:
        """
        Merge the records of one fetch into what is stored.

        Saving the same records again changes nothing, also with concurrent writers. Raises HourContended if
        other writers changed the same hours in every round.
        """
        given = list(readings)
        now = self.clock.now()
        oldest = self._items.oldest_kept(now)
        records = [record for record in given if record.at >= oldest]
        steps = save_records(
            self._items, user_id, records, fetched_at=fetched_at, stored_at=now, cause=self.cause()
        )
        changes = [hour_change(step.before, step.after) for step in steps]
        # A crashed writer can leave two readings of one measurement. Folding them may remove more readings
        # than this save stored, and the count must not be negative.
        stored = max(sum(len(change.stored) - len(change.removed) for change in changes), 0)
        revised = sum(len(change.revised) for change in changes)
        return SaveReport(
            stored=stored,
            revised=revised,
            duplicates=len(records) - stored - revised,
            hours_written=len(steps),
            expired=len(given) - len(records),
        )

    def between(
        self,
        user_id: str,
        start: datetime,
        end: datetime,
        *,
        descending: bool = False,
        limit: int | None = None,
    ) -> Iterator[StoredReading]:
        """The unexpired readings of `[start, end)`, at most `limit`, read as they are consumed."""
        hours = map(hour_from_item, self._unexpired(user_id, start, end, descending=descending, limit=limit))
        found = (
            stored
            for hour in hours
            for stored in (reversed(hour.readings) if descending else hour.readings)
            if start <= stored.reading.at < end
        )
        return islice(found, limit)

    def columns(
        self,
        user_id: str,
        start: datetime,
        end: datetime,
        *,
        descending: bool = False,
        limit: int | None = None,
        as_of: datetime | None = None,
    ) -> Iterator[HourColumns]:
        """The same readings as far as callers are shown them, now or at an earlier time."""
        left = sys.maxsize if limit is None else limit
        for item in self._unexpired(user_id, start, end, descending=descending, limit=limit):
            whole = _served(item, as_of).within(start, end)
            hour = (whole.part(slice(None, None, -1)) if descending else whole).part(slice(left))
            if hour:
                yield hour
            left -= len(hour)
            if not left:
                return

    def instants_eventually_consistent(self, user_id: str, start: datetime, end: datetime) -> list[datetime]:
        """The instants of the readings of `[start, end)`. The latest writes may be missing."""
        # Half the price of a consistent read. If a reading seems to be missing, a sync fetches it again.
        items = self._unexpired(user_id, start, end, consistent=False)
        return [at for item in items for at in columns_from_item(item).within(start, end).instants]

    def hours(self, user_id: str, start: datetime, end: datetime) -> Iterator[Hour]:
        """The unexpired hours that begin in `[start, end)`, oldest first, read as they are consumed."""
        hours = map(hour_from_item, self._unexpired(user_id, start, end))
        return (hour for hour in hours if start <= hour.start)

    def latest(self, user_id: str) -> StoredReading | None:
        """
        The newest reading that has not expired.

        A reading of a device whose clock runs further ahead is returned only if there is no other.
        """
        credible = self.clock.now() + AHEAD_MAX + timedelta.resolution
        for end in (credible, FAR_AHEAD):
            newest = next(self.between(user_id, LONG_AGO, end, descending=True, limit=1), None)
            if newest:
                return newest
        return None

    def _unexpired(
        self,
        user_id: str,
        start: datetime,
        end: datetime,
        *,
        descending: bool = False,
        limit: int | None = None,
        consistent: bool = True,  # After a sync has finished, a read returns everything that it stored.
    ) -> Iterator[Item]:
        """The items of the unexpired hours, read as they are consumed."""
        now = self.clock.now()
        start = max(start.astimezone(UTC), self._items.oldest_kept(now))
        end = end.astimezone(UTC)
        if start >= end or limit == 0:
            return iter(())  # DynamoDB rejects a range that ends before it begins.
        items = self._items.query(
            user_id,
            start,
            end - timedelta.resolution,
            descending=descending,
            consistent=consistent,
            # One more hour for each end of the range, where an hour may be cut.
            page_items_max=None if limit is None else limit // READINGS_PER_HOUR + 2,
        )
        # If the retention was changed after an item was written, the earlier of the two ends counts.
        return (item for item in items if item["expires_at"] > now.timestamp())

    @property
    def _items(self) -> HourItems:
        return HourItems(self.table, self.retention_days)


def _served(item: Item, as_of: datetime | None) -> HourColumns:
    columns = columns_from_item(item)
    return columns_as_of(columns, lambda: hour_from_item(item).readings, as_of) if as_of else columns
