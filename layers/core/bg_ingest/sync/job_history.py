"""
A user's jobs as they are now: the stored ones, and the one that is running.

A job is stored when it is queued and when one of its runs ends. Quiet polls are stored as records, at first
in the sync item (quiet_polls). Only the lease, which names the job, shows that it is running: storing that as
well would cost every sync one more write. A poll without the lease takes a second or two and is listed then.

    the lease names a job that is ...                     shown as
    not stored: a poll, or a sync by the API              running
    stored as queued or deferred                          running
    stored as ended, by this run or an earlier one        as stored; its holder is about to free the lease
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from bg_ingest.sync.job import JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bg_ingest.sync.job import Job
    from bg_ingest.sync.jobs import Jobs
    from bg_ingest.sync.state import SyncState, SyncStates


@dataclass(frozen=True, slots=True)
class JobHistory:
    """The jobs that the API lists."""

    jobs: Jobs
    states: SyncStates

    def get(self, user_id: str, job_id: str) -> Job | None:
        """One job of this user; None if it is unknown or expired."""
        # The sync item is read first: a job that ends between the reads is stored by a later one.
        states = self.states.of_user(user_id)
        running = {job.order.job_id: job for job in _running(states)}
        stored = self.jobs.get(user_id, job_id)
        if stored is None:
            recent = (poll for state in states for poll in self.jobs.quiet_polls_of(state))
            stored = next((poll for poll in recent if poll.order.job_id == job_id), None)
        if stored is None:
            stored = self.jobs.quiet_poll(user_id, job_id)
        return _as_it_is(stored, running[job_id]) if job_id in running else stored

    def newest_first(self, user_id: str, before: str | None = None) -> Iterator[Job]:
        """A user's jobs from the newest back, or from the one before the job `before`."""
        # One at most for each source. Those from `before` on are on an earlier page.
        states = self.states.of_user(user_id)
        running = [job for job in _running(states) if not before or job.order.job_id < before]
        for stored in self._stored(user_id, states, before):
            while running and running[0].order.job_id > stored.order.job_id:
                yield running.pop(0)
            same = running and running[0].order.job_id == stored.order.job_id
            yield _as_it_is(stored, running.pop(0)) if same else stored
        yield from running

    def _stored(self, user_id: str, states: Iterable[SyncState], before: str | None) -> Iterator[Job]:
        """The stored jobs from three places, each once, the newest first."""
        found = heapq.merge(
            self.jobs.newest_first(user_id, before),
            *(self.jobs.quiet_polls_of(state, before) for state in states),
            self.jobs.quiet_polls_newest_first(user_id, before),
            key=_id,
            reverse=True,
        )
        return (next(same) for _, same in groupby(found, _id))


def _running(states: Iterable[SyncState]) -> list[Job]:
    """The running jobs, the newest first."""
    return sorted((state.running for state in states if state.running), key=_id, reverse=True)


def _id(job: Job) -> str:
    return job.order.job_id


def _as_it_is(stored: Job | None, running: Job) -> Job:
    if stored is None:
        return running
    # A run's stored end has the start time of its lease, so equal start times mean that this run has ended.
    if stored.is_over or stored.started_at == running.started_at:
        return stored
    return replace(
        stored, status=JobStatus.RUNNING, started_at=running.started_at, finished_at=None, failure=None
    )
