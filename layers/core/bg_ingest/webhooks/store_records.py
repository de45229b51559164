"""
Storing what a webhook brought: the same reading of records, and the same merge, as of what a sync fetched.

It takes no lease. A lease keeps two syncs from asking the provider for the same; here nothing is asked for,
and an hour is written by compare-and-swap whoever writes it. So what was sent is readable at once, also
while a history of hours is being fetched. Nor does it count as a successful sync: that a provider sends says
nothing about whether polls, which alone make the data complete, still work.

An erasure does without the lease as well (erasing/erase.py): the connection is its first victim, so nothing
is begun after it, and what was begun before has ended when the second look is taken.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import State
from bg_ingest.providers.dexcom.responses import Egvs, parse_egvs
from bg_ingest.providers.errors import ContractBroken
from bg_ingest.sync.job import (
    ACCOUNT_CHANGED,
    INTERNAL,
    UNREADABLE,
    Counts,
    Failure,
    Job,
    JobStatus,
    SyncResult,
)
from bg_ingest.sync.sync_user import fail_not_connected
from bg_ingest.webhooks.payload import PayloadUnreadable, unpack

if TYPE_CHECKING:
    from datetime import datetime

    from bg_ingest.accounts.connection import Connection, Connections
    from bg_ingest.clock import Clock
    from bg_ingest.sync.job import Order
    from bg_ingest.sync.run import Stores
    from bg_ingest.sync.state import SyncState

# What the envelope of records may say beside them, as the provider's own answer does.
_ENVELOPE = ("records", "unit", "rateUnit", "userId")


def store_records(order: Order, *, stores: Stores, connections: Connections, clock: Clock) -> SyncResult:
    """Carry out an order that brought its records along."""
    assert order.payload is not None  # noqa: S101 - whoever calls this has looked.
    known = stores.jobs.get(order.user_id, order.job_id)
    if known and known.is_over:
        return SyncResult(known)
    connection, state = connections.get(order.user_id), stores.states.get(order.user_id)
    # Every such order had a job when it was sent. Without one its user was erased, and may be here anew.
    if known is None or connection is None or state is None or connection.state is State.DISCONNECTED:
        return SyncResult(fail_not_connected(order, stores, clock), counts=Counts())
    now = clock.now()
    try:
        data = unpack(order.payload)
        payload = parse_egvs({name: data[name] for name in _ENVELOPE if name in data}, now)
    except (PayloadUnreadable, ContractBroken):
        return SyncResult(_over(order, stores, clock, now, failure=UNREADABLE), counts=Counts())
    if _is_of_another(connection, payload):
        return SyncResult(_over(order, stores, clock, now, failure=ACCOUNT_CHANGED), counts=Counts())
    try:
        counts = _save(order, stores, payload)
    except Exception:
        # Ours to mend; the queue hands it out again.
        with suppress(Exception):
            failure = Failure(INTERNAL, retryable=True)
            stores.jobs.keep(Job(order, JobStatus.DEFERRED, now, failure=failure))
        raise
    job = _over(order, stores, clock, now, payload=payload, counts=counts)
    _note_newest(state, stores, payload, clock)
    return SyncResult(job, counts=counts)


def _is_of_another(connection: Connection, payload: Egvs) -> bool:
    """Two people's readings must not become one history; which account is theirs only a sync decides."""
    return None not in {payload.account_id_hash, connection.account} and (
        payload.account_id_hash != connection.account
    )


def _save(order: Order, stores: Stores, payload: Egvs) -> Counts:
    # As if fetched when it was accepted: what a poll has fetched since is newer.
    saved = stores.reading_store.save(order.user_id, payload.readings, order.asked_at)
    # After the readings: a record that cannot be read must not keep those that can from being stored.
    stores.quarantine(order.user_id, payload.rejected)
    invalid = tuple(sorted(Counter(payload.reasons).items()))
    records = len(payload.readings) + len(payload.rejected)
    return Counts(records, saved.stored, saved.revised, saved.duplicates, invalid)


def _over(
    order: Order,
    stores: Stores,
    clock: Clock,
    started_at: datetime,
    *,
    payload: Egvs | None = None,
    counts: Counts | None = None,
    failure: str | None = None,
) -> Job:
    instants = [reading.at for reading in payload.readings] if payload else []
    job = Job(
        order,
        JobStatus.FAILED if failure else JobStatus.SUCCEEDED,
        started_at,
        clock.now(),
        window=(min(instants), max(instants) + timedelta(seconds=1)) if instants else None,
        counts=counts or Counts(),
        failure=Failure(failure, retryable=False) if failure else None,
    )
    stores.jobs.keep(job)
    return job


def _note_newest(state: SyncState, stores: Stores, payload: Egvs, clock: Clock) -> None:
    """Somebody whose data had stopped is polled at full pace again with the first reading that comes back."""
    newest = max((reading.at for reading in payload.readings), default=None)
    if newest is None:
        return
    stores.states.note_newest(state, newest)
    seat = state.slot_now(max(filter(None, (newest, state.data_until))), clock.now())
    if state.seat and state.seat != seat:
        stores.states.reseat(state.user_id, state.seat, seat)
