"""The sync engine, put together."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from bg_ingest import telemetry
from bg_ingest.accounts.connection import State
from bg_ingest.settings import settings
from bg_ingest.sync import worker as work_module
from bg_ingest.sync.completeness_store import current_days
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.job import INTERNAL, JobKind, JobStatus, Order, Trigger, new_job_id
from bg_ingest.sync.job_history import JobHistory
from bg_ingest.sync.jobs import enqueue
from bg_ingest.sync.run import Stores
from bg_ingest.sync.sync_user import sync_user
from bg_ingest.webhooks.store_records import store_records
from bg_ingest.wiring import provider, stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from bg_ingest.accounts.connection import Connections
    from bg_ingest.clock import Clock
    from bg_ingest.readings.completeness import Day
    from bg_ingest.readings.store import ReadingStore
    from bg_ingest.sync.completeness_store import CompletenessStore
    from bg_ingest.sync.job import Job, SyncResult
    from bg_ingest.sync.jobs import Jobs
    from bg_ingest.sync.queue import JobsQueue
    from bg_ingest.sync.state import SyncStates
    from bg_ingest.sync.worker import Delivery, DeliveryResult


@dataclass(frozen=True, slots=True)
class Engine:
    """What the API needs to start syncs and to tell about them."""

    states: SyncStates
    jobs: Jobs
    trail: JobHistory
    days: CompletenessStore
    reading_store: ReadingStore
    connections: Connections
    jobs_queue: JobsQueue
    sync: Callable[[Order, Callable[[], float]], SyncResult]
    clock: Clock
    poll_interval_s: int

    def order(self, user_id: str, window: tuple[datetime, datetime] | None, correlation_id: str) -> Order:
        """An order for what a caller asked for."""
        job_id = new_job_id(self.clock.now())
        return Order(user_id, job_id, JobKind.INCREMENTAL, Trigger.API, correlation_id, window)

    def reconcile(self, user_id: str, correlation_id: str) -> Job:
        """Leave comparing a user's last days with the provider's to the worker."""
        job_id = new_job_id(self.clock.now())
        return self.queue(Order(user_id, job_id, JobKind.RECONCILE, Trigger.API, correlation_id))

    def queue(self, order: Order) -> Job:
        """Leave an order to the worker."""
        return enqueue(order, jobs=self.jobs, send=self.jobs_queue.send)

    def run_or_queue(self, order: Order, time_left_s: Callable[[], float]) -> SyncResult:
        """Carry an order out now; what cannot be done now is left to the worker."""
        try:
            report = self.sync(order, time_left_s)
        except Exception:
            self.jobs_queue.send([order])  # Its job is deferred by now.
            raise
        # Somebody who is told that a sync is running asks again, or waits for that one.
        if not report.busy:
            work_module.follow_up(order, report, self.jobs_queue, self.clock, random.random)
        return report

    def completeness(self, user_id: str, first: date, last: date) -> list[Day]:
        """How complete a user's days are; nothing is expected of who never connected."""
        state = self.states.get(user_id)
        if state is None:
            return []
        return current_days(self.reading_store, self.days, state, first, last, self.clock.now())

    def connection_state(self, user_id: str) -> State:
        """How the connection stands; a user nobody knows looks like one who never connected."""
        connection = self.connections.get(user_id)
        return connection.state if connection else State.DISCONNECTED


@cache
def engine() -> Engine:
    """The engine of this process."""
    return Engine(
        states=stores.states(),
        jobs=stores.jobs(),
        trail=JobHistory(stores.jobs(), stores.states()),
        days=stores.days(),
        reading_store=stores.reading_store(),
        connections=stores.connections(),
        jobs_queue=stores.queue(),
        sync=_sync,
        clock=stores.clock(),
        poll_interval_s=settings().poll_interval_seconds,
    )


def work(delivery: Delivery, time_left_s: Callable[[], float]) -> DeliveryResult:
    """Carry out one message's order with this process's engine."""
    return work_module.handle_delivery(
        delivery,
        sync=lambda order: _sync(order, time_left_s),
        jobs_queue=stores.queue(),
        clock=stores.clock(),
        jitter=random.random,
    )


def _sync(order: Order, time_left_s: Callable[[], float]) -> SyncResult:
    # Before anything is told about the order: a worker's thread carries out one after the other.
    telemetry.adopt_correlation_id(order.correlation_id)
    try:
        report = _carried_out(order, time_left_s)
    except Exception:
        telemetry.measure_sync("crashed", error=INTERNAL)
        raise
    _measure(report)
    return report


def _measure(report: SyncResult) -> None:
    job = report.job
    if job is None or report.counts is None:
        telemetry.measure_sync("busy" if report.busy else "over")
        return
    age_s = None
    if job.finished_at and report.newest_at:
        age_s = (job.finished_at - report.newest_at).total_seconds()
    error = job.failure.type if job.failure else None
    telemetry.measure_sync(job.status, report.counts, data_age_s=age_s, error=error)
    if job.finished_at and job.order.trigger is Trigger.WEBHOOK and job.status is JobStatus.SUCCEEDED:
        telemetry.measure_webhook_stored((job.finished_at - job.order.asked_at).total_seconds())


def _carried_out(order: Order, time_left_s: Callable[[], float]) -> SyncResult:
    kept_in = Stores(
        stores.states(), stores.jobs(), stores.reading_store(), stores.days(), provider.quarantine().keep
    )
    if order.payload is not None:
        return store_records(order, stores=kept_in, connections=stores.connections(), clock=stores.clock())
    return sync_user(
        order,
        stores=kept_in,
        provider=ConnectedProvider(
            stores.connections(),
            provider.vault(time_left_s),
            partial(provider.client_for, time_left_s=time_left_s),
        ),
        clock=stores.clock(),
        time_left_s=time_left_s,
    )
