"""
Syncing one user: take the lease, fetch what is missing, store it, give the lease back with what came of it.

A sync may end anywhere, by a crash or by time running out, and be run again by anybody: what it stored is
stored once, and what it did not store is still a gap, or below the history's cursor, for the next one.

    what went wrong                     the job          the order                     polling
    ----------------------------------  ---------------  ----------------------------  ----------------
    the provider is busy or down        deferred         again, later and later        goes on
    the time did not last               deferred         the rest of it, at once       goes on
    the person has to log in (again)    failed           gone                          stops until then
    another provider account answers    failed           gone                          stops until then
    an answer nobody can read           failed           gone                          goes on
    anything of ours                    deferred         stays; in the end among the   goes on
                                                         dead letters
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import State
from bg_ingest.accounts.vault import NotConnected
from bg_ingest.providers.errors import CircuitOpen, Crowded, OutOfTime, ProviderError, TokenRejected, TryLater
from bg_ingest.sync.connected_provider import AccountChanged
from bg_ingest.sync.job import (
    ACCOUNT_CHANGED,
    INTERNAL,
    NOT_CONNECTED,
    REAUTHORIZATION_NEEDED,
    SYNC_RUNNING,
    Counts,
    Failure,
    Job,
    JobStatus,
    SyncResult,
)
from bg_ingest.sync.run import LeaseLost, Run
from bg_ingest.sync.state import Busy

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.sync.job import Order
    from bg_ingest.sync.run import Provider, Stores

    Failed = NotConnected | AccountChanged | ProviderError


def sync_user(
    order: Order,
    *,
    stores: Stores,
    provider: Provider,
    clock: Clock,
    time_left_s: Callable[[], float],
) -> SyncResult:
    """Carry out one order."""
    # A poll has no job before it has run; asking for it would cost every poll a read.
    known = None if order.is_poll else stores.jobs.get(order.user_id, order.job_id)
    if known and known.is_over:
        return SyncResult(known)
    taken = stores.states.take(order)
    if taken is None:
        return SyncResult(fail_not_connected(order, stores, clock), counts=Counts())
    if isinstance(taken, Busy):
        return _busy(order, taken.job, stores, clock)
    run = Run(order, taken, stores, provider, clock, time_left_s)
    if known:
        run.counted_before = known.counts
    try:
        rest = run.carry_out()
    except LeaseLost:
        return _busy(order, None, stores, clock)
    except (NotConnected, AccountChanged, ProviderError) as error:
        return _failed(run, error)
    except Exception:
        # Ours to mend. Nobody should have to wait for the lease to expire, whatever else is broken.
        with suppress(Exception):
            _end(run, JobStatus.DEFERRED, Failure(INTERNAL, retryable=True))
        raise
    # Another job's order is no rest of this one.
    own_rest = rest is not None and rest.job_id == order.job_id
    job = _end(run, JobStatus.DEFERRED if own_rest else JobStatus.SUCCEEDED)
    return SyncResult(job, rest=rest, newest_at=run.data_until, counts=run.counts)


def _busy(order: Order, running: Job | None, stores: Stores, clock: Clock) -> SyncResult:
    # Whoever is at it fetches what a poll would have; everything else waits for its turn, and so does a poll
    # that has been tried before: its job says that it goes on.
    tries_left = order.may_defer(called=False)
    kept = None if tries_left and not order.is_poll else stores.jobs.get(order.user_id, order.job_id)
    if tries_left and (kept or not order.is_poll):
        return SyncResult(running, busy=True, again_in_s=0.0)
    if kept and running and running.order.job_id != order.job_id:
        failure = Failure(SYNC_RUNNING, retryable=True, attempts=order.deferrals + 1)
        stores.jobs.keep(replace(kept, status=JobStatus.FAILED, finished_at=clock.now(), failure=failure))
    return SyncResult(running, busy=True)


def fail_not_connected(order: Order, stores: Stores, clock: Clock) -> Job:
    """The failed job of an order about somebody who is not connected."""
    now = clock.now()
    job = Job(order, JobStatus.FAILED, now, now, failure=Failure(NOT_CONNECTED, retryable=False))
    if stores.jobs.get(order.user_id, order.job_id):
        stores.jobs.keep(job)  # Only what was promised an answer: an erased user leaves no traces.
    return job


def _failed(run: Run, error: Failed) -> SyncResult:
    # A token that is refused right after its refresh is the provider's trouble, not the person's:
    # only a dead refresh token ends a connection.
    later = isinstance(error, TryLater | TokenRejected)
    # Nobody loses a poll because a neighbour's trouble made us patient.
    fail_not_connected = isinstance(error, CircuitOpen | Crowded)
    again = later and run.order.may_defer(called=not fail_not_connected)
    failure = Failure(_name_of(error), retryable=later, attempts=run.order.deferrals + 1)
    job = _end(run, JobStatus.DEFERRED if again else JobStatus.FAILED, failure)
    if isinstance(error, NotConnected | AccountChanged):
        run.stores.states.give_up(run.lease)  # Until the person connects, polling is pointless.
    asked_s = getattr(error, "retry_after_s", None) or 0.0
    timed_out = again and isinstance(error, OutOfTime)
    return SyncResult(
        job,
        again_in_s=asked_s if again else None,
        rest=run.order if timed_out else None,
        newest_at=run.data_until,
        counts=run.counts,
    )


def _name_of(error: Failed) -> str:
    match error:
        case NotConnected(state=State.NEEDS_REAUTH):
            return REAUTHORIZATION_NEEDED
        case NotConnected():
            return NOT_CONNECTED
        case AccountChanged():
            return ACCOUNT_CHANGED
    return type(error).__name__


def _end(run: Run, status: JobStatus, failure: Failure | None = None) -> Job:
    """Keep the job, give the lease back, and let the user sit where they belong by now."""
    states, state, now = run.stores.states, run.lease.state, run.clock.now()
    counts = run.counted_before + run.counts
    job = Job(run.order, status, state.last_attempt_at, now, run.window, counts, failure)
    # The job first: a crash in between costs the rest of a lease, the other way round the job's counts.
    run.stores.jobs.keep(job)
    ours = states.release(
        run.lease,
        succeeded=failure is None,
        data_until=run.data_until,
        reconciled_at=run.reconciled_at,
    )
    seat = state.slot_now(run.data_until, now)
    if ours and state.seat and state.seat != seat:
        states.reseat(state.user_id, state.seat, seat)
    return job
