"""What syncs, webhooks and requests count as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.telemetry import metrics
from bg_ingest.telemetry.meter import meter

if TYPE_CHECKING:
    from bg_ingest.sync.job import Counts


def measure_sync(outcome: str, counts: Counts | None = None, data_age_s: float | None = None) -> None:
    """One sync ended: succeeded, failed, deferred, busy or crashed."""
    add = meter().add
    add(metrics.SYNCS, of=outcome)
    if counts:
        add(metrics.READINGS_STORED, counts.stored)
        add(metrics.READINGS_REVISED, counts.revised)
        add(metrics.READINGS_INVALID, sum(count for _, count in counts.invalid))
    if data_age_s is not None:
        add(metrics.DATA_AGE, data_age_s)


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
