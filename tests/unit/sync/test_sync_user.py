from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
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
    QuotaSpent,
    Throttled,
    Unavailable,
)
from bg_ingest.providers.seam import Fetched, Rejected
from bg_ingest.readings.model import Reading
from bg_ingest.sync import poll_slots
from bg_ingest.sync.connected_provider import AccountChanged
from bg_ingest.sync.job import Failure, JobKind, JobStatus, Trigger
from bg_ingest.sync.jobs import enqueue
from bg_ingest.sync.state import LEASE_TTL
from bg_ingest.sync.windows import BACKFILL_WINDOW
from tests.simulation.provider import DAY, HOUR, MINUTE
from tests.support.fakes import NOON
from tests.support.waiting import WAIT_S_MAX
from tests.unit.sync.stage import Stage, seen_at_once

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.sync.state import SyncState, SyncStates

_LAST_DAYS = [NOON - 2 * DAY + number * 5 * MINUTE for number in range(3 * 288)]
BOOKKEEPING_WRITES_MAX = 3


class Failing:
    """A provider that never answers."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def readings(self, *_: Any) -> Fetched:
        """No."""
        raise self._error

    def uploaded_since(self, *_: Any) -> None:
        """No."""
        raise self._error


def _state(stage: Stage) -> SyncState:
    state = stage.stores.states.get("ada")
    assert state is not None
    return state


def test_a_poll_costs_one_call_and_three_writes() -> None:
    """When all is well: the lease, the job, the release, and the hour that changed."""
    stage = Stage(seen_at_once(_LAST_DAYS))
    stage.sync()
    for stored in (0, 1):
        stage.clock.advance(300 * stored)
        calls, writes = stage.calls, stage.memory.writes
        report = stage.sync()
        assert report.job is not None
        assert report.job.counts.stored == stored
        # It looks at what is stored, and asks for no more of the day than may have changed.
        assert report.job.window is not None
        assert report.job.window[0] > stage.clock.now() - 4 * HOUR
        # The provider's stand-in steps twice per call: asked, and answered.
        assert (stage.calls - calls) / 2 == 1
        assert stage.memory.writes - writes == BOOKKEEPING_WRITES_MAX + stored


def test_of_fifty_syncs_at_once_one_runs() -> None:
    """The provider sees the calls of one, and the others are told which one it is."""
    stage = Stage(seen_at_once(_LAST_DAYS))
    others_answered = Semaphore(0)

    class Waiting:
        calls = 0

        def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
            self.calls += 1
            for _ in range(49):
                assert others_answered.acquire(timeout=WAIT_S_MAX)
            return stage.provider.readings(user_id, start, end)

        def uploaded_since(self, *_: Any) -> None:
            raise AssertionError

    provider = Waiting()
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
def test_errors_are_sorted_by_what_happens_next(
    error: Exception, status: JobStatus, kind: str, again: float | None
) -> None:
    """Waiting, a person who logs in, or a person who looks; the lease is free in any case."""
    stage = Stage()
    report = stage.sync(source=Failing(error))

    assert report.job is not None
    assert report.job.failure is not None
    assert (report.job.status, report.job.failure.type, report.retry_in_s) == (status, kind, again)
    assert (_state(stage).running, _state(stage).failures > 0) == (None, True)


@pytest.mark.parametrize("error", [NotConnected(ConnectionState.NEEDS_REAUTH), AccountChanged()])
def test_polling_stops_where_only_the_person_can_help(error: Exception) -> None:
    """No seat, until they connect again."""
    stage = Stage()
    stage.sync(source=Failing(error))

    assert _state(stage).slot is None


def test_a_failure_of_ours_keeps_nobody_waiting() -> None:
    """The lease is given back, and the error goes on to whoever has to see it."""
    stage = Stage()
    with pytest.raises(ZeroDivisionError):
        stage.sync(source=Failing(ZeroDivisionError()))

    assert not stage.sync().busy


def test_a_lost_lease_is_no_success() -> None:
    """A history whose holder slept past its lease is nobody's success, and is asked for again."""
    stage = Stage(seen_at_once([NOON - HOUR, NOON - 29 * DAY]))
    order = stage.order(JobKind.BACKFILL, Trigger.CONNECTION)

    class Sleepy:
        """A provider during whose answer the lease expires, and somebody else takes it."""

        def readings(self, user_id: str, start: datetime, end: datetime) -> Fetched:
            """What there is, late."""
            stage.clock.advance(LEASE_TTL.total_seconds())
            stage.stores.states.take(stage.order(trigger=Trigger.API))
            return stage.provider.readings(user_id, start, end)

        def uploaded_since(self, *_: Any) -> None:
            """Nothing."""

    report = stage.sync(order, Sleepy())

    assert (report.busy, report.retry_in_s) == (True, 0.0)
    assert stage.stores.jobs.get("ada", order.job_id) is None
    assert not _state(stage).backfill.done


