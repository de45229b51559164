"""The sync engine as its callers use it: the API orders syncs and reads their state, the worker runs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from bg_ingest import ids
from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.sync import worker
from bg_ingest.sync.completeness_store import current_days
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.dead_jobs import fail_abandoned, fail_undeliverable
from bg_ingest.sync.job import JobKind, Order, Trigger
from bg_ingest.sync.job_history import JobHistory
from bg_ingest.sync.jobs import enqueue
from bg_ingest.sync.pushed_records import store_pushed
from bg_ingest.sync.state import mend_polling
from bg_ingest.sync.sync_user import sync_user

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from bg_ingest.accounts.connection import Connections
    from bg_ingest.clock import Clock
    from bg_ingest.providers.seam import Provider
    from bg_ingest.readings.completeness import Day
    from bg_ingest.sync.connected_provider import AccessTokens
    from bg_ingest.sync.job import Job, SyncResult
    from bg_ingest.sync.queue import JobsQueue
    from bg_ingest.sync.run import Stores
    from bg_ingest.sync.windows import Window
    from bg_ingest.sync.worker import Delivery, DeliveryResult

    TimeLeft = Callable[[], float]

# A job that was not touched for longer has lost its message, or waits behind a long backlog. Two tries are at
# most 15 minutes apart, unless the provider itself asked for more.
_WAITING_MAX = timedelta(minutes=30)
# More than the polls of that time.
_WAITING_JOBS_SEEN = 20


class SyncObserver(Protocol):
    """What follows the syncs of this process: log context and metrics."""

    def started(self, order: Order) -> None:
        """An order is about to be carried out by this thread."""
        ...

    def finished(self, result: SyncResult) -> None:
        """It was carried out."""
        ...

    def crashed(self) -> None:
        """An error of this service ended it."""
        ...

    def mended(self, what: str, count: int) -> None:
        """Something that an earlier crash left behind was repaired."""
        ...


@dataclass(frozen=True, slots=True)
class SyncService:
    """The sync engine of one process."""

    stores: Stores
    connections: Connections
    tokens: AccessTokens
    providers: Mapping[str, Provider]
    jobs_queue: JobsQueue
    observer: SyncObserver
    clock: Clock
    jitter: Callable[[], float]
    poll_interval_s: int

    @property
    def history(self) -> JobHistory:
        """The jobs that the API lists."""
        return JobHistory(self.stores.jobs, self.stores.states)

    def connection_state(self, user_id: str) -> ConnectionState:
        """A user's connection state; an unknown user looks like one who never connected."""
        connection = self.connections.get(user_id)
        return connection.state if connection else ConnectionState.DISCONNECTED

    def completeness(self, user_id: str, first: date, last: date) -> list[Day]:
        """How complete a user's days are; no days for a user who never connected."""
        stores, state = self.stores, self.stores.states.get(user_id)
        if state is None:
            return []
        return current_days(stores.reading_store, stores.completeness, state, first, last, self.clock.now())

    def new_order(
        self,
        user_id: str,
        correlation_id: str,
        *,
        kind: JobKind = JobKind.INCREMENTAL,
        window: Window | None = None,
    ) -> Order:
        """An order for what an API caller asked for."""
        job_id = ids.new_id(self.clock.now())
        return Order(user_id, job_id, kind, Trigger.API, correlation_id, window)

    def waiting_order(self, user_id: str, window: Window | None) -> Order | None:
        """The order of an earlier API call for the same range, if it still waits in the queue."""
        now = self.clock.now()
        recent = self.stores.jobs.newest_first(user_id, page_items_max=_WAITING_JOBS_SEEN)
        for job in islice(recent, _WAITING_JOBS_SEEN):
            same = job.order.trigger is Trigger.API and job.order.kind is JobKind.INCREMENTAL
            touched_at = job.finished_at or job.order.requested_at
            if same and job.order.window == window and not job.is_over and now - touched_at < _WAITING_MAX:
                return replace(job.order, deferrals=job.failure.attempts if job.failure else 0)
        return None

    def enqueue(self, order: Order) -> Job:
        """Let the worker carry out an order."""
        return enqueue(order, jobs=self.stores.jobs, send=self.jobs_queue.send)

    def run_or_enqueue(self, order: Order, time_left_s: TimeLeft, *, is_queued: bool = False) -> SyncResult:
        """Run an order now; the rest is queued, unless the order is in the queue already."""
        try:
            result = self.carry_out(order, time_left_s)
        except Exception:
            if not is_queued:
                self.jobs_queue.send([order])  # Its job is deferred by now.
            raise
        # A caller with the answer that a sync is running retries, or waits for that one.
        if not result.busy and not (is_queued and result.retry_in_s is not None):
            worker.follow_up(order, result, self.jobs_queue, self.clock, self.jitter)
        return result

    def handle_delivery(self, delivery: Delivery, time_left_s: TimeLeft) -> DeliveryResult:
        """Carry out one message of the jobs queue."""
        return worker.handle_delivery(
            delivery,
            sync=lambda order: self.carry_out(order, time_left_s),
            fail_job=lambda order, received: fail_undeliverable(
                order, received, self.stores.jobs, self.clock
            ),
            jobs_queue=self.jobs_queue,
            clock=self.clock,
            jitter=self.jitter,
        )

    def carry_out(self, order: Order, time_left_s: TimeLeft) -> SyncResult:
        """Store the records an order carries, or fetch what it asks for."""
        self.observer.started(order)
        try:
            result = self._carry_out(order, time_left_s)
        except Exception:
            self.observer.crashed()
            raise
        self.observer.finished(result)
        return result

    def _carry_out(self, order: Order, time_left_s: TimeLeft) -> SyncResult:
        if order.payload is not None:
            return store_pushed(
                order,
                stores=self.stores,
                connections=self.connections,
                providers=self.providers,
                clock=self.clock,
            )
        source = ConnectedProvider(self.connections, self.tokens, self.providers, time_left_s)
        self._mend(order)
        return sync_user(order, stores=self.stores, source=source, clock=self.clock, time_left_s=time_left_s)

    def _mend(self, order: Order) -> None:
        """Repair what a crash of an earlier version or a lost message left behind."""
        if order.trigger is Trigger.API and mend_polling(self.connections, self.stores.states, order.user_id):
            self.observer.mended("polling", 1)
        if order.kind is JobKind.RECONCILE and order.trigger is Trigger.SCHEDULE:
            failed = fail_abandoned(order.user_id, self.stores.jobs, self.clock)
            if failed:
                self.observer.mended("jobs", failed)
