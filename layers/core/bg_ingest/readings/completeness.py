"""Completeness of a user's days: readings expected, received, late and missing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.gaps import INTERVAL, Gap, find_gaps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bg_ingest.readings.stored.stored_reading import StoredReading

DAY = timedelta(days=1)

# Dexcom serves an upload of a phone after one hour in the United States and after three elsewhere. A poll
# fetches it at most 15 minutes later. The rest of the four hours is for a queue that is behind. A reading
# that is younger is still expected. A reading that is stored later counts as late.
LATE_AFTER = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Day:
    """One day of one user, of UTC or local: `expected` is always the sum of the four numbers after it."""

    date: date
    received: int  # Stored in time.
    late: int  # Stored more than LATE_AFTER after the measurement.
    missing: int
    pending: int  # Not stored, but not late yet.
    gaps: tuple[Gap, ...]

    @property
    def expected(self) -> int:
        """The number of readings that are due by now."""
        return self.received + self.late + self.missing + self.pending


@dataclass(frozen=True, slots=True)
class DaySpan:
    """A date, and the instants at which it starts and ends."""

    date: date
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Followed:
    """Since when a user's readings are fetched."""

    history_from: datetime  # Readings from this instant on are fetched.
    connected_at: datetime  # Readings from before this instant could not arrive in time.


def completeness(
    readings: Iterable[StoredReading], first: date, last: date, now: datetime, followed: Followed
) -> tuple[Day, ...]:
    """The days of UTC from `first` to `last` that are part of the user's history."""
    first = max(first, followed.history_from.astimezone(UTC).date())
    by_date: defaultdict[date, list[StoredReading]] = defaultdict(list)
    for stored in readings:
        by_date[stored.reading.at.astimezone(UTC).date()].append(stored)
    days = (first + DAY * n for n in range((last - first).days + 1))
    return tuple(day_of(utc_span(day), by_date[day], now, followed) for day in days)


def utc_span(day: date) -> DaySpan:
    """A day of UTC."""
    midnight = datetime.combine(day, time(), UTC)
    return DaySpan(day, midnight, midnight + DAY)


def day_of(span: DaySpan, readings: Iterable[StoredReading], now: datetime, followed: Followed) -> Day:
    """
    Count the readings of one day.

    A day that is not over expects the readings up to now. A reading is pending until LATE_AFTER has passed,
    then it is missing. If the user connected after a measurement, its lateness counts from the connection.

    A sensor's clock runs a little fast or slow, so a complete day can have 287 or 289 readings. Without a gap
    none of them is missing.
    """
    # Fingersticks are not expected every five minutes.
    known = [stored for stored in readings if stored.reading.kind == "cgm"]
    late = sum(_delay(stored, followed) > LATE_AFTER for stored in known)
    return counted_day(span, [stored.reading.at for stored in known], late, now, followed)


def counted_day(
    span: DaySpan, instants: Sequence[datetime], late: int, now: datetime, followed: Followed
) -> Day:
    """The same of a sensor's readings at these instants, of which so many are late."""
    start, due = max(span.start, followed.history_from), min(span.end, now - LATE_AFTER)
    gaps = find_gaps(instants, start, due)
    old = sum(at < due for at in instants)
    missing = max(_slots(start, due) - old, 1) if gaps else 0
    recent = _slots(start, min(span.end, now)) - _slots(start, due)
    return Day(
        date=span.date,
        received=len(instants) - late,
        late=late,
        missing=missing,
        pending=max(recent - (len(instants) - old), 0),
        gaps=gaps,
    )


def _slots(start: datetime, end: datetime) -> int:
    return max(end - start, timedelta(0)) // INTERVAL


def _delay(stored: StoredReading, followed: Followed) -> timedelta:
    return stored.first_stored_at - max(stored.reading.at, followed.connected_at)
