"""An hour's readings as callers are served them: columns, as the stored form has them."""

# A page has a thousand readings and more. An object for each, to be taken apart again when it is rendered,
# costs more than parsing the stored text and writing the answer together; so for reading there is none.
# Merging needs them, and all that is not served besides: stored_reading.StoredReading.

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.readings.model import Device
    from bg_ingest.readings.stored_reading import StoredReading

_SECOND = timedelta(seconds=1)


class Columns(NamedTuple):
    """What is served of some readings: one entry for each in every column."""

    seconds: Sequence[int]  # After the start of the hour.
    mg_dl: Sequence[int]
    trend: Sequence[str | None]
    trend_rate: Sequence[float | None]
    status: Sequence[str | None]
    kind: Sequence[str]
    local_offset_minutes: Sequence[int | None]
    stored_at: Sequence[datetime]
    revision: Sequence[int]
    device: Sequence[Device]


@dataclass(frozen=True, slots=True)
class HourColumns:
    """Readings of one UTC hour: all, or those that are asked for."""

    start: datetime
    columns: Columns

    def __len__(self) -> int:
        return len(self.columns.seconds)

    @property
    def instants(self) -> list[datetime]:
        """When each was."""
        return [self.start + timedelta(0, second) for second in self.columns.seconds]

    def within(self, start: datetime, end: datetime) -> HourColumns:
        """Those of `[start, end)`; the hour must be in the order of time."""
        seconds = self.columns.seconds
        first = bisect_left(seconds, (start - self.start) / _SECOND)
        last = bisect_left(seconds, (end - self.start) / _SECOND)
        return self if last - first == len(self) else self.part(slice(first, last))

    def part(self, which: slice) -> HourColumns:
        """Some of them, in the order the slice says."""
        return replace(self, columns=Columns._make(column[which] for column in self.columns))


def to_columns(start: datetime, readings: Sequence[StoredReading]) -> HourColumns:
    """The same of readings at hand one by one; all of them must lie in the hour that begins at `start`."""
    now = [stored.reading for stored in readings]
    return HourColumns(
        start,
        Columns(
            seconds=[(reading.at - start) // _SECOND for reading in now],
            mg_dl=[reading.mg_dl for reading in now],
            trend=[reading.trend for reading in now],
            trend_rate=[reading.trend_rate for reading in now],
            status=[reading.status for reading in now],
            kind=[reading.kind for reading in now],
            local_offset_minutes=[reading.local_offset_minutes for reading in now],
            stored_at=[stored.stored_at for stored in readings],
            revision=[stored.revision for stored in readings],
            device=[reading.device for reading in now],
        ),
    )
