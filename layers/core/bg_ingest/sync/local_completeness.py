"""
Completeness of local days, by each reading's own offset from UTC.

It is always computed, from the columns of hours: an object for each reading of 14 days would take longer than
everything else on the page.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from bg_ingest.readings.completeness import LATE_AFTER, Day, DaySpan, Followed, counted_day
from bg_ingest.statistics.days import local_edges
from bg_ingest.statistics.from_columns import instants_of, series_of_hours
from bg_ingest.statistics.series import DAY_S, Series, between, day_number
from bg_ingest.sync.completeness_store import followed_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.readings.stored.stored_reading import HourColumns, StoredReading
    from bg_ingest.sync.state import SyncState

    # The readings between two instants, with all their versions.
    Versions = Callable[[datetime, datetime], Iterable[StoredReading]]

_HOUR = timedelta(hours=1)


def compute_local_days(
    reading_store: ReadingStore, states: Sequence[SyncState], first: date, last: date, now: datetime
) -> tuple[Day, ...]:
    """The local days from `first` to `last` of a user with these sources, from what is stored now."""
    user_id = states[0].user_id
    hours = list(reading_store.columns(user_id, *instants_of(first, last)))
    versions = partial(reading_store.between, user_id)
    return local_completeness(hours, series_of_hours(hours), first, last, now, followed_by(states), versions)


def local_completeness(
    hours: Sequence[HourColumns],
    series: Series,
    first: date,
    last: date,
    now: datetime,
    followed: Followed,
    versions: Versions,
) -> tuple[Day, ...]:
    """
    The local days from `first` to `last` that are part of the user's history and have begun.

    A day starts and ends as `statistics/days.py` says, so it has 276 slots when the clocks go forward.
    `series` has the readings of a sensor in these hours. Both may reach further.
    """
    readings = between(series, first, last)
    instants: defaultdict[int, list[datetime]] = defaultdict(list)
    for local_s, offset_s in zip(readings.local_s, readings.offset_s, strict=True):
        instants[local_s // DAY_S].append(datetime.fromtimestamp(local_s - offset_s, UTC))
    late = Counter(_late_days(hours, followed, versions))
    spans = (
        DaySpan(day, datetime.fromtimestamp(start_s, UTC), datetime.fromtimestamp(end_s, UTC))
        for day, start_s, end_s in local_edges(readings, first, last)
    )
    return tuple(
        counted_day(span, instants[day_number(span.date)], late[day_number(span.date)], now, followed)
        for span in spans
        if span.end > followed.history_from and span.start <= now
    )


def _late_days(hours: Iterable[HourColumns], followed: Followed, versions: Versions) -> Iterator[int]:
    """The local day of each late reading."""
    for hour in hours:
        # Nearly every hour was stored in time, and needs no look at its readings.
        if _is_late(max(hour.columns.stored_at), hour.start, followed):
            yield from _late_days_of_hour(hour, followed, versions)


def _late_days_of_hour(hour: HourColumns, followed: Followed, versions: Versions) -> Iterator[int]:
    columns, start_s = hour.columns, int(hour.start.timestamp())
    rows = zip(columns.seconds, columns.kind, columns.local_offset_minutes, columns.stored_at, strict=True)
    # The column has the time of the newest version. An earlier one may have been stored in time.
    first_stored_at: dict[datetime, datetime] = {}
    if any(columns.revision):
        found = versions(hour.start, hour.start + _HOUR)
        first_stored_at = {stored.reading.at: stored.first_stored_at for stored in found}
    for at, (second, kind, offset_minutes, stored_at) in zip(hour.instants, rows, strict=True):
        if kind == "cgm" and _is_late(first_stored_at.get(at, stored_at), at, followed):
            yield (start_s + second + 60 * (offset_minutes or 0)) // DAY_S


def _is_late(stored_at: datetime, measured_at: datetime, followed: Followed) -> bool:
    return stored_at - max(measured_at, followed.connected_at) > LATE_AFTER
