from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.http.policy import Backoff

BACKOFF = Backoff()
ATTEMPTS = st.integers(1, 10_000)
JITTERS = st.floats(0.0, 1.0, exclude_max=True)


def test_the_limit_doubles_until_it_does_not() -> None:
    """With the longest jitter there is, one sees the limit itself."""
    waits_s = [BACKOFF.wait_s(attempt, 0.999999) for attempt in range(1, 8)]

    assert waits_s == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0], rel=1e-5)


@given(ATTEMPTS, JITTERS)
def test_the_jitter_is_full(attempt: int, jitter: float) -> None:
    """A wait is that share of the limit, from nothing at all to nearly all of it."""
    wait_s = BACKOFF.wait_s(attempt, jitter)

    assert wait_s is not None
    assert 0.0 <= wait_s <= 8.0
    assert wait_s == pytest.approx(jitter * min(8.0, 0.5 * 2.0 ** min(attempt - 1, 10)))


@given(ATTEMPTS, JITTERS, st.floats(0.0, 100.0))
def test_what_dexcom_asks_for_is_waited_exactly_or_not_here(
    attempt: int, jitter: float, asked_s: float
) -> None:
    """Never less than asked; what is too long for us is for the queue."""
    assert BACKOFF.wait_s(attempt, jitter, asked_s) == (asked_s if asked_s <= 10.0 else None)


def test_ten_seconds_are_ours_to_wait() -> None:
    """What takes longer than that is the queue's."""
    assert [BACKOFF.wait_s(1, 0.5, asked_s) for asked_s in (10.0, 10.1)] == [10.0, None]


@pytest.mark.parametrize(("attempt", "jitter"), [(0, 0.5), (1, -0.5), (1, 1.0)])
def test_what_no_caller_may_ask_is_refused(attempt: int, jitter: float) -> None:
    """Attempts are counted from one, and a jitter is a part of the whole."""
    with pytest.raises(AssertionError):
        BACKOFF.wait_s(attempt, jitter)
