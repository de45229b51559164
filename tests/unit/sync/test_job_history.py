from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.errors import Throttled
from bg_ingest.sync.job import Job, JobKind, JobStatus, Trigger
from bg_ingest.sync.job_history import JobHistory
from bg_ingest.sync.jobs import enqueue
from tests.simulation.provider import DAY, HOUR
from tests.support.fakes import NOON
from tests.unit.sync.stage import SyncStage, seen_at_once
from tests.unit.sync.test_sync_user import FailingProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.providers.seam import Fetched
    from bg_ingest.sync.job import Order


@dataclass
class ObservedProvider:
    """A provider that reads the jobs during each of its answers."""

    stage: SyncStage
    look: Callable[[], object]
    seen: list[object] = field(default_factory=list)

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """The readings of the range."""
        self.seen.append(self.look())
        return self.stage.provider.readings(user_id, start, end)

    def uploaded_since(self, *_: object) -> None:
        """No uploads."""


def _history(stage: SyncStage) -> JobHistory:
    return JobHistory(stage.stores.jobs, stage.stores.states)


def _status(history: JobHistory, order: Order) -> JobStatus | None:
    job = history.get(order.user_id, order.job_id)
    return job.status if job else None


def _queued(stage: SyncStage, kind: JobKind = JobKind.INCREMENTAL) -> Order:
    order = stage.order(kind, Trigger.API)
    enqueue(order, jobs=stage.stores.jobs, send=lambda _: None)
    return order


@pytest.mark.parametrize("kind", list(JobKind))
def test_a_queued_job_is_running_while_its_lease_is_held(kind: JobKind) -> None:
    """The job is queued before the sync, running at each call to the provider, and finished afterwards."""
    stage = SyncStage(seen_at_once([NOON - HOUR, NOON - 10 * DAY]))
    order, history = _queued(stage, kind), _history(stage)
    assert _status(history, order) is JobStatus.QUEUED

    observed = ObservedProvider(
        stage, lambda: (_status(history, order), [job.status for job in history.newest_first("ada")])
    )
    stage.sync(order, observed)

    assert observed.seen
    assert set(map(repr, observed.seen)) == {repr((JobStatus.RUNNING, [JobStatus.RUNNING]))}
    assert _status(history, order) is JobStatus.SUCCEEDED


def test_a_running_poll_is_listed_before_it_is_stored() -> None:
    """A poll that holds the lease can be read by its id, and is listed once and in order."""
    stage = SyncStage(seen_at_once([NOON - HOUR]))
    older = _queued(stage)
    stage.clock.advance(60)
    poll = stage.order()
    stage.clock.advance(60)
    newer, history = _queued(stage), _history(stage)

    def listed(before: str | None = None) -> list[tuple[str, JobStatus]]:
        return [(job.order.job_id, job.status) for job in history.newest_first("ada", before)]

    observed = ObservedProvider(
        stage, lambda: (listed(), listed(newer.job_id), listed(poll.job_id), _status(history, poll))
    )
    stage.sync(poll, observed, leased=True)

    running, rest = (poll.job_id, JobStatus.RUNNING), [(older.job_id, JobStatus.QUEUED)]
    first = (newer.job_id, JobStatus.QUEUED)
    assert observed.seen == [([first, running, *rest], [running, *rest], rest, JobStatus.RUNNING)]


def test_a_running_poll_older_than_all_jobs_is_listed_last() -> None:
    """The order of the list is that of the ids."""
    stage = SyncStage()
    poll = stage.order()
    stage.clock.advance(60)
    newer, history = _queued(stage), _history(stage)
    observed = ObservedProvider(stage, lambda: [job.order.job_id for job in history.newest_first("ada")])
    stage.sync(poll, observed, leased=True)

    assert observed.seen == [[newer.job_id, poll.job_id]]


def test_a_deferred_job_is_running_again_when_retried() -> None:
    """The job is deferred between two runs, and running during the second one."""
    stage = SyncStage(seen_at_once([NOON - HOUR]))
    order, history = _queued(stage), _history(stage)
    stage.sync(order, FailingProvider(Throttled()))
    assert _status(history, order) is JobStatus.DEFERRED

    stage.clock.advance(60)
    observed = ObservedProvider(stage, lambda: history.get("ada", order.job_id))
    stage.sync(replace(order, deferrals=1), observed)

    (seen,) = observed.seen
    assert isinstance(seen, Job)
    assert (seen.status, seen.failure, seen.started_at) == (JobStatus.RUNNING, None, NOON + 60 * HOUR / 3600)


def test_a_finished_job_is_not_running_with_its_lease_held() -> None:
    """After the job's last write and before the lease's release, the job has its stored outcome."""
    stage = SyncStage()
    order, history = _queued(stage), _history(stage)
    taken = stage.stores.states.take(order)
    assert _status(history, order) is JobStatus.RUNNING

    for outcome in (JobStatus.DEFERRED, JobStatus.SUCCEEDED):
        stage.stores.jobs.save(Job(order, outcome, taken.state.last_attempt_at, stage.clock.now()))  # type: ignore[union-attr]  # It was free.
        assert _status(history, order) is outcome


def test_a_repeated_message_does_not_restart_a_job() -> None:
    """A finished job stays finished, even if it gets a lease again."""
    stage = SyncStage()
    order, history = _queued(stage), _history(stage)
    stage.sync(order)
    stage.clock.advance(60)
    stage.stores.states.take(order)

    assert _status(history, order) is JobStatus.SUCCEEDED


def test_a_job_whose_lease_expired_is_queued() -> None:
    """After a crash the job is not running, and waits for its message to be delivered again."""
    stage = SyncStage()
    order, history = _queued(stage), _history(stage)
    stage.stores.states.take(order)
    stage.clock.advance(3_600)

    assert _status(history, order) is JobStatus.QUEUED


def test_a_running_job_is_hidden_from_other_users() -> None:
    """Another user finds the running job neither by its id nor in the list."""
    stage = SyncStage()
    order, history = stage.order(), _history(stage)
    stage.stores.states.take(order)

    assert (history.get("bob", order.job_id), list(history.newest_first("bob"))) == (None, [])


def test_reading_the_jobs_writes_nothing() -> None:
    """No item is written, even while a job runs."""
    stage = SyncStage(seen_at_once([NOON - HOUR]))
    order, history = _queued(stage), _history(stage)
    stage.stores.states.take(order)
    before = stage.memory.writes
    _status(history, order)
    list(history.newest_first("ada"))

    assert stage.memory.writes == before
