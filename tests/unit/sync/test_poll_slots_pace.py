from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.settings import POLL_INTERVALS_S
from bg_ingest.sync.poll_slots import SLOWED_INTERVALS, interval_now_s, poll_slot
from bg_ingest.sync.state import Backfill, SyncState
from tests.support.fakes import NOON

CHOSEN_S = st.sampled_from(sorted(POLL_INTERVALS_S))
QUIET = st.timedeltas(min_value=timedelta(days=-1), max_value=timedelta(days=900))
JUST_NOW, YESTERDAY, LAST_WEEK = (NOON - timedelta(hours=hours) for hours in (1, 25, 169))


@given(CHOSEN_S, QUIET)
def test_nobody_is_polled_more_often_than_they_chose(chosen_s: int, quiet: timedelta) -> None:
    """Silence only ever slows down."""
    assert interval_now_s(chosen_s, quiet) >= chosen_s


@given(CHOSEN_S, QUIET, QUIET)
def test_the_longer_the_silence_the_slower(chosen_s: int, one: timedelta, other: timedelta) -> None:
    """More silence never makes polls more frequent."""
    assert interval_now_s(chosen_s, min(one, other)) <= interval_now_s(chosen_s, max(one, other))


def test_a_day_and_a_week_of_silence_slow_down() -> None:
    """Until a day without data nothing changes; then it is an hour, after a week six."""
    paces = [interval_now_s(900, timedelta(hours=hours)) for hours in (0, 23, 24, 167, 168)]

    assert paces == [900, 900, 3_600, 3_600, 21_600]


def test_the_dispatcher_looks_at_every_slow_seat() -> None:
    """A pace nobody dispatches would be no poll at all."""
    assert {slow_s for _, slow_s in SLOWED_INTERVALS} <= POLL_INTERVALS_S


@pytest.mark.parametrize(
    ("connected_at", "data_until", "interval_s"),
    [
        (LAST_WEEK, JUST_NOW, 900),
        (LAST_WEEK, YESTERDAY, 3_600),
        (YESTERDAY, LAST_WEEK, 3_600),
        (JUST_NOW, LAST_WEEK, 900),
        (JUST_NOW, None, 900),
        (LAST_WEEK, None, 21_600),
    ],
)
def test_silence_is_counted_from_the_last_sign_of_life(
    connected_at: datetime, data_until: datetime | None, interval_s: int
) -> None:
    """The newest reading, or the login where that was later: who has just connected is not slowed down."""
    state = SyncState(
        "ada", 900, None, None, Backfill(connected_at, connected_at), connected_at, connected_at
    )

    assert state.slot_now(data_until, NOON) == poll_slot("ada", interval_s)
