from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.errors import CircuitOpen, Crowded, OutOfTime, QuotaSpent, Throttled, Unavailable
from bg_ingest.providers.http.admission import ProcessBreaker, RateLimiter, RateRules
from bg_ingest.providers.http.circuit import CircuitRules, Permit
from bg_ingest.providers.http.http_client import admission_control
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.send import Call
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from bg_ingest.providers.http.admission import AdmissionControl, Breaker, Quota
    from bg_ingest.providers.http.quota import HourlyQuota
    from bg_ingest.providers.http.shared_breaker import SharedBreaker

    def shared_ones_fit(breaker: SharedBreaker, quota: HourlyQuota) -> tuple[Breaker, Quota]:
        """Checked by mypy only: the shared breaker and quota implement the protocols."""
        return breaker, quota


CALL = Call("egvs", "/v3/egvs")
RULES = CircuitRules(
    calls_min=3, alone_failures=3, recovery=timedelta(seconds=30), probe_max=timedelta(seconds=60)
)


class FixedQuota:
    """A quota of this many calls, renewed after an hour."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def take(self) -> float:
        """Spend one call."""
        self.calls -= 1
        return 0.0 if self.calls >= 0 else 3600.0


def control(clock: FakeClock, *, calls_max: int = 100, quota: int = 100) -> AdmissionControl:
    """Admission control whose circuit opens after two failures."""
    return admission_control(
        clock,
        rate_limiter=RateLimiter(clock, RateRules(calls_max=calls_max)),
        breaker=ProcessBreaker(clock, CircuitRules(calls_min=2)),
        quota=FixedQuota(quota),
    )


def test_first_call_is_admitted_without_waiting() -> None:
    """A call is admitted at once if no limit is reached."""
    clock = FakeClock()
    decision = control(clock).admit(CALL, 10.0)

    assert (decision.refusal, decision.waited_s, decision.circuit) == (None, 0.0, "closed")
    assert clock.naps == []


def test_default_control_has_no_quota() -> None:
    """Without a quota of its own, admission control admits any number of calls within the rate."""
    admission = admission_control(FakeClock())

    assert [admission.admit(CALL, 0.0).refusal for _ in range(100)] == [None] * 100


def test_call_above_the_rate_waits_within_its_time() -> None:
    """A call above the rate limit waits; it is refused if the wait exceeds the caller's time."""
    clock = FakeClock()
    admission = control(clock, calls_max=30)
    for _ in range(30):
        admission.admit(CALL, 10.0)

    assert admission.admit(CALL, 10.0).waited_s == 2.0
    assert clock.naps == [2.0]
    late = admission.admit(CALL, 1.0)
    assert isinstance(late.refusal, Crowded)
    assert late.refusal.retry_after_s == pytest.approx(2.0)


def test_call_without_time_is_refused_and_takes_nothing() -> None:
    """A call without time for an attempt is refused before the rate limiter, the breaker and the quota."""
    clock = FakeClock()
    admission = control(clock, quota=1)

    decision = admission.admit(CALL, -0.1)

    assert isinstance(decision.refusal, OutOfTime)
    assert (decision.circuit, decision.waited_s) == (None, 0.0)
    assert admission.admit(CALL, 0.0).refusal is None


def test_open_circuit_refuses_and_spends_no_quota() -> None:
    """An open circuit refuses the call with the time until the probe, and the quota is not asked."""
    clock = FakeClock()
    admission = control(clock, quota=2)
    for _ in range(2):
        admission.report(admission.admit(CALL, 10.0), Unavailable("500"))

    decision = admission.admit(CALL, 10.0)

    assert isinstance(decision.refusal, CircuitOpen)
    assert (decision.refusal.retry_after_s, decision.circuit) == (30.0, "open")


def test_spent_quota_refuses_until_it_is_renewed() -> None:
    """A spent quota refuses the call with the time until the quota is renewed."""
    clock = FakeClock()
    admission = control(clock, quota=1)
    admission.admit(CALL, 10.0)

    decision = admission.admit(CALL, 10.0)

    assert isinstance(decision.refusal, QuotaSpent)
    assert decision.refusal.retry_after_s == 3600.0


def test_decision_shows_probing_and_then_closed() -> None:
    """The decision for a probe has the circuit state "probing"; after its success the state is "closed"."""
    clock = FakeClock()
    admission = control(clock)
    for _ in range(2):
        admission.report(admission.admit(CALL, 10.0), Unavailable("500"))
    clock.advance(30.0)

    probe = admission.admit(CALL, 10.0)
    admission.report(probe, None)

    assert (probe.circuit, admission.admit(CALL, 10.0).circuit) == ("probing", "closed")


