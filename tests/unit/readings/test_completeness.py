from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.completeness import LATE_AFTER, Followed, completeness
from bg_ingest.readings.gaps import INTERVAL, Gap
from bg_ingest.readings.stored.stored_reading import StoredReading
from tests.unit.readings.made_up import MINUTE, measured

MONDAY = date(2026, 11, 16)
MIDNIGHT = datetime(2026, 11, 16, tzinfo=UTC)
MUCH_LATER = MIDNIGHT + timedelta(days=9)
CONNECTED_LONG_AGO = Followed(MIDNIGHT - timedelta(days=90), MIDNIGHT - timedelta(days=1))


def stored(n: int, after: timedelta = timedelta(hours=1)) -> StoredReading:
    """The nth reading of Monday, stored this long after its measurement."""
    instant = MIDNIGHT + INTERVAL * n + MINUTE
    return StoredReading(measured(instant), instant + after)


def test_a_complete_day() -> None:
    """288 readings make a day, and none is missing."""
    (day,) = completeness(map(stored, range(288)), MONDAY, MONDAY, MUCH_LATER, CONNECTED_LONG_AGO)

    assert (day.date, day.expected, day.received, day.late, day.missing, day.gaps) == (
        MONDAY,
        288,
        288,
        0,
        0,
        (),
    )


def test_a_day_with_a_gap() -> None:
    """The missing readings are counted, and the gap is named."""
    (day,) = completeness(
        (stored(n) for n in range(288) if not 99 < n < 112), MONDAY, MONDAY, MUCH_LATER, CONNECTED_LONG_AGO
    )

    assert (day.expected, day.received, day.missing) == (288, 276, 12)
    assert day.gaps == (Gap(stored(99).reading.at, stored(112).reading.at, 12),)


def test_lateness_counts_from_the_first_version() -> None:
    """A reading that arrived in time and was revised days later is not late."""
    revised = stored(1, timedelta(days=3))
    revised = replace(revised, revision=1, earlier=stored(1).versions)
    readings = [stored(0), revised, stored(2, LATE_AFTER), stored(3, LATE_AFTER + MINUTE)]

    (day,) = completeness(readings, MONDAY, MONDAY, MUCH_LATER, CONNECTED_LONG_AGO)
    assert (day.received, day.late) == (3, 1)


def test_history_from_before_the_connection_is_not_late() -> None:
    """Its lateness counts from the connection, because it could not arrive earlier."""
    connected = Followed(CONNECTED_LONG_AGO.history_from, MIDNIGHT + timedelta(hours=20))
    in_time, late = timedelta(hours=23), timedelta(hours=24, minutes=1) + MINUTE

    (day,) = completeness([stored(0, in_time), stored(1, late)], MONDAY, MONDAY, MUCH_LATER, connected)
    assert (day.received, day.late) == (1, 1)


def test_no_readings_are_expected_before_the_history() -> None:
    """Days before it are left out, and its first day expects only its rest."""
    from_noon = Followed(MIDNIGHT + timedelta(days=1, hours=12), MUCH_LATER)
    (day,) = completeness([], MONDAY, MONDAY + timedelta(days=1), MUCH_LATER, from_noon)

    assert (day.date, day.expected, day.missing) == (MONDAY + timedelta(days=1), 144, 144)


def test_readings_count_for_the_day_of_their_measurement() -> None:
    """Midnight belongs to the day that begins."""
    readings = [stored(n) for day, count in enumerate((1, 2, 3)) for n in range(288 * day, 288 * day + count)]
    at_midnight = replace(readings[0], reading=measured(MIDNIGHT + timedelta(days=1)))

    days = completeness(
        [*readings, at_midnight], MONDAY, MONDAY + timedelta(days=2), MUCH_LATER, CONNECTED_LONG_AGO
    )
    assert [day.received for day in days] == [1, 3, 3]


def test_an_unfinished_day_expects_readings_up_to_now() -> None:
    """At noon half a day is expected, and readings of the last four hours are not missing yet."""
    noon = MIDNIGHT + timedelta(hours=12)
    due = (noon - LATE_AFTER - MIDNIGHT) // INTERVAL
    (day,) = completeness(map(stored, range(due - 6)), MONDAY, MONDAY, noon, CONNECTED_LONG_AGO)

    assert (day.expected, day.received, day.missing) == (144, due - 6, 6)


def test_an_unfinished_interval_expects_no_reading() -> None:
    """A reading is expected when its five minutes have passed."""
    expected = [
        completeness([], MONDAY, MONDAY, MIDNIGHT + MINUTE * minutes, CONNECTED_LONG_AGO)[0].expected
        for minutes in (0, 4, 5, 9, 10)
    ]

    assert expected == [0, 0, 1, 1, 2]


def test_days_without_data() -> None:
    """An empty day is one gap, and a day in the future expects no readings."""
    days = completeness(
        [], MONDAY, MONDAY + timedelta(days=2), MIDNIGHT + timedelta(days=1, hours=4), CONNECTED_LONG_AGO
    )

    assert [(day.expected, day.missing, len(day.gaps)) for day in days] == [
        (288, 288, 1),
        (48, 0, 0),
        (0, 0, 0),
    ]


def test_fingersticks_are_not_counted() -> None:
    """They are not expected every five minutes."""
    (day,) = completeness(
        [replace(stored(0), reading=replace(stored(0).reading, kind="manual"))],
        MONDAY,
        MONDAY,
        MUCH_LATER,
        CONNECTED_LONG_AGO,
    )

    assert (day.received, day.missing) == (0, 288)


@pytest.mark.parametrize("count", [287, 289])
def test_a_day_without_a_gap_misses_nothing(count: int) -> None:
    """A sensor that runs slow or fast measures 287 or 289 times a day."""
    rhythm = timedelta(days=1) / count
    readings = [
        StoredReading(measured(instant), instant + timedelta(hours=1))
        for instant in (MIDNIGHT + n * rhythm for n in range(count))
    ]
    (day,) = completeness(readings, MONDAY, MONDAY, MUCH_LATER, CONNECTED_LONG_AGO)

    assert (day.expected, day.received, day.missing, day.pending) == (count, count, 0, 0)


def test_readings_of_the_last_hours_are_pending() -> None:
    """At noon the provider still owes the last hour, and nothing is missing."""
    noon = MIDNIGHT + timedelta(hours=12)
    (day,) = completeness(map(stored, range(132)), MONDAY, MONDAY, noon, CONNECTED_LONG_AGO)

    assert (day.expected, day.received, day.missing, day.pending) == (144, 132, 0, 12)


@given(
    st.sets(st.integers(0, 287)),
    st.integers(0, 3 * 288),
    st.integers(-600, 2000),
    st.integers(-300, 300),
)
def test_every_day_adds_up(kept: set[int], now: int, connected: int, shift_s: int) -> None:
    """The four numbers are never negative, and a full day expects about 288 readings."""
    readings = [
        replace(one, reading=replace(one.reading, at=one.reading.at + timedelta(seconds=shift_s)))
        for one in map(stored, sorted(kept))
    ]
    followed = Followed(MIDNIGHT - timedelta(days=9), MIDNIGHT + INTERVAL * connected)
    for day in completeness(
        readings, MONDAY, MONDAY + timedelta(days=1), MIDNIGHT + INTERVAL * now, followed
    ):
        numbers = (day.received, day.late, day.missing, day.pending)
        assert min(numbers) >= 0
        assert day.expected == sum(numbers)
        if now > 288 + 48 and day.date == MONDAY:
            assert day.pending == 0
            assert 286 <= day.expected <= 288 + len(day.gaps)
