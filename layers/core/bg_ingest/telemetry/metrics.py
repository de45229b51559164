"""Every metric there is; a test holds docs/logs-and-metrics.md to this list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NAMESPACE = "BgIngest"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; beside the function it has one dimension at most, and never an id: each value costs."""

    name: str
    unit: Literal["Count", "Milliseconds", "Seconds", "Percent"]
    dimension: str | None = None


PROVIDER_CALLS = Metric("provider_calls", "Count", "operation")
PROVIDER_SUCCEEDED = Metric("provider_succeeded", "Count", "operation")
PROVIDER_LATENCY = Metric("provider_latency_ms", "Milliseconds", "operation")
PROVIDER_RETRIES = Metric("provider_retries", "Count", "operation")
PROVIDER_REFUSED = Metric("provider_refused", "Count", "operation")
PROVIDER_WAIT = Metric("provider_wait_ms", "Milliseconds", "operation")
PROVIDER_ERRORS = Metric("provider_errors", "Count", "error")
BREAKER_TRANSITIONS = Metric("breaker_transitions", "Count", "to")
TOKEN_REFRESHES = Metric("token_refreshes", "Count", "outcome")
QUOTA_USED = Metric("quota_used_percent", "Percent")

PERIODS_SERVED = Metric("periods_served", "Count", "schedule")
USERS_DISPATCHED = Metric("users_dispatched", "Count", "schedule")

SYNCS = Metric("syncs", "Count", "outcome")
# 0 or 100 for each sync: its average is the rate, and an alarm needs no arithmetic.
SYNC_FAILURE = Metric("sync_failure_percent", "Percent")
SYNC_ERRORS = Metric("sync_errors", "Count", "error")
READINGS_STORED = Metric("readings_stored", "Count")
READINGS_REVISED = Metric("readings_revised", "Count")
READINGS_INVALID = Metric("readings_invalid", "Count")
READINGS_INVALID_PERCENT = Metric("readings_invalid_percent", "Percent")
DATA_AGE = Metric("data_age_s", "Seconds")

WEBHOOKS = Metric("webhooks", "Count", "outcome")
WEBHOOK_PROCESSING = Metric("webhook_processing_s", "Seconds")

API_REQUESTS = Metric("api_requests", "Count", "status_class")
API_LATENCY = Metric("api_latency_ms", "Milliseconds")

ALL: tuple[Metric, ...] = (
    PROVIDER_CALLS,
    PROVIDER_SUCCEEDED,
    PROVIDER_LATENCY,
    PROVIDER_RETRIES,
    PROVIDER_REFUSED,
    PROVIDER_WAIT,
    PROVIDER_ERRORS,
    BREAKER_TRANSITIONS,
    TOKEN_REFRESHES,
    QUOTA_USED,
    PERIODS_SERVED,
    USERS_DISPATCHED,
    SYNCS,
    SYNC_FAILURE,
    SYNC_ERRORS,
    READINGS_STORED,
    READINGS_REVISED,
    READINGS_INVALID,
    READINGS_INVALID_PERCENT,
    DATA_AGE,
    WEBHOOKS,
    WEBHOOK_PROCESSING,
    API_REQUESTS,
    API_LATENCY,
)
