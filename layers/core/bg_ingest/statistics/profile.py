"""Glucose profile: percentiles by the local time of day, raw and smoothed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bg_ingest.statistics.days import coverage, local_days
from bg_ingest.statistics.distribution import quantiles
from bg_ingest.statistics.series import DAY_S, between

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from bg_ingest.statistics.days import Coverage
    from bg_ingest.statistics.series import Series

BinMinutes = Literal[15, 30, 60]
PERCENTS = (5, 25, 50, 75, 95)

Percentiles = tuple[float | None, ...]  # One for each of PERCENTS; None without readings.
_EMPTY: Percentiles = (None,) * len(PERCENTS)


@dataclass(frozen=True, slots=True)
class Bin:
    """A part of the day: its first minute, its number of readings, their percentiles raw and smoothed."""

    minute: int
    n: int
    raw: Percentiles
    smoothed: Percentiles


@dataclass(frozen=True, slots=True)
class Profile:
    """The glucose profile of a range of local dates, both included."""

    first: date
    last: date
    bin_minutes: BinMinutes
    readings: int
    coverage: Coverage
    bins: tuple[Bin, ...]


def profile(series: Series, first: date, last: date, now: datetime, bin_minutes: BinMinutes = 60) -> Profile:
    """The profile of the readings with a local date from `first` to `last`."""
    readings = between(series, first, last)
    width_s = 60 * bin_minutes
    values: list[list[int]] = [[] for _ in range(DAY_S // width_s)]
    for second, value in zip(readings.local_s, readings.mg_dl, strict=True):
        values[second % DAY_S // width_s].append(value)
    raw = [tuple(quantiles(Counter(each), PERCENTS)) if each else _EMPTY for each in values]
    bins = zip(range(0, DAY_S // 60, bin_minutes), map(len, values), raw, _smoothed(raw), strict=True)
    return Profile(
        first=first,
        last=last,
        bin_minutes=bin_minutes,
        readings=len(readings.mg_dl),
        coverage=coverage(local_days(readings, first, last, now)),
        bins=tuple(Bin(*each) for each in bins),
    )


def _smoothed(raw: Sequence[Percentiles]) -> list[Percentiles]:
    """Each bin with its neighbours; the first and the last bin of the day are neighbours too."""
    return [
        tuple(map(_weighted, raw[place - 1], raw[place], raw[(place + 1) % len(raw)]))
        for place in range(len(raw))
    ]


def _weighted(before: float | None, own: float | None, after: float | None) -> float | None:
    """Four parts of a bin and one part of each neighbour that has readings."""
    if own is None:
        return None
    neighbours = [each for each in (before, after) if each is not None]
    return (4 * own + sum(neighbours)) / (4 + len(neighbours))
