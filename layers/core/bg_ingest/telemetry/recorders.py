"""What syncs, webhooks, ticks and requests count as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.telemetry import metrics
from bg_ingest.telemetry.meter import meter

if TYPE_CHECKING:
    from bg_ingest.sync.job import Counts


_NOT_RUN = {"busy", "over"}


def measure_sync(
    outcome: str,
    counts: Counts | None = None,
    *,
    data_age_s: float | None = None,
    error: str | None = None,
) -> None:
    """One order was carried out: succeeded, failed, deferred or crashed; or was not: busy or over already."""
    add = meter().add
    add(metrics.SYNCS, of=outcome)
    if outcome not in _NOT_RUN:
        add(metrics.SYNC_FAILURE, 100 if error else 0)
    if error:
        add(metrics.SYNC_ERRORS, of=error)
    if counts:
        _measure_records(counts)
    if data_age_s is not None:
        add(metrics.DATA_AGE, data_age_s)


def _measure_records(counts: Counts) -> None:
    add, invalid = meter().add, sum(count for _, count in counts.invalid)
    add(metrics.READINGS_STORED, counts.stored)
    add(metrics.READINGS_REVISED, counts.revised)
    add(metrics.READINGS_INVALID, invalid)
    if counts.fetched:
        add(metrics.READINGS_INVALID_PERCENT, 100 * invalid / counts.fetched)


def measure_tick(schedule: str, periods: int, users: int) -> None:
    """One tick did what was due: minutes or hours were served, and these users sent for."""
    meter().add(metrics.PERIODS_SERVED, periods, of=schedule)
    meter().add(metrics.USERS_DISPATCHED, users, of=schedule)


def measure_quota(used: float) -> None:
    """So much of the hour's budget of calls is taken, by all processes together."""
    meter().add(metrics.QUOTA_USED, 100 * used)


def measure_webhook(outcome: str) -> None:
    """One webhook came: accepted, duplicate, unproven, unknown, invalid, limited or failed."""
    meter().add(metrics.WEBHOOKS, of=outcome)


def measure_webhook_stored(processing_s: float) -> None:
    """What one webhook brought, or asked for, is stored: so long after it was accepted."""
    meter().add(metrics.WEBHOOK_PROCESSING, processing_s)


def measure_request(status: int, latency_s: float) -> None:
    """One request was answered."""
    meter().add(metrics.API_REQUESTS, of=f"{status // 100}xx")
    meter().add(metrics.API_LATENCY, latency_s * 1000)


def measure_publishing(
    events: int, *, set_aside: int = 0, failed: bool = False, delay_s: float = 0.0
) -> None:
    """One batch of changes was published, as far as it went; `delay_s` is since its oldest change."""
    add = meter().add
    add(metrics.EVENTS_PUBLISHED, events)
    add(metrics.PUBLISH_FAILURES, int(failed))
    add(metrics.RECORDS_SET_ASIDE, set_aside)
    add(metrics.PUBLISH_DELAY, delay_s)


def measure_republishing(events: int) -> None:
    """Somebody had events published again."""
    meter().add(metrics.EVENTS_REPUBLISHED, events)
