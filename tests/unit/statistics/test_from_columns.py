"""Stored hours as one series: which readings count, and which instants must be read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, get_args

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.model import Kind, Reading
from bg_ingest.readings.stored.stored_reading import StoredReading, to_columns
from bg_ingest.statistics.from_columns import instants_of, local_date, series_of_hours
from bg_ingest.statistics.series import Series, between

if TYPE_CHECKING:
    from bg_ingest.readings.stored.stored_reading import HourColumns

HOUR = datetime(2026, 3, 28, 23, tzinfo=UTC)
ONE_DAY = timedelta(days=1)


def hour(start: datetime, kinds: list[Kind], offset: int | None) -> HourColumns:
    """An hour with a reading in each of its first minutes."""
    readings = [
        Reading(start + minute * timedelta(minutes=1), 100 + minute, kind=kind, local_offset_minutes=offset)
        for minute, kind in enumerate(kinds)
    ]
    return to_columns(start, [StoredReading(reading, start) for reading in readings])


def test_only_readings_of_a_sensor_are_in_the_series() -> None:
    """Fingersticks and calibrations are left out; each reading keeps its own offset."""
    kinds: list[Kind] = [*get_args(Kind), "cgm"]
    series = series_of_hours([hour(HOUR, kinds, 60), hour(HOUR + timedelta(hours=1), ["cgm"], None)])

    start_s = int(HOUR.timestamp())
    assert list(series.unix_s) == [start_s, start_s + 180, start_s + 3600]
    assert list(series.mg_dl) == [100, 103, 100]
    assert list(series.offset_minutes) == [60, 60, None]


@given(st.dates(date(1970, 1, 2), date(2100, 1, 1)), st.integers(0, 91), st.integers(-720, 840), st.data())
def test_every_reading_of_the_days_is_read(first: date, more: int, offset: int, data: st.DataObject) -> None:
    """An instant with a local date among the days lies in the range, for every offset that is accepted."""
    last = first + more * ONE_DAY
    edge = data.draw(st.sampled_from([first, last + ONE_DAY]))
    second = data.draw(st.integers(-90_000, 90_000) | st.sampled_from([0, -1]))
    midnight = datetime(edge.year, edge.month, edge.day, tzinfo=UTC) - timedelta(minutes=offset)
    at = midnight + timedelta(seconds=second)
    start, end = instants_of(first, last)
    found = between(Series([int(at.timestamp())], [100], [offset]), first, last)

    assert not found.mg_dl or start <= at < end


def test_edges_of_the_range_are_14_and_12_hours_away() -> None:
    """No more is read than an offset can need."""
    assert instants_of(date(2026, 4, 26), date(2026, 4, 27)) == (
        datetime(2026, 4, 25, 10, tzinfo=UTC),
        datetime(2026, 4, 28, 12, tzinfo=UTC),
    )


def test_dates_at_the_ends_of_the_calendar_have_instants() -> None:
    """They are moved into the calendar; no reading is there."""
    assert instants_of(date.min, date.min)[0].year == 1899
    assert instants_of(date.max, date.max)[1].year == 9990


def test_today_is_the_date_by_the_newest_offset() -> None:
    """Without a reading, or without its offset, it is the date of UTC."""
    now = datetime(2026, 4, 26, 23, 30, tzinfo=UTC)

    assert local_date(now, Series([], [], [])) == date(2026, 4, 26)
    assert local_date(now, Series([1, 2], [100, 100], [-720, 60])) == date(2026, 4, 27)
    assert local_date(now, Series([1, 2], [100, 100], [60, None])) == date(2026, 4, 26)