def test_429_delays_the_next_call() -> None:
    """A 429 pauses the rate limiter for its Retry-After, so the next call waits that long."""
    clock = FakeClock()
    admission = control(clock)
    admission.report(admission.admit(CALL, 10.0), Throttled("429", retry_after_s=4.0))

    assert admission.admit(CALL, 10.0).waited_s == pytest.approx(4.0)


def open_breaker(clock: FakeClock) -> ProcessBreaker:
    """A breaker whose circuit has just opened."""
    breaker = ProcessBreaker(clock, RULES)
    for _ in range(RULES.calls_min):
        breaker.failed(breaker.permit())
    return breaker


def test_breaker_refuses_until_recovery() -> None:
    """An open breaker refuses calls with the time that is left until the probe."""
    breaker = open_breaker(clock := FakeClock())
    clock.advance(10.0)

    permit = breaker.permit()

    assert (permit.allowed, permit.wait_s) == (False, 20.0)


def test_breaker_opens_after_twenty_failures_by_default() -> None:
    """Without rules of its own, a breaker opens after twenty failures."""
    breaker = ProcessBreaker(FakeClock())
    allowed = []
    for _ in range(21):
        allowed.append((permit := breaker.permit()).allowed)
        breaker.failed(permit)

    assert allowed == [True] * 20 + [False]


def test_one_of_many_threads_probes() -> None:
    """When the recovery time has passed, exactly one of many concurrent calls becomes the probe."""
    breaker = open_breaker(clock := FakeClock())
    clock.advance(30.0)

    with ThreadPoolExecutor(16) as threads:
        permits = list(threads.map(lambda _: breaker.permit(), range(64)))

    assert sum(permit.allowed for permit in permits) == 1


def test_successful_probe_closes_the_breaker() -> None:
    """After a successful probe all calls are admitted again, and none is a probe."""
    breaker = open_breaker(clock := FakeClock())
    clock.advance(30.0)
    breaker.succeeded(breaker.permit())

    closed = Permit(allowed=True, wait_s=0.0, prober=None, account_key=None)
    assert [breaker.permit() for _ in range(3)] == [closed] * 3


def test_failed_probe_restarts_the_recovery_time() -> None:
    """After a failed probe the breaker refuses calls for another recovery time."""
    breaker = open_breaker(clock := FakeClock())
    clock.advance(30.0)
    breaker.failed(breaker.permit())

    assert breaker.permit().wait_s == 30.0


def test_probe_without_outcome_is_replaced() -> None:
    """If the process of a probe crashes, another call becomes the probe after `probe_max`."""
    breaker = open_breaker(clock := FakeClock())
    clock.advance(30.0)
    breaker.permit()

    assert not breaker.permit().allowed
    clock.advance(60.0)
    assert breaker.permit().allowed


def test_breaker_opens_to_one_failing_account_only() -> None:
    """If only one account fails, only its calls are refused; a success of another account ends that."""
    clock = FakeClock()
    breaker = ProcessBreaker(clock, RULES)
    for _ in range(RULES.calls_min):
        breaker.failed(breaker.permit("A"))

    assert breaker.permit("A").wait_s == 30.0
    assert [breaker.permit(account_key) for account_key in ("B", None)] == [
        Permit(allowed=True, account_key="B"),
        Permit(allowed=True),
    ]

    clock.advance(30.0)
    breaker.failed(breaker.permit("A"))
    assert breaker.permit("A").wait_s == 30.0

    breaker.succeeded(breaker.permit("B"))
    assert breaker.permit("A") == Permit(allowed=True, account_key="A")


CALLS = st.lists(st.tuples(st.sampled_from(["A", "B", None]), st.integers(0, 50)), max_size=60)


@given(CALLS)
def test_outage_costs_few_calls(calls: list[tuple[str | None, int]]) -> None:
    """While every call fails, only a few calls and probes are made."""
    clock = FakeClock()
    breaker = ProcessBreaker(clock, RULES)
    made = 0
    for account_key, pause_s in calls:
        permit = breaker.permit(account_key)
        if permit.allowed:
            made += 1
            breaker.failed(permit)
        clock.advance(float(pause_s))

    assert (
        made
        <= RULES.calls_min + RULES.alone_failures + 2 * clock.monotonic_s() / RULES.recovery.total_seconds()
    )


def test_probe_max_is_longer_than_a_call() -> None:
    """A second probe cannot start while the first one is still waiting for its response."""
    assert CircuitRules().probe_max.total_seconds() > Policy().time_s_max
