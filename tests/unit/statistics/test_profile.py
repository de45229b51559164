from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.statistics.as_json import profile_json
from bg_ingest.statistics.profile import BinMinutes, profile
from tests.unit.statistics.by_definition import Reading, profile_by_definition
from tests.unit.statistics.closeness import disagreements
from tests.unit.statistics.made_up import (
    BERLIN,
    DAY,
    LONG_AFTER,
    SPRING,
    every_five_minutes,
    full_days,
    readings_of_a_person,
    series_of,
)

WIDTHS: tuple[BinMinutes, ...] = get_args(BinMinutes)


def answer(readings: list[Reading], first: date, last: date, bin_minutes: BinMinutes = 60) -> dict[str, Any]:
    """The profile as the API answers it."""
    return profile_json(profile(series_of(readings), first, last, LONG_AFTER, bin_minutes), as_of=None)


@given(readings_of_a_person(), st.integers(1, 9), st.sampled_from(WIDTHS))
def test_every_curve_equals_its_definition(
    readings: list[Reading], days: int, bin_minutes: BinMinutes
) -> None:
    """Each percentile, raw and smoothed, equals a slow calculation from its definition to 1e-9."""
    first, last = SPRING - DAY, SPRING + (days - 2) * DAY

    ours = answer(readings, first, last, bin_minutes)

    theirs = profile_by_definition(readings, first, last, LONG_AFTER, bin_minutes)
    assert disagreements(ours, {**theirs, "as_of": None}) == []


@pytest.mark.parametrize("bin_minutes", WIDTHS)
def test_bins_cover_the_day(bin_minutes: BinMinutes) -> None:
    """Every bin begins where the one before ends, and has the readings of its minutes."""
    bins = answer(full_days(SPRING, 1), SPRING, SPRING, bin_minutes)["bins"]

    assert [each["minute"] for each in bins] == list(range(0, 1440, bin_minutes))
    assert {each["n"] for each in bins} == {bin_minutes // 5}


def test_bins_are_of_the_local_time_of_day() -> None:
    """The hour that Berlin skips in spring is empty; the hours around it are not."""
    bins = answer(full_days(SPRING, 1, BERLIN), SPRING, SPRING)["bins"]

    assert [each["n"] for each in bins[:5]] == [12, 12, 0, 12, 12]


def test_percentiles_are_of_the_bin() -> None:
    """Five readings at seven in the evening: the median is the middle one, the rest is interpolated."""
    readings = every_five_minutes(datetime(2026, 3, 29, 19, tzinfo=UTC), [100, 140, 110, 130, 120])

    assert answer(readings, SPRING, SPRING)["bins"][19] == {
        "minute": 19 * 60,
        "n": 5,
        "p5": 102,
        "p25": 110,
        "p50": 120,
        "p75": 130,
        "p95": 138,
    }


def test_smoothing_is_cyclic_and_skips_empty_bins() -> None:
    """Midnight has 23:00 as a neighbour; a bin with one neighbour, with none, and an empty one."""
    at = {23: 100, 0: 106, 1: 118, 5: 90}
    readings = [
        reading
        for hour, value in sorted(at.items())
        for reading in every_five_minutes(datetime(2026, 3, 29, hour, tzinfo=UTC), [value])
    ]

    smoothed = {each["minute"] // 60: each["p50"] for each in answer(readings, SPRING, SPRING)["smoothed"]}

    assert smoothed[0] == (100 + 4 * 106 + 118) / 6
    assert smoothed[1] == (4 * 118 + 106) / 5
    assert smoothed[23] == (4 * 100 + 106) / 5
    assert smoothed[5] == 90
    assert smoothed[4] is None


def test_profile_without_readings_is_null() -> None:
    """Every bin is there, and says nothing."""
    empty = answer([], SPRING, SPRING + timedelta(days=13))

    curves = dict.fromkeys(("p5", "p25", "p50", "p75", "p95"))
    assert (empty["readings"], empty["sufficient"], empty["reasons"]) == (0, False, ["0.0 % of 70 %"])
    assert empty["bins"] == [{"minute": 60 * hour, "n": 0, **curves} for hour in range(24)]
    assert empty["smoothed"] == [{"minute": 60 * hour, **curves} for hour in range(24)]


def test_profile_has_the_verdict_of_the_statistics() -> None:
    """Nine of fourteen days do not suffice for a profile either."""
    whole = answer(full_days(SPRING, 9), SPRING, SPRING + 13 * DAY)

    assert (whole["sufficient"], whole["reasons"]) == (False, ["64.3 % of 70 %"])
