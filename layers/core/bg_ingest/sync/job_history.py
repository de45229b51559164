"""
A user's jobs as they stand at this moment: those that are kept, and the one that is running.

A job is written down when it is asked for and when a stretch of it ends. That it runs is known from the lease
alone, which names it: saying so in the job as well would cost every sync a write more.

    the lease names a job ...                               shown as
    of which nothing is kept: a poll, a sync by the API     running
    that is queued, or put off since an earlier stretch     running
    that is over, or whose end this lease has written       as it is kept: its holder is about to let go
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
    """What whoever asked for a sync can follow it by."""

    jobs: Jobs
    states: SyncStates

    def get(self, user_id: str, job_id: str) -> Job | None:
        """One job, if it is this user's and still remembered."""
        # The lease first: a job that ends in between has been kept by the time it is looked for.
        running = self._running(user_id)
        kept = self.jobs.get(user_id, job_id)
        if running is None or running.order.job_id != job_id:
            return kept
        return _as_it_stands(kept, running)

    def newest_first(self, user_id: str, before: str | None = None) -> Iterator[Job]:
        """A user's jobs from the newest back, or from the one before `before`."""
        running = self._running(user_id)
        if running and before and running.order.job_id >= before:
            running = None  # It is on an earlier page.
        for kept in self.jobs.newest_first(user_id, before):
            if running and running.order.job_id >= kept.order.job_id:
                same = running.order.job_id == kept.order.job_id
                yield _as_it_stands(kept if same else None, running)
                running = None
                if same:
                    continue
            yield kept
        if running:
            yield running

    def _running(self, user_id: str) -> Job | None:
        state = self.states.get(user_id)
        return state.running if state else None


def _as_it_stands(kept: Job | None, running: Job) -> Job:
    if kept is None:
        return running
    # Every end that is kept says when its stretch began, which is when the lease was taken.
    if kept.is_over or kept.started_at == running.started_at:
        return kept
    return replace(
        kept, status=JobStatus.RUNNING, started_at=running.started_at, finished_at=None, failure=None
    )
