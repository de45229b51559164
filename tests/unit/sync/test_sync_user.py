from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Semaphore
from typing import TYPE_CHECKING, Any

import pytest

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.accounts.vault import NotConnected
from bg_ingest.providers.errors import (
    CircuitOpen,
    ContractBroken,
    Crowded,
    OutOfTime,
    ProviderError,
    Throttled,
    Unavailable,
)
from bg_ingest.providers.seam import Fetched, Rejected
from bg_ingest.readings.model import Reading
from bg_ingest.sync.connected_provider import AccountChanged
from bg_ingest.sync.dispatching import poll_slots
from bg_ingest.sync.job import Failure, JobKind, JobStatus, Trigger
from bg_ingest.sync.jobs import enqueue
from bg_ingest.sync.state import LEASE_TTL
from bg_ingest.sync.windows import BACKFILL_WINDOW
from tests.simulation.provider import DAY, HOUR, MINUTE
from tests.support.fakes import NOON
from tests.support.waiting import WAIT_S_MAX
from tests.unit.sync.stage import SyncStage, seen_at_once

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.sync.state import SyncState, SyncStates

_LAST_DAYS = [NOON - 2 * DAY + number * 5 * MINUTE for number in range(3 * 288)]
BOOKKEEPING_WRITES_MAX = 2


