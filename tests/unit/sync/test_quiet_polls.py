"""Polls with nothing to explain share one item for a dozen, and callers see them as before."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.clock import new_id
from bg_ingest.dynamo import Table, from_attributes
from bg_ingest.providers.errors import Throttled
from bg_ingest.providers.seam import Fetched
from bg_ingest.readings.model import Reading
from bg_ingest.readings.store import ReadingStore
from bg_ingest.sync import quiet_polls
from bg_ingest.sync.completeness_store import CompletenessStore
from bg_ingest.sync.job import Counts, Job, JobKind, JobStatus, Order, Trigger
from bg_ingest.sync.job_history import JobHistory
from bg_ingest.sync.jobs import Jobs, enqueue
from bg_ingest.sync.quiet_polls import WRITE_UNIT_BYTES, item_bytes
from bg_ingest.sync.run import Stores
from bg_ingest.sync.state import SyncStates, Turn
from bg_ingest.sync.sync_user import sync_user
from bg_ingest.sync.windows import GAPS_MAX
from tests.simulation.provider import DAY, HOUR
from tests.support.fakes import NOON, FakeClock
from tests.support.memory_dynamo import MemoryDynamo
from tests.support.turns import under_lease
from tests.unit.sync.stage import SyncStage, seen_at_once
from tests.unit.sync.test_covered_polls import RecordingSource
from tests.unit.sync.test_sync_user import FailingProvider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

CAUSE = "0196f3a1-2c5d-4e6f-8a9b-0c1d2e3f4a5b"
# Of a usual user. An item of its own for every tenth poll would cost more than six calls a poll.
MOVED_MIN = 12


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


def test_a_full_sync_item_moves_its_records(stage: SyncStage) -> None:
    """The first polls are in the sync item; then one item has them all, named by the first."""
    polls = [_poll(stage)]
    while not _items(stage, "polls#"):
        polls.append(_poll(stage))
    assert _kept(stage) == []
    later = [_poll(stage) for _ in range(3)]

    assert len(polls) >= MOVED_MIN
    assert _items(stage, "polls#") == [f"polls#{polls[0].job_id}"]
    assert _kept(stage) == [poll.job_id for poll in later]
    assert _items(stage, "job#") == []


def _kept(stage: SyncStage) -> list[str]:
    state = stage.stores.states.get("ada")
    assert state
    return [job.order.job_id for job in quiet_polls.polls_in(state.polls, "ada")]


def test_a_quiet_poll_is_read_as_a_stored_job_was(stage: SyncStage) -> None:
    """In the sync item, and later in an item of records."""
    order = replace(stage.order(), correlation_id=CAUSE)
    result = stage.sync(order)
    assert result.job
    assert result.job.window
    assert result.job.counts.stored > 200
    for _ in range(20):
        assert _history(stage).get("ada", order.job_id) == result.job
        stage.clock.advance(900)
        _poll(stage)
    assert _items(stage, "job#") == []


@pytest.mark.parametrize("size", [1, 4, 100])
def test_quiet_polls_are_listed_between_other_jobs(stage: SyncStage, size: int) -> None:
    """The newest first, each once, also page by page from any job on."""
    orders = []
    for number in range(45):
        if number % 7 == 3:
            order = stage.order(trigger=Trigger.API)
            enqueue(order, jobs=stage.stores.jobs, send=lambda _: None)
            orders.append(order)
            stage.clock.advance(60)
        orders.append(_poll(stage))

    found = [job.order.job_id for job in _pages(stage, size)]

    assert found == [order.job_id for order in reversed(orders)]
    assert len(_items(stage, "polls#")) >= 2


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
        {"counts": Counts(fetched=1 << 21)},
        {"finished_at": NOON - timedelta(seconds=1)},
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


@pytest.mark.parametrize("between", [0, 2])
def test_a_crash_before_a_release_loses_no_record(stage: SyncStage, between: int) -> None:
    """The item of records is there, and the sync item holds all but the last of them."""
    polls = [_poll(stage) for _ in range(5)]
    state = stage.stores.states.get("ada")
    assert state
    now = stage.clock.now()
    crashed = replace(
        _job(),
        order=replace(stage.order(), correlation_id=CAUSE),
        started_at=now,
        finished_at=now,
        window=(now - HOUR, now),
    )
    assert stage.stores.jobs.save_polls("ada", quiet_polls.with_record(state.polls, crashed)) == b""
    stage.clock.advance(900)
    polls.append(crashed.order)
    # The next poll moves its records; or polls with fewer gaps come before it, whose records fit.
    polls += [_poll(stage) for _ in range(between)]
    fill = "x" * 600
    stage.stores.states.table.update("ada", "sync", "SET fill = :fill", {":fill": fill})
    polls.append(_poll(stage))

    listed = [job.order.job_id for job in _history(stage).newest_first("ada")]

    assert listed == [order.job_id for order in reversed(polls)]
    assert _items(stage, "polls#") == [f"polls#{polls[0].job_id}"]
    assert _kept(stage) == [order.job_id for order in polls[6:]]


def test_records_of_the_first_form_are_read_and_replaced(stage: SyncStage) -> None:
    """Those that an earlier release has left in the sync item, and in an item of six."""
    polls = [_poll(stage) for _ in range(8)]
    jobs = list(_history(stage).newest_first("ada"))[::-1]
    users = stage.stores.states.table
    item = {"pk": "ada", "sk": f"polls#{polls[0].job_id}", "expires_at": 2_000_000_000}
    users.put(item | {"polls": b"".join(map(_first_form, jobs[:6]))})
    in_the_item = b"".join(map(_first_form, jobs[6:]))
    users.update("ada", "sync", "SET polls = :polls REMOVE quiet", {":polls": in_the_item})

    assert list(_history(stage).newest_first("ada")) == jobs[::-1]
    for job in jobs:
        assert _history(stage).get("ada", job.order.job_id) == job

    polls.append(_poll(stage))
    assert _kept(stage) == [order.job_id for order in polls[6:]]
    stored = users.get("ada", "sync")
    assert stored
    assert "polls" not in stored
    assert [job.order for job in _history(stage).newest_first("ada")][1:] == [job.order for job in jobs[::-1]]


def test_records_of_both_forms_are_read_together(stage: SyncStage) -> None:
    """While a deployment replaces the version before, that one adds records of the first form."""
    polls = [_poll(stage) for _ in range(3)]
    jobs = list(_history(stage).newest_first("ada"))[::-1]
    kept = quiet_polls.with_record(b"", jobs[0])
    item = {"quiet": kept, "polls": b"".join(map(_first_form, jobs[1:]))}

    records = quiet_polls.records_of(item)

    assert [job.order for job in quiet_polls.polls_in(records, "ada")] == polls


@pytest.mark.parametrize("source", ["", "relay"])
@pytest.mark.parametrize(("cause", "form"), [(CAUSE, bytes), (CAUSE.upper(), dict), ("id", dict)])
def test_a_running_poll_is_stored_as_its_ids(cause: str, form: type, source: str) -> None:
    """If its correlation id is a UUID; the job is shown as it runs."""
    stage = SyncStage()
    states = stage.stores.states
    states.start_polling("ada", 900, NOON, source)
    order = replace(stage.order(), correlation_id=cause, source=source)

    assert isinstance(states.take(order), Turn)

    item = states.table.get("ada", f"sync#{source}" if source else "sync")
    state = states.get("ada", source)
    assert item
    assert state
    assert isinstance(item["running"], form)
    assert state.running == Job(order, JobStatus.RUNNING, started_at=stage.clock.now())


def _first_form(job: Job) -> bytes:
    """A record as the first release with quiet polls wrote it."""
    assert job.started_at
    assert job.finished_at
    assert job.window
    times = (int(at.timestamp()) for at in (job.started_at, job.finished_at, *job.window))
    counts = (job.counts.fetched, job.counts.stored, job.counts.revised, job.counts.duplicates)
    cause = UUID(job.order.correlation_id).bytes
    return struct.pack(">14sIIII4H16s", bytes.fromhex(job.order.job_id), *times, *counts, cause)


@given(
    waited_s=st.integers(0, 90_000),
    took_s=st.integers(0, 400),
    before_s=st.integers(0, 90_000),
    after_s=st.integers(0, 700),
    counts=st.tuples(*4 * [st.integers(0, (1 << 21) - 1)]),
    records=st.integers(0, 3),
)
def test_a_record_is_read_as_it_was_written(
    waited_s: int, took_s: int, before_s: int, after_s: int, counts: tuple[int, ...], records: int
) -> None:
    """In whole seconds, also behind others."""
    job = _job()
    ordered_at = job.order.requested_at.replace(microsecond=0)
    started = ordered_at + timedelta(seconds=waited_s)
    window = (started - timedelta(seconds=before_s), started + timedelta(seconds=after_s))
    job = replace(
        job,
        started_at=started,
        finished_at=started + timedelta(seconds=took_s),
        window=window,
        counts=Counts(counts[0], counts[1], counts[2], counts[3]),
    )
    before = b""
    for _ in range(records):
        before = quiet_polls.with_record(before, _job())

    after = quiet_polls.with_record(before, job)

    assert after.startswith(before)
    assert list(quiet_polls.polls_in(after, "ada"))[-1] == job
    assert quiet_polls.count_in(after) == quiet_polls.count_in(before) + 1


class Images(MemoryDynamo):
    """DynamoDB in memory that remembers the sizes of the sync item."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def _write(self, table: str, *arguments: Any) -> Any:
        images = super()._write(table, *arguments)
        items = [from_attributes(image) for image in images if image]
        self.sizes += [item_bytes(item) for item in items if item["sk"] == "sync"]
        return images


