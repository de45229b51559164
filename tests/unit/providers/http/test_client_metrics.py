from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from bg_ingest.providers.errors import Unavailable
from bg_ingest.providers.http.client_metrics import ClientMetrics
from bg_ingest.providers.http.send import Call, CallRecord, send
from tests.unit.providers.http.fake_provider import Replies, get, ok, polite

if TYPE_CHECKING:
    from tests.support.fakes import FakeClock

CALL = CallRecord("egvs", "GET", "/v3/egvs", attempt=1, sent=True, status=200, latency_s=0.2, size_bytes=100)


def test_rates_before_the_first_call() -> None:
    """Without calls the success rate is 1 and the latency is 0."""
    snapshot = ClientMetrics().snapshot()

    assert (snapshot.calls, snapshot.success_rate, snapshot.latency_s(0.5)) == (0, 1.0, 0.0)


def test_snapshot_adds_up_the_records() -> None:
    """A snapshot counts calls, errors by class, retries, waits and bytes, and has the latencies."""
    metrics = ClientMetrics()
    metrics.observe(replace(CALL, status=503, error="Unavailable", size_bytes=4))
    metrics.observe(replace(CALL, attempt=2, waited_s=0.5, latency_s=0.4))
    metrics.observe(replace(CALL, sent=False, status=None, error="Crowded", size_bytes=0))

    snapshot = metrics.snapshot()

    assert (snapshot.calls, snapshot.succeeded, snapshot.retries, snapshot.refused) == (2, 1, 1, 1)
    assert (snapshot.success_rate, snapshot.bytes_received) == (0.5, 104)
    assert (snapshot.waits, snapshot.waited_s) == (1, 0.5)
    assert snapshot.errors == {"Unavailable": 1, "Crowded": 1}
    assert snapshot.calls_by_operation == {"egvs": 2}
    assert (snapshot.latency_s(0.0), snapshot.latency_s(0.99), snapshot.latency_s(1.0)) == (0.2, 0.4, 0.4)


def test_breaker_transitions_are_counted() -> None:
    """Each new circuit state is one transition; a record without a state does not count."""
    metrics = ClientMetrics()
    for circuit in ("closed", "closed", "open", None, "probing", "open", "probing", "closed"):
        metrics.observe(replace(CALL, circuit=circuit))

    assert metrics.snapshot().breaker_transitions == {
        "closed -> open": 1,
        "open -> probing": 2,
        "probing -> open": 1,
        "probing -> closed": 1,
    }


def test_snapshot_does_not_change() -> None:
    """A record that is observed later does not change an earlier snapshot."""
    metrics = ClientMetrics()
    before = metrics.snapshot()
    metrics.observe(replace(CALL, error="Unavailable"))

    assert (before.calls, dict(before.errors)) == (0, {})


def test_concurrent_records_are_all_counted() -> None:
    """Many threads can use one ClientMetrics without losing a record."""
    metrics = ClientMetrics()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: metrics.observe(CALL), range(4000)))

    assert (metrics.snapshot().calls, metrics.snapshot().bytes_received) == (4000, 400_000)
    assert len(metrics.snapshot().latencies_s) == 1000


def test_client_counts_its_calls(clock: FakeClock) -> None:
    """Through a whole client: a GET with one retry, and two refreshes of which one fails."""
    metrics = ClientMetrics()
    replies = Replies(httpx.Response(500), ok(), ok(), httpx.Response(500))
    http = polite(clock, replies, observe=metrics.observe)

    get(http)
    send(http, "POST", Call("refresh", "/token"))
    with pytest.raises(Unavailable):
        send(http, "POST", Call("refresh", "/token"))

    snapshot = metrics.snapshot()
    assert (snapshot.calls, snapshot.retries) == (4, 1)
    assert (snapshot.token_refreshes, snapshot.token_refreshes_failed) == (2, 1)
    assert snapshot.calls_by_operation == {"egvs": 2, "refresh": 2}
