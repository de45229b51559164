from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bg_ingest.telemetry import metrics
from bg_ingest.telemetry.meter import VALUES_MAX, Meter, document, flush, meter
from tests.support.fakes import NOON

if TYPE_CHECKING:
    import pytest


def _flushed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    flush("", NOON)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_has_the_embedded_metric_format() -> None:
    """The line has the members that CloudWatch documents and those of every log line."""
    values = {metrics.PROVIDER_CALLS: [3.0], metrics.PROVIDER_LATENCY: [10.0, 20.0]}

    line = document("worker-1", ("operation", "egvs"), values, NOON)
    directive = {
        "Namespace": "BgIngest",
        "Dimensions": [["function", "operation"]],
        "Metrics": [
            {"Name": "provider_calls", "Unit": "Count"},
            {"Name": "provider_latency_ms", "Unit": "Milliseconds"},
        ],
    }
    assert line.pop("_aws") == {"Timestamp": NOON.timestamp() * 1000, "CloudWatchMetrics": [directive]}
    assert line == {
        "timestamp": "2026-04-26T12:00:00.000+00:00",
        "level": "INFO",
        "module": "metrics",
        "message": "metrics",
        "function": "worker-1",
        "operation": "egvs",
        "provider_calls": 3.0,
        "provider_latency_ms": [10.0, 20.0],
    }


def test_counts_are_summed_and_measurements_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """CloudWatch computes percentiles from single values, and of a count it needs the sum."""
    for latency_ms in (10.0, 20.0):
        meter.add(metrics.PROVIDER_CALLS, of="egvs")
        meter.add(metrics.PROVIDER_LATENCY, latency_ms, of="egvs")

    (line,) = _flushed(capsys)
    assert (line["provider_calls"], line["provider_latency_ms"]) == (2, [10.0, 20.0])


def test_each_dimension_value_has_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Metrics without a dimension have a line, too."""
    meter.add(metrics.SYNCS, of="succeeded")
    meter.add(metrics.SYNCS, of="failed")
    meter.add(metrics.READINGS_STORED, 12)

    lines = _flushed(capsys)
    assert [line.get("outcome") for line in lines] == ["succeeded", "failed", None]
    assert lines[2]["readings_stored"] == 12


def test_metrics_are_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A warm process starts each invocation with empty metrics."""
    meter.add(metrics.READINGS_STORED, 12)

    assert len(_flushed(capsys)) == 1
    assert _flushed(capsys) == []


def test_too_many_values_are_split_into_several_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Each value is on exactly one line, and so is each count."""
    wanted = [float(number) for number in range(2 * VALUES_MAX + 1)]
    for value in wanted:
        meter.add(metrics.API_LATENCY, value)
    meter.add(metrics.READINGS_STORED, 12)

    lines = _flushed(capsys)
    found = [line["api_latency_ms"] for line in lines]
    assert [*found[0], *found[1], found[2]] == wanted
    assert [line.get("readings_stored") for line in lines] == [12, None, None]
    for line in lines:
        named = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
        assert named <= line.keys()


def test_concurrent_counts_are_not_lost() -> None:
    """Ten threads count a thousand times each, and each drains the meter."""
    counted = Meter()

    def count(_: int) -> float:
        for _ in range(1_000):
            counted.add(metrics.SYNCS, of="succeeded")
        return sum(sum(values) for group in counted.drain().values() for values in group.values())

    with ThreadPoolExecutor(10) as threads:
        drained = sum(threads.map(count, range(10)))

    assert drained == 10_000


def test_metrics_ignore_the_log_level_and_output(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """CloudWatch reads metrics only from stdout."""
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    monkeypatch.setenv("LOG_OUTPUT", f"file:{tmp_path_factory.mktemp('log') / 'log'}")
    meter.add(metrics.READINGS_STORED, 1)

    assert len(_flushed(capsys)) == 1


def test_no_metric_has_an_id_as_its_dimension() -> None:
    """Each dimension has a few values, and none of them is personal data."""
    dimensions = {metric.dimension for metric in metrics.ALL} - {None}

    assert dimensions == {
        "operation",
        "error",
        "provider",
        "to",
        "outcome",
        "schedule",
        "status_class",
        "what",
    }
    assert len({metric.name for metric in metrics.ALL}) == len(metrics.ALL)
