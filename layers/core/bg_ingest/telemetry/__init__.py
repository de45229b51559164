"""
What the service tells the outside: log lines and metrics. docs/logs-and-metrics.md says how to read them.

Only facts that are named in the call are written, and only as plain values: an exception's text, a request or
a record never gets here, so neither does a token, a user id or a glucose value.
"""

from bg_ingest.telemetry.call_observer import call_observer, log_call
from bg_ingest.telemetry.correlation import adopt_correlation_id, correlation_id, header_ids, trace_id
from bg_ingest.telemetry.entry import InvocationFailed, entry_point
from bg_ingest.telemetry.logger import configure, log
from bg_ingest.telemetry.recorders import (
    measure_publishing,
    measure_quota,
    measure_republishing,
    measure_request,
    measure_sync,
    measure_tick,
    measure_webhook,
    measure_webhook_stored,
)

__all__ = [
    "InvocationFailed",
    "adopt_correlation_id",
    "call_observer",
    "configure",
    "correlation_id",
    "entry_point",
    "header_ids",
    "log",
    "log_call",
    "measure_publishing",
    "measure_quota",
    "measure_republishing",
    "measure_request",
    "measure_sync",
    "measure_tick",
    "measure_webhook",
    "measure_webhook_stored",
    "trace_id",
]
