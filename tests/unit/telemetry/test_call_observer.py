from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest import telemetry
from bg_ingest.providers.http.call_record import CallRecord
from bg_ingest.telemetry import metrics
from bg_ingest.telemetry.meter import meter

if TYPE_CHECKING:
    from bg_ingest.providers.http.call_record import CircuitState

PATH = "/v3/users/self/egvs"


@pytest.fixture(autouse=True)
def _configured(_fresh_process: None) -> None:
    telemetry.configure()


def _exchange(operation: str = "egvs", *, sent: bool = True, **more: Any) -> CallRecord:
    attempt = more.pop("attempt", 1)
    return CallRecord(operation, "GET", PATH, attempt, sent, **more)


def _measured(*exchanges: CallRecord) -> dict[tuple[str, str], list[float]]:
    observe = telemetry.call_observer()
    for exchange in exchanges:
        observe(exchange)
    return {
        (metric.name, of): values
        for (_, of), gathered in meter.drain().items()
        for metric, values in gathered.items()
    }


def test_every_attempt_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Method, path, status, latency, size, attempt; a failed one is a warning."""
    telemetry.adopt_correlation_id("ticket-4711")
    observe = telemetry.call_observer()
    observe(_exchange(status=200, latency_s=0.1234, size_bytes=512, circuit="closed"))
    observe(_exchange(attempt=2, status=503, error="Unavailable", waited_s=1.5))
    observe(_exchange(sent=False, error="CircuitOpen", circuit="open"))

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


def test_calls_latency_success_and_retries_are_counted_by_operation() -> None:
    """The success rate is succeeded by calls."""
    found = _measured(
        _exchange(latency_s=0.1, status=503, error="Unavailable"),
        _exchange(attempt=2, latency_s=0.2, status=200),
        _exchange("devices", latency_s=0.3, status=200),
    )

    assert found[metrics.PROVIDER_CALLS.name, "egvs"] == [2]
    assert found[metrics.PROVIDER_SUCCEEDED.name, "egvs"] == [1]
    assert found[metrics.PROVIDER_RETRIES.name, "egvs"] == [1]
    assert found[metrics.PROVIDER_LATENCY.name, "egvs"] == [100, 200]
    assert found[metrics.PROVIDER_CALLS.name, "devices"] == [1]
    assert found[metrics.PROVIDER_ERRORS.name, "Unavailable"] == [1]


def test_waits_and_refusals_are_measured() -> None:
    """How long a limit made us wait, and how often we did not even call."""
    found = _measured(
        _exchange(waited_s=1.5, status=200), _exchange(sent=False, error="QuotaSpent", waited_s=0.5)
    )

    assert found[metrics.PROVIDER_WAIT.name, "egvs"] == [1500, 500]
    assert found[metrics.PROVIDER_REFUSED.name, "egvs"] == [1]
    assert found[metrics.PROVIDER_CALLS.name, "egvs"] == [1]
    assert found[metrics.PROVIDER_ERRORS.name, "QuotaSpent"] == [1]


def test_token_refreshes_are_counted_by_their_outcome() -> None:
    """One that was never sent is a refusal, and no refresh."""
    found = _measured(
        _exchange("refresh", status=200),
        _exchange("refresh", status=400, error="ConsentRevoked"),
        _exchange("refresh", sent=False, error="CircuitOpen"),
    )

    assert found[metrics.TOKEN_REFRESHES.name, "succeeded"] == [1]
    assert found[metrics.TOKEN_REFRESHES.name, "failed"] == [1]


def test_each_change_of_a_breaker_is_counted_once() -> None:
    """By what it changed to, however many calls saw it so."""
    seen: list[CircuitState | None] = ["closed", "open", "open", None, "probing", "closed", "open"]
    found = _measured(*(_exchange(circuit=state) for state in seen))

    transitions = {of: values for (name, of), values in found.items() if name == "breaker_transitions"}
    assert transitions == {"open": [2], "probing": [1], "closed": [1]}


def test_the_breaker_of_one_host_is_not_that_of_another() -> None:
    """Two regions, one down: what is seen alternates, and nothing changed but the one."""
    down, up = telemetry.call_observer(), telemetry.call_observer()
    for _ in range(3):
        down(_exchange(circuit="open"))
        up(_exchange(circuit="closed"))

    assert meter.drain()["to", "open"] == {metrics.BREAKER_TRANSITIONS: [1]}
