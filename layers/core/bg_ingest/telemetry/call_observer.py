"""Calls to the provider as log lines and metrics."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING

from bg_ingest.telemetry import metrics
from bg_ingest.telemetry.logger import log
from bg_ingest.telemetry.meter import meter

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.providers.http.call_record import CallRecord, CircuitState


def log_call(exchange: CallRecord) -> None:
    """One line for every attempt to reach the provider, made or refused."""
    log(
        "provider called" if exchange.sent else "provider not called",
        level=logging.INFO if exchange.error is None else logging.WARNING,
        operation=exchange.operation,
        method=exchange.method,
        path=exchange.path,
        status=exchange.status,
        error=exchange.error,
        attempt=exchange.attempt,
        latency_ms=round(exchange.latency_s * 1000, 1),
        waited_ms=round(exchange.waited_s * 1000, 1),
        size_bytes=exchange.size_bytes,
        circuit=exchange.circuit,
    )


def call_observer() -> Callable[[CallRecord], None]:
    """Tell and measure the exchanges with one host; each host has a breaker of its own."""
    circuit = _Circuit()

    def observe(exchange: CallRecord) -> None:
        log_call(exchange)
        _measure(exchange)
        changed_to = circuit.changed_to(exchange.circuit)
        if changed_to:
            meter.add(metrics.BREAKER_TRANSITIONS, of=changed_to)

    return observe


class _Circuit:
    """How a breaker was seen last by this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: CircuitState = "closed"

    def changed_to(self, state: CircuitState | None) -> CircuitState | None:
        """The state, if it is another than before."""
        with self._lock:
            if state is None or state == self._seen:
                return None
            self._seen = state
            return state


def _measure(exchange: CallRecord) -> None:
    operation, add = exchange.operation, meter.add
    if exchange.error:
        add(metrics.PROVIDER_ERRORS, of=exchange.error)
    if exchange.waited_s:
        add(metrics.PROVIDER_WAIT, exchange.waited_s * 1000, of=operation)
    if not exchange.sent:
        add(metrics.PROVIDER_REFUSED, of=operation)
        return
    succeeded = exchange.error is None
    add(metrics.PROVIDER_CALLS, of=operation)
    add(metrics.PROVIDER_SUCCEEDED, int(succeeded), of=operation)
    add(metrics.PROVIDER_LATENCY, exchange.latency_s * 1000, of=operation)
    add(metrics.PROVIDER_RETRIES, int(exchange.attempt > 1), of=operation)
    if operation == "refresh":
        add(metrics.TOKEN_REFRESHES, of="succeeded" if succeeded else "failed")
