from dataclasses import replace
from datetime import timedelta
from itertools import islice

import pytest

from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table
from bg_ingest.sync.job import Counts, Failure, Job, JobKind, JobStatus, Order, Trigger
from bg_ingest.sync.jobs import Jobs
from tests.support.fakes import NOON, FakeClock


@pytest.fixture
def jobs(users_table: Table, clock: FakeClock) -> Jobs:
    """The jobs, on DynamoDB."""
    return Jobs(users_table, clock)


def _job(clock: FakeClock, user_id: str = "ada", **changes: object) -> Job:
    order = Order(user_id, new_id(clock.now()), JobKind.INCREMENTAL, Trigger.API, "correlation")
    return Job(order, **{"status": JobStatus.SUCCEEDED, **changes})  # type: ignore[arg-type]  # Each test names its own.


def test_a_saved_job_is_read_back_unchanged(jobs: Jobs, clock: FakeClock) -> None:
    """Counts, failure, window and times are read back."""
    job = _job(
        clock,
        status=JobStatus.FAILED,
        started_at=NOON,
        finished_at=NOON + timedelta(seconds=3),
        counts=Counts(12, 7, 2, 3, (("value-missing", 2), ("time-missing", 1))),
        failure=Failure("Throttled", retryable=True, attempts=2),
    )
    jobs.save(job)

    kept = jobs.get("ada", job.order.job_id)

    assert kept is not None
    assert kept.counts.invalid == (("time-missing", 1), ("value-missing", 2))
    assert (kept.failure, kept.started_at, kept.finished_at) == (job.failure, job.started_at, job.finished_at)
    assert kept.order == job.order


def test_a_finished_job_is_never_changed(jobs: Jobs, clock: FakeClock) -> None:
    """A message that is delivered again cannot rewrite the outcome."""
    job = _job(clock, finished_at=NOON)
    jobs.save(job)

    assert not jobs.save(replace(job, status=JobStatus.DEFERRED, finished_at=NOON + timedelta(minutes=1)))
    assert jobs.get("ada", job.order.job_id) == job


def test_a_job_belongs_to_its_user(jobs: Jobs, clock: FakeClock) -> None:
    """A job cannot be read with another user's id."""
    job = _job(clock)
    jobs.save(job)

    assert jobs.get("bob", job.order.job_id) is None


def test_jobs_are_listed_newest_first_without_other_items(
    jobs: Jobs, users_table: Table, clock: FakeClock
) -> None:
    """Other items of the user are not listed as jobs."""
    for sk in ("connection", "sync", "jinx", "job", "joc"):
        users_table.put({"pk": "ada", "sk": sk})
    kept = []
    for _ in range(5):
        job = _job(clock)
        jobs.save(job)
        kept.append(job.order.job_id)
        clock.advance(1)
    jobs.save(_job(clock, "bob"))

    assert [job.order.job_id for job in jobs.newest_first("ada")] == kept[::-1]


def test_a_page_continues_after_the_previous_one(jobs: Jobs, clock: FakeClock) -> None:
    """A job that is added between two pages neither repeats nor hides a job."""
    for _ in range(5):
        jobs.save(_job(clock))
        clock.advance(1)
    first = [job.order.job_id for job in islice(jobs.newest_first("ada"), 2)]
    jobs.save(_job(clock))

    rest = [job.order.job_id for job in jobs.newest_first("ada", before=first[-1])]

    assert len(rest) == 3
    assert max(rest) < min(first)


def test_a_job_expires_after_thirty_days(jobs: Jobs, users_table: Table, clock: FakeClock) -> None:
    """The item has the time at which DynamoDB removes it."""
    job = _job(clock)
    jobs.save(job)
    item = users_table.get("ada", f"job#{job.order.job_id}")

    assert item is not None
    assert item["expires_at"] == (NOON + timedelta(days=30)).timestamp()


def test_an_order_is_unchanged_by_the_queue(clock: FakeClock) -> None:
    """The received order equals the sent one, including its window."""
    order = Order(
        "ada", new_id(clock.now()), JobKind.BACKFILL, Trigger.API, "id", (NOON, NOON + timedelta(days=1))
    )

    assert Order.from_message(order.as_message()) == order
