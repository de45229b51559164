"""
Admission control: time left, rate limiter, circuit breaker and quota, in this order, before every attempt.

A call may wait for the rate limiter, so the circuit breaker and the quota are asked after that wait. The
quota is last because a call that it admits is spent. If the quota refuses a probe of the circuit breaker,
then that probe has no outcome, and another call becomes the probe after `probe_max`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from bg_ingest.providers.errors import CircuitOpen, Crowded, OutOfTime, QuotaSpent, Throttled, TryLater
from bg_ingest.providers.http.circuit import Circuit, CircuitRules, Permit, Tally

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.providers.http.send import Call, CircuitState


_NO_WAIT_S = 0.001  # A shorter wait is a rounding error of floats.


@dataclass(frozen=True, slots=True)
class Reservation:
    """When a call can be made; a refused call has taken no token."""

    granted: bool
    wait_s: float


@dataclass(frozen=True, slots=True)
class RateRules:
    """The limits of a rate limiter."""

    # Ten processes at this rate make 60,000 calls an hour, the quota of the application (quota.py).
    calls_max: int = 100
    period_s: float = 60.0
    # Eight callers can wait at a time. The ninth goes back to the queue, where waiting costs nothing.
    wait_s_max: float = 5.0
    # After a 429 without Retry-After. Short enough for the retry to be granted within `wait_s_max`.
    pause_s: float = 2.0
    # A 429 may concern one account only, so calls for the others are tried again after a minute.
    pause_s_max: float = 60.0

    @property
    def interval_s(self) -> float:
        """How long it takes until one token comes back."""
        return self.period_s / self.calls_max


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    The tokens of one process, stored as one number: the time at which the bucket is full again.

        full_at_s = now                          the bucket is full
        full_at_s = now + 3 intervals            three tokens are taken
        full_at_s = now + calls_max intervals    the bucket is empty: the next token comes after one interval
    """

    rules: RateRules
    full_at_s: float = -math.inf

    def after_reservation(self, now_s: float) -> tuple[Bucket, float]:
        """The bucket with one token less, and how long to wait for that token."""
        full_at_s = max(self.full_at_s, now_s) + self.rules.interval_s
        wait_s = full_at_s - self.rules.period_s - now_s
        return replace(self, full_at_s=full_at_s), wait_s if wait_s > _NO_WAIT_S else 0.0

    def after_pause(self, until_s: float) -> Bucket:
        """The bucket whose next token comes at `until_s`."""
        one_token_s = self.rules.period_s - self.rules.interval_s
        return replace(self, full_at_s=max(self.full_at_s, until_s + one_token_s))


class RateLimiter:
    """
    Rate limiter of this process, for all its threads: `calls_max` calls at once, then one per interval.

    Rule 1: A call takes one token. One token comes back per `interval_s`, up to `calls_max` tokens.
    Rule 2: If the bucket is empty, the call gets the next token that comes back, and waits for it. Calls get
            tokens in the order in which they ask.
    Rule 3: If the wait would exceed the limit, the call is refused and takes no token.
    Rule 4: After a pause the bucket holds one token, because the provider has just answered 429.
    """

    def __init__(self, clock: Clock, rules: RateRules | None = None) -> None:
        self._clock = clock
        self._lock = Lock()
        self._bucket = Bucket(rules or RateRules())

    def reserve(self, wait_s_max: float) -> Reservation:
        """Reserve a call within this time and `RateRules.wait_s_max`; the caller waits for `wait_s`."""
        with self._lock:
            bucket, wait_s = self._bucket.after_reservation(self._clock.monotonic_s())
            if wait_s > min(wait_s_max, self._bucket.rules.wait_s_max):
                return Reservation(granted=False, wait_s=wait_s)
            self._bucket = bucket
            return Reservation(granted=True, wait_s=wait_s)

    def pause(self, asked_s: float | None) -> None:
        """Grant no call for the time that a 429 asks for, or for `RateRules.pause_s` if it is None."""
        with self._lock:
            rules = self._bucket.rules
            pause_s = rules.pause_s if asked_s is None else min(asked_s, rules.pause_s_max)
            self._bucket = self._bucket.after_pause(self._clock.monotonic_s() + pause_s)


class Breaker(Protocol):
    """Circuit breaker of one host."""

    def permit(self, account_key: str | None = None) -> Permit:
        """Whether a call for this account, or for no account, can be made now."""
        ...

    def succeeded(self, permit: Permit) -> None:
        """Note in memory that the host answered the call."""
        ...

    def failed(self, permit: Permit) -> None:
        """Note in memory that the host did not answer the call, or answered with a failure of its own."""
        ...

    def share(self) -> None:
        """Write what other processes must know of the noted outcomes; never raises."""
        ...


