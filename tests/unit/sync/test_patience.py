from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.sync import queue
from bg_ingest.sync.patience import WAIT_S_MAX, deferral_s, own_failure_s

SPREAD = st.floats(min_value=0, max_value=1, exclude_max=True)
TIMES = st.integers(min_value=0, max_value=1_000)


@given(TIMES, SPREAD, st.floats(min_value=0, max_value=40_000))
def test_the_provider_is_never_asked_sooner_than_it_said(times: int, spread: float, asked_s: float) -> None:
    """Its Retry-After is a lower bound, to the second, up to what a queue can hide a message for."""
    assert int(min(asked_s, WAIT_S_MAX)) <= deferral_s(times, spread, asked_s) <= WAIT_S_MAX


@given(TIMES, SPREAD)
def test_waiting_without_being_told_fits_a_new_message(times: int, spread: float) -> None:
    """SQS delays a new message by a quarter of an hour at most."""
    assert 5 <= deferral_s(times, spread) <= queue.DELAY_S_MAX


def test_waits_grow_and_level_off() -> None:
    """Ten seconds, twenty, forty, up to a quarter of an hour, with as much spread as there is certainty."""
    assert [deferral_s(times, 0.0) for times in range(9)] == [5, 10, 20, 40, 80, 160, 320, 450, 450]
    assert deferral_s(3, 0.999) in {79, 80}


def test_our_own_failures_have_an_hour_to_be_mended() -> None:
    """The four waits before a message is a dead letter add up to more than half an hour, at the least."""
    waits_s = [own_failure_s(received, 0.0) for received in range(1, 5)]

    assert waits_s == sorted(waits_s)
    assert sum(waits_s) > 1_800
