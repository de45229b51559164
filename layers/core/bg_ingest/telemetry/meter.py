"""
Metrics of one invocation, gathered by its threads and written at its end in CloudWatch's embedded format.

A line for each value of a dimension: counts as their sum, everything else as the values themselves, so that
CloudWatch can tell percentiles. They go to stdout whatever LOG_OUTPUT says: there CloudWatch finds them.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from bg_ingest.clock import SystemClock
from bg_ingest.settings import settings
from bg_ingest.telemetry.correlation import correlation_id
from bg_ingest.telemetry.metrics import NAMESPACE
from bg_ingest.telemetry.outputs import Stdout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bg_ingest.telemetry.metrics import Metric

    Group = tuple[str | None, str]  # A dimension and its value; (None, "") is the function alone.

VALUES_MAX = 100  # Of one metric on one line; CloudWatch's own limit.
# A worker's ten users make a few hundred calls at most; what is beyond this is not worth its memory.
_GATHERED_MAX = 10_000


class Meter:
    """Adds up, from many threads, until it is drained."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._values: dict[Group, dict[Metric, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, metric: Metric, value: float = 1, of: str = "") -> None:
        """One more value; `of` is that of the metric's dimension."""
        with self._lock:
            values = self._values[metric.dimension, of][metric]
            if metric.unit == "Count":
                values[:] = [sum(values) + value]
            elif len(values) < _GATHERED_MAX:
                values.append(value)

    def drain(self) -> dict[Group, dict[Metric, list[float]]]:
        """What was gathered since the last time; nobody else gets it."""
        with self._lock:
            drained, self._values = self._values, defaultdict(lambda: defaultdict(list))
        return drained


@cache
def meter() -> Meter:
    """The meter of this process."""
    return Meter()


def flush() -> None:
    """Write what was gathered."""
    now, own = SystemClock().now(), settings().aws_lambda_function_name or "local"
    for group, gathered in meter().drain().items():
        for values in _chunks(gathered):
            line = document(own, group, values, now) | {"correlation_id": correlation_id()}
            _logger().info(json.dumps(line, separators=(",", ":")))


def document(function: str, group: Group, values: dict[Metric, list[float]], now: datetime) -> dict[str, Any]:
    """One line as CloudWatch wants it, with what every line of ours has."""
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


def _chunks(gathered: dict[Metric, list[float]]) -> Iterator[dict[Metric, list[float]]]:
    """As many lines as the longest list needs."""
    longest = max(len(values) for values in gathered.values())
    for start in range(0, longest, VALUES_MAX):
        chunk = {metric: values[start : start + VALUES_MAX] for metric, values in gathered.items()}
        yield {metric: values for metric, values in chunk.items() if values}


@cache
def _logger() -> logging.Logger:
    # A log of its own, so that neither LOG_LEVEL nor LOG_OUTPUT can keep metrics from CloudWatch.
    logger = logging.getLogger("bg_ingest.metrics")
    logger.handlers = [Stdout()]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger
