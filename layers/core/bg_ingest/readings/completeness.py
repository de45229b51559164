"""How complete a user's days are: what was expected, what came, what came late, what is missing."""

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

# Dexcom serves what a phone uploads one hour late in the United States and three elsewhere, and a poll
# finds it up to 15 minutes after. Four hours leave the rest of an hour for a queue that is behind.
# Until then a reading is on its way, after that it was late.
LATE_AFTER = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of one user."""

    date: date
    expected: int
    received: int
    late: int  # Received, but only after LATE_AFTER.
    missing: int
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Followed:
    """From when on somebody's readings are wanted, and since when they could have come in time."""

    history_from: datetime
    connected_at: datetime


def completeness(
    readings: Iterable[StoredReading], first: date, last: date, now: datetime, followed: Followed
) -> tuple[Day, ...]:
    """
    Every day from `first` to `last` that is part of the person's history.

    Of a day that is not over, as many readings are expected as there should be by now; missing are only
    those that are not on their way any more. What was measured before the person connected was not late.
    """
    first = max(first, followed.history_from.astimezone(UTC).date())
    by_date: defaultdict[date, list[StoredReading]] = defaultdict(list)
    for stored in readings:
        if stored.reading.kind == "cgm":  # Nobody expects a fingerstick every five minutes.
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
        late=sum(_came_after(stored, followed) > LATE_AFTER for stored in readings),
        missing=sum(gap.missing for gap in gaps),
        gaps=gaps,
    )


def _came_after(stored: StoredReading, followed: Followed) -> timedelta:
    return stored.first_stored_at - max(stored.reading.at, followed.connected_at)