class FailingProvider:
    """A provider whose every call fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def readings(self, *_: Any) -> Fetched:
        """Fail."""
        raise self._error

    def uploaded_since(self, *_: Any) -> None:
        """Fail."""
        raise self._error


def _state(stage: SyncStage) -> SyncState:
    state = stage.stores.states.get("ada")
    assert state is not None
    return state


def test_a_poll_costs_one_call_and_two_writes() -> None:
    """A poll writes its job and its outcome, and each hour that changed."""
    stage = SyncStage(seen_at_once(_LAST_DAYS))
    stage.sync()
    for stored in (0, 1):
        stage.clock.advance(300 * stored)
        calls, writes = stage.calls, stage.memory.writes
        report = stage.sync()
        assert report.job is not None
        assert report.job.counts.stored == stored
        # The window begins at the oldest gap and not a day ago.
        assert report.job.window is not None
        assert report.job.window[0] > stage.clock.now() - 4 * HOUR
        # The simulated provider counts two steps per call: the request and the response.
        assert (stage.calls - calls) / 2 == 1
        assert stage.memory.writes - writes == BOOKKEEPING_WRITES_MAX + stored


def test_only_one_of_fifty_concurrent_syncs_runs() -> None:
    """The provider is called by one sync, and the others return its job."""
    stage = SyncStage(seen_at_once(_LAST_DAYS))
    others_answered = Semaphore(0)

    class WaitingProvider:
        calls = 0

        def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
            self.calls += 1
            for _ in range(49):
                assert others_answered.acquire(timeout=WAIT_S_MAX)
            return stage.provider.readings(user_id, start, end)

        def uploaded_since(self, *_: Any) -> None:
            raise AssertionError

    provider = WaitingProvider()
    orders = [stage.order(trigger=Trigger.API) for _ in range(50)]

    def one(number: int) -> Any:
        report = stage.sync(orders[number], provider)
        others_answered.release()
        return report

    with ThreadPoolExecutor(max_workers=50) as threads:
        reports = list(threads.map(one, range(50)))

    ran = [report for report in reports if not report.busy]
    assert (len(ran), provider.calls) == (1, 1)
    assert {report.job.order.job_id for report in reports} == {ran[0].job.order.job_id}


@pytest.mark.parametrize(
    ("error", "status", "kind", "again"),
    [
        (Throttled(retry_after_s=70.0), JobStatus.DEFERRED, "Throttled", 70.0),
        (ContractBroken(), JobStatus.FAILED, "ContractBroken", None),
        (NotConnected(ConnectionState.NEEDS_REAUTH), JobStatus.FAILED, "reauthorization-needed", None),
        (AccountChanged(), JobStatus.FAILED, "account-changed", None),
    ],
)
def test_each_error_has_its_status_and_retry(
    error: Exception, status: JobStatus, kind: str, again: float | None
) -> None:
    """The job is deferred, or failed for the user or an operator; the lease is free in any case."""
    stage = SyncStage()
    report = stage.sync(source=FailingProvider(error))

    assert report.job is not None
    assert report.job.failure is not None
    assert (report.job.status, report.job.failure.type, report.retry_in_s) == (status, kind, again)
    assert (_state(stage).running, _state(stage).failures > 0) == (None, True)


@pytest.mark.parametrize("error", [NotConnected(ConnectionState.NEEDS_REAUTH), AccountChanged()])
def test_polling_stops_if_the_user_has_to_log_in(error: Exception) -> None:
    """The user has no poll slot until the next login."""
    stage = SyncStage()
    stage.sync(source=FailingProvider(error))

    assert _state(stage).slot is None


def test_an_internal_failure_releases_the_lease() -> None:
    """The error is raised, and the next sync can run at once."""
    stage = SyncStage()
    with pytest.raises(ZeroDivisionError):
        stage.sync(source=FailingProvider(ZeroDivisionError()))

    assert not stage.sync().busy


def test_a_lost_lease_is_not_a_success() -> None:
    """A backfill that lost its lease is retried and does not count as finished."""
    stage = SyncStage(seen_at_once([NOON - HOUR, NOON - 29 * DAY]))
    order = stage.order(JobKind.BACKFILL, Trigger.CONNECTION)

    class DelayedProvider:
        """A provider during whose answer the lease expires and another sync takes it."""

        def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
            """The readings of the range, after the lease has expired."""
            stage.clock.advance(LEASE_TTL.total_seconds())
            stage.stores.states.take(stage.order(trigger=Trigger.API))
            return stage.provider.readings(user_id, start, end)

        def uploaded_since(self, *_: Any) -> None:
            """No uploads."""

    report = stage.sync(order, DelayedProvider())

    assert (report.busy, report.retry_in_s) == (True, 0.0)
    assert stage.stores.jobs.get("ada", order.job_id) is None
    assert not _state(stage).backfill.done


@pytest.mark.parametrize(
    ("error", "times"),
    [(Throttled(), 2), (Unavailable(), 2), (CircuitOpen(), 4), (Crowded(), 4)],
)
def test_a_poll_is_deferred_a_limited_number_of_times(error: Exception, times: int) -> None:
    """The next poll is the retry; a poll that was refused locally is deferred more often."""
    stage = SyncStage()
    order = stage.order()
    tried = [
        stage.sync(replace(order, deferrals=number), FailingProvider(error)).retry_in_s
        for number in range(times + 1)
    ]

    assert tried == [0.0] * times + [None]


@pytest.mark.parametrize("error", [Unavailable(), ZeroDivisionError()])
def test_a_retried_poll_waits_for_the_running_sync(error: Exception) -> None:
    """A new poll has no job and is dropped, and a deferred one is retried so that its job finishes."""
    stage = SyncStage()
    order = stage.order()
    with suppress(ZeroDivisionError):
        stage.sync(order, FailingProvider(error))
    stage.stores.states.take(stage.order(trigger=Trigger.API))

    assert stage.sync(order).retry_in_s == 0.0
    assert stage.sync(stage.order()).retry_in_s is None


def test_a_poll_that_never_gets_the_lease_fails() -> None:
    """Its job fails with `sync-running`; the running sync or the next poll fetches the data."""
    stage = SyncStage()
    order = stage.order()
    stage.sync(order, FailingProvider(Unavailable()))
    stage.stores.states.take(stage.order(trigger=Trigger.API))

    assert stage.sync(replace(order, deferrals=3)).retry_in_s == 0.0
    assert stage.sync(replace(order, deferrals=4)).retry_in_s is None
    kept = stage.stores.jobs.get("ada", order.job_id)
    assert kept is not None
    assert (kept.status, kept.failure) == (
        JobStatus.FAILED,
        Failure("sync-running", retryable=True, attempts=5),
    )
    assert kept.finished_at == stage.clock.now()


def test_a_repeated_message_does_not_end_a_running_job() -> None:
    """The run that holds the lease writes the job's outcome."""
    stage = SyncStage()
    order = replace(stage.order(), deferrals=4)
    stage.sync(replace(order, deferrals=0), FailingProvider(Unavailable()))
    stage.stores.states.take(order)

    assert stage.sync(order).busy
    kept = stage.stores.jobs.get("ada", order.job_id)
    assert kept is not None
    assert kept.status is JobStatus.DEFERRED


