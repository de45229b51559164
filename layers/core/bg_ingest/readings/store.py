"""Everybody's readings in DynamoDB: saved once however often they come, read by the range of their hours."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from bg_ingest.readings.as_of import columns_as_of
from bg_ingest.readings.merging.hour import report
from bg_ingest.readings.saving import HourContended, save_records
from bg_ingest.readings.stored.hour_items import HourItems, columns_from_item, hour_from_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table
    from bg_ingest.readings.columns import HourColumns
    from bg_ingest.readings.merging.hour import Hour
    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.stored_reading import StoredReading

__all__ = ["HourContended", "ReadingStore", "SaveReport"]

READINGS_PER_HOUR = 12  # What sensors do today; only the size of a page depends on it.

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SaveReport:
    """What became of the records of one save."""

    stored: int
    revised: int
    duplicates: int
    hours_written: int
    expired: int = 0  # Older than what is kept, and not written at all.


@dataclass(frozen=True, slots=True)
class ReadingStore:
    """Everybody's readings."""

    table: Table
    clock: Clock
    retention_days: int
    cause: Callable[[], str | None] = lambda: None  # The correlation id of whatever is being done now.

    def save(self, user_id: str, readings: Iterable[Reading], fetched_at: datetime) -> SaveReport:
        """
        Merge what one fetch brought into what is there; repeating it is harmless, whoever else writes.

        HourContended when others got in the way every time.
        """
        given = list(readings)
        now = self.clock.now()
        oldest = self._items.first_kept(now)
        records = [record for record in given if record.at >= oldest]
        steps = save_records(
            self._items, user_id, records, fetched_at=fetched_at, stored_at=now, cause=self.cause()
        )
        reports = [report(step.before, step.after, 0) for step in steps]
        # Folding twins that a writer left behind when it died takes away more than is stored: not below none.
        stored = max(sum(step.stored for step in reports), 0)
        revised = sum(step.revised for step in reports)
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
        """The readings of `[start, end)` that have not expired, at most `limit`, read as consumed."""
        hours = map(hour_from_item, self._kept(user_id, start, end, descending=descending, limit=limit))
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
        for item in self._kept(user_id, start, end, descending=descending, limit=limit):
            whole = _served(item, as_of).within(start, end)
            hour = (whole.part(slice(None, None, -1)) if descending else whole).part(slice(left))
            if hour:
                yield hour
            left -= len(hour)
            if not left:
                return

    def instants_eventually_consistent(self, user_id: str, start: datetime, end: datetime) -> list[datetime]:
        """When the readings of `[start, end)` were measured; what was stored a moment ago may be missing."""
        # Half the price of a consistent read. Whoever takes a reading for missing asks for it once more.
        items = self._kept(user_id, start, end, descending=False, limit=None, consistent=False)
        return [at for item in items for at in columns_from_item(item).within(start, end).instants]

    def hours(self, user_id: str, start: datetime, end: datetime) -> Iterator[Hour]:
        """The hours that begin in `[start, end)` and have not expired, oldest first, read as consumed."""
        hours = map(hour_from_item, self._kept(user_id, start, end, descending=False, limit=None))
        return (hour for hour in hours if start <= hour.start)

    def latest(self, user_id: str) -> StoredReading | None:
        """The newest reading that has not expired."""
        return next(self.between(user_id, LONG_AGO, FAR_AHEAD, descending=True, limit=1), None)

    def _kept(
        self,
        user_id: str,
        start: datetime,
        end: datetime,
        *,
        descending: bool,
        limit: int | None,
        consistent: bool = True,  # Who was told that a sync is done finds what it stored.
    ) -> Iterator[Item]:
        """The items of the hours that have not expired, read as consumed."""
        now = self.clock.now()
        start = max(start.astimezone(UTC), self._items.first_kept(now))
        end = end.astimezone(UTC)
        if start >= end or limit == 0:
            return iter(())  # DynamoDB refuses a range that ends before it begins.
        items = self._items.query(
            user_id,
            start,
            end - timedelta.resolution,
            descending=descending,
            consistent=consistent,
            # One hour more for each edge that is trimmed.
            page_items_max=None if limit is None else limit // READINGS_PER_HOUR + 2,
        )
        # The setting may have been longer when an item was written, or shorter: the earlier end counts.
        return (item for item in items if item["expires_at"] > now.timestamp())

    @property
    def _items(self) -> HourItems:
        return HourItems(self.table, self.retention_days)


def _served(item: Item, as_of: datetime | None) -> HourColumns:
    columns = columns_from_item(item)
    return columns_as_of(columns, lambda: hour_from_item(item).readings, as_of) if as_of else columns
