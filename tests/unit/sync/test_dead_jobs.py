"""Jobs whose message is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bg_ingest.sync.job import ABANDONED, INTERNAL, Failure, Job, JobKind, JobStatus, Order, Trigger
from bg_ingest.sync.jobs import fail_undeliverable, mend_abandoned
from bg_ingest.sync.service import mend_polling
from bg_ingest.sync.state import Busy, SyncState, SyncStates, Turn
from tests.support.logins import save_login
from tests.unit.sync.stage import SyncStage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bg_ingest.providers.seam import Fetched

HOUR_S = 3_600


class _Broken:
    """A provider whose response causes an internal failure."""

    def readings(self, _: str, __: datetime, ___: datetime) -> Fetched:
        """Fail."""
        raise ZeroDivisionError

    def uploaded_since(self, _: str, __: datetime) -> None:
        """No uploads."""


def _not_sent(orders: Iterable[Order]) -> None:
    assert not list(orders)


def _shown(stage: SyncStage, order: Order) -> tuple[JobStatus, str | None, int | None]:
    job = stage.stores.jobs.get("ada", order.job_id)
    assert job is not None
    return (job.status, job.failure.type, job.failure.attempts) if job.failure else (job.status, None, None)


def _failed_by_us(stage: SyncStage) -> Order:
    order = stage.order(trigger=Trigger.API)
    with pytest.raises(ZeroDivisionError):
        stage.sync(order, source=_Broken())
    assert _shown(stage, order) == (JobStatus.DEFERRED, INTERNAL, 1)
    return order


def test_a_job_of_a_dead_message_is_failed() -> None:
    """The job of a dead letter has failed, and is not deferred until it expires."""
    stage = SyncStage()
    order = _failed_by_us(stage)
    fail_undeliverable(order, 5, stage.stores.jobs, stage.clock)

    assert _shown(stage, order) == (JobStatus.FAILED, INTERNAL, 5)


def test_a_message_that_is_put_back_is_a_new_job() -> None:
    """The failed job stays as published; the new one is carried out once, however often it is delivered."""
    stage = SyncStage()
    order = _failed_by_us(stage)
    fail_undeliverable(order, 5, stage.stores.jobs, stage.clock)

    first, again = stage.sync(order).job, stage.sync(order)
    assert first is not None
    assert (first.status, first.order.job_id > order.job_id) == (JobStatus.SUCCEEDED, True)
    assert (again.job, again.counts) == (stage.stores.jobs.get("ada", first.order.job_id), None)
    assert _shown(stage, order) == (JobStatus.FAILED, INTERNAL, 5)


def test_a_dead_letter_of_an_erased_user_creates_no_job() -> None:
    """After an erasure there is no job to fail, and none is created."""
    stage = SyncStage()
    fail_undeliverable(stage.order(trigger=Trigger.API), 5, stage.stores.jobs, stage.clock)

    assert list(stage.stores.jobs.newest_first("ada")) == []


@pytest.mark.parametrize(
    ("age_h", "again", "ended"), [(23, 0, 0), (25, 1, 0), (47, 1, 0), (49, 0, 1), (73, 0, 1), (75, 0, 0)]
)
def test_a_job_that_was_never_sent_is_sent_next_day(age_h: int, again: int, ended: int) -> None:
    """Its order was stored and its message was not sent. If it has not run a day later, it fails."""
    sent: list[Order] = []
    stage = SyncStage()
    order = stage.order(JobKind.BACKFILL, Trigger.CONNECTION)
    stage.stores.jobs.save(Job(order, JobStatus.QUEUED))
    stage.clock.advance(age_h * HOUR_S)

    assert mend_abandoned("ada", stage.stores.jobs, stage.clock, sent.extend) == (again, ended)
    assert sent == [order] * again
    wanted = (JobStatus.FAILED, ABANDONED, 1) if ended else (JobStatus.QUEUED, None, None)
    assert _shown(stage, order) == wanted


def test_a_job_that_lost_its_message_after_a_try_fails() -> None:
    """A job that says deferred for more than a day has no message that continues it."""
    stage = SyncStage()
    order = _failed_by_us(stage)
    stage.clock.advance(25 * HOUR_S)

    assert mend_abandoned("ada", stage.stores.jobs, stage.clock, _not_sent) == (0, 1)
    assert _shown(stage, order) == (JobStatus.FAILED, ABANDONED, 1)


def test_a_job_that_is_still_tried_is_not_abandoned() -> None:
    """A job that an outage defers for a day stays deferred, and a finished job does not change."""
    stage = SyncStage()
    waiting, over = stage.order(trigger=Trigger.API), stage.order(trigger=Trigger.API)
    job = Job(waiting, JobStatus.DEFERRED, failure=Failure("Unavailable", retryable=True, attempts=90))
    stage.stores.jobs.save(Job(over, JobStatus.SUCCEEDED, stage.clock.now(), stage.clock.now()))
    stage.clock.advance(30 * HOUR_S)
    stage.stores.jobs.save(replace(job, finished_at=stage.clock.now()))

    assert mend_abandoned("ada", stage.stores.jobs, stage.clock, _not_sent) == (0, 0)


def test_a_connected_user_without_a_slot_is_polled_again() -> None:
    """The sync item's write was throttled at their first or a later login."""
    stage = SyncStage()
    states = stage.stores.states

    def mend() -> bool:
        return mend_polling(stage.connections, states, stage.providers, "ada")

    assert not mend()

    states.table.delete("ada", "sync")
    assert mend()
    assert states.get("ada") is not None

    states.stop_polling("ada")
    assert not mend()  # A sync has stopped it after the login.

    stage.clock.advance(60)
    known = stage.connections.get("ada")
    assert known is not None
    save_login(stage.connections, "ada", known.endpoint, b"sealed", data_from=known.data_from)
    assert mend()
    state = states.get("ada")
    assert state is not None
    assert state.slot is not None


def test_a_second_repair_does_not_free_the_lease() -> None:
    """Two processes find the slot missing; the first one's sync runs while the second one writes."""
    stage = SyncStage()
    states, leases = stage.stores.states, []
    states.table.delete("ada", "sync")

    class ReadTooEarly(SyncStates):
        """A process that reads the sync item before the other one repairs it."""

        def get(self, user_id: str, source: str = "") -> SyncState | None:
            """The state before the other process."""
            found = super().get(user_id, source)
            assert mend_polling(stage.connections, states, stage.providers, "ada")
            leases.append(states.take(stage.order(trigger=Trigger.API)))
            return found

    late = ReadTooEarly(states.table, stage.clock)
    assert not mend_polling(stage.connections, late, stage.providers, "ada")

    (lease,) = leases
    assert isinstance(lease, Turn)
    assert isinstance(states.take(stage.order(trigger=Trigger.API)), Busy)
    assert states.end(lease, succeeded=True, data_until=None)
