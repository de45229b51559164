"""Local days of a person, and the selection of the readings that lie in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import compress
from typing import TYPE_CHECKING

from bg_ingest.readings.model import Columns

if TYPE_CHECKING:
    from bg_ingest.readings.stored.stored_reading import HourColumns

# Local clocks are at most 14 hours ahead of UTC and at most 12 hours behind.
AHEAD_OF_UTC_MAX = timedelta(hours=14)
BEHIND_UTC_MAX = timedelta(hours=12)
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LocalDays:
    """
    The local days from `first` to `last`, both included. None leaves an end open.

    The local date of a reading comes from its own offset, or from UTC if that is unknown.
    """

    first: date | None = None
    last: date | None = None

    def include(self, at: datetime, offset_minutes: int | None) -> bool:
        """Whether the local date of this instant is one of the days."""
        day = local_date_of(at, offset_minutes)
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    def bounds(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """The part of `[start, end)` outside which no reading can lie in these days."""
        if self.first is not None:
            start = max(start, datetime.combine(self.first, time(), UTC) - AHEAD_OF_UTC_MAX)
        if self.last is not None:
            end = min(end, datetime.combine(self.last, time(), UTC) + _ONE_DAY + BEHIND_UTC_MAX)
        return start, end

    def part(self, hour: HourColumns) -> HourColumns:
        """The readings of an hour whose local dates are among the days."""
        offsets = hour.columns.local_offset_minutes
        inside = [self.include(at, offset) for at, offset in zip(hour.instants, offsets, strict=True)]
        if all(inside):
            return hour
        return replace(hour, columns=Columns._make(list(compress(column, inside)) for column in hour.columns))

    def narrowed(self, first: date, last: date) -> tuple[date, date] | None:
        """The days of the range from `first` to `last` that are among these; None if there are none."""
        start = first if self.first is None else max(first, self.first)
        end = last if self.last is None else min(last, self.last)
        return (start, end) if start <= end else None


def local_date_of(at: datetime, offset_minutes: int | None) -> date:
    """The local date of an instant in UTC."""
    return (at + timedelta(minutes=offset_minutes or 0)).date()
