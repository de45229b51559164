from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from bg_ingest.statistics.bands import BANDS, Gri, Ranges, band_of, target_percent
from bg_ingest.statistics.summary import statistics
from tests.unit.statistics.made_up import LONG_AFTER, every_five_minutes, series_of

DAY = date(2026, 3, 26)
START = datetime(2026, 3, 26, tzinfo=UTC)


def ranges_of(values: list[int], every_s: int = 300) -> Ranges:
    """The bands of some readings of one day."""
    readings = every_five_minutes(START, values, every_s=every_s)
    return statistics(series_of(readings), DAY, DAY, LONG_AFTER).ranges


def gri_of(very_low: int, low: int, target: int, high: int, very_high: int) -> Gri:
    """The index of so many readings in each band."""
    values = [50] * very_low + [60] * low + [100] * target + [200] * high + [300] * very_high
    return ranges_of(values).gri


@pytest.mark.parametrize(
    ("mg_dl", "band"),
    [
        *((39, "very_low"), (53, "very_low"), (54, "low"), (69, "low"), (70, "target"), (180, "target")),
        *((181, "high"), (250, "high"), (251, "very_high"), (401, "very_high")),
    ],
)
def test_edges_of_bands_are_on_the_published_side(mg_dl: int, band: str) -> None:
    """Battelino 2019: 70 and 180 are in target, 54 is low, 250 is high."""
    assert band_of(mg_dl) == band


def test_bands_are_disjoint_and_add_up() -> None:
    """Every reading is in one band: the shares add up to 100 %, the minutes to the time of all slots."""
    bands = ranges_of([39, 54, 70, 180, 181, 250, 251, 401]).bands

    assert [bands[name].percent for name in BANDS] == [12.5, 12.5, 25, 25, 25]
    assert [bands[name].minutes for name in BANDS] == [5, 5, 10, 10, 10]


def test_cumulative_shares_leave_out_the_edges() -> None:
    """70 is not below 70 and 180 not above 180; tight and pregnancy ranges include both of their ends."""
    ranges = ranges_of([53, 62, 63, 69, 70, 140, 141, 180, 181, 251])

    assert (ranges.below_70_percent, ranges.above_180_percent) == (40, 20)
    assert (ranges.tight_70_140_percent, ranges.pregnancy_63_140_percent) == (20, 40)


def test_two_readings_in_one_slot_are_five_minutes() -> None:
    """Time is counted by slots: two sources that agree do not double it."""
    bands = ranges_of([100, 100, 100, 100], every_s=30).bands

    assert (bands["target"].percent, bands["target"].minutes) == (100, 5)


def test_a_slot_with_two_bands_counts_in_both() -> None:
    """One slot has a low reading and one in target; each band has that slot."""
    bands = ranges_of([69, 70], every_s=60).bands

    assert (bands["low"].minutes, bands["target"].minutes) == (5, 5)


def test_gri_weighs_the_disjoint_bands() -> None:
    """Klonoff 2022: 3.0, 2.4, 1.6 and 0.8 times the percent of each band, and two components."""
    gri = gri_of(1, 4, 70, 20, 5)

    assert gri.value == pytest.approx(3.0 * 1 + 2.4 * 4 + 1.6 * 5 + 0.8 * 20, abs=1e-12)
    assert (gri.hypo, gri.hyper) == pytest.approx((1 + 0.8 * 4, 5 + 0.5 * 20), abs=1e-12)


def test_gri_is_100_at_most() -> None:
    """A day below 54 would be 300."""
    assert gri_of(10, 0, 0, 0, 0) == Gri(100, 100, 0, "E")


@pytest.mark.parametrize(
    ("high", "zone"),
    [(0, "A"), (25, "A"), (26, "B"), (50, "B"), (51, "C"), (75, "C"), (76, "D"), (100, "D")],
)
def test_upper_edge_of_a_zone_belongs_to_it(high: int, zone: str) -> None:
    """Zone A is 0 to 20: a quarter of the readings high is exactly 20, and still A."""
    assert gri_of(0, 0, 100 - high, high, 0).zone == zone


def test_target_without_values_is_null() -> None:
    """A day without readings has no share in target."""
    assert target_percent([]) is None
    assert target_percent([69, 70, 180, 181]) == 50
