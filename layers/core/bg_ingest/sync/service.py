"""The sync engine as its callers use it: the API orders syncs and reads their state, the worker runs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from bg_ingest.accounts.connection import FIRST_SOURCE, ConnectionState
from bg_ingest.clock import new_id
from bg_ingest.readings.completeness import DAY
from bg_ingest.readings.delays import median_delays
from bg_ingest.sync import worker
from bg_ingest.sync.completeness_store import current_days
from bg_ingest.sync.connected_provider import ConnectedProvider
from bg_ingest.sync.job import JobKind, Order, SyncResult, Trigger
from bg_ingest.sync.job_history import JobHistory
from bg_ingest.sync.jobs import enqueue, fail_undeliverable, mend_abandoned
from bg_ingest.sync.local_completeness import compute_local_days
from bg_ingest.sync.orders.pushed_records import store_pushed
from bg_ingest.sync.state import NOT_POLLED
from bg_ingest.sync.sync_user import sync_user
from bg_ingest.sync.user_sources import sources_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

    from bg_ingest.accounts.connection import Connections
    from bg_ingest.clock import Clock
    from bg_ingest.providers.seam import Provider
    from bg_ingest.readings.completeness import Day
    from bg_ingest.readings.delays import Delays
    from bg_ingest.readings.stored.stored_reading import StoredReading
    from bg_ingest.sync.connected_provider import AccessTokens
    from bg_ingest.sync.dispatching.poll_stretch import PollStretch
    from bg_ingest.sync.job import Job
    from bg_ingest.sync.orders.queue import JobsQueue
    from bg_ingest.sync.run import Stores
    from bg_ingest.sync.state import SyncState, SyncStates
    from bg_ingest.sync.user_sources import UserSource
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
    open_payload: Callable[[str, str], bytes]
    jobs_queue: JobsQueue
    observer: SyncObserver
    clock: Clock
    jitter: Callable[[], float]
    poll_interval_s: int

    @property
    def history(self) -> JobHistory:
        """The jobs that the API lists."""
        return JobHistory(self.stores.jobs, self.stores.states)

    def sources(self, user_id: str) -> list[UserSource]:
        """All sources that a user has or had."""
        return sources_of(self.connections, self.stores.states, user_id)

    def provider_of(self, user_id: str, source: str = FIRST_SOURCE) -> str | None:
        """The provider of a source, which never changes; None for the first source of an unknown user."""
        if source:
            return source
        connection = self.connections.get(user_id)
        return connection.endpoint.provider if connection else None

    def completeness(self, user_id: str, first: date, last: date, *, local: bool = False) -> list[Day]:
        """How complete a user's days are; no days for a user who never connected."""
        stores, states, now = self.stores, self.stores.states.of_user(user_id), self.clock.now()
        if not states:
            return []
        if local:
            return list(compute_local_days(stores.reading_store, states, first, last, now))
        return current_days(stores.reading_store, stores.completeness, states, first, last, now)

    def local_date(self, user_id: str) -> date:
        """Today by the offset of the user's newest reading; by UTC if that is unknown."""
        newest = self.stores.reading_store.latest(user_id)
        offset = newest.reading.local_offset_minutes if newest else None
        return (self.clock.now() + timedelta(minutes=offset or 0)).date()

    def last_day(self, user_id: str) -> list[StoredReading]:
        """The readings of the last 24 hours."""
        now = self.clock.now()
        return list(self.stores.reading_store.between(user_id, now - DAY, now))

    def delays(
        self, state: SyncState, stretch: PollStretch, last_day: Iterable[StoredReading]
    ) -> Delays | None:
        """How late this source's readings of the last day were stored; None without such readings."""
        interval_s = state.interval_in_effect_s(stretch) or state.poll_interval_s
        interval = timedelta(seconds=interval_s)
        return median_delays(last_day, state.connected_at, interval, relayed=state.relays)

    def new_order(
        self,
        user_id: str,
        correlation_id: str,
        *,
        kind: JobKind = JobKind.INCREMENTAL,
        window: Window | None = None,
        source: str = FIRST_SOURCE,
    ) -> Order:
        """An order for what an API caller asked for."""
        job_id = new_id(self.clock.now())
        return Order(user_id, job_id, kind, Trigger.API, correlation_id, window, source=source)

    def waiting_order(
        self,
        user_id: str,
        window: Window | None,
        kind: JobKind = JobKind.INCREMENTAL,
        source: str = FIRST_SOURCE,
    ) -> Order | None:
        """The order of an earlier API call for the same range, if it still waits in the queue."""
        now = self.clock.now()
        recent = self.stores.jobs.newest_first(user_id, page_items_max=_WAITING_JOBS_SEEN)
        for job in islice(recent, _WAITING_JOBS_SEEN):
            same = (job.order.trigger, job.order.kind, job.order.source) == (Trigger.API, kind, source)
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
                open_payload=self.open_payload,
                clock=self.clock,
            )
        source = partial(ConnectedProvider, self.connections, self.tokens, self.providers)
        mended = self._mend_polling(order)
        if order.repairs and not mended:
            return SyncResult(None, superseded=True)
        self._mend_jobs(order)
        return sync_user(order, stores=self.stores, source=source, clock=self.clock, time_left_s=time_left_s)

    def _mend_polling(self, order: Order) -> bool:
        """Poll a connected user again whose polls a crash of an earlier version has lost."""
        sources = []
        if order.repairs:
            sources = [connection.source for connection in self.connections.of_user(order.user_id)]
        elif order.trigger is Trigger.API:
            sources = [order.source]
        mended = [
            mend_polling(self.connections, self.stores.states, self.providers, order.user_id, source)
            for source in sources
        ]
        if any(mended):
            self.observer.mended("polling", sum(mended))
        return any(mended)

    def _mend_jobs(self, order: Order) -> None:
        """Send jobs again whose message is lost."""
        if order.kind is JobKind.RECONCILE and order.trigger is Trigger.SCHEDULE:
            mended = mend_abandoned(order.user_id, self.stores.jobs, self.clock, self.jobs_queue.send)
            for what, jobs in zip(("jobs sent again", "jobs"), mended, strict=True):
                if jobs:
                    self.observer.mended(what, jobs)


def mend_polling(
    connections: Connections,
    states: SyncStates,
    providers: Mapping[str, Provider],
    user_id: str,
    source: str = FIRST_SOURCE,
) -> bool:
    """
    Poll a connected user whose login was stored without its poll slot; return whether that was so.

    Before logins were one transaction, a throttled write could leave that. A user whose polling a sync has
    stopped since the login, because another account answered, stays unpolled.
    """
    state = states.get(user_id, source)
    if state and state.slot:
        return False
    connection = connections.get(user_id, source)
    if connection is None or connection.state is not ConnectionState.CONNECTED:
        return False
    if state and state.connected_at >= connection.connected_at:
        return False
    own_interval_s = state.own_interval_s if state else None
    offered = providers[connection.endpoint.provider].capabilities
    # If another process has just done the same, its sync must not lose the lease.
    return states.start_polling(
        user_id,
        own_interval_s,
        connection.data_from,
        source,
        own_pace=offered.own_server,
        relays=offered.relays,
        condition=NOT_POLLED,
    )
