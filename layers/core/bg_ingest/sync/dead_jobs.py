"""
Jobs whose message is lost: each is sent again or becomes failed, so that no job says `deferred` for a month.

    what happened to the message                  found by                             the job
    an order failed at its last delivery          the worker, at once                  failed: internal
    sent never, or lost before the first try      the user's next reconciliation       sent again
     ... and again                                the reconciliation of the day after  failed: abandoned
    lost after a try                              the user's next reconciliation       failed: abandoned

The failed job is published as `bg.sync.failed`. If an operator puts the message back into the queue, then it
is carried out as a new job whose id follows the dead job's id.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.sync.job import ABANDONED, INTERNAL, Failure, Job, JobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from bg_ingest.clock import Clock
    from bg_ingest.sync.job import Order
    from bg_ingest.sync.jobs import Jobs

# SQS moves a message to the dead letters after so many deliveries; a test compares it with the template.
DELIVERIES_MAX = 5
# Longer than any delay of a message: SQS hides a message for at most twelve hours.
ABANDONED_AFTER = timedelta(hours=24)
# Each reconciliation looks at the jobs of two days, and at two more hours for one that came early.
_SWEPT = timedelta(hours=50)
# On the first of these days a job that was never tried is sent again.
_SENT_AGAIN_FOR = timedelta(hours=24)


def fail_undeliverable(order: Order, deliveries: int, jobs: Jobs, clock: Clock) -> None:
    """Record the end of a job whose message is about to become a dead letter."""
    order, stored = under_living_job(order, jobs)
    if stored and not stored.is_over:  # An erased user's order leaves no trace.
        _fail(stored, Failure(INTERNAL, retryable=True, attempts=deliveries), jobs, clock)


def mend_abandoned(
    user_id: str, jobs: Jobs, clock: Clock, send: Callable[[Iterable[Order]], None]
) -> tuple[int, int]:
    """Send a user's jobs that were never tried again, and end those that no message can continue any more."""
    until = clock.now() - ABANDONED_AFTER
    found = [
        job
        for job in jobs.ordered_between(user_id, until - _SWEPT, until)
        if not job.is_over and (job.finished_at or job.order.requested_at) < until
    ]
    untried = [
        job
        for job in found
        if job.status is JobStatus.QUEUED and job.order.requested_at >= until - _SENT_AGAIN_FOR
    ]
    send([job.order for job in untried])
    ended = [job for job in found if job not in untried]
    for job in ended:
        attempts = job.failure.attempts if job.failure else 1
        _fail(job, Failure(ABANDONED, retryable=True, attempts=attempts), jobs, clock)
    return len(untried), len(ended)


def under_living_job(order: Order, jobs: Jobs) -> tuple[Order, Job | None]:
    """The order under the job that it is carried out as, and that job if it is stored."""
    stored = jobs.get(order.user_id, order.job_id)
    while stored and stored.failure and stored.is_over and stored.failure.type in {INTERNAL, ABANDONED}:
        order = replace(order, job_id=_next_id(order.job_id))
        successor = jobs.get(order.user_id, order.job_id)
        if successor is None:
            successor = Job(order, JobStatus.QUEUED, window=order.window)
            jobs.save(successor)
        stored = successor
    return order, stored


def _fail(job: Job, failure: Failure, jobs: Jobs, clock: Clock) -> None:
    finished_at: datetime = clock.now()
    jobs.save(replace(job, status=JobStatus.FAILED, finished_at=finished_at, failure=failure))


def _next_id(job_id: str) -> str:
    return f"{int(job_id, 16) + 1:0{len(job_id)}x}"
