"""Glucose statistics of a range of local days, and of the period before it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.statistics.bands import ranges, target_percent
from bg_ingest.statistics.days import coverage, local_days
from bg_ingest.statistics.distribution import HIGH, LOW, level
from bg_ingest.statistics.episodes import episodes
from bg_ingest.statistics.lags import lags
from bg_ingest.statistics.risk import adrr, hbgi, lbgi
from bg_ingest.statistics.series import between

if TYPE_CHECKING:
    from datetime import date, datetime

    from bg_ingest.statistics.bands import Ranges
    from bg_ingest.statistics.days import Coverage, LocalDay
    from bg_ingest.statistics.distribution import Level
    from bg_ingest.statistics.episodes import Episodes
    from bg_ingest.statistics.lags import Lags
    from bg_ingest.statistics.risk import DailyRisk
    from bg_ingest.statistics.series import Series


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One local day: its slots, its mean and its time in target; None without readings."""

    date: date
    expected: int
    received: int
    percent: float | None
    mean_mg_dl: float | None
    target_percent: float | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Every figure of a range of local dates, both included."""

    first: date
    last: date
    readings: int
    low_readings: int
    high_readings: int
    coverage: Coverage
    level: Level
    ranges: Ranges
    lbgi: float | None
    hbgi: float | None
    adrr: DailyRisk
    lags: Lags
    episodes: dict[str, Episodes]
    by_day: tuple[DayFigures, ...]
    previous: Statistics | None = None


def statistics(
    series: Series, first: date, last: date, now: datetime, previous: Statistics | None = None
) -> Statistics:
    """The figures of the readings with a local date from `first` to `last`."""
    readings = between(series, first, last)
    counts = Counter(readings.mg_dl)
    days = local_days(readings, first, last, now)
    return Statistics(
        first=first,
        last=last,
        readings=len(readings.mg_dl),
        low_readings=counts[LOW],
        high_readings=counts[HIGH],
        coverage=coverage(days),
        level=level(counts),
        ranges=ranges(readings, counts),
        lbgi=lbgi(counts),
        hbgi=hbgi(counts),
        adrr=adrr(days),
        lags=lags(readings),
        episodes=episodes(readings),
        by_day=tuple(map(_figures_of_day, days)),
        previous=previous,
    )


def compared_statistics(series: Series, first: date, last: date, now: datetime) -> Statistics:
    """The same, with the figures of as many days before `first`; the series must reach back so far."""
    before = period_before(first, last)
    previous = statistics(series, *before, now) if before else None
    return statistics(series, first, last, now, previous)


def period_before(first: date, last: date) -> tuple[date, date] | None:
    """The first and the last of as many days before `first`; None if the calendar has no such days."""
    length = last - first + timedelta(days=1)
    if first.toordinal() <= length.days:
        return None
    return first - length, first - timedelta(days=1)


def _figures_of_day(day: LocalDay) -> DayFigures:
    return DayFigures(
        date=day.date,
        expected=day.expected,
        received=day.received,
        percent=day.percent,
        mean_mg_dl=sum(day.mg_dl) / len(day.mg_dl) if day.mg_dl else None,
        target_percent=target_percent(day.mg_dl),
    )
