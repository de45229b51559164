"""
The feed of changes: every reading of a user that was stored, revised or removed, in the order of storing.

A reader misses no change, in any order of measuring, fetching and storing, and with clocks that differ:

- The hours of the last two days are read in full. A version that differs from the cursor's is a change.
- Older hours are written after an entry of the late log, and a reader reads the hours of new entries.
- If a part of an entry is not written yet, the entry stays pending in the cursor for a day. After that its
  writer is dead, and what it has written is returned.
- Without a cursor, every hour is read. The same holds if the cursor is older than CURSOR_AGE_MAX, or if the
  user was erased since.

A change can come twice in rare cases: two writes of one hour in one second, a save that crashed and was
repeated, or a change that a crash delayed. The last change of each reading is what is stored.

An expired reading is not a change: its time says when it expires. An erasure leaves nothing that
could be listed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.clock import HOUR, hour_of
from bg_ingest.readings.changes.feed_cursor import WATCHED, FeedCursor, SeenState, hour_number
from bg_ingest.readings.changes.hour_changes import Place, ReadingChange, hour_changes, seconds
from bg_ingest.readings.store import FAR_AHEAD
from bg_ingest.readings.stored.stored_reading import LATE_AFTER, LONG_AGO, Hour

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from bg_ingest.clock import Clock
    from bg_ingest.readings.changes.late_log import LateEntry, LateLog
    from bg_ingest.readings.store import ReadingStore

# A cursor names every hour since it was made, so its age is limited.
CURSOR_AGE_MAX = timedelta(days=92)
# If a version that a cursor knows was written later than this after the cursor, the user was erased since.
_CLOCKS_APART_S = 60
# One query over this many hours that are not needed costs less than a second query.
_SKIPPED_HOURS_MAX = 12
_NEVER: Place = (sys.maxsize, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class ChangeFeed:
    """The feeds of all users."""

    reading_store: ReadingStore
    late_log: LateLog
    clock: Clock

    def read(self, user_id: str, cursor: FeedCursor, limit: int) -> tuple[list[ReadingChange], FeedCursor]:
        """At most `limit` changes after the cursor, and the cursor after them."""
        now = self.clock.now()
        cursor, entries = self._valid(user_id, cursor, now)
        view = _View(cursor.seen, cursor.until, entries, now)
        # All hours, also if the reader may see some days only: without them an announced write seems missing.
        every_day = replace(self.reading_store, days=None)
        for first, last in view.stretches():
            view.hours |= {hour.start: hour for hour in every_day.hours(user_id, first, last + HOUR)}
        until = cursor.until or view.state()
        found = view.changes(until, cursor.since_s)
        visible = (change for change in found if self.reading_store.is_visible(change.stored.reading))
        changes = sorted(visible, key=lambda change: change.place)
        if cursor.last:
            changes = [change for change in changes if change.place > cursor.last]
        if len(changes) > limit:
            page = changes[:limit]
            return page, FeedCursor(cursor.seen, cursor.since_s, until, page[-1].place)
        after = FeedCursor(until.shortened())
        if cursor.until is None or len(changes) == limit:
            return changes, after
        # The state of the first page is reached. A page that is not full means that nothing else is new.
        more, after = self.read(user_id, after, limit - len(changes))
        return changes + more, after

    def _valid(
        self, user_id: str, cursor: FeedCursor, now: datetime
    ) -> tuple[FeedCursor, Sequence[LateEntry]]:
        """The cursor with its entries of the late log, or the beginning if it can no longer be used."""
        seen = cursor.seen
        if seen is None:
            return cursor, self.late_log.since(user_id, 1)
        entries = self.late_log.since(user_id, min((seen.late, *seen.pending)))
        known = not seen.late or any(
            (entry.number, entry.entry_id) == (seen.late, seen.late_id) for entry in entries
        )
        if known and seconds(now) - seen.at_s < CURSOR_AGE_MAX.total_seconds():
            return cursor, entries
        return FeedCursor(), self.late_log.since(user_id, 1)


class _View:
    """The stored hours that one request has to look at, and what is new in them."""

    def __init__(
        self, seen: SeenState | None, until: SeenState | None, entries: Sequence[LateEntry], now: datetime
    ) -> None:
        self.hours: dict[datetime, Hour] = {}
        self._seen = seen
        self._now = now
        self._newest = entries[-1] if entries else None
        first = hour_of(now - WATCHED)
        # A later page watches the hours that the first one watched, also when the window has moved on.
        known = (state.watched_from for state in (seen, until) if state)
        self._watched = (min([first, *known]), hour_of(now + WATCHED))
        self._entries = [
            entry
            for entry in entries
            if seen is None or entry.number > seen.late or entry.number in seen.pending
        ]

    def stretches(self) -> Iterator[tuple[datetime, datetime]]:
        """The first and the last hour of each query."""
        if self._seen is None:
            yield LONG_AGO, FAR_AHEAD - HOUR
            return
        yield self._watched
        wanted = sorted({start for entry in self._entries for start in self._unwatched(entry)})
        if wanted:
            yield from _stretches(wanted)

    def state(self) -> SeenState:
        """The state that these hours are in."""
        pending = tuple(entry.number for entry in self._entries if not self._is_written(entry))
        first, last = self._watched
        versions = [self._version(first + n * HOUR) for n in range((last - first) // HOUR + 1)]
        while versions and not versions[-1]:
            versions.pop()
        newest_s = max(
            (seconds(written) for hour in self.hours.values() for written in hour.writes), default=0
        )
        seen = self._seen
        late = (self._newest.number, self._newest.entry_id) if self._newest else (0, "")
        return SeenState(
            seconds(self._now),
            max(newest_s, seconds(self._now), seen.newest_s if seen else 0),
            *late,
            pending,
            hour_number(first),
            tuple(versions),
        )

    def changes(self, until: SeenState, since_s: int) -> Iterator[ReadingChange]:
        """The changes after the reader's state, up to the other state."""
        written = self._written_by(until)
        for start, hour in self.hours.items():
            if self._is_watched(start):
                seen = self._seen_version(hour)
                changes: Iterable[ReadingChange] = (
                    each for each in hour_changes(hour) if each.is_within(seen, until.version(start))
                )
            elif self._seen is None:
                held = self._held_back(start, until)
                changes = (
                    each
                    for each in hour_changes(hour)
                    if each.place[0] <= until.newest_s and not any(map(each.is_of, held))
                )
            else:
                changes = _of_writes(hour, written.get(start, ()))
            yield from (each for each in changes if self._seen or each.place[0] >= since_s)

    def _written_by(self, until: SeenState) -> Mapping[datetime, set[int]]:
        """The writes of the entries that the other state includes."""
        writes: dict[datetime, set[int]] = {}
        for entry in self._entries:
            if entry.number <= until.late and entry.number not in until.pending:
                for start, version in entry.versions.items():
                    writes.setdefault(start, set()).add(version)
        return writes

    def _held_back(self, start: datetime, until: SeenState) -> list[int]:
        return [
            entry.versions[start]
            for entry in self._entries
            if (entry.number in until.pending or entry.number > until.late) and start in entry.versions
        ]

    def _seen_version(self, hour: Hour) -> int:
        """The version of the hour that the reader has seen; 0 if the hour is another one by now."""
        if self._seen is None:
            return 0
        seen = self._seen.version(hour.start)
        place = len(hour.writes) - 1 - (hour.version - seen)
        is_new = 0 <= place < len(hour.writes) and (
            seconds(hour.writes[place]) > self._seen.newest_s + _CLOCKS_APART_S
        )
        return 0 if is_new or hour.version < seen else seen

    def _is_written(self, entry: LateEntry) -> bool:
        if self._now - entry.noted_at > LATE_AFTER:
            return True  # Its writer is dead.
        # Also the hours that are watched: their write can come after they have left the watched window.
        return all(self._version(start) >= version for start, version in entry.versions.items())

    def _unwatched(self, entry: LateEntry) -> list[datetime]:
        return [start for start in entry.versions if not self._is_watched(start)]

    def _is_watched(self, start: datetime) -> bool:
        return self._watched[0] <= start <= self._watched[1]

    def _version(self, start: datetime) -> int:
        return self.hours[start].version if start in self.hours else 0


def _of_writes(hour: Hour, writes: Collection[int]) -> list[ReadingChange]:
    """
    The changes that these writes made, and all later changes of the same readings.

    The later ones can have been shown before: a writer that crashed delays what it has announced. Without
    them, the last entry of a reading would be an old value.
    """
    changes = hour_changes(hour)
    first: dict[datetime, Place] = {}
    for each in changes:
        if any(map(each.is_of, writes)):
            at = each.stored.reading.at
            first[at] = min(first.get(at, each.place), each.place)
    return [each for each in changes if each.place >= first.get(each.stored.reading.at, _NEVER)]


def _stretches(hours: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    stretches = [(hours[0], hours[0])]
    for hour in hours[1:]:
        first, last = stretches[-1]
        if hour - last <= HOUR * _SKIPPED_HOURS_MAX:
            stretches[-1] = (first, hour)
        else:
            stretches.append((hour, hour))
    return stretches
