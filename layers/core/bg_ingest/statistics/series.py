"""Time series of glucose readings, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

DAY_S = 86_400
SLOT_MINUTES = 5  # A sensor measures every five minutes.
SLOT_S = 60 * SLOT_MINUTES
_EPOCH = 719_163  # date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Series:
    """
    Readings sorted by time, one entry for each in every column.

    Values are integers of at least 1 mg/dL. An unknown offset counts as UTC. Readings may share an instant.
    """

    unix_s: Sequence[int]
    mg_dl: Sequence[int]
    offset_minutes: Sequence[int | None]

    def __post_init__(self) -> None:
        if not len(self.unix_s) == len(self.mg_dl) == len(self.offset_minutes):
            raise ValueError("The columns of a series must be equally long")


@dataclass(frozen=True, slots=True)
class LocalReadings:
    """The readings of some local days, in order of time."""

    mg_dl: Sequence[int]
    offset_s: Sequence[int]
    local_s: Sequence[int]  # What the local clock showed: the instant plus the offset.
    slots: Sequence[int]


def between(series: Series, first: date, last: date) -> LocalReadings:
    """The readings with a local date from `first` to `last`, each by its own offset."""
    offset_s = [60 * (minutes or 0) for minutes in series.offset_minutes]
    local_s = [instant + offset for instant, offset in zip(series.unix_s, offset_s, strict=True)]
    start, end = DAY_S * day_number(first), DAY_S * (day_number(last) + 1)
    wanted = [start <= second < end for second in local_s]
    return LocalReadings(
        mg_dl=list(compress(series.mg_dl, wanted)),
        offset_s=list(compress(offset_s, wanted)),
        local_s=list(compress(local_s, wanted)),
        slots=[round(instant / SLOT_S) for instant in compress(series.unix_s, wanted)],
    )


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - _EPOCH
