"""
What every attempt passes before it reaches Dexcom: our own pace, the breaker, the application's budget.

In this order: waiting for our turn comes first, so that the others answer for the moment of the call. The
budget comes last, because what it gives is spent; a probe that it stops is given up like any lost one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from bg_ingest.providers.errors import CircuitOpen, Crowded, QuotaSpent, Throttled, TryLater
from bg_ingest.providers.http.circuit import Circuit, CircuitRules
from bg_ingest.providers.http.shared_breaker import Permit

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.providers.http.call_record import CircuitState
    from bg_ingest.providers.http.rate_limiter import RateLimiter


class Quota(Protocol):
    """Whoever keeps count of the application's calls."""

    def take(self) -> float:
        """Zero if one call may be made now, else the seconds until it is worth asking again."""
        ...


class NoQuota:
    """No budget at all: a notebook, a test."""

    def take(self) -> float:
        """One more is fine."""
        return 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """How one attempt fared at the turnstile."""

    waited_s: float = 0.0
    admission: Permit | None = None
    refused: TryLater | None = None

    @property
    def circuit(self) -> CircuitState | None:
        """How the breaker stood; None if it was not asked."""
        if self.admission is None:
            return None
        if not self.admission.allowed:
            return "open"
        return "probing" if self.admission.prober else "closed"


@dataclass(frozen=True, slots=True)
class AdmissionControl:
    """Everything that may keep a call to one host from being made."""

    clock: Clock
    pace: RateLimiter
    breaker: Breaker
    quota: Quota

    def enter(self, what: str, wait_s_max: float, account_key: str | None = None) -> Decision:
        """Wait for our turn, no longer than that, and ask everybody; `whose` is the account it is for."""
        turn = self.pace.turn(wait_s_max)
        if not turn.granted:
            return Decision(refused=Crowded(f"{what}: not our turn", retry_after_s=turn.wait_s))
        if turn.wait_s:
            self.clock.sleep(turn.wait_s)
        admission = self.breaker.admit(account_key)
        if not admission.allowed:
            refused: TryLater = CircuitOpen(f"{what}: not called", retry_after_s=admission.wait_s)
            return Decision(turn.wait_s, admission, refused)
        renewed_in_s = self.quota.take()
        if renewed_in_s:
            refused = QuotaSpent(f"{what}: not called", retry_after_s=renewed_in_s)
            return Decision(turn.wait_s, admission, refused)
        return Decision(turn.wait_s, admission)

    def leave(self, passage: Decision, failure: TryLater | None) -> None:
        """Tell everybody how it went; `failure` is Dexcom's own, not a refusal of what we asked."""
        assert passage.admission is not None  # noqa: S101 - who was refused has nothing to tell.
        if failure is None:
            self.breaker.succeeded(passage.admission)
            return
        # Too many calls in a row answered 429 are treated like an outage: it is the application's limit.
        self.breaker.failed(passage.admission)
        if isinstance(failure, Throttled):
            self.pace.pause(failure.retry_after_s)


# The circuit breaker of one host as the transport sees it, and one for a single process.
class Breaker(Protocol):
    """Whoever decides whether the host is worth calling; asked before each call, told of each outcome."""

    def admit(self, account_key: str | None = None) -> Permit:
        """May this call be made, for that account or for nobody?"""
        ...

    def succeeded(self, admission: Permit) -> None:
        """It was answered."""
        ...

    def failed(self, admission: Permit) -> None:
        """It was not answered, or with the host's own failure."""
        ...


class ProcessBreaker:
    """A breaker that knows of this process's calls alone; thread-safe."""

    def __init__(self, clock: Clock, rules: CircuitRules | None = None) -> None:
        self._clock = clock
        self._rules = rules or CircuitRules()
        self._lock = Lock()
        self._circuit = Circuit()
        self._probers = count(1)

    def admit(self, account_key: str | None = None) -> Permit:
        """May this call be made, for that account or for nobody?"""
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

    def succeeded(self, admission: Permit) -> None:
        """It was answered."""
        with self._lock:
            self._circuit = self._circuit.after_success(admission.prober, admission.account_key)

    def failed(self, admission: Permit) -> None:
        """It was not answered, or with the host's own failure."""
        now, prober, account_key = self._clock.now(), admission.prober, admission.account_key
        with self._lock:
            self._circuit = self._circuit.after_failure(prober, account_key, now, self._rules)
