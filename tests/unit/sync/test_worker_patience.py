from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.sync import queue
from bg_ingest.sync.worker import WAIT_S_MAX, deferral_s, own_failure_delay_s

SPREAD = st.floats(min_value=0, max_value=1, exclude_max=True)
NEARLY_ONE = 1 - 1e-6
TIMES = st.integers(min_value=0, max_value=1_000)
HOUR_S = 3_600


@given(TIMES, SPREAD, st.floats(min_value=0, max_value=60_000))
def test_the_provider_is_never_asked_sooner_than_it_said(times: int, spread: float, asked_s: float) -> None:
    """Its Retry-After is a lower bound, to the second, up to what a queue can hide a message for."""
    assert int(min(asked_s, WAIT_S_MAX)) <= deferral_s(times, spread, asked_s) <= WAIT_S_MAX


def test_no_wait_is_longer_than_a_queue_can_hide_a_message() -> None:
    """SQS refuses twelve hours; nearly all of them can be waited."""
    assert 12 * HOUR_S - 60 < WAIT_S_MAX < 12 * HOUR_S
    assert deferral_s(0, 0.0, 13 * HOUR_S) == WAIT_S_MAX


@given(TIMES, SPREAD)
def test_waiting_without_being_told_fits_a_new_message(times: int, spread: float) -> None:
    """SQS delays a new message by a quarter of an hour at most."""
    assert 5 <= deferral_s(times, spread, 0) <= queue.DELAY_S_MAX


def test_waits_grow_and_level_off() -> None:
    """Ten seconds, twenty, forty, up to a quarter of an hour, with as much spread as there is certainty."""
    shortest, longest = ([deferral_s(times, spread, 0) for times in range(9)] for spread in (0.0, NEARLY_ONE))

    assert shortest == [5, 10, 20, 40, 80, 160, 320, 450, 450]
    assert longest == [9, 19, 39, 79, 159, 319, 639, 899, 899]


def test_all_who_were_told_the_same_come_back_apart() -> None:
    """The spread comes on top of what was asked for, as wide as without it."""
    assert [deferral_s(3, spread, 600) for spread in (0.0, 0.5, NEARLY_ONE)] == [600, 620, 639]


def test_our_own_failures_have_an_hour_to_be_mended() -> None:
    """Of the five tries four are followed by a wait; these add up to forty minutes, and eighty at most."""
    shortest, longest = (
        [own_failure_delay_s(received, spread) for received in range(1, 6)] for spread in (0.0, NEARLY_ONE)
    )

    assert shortest == [30, 120, 480, 1_800, 1_800]
    assert longest == [59, 239, 959, 3_599, 3_599]


@pytest.mark.parametrize("spread", [-0.5, 1.0])
def test_a_spread_is_a_part_of_the_whole(spread: float) -> None:
    """Anything else is a bug of the caller."""
    with pytest.raises(AssertionError):
        deferral_s(0, spread, 0)
    with pytest.raises(AssertionError):
        own_failure_delay_s(1, spread)
