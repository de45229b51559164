"""What the client did so far, counted in this process: for notebooks, tests and whoever exports it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bg_ingest.providers.http.call_record import CallRecord, CircuitState

# A percentile of the newest thousand calls is what somebody who looks wants to know.
_LATENCIES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The counts at one moment."""

    calls: int  # Attempts that reached the network.
    succeeded: int
    retries: int
    refused: int  # Attempts that never left: pace, breaker, budget, time.
    errors: Mapping[str, int]  # By class in errors.py, refusals included.
    calls_by_operation: Mapping[str, int]
    waits: int
    waited_s: float
    bytes_received: int
    breaker_transitions: Mapping[str, int]  # "closed -> open": 1
    token_refreshes: int
    token_refreshes_failed: int
    latencies_s: tuple[float, ...] = field(repr=False)  # The newest, in order of size.

    @property
    def success_rate(self) -> float:
        """Of the attempts that reached the network; 1 before the first."""
        return self.succeeded / self.calls if self.calls else 1.0

    def latency_s(self, quantile: float) -> float:
        """The latency that this share of the newest calls stayed within; 0 before the first."""
        if not self.latencies_s:
            return 0.0
        return self.latencies_s[min(int(quantile * len(self.latencies_s)), len(self.latencies_s) - 1)]


class ClientMetrics:
    """Counts exchanges; give its `observe` to the transport. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._operations: Counter[str] = Counter()
        self._transitions: Counter[str] = Counter()
        self._waited_s = 0.0
        self._latencies_s: deque[float] = deque(maxlen=_LATENCIES_MAX)
        self._circuit: CircuitState = "closed"

    def observe(self, exchange: CallRecord) -> None:
        """One attempt was made, or refused."""
        with self._lock:
            if exchange.error:
                self._errors[exchange.error] += 1
            if exchange.waited_s:
                self._counts["waits"] += 1
                self._waited_s += exchange.waited_s
            self._note_circuit(exchange.circuit)
            if exchange.sent:
                self._note_sent(exchange)
            else:
                self._counts["refused"] += 1

    def snapshot(self) -> Snapshot:
        """The counts as they are now."""
        with self._lock:
            counts = self._counts
            return Snapshot(
                calls=counts["calls"],
                succeeded=counts["succeeded"],
                retries=counts["retries"],
                refused=counts["refused"],
                errors=dict(self._errors),
                calls_by_operation=dict(self._operations),
                waits=counts["waits"],
                waited_s=self._waited_s,
                bytes_received=counts["bytes"],
                breaker_transitions=dict(self._transitions),
                token_refreshes=counts["refreshes"],
                token_refreshes_failed=counts["refreshes failed"],
                latencies_s=tuple(sorted(self._latencies_s)),
            )

    def _note_sent(self, exchange: CallRecord) -> None:
        ok = exchange.error is None
        self._counts["calls"] += 1
        self._counts["succeeded"] += ok
        self._counts["retries"] += exchange.attempt > 1
        self._counts["bytes"] += exchange.size_bytes
        self._operations[exchange.operation] += 1
        self._latencies_s.append(exchange.latency_s)
        if exchange.operation == "refresh":
            self._counts["refreshes"] += 1
            self._counts["refreshes failed"] += not ok

    def _note_circuit(self, seen: CircuitState | None) -> None:
        # As this process sees it: a breaker shared by many may have changed twice in between.
        if seen and seen != self._circuit:
            self._transitions[f"{self._circuit} -> {seen}"] += 1
            self._circuit = seen
