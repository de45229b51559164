from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.readings.gaps import INTERVAL, TOLERANCE, Gap, find_gaps
from tests.unit.readings.made_up import FIVE, MINUTE, QUICK, SECOND, SIX, at

if TYPE_CHECKING:
    from datetime import datetime


def series(*missing: int) -> list[datetime]:
    """The twelve readings of an hour without some of them, with a second of jitter."""
    return [at(5 * n + 2, n % 3) for n in range(12) if n not in missing]


def test_a_full_hour_has_no_gap() -> None:
    """Jitter and the ends of the range are not gaps."""
    assert find_gaps(series(), FIVE, SIX) == ()


def test_one_missing_reading_is_a_gap() -> None:
    """The gap reaches from the reading before to the reading after."""
    assert find_gaps(series(4), FIVE, SIX) == (Gap(at(17), at(27, 2), 1),)


def test_jitter_does_not_hide_a_missing_reading() -> None:
    """Two readings that jitter towards each other, with one missing in between, are a gap."""
    assert find_gaps([at(17, 3), at(27)], at(17), at(28)) == (Gap(at(17, 3), at(27), 1),)


def test_the_end_of_the_range_is_not_a_reading() -> None:
    """A reading is expected before the end, not at it."""
    assert find_gaps([at(45), at(50)], at(45), SIX) == (Gap(at(50), SIX, 1),)


def test_gaps_at_both_ends() -> None:
    """Readings that are missing before the first and after the last one count."""
    assert find_gaps([at(22), at(27)], FIVE, SIX) == (Gap(FIVE, at(22), 4), Gap(at(27), SIX, 6))


def test_an_empty_range_is_one_gap() -> None:
    """A range without readings is one gap, and a range without length has none."""
    assert find_gaps([], FIVE, SIX) == (Gap(FIVE, SIX, 12),)
    assert find_gaps([], FIVE, FIVE) == ()
    assert find_gaps([], SIX, FIVE) == ()
    assert find_gaps([], FIVE, FIVE + MINUTE) == ()


def test_a_gap_is_at_least_one_and_a_half_intervals() -> None:
    """At an end of the range and between two readings."""
    assert find_gaps([at(7, 29), at(12, 29)], FIVE, at(15)) == ()
    assert find_gaps([at(7, 30), at(12, 30)], FIVE, at(15)) == (Gap(FIVE, at(7, 30), 1),)
    assert find_gaps([at(1), at(8, 29)], FIVE, at(10)) == ()
    assert find_gaps([at(1), at(8, 30)], FIVE, at(10)) == (Gap(at(1), at(8, 30), 1),)


def test_a_range_includes_its_start_and_not_its_end() -> None:
    """A reading at the start counts, and one at the end belongs to the next range."""
    assert find_gaps([FIVE, at(10)], FIVE, at(15)) == (Gap(FIVE, at(10), 1),)
    assert find_gaps([at(0), at(3), at(15)], FIVE, at(15)) == (Gap(at(3), at(15), 2),)


def test_one_interval_without_a_reading_is_a_gap() -> None:
    """It is the shortest range that should have a reading."""
    assert find_gaps([], FIVE, at(5)) == (Gap(FIVE, at(5), 1),)


def test_jitter_is_not_a_gap_without_tolerance() -> None:
    """If no reading is missing there is no gap, for any tolerance."""
    assert find_gaps(series(), FIVE, SIX, tolerance=timedelta(0)) == ()


def test_a_sensor_with_another_interval() -> None:
    """Readings may come every minute."""
    every_minute = [at(n) for n in range(60) if n not in {7, 8}]

    assert find_gaps(every_minute, FIVE, SIX, interval=MINUTE, tolerance=MINUTE / 2) == (
        Gap(at(6), at(9), 2),
    )


def test_the_tolerance_does_not_hide_a_missing_reading() -> None:
    """Two readings with one missing in between are further apart than the tolerance."""
    assert INTERVAL + TOLERANCE < 2 * INTERVAL


@QUICK
@given(st.sets(st.integers(0, 287)), st.sets(st.integers(0, 86_399)), st.data())
def test_gaps_and_readings_add_up(lost: set[int], others: set[int], data: st.DataObject) -> None:
    """The gaps of a day miss exactly the removed readings. More readings never make more gaps."""
    end = FIVE + timedelta(days=1)
    kept = [FIVE + INTERVAL * n + SECOND * 150 for n in range(288) if n not in lost]
    kept = data.draw(st.permutations(kept)) if len(kept) < 20 else kept
    gaps = find_gaps(kept, FIVE, end)

    assert sum(gap.missing for gap in gaps) == len(lost)
    assert all(one.end <= other.start for one, other in pairwise(gaps))
    assert not any(gap.start < instant < gap.end for gap in gaps for instant in kept)
    fuller = find_gaps([*kept, *(FIVE + SECOND * n for n in others)], FIVE, end)
    assert sum(gap.missing for gap in fuller) <= len(lost)
