from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from bg_ingest.readings.completeness import LATE_AFTER, completeness
from bg_ingest.readings.gaps import INTERVAL, Gap
from bg_ingest.readings.stored_reading import StoredReading
from tests.unit.readings.made_up import MINUTE, measured

MONDAY = date(2026, 11, 16)
MIDNIGHT = datetime(2026, 11, 16, tzinfo=UTC)
MUCH_LATER = MIDNIGHT + timedelta(days=9)


def stored(n: int, after: timedelta = timedelta(hours=1)) -> StoredReading:
    """The nth reading of Monday, stored that long after it was measured."""
    instant = MIDNIGHT + INTERVAL * n + MINUTE
    return StoredReading(measured(instant), instant + after)


def test_a_complete_day() -> None:
    """288 readings are a day, and nothing is missing."""
    (day,) = completeness(map(stored, range(288)), MONDAY, MONDAY, MUCH_LATER)

    assert (day.date, day.expected, day.received, day.late, day.missing, day.gaps) == (
        MONDAY,
        288,
        288,
        0,
        0,
        (),
    )


def test_a_day_with_a_gap() -> None:
    """What is missing is counted, and it is said where."""
    (day,) = completeness((stored(n) for n in range(288) if not 99 < n < 112), MONDAY, MONDAY, MUCH_LATER)

    assert (day.expected, day.received, day.missing) == (288, 276, 12)
    assert day.gaps == (Gap(stored(99).reading.at, stored(112).reading.at, 12),)


def test_late_is_by_the_first_version() -> None:
    """A reading that came in time and was revised days later was not late."""
    revised = stored(1, timedelta(days=3))
    revised = replace(revised, revision=1, earlier=stored(1).versions)
    readings = [stored(0), revised, stored(2, LATE_AFTER), stored(3, LATE_AFTER + MINUTE)]

    (day,) = completeness(readings, MONDAY, MONDAY, MUCH_LATER)
    assert (day.received, day.late) == (4, 1)


def test_a_day_that_is_not_over() -> None:
    """By noon half a day is expected, and what may still be on its way is not missing."""
    noon = MIDNIGHT + timedelta(hours=12)
    due = (noon - LATE_AFTER - MIDNIGHT) // INTERVAL
    (day,) = completeness(map(stored, range(due - 6)), MONDAY, MONDAY, noon)

    assert (day.expected, day.received, day.missing) == (144, due - 6, 6)


def test_days_without_data() -> None:
    """Every day asked for is there: an empty one is one gap, one in the future expects nothing."""
    days = completeness([], MONDAY, MONDAY + timedelta(days=2), MIDNIGHT + timedelta(days=1, hours=4))

    assert [(day.expected, day.missing, len(day.gaps)) for day in days] == [
        (288, 288, 1),
        (48, 0, 0),
        (0, 0, 0),
    ]


def test_fingersticks_do_not_count() -> None:
    """They come when the person wants to, not every five minutes."""
    (day,) = completeness(
        [replace(stored(0), reading=replace(stored(0).reading, kind="manual"))], MONDAY, MONDAY, MUCH_LATER
    )

    assert (day.received, day.missing) == (0, 288)
