"""Completeness of local days, by each reading's own offset."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.completeness import LATE_AFTER, Day, Followed, completeness
from bg_ingest.readings.gaps import INTERVAL
from bg_ingest.readings.stored.stored_reading import StoredReading, Version, to_columns
from bg_ingest.statistics.from_columns import series_of_hours
from bg_ingest.sync.local_completeness import local_completeness
from tests.unit.readings.made_up import measured

SPRING = date(2026, 3, 29)  # The day on which clocks in Europe go forward, at 01:00 UTC.
CHANGE = datetime(2026, 3, 29, 1, tzinfo=UTC)
FOLLOWED = Followed(CHANGE - timedelta(days=90), CHANGE - timedelta(days=90))
MUCH_LATER = CHANGE + timedelta(days=9)
ONE_DAY = timedelta(days=1)


def in_berlin(start: datetime, count: int) -> list[StoredReading]:
    """Readings every five minutes, with the offset of Berlin."""
    instants = (start + INTERVAL * n for n in range(count))
    return [
        StoredReading(
            replace(measured(at), local_offset_minutes=60 if at < CHANGE else 120), at + timedelta(hours=1)
        )
        for at in instants
    ]


def _days(
    readings: list[StoredReading], first: date, last: date, now: datetime, followed: Followed
) -> tuple[Day, ...]:
    """The days of readings that are stored in hours."""
    hours = [
        to_columns(start, list(of_hour))
        for start, of_hour in groupby(readings, lambda stored: stored.reading.at.replace(minute=0, second=0))
    ]

    def versions(start: datetime, end: datetime) -> list[StoredReading]:
        return [stored for stored in readings if start <= stored.reading.at < end]

    return local_completeness(hours, series_of_hours(hours), first, last, now, followed, versions)


def test_the_day_that_loses_an_hour_expects_276() -> None:
    """It starts at 23:00 UTC and ends at 22:00 UTC; the days around it have 288 slots."""
    readings = in_berlin(datetime(2026, 3, 27, 23, tzinfo=UTC), 288 + 276 + 288)
    days = _days(readings, SPRING - ONE_DAY, SPRING + ONE_DAY, MUCH_LATER, FOLLOWED)

    assert [(day.date, day.expected, day.received, day.missing) for day in days] == [
        (SPRING - ONE_DAY, 288, 288, 0),
        (SPRING, 276, 276, 0),
        (SPRING + ONE_DAY, 288, 288, 0),
    ]


def test_a_gap_at_the_local_midnight_is_counted_once_a_day() -> None:
    """Half of it belongs to each day."""
    start = datetime(2026, 4, 1, 22, tzinfo=UTC)
    readings = [one for n, one in enumerate(in_berlin(start, 2 * 288)) if not 276 <= n < 300]
    days = _days(readings, date(2026, 4, 2), date(2026, 4, 3), MUCH_LATER, FOLLOWED)

    assert [(day.expected, day.missing) for day in days] == [(288, 12), (288, 12)]


def test_days_before_the_history_and_after_today_are_left_out() -> None:
    """The history starts at noon, local time, and it is noon two days later."""
    start = datetime(2026, 4, 2, 10, tzinfo=UTC)
    days = _days(
        in_berlin(start, 576), date(2026, 4, 1), date(2026, 4, 9), start + 2 * ONE_DAY, Followed(start, start)
    )

    assert [(day.date.day, day.expected, day.missing) for day in days] == [
        (2, 144, 0),
        (3, 288, 0),
        (4, 144, 0),
    ]


@given(
    st.sets(st.integers(0, 3 * 288 - 1)),
    st.lists(st.tuples(st.integers(0, 3 * 288 - 1), st.integers(0, 9), st.booleans()), max_size=20),
    st.integers(0, 4 * 288),
    st.integers(-288, 2 * 288),
)
def test_without_offset_local_days_are_those_of_utc(
    absent: set[int], other: list[tuple[int, int, bool]], now: int, connected: int
) -> None:
    """Gaps, late readings, later versions of them and fingersticks are counted as in the days of UTC."""
    first = date(2026, 4, 2)
    midnight = datetime(2026, 4, 2, tzinfo=UTC)
    hours_late = {n: (hours, is_revised) for n, hours, is_revised in other}
    readings = []
    for n in sorted(set(range(3 * 288)) - absent):
        hours, is_revised = hours_late.get(n, (0, False))
        reading = replace(measured(midnight + INTERVAL * n), kind="manual" if hours == 9 else "cgm")
        stored_at = reading.at + timedelta(hours=hours)
        stored = StoredReading(reading, stored_at)
        if is_revised:
            earlier = Version(reading, reading.at, stored_at)
            stored = replace(stored, stored_at=stored_at + LATE_AFTER, revision=1, earlier=(earlier,))
        readings.append(stored)
    followed = Followed(midnight, midnight + INTERVAL * connected)
    last = first + 2 * ONE_DAY
    at = midnight + INTERVAL * now

    days = _days(readings, first, last, at, followed)

    begun = [day for day in completeness(readings, first, last, at, followed) if day.date <= at.date()]
    assert list(days) == begun
