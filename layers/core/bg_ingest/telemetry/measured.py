"""What syncs and requests count as."""

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
