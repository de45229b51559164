"""Log lines and metrics of the calls to a provider."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bg_ingest.providers.http.send import CircuitTransitions
from bg_ingest.telemetry import metrics
from bg_ingest.telemetry.logger import log
from bg_ingest.telemetry.meter import measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.providers.http.send import CallRecord

CALLED = "provider called"


def log_call(record: CallRecord) -> None:
    """Log one attempt to call the provider, sent or refused."""
    log(
        CALLED if record.sent else "provider not called",
        level=logging.INFO if record.error is None else logging.WARNING,
        operation=record.operation,
        method=record.method,
        path=record.path,
        status=record.status,
        error=record.error,
        attempt=record.attempt,
        latency_ms=round(record.latency_s * 1000, 1),
        waited_ms=round(record.waited_s * 1000, 1),
        size_bytes=record.size_bytes,
        circuit=record.circuit,
    )


def call_observer(provider: str, *, one_host: bool = True) -> Callable[[CallRecord], None]:
    """
    An observer that logs and measures the calls to the provider of this name.

    With `one_host` they have one circuit breaker, whose transitions are measured too.
    """
    circuit = CircuitTransitions()

    def observe(record: CallRecord) -> None:
        log_call(record)
        _measure(record)
        _measure_provider(record, provider)
        transition = circuit.in_record(record) if one_host else None
        if transition:
            measure(metrics.BREAKER_TRANSITIONS, of=transition[1])

    return observe


def _measure_provider(record: CallRecord, provider: str) -> None:
    has_failed = record.error is not None
    measure(metrics.FAILURES_OF_PROVIDER, int(has_failed), of=provider)
    measure(metrics.FAILURE_OF_PROVIDER, 100 * has_failed, of=provider)
    if record.sent:
        measure(metrics.CALLS_OF_PROVIDER, of=provider)
        measure(metrics.LATENCY_OF_PROVIDER, record.latency_s * 1000, of=provider)


def _measure(record: CallRecord) -> None:
    operation = record.operation
    if record.error:
        measure(metrics.PROVIDER_ERRORS, of=record.error)
    if record.waited_s:
        measure(metrics.PROVIDER_WAIT, record.waited_s * 1000, of=operation)
    if not record.sent:
        measure(metrics.PROVIDER_REFUSED, of=operation)
        return
    succeeded = record.error is None
    measure(metrics.PROVIDER_CALLS, of=operation)
    measure(metrics.PROVIDER_SUCCEEDED, int(succeeded), of=operation)
    measure(metrics.PROVIDER_LATENCY, record.latency_s * 1000, of=operation)
    measure(metrics.PROVIDER_RETRIES, int(record.attempt > 1), of=operation)
    if operation == "refresh":
        measure(metrics.TOKEN_REFRESHES, of="succeeded" if succeeded else "failed")