class Quota(Protocol):
    """Limit of the application's calls per hour."""

    def take(self) -> float:
        """Spend one call and return 0; if none is left, return the seconds until the quota is renewed."""
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an attempt is admitted: it is unless there is a `refusal`."""

    waited_s: float = 0.0  # For the rate limiter.
    permit: Permit | None = None  # None: refused before the circuit breaker.
    refusal: TryLater | None = None

    @property
    def circuit(self) -> CircuitState | None:
        """The circuit breaker's state for this attempt."""
        if self.permit is None:
            return None
        if not self.permit.allowed:
            return "open"
        return "probing" if self.permit.prober else "closed"


@dataclass(frozen=True, slots=True)
class AdmissionControl:
    """Admission control of one host."""

    clock: Clock
    rate_limiter: RateLimiter
    breaker: Breaker
    quota: Quota | None = None

    def admit(self, call: Call, wait_s_max: float) -> Decision:
        """
        Admit or refuse one attempt, after waiting for the rate limiter for at most `wait_s_max`.

        A negative `wait_s_max` means that too little time is left for an attempt.
        """
        if wait_s_max < 0:
            return Decision(refusal=OutOfTime(f"{call.operation}: too little time left"))
        place = self.rate_limiter.reserve(wait_s_max)
        if not place.granted:
            crowded = Crowded(f"{call.operation}: rate limit of this process", retry_after_s=place.wait_s)
            return Decision(refusal=crowded)
        if place.wait_s:
            self.clock.sleep(place.wait_s)
        permit = self.breaker.permit(call.account_key)
        if not permit.allowed:
            is_open = CircuitOpen(f"{call.operation}: circuit breaker is open", retry_after_s=permit.wait_s)
            return Decision(place.wait_s, permit, is_open)
        renewed_in_s = self.quota.take() if self.quota else 0.0
        if renewed_in_s:
            spent = QuotaSpent(f"{call.operation}: hourly quota is spent", retry_after_s=renewed_in_s)
            return Decision(place.wait_s, permit, spent)
        return Decision(place.wait_s, permit)

    def report(self, decision: Decision, failure: TryLater | None, *, prompt: bool = True) -> None:
        """
        Report the outcome of an admitted attempt; `failure` is a failure or a limit of the host.

        Unless `prompt`, nothing is written before the next call: the answer must be stored first. An answer
        without a change for other processes does not wait for a write either.
        """
        permit = decision.permit
        assert permit is not None  # noqa: S101 - an admitted attempt has a permit.
        if failure is None:
            self.breaker.succeeded(permit)
        else:
            # A 429 counts as a failure: the limit belongs to the application, so all calls would get it.
            self.breaker.failed(permit)
        if isinstance(failure, Throttled):
            self.rate_limiter.pause(failure.retry_after_s)
        if prompt and (failure is not None or permit.prober):
            self.breaker.share()


class ProcessBreaker:
    """Circuit breaker that counts the calls of this process only; thread-safe."""

    def __init__(self, clock: Clock, rules: CircuitRules | None = None) -> None:
        self._clock = clock
        # One process knows of all its calls at once.
        self._rules = replace(rules or CircuitRules(), settle=timedelta(0))
        self._lock = Lock()
        self._circuit = Circuit()
        self._probers = count(1)

    def permit(self, account_key: str | None = None) -> Permit:
        """Whether a call for this account, or for no account, can be made now."""
        now = self._clock.now()
        with self._lock:
            if self._circuit.opened_to(account_key) is None:
                return Permit(allowed=True, account_key=account_key)
            until = self._circuit.refused_until(account_key, now, self._rules)
            if until:
                return Permit(allowed=False, wait_s=(until - now).total_seconds())
            prober = str(next(self._probers))
            self._circuit = self._circuit.with_prober(prober, account_key, now, self._rules)
            return Permit(allowed=True, prober=prober, account_key=account_key)

    def succeeded(self, permit: Permit) -> None:
        """Record that the host answered the call."""
        self._record(permit, failed=False)

    def failed(self, permit: Permit) -> None:
        """Record that the host did not answer the call, or answered with a failure of its own."""
        self._record(permit, failed=True)

    def share(self) -> None:
        """Do nothing: no other process shares this circuit."""

    def _record(self, permit: Permit, *, failed: bool) -> None:
        now, prober, account_key = self._clock.now(), permit.prober, permit.account_key
        with self._lock:
            if prober:
                self._circuit = self._circuit.after_probe(prober, account_key, now, failed=failed)
            else:
                tally = Tally().plus(failed=failed)
                self._circuit = self._circuit.after_calls(account_key, tally, now, self._rules)
