"""Completeness of local days, by each reading's own offset."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from bg_ingest.readings.completeness import Followed
from bg_ingest.readings.gaps import INTERVAL
from bg_ingest.readings.stored.stored_reading import StoredReading
from bg_ingest.sync.completeness_store import local_completeness
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


def test_the_day_that_loses_an_hour_expects_276() -> None:
    """It starts at 23:00 UTC and ends at 22:00 UTC; the days around it have 288 slots."""
    readings = in_berlin(datetime(2026, 3, 27, 23, tzinfo=UTC), 288 + 276 + 288)
    days = local_completeness(readings, SPRING - ONE_DAY, SPRING + ONE_DAY, MUCH_LATER, FOLLOWED)

    assert [(day.date, day.expected, day.received, day.missing) for day in days] == [
        (SPRING - ONE_DAY, 288, 288, 0),
        (SPRING, 276, 276, 0),
        (SPRING + ONE_DAY, 288, 288, 0),
    ]


def test_a_gap_at_the_local_midnight_is_counted_once_a_day() -> None:
    """Half of it belongs to each day."""
    start = datetime(2026, 4, 1, 22, tzinfo=UTC)
    readings = [one for n, one in enumerate(in_berlin(start, 2 * 288)) if not 276 <= n < 300]
    days = local_completeness(readings, date(2026, 4, 2), date(2026, 4, 3), MUCH_LATER, FOLLOWED)

    assert [(day.expected, day.missing) for day in days] == [(288, 12), (288, 12)]


def test_days_before_the_history_and_after_today_are_left_out() -> None:
    """The history starts at noon, local time, and it is noon two days later."""
    start = datetime(2026, 4, 2, 10, tzinfo=UTC)
    days = local_completeness(
        in_berlin(start, 576), date(2026, 4, 1), date(2026, 4, 9), start + 2 * ONE_DAY, Followed(start, start)
    )

    assert [(day.date.day, day.expected, day.missing) for day in days] == [
        (2, 144, 0),
        (3, 288, 0),
        (4, 144, 0),
    ]
