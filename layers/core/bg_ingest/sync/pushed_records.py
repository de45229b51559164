"""
The records that a webhook carried: packed for the queue, and stored by the worker.

The body travels as it was signed, compressed, as base64 text. SQS takes one mebibyte of text, and not every
character of it. A body of 256 KiB is at most 342 KiB this way; as JSON inside JSON it could be four times its
size. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html

Storing takes no lease. A lease keeps two syncs from fetching the same; here nothing is fetched, and an hour
is written by compare-and-swap. So the records are readable at once, even while a long history is being
fetched. It does not count as a successful sync: only polls make the data complete, and whether those still
work is not known from here. An erasure needs no lease against it either (erasing/erase.py): it removes the
connection first, so nothing starts after it, and what started before has ended at its second look.
"""

from __future__ import annotations

import base64
import json
import zlib
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.providers.errors import ContractBroken
from bg_ingest.sync import job as jobs
from bg_ingest.sync.dead_jobs import under_living_job
from bg_ingest.sync.job import Counts, Failure, Job, JobStatus, SyncResult
from bg_ingest.sync.sync_user import fail_not_connected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bg_ingest.accounts.connection import Connection, Connections
    from bg_ingest.clock import Clock
    from bg_ingest.providers.seam import Fetched, Provider
    from bg_ingest.sync.job import Order
    from bg_ingest.sync.run import Stores
    from bg_ingest.sync.state import SyncState

BODY_BYTES_MAX = 262_144


class PayloadUnreadable(Exception):
    """A packed body that cannot be unpacked."""


def pack(body: bytes) -> str:
    """The body as text for the queue."""
    return base64.b64encode(zlib.compress(body)).decode("ascii")


def unpack(packed: str) -> dict[str, Any]:
    """The `data` member of a packed body; raises PayloadUnreadable."""
    try:
        # The limit keeps a forged message from growing beyond what can have been packed.
        body = zlib.decompressobj().decompress(base64.b64decode(packed), BODY_BYTES_MAX)
        data = parse_body(body)["data"]
    except (ValueError, zlib.error, KeyError, TypeError) as error:
        raise PayloadUnreadable(type(error).__name__) from None
    if not isinstance(data, dict):
        raise PayloadUnreadable("data is not an object")
    return data


def parse_body(body: bytes) -> Any:
    """A body as JSON; raises ValueError if it is invalid, nested too deep, or has endless numbers."""
    # Python's own parser, as for the provider's responses: half a surrogate pair costs only its own record.
    try:
        return json.loads(body.decode())
    except RecursionError:
        raise ValueError("nested too deep") from None


def store_pushed(
    order: Order,
    *,
    stores: Stores,
    connections: Connections,
    providers: Mapping[str, Provider],
    clock: Clock,
) -> SyncResult:
    """Carry out an order that carries its records."""
    assert order.payload is not None  # noqa: S101 - the caller has checked it.
    order, stored = under_living_job(order, stores.jobs)
    assert order.payload is not None  # noqa: S101 - the same order, possibly under another job.
    if stored and stored.is_over:
        return SyncResult(stored)
    connection, state = connections.get(order.user_id), stores.states.get(order.user_id)
    # Each of these orders had a job when it was sent. Without one its user was erased, and may be new since.
    connected = connection is not None and connection.state is not ConnectionState.DISCONNECTED
    if stored is None or connection is None or state is None or not connected:
        return SyncResult(fail_not_connected(order, stores, clock), counts=Counts())
    now = clock.now()
    try:
        pushed = providers[connection.endpoint.provider].parse_pushed(unpack(order.payload), now)
    except (PayloadUnreadable, ContractBroken):
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
        _record_newest(state, stores, max(instants), clock)
    return SyncResult(job, counts=counts)


def _is_of_another_account(connection: Connection, pushed: Fetched) -> bool:
    """Whether both accounts are known and differ. Only a sync decides which account is the user's."""
    known = {connection.account, pushed.account_id_hash} - {None}
    return len(known) > 1


def _failed(order: Order, stores: Stores, clock: Clock, started_at: datetime, failure: str) -> SyncResult:
    job = Job(order, JobStatus.FAILED, started_at, clock.now(), failure=Failure(failure, retryable=False))
    stores.jobs.save(job)
    return SyncResult(job, counts=Counts())


def _record_newest(state: SyncState, stores: Stores, newest: datetime, clock: Clock) -> None:
    """A user whose data had stopped is polled at full rate again from the first new reading on."""
    stores.states.record_newest(state, newest)
    slot = state.slot_now(max(filter(None, (newest, state.data_until))), clock.now())
    if state.slot and state.slot != slot:
        stores.states.move_slot(state.user_id, state.slot, slot)
