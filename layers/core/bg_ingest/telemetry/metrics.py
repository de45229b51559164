"""All metrics; a test compares docs/logs-and-metrics.md with this list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NAMESPACE = "BgIngest"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Beside the function it has at most one dimension, never an id: each value costs money."""

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
# 0 or 100 per sync: the average is the rate, so an alarm needs no arithmetic.
SYNC_FAILURE = Metric("sync_failure_percent", "Percent")
SYNC_ERRORS = Metric("sync_errors", "Count", "error")
READINGS_STORED = Metric("readings_stored", "Count")
READINGS_REVISED = Metric("readings_revised", "Count")
READINGS_INVALID = Metric("readings_invalid", "Count")
READINGS_INVALID_PERCENT = Metric("readings_invalid_percent", "Percent")
DATA_AGE = Metric("data_age_s", "Seconds")

WEBHOOKS = Metric("webhooks", "Count", "outcome")
WEBHOOK_PROCESSING = Metric("webhook_processing_s", "Seconds")
EVENTS_PUBLISHED = Metric("events_published", "Count")
EVENTS_REPUBLISHED = Metric("events_republished", "Count")
PUBLISH_FAILURES = Metric("publish_failures", "Count")
RECORDS_SET_ASIDE = Metric("records_set_aside", "Count")
PUBLISH_DELAY = Metric("publish_delay_s", "Seconds")

API_REQUESTS = Metric("api_requests", "Count", "status_class")
API_LATENCY = Metric("api_latency_ms", "Milliseconds")

ALL: tuple[Metric, ...] = tuple(value for value in vars().values() if isinstance(value, Metric))
