"""
A user's jobs as they are now: the stored ones, and the one that is running.

A job is stored when it is queued and when one of its runs ends. Only the lease, which names the job, shows
that it is running: storing that as well would cost every sync one more write.

    the lease names a job that is ...                     shown as
    not stored: a poll, or a sync by the API              running
    stored as queued or deferred                          running
    stored as ended, by this run or an earlier one        as stored; its holder is about to release the lease
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bg_ingest.sync.job import JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.sync.job import Job
    from bg_ingest.sync.jobs import Jobs
    from bg_ingest.sync.state import SyncStates


@dataclass(frozen=True, slots=True)
class JobHistory:
    """The jobs that the API lists."""

    jobs: Jobs
    states: SyncStates

    def get(self, user_id: str, job_id: str) -> Job | None:
        """One job of this user; None if it is unknown or expired."""
        # The lease is read first: a job that ends between the two reads is stored by the second.
        running = self._running(user_id)
        stored = self.jobs.get(user_id, job_id)
        if running is None or running.order.job_id != job_id:
            return stored
        return _as_it_is(stored, running)

    def newest_first(self, user_id: str, before: str | None = None) -> Iterator[Job]:
        """A user's jobs from the newest back, or from the one before the job `before`."""
        running = self._running(user_id)
        if running and before and running.order.job_id >= before:
            running = None  # It is on an earlier page.
        for stored in self.jobs.newest_first(user_id, before):
            if running and running.order.job_id >= stored.order.job_id:
                same = running.order.job_id == stored.order.job_id
                yield _as_it_is(stored if same else None, running)
                running = None
                if same:
                    continue
            yield stored
        if running:
            yield running

    def _running(self, user_id: str) -> Job | None:
        state = self.states.get(user_id)
        return state.running if state else None


def _as_it_is(stored: Job | None, running: Job) -> Job:
    if stored is None:
        return running
    # A run's stored end has the start time of its lease, so equal start times mean that this run has ended.
    if stored.is_over or stored.started_at == running.started_at:
        return stored
    return replace(
        stored, status=JobStatus.RUNNING, started_at=running.started_at, finished_at=None, failure=None
    )
