"""Polls with nothing to explain share one item for six, and callers see them as before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from bg_ingest.providers.errors import Throttled
from bg_ingest.sync import quiet_polls
from bg_ingest.sync.job import Counts, Job, JobStatus, Order, Trigger
from bg_ingest.sync.job_history import JobHistory
from bg_ingest.sync.jobs import enqueue
from bg_ingest.sync.state import Lease
from tests.simulation.provider import DAY, HOUR
from tests.support.fakes import NOON
from tests.unit.sync.stage import SyncStage, seen_at_once
from tests.unit.sync.test_covered_polls import RecordingSource
from tests.unit.sync.test_sync_user import FailingProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.providers.seam import Fetched

CAUSE = "0196f3a1-2c5d-4e6f-8a9b-0c1d2e3f4a5b"


@pytest.fixture
def stage() -> SyncStage:
    """A user with a reading every five minutes."""
    return SyncStage(seen_at_once(NOON + number * timedelta(minutes=5) for number in range(-300, 300)))


def _poll(stage: SyncStage, **changes: object) -> Order:
    order = replace(stage.order(), correlation_id=CAUSE, **changes)  # type: ignore[arg-type]  # Each test names its own.
    stage.sync(order)
    stage.clock.advance(900)
    return order


def _items(stage: SyncStage, kind: str) -> list[str]:
    users = stage.stores.states.table
    return [item["sk"] for item in users.query("pk = :pk", {":pk": "ada"}) if item["sk"].startswith(kind)]


def _history(stage: SyncStage) -> JobHistory:
    return JobHistory(stage.stores.jobs, stage.stores.states)


def _pages(stage: SyncStage, size: int) -> Iterator[Job]:
    before = None
    while page := list(islice(_history(stage).newest_first("ada", before), size)):
        yield from page
        before = page[-1].order.job_id


def test_six_quiet_polls_make_one_item(stage: SyncStage) -> None:
    """Five are in the sync item; the sixth moves them all into an item named by the first."""
    polls = [_poll(stage) for _ in range(5)]
    assert (_items(stage, "job#"), _items(stage, "polls#")) == ([], [])

    polls += [_poll(stage) for _ in range(3)]

    state = stage.stores.states.get("ada")
    assert state
    assert _items(stage, "polls#") == [f"polls#{polls[0].job_id}"]
    assert [job.order.job_id for job in quiet_polls.polls_in(state.polls, "ada")] == [
        poll.job_id for poll in polls[6:]
    ]
    assert _items(stage, "job#") == []


def test_a_quiet_poll_is_read_as_a_stored_job_was(stage: SyncStage) -> None:
    """In the sync item, and later in an item of six."""
    order = replace(stage.order(), correlation_id=CAUSE)
    result = stage.sync(order)
    assert result.job
    assert result.job.window
    assert result.job.counts.stored > 200
    for _ in range(7):
        assert _history(stage).get("ada", order.job_id) == result.job
        stage.clock.advance(900)
        _poll(stage)
    assert _items(stage, "job#") == []


@pytest.mark.parametrize("size", [1, 4, 100])
def test_quiet_polls_are_listed_between_other_jobs(stage: SyncStage, size: int) -> None:
    """The newest first, each once, also page by page from any job on."""
    orders = []
    for number in range(20):
        if number % 7 == 3:
            order = stage.order(trigger=Trigger.API)
            enqueue(order, jobs=stage.stores.jobs, send=lambda _: None)
            orders.append(order)
            stage.clock.advance(60)
        orders.append(_poll(stage))

    found = [job.order.job_id for job in _pages(stage, size)]

    assert found == [order.job_id for order in reversed(orders)]
    assert len(_items(stage, "polls#")) == 3


@pytest.mark.parametrize(
    "changes",
    [{"is_retry": True}, {"deferrals": 1}, {"correlation_id": "id"}, {"correlation_id": CAUSE.upper()}],
)
def test_a_poll_with_something_to_explain_has_its_own_item(
    stage: SyncStage, changes: dict[str, object]
) -> None:
    """A retry, or a correlation id that is not sixteen bytes."""
    order = replace(stage.order(), **{"correlation_id": CAUSE, **changes})  # type: ignore[arg-type]  # As above.
    stage.sync(order)

    assert _items(stage, "job#") == [f"job#{order.job_id}"]


def test_a_poll_after_a_failed_one_has_its_own_item(stage: SyncStage) -> None:
    """The failed poll has one too, so that its failure is published."""
    failed = replace(stage.order(), correlation_id=CAUSE)
    stage.sync(failed, FailingProvider(Throttled()))
    stage.clock.advance(900)
    polls = [_poll(stage), _poll(stage)]

    assert _items(stage, "job#") == [f"job#{order.job_id}" for order in (failed, polls[0])]


def _job(**changes: object) -> Job:
    order = replace(SyncStage().order(), correlation_id=CAUSE)
    times = (NOON, NOON + timedelta(seconds=2), (NOON - HOUR, NOON))
    job = Job(order, JobStatus.SUCCEEDED, *times, Counts(3, 3))
    return replace(job, **changes)  # type: ignore[arg-type]  # As above.


@pytest.mark.parametrize(
    "changes",
    [
        {"status": JobStatus.DEFERRED},
        {"counts": Counts(invalid=(("value-missing", 1),))},
        {"counts": Counts(fetched=65_536)},
        {"window": None},
    ],
)
def test_a_record_holds_only_usual_counts_and_outcomes(changes: dict[str, object]) -> None:
    """Everything else needs the attributes of a job's own item."""
    state = SyncStage().stores.states.get("ada")
    assert state

    assert quiet_polls.is_quiet(_job(), state)
    assert not quiet_polls.is_quiet(_job(**changes), state)


