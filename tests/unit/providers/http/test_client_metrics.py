from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from bg_ingest.providers.dexcom.client import DexcomClient
from bg_ingest.providers.dexcom.oauth import OAuth
from bg_ingest.providers.errors import ProviderError
from bg_ingest.providers.http.call_record import CallRecord
from bg_ingest.providers.http.client_metrics import ClientMetrics
from tests.support.fakes import NOON, FakeClock
from tests.unit.providers.dexcom.made_up import TOKEN, Replies, ok, polite
from tests.unit.providers.dexcom.test_oauth import APPLICATION, GOOD

CALL = CallRecord("egvs", "GET", "/v3/egvs", attempt=1, sent=True, status=200, latency_s=0.2, size_bytes=100)


def test_before_the_first_call() -> None:
    """Nothing is divided by nothing."""
    snapshot = ClientMetrics().snapshot()

    assert (snapshot.calls, snapshot.success_rate, snapshot.latency_s(0.5)) == (0, 1.0, 0.0)


def test_what_a_call_adds_up_to() -> None:
    """Calls, errors by class, retries, waits, bytes and latency."""
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


def test_breaker_transitions_are_counted_as_they_are_seen() -> None:
    """Open, tested in vain, open, tested, closed; attempts that never asked say nothing."""
    metrics = ClientMetrics()
    for circuit in ("closed", "closed", "open", None, "probing", "open", "probing", "closed"):
        metrics.observe(replace(CALL, circuit=circuit))

    assert metrics.snapshot().breaker_transitions == {
        "closed -> open": 1,
        "open -> probing": 2,
        "probing -> open": 1,
        "probing -> closed": 1,
    }


def test_a_snapshot_stays_as_it_was() -> None:
    """What happens afterwards is in the next one."""
    metrics = ClientMetrics()
    before = metrics.snapshot()
    metrics.observe(replace(CALL, error="Unavailable"))

    assert (before.calls, dict(before.errors)) == (0, {})


def test_threads_lose_no_count() -> None:
    """One object counts for all threads of a process."""
    metrics = ClientMetrics()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: metrics.observe(CALL), range(4000)))

    assert (metrics.snapshot().calls, metrics.snapshot().bytes_received) == (4000, 400_000)
    assert len(metrics.snapshot().latencies_s) == 1000


def test_the_client_counts_what_it_does(clock: FakeClock) -> None:
    """Through the whole client: a retried question and two refreshes, of which one failed."""
    metrics = ClientMetrics()
    replies = Replies(
        httpx.Response(500), ok(), ok(GOOD), httpx.Response(400, json={"error": "invalid_grant"})
    )
    http = polite(clock, replies, observe=metrics.observe)

    DexcomClient(http, clock).data_range(TOKEN, NOON)
    oauth = OAuth(http, APPLICATION, clock)
    oauth.refresh("refresh-1")
    with pytest.raises(ProviderError):
        oauth.refresh("refresh-2")

    snapshot = metrics.snapshot()
    assert (snapshot.calls, snapshot.retries) == (4, 1)
    assert (snapshot.token_refreshes, snapshot.token_refreshes_failed) == (2, 1)
    assert snapshot.calls_by_operation == {"data_range": 2, "refresh": 2}