@pytest.mark.parametrize(
    ("error", "times"),
    [(Throttled(), 2), (Unavailable(), 2), (CircuitOpen(), 4), (Crowded(), 4), (QuotaSpent(), 4)],
)
def test_a_poll_is_put_off_a_few_times(error: Exception, times: int) -> None:
    """After that the next poll is the retry; one that was refused because of others gets more tries."""
    stage = Stage()
    order = stage.order()
    tried = [
        stage.sync(replace(order, deferrals=number), Failing(error)).retry_in_s for number in range(times + 1)
    ]

    assert tried == [0.0] * times + [None]


@pytest.mark.parametrize("error", [Unavailable(), ZeroDivisionError()])
def test_a_poll_that_was_tried_before_waits_for_whoever_is_at_it(error: Exception) -> None:
    """Dropped, its job would say for a month that it goes on; one that is new has no job, and is dropped."""
    stage = Stage()
    order = stage.order()
    with suppress(ZeroDivisionError):
        stage.sync(order, Failing(error))
    stage.stores.states.take(stage.order(trigger=Trigger.API))

    assert stage.sync(order).retry_in_s == 0.0
    assert stage.sync(stage.order()).retry_in_s is None


def test_a_poll_that_never_gets_its_turn_says_so() -> None:
    """In the end its job fails: what it would have fetched, whoever was at it does, or the next poll."""
    stage = Stage()
    order = stage.order()
    stage.sync(order, Failing(Unavailable()))
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


def test_a_doubled_message_does_not_end_the_job_that_it_is_a_copy_of() -> None:
    """The one who is at it will say how it ended."""
    stage = Stage()
    order = replace(stage.order(), deferrals=4)
    stage.sync(replace(order, deferrals=0), Failing(Unavailable()))
    stage.stores.states.take(order)

    assert stage.sync(order).busy
    kept = stage.stores.jobs.get("ada", order.job_id)
    assert kept is not None
    assert kept.status is JobStatus.DEFERRED


def test_a_history_outlasts_an_outage_of_six_hours() -> None:
    """Put off as often as it takes, and complete in the end."""
    stage = Stage(seen_at_once([NOON - number * HOUR for number in range(1, 600)]))
    order = stage.order(JobKind.BACKFILL, Trigger.CONNECTION)
    for deferrals in range(6 * 4 + 8):  # The first minutes' retries, then four an hour.
        put_off = type(order)(order.user_id, order.job_id, order.kind, order.trigger, "id", None, deferrals)
        assert stage.sync(put_off, Failing(Throttled())).retry_in_s is not None

    assert not stage.sync(order).rest
    assert (stage.missing(), _state(stage).backfill.done) == ([], True)


def test_what_does_not_fit_is_left_for_the_queue() -> None:
    """With less time than a window takes, one window is done and the rest named."""
    stage = Stage(seen_at_once([NOON - number * DAY for number in range(1, 29)]))
    stage.time_left_s = 25.0
    order = stage.order(trigger=Trigger.API)
    asked = type(order)(order.user_id, order.job_id, order.kind, order.trigger, "id", (NOON - 70 * DAY, NOON))
    report = stage.sync(asked)

    assert report.rest is not None
    assert report.rest.window == (NOON - 70 * DAY, NOON - BACKFILL_WINDOW)
    assert stage.stored() == {NOON - number * DAY for number in range(1, BACKFILL_WINDOW.days + 1)}


