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
from tests.unit.sync.stage import Stage, seen_at_once
from tests.unit.sync.test_sync_user import Failing

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bg_ingest.providers.seam import Fetched
    from bg_ingest.sync.job import Order


@dataclass
class Onlooker:
    """A provider during whose every answer somebody looks at the jobs."""

    stage: Stage
    look: Callable[[], object]
    seen: list[object] = field(default_factory=list)

    def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
        """What there is."""
        self.seen.append(self.look())
        return self.stage.provider.readings(user_id, start, end)

    def uploaded_since(self, *_: object) -> None:
        """Nothing."""


def _trail(stage: Stage) -> JobHistory:
    return JobHistory(stage.stores.jobs, stage.stores.states)


def _status(trail: JobHistory, order: Order) -> JobStatus | None:
    job = trail.get(order.user_id, order.job_id)
    return job.status if job else None


def _queued(stage: Stage, kind: JobKind = JobKind.INCREMENTAL) -> Order:
    order = stage.order(kind, Trigger.API)
    enqueue(order, jobs=stage.stores.jobs, send=lambda _: None)
    return order


@pytest.mark.parametrize("kind", list(JobKind))
def test_a_queued_job_runs_while_its_lease_is_held(kind: JobKind) -> None:
    """Queued before, running at every call to the provider, and over afterwards."""
    stage = Stage(seen_at_once([NOON - HOUR, NOON - 10 * DAY]))
    order, trail = _queued(stage, kind), _trail(stage)
    assert _status(trail, order) is JobStatus.QUEUED

    onlooker = Onlooker(
        stage, lambda: (_status(trail, order), [job.status for job in trail.newest_first("ada")])
    )
    stage.sync(order, onlooker)

    assert onlooker.seen
    assert set(map(repr, onlooker.seen)) == {repr((JobStatus.RUNNING, [JobStatus.RUNNING]))}
    assert _status(trail, order) is JobStatus.SUCCEEDED


def test_a_poll_can_be_followed_before_anything_is_kept_of_it() -> None:
    """What `running_job` names has an address; it appears among the others in its place, and once."""
    stage = Stage(seen_at_once([NOON - HOUR]))
    older = _queued(stage)
    stage.clock.advance(60)
    poll = stage.order()
    stage.clock.advance(60)
    newer, trail = _queued(stage), _trail(stage)

    def listed(before: str | None = None) -> list[tuple[str, JobStatus]]:
        return [(job.order.job_id, job.status) for job in trail.newest_first("ada", before)]

    onlooker = Onlooker(
        stage, lambda: (listed(), listed(newer.job_id), listed(poll.job_id), _status(trail, poll))
    )
    stage.sync(poll, onlooker)

    running, rest = (poll.job_id, JobStatus.RUNNING), [(older.job_id, JobStatus.QUEUED)]
    first = (newer.job_id, JobStatus.QUEUED)
    assert onlooker.seen == [([first, running, *rest], [running, *rest], rest, JobStatus.RUNNING)]


def test_a_running_poll_older_than_every_job_is_listed_last() -> None:
    """However the others came to be newer."""
    stage = Stage()
    poll = stage.order()
    stage.clock.advance(60)
    newer, trail = _queued(stage), _trail(stage)
    onlooker = Onlooker(stage, lambda: [job.order.job_id for job in trail.newest_first("ada")])
    stage.sync(poll, onlooker)

    assert onlooker.seen == [[newer.job_id, poll.job_id]]


def test_a_job_that_was_put_off_runs_again() -> None:
    """Deferred between two stretches; during the second it runs, with what the first has counted."""
    stage = Stage(seen_at_once([NOON - HOUR]))
    order, trail = _queued(stage), _trail(stage)
    stage.sync(order, Failing(Throttled()))
    assert _status(trail, order) is JobStatus.DEFERRED

    stage.clock.advance(60)
    onlooker = Onlooker(stage, lambda: trail.get("ada", order.job_id))
    stage.sync(replace(order, deferrals=1), onlooker)

    (seen,) = onlooker.seen
    assert isinstance(seen, Job)
    assert (seen.status, seen.failure, seen.started_at) == (JobStatus.RUNNING, None, NOON + 60 * HOUR / 3600)


def test_a_job_whose_end_is_kept_runs_no_more() -> None:
    """Between the job's last write and the lease's the outcome is what counts, also when it was put off."""
    stage = Stage()
    order, trail = _queued(stage), _trail(stage)
    taken = stage.stores.states.take(order)
    assert _status(trail, order) is JobStatus.RUNNING

    for outcome in (JobStatus.DEFERRED, JobStatus.SUCCEEDED):
        stage.stores.jobs.save(Job(order, outcome, taken.state.last_attempt_at, stage.clock.now()))  # type: ignore[union-attr]  # It was free.
        assert _status(trail, order) is outcome


def test_a_doubled_message_does_not_bring_a_job_back() -> None:
    """What is over stays over, though somebody has just taken the lease for it once more."""
    stage = Stage()
    order, trail = _queued(stage), _trail(stage)
    stage.sync(order)
    stage.clock.advance(60)
    stage.stores.states.take(order)

    assert _status(trail, order) is JobStatus.SUCCEEDED


def test_a_dead_holders_job_is_not_said_to_run() -> None:
    """Once the lease is over the job is what it was before: it waits for its message to come back."""
    stage = Stage()
    order, trail = _queued(stage), _trail(stage)
    stage.stores.states.take(order)
    stage.clock.advance(3_600)

    assert _status(trail, order) is JobStatus.QUEUED


def test_somebody_elses_running_job_is_nobodys() -> None:
    """Neither by its id nor in the list."""
    stage = Stage()
    order, trail = stage.order(), _trail(stage)
    stage.stores.states.take(order)

    assert (trail.get("bob", order.job_id), list(trail.newest_first("bob"))) == (None, [])


def test_looking_writes_nothing() -> None:
    """Not even while a job runs."""
    stage = Stage(seen_at_once([NOON - HOUR]))
    order, trail = _queued(stage), _trail(stage)
    stage.stores.states.take(order)
    before = stage.memory.writes
    _status(trail, order)
    list(trail.newest_first("ada"))

    assert stage.memory.writes == before
