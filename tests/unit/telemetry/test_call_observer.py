from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest import telemetry
from bg_ingest.providers.http.send import CallRecord
from bg_ingest.telemetry import metrics
from bg_ingest.telemetry.meter import meter

if TYPE_CHECKING:
    from bg_ingest.providers.http.send import CircuitState

PATH = "/v3/users/self/egvs"


@pytest.fixture(autouse=True)
def _configured(_fresh_process: None) -> None:
    telemetry.configure()


def _record(operation: str = "egvs", *, sent: bool = True, **more: Any) -> CallRecord:
    attempt = more.pop("attempt", 1)
    return CallRecord(operation, "GET", PATH, attempt, sent, **more)


def _measured(*records: CallRecord) -> dict[tuple[str, str], list[float]]:
    observe = telemetry.call_observer("dexcom")
    for record in records:
        observe(record)
    return {
        (metric.name, of): values
        for (_, of), gathered in meter.drain().items()
        for metric, values in gathered.items()
    }


def test_each_attempt_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The line has method, path, status, latency, size and attempt; a failed attempt is a warning."""
    telemetry.adopt_correlation_id("ticket-4711")
    observe = telemetry.call_observer("dexcom")
    observe(_record(status=200, latency_s=0.1234, size_bytes=512, circuit="closed"))
    observe(_record(attempt=2, status=503, error="Unavailable", waited_s=1.5))
    observe(_record(sent=False, error="CircuitOpen", circuit="open"))

    good, bad, refused = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    wanted = {
        "method": "GET",
        "path": PATH,
        "status": 200,
        "latency_ms": 123.4,
        "size_bytes": 512,
        "attempt": 1,
    }
    assert wanted.items() <= good.items()
    assert good["correlation_id"] == "ticket-4711"
    assert (bad["level"], bad["error"], bad["attempt"], bad["waited_ms"]) == (
        "WARNING",
        "Unavailable",
        2,
        1500,
    )
    assert (refused["message"], refused["status"]) == ("provider not called", None)


def test_sent_attempts_are_measured_by_operation() -> None:
    """Calls, successes, retries and latencies are counted per operation, errors per class."""
    found = _measured(
        _record(latency_s=0.1, status=503, error="Unavailable"),
        _record(attempt=2, latency_s=0.2, status=200),
        _record("devices", latency_s=0.3, status=200),
    )

    assert found[metrics.PROVIDER_CALLS.name, "egvs"] == [2]
    assert found[metrics.PROVIDER_SUCCEEDED.name, "egvs"] == [1]
    assert found[metrics.PROVIDER_RETRIES.name, "egvs"] == [1]
    assert found[metrics.PROVIDER_LATENCY.name, "egvs"] == [100, 200]
    assert found[metrics.PROVIDER_CALLS.name, "devices"] == [1]
    assert found[metrics.PROVIDER_ERRORS.name, "Unavailable"] == [1]


def test_waits_and_refusals_are_measured() -> None:
    """Waits are measured in milliseconds, and refused attempts are counted apart from calls."""
    found = _measured(
        _record(waited_s=1.5, status=200), _record(sent=False, error="QuotaSpent", waited_s=0.5)
    )

    assert found[metrics.PROVIDER_WAIT.name, "egvs"] == [1500, 500]
    assert found[metrics.PROVIDER_REFUSED.name, "egvs"] == [1]
    assert found[metrics.PROVIDER_CALLS.name, "egvs"] == [1]
    assert found[metrics.PROVIDER_ERRORS.name, "QuotaSpent"] == [1]


def test_token_refreshes_are_counted_by_outcome() -> None:
    """Sent refreshes are counted as succeeded or failed; a refused one is not counted."""
    found = _measured(
        _record("refresh", status=200),
        _record("refresh", status=400, error="ConsentRevoked"),
        _record("refresh", sent=False, error="CircuitOpen"),
    )

    assert found[metrics.TOKEN_REFRESHES.name, "succeeded"] == [1]
    assert found[metrics.TOKEN_REFRESHES.name, "failed"] == [1]


def test_circuit_transition_is_counted_once() -> None:
    """A new circuit state is counted one time, however many records show it."""
    seen: list[CircuitState | None] = ["closed", "open", "open", None, "probing", "closed", "open"]
    found = _measured(*(_record(circuit=state) for state in seen))

    transitions = {of: values for (name, of), values in found.items() if name == "breaker_transitions"}
    assert transitions == {"open": [2], "probing": [1], "closed": [1]}


def test_observers_of_two_hosts_count_separately() -> None:
    """If one of two hosts is down, then only its observer counts a transition."""
    down, up = telemetry.call_observer("dexcom"), telemetry.call_observer("dexcom")
    for _ in range(3):
        down(_record(circuit="open"))
        up(_record(circuit="closed"))

    assert meter.drain()["to", "open"] == {metrics.BREAKER_TRANSITIONS: [1]}


def test_each_provider_has_metrics_of_its_own() -> None:
    """Calls, failures and latency are counted by the name of the provider."""
    good, bad = telemetry.call_observer("one"), telemetry.call_observer("other")
    good(_record(status=200, latency_s=0.5))
    bad(_record(status=503, error="Unavailable", latency_s=1))
    bad(_record(sent=False, error="CircuitOpen"))

    found = {
        (metric.name, of): values
        for (dimension, of), gathered in meter.drain().items()
        if dimension == "provider"
        for metric, values in gathered.items()
    }
    assert found == {
        ("calls_of_provider", "one"): [1],
        ("calls_of_provider", "other"): [1],
        ("failures_of_provider", "one"): [0],
        ("failures_of_provider", "other"): [2],
        ("failure_of_provider_percent", "one"): [0],
        ("failure_of_provider_percent", "other"): [100, 100],
        ("latency_of_provider_ms", "one"): [500],
        ("latency_of_provider_ms", "other"): [1000],
    }
