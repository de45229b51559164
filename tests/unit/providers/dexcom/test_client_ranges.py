from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.dexcom.client import RANGE_MAX, WINDOW_MAX, windows
from tests.support.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import Iterable

INSTANTS = st.datetimes(
    min_value=datetime(2015, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone.
    max_value=datetime(2030, 1, 1),  # noqa: DTZ001 - as above.
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
)


@given(INSTANTS, st.timedeltas(timedelta(0), RANGE_MAX))
def test_windows_cover_the_range_and_each_other_not(start: datetime, length: timedelta) -> None:
    """Without a gap, without an overlap, and none longer than Dexcom answers for."""
    cut = list(windows(start, start + length))

    if cut:
        assert cut[0][0] == start.replace(microsecond=0)
        assert cut[-1][1] == (start + length).replace(microsecond=0)
    assert all(until == following for (_, until), (following, _) in pairwise(cut))
    assert all(timedelta(0) < until - first <= WINDOW_MAX for first, until in cut)
    assert all(instant.microsecond == 0 and instant.tzinfo is UTC for window in cut for instant in window)


@given(INSTANTS, st.integers(1, 120))
def test_no_call_is_spent_on_a_fraction_of_a_second(start: datetime, windows_count: int) -> None:
    """So many times thirty days are so many calls, wherever in a second they start."""
    assert len(list(windows(start, start + windows_count * timedelta(days=30)))) == windows_count


def test_ten_years_are_a_range_wherever_their_leap_days_lie() -> None:
    """The longest ten years have three; what is longer by a day is a mistake."""
    start = datetime(2016, 1, 1, tzinfo=UTC)

    assert next(windows(start, datetime(2026, 1, 1, tzinfo=UTC)))
    with pytest.raises(ValueError, match="ten years"):
        next(windows(start, datetime(2026, 1, 2, tzinfo=UTC)))


@given(INSTANTS, st.timedeltas(timedelta(0), RANGE_MAX / 2), st.timedeltas(timedelta(0), RANGE_MAX / 2))
def test_ranges_that_meet_still_meet(start: datetime, first: timedelta, second: timedelta) -> None:
    """Asking in two parts misses nothing that asking at once would get."""
    middle, end = start + first, start + first + second
    covered = [seconds(windows(start, middle)), seconds(windows(middle, end))]

    assert sum(covered) == seconds(windows(start, end))


def seconds(cut: Iterable[tuple[datetime, datetime]]) -> float:
    """How many seconds windows cover."""
    return sum((until - first).total_seconds() for first, until in cut)


def test_nothing_is_asked_about_no_time_at_all() -> None:
    """An empty range is no window."""
    assert list(windows(NOON, NOON)) == []


@pytest.mark.parametrize(
    ("start", "end"),
    [(NOON, NOON - timedelta(seconds=1)), (NOON - RANGE_MAX - timedelta(seconds=1), NOON)],
)
def test_a_range_that_makes_no_sense_is_refused(start: datetime, end: datetime) -> None:
    """A mistake in a date costs an error, not a thousand calls."""
    with pytest.raises(ValueError, match="ends after it starts"):
        list(windows(start, end))


def test_wall_clock_times_are_refused() -> None:
    """Nobody guesses a zone."""
    with pytest.raises(ValueError, match="zone"):
        list(windows(NOON.replace(tzinfo=None), NOON))