def test_a_backfill_outlasts_an_outage_of_six_hours() -> None:
    """It is deferred throughout the outage, and is complete in the end."""
    stage = SyncStage(seen_at_once([NOON - number * HOUR for number in range(1, 600)]))
    order = stage.order(JobKind.BACKFILL, Trigger.CONNECTION)
    for deferrals in range(6 * 4 + 8):  # The first minutes' retries, then four an hour.
        deferred = type(order)(order.user_id, order.job_id, order.kind, order.trigger, "id", None, deferrals)
        assert stage.sync(deferred, FailingProvider(Throttled())).retry_in_s is not None

    assert not stage.sync(order).rest
    assert (stage.missing(), _state(stage).backfill.done) == ([], True)


def test_work_beyond_the_time_limit_is_returned_as_rest() -> None:
    """With less time than a window needs, one window is fetched and the rest is returned."""
    stage = SyncStage(seen_at_once([NOON - number * DAY for number in range(1, 29)]))
    stage.time_left_s = 25.0
    order = stage.order(trigger=Trigger.API)
    asked = type(order)(order.user_id, order.job_id, order.kind, order.trigger, "id", (NOON - 70 * DAY, NOON))
    report = stage.sync(asked)

    assert report.rest is not None
    assert report.rest.window == (NOON - 70 * DAY, NOON - BACKFILL_WINDOW)
    assert stage.stored() == {NOON - number * DAY for number in range(1, BACKFILL_WINDOW.days + 1)}


def test_a_job_in_several_runs_adds_its_counts() -> None:
    """The job has the sum of all runs, and each result has the counts of its own run."""
    stage = SyncStage(seen_at_once([NOON - number * DAY for number in range(1, 2 * BACKFILL_WINDOW.days)]))
    stage.time_left_s = 25.0
    order = stage.order(JobKind.BACKFILL, Trigger.CONNECTION)
    stage.stores.states.start_polling("ada", None, NOON - 2 * BACKFILL_WINDOW)
    enqueue(order, jobs=stage.stores.jobs, send=lambda _: None)
    stretches = [stage.sync(order) for _ in range(3)]

    ran = [report.counts.stored for report in stretches if report.counts]
    assert ran == [10, 9]
    assert stretches[2].job is not None
    assert stretches[2].job.counts.stored == 19


def test_running_out_of_time_is_not_a_provider_error() -> None:
    """The result has a rest, so that the job continues."""
    report = SyncStage().sync(source=FailingProvider(OutOfTime()))

    assert report.rest


def test_each_run_of_a_backfill_begins_with_a_poll() -> None:
    """Polls are dropped while the backfill holds the lease, so it fetches the newest readings itself."""
    stage = SyncStage(seen_at_once(_LAST_DAYS))
    stage.clock.advance(4 * 3_600)
    stage.sync(stage.order(JobKind.BACKFILL))

    assert not stage.missing()


def test_users_without_data_are_polled_less_often() -> None:
    """Without data for a day, polls are an hour apart; the first new reading restores the interval."""
    back = NOON + 40 * HOUR
    stage = SyncStage(seen_at_once([NOON, back]))
    stage.sync()
    stage.clock.advance(30 * 3_600)
    stage.sync()
    assert _state(stage).slot == poll_slots.poll_slot("ada", 3_600)

    stage.clock.advance(11 * 3_600)
    stage.sync()
    assert _state(stage).slot == poll_slots.poll_slot("ada", 900)


