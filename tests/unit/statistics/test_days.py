from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.statistics.days import LocalDay, coverage, local_days
from bg_ingest.statistics.series import Series, between
from tests.unit.statistics.made_up import (
    BERLIN,
    DAY,
    LONG_AFTER,
    SPRING,
    Offsets,
    every_five_minutes,
    full_days,
    series_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.statistics.by_definition import Reading


def days_of(
    readings: Sequence[Reading], first: date, last: date, now: datetime = LONG_AFTER
) -> tuple[LocalDay, ...]:
    """The local days of a range."""
    return local_days(between(series_of(readings), first, last), first, last, now)


def test_columns_of_different_length_are_refused() -> None:
    """A series whose columns do not fit together is a mistake of the caller."""
    with pytest.raises(ValueError, match="equally long"):
        Series([1, 2], [100], [0, 0])


def test_a_reading_belongs_to_the_date_of_its_own_offset() -> None:
    """One instant is three dates: in Honolulu, where the offset is unknown, and on Kiritimati."""
    instant = int(datetime(2026, 3, 28, 5, tzinfo=UTC).timestamp())
    readings = [(instant, 100, -600), (instant, 101, None), (instant + 36_000, 102, 840)]

    days = days_of(readings, SPRING - 2 * DAY, SPRING)

    assert [list(day.mg_dl) for day in days] == [[100], [101], [102]]


def test_today_is_expected_up_to_now() -> None:
    """At ten o'clock in Berlin ten hours of the day are expected, and nothing of tomorrow."""
    now = datetime(2026, 3, 28, 9, tzinfo=UTC)
    readings = [reading for reading in full_days(SPRING - DAY, 1, BERLIN) if reading[0] < now.timestamp()]

    today, tomorrow = days_of(readings, SPRING - DAY, SPRING, now)

    assert (today.expected, today.received, today.percent) == (120, 120, 100)
    assert (tomorrow.expected, tomorrow.received, tomorrow.percent, tomorrow.begun) == (0, 0, None, False)


def test_a_day_without_readings_takes_offsets_beside_it() -> None:
    """No reading is there of the day the clocks change, and yet it has 23 hours."""
    readings = full_days(SPRING - DAY, 1, BERLIN) + full_days(SPRING + DAY, 1, BERLIN)

    days = days_of(readings, SPRING - DAY, SPRING + DAY)

    assert [day.expected for day in days] == [288, 276, 288]


def test_a_change_during_days_without_readings_counts_once() -> None:
    """The clocks changed in a gap of three days: the last of them is short, and all of them together are."""
    readings = full_days(SPRING - 2 * DAY, 1, BERLIN) + full_days(SPRING + 2 * DAY, 1, BERLIN)

    days = days_of(readings, SPRING - 3 * DAY, SPRING + 3 * DAY)

    assert [day.expected for day in days] == [288, 288, 288, 288, 276, 288, 288]


def test_days_beside_travel_take_the_nearer_offset() -> None:
    """A person measures on the day of a flight there and of the flight back; the days around are 24 hours."""
    there = date(2026, 3, 24)
    flights = Offsets(
        (
            (datetime(2026, 1, 1, tzinfo=UTC), 60),
            (datetime(2026, 3, 24, 12, tzinfo=UTC), -300),
            (datetime(2026, 3, 27, 12, tzinfo=UTC), 60),
        )
    )
    readings = full_days(there, 1, flights) + full_days(there + 3 * DAY, 1, flights)

    days = days_of(readings, there - DAY, there + 4 * DAY)

    assert [day.expected for day in days] == [288, 360, 288, 288, 216, 288]


def test_a_day_has_begun_at_its_midnight() -> None:
    """At midnight the new day is the first of fourteen, and expects nothing yet."""
    days = days_of([], SPRING, SPRING + DAY, datetime(2026, 3, 29, tzinfo=UTC))

    assert [(day.begun, day.expected) for day in days] == [(True, 0), (False, 0)]


@pytest.mark.parametrize("measured_first", [True, False])
def test_today_without_readings_takes_the_known_offset(*, measured_first: bool) -> None:
    """In Los Angeles today began at 07:00 UTC, also while only another day says so."""
    day = date(2026, 3, 27)
    los_angeles = every_five_minutes(datetime(2026, 3, 27, 12, tzinfo=UTC), [100])
    readings = [(at, value, -420) for at, value, _ in los_angeles]
    first, last = (day, day + DAY) if measured_first else (day - DAY, day)
    today = datetime(2026, 3, 27 if measured_first else 25, 8, tzinfo=UTC) + DAY

    days = days_of(readings, first, last, today)

    assert days[1 if measured_first else 0].expected == 12


def test_a_range_without_readings_has_days_of_utc() -> None:
    """Without any reading what has passed since midnight UTC is expected; half a slot rounds to even."""
    (day,) = days_of([], SPRING, SPRING, datetime(2026, 3, 29, 1, 2, 30, tzinfo=UTC))

    assert day.expected == 12


def test_midnight_belongs_to_the_day_that_begins() -> None:
    """The reading of midnight is the first of its day, and not the last of the day before."""
    readings = full_days(SPRING, 2)

    (first,), (second,) = days_of(readings, SPRING, SPRING), days_of(readings, SPRING + DAY, SPRING + DAY)

    assert (len(first.mg_dl), len(second.mg_dl)) == (288, 288)


def test_an_unknown_offset_is_exactly_that_of_utc() -> None:
    """Half a minute before midnight UTC is still the day that ends."""
    instant = int(datetime(2026, 3, 29, 23, 59, 30, tzinfo=UTC).timestamp())

    (day,) = days_of([(instant, 100, None)], SPRING, SPRING)

    assert list(day.mg_dl) == [100]


def test_days_before_the_first_reading_are_expected() -> None:
    """A new person's fourteen days are not complete because the first ten had no sensor."""
    days = days_of(full_days(SPRING + 10 * DAY, 4), SPRING, SPRING + 13 * DAY)

    assert coverage(days).active_percent == 100 * 4 / 14


def test_two_readings_in_one_slot_are_received_once() -> None:
    """A phone and a receiver that report the same five minutes do not make a day more complete."""
    phone = every_five_minutes(datetime(2026, 3, 29, tzinfo=UTC), [100] * 6)
    receiver = every_five_minutes(datetime(2026, 3, 29, 0, 1, tzinfo=UTC), [101] * 6)

    (day,) = days_of(sorted(phone + receiver), SPRING, SPRING)

    assert (day.received, len(day.mg_dl)) == (6, 12)


def test_a_slot_on_midnight_counts_in_both_days() -> None:
    """Each day counts its own readings, although both are in the slot of midnight."""
    readings = every_five_minutes(datetime(2026, 3, 28, 23, 58, tzinfo=UTC), [100, 100], every_s=180)

    before, after = days_of(readings, SPRING - DAY, SPRING)

    assert (before.received, after.received) == (1, 1)


def test_a_date_that_comes_back_is_one_day() -> None:
    """Across the date line Saturday ends, Sunday begins, and Saturday is there again, with all it had."""
    start = datetime(2026, 3, 28, 9, tzinfo=UTC)
    readings = [
        (int((start + timedelta(minutes=5 * n)).timestamp()), 100 + n, 840 if n < 24 else -600)
        for n in range(48)
    ]

    saturday, sunday = days_of(readings, SPRING - DAY, SPRING)

    assert list(saturday.mg_dl) == [*range(100, 112), *range(124, 148)]
    assert list(sunday.mg_dl) == list(range(112, 124))
    assert (saturday.expected, sunday.expected) == (288 + 24 * 12, 288)


def test_a_day_that_travel_swallows_expects_nothing() -> None:
    """From the far west to the far east of the date line a date has less than no time."""
    noon = int(datetime(2026, 3, 29, 12, tzinfo=UTC).timestamp())
    readings = [(noon - 3600, 100, -720), (noon, 100, 840)]

    days = days_of(readings, SPRING - DAY, SPRING + DAY)

    assert [day.expected for day in days] == [288, 0, 288]


def test_almost_seventy_percent_is_not_shown_as_seventy() -> None:
    """69.97 % would round to the limit that it misses."""
    day = LocalDay(SPRING, begun=True, expected=10_000, received=6_997, mg_dl=())

    assert coverage([day] * 14).reasons == ("69.9 % of 70 %",)
    assert not coverage([day] * 14).sufficient


def test_seventy_percent_is_sufficient() -> None:
    """The limit itself suffices."""
    day = LocalDay(SPRING, begun=True, expected=10, received=7, mg_dl=())

    assert coverage([day] * 14).sufficient
    assert coverage([day] * 13).reasons == ("13 of 14 days",)
