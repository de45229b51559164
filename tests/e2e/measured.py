"""Metrics of the deployed functions, read from the stack's log."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from bg_ingest.telemetry.metrics import NAMESPACE
from local.function_logs import function_lines
from local.waiting import wait_until
from tests.support.waiting import WAIT_S_MAX

if TYPE_CHECKING:
    from local.stack import Stack

Found = dict[tuple[str, ...], list[float]]


def lines_of(cloud: Stack) -> list[dict[str, Any]]:
    """Return every line that a function logged."""
    return [json.loads(line) for line in function_lines(cloud.emulator) if line.startswith("{")]


def measured(lines: list[dict[str, Any]]) -> Found:
    """Return every series as CloudWatch would read it: function, name and the dimension's value, if any."""
    found: Found = defaultdict(list)
    for line in lines:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            assert directive["Namespace"] == NAMESPACE
            (names,) = directive["Dimensions"]
            function, *of = [line[name] for name in names]
            for metric in directive["Metrics"]:
                value = line[metric["Name"]]
                found[function, metric["Name"], *of] += value if isinstance(value, list) else [value]
    return found


def caused_by(cloud: Stack, correlation_id: str, last: str = "api_requests") -> Found:
    """Return the metrics of one request, without the function's name, which differs with every deployment.

    An invocation writes several lines one after the other; this waits for the one that contains `last`.
    """
    found: Found = {}

    def is_written() -> bool:
        lines = [line for line in lines_of(cloud) if line.get("correlation_id") == correlation_id]
        found.update({series[1:]: values for series, values in measured(lines).items()})
        return any(series[0] == last for series in found)

    assert wait_until(is_written, WAIT_S_MAX)  # The log may be a moment behind the answer.
    return found