def test_a_job_in_stretches_adds_up_and_each_stretch_tells_its_own() -> None:
    """The job counts everything, a report what its run did, and a run that finds the job over nothing."""
    stage = Stage(seen_at_once([NOON - number * DAY for number in range(1, 2 * BACKFILL_WINDOW.days)]))
    stage.time_left_s = 25.0
    order = stage.order(JobKind.BACKFILL, Trigger.CONNECTION)
    stage.stores.states.start_polling("ada", None, NOON - 2 * BACKFILL_WINDOW)
    enqueue(order, jobs=stage.stores.jobs, send=lambda _: None)
    stretches = [stage.sync(order) for _ in range(3)]

    ran = [report.counts.stored for report in stretches if report.counts]
    assert ran == [10, 9]
    assert stretches[2].job is not None
    assert stretches[2].job.counts.stored == 19


def test_a_call_that_ran_out_of_time_is_no_fault_of_the_providers() -> None:
    """The caller is told that it goes on, not that the provider is down."""
    report = Stage().sync(source=Failing(OutOfTime()))

    assert report.rest


def test_a_history_starts_each_stretch_with_a_poll() -> None:
    """While the history holds the lease polls are dropped, so it does what they would have done."""
    stage = Stage(seen_at_once(_LAST_DAYS))
    stage.clock.advance(4 * 3_600)
    stage.sync(stage.order(JobKind.BACKFILL))

    assert not stage.missing()


def test_quiet_users_are_slowed_and_woken() -> None:
    """After a day without data every hour, and at full pace with the first reading that comes back."""
    back = NOON + 40 * HOUR
    stage = Stage(seen_at_once([NOON, back]))
    stage.sync()
    stage.clock.advance(30 * 3_600)
    stage.sync()
    assert _state(stage).slot == poll_slots.poll_slot("ada", 3_600)

    stage.clock.advance(11 * 3_600)
    stage.sync()
    assert _state(stage).slot == poll_slots.poll_slot("ada", 900)


def test_a_new_default_reaches_those_who_chose_nothing() -> None:
    """With their next poll; who chose an interval keeps it."""
    stage = Stage()
    states: SyncStates = type(stage.stores.states)(stage.stores.states.table, stage.clock, 300)
    stage.stores = replace(stage.stores, states=states)
    stage.sync()
    assert _state(stage).slot == poll_slots.poll_slot("ada", 300)

    states.choose_interval("ada", 1_800)
    stage.sync()
    assert _state(stage).slot == poll_slots.poll_slot("ada", 1_800)


def test_a_history_that_nobody_fetches_is_taken_up_again() -> None:
    """The reconciliation finds it unfinished and orders it anew."""
    stage = Stage(seen_at_once([NOON - number * DAY for number in range(1, 29)]))
    report = stage.sync(stage.order(JobKind.RECONCILE))
    assert report.rest is not None
    assert report.rest.kind is JobKind.BACKFILL

    stage.sync(report.rest)
    assert _state(stage).backfill.done
    assert stage.sync(stage.order(JobKind.RECONCILE)).rest is None


def test_every_error_of_the_provider_has_a_name() -> None:
    """A job says what went wrong by the error's own name."""
    report = Stage().sync(source=Failing(ProviderError()))

    assert report.facts()["error"] == "ProviderError"


def test_what_cannot_be_read_is_counted_and_kept_apart() -> None:
    """A record that is none costs its neighbours nothing, and somebody can look at it."""
    stage = Stage()
    reading = Reading(NOON, 110)
    rejected = (Rejected("value-missing", {}), Rejected("value-missing", None))

    class Spoilt:
        """A provider one of whose records is a reading."""

        def readings(self, _: str, __: datetime, ___: datetime) -> Fetched:
            """One reading and two that are none."""
            return Fetched((reading,), rejected)

        def uploaded_since(self, _: str, __: datetime) -> None:
            """Nothing."""

    job = stage.sync(source=Spoilt()).job

    assert job is not None
    assert (job.counts.fetched, job.counts.stored, job.counts.invalid) == (3, 1, (("value-missing", 2),))
    assert stage.quarantined == ["value-missing", "value-missing"]
