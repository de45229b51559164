"""
Politeness, as a transport around a transport: at our pace, in the caller's time, and again if it may help.

What is tried again: GETs, after 408, 429, 5xx, a timeout, a broken connection, or half a body.
What never is: everything else. A POST to the token endpoint spends a token whether or not its answer arrives.

The last answer is handed on whatever its status; without any, one of our own errors is raised. Nothing here
logs: every attempt, made or refused, becomes one Exchange for the observer.
"""

from __future__ import annotations

import random
from itertools import count
from typing import TYPE_CHECKING

import httpx

from bg_ingest.dexcom.attempt import Attempts, Outcome
from bg_ingest.dexcom.exchange import call_of, ignore
from bg_ingest.dexcom.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.dexcom.exchange import Observe
    from bg_ingest.dexcom.turnstile import Turnstile


class PoliteTransport(httpx.BaseTransport):
    """Makes the calls to one host as they should be made; thread-safe."""

    def __init__(
        self,
        inner: httpx.BaseTransport,
        turnstile: Turnstile,
        policy: Policy | None = None,
        *,
        observe: Observe = ignore,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy or Policy()
        self._attempts = Attempts(inner, turnstile, self._policy)
        self._clock = turnstile.clock
        self._observe = observe
        self._jitter = jitter

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One call, however many attempts that takes."""
        time_s = min(call_of(request).time_left_s(), self._policy.time_s_max)
        ends_at_s = self._clock.monotonic_s() + time_s
        waited_s = 0.0
        for attempt in count(1):
            outcome = self._attempts.make(request, ends_at_s)
            self._observe(outcome.exchange(attempt, waited_s))
            wait_s = self._wait_s(attempt, outcome, ends_at_s)
            if wait_s is None:
                break
            self._clock.sleep(wait_s)
            waited_s = wait_s
        if outcome.response is not None:
            return outcome.response
        assert outcome.failure is not None  # noqa: S101 - no answer has a reason.
        raise outcome.failure

    def close(self) -> None:
        """Close the connections."""
        self._attempts.inner.close()

    def _wait_s(self, attempt: int, outcome: Outcome, ends_at_s: float) -> float | None:
        """How long to wait before trying again; None if that was it."""
        hiccup = outcome.hiccup
        if hiccup is None or outcome.method != "GET" or attempt >= self._policy.attempts_max:
            return None
        wait_s = self._policy.backoff.wait_s(attempt, self._jitter(), hiccup.retry_after_s)
        if wait_s is None:
            return None
        left_s = ends_at_s - self._clock.monotonic_s() - wait_s
        return wait_s if left_s >= self._policy.attempt_s_min else None
