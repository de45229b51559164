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
# The same for each provider, so that failures of one are visible.
CALLS_OF_PROVIDER = Metric("calls_of_provider", "Count", "provider")
FAILURES_OF_PROVIDER = Metric("failures_of_provider", "Count", "provider")
# 0 or 100 per call, as SYNC_FAILURE.
FAILURE_OF_PROVIDER = Metric("failure_of_provider_percent", "Percent", "provider")
LATENCY_OF_PROVIDER = Metric("latency_of_provider_ms", "Milliseconds", "provider")
BREAKER_TRANSITIONS = Metric("breaker_transitions", "Count", "to")
TOKEN_REFRESHES = Metric("token_refreshes", "Count", "outcome")
# Of the hour's budget for calls, which all processes share.
QUOTA_USED = Metric("quota_used_percent", "Percent")

PERIODS_SERVED = Metric("periods_served", "Count", "schedule")
# How long the intervals between polls are, of those that the users chose.
POLL_STRETCH = Metric("poll_stretch_percent", "Percent")
USERS_DISPATCHED = Metric("users_dispatched", "Count", "schedule")

REPAIRS = Metric("repairs", "Count", "what")
SYNCS = Metric("syncs", "Count", "outcome")
# 0 or 100 per sync: the average is the rate, so an alarm needs no arithmetic.
SYNC_FAILURE = Metric("sync_failure_percent", "Percent")
SYNC_ERRORS = Metric("sync_errors", "Count", "error")
READINGS_STORED = Metric("readings_stored", "Count")
READINGS_REVISED = Metric("readings_revised", "Count")
READINGS_INVALID = Metric("readings_invalid", "Count")
READINGS_INVALID_PERCENT = Metric("readings_invalid_percent", "Percent")
DATA_AGE = Metric("data_age_s", "Seconds")
DATA_AGE_OF_PROVIDER = Metric("data_age_of_provider_s", "Seconds", "provider")
# Only this service can be late here, where the data's age also contains the provider's delay.
POLL_OVERDUE = Metric("poll_overdue_s", "Seconds")

WEBHOOKS = Metric("webhooks", "Count", "outcome")
WEBHOOK_PROCESSING = Metric("webhook_processing_s", "Seconds")
EVENTS_PUBLISHED = Metric("events_published", "Count")
EVENTS_REPUBLISHED = Metric("events_republished", "Count")
PUBLISH_FAILURES = Metric("publish_failures", "Count")
RECORDS_SET_ASIDE = Metric("records_set_aside", "Count")
PUBLISH_DELAY = Metric("publish_delay_s", "Seconds")

EXPORTS = Metric("exports", "Count", "outcome")
WRONG_SECRETS = Metric("wrong_secrets", "Count")
API_REQUESTS = Metric("api_requests", "Count", "status_class")
API_LATENCY = Metric("api_latency_ms", "Milliseconds")

ALL: tuple[Metric, ...] = tuple(value for value in vars().values() if isinstance(value, Metric))
