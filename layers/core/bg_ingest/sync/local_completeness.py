"""Completeness of local days, by each reading's own offset from UTC."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.completeness import Day, DaySpan, Followed, day_of
from bg_ingest.statistics.days import local_edges
from bg_ingest.statistics.from_columns import instants_of
from bg_ingest.statistics.series import Series, between
from bg_ingest.sync.completeness_store import followed_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.readings.stored.stored_reading import StoredReading
    from bg_ingest.sync.state import SyncState


def compute_local_days(
    reading_store: ReadingStore, states: Sequence[SyncState], first: date, last: date, now: datetime
) -> tuple[Day, ...]:
    """The local days from `first` to `last`, computed from the readings stored now."""
    stored = list(reading_store.between(states[0].user_id, *instants_of(first, last)))
    return local_completeness(stored, first, last, now, followed_by(states))


def local_completeness(
    readings: Sequence[StoredReading], first: date, last: date, now: datetime, followed: Followed
) -> tuple[Day, ...]:
    """
    The local days from `first` to `last` that are part of the user's history and have begun.

    A day starts and ends as `statistics/days.py` says, so it has 276 slots when the clocks go forward. The
    readings must be in order of time. They may be of more days, but only those from `first` to `last` count.
    """
    measured = [stored for stored in readings if stored.reading.kind == "cgm"]
    series = Series(
        [int(stored.reading.at.timestamp()) for stored in measured],
        [stored.reading.mg_dl for stored in measured],
        [stored.reading.local_offset_minutes for stored in measured],
    )
    by_date: defaultdict[date, list[StoredReading]] = defaultdict(list)
    for stored in measured:
        by_date[_local_date(stored)].append(stored)
    spans = (
        DaySpan(day, datetime.fromtimestamp(start_s, UTC), datetime.fromtimestamp(end_s, UTC))
        for day, start_s, end_s in local_edges(between(series, first, last), first, last)
    )
    return tuple(
        day_of(span, by_date[span.date], now, followed)
        for span in spans
        if span.end > followed.history_from and span.start <= now
    )


def _local_date(stored: StoredReading) -> date:
    offset = timedelta(minutes=stored.reading.local_offset_minutes or 0)
    return (stored.reading.at.astimezone(UTC) + offset).date()
