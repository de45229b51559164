from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.http.rate_limiter import Bucket, ProcessRateLimiter, RateRules

if TYPE_CHECKING:
    from tests.support.fakes import FakeClock

RULES = RateRules(calls_max=5, period_s=10.0, wait_s_max=4.0, pause_s=3.0, pause_s_max=60.0)
PAUSES = st.lists(st.sampled_from([0.0, 0.0, 0.5, 2.0, 3.7, 30.0]), max_size=40)


def starts(gaps_s: list[float]) -> list[float]:
    """When the calls start that are asked for after those gaps."""
    bucket, made = Bucket(RULES), []
    for now_s in accumulate(gaps_s):
        bucket, wait_s = bucket.after_turn(now_s)
        made.append(now_s + wait_s)
    return made


@given(PAUSES)
def test_no_more_calls_start_than_a_bucket_holds_and_refills(gaps_s: list[float]) -> None:
    """However they are asked for: within any span of time, a bucketful and what came back meanwhile."""
    made = starts(gaps_s)

    for first in range(len(made)):
        for last in range(first, len(made)):
            refilled = (made[last] - made[first]) / RULES.interval_s
            assert last - first + 1 <= RULES.calls_max + refilled + 1e-6


@given(PAUSES)
def test_nobody_overtakes(gaps_s: list[float]) -> None:
    """Who asks first calls first."""
    assert starts(gaps_s) == sorted(starts(gaps_s))


@given(st.lists(st.floats(2.0, 30.0), max_size=40))
def test_who_keeps_the_pace_never_waits(gaps_s: list[float]) -> None:
    """A call every interval, or less often, is made at once."""
    assert starts(gaps_s) == list(accumulate(gaps_s))


def test_a_full_bucket_then_one_per_interval(clock: FakeClock) -> None:
    """Five at once, then one every two seconds, as long as the wait is bearable."""
    pace = ProcessRateLimiter(clock, RULES)

    turns = [pace.turn(60.0) for _ in range(8)]

    assert [turn.wait_s for turn in turns] == [0.0] * 5 + [2.0, 4.0, 6.0]
    assert [turn.granted for turn in turns] == [True] * 7 + [False]


def test_a_turn_that_is_refused_takes_nothing(clock: FakeClock) -> None:
    """Those who could not wait do not make the others wait longer."""
    pace = ProcessRateLimiter(clock, RULES)
    for _ in range(5):
        pace.turn(0.0)

    refused = [pace.turn(0.0) for _ in range(100)]

    assert not any(turn.granted for turn in refused)
    assert pace.turn(2.0).wait_s == pytest.approx(2.0)


def test_after_a_pause_it_starts_slowly(clock: FakeClock) -> None:
    """Dexcom said that we are too fast: one call when the pause is over, then one per interval."""
    pace = ProcessRateLimiter(clock, RULES)
    pace.pause(7.0)

    assert pace.turn(60.0) == pytest.approx(pace.turn(60.0))
    clock.advance(7.0)
    assert [pace.turn(60.0).wait_s for _ in range(3)] == pytest.approx([0.0, 2.0, 4.0])


@pytest.mark.parametrize(("asked_s", "pause_s"), [(None, 3.0), (0.0, 0.0), (50.0, 50.0), (3600.0, 60.0)])
def test_a_pause_has_a_length_and_a_limit(clock: FakeClock, asked_s: float | None, pause_s: float) -> None:
    """What Dexcom asks for, ours if it does not say, and no hour for everybody because of one."""
    pace = ProcessRateLimiter(clock, RULES)
    pace.pause(asked_s)

    assert pace.turn(0.0).wait_s == pytest.approx(pause_s)


def test_a_short_pause_never_ends_a_long_one(clock: FakeClock) -> None:
    """Two 429s, and the longer wait counts."""
    pace = ProcessRateLimiter(clock, RULES)
    pace.pause(50.0)
    pace.pause(1.0)

    assert pace.turn(0.0).wait_s == pytest.approx(50.0)


def test_threads_share_one_bucket(clock: FakeClock) -> None:
    """However many ask at once, it holds what it holds."""
    pace = ProcessRateLimiter(clock, RateRules(calls_max=100))

    with ThreadPoolExecutor(16) as threads:
        turns = list(threads.map(lambda _: pace.turn(0.0), range(400)))

    assert sum(turn.granted for turn in turns) == 100


def test_the_defaults_are_the_agreed_ones() -> None:
    """A hundred calls a minute; ten processes at that pace stay within the documented hourly limit."""
    assert (RateRules().calls_max, RateRules().period_s) == (100, 60.0)
    assert RateRules().interval_s == pytest.approx(0.6)
