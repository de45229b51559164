"""
Storing the records that a webhook carried.

Storing takes no lease. A lease keeps two syncs from fetching the same; here nothing is fetched, and an hour
is written by compare-and-swap. So the records are readable at once, even while a long history is being
fetched. It does not count as a successful sync: only polls make the data complete, and whether those still
work is not known from here. An erasure needs no lease against it either (erasing/erase.py): it removes the
connection first, so nothing starts after it, and what started before has ended at its second look.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.accounts.sealing import SealBroken
from bg_ingest.providers.errors import ContractBroken
from bg_ingest.sync import job as jobs
from bg_ingest.sync.job import Counts, Failure, Job, JobStatus, SyncResult
from bg_ingest.sync.jobs import under_living_job
from bg_ingest.sync.orders.queue import PayloadUnreadable, unpack
from bg_ingest.sync.sync_user import fail_not_connected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from bg_ingest.accounts.connection import Connection, Connections
    from bg_ingest.clock import Clock
    from bg_ingest.providers.seam import Fetched, Provider
    from bg_ingest.sync.job import Order
    from bg_ingest.sync.run import Stores
    from bg_ingest.sync.state import SyncState


def store_pushed(
    order: Order,
    *,
    stores: Stores,
    connections: Connections,
    providers: Mapping[str, Provider],
    open_payload: Callable[[str, str], bytes],
    clock: Clock,
) -> SyncResult:
    """Carry out an order that carries its records."""
    assert order.payload is not None  # noqa: S101 - the caller has checked it.
    order, stored = under_living_job(order, stores.jobs)
    assert order.payload is not None  # noqa: S101 - the same order, possibly under another job.
    if stored and stored.is_over:
        return SyncResult(stored)
    key = order.user_id, order.source
    connection, state = connections.get(*key), stores.states.get(*key)
    # Each of these orders had a job when it was sent. Without one its user was erased, and may be new since.
    connected = connection is not None and connection.state is not ConnectionState.DISCONNECTED
    if stored is None or connection is None or state is None or not connected:
        return SyncResult(fail_not_connected(order, stores, clock), counts=Counts())
    now = clock.now()
    try:
        pushed = providers[connection.endpoint.provider].parse_pushed(
            unpack(open_payload(order.user_id, order.payload)), now
        )
    except (SealBroken, PayloadUnreadable, ContractBroken):
        return _failed(order, stores, clock, now, jobs.UNREADABLE)
    if _is_of_another_account(connection, pushed):
        return _failed(order, stores, clock, now, jobs.ACCOUNT_CHANGED)
    try:
        # Stored as fetched when the webhook was accepted: what a poll has fetched since is newer.
        counts = stores.save(order.user_id, pushed, order.requested_at)
    except Exception:
        with suppress(Exception):  # The message stays in the queue and is delivered again.
            failure = Failure(jobs.INTERNAL, retryable=True)
            stores.jobs.save(Job(order, JobStatus.DEFERRED, now, failure=failure))
        raise
    instants = [reading.at for reading in pushed.readings]
    window = (min(instants), max(instants) + timedelta(seconds=1)) if instants else None
    job = Job(order, JobStatus.SUCCEEDED, now, clock.now(), window, counts)
    stores.jobs.save(job)
    if instants:
        _record_newest(state, stores, max(instants))
    return SyncResult(job, counts=counts)


def _is_of_another_account(connection: Connection, pushed: Fetched) -> bool:
    """Whether both accounts are known and differ. Only a sync decides which account is the user's."""
    known = {connection.account, pushed.account_id_hash} - {None}
    return len(known) > 1


def _failed(order: Order, stores: Stores, clock: Clock, started_at: datetime, failure: str) -> SyncResult:
    job = Job(order, JobStatus.FAILED, started_at, clock.now(), failure=Failure(failure, retryable=False))
    stores.jobs.save(job)
    return SyncResult(job, counts=Counts())


def _record_newest(state: SyncState, stores: Stores, newest: datetime) -> None:
    """A user whose data had stopped is polled at full rate again from the first new reading on."""
    stores.states.record_newest(state, newest)
    stores.states.move_slot(state, max(filter(None, (newest, state.data_until))))
