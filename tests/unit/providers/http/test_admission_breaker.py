from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.http.admission import ProcessBreaker
from bg_ingest.providers.http.circuit import CircuitRules
from bg_ingest.providers.http.policy import Policy
from bg_ingest.providers.http.shared_breaker import Permit
from tests.support.fakes import FakeClock

RULES = CircuitRules(failures_max=3, recovery=timedelta(seconds=30), probe_max=timedelta(seconds=60))


def broken(clock: FakeClock) -> ProcessBreaker:
    """A breaker that has seen enough."""
    breaker = ProcessBreaker(clock, RULES)
    for _ in range(RULES.failures_max):
        breaker.failed(breaker.admit())
    return breaker


def test_an_outage_is_left_alone() -> None:
    """After three failures nobody calls, and everybody is told when asking is worth it."""
    breaker = broken(clock := FakeClock())
    clock.advance(10.0)

    admission = breaker.admit()

    assert (admission.allowed, admission.wait_s) == (False, 20.0)


def test_the_rules_unless_told_otherwise() -> None:
    """Five failures in a row open it."""
    breaker = ProcessBreaker(FakeClock())
    allowed = []
    for _ in range(6):
        allowed.append(breaker.admit().allowed)
        breaker.failed(breaker.admit())

    assert allowed == [True] * 5 + [False]


def test_one_at_a_time_probes() -> None:
    """When recovery is due, one of many threads is let through and the others are not."""
    breaker = broken(clock := FakeClock())
    clock.advance(30.0)

    with ThreadPoolExecutor(16) as threads:
        admissions = list(threads.map(lambda _: breaker.admit(), range(64)))

    assert sum(admission.allowed for admission in admissions) == 1


def test_a_good_probe_closes_it() -> None:
    """Everybody may call again."""
    breaker = broken(clock := FakeClock())
    clock.advance(30.0)
    breaker.succeeded(breaker.admit())

    assert [breaker.admit().prober for _ in range(3)] == [None] * 3


def test_a_bad_probe_costs_another_recovery() -> None:
    """One call per recovery time is all an outage sees."""
    breaker = broken(clock := FakeClock())
    clock.advance(30.0)
    breaker.failed(breaker.admit())

    assert breaker.admit().wait_s == 30.0


def test_a_probe_that_is_lost_is_given_up() -> None:
    """Its thread may have died; the circuit must not stay open for that."""
    breaker = broken(clock := FakeClock())
    clock.advance(30.0)
    breaker.admit()

    assert not breaker.admit().allowed
    clock.advance(60.0)
    assert breaker.admit().allowed


def test_one_account_that_always_fails_is_stopped_alone() -> None:
    """It probes for itself; once another's call is answered, it may call as everybody may."""
    clock = FakeClock()
    breaker = ProcessBreaker(clock, RULES)
    for _ in range(RULES.failures_max):
        breaker.failed(breaker.admit("A"))

    assert breaker.admit("A").wait_s == 30.0
    assert [breaker.admit(account_key) for account_key in ("B", None)] == [
        Permit(allowed=True, account_key="B"),
        Permit(allowed=True),
    ]

    clock.advance(30.0)
    breaker.failed(breaker.admit("A"))
    assert breaker.admit("A").wait_s == 30.0

    breaker.succeeded(breaker.admit("B"))
    assert breaker.admit("A") == Permit(allowed=True, account_key="A")


Calls = st.tuples(st.sampled_from(["A", "B", None]), st.integers(0, 50))


@given(st.lists(Calls, max_size=60))
def test_an_outage_sees_few_calls(moves: list[tuple[str | None, int]]) -> None:
    """While everything fails: a run of three or four, and one probe for each recovery time that passes."""
    clock = FakeClock()
    breaker = ProcessBreaker(clock, RULES)
    calls = 0
    for account_key, pause_s in moves:
        admission = breaker.admit(account_key)
        if admission.allowed:
            calls += 1
            breaker.failed(admission)
        clock.advance(float(pause_s))

    # Failures further apart than they are remembered are no outage; these never are.
    assert calls <= RULES.failures_max + 1 + clock.monotonic_s() / RULES.recovery.total_seconds()


def test_a_probe_lives_longer_than_a_call_can_take() -> None:
    """Else a second one would start beside it."""
    assert CircuitRules().probe_max.total_seconds() > Policy().time_s_max
