"""Counters of a client's calls in this process, for notebooks, tests and exporters."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from bg_ingest.providers.http.send import CircuitTransitions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bg_ingest.providers.http.send import CallRecord

# Percentiles are those of the newest thousand calls.
_LATENCIES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The counters at one moment."""

    calls: int  # Attempts that were sent.
    succeeded: int
    retries: int
    refused: int  # Attempts that were not sent: rate limiter, circuit breaker, quota, time.
    errors: Mapping[str, int]  # By class in errors.py, with refusals.
    calls_by_operation: Mapping[str, int]
    waits: int
    waited_s: float
    bytes_received: int
    breaker_transitions: Mapping[str, int]  # "closed -> open": 1
    token_refreshes: int
    token_refreshes_failed: int
    latencies_s: tuple[float, ...] = field(repr=False)  # The newest, sorted.

    @property
    def success_rate(self) -> float:
        """The share of sent attempts that succeeded; 1 before the first."""
        return self.succeeded / self.calls if self.calls else 1.0

    def latency_s(self, quantile: float) -> float:
        """The latency that this share of the newest calls did not exceed; 0 before the first."""
        if not self.latencies_s:
            return 0.0
        return self.latencies_s[min(int(quantile * len(self.latencies_s)), len(self.latencies_s) - 1)]


class ClientMetrics:
    """Counts call records: pass its `observe` to the client. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._operations: Counter[str] = Counter()
        self._transitions: Counter[str] = Counter()
        self._waited_s = 0.0
        self._latencies_s: deque[float] = deque(maxlen=_LATENCIES_MAX)
        self._circuit = CircuitTransitions()

    def observe(self, record: CallRecord) -> None:
        """Count one attempt, sent or refused."""
        with self._lock:
            if record.error:
                self._errors[record.error] += 1
            if record.waited_s:
                self._counts["waits"] += 1
                self._waited_s += record.waited_s
            transition = self._circuit.in_record(record)
            if transition:
                self._transitions[" -> ".join(transition)] += 1
            if record.sent:
                self._count_sent(record)
            else:
                self._counts["refused"] += 1

    def snapshot(self) -> Snapshot:
        """The counters now."""
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

    def _count_sent(self, record: CallRecord) -> None:
        succeeded = record.error is None
        self._counts["calls"] += 1
        self._counts["succeeded"] += succeeded
        self._counts["retries"] += record.attempt > 1
        self._counts["bytes"] += record.size_bytes
        self._operations[record.operation] += 1
        self._latencies_s.append(record.latency_s)
        if record.operation == "refresh":
            self._counts["refreshes"] += 1
            self._counts["refreshes failed"] += not succeeded
