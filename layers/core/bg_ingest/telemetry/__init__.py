"""
What the service tells the outside: log lines and metrics. docs/logs-and-metrics.md says how to read them.

Only facts that are named in the call are written, and only as plain values: an exception's text, a request or
a record never gets here, so neither does a token, a user id or a glucose value.
"""

from bg_ingest.telemetry.correlation import adopt_correlation_id, correlation_id, header_ids, trace_id
from bg_ingest.telemetry.entry import InvocationFailed, entry_point
from bg_ingest.telemetry.exchanges import exchange_observer, tell_exchange
from bg_ingest.telemetry.log import configure, tell
from bg_ingest.telemetry.measured import (
    measure_quota,
    measure_request,
    measure_sync,
    measure_tick,
    measure_webhook,
    measure_webhook_stored,
)

__all__ = [
    "InvocationFailed",
    "adopt_correlation_id",
    "configure",
    "correlation_id",
    "entry_point",
    "exchange_observer",
    "header_ids",
    "measure_quota",
    "measure_request",
    "measure_sync",
    "measure_tick",
    "measure_webhook",
    "measure_webhook_stored",
    "tell",
    "tell_exchange",
    "trace_id",
]