def test_a_new_default_interval_is_used_at_the_next_poll() -> None:
    """A user who chose an interval keeps it."""
    stage = SyncStage()
    states: SyncStates = type(stage.stores.states)(stage.stores.states.table, stage.clock, 300)
    stage.stores = replace(stage.stores, states=states)
    stage.sync()
    assert _state(stage).slot == poll_slots.poll_slot("ada", 300)

    states.choose_interval("ada", 1_800)
    stage.sync()
    assert _state(stage).slot == poll_slots.poll_slot("ada", 1_800)


def test_a_reconciliation_resumes_an_unfinished_backfill() -> None:
    """An unfinished backfill without a running job is ordered again."""
    stage = SyncStage(seen_at_once([NOON - number * DAY for number in range(1, 29)]))
    report = stage.sync(stage.order(JobKind.RECONCILE))
    assert report.rest is not None
    assert report.rest.kind is JobKind.BACKFILL

    stage.sync(report.rest)
    assert _state(stage).backfill.done
    assert stage.sync(stage.order(JobKind.RECONCILE)).rest is None


def test_every_provider_error_is_reported_by_its_class() -> None:
    """The result has the name of the error's class."""
    report = SyncStage().sync(source=FailingProvider(ProviderError()))

    assert report.facts()["error"] == "ProviderError"


def test_invalid_records_are_counted_and_quarantined() -> None:
    """The valid records of the same answer are stored."""
    stage = SyncStage()
    reading = Reading(NOON, 110)
    rejected = (Rejected("value-missing", {}), Rejected("value-missing", None))

    class PartlyInvalidProvider:
        """A provider with one valid and two invalid records."""

        def readings(self, _: str, __: datetime, ___: datetime) -> Fetched:
            """One reading and two rejected records."""
            return Fetched((reading,), rejected)

        def uploaded_since(self, _: str, __: datetime) -> None:
            """No uploads."""

    job = stage.sync(source=PartlyInvalidProvider()).job

    assert job is not None
    assert (job.counts.fetched, job.counts.stored, job.counts.invalid) == (3, 1, (("value-missing", 2),))
    assert stage.quarantined == ["value-missing", "value-missing"]


def test_readings_that_do_not_fit_are_counted_and_quarantined() -> None:
    """A fat hour ends no sync: what does not fit is invalid, and the next hour is stored."""
    stage = SyncStage()
    fat = [Reading(NOON - timedelta(seconds=n), 110, record_id=f"{n}{'x' * 96}") for n in range(1, 1801)]

    class FatProvider:
        """A provider with a record for each second, and one of the next hour."""

        def readings(self, _: str, __: datetime, ___: datetime) -> Fetched:
            """All records."""
            return Fetched((*fat, Reading(NOON, 110)))

        def uploaded_since(self, _: str, __: datetime) -> None:
            """No uploads."""

    job = stage.sync(source=FatProvider()).job

    assert job is not None
    ((reason, full),) = job.counts.invalid
    assert (job.status, reason, job.counts.duplicates) == (JobStatus.SUCCEEDED, "hour-full", 0)
    assert job.counts.stored + full == job.counts.fetched == 1801
    assert NOON in stage.stored()
    assert stage.quarantined == ["hour-full"] * full


def test_a_late_poll_says_by_how_much() -> None:
    """An interval of 15 minutes is as planned; a poll without new readings says nothing."""
    stage = SyncStage(seen_at_once(_LAST_DAYS))
    assert stage.sync().overdue_s is None  # The first one has none before it.

    said = []
    for wait_s in (900, 2700, 60):
        stage.clock.advance(wait_s)
        said.append(stage.sync().overdue_s)
    assert said == [0, 1800, None]


def test_only_polls_can_be_late() -> None:
    """A sync that a caller asks for keeps no schedule."""
    stage = SyncStage(seen_at_once(_LAST_DAYS))
    stage.sync()
    stage.clock.advance(2700)

    assert stage.sync(stage.order(trigger=Trigger.API)).overdue_s is None
