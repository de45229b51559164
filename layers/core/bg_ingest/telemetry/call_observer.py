"""Log lines and metrics of the calls to a provider."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bg_ingest.providers.http.call_record import CircuitTransitions
from bg_ingest.telemetry import metrics
from bg_ingest.telemetry.logger import log
from bg_ingest.telemetry.meter import meter

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.providers.http.call_record import CallRecord


def log_call(record: CallRecord) -> None:
    """Log one attempt to call the provider, sent or refused."""
    log(
        "provider called" if record.sent else "provider not called",
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


def call_observer() -> Callable[[CallRecord], None]:
    """An observer that logs and measures the calls to one host, whose circuit breaker is its own."""
    circuit = CircuitTransitions()

    def observe(record: CallRecord) -> None:
        log_call(record)
        _measure(record)
        transition = circuit.in_record(record)
        if transition:
            meter.add(metrics.BREAKER_TRANSITIONS, of=transition[1])

    return observe


def _measure(record: CallRecord) -> None:
    operation, add = record.operation, meter.add
    if record.error:
        add(metrics.PROVIDER_ERRORS, of=record.error)
    if record.waited_s:
        add(metrics.PROVIDER_WAIT, record.waited_s * 1000, of=operation)
    if not record.sent:
        add(metrics.PROVIDER_REFUSED, of=operation)
        return
    succeeded = record.error is None
    add(metrics.PROVIDER_CALLS, of=operation)
    add(metrics.PROVIDER_SUCCEEDED, int(succeeded), of=operation)
    add(metrics.PROVIDER_LATENCY, record.latency_s * 1000, of=operation)
    add(metrics.PROVIDER_RETRIES, int(record.attempt > 1), of=operation)
    if operation == "refresh":
        add(metrics.TOKEN_REFRESHES, of="succeeded" if succeeded else "failed")