@dataclass
class Holed:
    """A source with a reading every half an hour, so that each poll finds more gaps than are kept."""

    clock: FakeClock

    def readings(self, _: str, start: datetime, end: datetime) -> Fetched:
        """The readings by now."""
        instants = (start.replace(minute=0, second=0) + number * HOUR / 2 for number in range(60))
        return Fetched(tuple(Reading(at, 100) for at in instants if start <= at < min(end, self.clock.now())))

    def uploaded_since(self, *_: object) -> None:
        """None: these polls reconcile nothing."""


@pytest.mark.parametrize("length", [1, 36, 128])
def test_the_sync_item_stays_below_a_kilobyte(length: int) -> None:
    """At its largest: a poll with the lease, the most gaps, all times with fractions, the longest user id."""
    memory, clock = Images(), FakeClock(NOON + timedelta(microseconds=123_456))
    users = Table(cast("Any", memory), "users")
    stores = Stores(
        SyncStates(users, clock),
        Jobs(users, clock),
        ReadingStore(Table(cast("Any", memory), "readings"), clock, 730),
        CompletenessStore(users, clock),
        lambda *_: 0,
    )
    user_id = "u" * length
    stores.states.start_polling(user_id, 86_340, NOON - 89 * DAY)
    users.update(user_id, "sync", "SET reconciled_at = :at", {":at": clock.now().isoformat()})
    for number in range(80):
        clock.advance(900)
        order = Order(user_id, new_id(clock.now()), JobKind.INCREMENTAL, Trigger.SCHEDULE, CAUSE)
        # The polls without the lease leave room for the next one with it.
        leased = number < 40 or number % 2
        sync_user(
            order,
            stores=stores,
            source=under_lease(lambda *_: Holed(clock)) if leased else lambda *_: Holed(clock),
            clock=clock,
            time_left_s=lambda: 110.0,
        )

    assert max(memory.sizes) <= WRITE_UNIT_BYTES
    assert max(memory.sizes) > WRITE_UNIT_BYTES - 64  # The room is used.
    state = stores.states.get(user_id)
    assert state
    assert state.covered
    assert len(state.covered.gaps) == GAPS_MAX


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
    assert isinstance(lease, Turn)
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
