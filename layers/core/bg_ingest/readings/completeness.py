"""Completeness of a user's days: readings expected, received, late and missing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.gaps import INTERVAL, Gap, find_gaps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.readings.stored_reading import StoredReading

DAY = timedelta(days=1)

# Dexcom serves an upload of a phone after one hour in the United States and after three elsewhere. A poll
# fetches it at most 15 minutes later. The rest of the four hours is for a queue that is behind. A reading
# that is younger is still expected. A reading that is stored later counts as late.
LATE_AFTER = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of one user."""

    date: date
    expected: int
    received: int
    late: int  # Received, but more than LATE_AFTER after the measurement.
    missing: int
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Followed:
    """Since when a user's readings are fetched."""

    history_from: datetime  # Readings from this instant on are fetched.
    connected_at: datetime  # Readings from before this instant could not arrive in time.


def completeness(
    readings: Iterable[StoredReading], first: date, last: date, now: datetime, followed: Followed
) -> tuple[Day, ...]:
    """
    The days from `first` to `last` that are part of the user's history.

    A day that is not over expects the readings up to now. A reading counts as missing only after LATE_AFTER.
    If the user connected after a measurement, its lateness counts from the connection.
    """
    first = max(first, followed.history_from.astimezone(UTC).date())
    by_date: defaultdict[date, list[StoredReading]] = defaultdict(list)
    for stored in readings:
        if stored.reading.kind == "cgm":  # Fingersticks are not expected every five minutes.
            by_date[stored.reading.at.astimezone(UTC).date()].append(stored)
    days = range((last - first).days + 1)
    return tuple(_day(first + DAY * n, by_date[first + DAY * n], now, followed) for n in days)


def _day(day: date, readings: list[StoredReading], now: datetime, followed: Followed) -> Day:
    midnight = datetime.combine(day, time(), UTC)
    start, end = max(midnight, followed.history_from), midnight + DAY
    gaps = find_gaps((stored.reading.at for stored in readings), start, min(end, now - LATE_AFTER))
    return Day(
        date=day,
        expected=max(min(end, now) - start, timedelta(0)) // INTERVAL,
        received=len(readings),
        late=sum(_delay(stored, followed) > LATE_AFTER for stored in readings),
        missing=sum(gap.missing for gap in gaps),
        gaps=gaps,
    )


def _delay(stored: StoredReading, followed: Followed) -> timedelta:
    return stored.first_stored_at - max(stored.reading.at, followed.connected_at)