def test_polls_of_a_further_source_have_items() -> None:
    """A record does not name its source."""
    state = SyncStage().stores.states.get("ada")
    assert state

    job = _job()
    assert not quiet_polls.is_quiet(replace(job, order=replace(job.order, source="relay")), state)


def test_a_crash_before_the_sixth_release_loses_no_record(stage: SyncStage) -> None:
    """The item of six is there and the sync item holds five of them: the next poll starts a new list."""
    polls = [_poll(stage) for _ in range(5)]
    state = stage.stores.states.get("ada")
    assert state
    crashed = replace(_job(), order=replace(stage.order(), correlation_id=CAUSE))
    assert stage.stores.jobs.save_polls("ada", quiet_polls.with_record(state.polls, crashed))
    stage.clock.advance(900)
    polls += [crashed.order, _poll(stage)]

    listed = [job.order.job_id for job in _history(stage).newest_first("ada")]

    assert listed == [order.job_id for order in reversed(polls)]
    assert _items(stage, "polls#") == [f"polls#{polls[0].job_id}"]


def test_a_poll_that_lost_its_lease_gets_an_item(stage: SyncStage) -> None:
    """Its readings are stored, so its counts must be."""

    def logs_in_again(fetched: Fetched) -> Fetched:
        stage.stores.states.start_polling("ada", None, NOON - DAY)
        return fetched

    order = replace(stage.order(), correlation_id=CAUSE)
    stage.sync(order, RecordingSource(stage.source(), logs_in_again))

    assert _items(stage, "job#") == [f"job#{order.job_id}"]
    job = _history(stage).get("ada", order.job_id)
    assert job
    assert job.counts.stored > 200


def test_a_poll_that_ran_twice_is_listed_once(stage: SyncStage) -> None:
    """The first record counts: the second run stored nothing."""
    order = _poll(stage)
    before = _history(stage).get("ada", order.job_id)
    lease = stage.stores.states.take(stage.order(trigger=Trigger.API))
    assert isinstance(lease, Lease)
    again = replace(_job(), order=order)

    assert quiet_polls.with_record(lease.state.polls, again) == lease.state.polls
    assert _history(stage).get("ada", order.job_id) == before


def test_records_expire_after_thirty_days(stage: SyncStage) -> None:
    """Also those in the sync item of a user who is not polled any more."""
    order = _poll(stage)
    stage.clock.advance((30 * DAY).total_seconds() - 901)
    assert _history(stage).get("ada", order.job_id)

    stage.clock.advance(2)

    assert _history(stage).get("ada", order.job_id) is None
    assert list(_history(stage).newest_first("ada")) == []
