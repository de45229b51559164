"""
Log lines and metrics. docs/logs-and-metrics.md explains how to read them.

Only facts that the call names are written, and only plain values. The text of an exception, a request or a
record never gets here, so tokens, user ids and glucose values do not either.
"""

from bg_ingest.telemetry.boot import resume_collection

from bg_ingest.telemetry.call_observer import call_observer, log_call
from bg_ingest.telemetry.correlation import adopt_correlation_id, correlation_id, header_ids, trace_id
from bg_ingest.telemetry.entry import InvocationFailed, entry_point
from bg_ingest.telemetry.logger import configure, log, waiting_lines
from bg_ingest.telemetry.meter import measure

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
    "measure",
    "resume_collection",
    "trace_id",
    "waiting_lines",
]
