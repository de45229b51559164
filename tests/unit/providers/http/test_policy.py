from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.http.admission import RateRules
from bg_ingest.providers.http.policy import Backoff, Policy, Timeouts

BACKOFF = Backoff()
ATTEMPTS = st.integers(1, 10_000)
JITTERS = st.floats(0.0, 1.0, exclude_max=True)


def test_default_policy() -> None:
    """The defaults are the numbers that docs/dexcom-client.md and the comments state."""
    assert Policy() == Policy(
        timeouts=Timeouts(pool_s=3.0, connect_s=3.0, write_s=3.0, read_s=15.0),
        backoff=Backoff(first_s=0.5, wait_s_max=8.0, asked_s_max=10.0),
        attempts_max=3,
        time_s_max=50.0,
        attempt_s_min=5.0,
        answer_bytes_max=33_554_432,
    )


def test_sums_of_the_defaults() -> None:
    """The sums that the documentation states are those of the defaults."""
    assert Timeouts().attempt_s_max == 42.0
    assert Policy().time_s_max == 50.0


@given(st.floats(0.1, 1000.0))
def test_shortened_timeouts_fit_into_the_time(time_s: float) -> None:
    """The sum of the shortened timeouts is the given time or the normal sum, and no timeout gets longer."""
    shortened = Timeouts().within(time_s)

    assert shortened.attempt_s_max == pytest.approx(min(time_s, Timeouts().attempt_s_max))
    assert all(getattr(shortened, step.name) <= getattr(Timeouts(), step.name) for step in fields(Timeouts))


def test_limits_agree_with_each_other() -> None:
    """A call has time for the longest wait for the rate limiter and an attempt, and for one retry."""
    policy = Policy()

    assert RateRules().wait_s_max + policy.timeouts.attempt_s_max < policy.time_s_max
    assert policy.backoff.asked_s_max + 2 * policy.attempt_s_min < policy.time_s_max
    assert RateRules().pause_s < RateRules().wait_s_max


def test_extension_sets_every_timeout_of_httpx() -> None:
    """A step that the extension does not name would have no limit."""
    assert Timeouts().as_extension() == pytest.approx(
        {"pool": 3.0, "connect": 3.0, "write": 3.0, "read": 15.0}
    )


def test_backoff_limit_doubles_up_to_its_maximum() -> None:
    """With the largest jitter the wait is the limit, which doubles from 0.5 s to 8 s."""
    waits_s = [BACKOFF.wait_s(attempt, 0.999999) for attempt in range(1, 8)]

    assert waits_s == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0], rel=1e-5)


@given(ATTEMPTS, JITTERS)
def test_backoff_has_full_jitter(attempt: int, jitter: float) -> None:
    """The wait is the jitter's share of the limit, from zero to almost the limit."""
    wait_s = BACKOFF.wait_s(attempt, jitter)

    assert wait_s is not None
    assert 0.0 <= wait_s <= 8.0
    assert wait_s == pytest.approx(jitter * min(8.0, 0.5 * 2.0 ** min(attempt - 1, 10)))


@given(ATTEMPTS, JITTERS, st.floats(0.0, 100.0))
def test_retry_after_is_waited_exactly_or_not_at_all(attempt: int, jitter: float, asked_s: float) -> None:
    """A Retry-After of up to ten seconds is the wait; with a longer one the call fails."""
    assert BACKOFF.wait_s(attempt, jitter, asked_s) == (asked_s if asked_s <= 10.0 else None)


def test_retry_after_of_ten_seconds_is_waited() -> None:
    """The longest Retry-After that is waited is ten seconds."""
    assert [BACKOFF.wait_s(1, 0.5, asked_s) for asked_s in (10.0, 10.1)] == [10.0, None]


@pytest.mark.parametrize(("attempt", "jitter"), [(0, 0.5), (1, -0.5), (1, 1.0)])
def test_invalid_attempt_or_jitter_is_rejected(attempt: int, jitter: float) -> None:
    """Attempts are counted from one, and the jitter is from zero to below one."""
    with pytest.raises(AssertionError):
        BACKOFF.wait_s(attempt, jitter)
