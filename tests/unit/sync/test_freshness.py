from dataclasses import replace
from datetime import timedelta

import pytest

from bg_ingest.clock import new_id
from bg_ingest.providers.errors import QuotaSpent, Throttled
from bg_ingest.sync.job import JobKind, JobStatus, Order, Trigger
from tests.simulation.provider import DAY, MINUTE
from tests.support.fakes import NOON
from tests.unit.sync.stage import SyncStage, seen_at_once
from tests.unit.sync.test_sync_user import FailingProvider

_READINGS = [NOON - DAY + number * 5 * MINUTE for number in range(2 * 288)]


def _ordered(stage: SyncStage, ago: timedelta, interval_s: int | None = None) -> Order:
    return replace(stage.order(), job_id=new_id(stage.clock.now() - ago), interval_s=interval_s)


def _calls(stage: SyncStage) -> int:
    return stage.calls // 2  # The simulated provider counts the request and the response.


def test_a_poll_ordered_before_the_last_fetch_costs_no_call() -> None:
    """A sync that succeeded after the poll was ordered has stored its readings."""
    stage = SyncStage(seen_at_once(_READINGS))
    waiting = _ordered(stage, MINUTE)
    stage.sync()
    calls, writes = _calls(stage), stage.memory.writes

    result = stage.sync(waiting)

    assert (result.superseded, result.job, result.retry_in_s) == (True, None, None)
    assert (_calls(stage), stage.memory.writes) == (calls, writes)


@pytest.mark.parametrize("interval_s", [300, 1_800])
def test_a_poll_older_than_its_interval_costs_no_call(interval_s: int) -> None:
    """The next poll is due by then."""
    stage = SyncStage(seen_at_once(_READINGS))

    assert stage.sync(_ordered(stage, timedelta(seconds=interval_s), interval_s)).superseded
    assert _calls(stage) == 0
    assert not stage.sync(_ordered(stage, timedelta(seconds=interval_s - 1), interval_s)).superseded
    assert _calls(stage) == 1


def test_a_poll_without_an_interval_has_no_greatest_age() -> None:
    """Only the dispatcher knows when it orders the next one; a program may send orders of its own."""
    stage = SyncStage(seen_at_once(_READINGS))

    assert not stage.sync(_ordered(stage, timedelta(days=1))).superseded
    assert not stage.sync(replace(stage.order(), job_id="f" * 28)).superseded


@pytest.mark.parametrize("trigger", [Trigger.API, Trigger.WEBHOOK])
def test_only_polls_are_superseded(trigger: Trigger) -> None:
    """A caller who requests a sync, or a webhook, gets one."""
    stage = SyncStage(seen_at_once(_READINGS))
    waiting = replace(_ordered(stage, timedelta(hours=2)), trigger=trigger)
    stage.sync()

    assert not stage.sync(waiting).superseded
    assert _calls(stage) == 2


def test_a_fetch_of_old_readings_supersedes_no_poll() -> None:
    """A sync of a range ends before now, so a poll that was ordered before it is still needed."""
    stage = SyncStage(seen_at_once(_READINGS))
    waiting = _ordered(stage, MINUTE)
    stage.sync(replace(stage.order(trigger=Trigger.API), window=(NOON - DAY, NOON - DAY / 2)))

    assert not stage.sync(waiting).superseded


def test_a_reconciliation_supersedes_a_waiting_poll() -> None:
    """It has fetched the last three days."""
    stage = SyncStage(seen_at_once(_READINGS))
    waiting = _ordered(stage, MINUTE)
    stage.sync(stage.order(JobKind.RECONCILE))

    assert stage.sync(waiting).superseded


def test_a_failed_sync_supersedes_no_poll() -> None:
    """Nothing was stored, so a poll that was ordered before is still needed."""
    stage = SyncStage(seen_at_once(_READINGS))
    waiting = _ordered(stage, MINUTE)
    stage.sync(None, FailingProvider(Throttled()))

    assert not stage.sync(waiting).superseded


def test_a_deferred_poll_that_is_superseded_has_succeeded() -> None:
    """Its job ends: another sync has stored what the poll was ordered for."""
    stage = SyncStage(seen_at_once(_READINGS))
    order = stage.order()
    stage.sync(order, FailingProvider(Throttled()))
    stage.clock.advance(60)
    stage.sync()

    result = stage.sync(replace(order, deferrals=1))

    assert result.job is not None
    stored = stage.stores.jobs.get("ada", order.job_id)
    assert stored == result.job
    assert (stored.status, stored.failure, stored.finished_at) == (
        JobStatus.SUCCEEDED,
        None,
        stage.clock.now(),
    )


def test_a_deferred_poll_that_is_too_old_has_failed() -> None:
    """Its job ends with the reason for which it was deferred."""
    stage = SyncStage(seen_at_once(_READINGS))
    order = stage.order()
    order = replace(order, interval_s=900)
    stage.sync(order, FailingProvider(QuotaSpent()))
    stage.clock.advance(900)

    result = stage.sync(replace(order, deferrals=1))

    assert result.job is not None
    assert result.job.failure is not None
    assert (result.job.status, result.job.failure.type) == (JobStatus.FAILED, "QuotaSpent")


def test_a_spent_quota_does_not_count_as_a_try() -> None:
    """However often the quota was spent, the order is retried, and its number of tries stays."""
    stage = SyncStage(seen_at_once(_READINGS))
    order = replace(stage.order(), deferrals=50)

    result = stage.sync(order, FailingProvider(QuotaSpent()))

    assert (result.retry_in_s, result.tried) == (0.0, False)
