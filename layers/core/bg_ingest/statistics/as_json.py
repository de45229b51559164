"""Statistics and profile as JSON values, as the API answers them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bg_ingest.statistics.profile import PERCENTS

if TYPE_CHECKING:
    from bg_ingest.statistics.profile import Percentiles, Profile
    from bg_ingest.statistics.summary import Statistics

METHOD = "bg-ingest-1"  # Changes with any definition, so that figures of two methods are never mixed.


def statistics_json(statistics: Statistics, *, as_of: str | None, version: str) -> dict[str, Any]:
    """The answer; figures are not rounded."""
    previous = statistics.previous
    return {
        **_figures(statistics, as_of, version),
        "by_day": [asdict(day) | {"date": day.date.isoformat()} for day in statistics.by_day],
        "previous": None if previous is None else _figures(previous, as_of, version),
    }


def profile_json(profile: Profile, *, as_of: str | None) -> dict[str, Any]:
    """The answer; figures are not rounded."""
    return {
        "from": profile.first.isoformat(),
        "to": profile.last.isoformat(),
        "as_of": as_of,
        "bin_minutes": profile.bin_minutes,
        "readings": profile.readings,
        "sufficient": profile.coverage.sufficient,
        "reasons": list(profile.coverage.reasons),
        "bins": [{"minute": each.minute, "n": each.n} | _curves(each.raw) for each in profile.bins],
        "smoothed": [{"minute": each.minute} | _curves(each.smoothed) for each in profile.bins],
    }


def _figures(statistics: Statistics, as_of: str | None, version: str) -> dict[str, Any]:
    coverage, ranges, lags = statistics.coverage, asdict(statistics.ranges), statistics.lags
    level = asdict(statistics.level)
    j_index, gri = level.pop("j_index"), ranges.pop("gri")
    return {
        "from": statistics.first.isoformat(),
        "to": statistics.last.isoformat(),
        "as_of": as_of,
        "method": METHOD,
        "version": version,
        "readings": statistics.readings,
        "low_readings": statistics.low_readings,
        "high_readings": statistics.high_readings,
        "slots": {"expected": coverage.expected, "received": coverage.received},
        "active_percent": coverage.active_percent,
        "sufficient": coverage.sufficient,
        "reasons": list(coverage.reasons),
        **level,
        **ranges,
        "gri": gri,
        "j_index": j_index,
        "lbgi": statistics.lbgi,
        "hbgi": statistics.hbgi,
        "adrr": asdict(statistics.adrr),
        "modd_mg_dl": asdict(lags.modd_mg_dl),
        "conga_mg_dl": {f"{hours}h": asdict(paired) for hours, paired in lags.conga_mg_dl.items()},
        "episodes": {name: asdict(each) for name, each in statistics.episodes.items()},
    }


def _curves(percentiles: Percentiles) -> dict[str, float | None]:
    return {f"p{percent}": value for percent, value in zip(PERCENTS, percentiles, strict=True)}
