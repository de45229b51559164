"""The circuit breaker of one host as the transport sees it, and one for a single process."""

from __future__ import annotations

from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from bg_ingest.dexcom.circuit import Circuit, CircuitRules
from bg_ingest.dexcom.shared_breaker import Admission

if TYPE_CHECKING:
    from bg_ingest.clock import Clock


class Breaker(Protocol):
    """Whoever decides whether the host is worth calling; asked before each call, told of each outcome."""

    def admit(self, whose: str | None = None) -> Admission:
        """May this call be made, for that account or for nobody?"""
        ...

    def succeeded(self, admission: Admission) -> None:
        """It was answered."""
        ...

    def failed(self, admission: Admission) -> None:
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

    def admit(self, whose: str | None = None) -> Admission:
        """May this call be made, for that account or for nobody?"""
        now = self._clock.now()
        with self._lock:
            if self._circuit.opened_to(whose) is None:
                return Admission(allowed=True, whose=whose)
            until = self._circuit.refused_until(whose, now, self._rules)
            if until:
                return Admission(allowed=False, wait_s=(until - now).total_seconds())
            prober = str(next(self._probers))
            self._circuit = self._circuit.with_prober(prober, whose, now, self._rules)
            return Admission(allowed=True, prober=prober, whose=whose)

    def succeeded(self, admission: Admission) -> None:
        """It was answered."""
        with self._lock:
            self._circuit = self._circuit.after_success(admission.prober, admission.whose)

    def failed(self, admission: Admission) -> None:
        """It was not answered, or with the host's own failure."""
        now, prober, whose = self._clock.now(), admission.prober, admission.whose
        with self._lock:
            self._circuit = self._circuit.after_failure(prober, whose, now, self._rules)
