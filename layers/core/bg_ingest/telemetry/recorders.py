"""What webhooks, ticks, requests and publications count as in the metrics."""

from __future__ import annotations

from bg_ingest.telemetry import metrics
from bg_ingest.telemetry.meter import meter


def measure_tick(schedule: str, periods: int, users: int) -> None:
    """One tick served so many minutes or hours, and ordered a sync for so many users."""
    meter.add(metrics.PERIODS_SERVED, periods, of=schedule)
    meter.add(metrics.USERS_DISPATCHED, users, of=schedule)


def measure_quota(used: float) -> None:
    """The share of the hour's call budget that all processes together have taken."""
    meter.add(metrics.QUOTA_USED, 100 * used)


def measure_webhook(outcome: str) -> None:
    """One webhook was answered: accepted, duplicate, unproven, unknown, invalid, limited or failed."""
    meter.add(metrics.WEBHOOKS, of=outcome)


def measure_request(status: int, latency_s: float) -> None:
    """One request was answered."""
    meter.add(metrics.API_REQUESTS, of=f"{status // 100}xx")
    meter.add(metrics.API_LATENCY, latency_s * 1000)


def measure_publishing(
    events: int, *, set_aside: int = 0, failed: bool = False, delay_s: float = 0.0
) -> None:
    """One batch of changes was published, in whole or in part; `delay_s` is since its oldest change."""
    meter.add(metrics.EVENTS_PUBLISHED, events)
    meter.add(metrics.PUBLISH_FAILURES, int(failed))
    meter.add(metrics.RECORDS_SET_ASIDE, set_aside)
    meter.add(metrics.PUBLISH_DELAY, delay_s)


def measure_republishing(events: int) -> None:
    """An operator had so many events published again."""
    meter.add(metrics.EVENTS_REPUBLISHED, events)
