"""Adapter from stored readings, as columns of hours, to one series."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.local_days import AHEAD_OF_UTC_MAX, BEHIND_UTC_MAX
from bg_ingest.readings.stored.stored_reading import SharedValue
from bg_ingest.statistics.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.readings.stored.stored_reading import HourColumns

_FIRST, _LAST = date(1900, 1, 1), date(9990, 1, 1)  # So that no edge leaves the calendar.
_ONE_DAY = timedelta(days=1)


def instants_of(first: date, last: date) -> tuple[datetime, datetime]:
    """The start and the end of every reading that can have a local date from `first` to `last`."""
    start = datetime.combine(min(max(first, _FIRST), _LAST), time(), UTC)
    end = datetime.combine(min(max(last, _FIRST), _LAST) + _ONE_DAY, time(), UTC)
    return start - AHEAD_OF_UTC_MAX, end + BEHIND_UTC_MAX


def series_of_hours(hours: Iterable[HourColumns]) -> Series:
    """The readings of a sensor, as the completeness counts them; the hours must be in order of time."""
    unix_s: list[int] = []
    mg_dl: list[int] = []
    offset_minutes: list[int | None] = []
    for hour in hours:
        start_s = int(hour.start.timestamp())
        columns = hour.columns
        if isinstance(columns.kind, SharedValue) and columns.kind.value == "cgm":  # As nearly every hour is.
            unix_s += [start_s + second for second in columns.seconds]
            mg_dl += columns.mg_dl
            offset_minutes += columns.local_offset_minutes
            continue
        for second, value, kind, offset in zip(
            columns.seconds, columns.mg_dl, columns.kind, columns.local_offset_minutes, strict=True
        ):
            if kind == "cgm":
                unix_s.append(start_s + second)
                mg_dl.append(value)
                offset_minutes.append(offset)
    return Series(unix_s, mg_dl, offset_minutes)


def local_date(now: datetime, series: Series) -> date:
    """Today by the offset of the newest reading; by UTC if that is unknown."""
    offset = series.offset_minutes[-1] if series.offset_minutes else None
    return (now.astimezone(UTC) + timedelta(minutes=offset or 0)).date()
