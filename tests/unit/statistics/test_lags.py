from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from bg_ingest.statistics.lags import Lags, Paired, lags
from bg_ingest.statistics.series import between
from tests.unit.statistics.made_up import every_five_minutes, series_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.statistics.by_definition import Reading

START = datetime(2026, 3, 26, tzinfo=UTC)
NO_PAIR = Paired(None, 0)


def lags_of(readings: Sequence[Reading]) -> Lags:
    """MODD and CONGA of readings of some days."""
    return lags(between(series_of(readings), date(2026, 3, 20), date(2026, 4, 20)))


def test_modd_is_the_mean_distance_to_the_day_before() -> None:
    """One slot is 10 higher than the day before, another 30 lower; a slot without a partner is left out."""
    readings = [
        *every_five_minutes(START, [100, 110, 120]),
        *every_five_minutes(START + timedelta(days=1), [110, 80]),
    ]

    assert lags_of(readings).modd_mg_dl == Paired(20, 2)


def test_conga_is_the_deviation_of_differences() -> None:
    """An hour later the values differ by 10 and by 30, whose sample deviation is 10 times the root of 2."""
    readings = [
        *every_five_minutes(START, [100, 100]),
        *every_five_minutes(START + timedelta(hours=1), [110, 130]),
    ]

    assert lags_of(readings).conga_mg_dl == {
        1: Paired(10 * math.sqrt(2), 2),
        2: NO_PAIR,
        4: NO_PAIR,
        24: NO_PAIR,
    }


def test_one_pair_has_a_modd_and_no_conga() -> None:
    """A mean is one difference, a deviation needs two; the number of pairs says so."""
    found = lags_of(every_five_minutes(START, [100, 130], every_s=86_400))

    assert (found.modd_mg_dl, found.conga_mg_dl[24]) == (Paired(30, 1), Paired(None, 1))


def test_the_first_reading_of_a_slot_is_compared() -> None:
    """The earlier one of two readings in one slot is on the grid."""
    readings = [
        *every_five_minutes(START, [100, 999], every_s=60),
        *every_five_minutes(START + timedelta(days=1), [130, 999], every_s=60),
    ]

    assert lags_of(readings).modd_mg_dl == Paired(30, 1)


def test_nothing_is_interpolated_in_a_gap() -> None:
    """A reading missing for five minutes makes one pair less, and no value is interpolated for it."""
    day = every_five_minutes(START, [100, 200, 300])
    next_day = every_five_minutes(START + timedelta(days=1), [101, 201, 301])

    assert lags_of([day[0], day[2], *next_day]).modd_mg_dl == Paired(1, 2)


def test_jitter_does_not_break_a_pair() -> None:
    """Readings two minutes early or late are still in their slots."""
    readings = [
        *every_five_minutes(START, [100, 100]),
        *every_five_minutes(START + timedelta(hours=24, minutes=2), [110, 110]),
    ]

    assert lags_of(readings).modd_mg_dl == Paired(10, 2)
