"""
Response bodies of the statistics and of the glucose profile.

- The days of a request are local dates. If it has no `to`, then the last day is the person's today: the
  local date by the offset of the newest reading. If it has no `from`, then it is the 14 days up to `to`.
- `as_of` in a response is the instant at which the response was true. It does not change the ETag.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest.http_api.answers.range_response import exact_text
from bg_ingest.http_api.description import Instant
from bg_ingest.http_api.requests import parsing
from bg_ingest.readings.local_days import AHEAD_OF_UTC_MAX, BEHIND_UTC_MAX, LocalDays
from bg_ingest.statistics.as_json import profile_json, statistics_json
from bg_ingest.statistics.from_columns import instants_of, local_date, series_of_hours
from bg_ingest.statistics.profile import BinMinutes, profile
from bg_ingest.statistics.summary import compared_statistics, period_before, statistics
from bg_ingest.version import VERSION

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.statistics.series import Series

Count = Annotated[int, Field(ge=0)]
Percent = Annotated[float | None, Field(ge=0, description="Null without readings")]
MgDl = Annotated[float | None, Field(description="mg/dL; null if there are too few readings")]
Reasons = Annotated[list[str], Field(description="Why it is not sufficient", examples=[["9 of 14 days"]])]
Sufficient = Annotated[bool, Field(description="At least 14 days, with 70 % of their slots received")]


class SlotsJson(TypedDict):
    """How many times five minutes should have a reading, and how many have one."""

    expected: Count
    received: Count


class BandJson(TypedDict):
    """The share of the readings in a band, and the minutes of their slots."""

    percent: Percent
    minutes: int | None


class BandsJson(TypedDict):
    """The five bands; each reading lies in exactly one."""

    very_low: Annotated[BandJson, Field(description="Below 54 mg/dL")]
    low: Annotated[BandJson, Field(description="54 to 69 mg/dL")]
    target: Annotated[BandJson, Field(description="70 to 180 mg/dL")]
    high: Annotated[BandJson, Field(description="181 to 250 mg/dL")]
    very_high: Annotated[BandJson, Field(description="Above 250 mg/dL")]


class GriJson(TypedDict):
    """The Glycemia Risk Index, its two components and its zone."""

    value: Percent
    hypo: Percent
    hyper: Percent
    zone: Literal["A", "B", "C", "D", "E"] | None


class DailyRiskJson(TypedDict):
    """The average daily risk range, and the number of days with readings."""

    value: float | None
    days: Count


class PairedJson(TypedDict):
    """A figure, and the number of pairs of readings that it comes from."""

    value: MgDl
    pairs: Count


CongaJson = TypedDict("CongaJson", {"1h": PairedJson, "2h": PairedJson, "4h": PairedJson, "24h": PairedJson})


class EpisodeKindJson(TypedDict):
    """How many episodes there were, and how long they were on average."""

    count: int | None
    mean_minutes: float | None


class EpisodesJson(TypedDict):
    """The episodes of low and of high glucose, by threshold."""

    below_70: EpisodeKindJson
    below_54: EpisodeKindJson
    above_180: EpisodeKindJson
    above_250: EpisodeKindJson


class LocalDayJson(TypedDict):
    """One local day."""

    date: date
    expected: Count
    received: Count
    percent: Annotated[float | None, Field(description="Null before the first slot of the day is due")]
    mean_mg_dl: MgDl
    target_percent: Percent


class PeriodJson(TypedDict):
    """Every figure of some local days; docs/statistics.md has the definitions."""

    from_: Annotated[date, Field(alias="from")]
    to: date
    as_of: Annotated[Instant, Field(description="The instant at which these figures were true")]
    method: Annotated[str, Field(description="The name of the definitions", examples=["bg-ingest-1"])]
    version: Annotated[str, Field(description="The version of the service", examples=["0.1.0"])]
    readings: Count
    low_readings: Annotated[int, Field(ge=0, description="Readings of 39, which stands for below 40")]
    high_readings: Annotated[int, Field(ge=0, description="Readings of 401, which stands for above 400")]
    slots: SlotsJson
    active_percent: float | None
    sufficient: Sufficient
    reasons: Reasons
    mean_mg_dl: MgDl
    sd_mg_dl: MgDl
    cv_percent: float | None
    median_mg_dl: MgDl
    iqr_mg_dl: MgDl
    min_mg_dl: int | None
    max_mg_dl: int | None
    gmi_percent: float | None
    gmi_mmol_mol: float | None
    bands: BandsJson
    below_70_percent: Percent
    above_180_percent: Percent
    tight_70_140_percent: Percent
    pregnancy_63_140_percent: Percent
    gri: GriJson
    j_index: float | None
    lbgi: float | None
    hbgi: float | None
    adrr: DailyRiskJson
    modd_mg_dl: PairedJson
    conga_mg_dl: CongaJson
    episodes: EpisodesJson


class StatisticsJson(PeriodJson):
    """Every figure of some local days, each day, and the period before if it was asked for."""

    by_day: list[LocalDayJson]
    previous: PeriodJson | None


class CurvePointJson(TypedDict):
    """The smoothed percentiles of one part of the day."""

    minute: Annotated[int, Field(ge=0, lt=1440, description="Its start, in minutes after local midnight")]
    p5: MgDl
    p25: MgDl
    p50: MgDl
    p75: MgDl
    p95: MgDl


class BinJson(CurvePointJson):
    """The percentiles of one part of the day, and the number of its readings."""

    n: Count


class ProfileJson(TypedDict):
    """The glucose profile: percentiles by the local time of day, raw and smoothed."""

    from_: Annotated[date, Field(alias="from")]
    to: date
    as_of: Annotated[Instant, Field(description="The instant at which this profile was true")]
    bin_minutes: BinMinutes
    readings: Count
    sufficient: Sufficient
    reasons: Reasons
    bins: list[BinJson]
    smoothed: list[CurvePointJson]


@dataclass(frozen=True, slots=True)
class LocalRange:
    """The readings of a request about local days, and its first and last day."""

    series: Series
    first: date
    last: date


def read_days(
    reading_store: ReadingStore,
    user_id: str,
    asked: tuple[str | None, str | None],
    now: datetime,
    *,
    as_of: datetime | None = None,
    with_period_before: bool = False,
) -> LocalRange:
    """
    Read the days of a request, in one query; the local date of `now` is known only afterwards.

    With `as_of`, `now` must be the same instant. If the store shows some days only, then the range is cut to
    them, and its last day is by default the last of them.
    """
    from_, to = asked
    shown = reading_store.days or LocalDays()
    last_shown = shown.last or date.max
    first = parsing.parse_day(from_, "from") if from_ is not None else date.min
    today_at_least = min((now - BEHIND_UTC_MAX).date(), last_shown)
    earliest, _ = parsing.parse_local_days(from_, to, max(first, today_at_least))
    _, latest = parsing.parse_local_days(None, to, min((now + AHEAD_OF_UTC_MAX).date(), last_shown))
    before = period_before(earliest, latest) if with_period_before else None
    start, end = instants_of(before[0] if before else earliest, latest)
    series = series_of_hours(reading_store.columns(user_id, start, end, as_of=as_of))
    wanted = parsing.parse_local_days(from_, to, min(local_date(now, series), last_shown))
    return LocalRange(series, *(shown.narrowed(*wanted) or wanted))


def statistics_texts(days: LocalRange, now: datetime, *, compared: bool) -> tuple[str, str]:
    """Return the body, and the same without the instant: it must not change the ETag."""
    calculate = compared_statistics if compared else statistics
    figures = calculate(days.series, days.first, days.last, now)
    as_of = exact_text(now)
    return (
        _text(statistics_json(figures, as_of=as_of, version=VERSION)),
        _text(statistics_json(figures, as_of=None, version=VERSION)),
    )


def profile_texts(days: LocalRange, now: datetime, bin_minutes: BinMinutes) -> tuple[str, str]:
    """Return the body, and the same without the instant: it must not change the ETag."""
    found = profile(days.series, days.first, days.last, now, bin_minutes)
    return (
        _text(profile_json(found, as_of=exact_text(now))),
        _text(profile_json(found, as_of=None)),
    )


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
