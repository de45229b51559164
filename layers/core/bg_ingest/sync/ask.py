"""Asking for a sync that somebody else carries out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bg_ingest.sync.job import Job, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bg_ingest.sync.job import Order
    from bg_ingest.sync.jobs import Jobs


def ask_for_sync(order: Order, *, jobs: Jobs, send: Callable[[Iterable[Order]], None]) -> Job:
    """Remember the job first, so that its address answers at once; then queue its order."""
    job = Job(order, Status.QUEUED, window=order.window)
    jobs.keep(job)
    send([order])
    return job
