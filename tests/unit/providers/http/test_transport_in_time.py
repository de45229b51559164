from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.errors import CircuitOpen, OutOfTime, ProviderError
from bg_ingest.providers.http.admission import ProcessBreaker
from bg_ingest.providers.http.circuit import CircuitRules
from bg_ingest.providers.http.http_client import admission_control
from bg_ingest.providers.http.policy import Policy
from tests.support.fakes import FakeClock
from tests.unit.providers.dexcom.made_up import SERVER_ERROR, Replies, afresh, get, ok, polite, throttled

if TYPE_CHECKING:
    from collections.abc import Callable


def test_without_time_nothing_is_begun(clock: FakeClock) -> None:
    """An answer that would be cut off is not asked for."""
    replies = Replies(ok())

    with pytest.raises(OutOfTime):
        get(polite(clock, replies), time_left_s=lambda: 4.9)
    assert replies.calls == 0


def test_a_wait_that_leaves_no_time_is_not_waited(clock: FakeClock) -> None:
    """The caller gets the failure at once, and the time that is left."""
    replies = Replies(throttled("9"), ok())

    assert get(polite(clock, replies), time_left_s=lambda: 13.0).status_code == 429
    assert clock.naps == []


def test_an_attempt_gets_the_time_that_is_left(clock: FakeClock) -> None:
    """All its timeouts together fit into it."""
    replies = Replies(ok())

    get(polite(clock, replies), time_left_s=lambda: 21.0)

    assert replies.asked[0].extensions["timeout"] == {"pool": 1.5, "connect": 1.5, "write": 1.5, "read": 7.5}


@dataclass
class SlowDexcom:
    """Takes its time, as long as httpx would let it, and answers what comes next."""

    clock: FakeClock
    plan: list[tuple[float, httpx.Response]]
    calls: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """One answer, or a timeout."""
        takes_s, response = self.plan[self.calls % len(self.plan)]
        self.calls += 1
        steps = request.extensions["timeout"]
        patience_s = steps["pool"] + 2 * steps["connect"] + steps["write"] + 2 * steps["read"]
        self.clock.advance(min(takes_s, patience_s))
        if takes_s >= patience_s:
            raise httpx.ReadTimeout("timed out")
        return afresh(response)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 100.0), st.sampled_from([ok(), SERVER_ERROR, throttled(), throttled("6")])),
        min_size=1,
        max_size=6,
    ),
    st.floats(0.0, 200.0),
    st.floats(0.0, 1.0, exclude_max=True),
)
def test_no_call_outlives_its_caller(
    plan: list[tuple[float, httpx.Response]], time_left_s: float, jitter: float
) -> None:
    """However slow Dexcom is and whatever it answers: in time, and with at most three calls."""
    clock = FakeClock()
    dexcom = SlowDexcom(clock, plan)

    with suppress(ProviderError):
        get(polite(clock, dexcom, jitter=jitter), time_left_s=lambda: time_left_s)

    assert clock.monotonic_s() <= min(time_left_s, Policy().time_s_max) + 1e-6
    assert dexcom.calls <= 3


def gated(clock: FakeClock, answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    """A client whose circuit opens after four failures."""
    rules = CircuitRules(failures_max=4, recovery=timedelta(seconds=30))
    return polite(clock, answer, admission=admission_control(clock, breaker=ProcessBreaker(clock, rules)))


def test_an_outage_is_left_alone(clock: FakeClock) -> None:
    """Four calls see it; then nobody calls until it is worth trying, and then one does."""
    replies = Replies(SERVER_ERROR)
    http = gated(clock, replies)
    get(http)
    with pytest.raises(CircuitOpen) as caught:
        get(http)
    with pytest.raises(CircuitOpen):
        get(http)

    assert replies.calls == 4
    assert caught.value.retry_after_s == 29.75  # A quarter of a second after the fourth.
    clock.advance(30.0)
    with pytest.raises(CircuitOpen):
        get(http)
    assert replies.calls == 5


def test_an_outage_that_is_over_is_over(clock: FakeClock) -> None:
    """One good probe, and everybody calls again."""
    http = gated(clock, Replies(*[SERVER_ERROR] * 4, ok()))
    get(http)
    with pytest.raises(CircuitOpen):
        get(http)
    clock.advance(30.0)

    assert [get(http).status_code for _ in range(3)] == [200] * 3


def test_refusals_are_no_outage(clock: FakeClock) -> None:
    """A hundred people whose consent is gone say nothing about Dexcom."""
    replies = Replies(httpx.Response(401))
    http = gated(clock, replies)

    assert {get(http).status_code for _ in range(90)} == {401}
    assert replies.calls == 90
