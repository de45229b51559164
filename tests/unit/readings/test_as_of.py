"""Readings as of an earlier time, over random histories of saves."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from bg_ingest.readings.as_of import columns_as_of, reading_as_of
from bg_ingest.readings.merging.hour import merge_hours
from bg_ingest.readings.merging.revisions import first_version, with_record
from bg_ingest.readings.stored import format_1, writer
from bg_ingest.readings.stored.stored_reading import EARLIER_MAX, Hour, HourColumns, to_columns
from tests.unit.readings.made_up import (
    FIVE,
    LATER,
    MINUTE,
    QUICK,
    SECOND,
    at,
    every_copy_is_noted,
    fetch_times,
    measured,
    wild_answers,
)

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.readings.model import Reading

SAVED = LATER + timedelta(hours=1)


def as_of(hour: Hour, then: datetime) -> HourColumns:
    """What a store answers of an hour, from its stored form."""
    form = writer.write(hour.start, hour.readings)
    served = format_1.read_columns(hour.start, form)
    return columns_as_of(served, lambda: format_1.read(hour.start, form), then)


def saved(hour: Hour, records: list[Reading], fetched_at: datetime, stored_at: datetime) -> Hour:
    """The hour with the records in it."""
    hours = merge_hours({hour.start: hour}, records, fetched_at=fetched_at, stored_at=stored_at)
    return hours[hour.start]


@QUICK
@given(
    st.lists(st.tuples(wild_answers(), fetch_times(), st.integers(1, 90)), min_size=1, max_size=6),
    st.data(),
)
def test_as_of_is_what_was_served_then(
    saves: list[tuple[list[Reading], datetime, int]], data: st.DataObject
) -> None:
    """After any saves, in any order of their fetches, every earlier state is served as it was."""
    hour, now, served = Hour(FIVE), SAVED, []
    for answer, fetched_at, later_s in saves:
        before = now
        now += later_s * SECOND
        served.append((before, now, to_columns(FIVE, hour.readings)))
        hour = saved(hour, answer, fetched_at, now)
    assume(every_copy_is_noted(hour))
    served.append((now, now + MINUTE, to_columns(FIVE, hour.readings)))

    for since, until, columns in served:
        then = data.draw(st.datetimes(since.replace(tzinfo=None), until.replace(tzinfo=None)))
        moment = min(then.replace(tzinfo=since.tzinfo), until - SECOND / 1_000_000)
        assert as_of(hour, moment) == columns


def test_a_revised_hour_is_served_with_its_earlier_values() -> None:
    """Before the revision it is the hour of then; before the first save it is empty."""
    first = saved(Hour(FIVE), [measured(at(0)), measured(at(5))], LATER, LATER)
    later = LATER + MINUTE
    hour = saved(first, [measured(at(0), 112), measured(at(10))], later, later)

    assert as_of(hour, later) == to_columns(FIVE, hour.readings)
    assert as_of(hour, later - SECOND) == to_columns(FIVE, first.readings)
    assert len(as_of(hour, LATER - SECOND)) == 0


def test_a_reading_filled_in_later_was_not_there() -> None:
    """An hour without revisions is served without what was stored afterwards."""
    first = saved(Hour(FIVE), [measured(at(0)), measured(at(10))], LATER, LATER)
    later = LATER + MINUTE
    hour = saved(first, [measured(at(5))], later, later)

    assert as_of(hour, later) == to_columns(FIVE, hour.readings)
    assert as_of(hour, later - SECOND) == to_columns(FIVE, first.readings)


def test_a_version_saved_late_counts_from_then_on() -> None:
    """The example in the head of the module: it never overrides a newer fetch."""
    nine = FIVE + 4 * timedelta(hours=1)
    reading = first_version(measured(at(0), 110), nine, nine + MINUTE)
    reading = with_record(reading, measured(at(0), 112), nine + 30 * MINUTE, nine + 31 * MINUTE)
    reading = with_record(reading, measured(at(0), 111), nine + 15 * MINUTE, nine + 100 * MINUTE)
    seen = [reading_as_of(reading, nine + minutes * MINUTE) for minutes in (0, 10, 60, 120)]

    assert [one and (one.reading.mg_dl, one.revision) for one in seen] == [
        None,
        (110, 0),
        (112, 1),
        (112, 2),
    ]


def test_versions_beyond_the_limit_are_not_kept() -> None:
    """Up to the limit each state is known; after it, some in the middle are the last one that was kept."""
    reading = first_version(measured(at(0), 100), LATER, LATER)
    for number in range(1, EARLIER_MAX + 4):
        when = LATER + number * MINUTE
        reading = with_record(reading, measured(at(0), 100 + number), when, when)
    values = [
        seen.reading.mg_dl
        for number in range(EARLIER_MAX + 4)
        if (seen := reading_as_of(reading, LATER + number * MINUTE))
    ]

    last_kept = 100 + EARLIER_MAX - 1
    assert values == [*range(100, 100 + EARLIER_MAX), *[last_kept] * 3, 100 + EARLIER_MAX + 3]
