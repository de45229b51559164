from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.errors import CircuitOpen, Crowded, QuotaSpent, Throttled, Unavailable
from bg_ingest.providers.http.admission import ProcessBreaker
from bg_ingest.providers.http.circuit import CircuitRules
from bg_ingest.providers.http.http_client import admission_control
from bg_ingest.providers.http.rate_limiter import ProcessRateLimiter, RateRules

if TYPE_CHECKING:
    from bg_ingest.providers.http.admission import AdmissionControl, Breaker, Quota
    from bg_ingest.providers.http.quota import HourlyQuota
    from bg_ingest.providers.http.shared_breaker import SharedBreaker
    from tests.support.fakes import FakeClock


if TYPE_CHECKING:

    def what_processes_share_fits(breaker: SharedBreaker, quota: HourlyQuota) -> tuple[Breaker, Quota]:
        """Checked by mypy alone: the ones in DynamoDB can stand where ours stand."""
        return breaker, quota


class Budget:
    """So many calls, then none for an hour."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def take(self) -> float:
        """One call, or the hour."""
        self.calls -= 1
        return 0.0 if self.calls >= 0 else 3600.0


def gate(clock: FakeClock, *, calls_max: int = 100, budget: int = 100) -> AdmissionControl:
    """A turnstile with those limits that gives up after two failures."""
    return admission_control(
        clock,
        pace=ProcessRateLimiter(clock, RateRules(calls_max=calls_max)),
        breaker=ProcessBreaker(clock, CircuitRules(failures_max=2)),
        quota=Budget(budget),
    )


def test_who_is_in_time_walks_through(clock: FakeClock) -> None:
    """Nobody objects, nothing is waited for."""
    passage = gate(clock).enter("GET /v3/egvs", 10.0)

    assert (passage.refused, passage.waited_s, passage.circuit) == (None, 0.0, "closed")
    assert clock.naps == []


def test_who_is_early_waits_for_their_turn(clock: FakeClock) -> None:
    """As long as that is within the caller's time."""
    narrow = gate(clock, calls_max=30)
    for _ in range(30):
        narrow.enter("GET /v3/egvs", 10.0)

    assert narrow.enter("GET /v3/egvs", 10.0).waited_s == 2.0
    assert clock.naps == [2.0]
    late = narrow.enter("GET /v3/egvs", 1.0)
    assert isinstance(late.refused, Crowded)
    assert late.refused.retry_after_s == pytest.approx(2.0)


def test_a_broken_host_is_not_called(clock: FakeClock) -> None:
    """And the budget is not spent on it."""
    gated = gate(clock, budget=2)
    for _ in range(2):
        gated.leave(gated.enter("GET /v3/egvs", 10.0), Unavailable("500"))

    passage = gated.enter("GET /v3/egvs", 10.0)

    assert isinstance(passage.refused, CircuitOpen)
    assert (passage.refused.retry_after_s, passage.circuit) == (30.0, "open")


def test_a_spent_budget_ends_the_hour(clock: FakeClock) -> None:
    """Whoever comes later is told when it is renewed."""
    gated = gate(clock, budget=1)
    gated.enter("GET /v3/egvs", 10.0)

    passage = gated.enter("GET /v3/egvs", 10.0)

    assert isinstance(passage.refused, QuotaSpent)
    assert passage.refused.retry_after_s == 3600.0


def test_the_probe_is_known_as_one(clock: FakeClock) -> None:
    """Those who count transitions see the circuit being tested, and closed again."""
    gated = gate(clock)
    for _ in range(2):
        gated.leave(gated.enter("GET /v3/egvs", 10.0), Unavailable("500"))
    clock.advance(30.0)

    probe = gated.enter("GET /v3/egvs", 10.0)
    gated.leave(probe, None)

    assert (probe.circuit, gated.enter("GET /v3/egvs", 10.0).circuit) == ("probing", "closed")


def test_one_429_slows_everybody_down(clock: FakeClock) -> None:
    """The limit is the application's: the next caller waits as long as the first was asked to."""
    gated = gate(clock)
    gated.leave(gated.enter("GET /v3/egvs", 10.0), Throttled("429", retry_after_s=4.0))

    assert gated.enter("GET /v3/egvs", 10.0).waited_s == pytest.approx(4.0)
