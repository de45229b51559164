"""
Metrics of one invocation, collected from its threads and written at its end in CloudWatch's embedded format.

One line per value of a dimension. Counts are summed; all other metrics keep their single values, so that
CloudWatch can compute percentiles. Lines go to stdout regardless of LOG_OUTPUT, since CloudWatch reads
stdout.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from bg_ingest.telemetry.correlation import correlation_id
from bg_ingest.telemetry.metrics import NAMESPACE
from bg_ingest.telemetry.outputs import Stdout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bg_ingest.telemetry.metrics import Metric

    Group = tuple[str | None, str]  # A dimension and its value; (None, "") is the function alone.

VALUES_MAX = 100  # Values of one metric on one line; CloudWatch's limit.
# A worker's ten users make a few hundred calls at most. Values beyond this limit are dropped.
_COLLECTED_MAX = 10_000


class Meter:
    """Collects values from many threads until it is drained."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._values: dict[Group, dict[Metric, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, metric: Metric, value: float = 1, of: str = "") -> None:
        """Add one value; `of` is the value of the metric's dimension."""
        with self._lock:
            values = self._values[metric.dimension, of][metric]
            if metric.unit == "Count":
                values[:] = [sum(values) + value]
            elif len(values) < _COLLECTED_MAX:
                values.append(value)

    def drain(self) -> dict[Group, dict[Metric, list[float]]]:
        """Return and remove all values since the last drain."""
        with self._lock:
            drained, self._values = self._values, defaultdict(lambda: defaultdict(list))
        return drained


meter = Meter()  # Of this process.
measure = meter.add


def flush(function: str, now: datetime) -> None:
    """Write the collected values as metrics of this function."""
    for group, collected in meter.drain().items():
        for values in _chunks(collected):
            line = document(function or "local", group, values, now) | {"correlation_id": correlation_id()}
            _logger().info(json.dumps(line, separators=(",", ":")))


def document(function: str, group: Group, values: dict[Metric, list[float]], now: datetime) -> dict[str, Any]:
    """One line in CloudWatch's format, with the members of every log line."""
    dimension, of = group
    dimensions = {"function": function} | ({dimension: of} if dimension else {})
    metrics = [{"Name": metric.name, "Unit": metric.unit} for metric in values]
    return {
        "_aws": {
            "Timestamp": int(now.timestamp() * 1000),
            "CloudWatchMetrics": [
                {"Namespace": NAMESPACE, "Dimensions": [list(dimensions)], "Metrics": metrics}
            ],
        },
        "timestamp": now.isoformat(timespec="milliseconds"),
        "level": "INFO",
        "module": "metrics",
        "message": "metrics",
        **dimensions,
        **{metric.name: found[0] if len(found) == 1 else found for metric, found in values.items()},
    }


def _chunks(collected: dict[Metric, list[float]]) -> Iterator[dict[Metric, list[float]]]:
    """The values of each line, split so that no list is too long."""
    longest = max(len(values) for values in collected.values())
    for start in range(0, longest, VALUES_MAX):
        chunk = {metric: values[start : start + VALUES_MAX] for metric, values in collected.items()}
        yield {metric: values for metric, values in chunk.items() if values}


@cache
def _logger() -> logging.Logger:
    # A logger of its own: neither LOG_LEVEL nor LOG_OUTPUT may keep metrics from CloudWatch.
    logger = logging.getLogger("bg_ingest.metrics")
    logger.handlers = [Stdout()]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger
