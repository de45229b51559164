from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from bg_ingest.readings.completeness import LATE_AFTER, Followed, completeness
from bg_ingest.readings.gaps import INTERVAL, Gap
from bg_ingest.readings.stored_reading import StoredReading
from tests.unit.readings.made_up import MINUTE, measured

MONDAY = date(2026, 11, 16)
MIDNIGHT = datetime(2026, 11, 16, tzinfo=UTC)
MUCH_LATER = MIDNIGHT + timedelta(days=9)
FOR_LONG = Followed(MIDNIGHT - timedelta(days=90), MIDNIGHT - timedelta(days=1))


def stored(n: int, after: timedelta = timedelta(hours=1)) -> StoredReading:
    """The nth reading of Monday, stored that long after it was measured."""
    instant = MIDNIGHT + INTERVAL * n + MINUTE
    return StoredReading(measured(instant), instant + after)


def test_a_complete_day() -> None:
    """288 readings are a day, and nothing is missing."""
    (day,) = completeness(map(stored, range(288)), MONDAY, MONDAY, MUCH_LATER, FOR_LONG)

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
    (day,) = completeness(
        (stored(n) for n in range(288) if not 99 < n < 112), MONDAY, MONDAY, MUCH_LATER, FOR_LONG
    )

    assert (day.expected, day.received, day.missing) == (288, 276, 12)
    assert day.gaps == (Gap(stored(99).reading.at, stored(112).reading.at, 12),)


def test_late_is_by_the_first_version() -> None:
    """A reading that came in time and was revised days later was not late."""
    revised = stored(1, timedelta(days=3))
    revised = replace(revised, revision=1, earlier=stored(1).versions)
    readings = [stored(0), revised, stored(2, LATE_AFTER), stored(3, LATE_AFTER + MINUTE)]

    (day,) = completeness(readings, MONDAY, MONDAY, MUCH_LATER, FOR_LONG)
    assert (day.received, day.late) == (4, 1)


def test_what_was_measured_before_they_connected_is_not_late() -> None:
    """The clock starts at the connection: its history could not come earlier."""
    connected = Followed(FOR_LONG.history_from, MIDNIGHT + timedelta(hours=20))
    in_time, late = timedelta(hours=23), timedelta(hours=24, minutes=1) + MINUTE

    (day,) = completeness([stored(0, in_time), stored(1, late)], MONDAY, MONDAY, MUCH_LATER, connected)
    assert (day.received, day.late) == (2, 1)


def test_nothing_is_expected_of_the_time_before_the_history() -> None:
    """Days before it are left out, and its first day is as long as what there is of it."""
    from_noon = Followed(MIDNIGHT + timedelta(days=1, hours=12), MUCH_LATER)
    (day,) = completeness([], MONDAY, MONDAY + timedelta(days=1), MUCH_LATER, from_noon)

    assert (day.date, day.expected, day.missing) == (MONDAY + timedelta(days=1), 144, 144)


def test_readings_are_of_the_day_they_were_measured_on() -> None:
    """Three days with a different number each, the first instant of a day being its own."""
    readings = [stored(n) for day, count in enumerate((1, 2, 3)) for n in range(288 * day, 288 * day + count)]
    at_midnight = replace(readings[0], reading=measured(MIDNIGHT + timedelta(days=1)))

    days = completeness([*readings, at_midnight], MONDAY, MONDAY + timedelta(days=2), MUCH_LATER, FOR_LONG)
    assert [day.received for day in days] == [1, 3, 3]


def test_a_day_that_is_not_over() -> None:
    """By noon half a day is expected, and what may still be on its way is not missing."""
    noon = MIDNIGHT + timedelta(hours=12)
    due = (noon - LATE_AFTER - MIDNIGHT) // INTERVAL
    (day,) = completeness(map(stored, range(due - 6)), MONDAY, MONDAY, noon, FOR_LONG)

    assert (day.expected, day.received, day.missing) == (144, due - 6, 6)


def test_five_minutes_that_are_not_over_expect_nothing() -> None:
    """A reading is due when its time has passed, and not a part of one before."""
    expected = [
        completeness([], MONDAY, MONDAY, MIDNIGHT + MINUTE * minutes, FOR_LONG)[0].expected
        for minutes in (0, 4, 5, 9, 10)
    ]

    assert expected == [0, 0, 1, 1, 2]


def test_days_without_data() -> None:
    """Every day asked for is there: an empty one is one gap, one in the future expects nothing."""
    days = completeness(
        [], MONDAY, MONDAY + timedelta(days=2), MIDNIGHT + timedelta(days=1, hours=4), FOR_LONG
    )

    assert [(day.expected, day.missing, len(day.gaps)) for day in days] == [
        (288, 288, 1),
        (48, 0, 0),
        (0, 0, 0),
    ]


def test_fingersticks_do_not_count() -> None:
    """They come when the person wants to, not every five minutes."""
    (day,) = completeness(
        [replace(stored(0), reading=replace(stored(0).reading, kind="manual"))],
        MONDAY,
        MONDAY,
        MUCH_LATER,
        FOR_LONG,
    )

    assert (day.received, day.missing) == (0, 288)
