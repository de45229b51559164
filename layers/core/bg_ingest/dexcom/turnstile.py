"""
What every attempt passes before it reaches Dexcom: our own pace, the breaker, the application's budget.

In this order: waiting for our turn comes first, so that the others answer for the moment of the call. The
budget comes last, because what it gives is spent; a probe that it stops is given up like any lost one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bg_ingest.dexcom.errors import CircuitOpen, Crowded, QuotaSpent, Throttled, TryLater

if TYPE_CHECKING:
    from bg_ingest.clock import Clock
    from bg_ingest.dexcom.breaker import Breaker
    from bg_ingest.dexcom.exchange import CircuitState
    from bg_ingest.dexcom.pace import Pace
    from bg_ingest.dexcom.shared_breaker import Admission


class Quota(Protocol):
    """Whoever keeps count of the application's calls."""

    def take(self) -> float:
        """Zero if one call may be made now, else the seconds until it is worth asking again."""
        ...


class Unlimited:
    """No budget at all: a notebook, a test."""

    def take(self) -> float:
        """One more is fine."""
        return 0.0


@dataclass(frozen=True, slots=True)
class Passage:
    """How one attempt fared at the turnstile."""

    waited_s: float = 0.0
    admission: Admission | None = None
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
class Turnstile:
    """Everything that may keep a call to one host from being made."""

    clock: Clock
    pace: Pace
    breaker: Breaker
    quota: Quota

    def enter(self, what: str, wait_s_max: float, whose: str | None = None) -> Passage:
        """Wait for our turn, no longer than that, and ask everybody; `whose` is the account it is for."""
        turn = self.pace.turn(wait_s_max)
        if not turn.granted:
            return Passage(refused=Crowded(f"{what}: not our turn", retry_after_s=turn.wait_s))
        if turn.wait_s:
            self.clock.sleep(turn.wait_s)
        admission = self.breaker.admit(whose)
        if not admission.allowed:
            refused: TryLater = CircuitOpen(f"{what}: not called", retry_after_s=admission.wait_s)
            return Passage(turn.wait_s, admission, refused)
        renewed_in_s = self.quota.take()
        if renewed_in_s:
            refused = QuotaSpent(f"{what}: not called", retry_after_s=renewed_in_s)
            return Passage(turn.wait_s, admission, refused)
        return Passage(turn.wait_s, admission)

    def leave(self, passage: Passage, failure: TryLater | None) -> None:
        """Tell everybody how it went; `failure` is Dexcom's own, not a refusal of what we asked."""
        assert passage.admission is not None  # noqa: S101 - who was refused has nothing to tell.
        if failure is None:
            self.breaker.succeeded(passage.admission)
            return
        # Too many calls in a row answered 429 are treated like an outage: it is the application's limit.
        self.breaker.failed(passage.admission)
        if isinstance(failure, Throttled):
            self.pace.pause(failure.retry_after_s)
