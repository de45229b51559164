from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.http.admission import Bucket, RateLimiter, RateRules
from tests.support.fakes import FakeClock

RULES = RateRules(calls_max=5, period_s=10.0, wait_s_max=4.0, pause_s=3.0, pause_s_max=60.0)
PAUSES = st.lists(st.sampled_from([0.0, 0.0, 0.5, 2.0, 3.7, 30.0]), max_size=40)


@pytest.fixture
def clock() -> FakeClock:
    """A clock, here and not from a conftest.py, which mutation testing leaves out."""
    return FakeClock()


def starts(gaps_s: list[float]) -> list[float]:
    """When the calls start that are reserved after these gaps."""
    bucket, made = Bucket(RULES), []
    for now_s in accumulate(gaps_s):
        bucket, wait_s = bucket.after_reservation(now_s)
        made.append(now_s + wait_s)
    return made


@given(PAUSES)
def test_rate_is_never_exceeded(gaps_s: list[float]) -> None:
    """Within any span of time, at most a full bucket and the tokens that came back are used."""
    made = starts(gaps_s)

    for first in range(len(made)):
        for last in range(first, len(made)):
            refilled = (made[last] - made[first]) / RULES.interval_s
            assert last - first + 1 <= RULES.calls_max + refilled + 1e-6


@given(PAUSES)
def test_calls_start_in_the_order_of_their_reservations(gaps_s: list[float]) -> None:
    """A later reservation never starts before an earlier one."""
    assert starts(gaps_s) == sorted(starts(gaps_s))


@given(st.lists(st.floats(2.0, 30.0), max_size=40))
def test_calls_at_the_rate_never_wait(gaps_s: list[float]) -> None:
    """Calls that are one interval or more apart start at once."""
    assert starts(gaps_s) == list(accumulate(gaps_s))


def test_full_bucket_then_one_call_per_interval(clock: FakeClock) -> None:
    """Five calls start at once, then one every two seconds; a wait above the limit is refused."""
    limiter = RateLimiter(clock, RULES)

    places = [limiter.reserve(60.0) for _ in range(8)]

    assert [place.wait_s for place in places] == [0.0] * 5 + [2.0, 4.0, 6.0]
    assert [place.granted for place in places] == [True] * 7 + [False]


def test_refused_reservation_takes_no_token(clock: FakeClock) -> None:
    """Refused calls do not make other calls wait longer."""
    limiter = RateLimiter(clock, RULES)
    for _ in range(5):
        limiter.reserve(0.0)

    refused = [limiter.reserve(0.0) for _ in range(100)]

    assert not any(place.granted for place in refused)
    assert limiter.reserve(2.0).wait_s == pytest.approx(2.0)


def test_bucket_holds_one_token_after_a_pause(clock: FakeClock) -> None:
    """After the pause one call starts at once, then one per interval."""
    limiter = RateLimiter(clock, RULES)
    limiter.pause(7.0)

    assert limiter.reserve(60.0).wait_s == pytest.approx(7.0)
    clock.advance(7.0)
    assert [limiter.reserve(60.0).wait_s for _ in range(3)] == pytest.approx([0.0, 2.0, 4.0])


@pytest.mark.parametrize(("asked_s", "pause_s"), [(None, 3.0), (0.0, 0.0), (50.0, 50.0), (3600.0, 60.0)])
def test_pause_has_a_default_and_a_limit(clock: FakeClock, asked_s: float | None, pause_s: float) -> None:
    """A pause lasts as long as the provider asks, up to a limit, or has a default length."""
    limiter = RateLimiter(clock, RULES)
    limiter.pause(asked_s)

    assert limiter.reserve(0.0).wait_s == pytest.approx(pause_s)


def test_short_pause_does_not_end_a_long_one(clock: FakeClock) -> None:
    """A pause that ends earlier than the current one changes nothing."""
    limiter = RateLimiter(clock, RULES)
    limiter.pause(50.0)
    limiter.pause(1.0)

    assert limiter.reserve(0.0).wait_s == pytest.approx(50.0)


def test_threads_share_one_bucket(clock: FakeClock) -> None:
    """Many threads together get no more tokens than one bucket has."""
    limiter = RateLimiter(clock, RateRules(calls_max=100))

    with ThreadPoolExecutor(16) as threads:
        places = list(threads.map(lambda _: limiter.reserve(0.0), range(400)))

    assert sum(place.granted for place in places) == 100


def test_default_rate() -> None:
    """The default is 100 calls a minute."""
    assert (RateRules().calls_max, RateRules().period_s) == (100, 60.0)
    assert RateRules().interval_s == pytest.approx(0.6)
