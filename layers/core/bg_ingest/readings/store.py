"""The reading store: readings of all users in DynamoDB, one item per user and hour."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from bg_ingest.readings.as_of import columns_as_of, columns_before_removals
from bg_ingest.readings.stored.hour_items import HourItems, HourUnreadable, columns_from_item, hour_from_item
from bg_ingest.readings.stored.stored_reading import LONG_AGO, hour_change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table
    from bg_ingest.readings.local_days import LocalDays
    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.saving import SetAside
    from bg_ingest.readings.stored.stored_reading import Hour, HourColumns, StoredReading

Hours = TypeVar("Hours")

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
    set_aside: tuple[SetAside, ...] = ()  # Not stored, because their hour is full or unreadable.


@dataclass(frozen=True, slots=True)
class ReadingStore:
    """
    The stored readings of all users.

    With `days`, `between`, `columns` and `latest` return only readings of these local days.
    """

    table: Table
    clock: Clock
    retention_days: int
    cause: Callable[[], str | None] = lambda: None  # The correlation id of the request or message in work.
    days: LocalDays | None = None
    # Notes the late hours that are about to be written, for the feed of changes.
    announce_late: Callable[[str, Mapping[datetime, int]], None] = lambda *_: None

    def save(self, user_id: str, readings: Iterable[Reading], fetched_at: datetime) -> SaveReport:
        """
        Merge the records of one fetch into what is stored.

        Saving the same records again changes nothing, also with concurrent writers. Raises HourContended if
        other writers changed the same hours in every round. If an hour cannot be written, the others are
        written before the error is raised.
        """
        from bg_ingest.readings.saving import HoursSave  # noqa: PLC0415 - functions that only read need none of it.

        given = list(readings)
        now = self.clock.now()
        oldest = self._items.oldest_kept(now)
        records = [record for record in given if record.at >= oldest]
        save = HoursSave(self._items, user_id, records, fetched_at, now, self.cause(), self.announce_late)
        save.run()
        changes = [hour_change(step.before, step.after) for step in save.steps]
        set_aside = tuple(save.set_aside)
        # A crashed writer can leave two readings of one measurement. Folding them may remove more readings
        # than this save stored, and the count must not be negative.
        stored = max(sum(len(change.stored) - len(change.removed) for change in changes), 0)
        revised = sum(len(change.revised) for change in changes)
        return SaveReport(
            stored=stored,
            revised=revised,
            duplicates=max(len(records) - stored - revised - len(set_aside), 0),
            hours_written=len(save.steps),
            expired=len(given) - len(records),
            set_aside=set_aside,
        )

    def remove_deleted(self, user_id: str, deleted: Iterable[Reading], noticed_at: datetime) -> int:
        """
        Stop serving readings that their provider has deleted, and return how many.

        They are kept in their hour as removals. Repeating a removal changes nothing.
        """
        from bg_ingest.readings.removing import remove_deleted  # noqa: PLC0415 - as above.

        steps = remove_deleted(
            self._items,
            user_id,
            deleted,
            noticed_at=noticed_at,
            removed_at=self.clock.now(),
            cause=self.cause(),
            announce_late=self.announce_late,
        )
        return sum(len(hour_change(step.before, step.after).deleted) for step in steps)

    def between(
        self,
        user_id: str,
        start: datetime,
        end: datetime,
        *,
        descending: bool = False,
        limit: int | None = None,
    ) -> Iterator[StoredReading]:
        """
        The unexpired readings of `[start, end)`, at most `limit`, read as they are consumed.

        Raises HourUnreadable at an hour that cannot be read: an answer must not be incomplete in silence.
        """
        hours = map(hour_from_item, self._unexpired(user_id, start, end, descending=descending, limit=limit))
        found = (
            stored
            for hour in hours
            for stored in (reversed(hour.readings) if descending else hour.readings)
            if start <= stored.reading.at < end and self.is_visible(stored.reading)
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
            hour = _served(item, as_of).within(start, end)
            if self.days:
                hour = self.days.part(hour)
            if descending:
                hour = hour.part(slice(None, None, -1))
            if len(hour) > left:
                hour = hour.part(slice(left))
            if hour:
                yield hour
            left -= len(hour)
            if not left:
                return

    def expired_since(self, user_id: str, start: datetime, end: datetime, as_of: datetime) -> int:
        """
        The number of readings of `[start, end)` that were served at that time and have expired since.

        DynamoDB removes expired hours within days. Readings that it has removed are not counted.
        """
        start = max(start.astimezone(UTC), self._items.oldest_kept(as_of))
        end = min(end.astimezone(UTC), self._items.oldest_kept(self.clock.now()))
        if start >= end:
            return 0
        items = self._items.query(user_id, start, end - timedelta.resolution)
        return sum(len(_served(item, as_of).within(start, end)) for item in items)

    def instants_eventually_consistent(
        self, user_id: str, start: datetime, end: datetime, *, relayed: bool = True
    ) -> list[datetime]:
        """
        The instants of the readings of `[start, end)`. The latest writes may be missing.

        Without `relayed` they are those of the readings that a sensor's own provider has sent.
        """
        # Half the price of a consistent read. If a reading seems to be missing, a sync fetches it again.
        # An hour that cannot be read is a gap.
        items = self._unexpired(user_id, start, end, consistent=False)
        hours = _readable(columns_from_item, items)
        parts = (hour.within(start, end) for hour in hours)
        return [at for part in parts for at in (part.instants if relayed else part.own_instants)]

    def readable_between(self, user_id: str, start: datetime, end: datetime) -> Iterator[StoredReading]:
        """The same readings as `between`, without those of hours that cannot be read."""
        hours = _readable(hour_from_item, self._unexpired(user_id, start, end))
        return (stored for hour in hours for stored in hour.readings if start <= stored.reading.at < end)

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

    def is_visible(self, reading: Reading) -> bool:
        """Whether the reading is one of the days that may be seen."""
        return self.days is None or self.days.include(reading.at, reading.local_offset_minutes)

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
        if self.days:
            start, end = self.days.bounds(start, end)
        if start >= end or limit == 0:
            return iter(())  # DynamoDB rejects a range that ends before it begins.
        items = self._items.query(
            user_id,
            start,
            end - timedelta.resolution,
            descending=descending,
            consistent=consistent,
            page_items_max=_page_items_max(limit),
        )
        # If the retention was changed after an item was written, the earlier of the two ends counts.
        return (item for item in items if item["expires_at"] > now.timestamp())

    @property
    def _items(self) -> HourItems:
        return HourItems(self.table, self.retention_days)


def _page_items_max(limit: int | None) -> int | None:
    if limit is None or limit == 1:
        return limit
    return limit // READINGS_PER_HOUR + 2  # One more for each end of the range, where an hour may be cut.


def _readable(read: Callable[[Item], Hours], items: Iterable[Item]) -> Iterator[Hours]:
    for item in items:
        with suppress(HourUnreadable):
            yield read(item)


def _served(item: Item, as_of: datetime | None) -> HourColumns:
    columns = columns_from_item(item)
    if as_of is None:
        return columns
    if "removed" in item or "folded" in item:
        return columns_before_removals(hour_from_item(item), as_of)
    return columns_as_of(columns, lambda: hour_from_item(item).readings, as_of)
