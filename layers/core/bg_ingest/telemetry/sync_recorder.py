"""What syncs count as in the metrics, and the correlation id they are logged under."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bg_ingest.sync.job import INTERNAL, JobStatus, Trigger
from bg_ingest.telemetry import metrics
from bg_ingest.telemetry.correlation import adopt_correlation_id
from bg_ingest.telemetry.logger import log
from bg_ingest.telemetry.meter import measure

if TYPE_CHECKING:
    from bg_ingest.sync.job import Counts, Order, SyncResult


class SyncRecorder:
    """Follows the syncs of this process: log context and metrics."""

    def started(self, order: Order) -> None:
        """Log under the order's correlation id: a worker's thread carries out one order after the other."""
        adopt_correlation_id(order.correlation_id)

    def finished(self, result: SyncResult) -> None:
        """Count one order: succeeded, failed, deferred; or not run: busy, superseded, or over already."""
        job, counts = result.job, result.counts
        if job is None or counts is None:
            not_run = "busy" if result.busy else "superseded" if result.superseded else "over"
            measure(metrics.SYNCS, of=not_run)
            return
        measure(metrics.SYNCS, of=job.status)
        _add_failure(job.failure.type if job.failure else None)
        _add_records(counts)
        if job.finished_at and result.newest_at:
            age_s = (job.finished_at - result.newest_at).total_seconds()
            measure(metrics.DATA_AGE, age_s)
            if result.provider:
                measure(metrics.DATA_AGE_OF_PROVIDER, age_s, of=result.provider)
        if result.overdue_s is not None:
            measure(metrics.POLL_OVERDUE, result.overdue_s)
        if job.finished_at and job.order.trigger is Trigger.WEBHOOK and job.status is JobStatus.SUCCEEDED:
            processing_s = (job.finished_at - job.order.requested_at).total_seconds()
            measure(metrics.WEBHOOK_PROCESSING, processing_s)

    def crashed(self) -> None:
        """Count one order that an error of this service ended."""
        measure(metrics.SYNCS, of="crashed")
        _add_failure(INTERNAL)

    def mended(self, what: str, count: int) -> None:
        """Count and log what an earlier crash left behind."""
        measure(metrics.REPAIRS, count, of=what)
        log("repaired", level=logging.WARNING, what=what, count=count)


def _add_failure(error: str | None) -> None:
    measure(metrics.SYNC_FAILURE, 100 if error else 0)
    if error:
        measure(metrics.SYNC_ERRORS, of=error)


def _add_records(counts: Counts) -> None:
    measure(metrics.READINGS_STORED, counts.stored)
    measure(metrics.READINGS_REVISED, counts.revised)
    measure(metrics.READINGS_INVALID, counts.invalid_total)
    if counts.fetched:
        measure(metrics.READINGS_INVALID_PERCENT, 100 * counts.invalid_total / counts.fetched)
