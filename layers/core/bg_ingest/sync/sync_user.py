"""
Syncing one user: take the lease, fetch what is missing, store it, free the lease with the outcome.

A poll begins without the lease. It takes it only if tokens have to be refreshed: then it has fetched nothing.

A sync may end at any point, by a crash or by time running out, and may be repeated by any process. What it
stored is stored once. What it did not store is still a gap, or below the history's cursor, for the next sync.

    outcome                                     job          order                          polling
    ------------------------------------------  -----------  -----------------------------  --------------
    all is fetched                              succeeded    done                           continues
    the time was too short                      deferred     the rest is requeued at once   continues
    the provider is busy or down                deferred     retried, with growing delays   continues
     ... and no retry is left                   failed       dropped                        continues
    the user has to log in (again)              failed       dropped                        stops
    another provider account answers            failed       dropped                        stops
    the quota is spent                          deferred     retried, as often as needed    continues
    a later sync has fetched what a poll would  succeeded    done                           continues
    the next poll is due before this one ran    failed       dropped                        continues
    the response cannot be read                 failed       dropped                        continues
    an error of this service                    deferred     message stays in the queue     continues
    another sync holds the lease: see `_busy`
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.accounts.vault import NotConnected
from bg_ingest.providers.errors import (
    CircuitOpen,
    Crowded,
    OutOfTime,
    ProviderError,
    QuotaSpent,
    TokenRejected,
    TryLater,
)
from bg_ingest.sync import job as jobs
from bg_ingest.sync import quiet_polls
from bg_ingest.sync.connected_provider import AccountChanged
from bg_ingest.sync.dispatching import poll_slots
from bg_ingest.sync.job import Counts, Failure, Job, JobStatus, SyncResult
from bg_ingest.sync.jobs import under_living_job
from bg_ingest.sync.run import LeaseLost, LeaseNeeded, Run
from bg_ingest.sync.state import Busy, Superseded, Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock
    from bg_ingest.sync.job import Order
    from bg_ingest.sync.run import SourceOf, Stores


def sync_user(
    order: Order,
    *,
    stores: Stores,
    source: SourceOf,
    clock: Clock,
    time_left_s: Callable[[], float],
) -> SyncResult:
    """Carry out one order."""
    # A poll has no stored job before its first run; looking for one would cost every poll a read.
    order, stored = (order, None) if order.is_poll else under_living_job(order, stores.jobs)
    if stored and stored.is_over:
        return SyncResult(stored)
    before = stored.counts if stored else Counts()
    begun = stores.states.look(order) if order.is_poll else None
    if isinstance(begun, Turn):
        try:
            return _carry_out(Run(order, begun, stores, source, clock, time_left_s))
        except LeaseNeeded:
            begun = None
    match begun or stores.states.take(order):
        case None:
            return SyncResult(fail_not_connected(order, stores, clock), counts=Counts())
        case Superseded(served):
            return _superseded(order, stores, clock, served=served)
        case Busy(running):
            return _busy(order, running, stores, clock)
        case turn:
            return _carry_out(Run(order, turn, stores, source, clock, time_left_s, counted_before=before))


def _carry_out(run: Run) -> SyncResult:
    try:
        rest = run.carry_out()
    except LeaseLost:
        return _busy(run.order, None, run.stores, run.clock)
    except LeaseNeeded:
        raise
    except (NotConnected, AccountChanged, ProviderError) as error:
        return _end_failed(run, error)
    except Exception:
        # Release the lease even so: no other sync should have to wait until it expires.
        with suppress(Exception):
            _end(run, JobStatus.DEFERRED, Failure(jobs.INTERNAL, retryable=True))
        raise
    # A reconciliation may order a history: that is another job.
    same_job = rest is not None and rest.job_id == run.order.job_id
    job = _end(run, JobStatus.DEFERRED if same_job else JobStatus.SUCCEEDED)
    overdue_s = _overdue_s(run)
    return SyncResult(
        job,
        rest=rest,
        provider=run.provider,
        newest_at=run.data_until,
        counts=run.counts,
        overdue_s=overdue_s,
    )


def _overdue_s(run: Run) -> float | None:
    """How long the readings of a poll waited beyond the planned interval; None if it stored none."""
    state = run.turn.state
    if not (run.order.is_poll and run.counts.stored and state.slot and state.last_success_at):
        return None
    waited_s = (run.clock.now() - state.last_success_at).total_seconds()
    return max(waited_s - poll_slots.interval_of(state.slot) * run.order.stretch_percent / 100, 0.0)


def fail_not_connected(order: Order, stores: Stores, clock: Clock) -> Job:
    """The failed job of an order for a user who is not connected."""
    now = clock.now()
    failure = Failure(jobs.NOT_CONNECTED, retryable=False)
    job = Job(order, JobStatus.FAILED, now, now, failure=failure)
    if stores.jobs.get(order.user_id, order.job_id):
        stores.jobs.save(job)  # Only a job that a caller knows of: an erased user leaves no traces.
    return job


def _superseded(order: Order, stores: Stores, clock: Clock, *, served: bool) -> SyncResult:
    """End a poll that is not needed any more; only an earlier run has stored a job for it."""
    stored = stores.jobs.get(order.user_id, order.job_id)
    if stored and not stored.is_over:
        failure = stored.failure or Failure(jobs.SUPERSEDED, retryable=True)
        status, reason = (JobStatus.SUCCEEDED, None) if served else (JobStatus.FAILED, failure)
        stored = replace(stored, status=status, finished_at=clock.now(), failure=reason)
        stores.jobs.save(stored)
    return SyncResult(stored, superseded=True)


def _busy(order: Order, running: Job | None, stores: Stores, clock: Clock) -> SyncResult:
    """
    Another sync holds the lease, or took it over.

        order                             tries left    result
        a poll without a stored job       any           dropped: the running sync fetches what it would
        any other                         yes           requeued
        any other                         no            dropped; its job fails, unless it is the running job
    """
    tries_left = order.may_defer(called=False)
    requeued = SyncResult(running, busy=True, retry_in_s=0.0)
    if tries_left and not order.is_poll:
        return requeued
    stored = stores.jobs.get(order.user_id, order.job_id)
    if stored and tries_left:
        return requeued
    if stored and running and running.order.job_id != order.job_id:
        failure = Failure(jobs.SYNC_RUNNING, retryable=True, attempts=order.deferrals + 1)
        failed = replace(stored, status=JobStatus.FAILED, finished_at=clock.now(), failure=failure)
        stores.jobs.save(failed)
    return SyncResult(running, busy=True)


def _end_failed(run: Run, error: NotConnected | AccountChanged | ProviderError) -> SyncResult:
    match error:
        case NotConnected() | AccountChanged():
            return _stop_polling(run, error)
        case TryLater() | TokenRejected():
            return _retry_or_fail(run, error)
    return _fail(run, type(error).__name__)


def _retry_or_fail(run: Run, error: TryLater | TokenRejected) -> SyncResult:
    # A token that is rejected right after its refresh is the provider's failure: only a dead refresh token
    # ends a connection. A refusal of our own client leaves more tries: the provider was not called.
    called = not isinstance(error, CircuitOpen | Crowded | QuotaSpent)
    tried = not isinstance(error, QuotaSpent)
    if tried and not run.order.may_defer(called=called):
        return _fail(run, type(error).__name__, retryable=True)
    failure = Failure(type(error).__name__, retryable=True, attempts=run.order.deferrals + 1)
    return SyncResult(
        _end(run, JobStatus.DEFERRED, failure),
        retry_in_s=getattr(error, "retry_after_s", None) or 0.0,
        tried=tried,
        rest=run.order if isinstance(error, OutOfTime) else None,
        provider=run.provider,
        newest_at=run.data_until,
        counts=run.counts,
    )


def _stop_polling(run: Run, error: NotConnected | AccountChanged) -> SyncResult:
    match error:
        case NotConnected(state=ConnectionState.NEEDS_REAUTH):
            failure = jobs.REAUTHORIZATION_NEEDED
        case NotConnected():
            failure = jobs.NOT_CONNECTED
        case AccountChanged():
            failure = jobs.ACCOUNT_CHANGED
    return _fail(run, failure, stop_polling=True)


def _fail(run: Run, failure: str, *, retryable: bool = False, stop_polling: bool = False) -> SyncResult:
    reason = Failure(failure, retryable=retryable, attempts=run.order.deferrals + 1)
    job = _end(run, JobStatus.FAILED, reason, stop_polling=stop_polling)
    return SyncResult(job, provider=run.provider, newest_at=run.data_until, counts=run.counts)


def _end(run: Run, status: JobStatus, failure: Failure | None = None, *, stop_polling: bool = False) -> Job:
    """Store the job and the outcome, and move the user to the poll slot they now belong on."""
    states, state, now = run.stores.states, run.turn.state, run.clock.now()
    counts = run.counted_before + run.counts
    job = Job(run.order, status, run.turn.began_at, now, run.window, counts, failure)
    if quiet_polls.is_quiet(job, state):
        ended = _end_with_record(run, job)
    else:
        # The job first: a crash in between costs the rest of a lease; in the other order, the job's counts.
        run.stores.jobs.save(job)
        ended = _end_turn(run, failure, stop_polling=stop_polling)
    if ended and not stop_polling:
        states.move_slot(state, run.data_until)
    return job


def _end_with_record(run: Run, job: Job) -> bool:
    """End the turn together with the record of a quiet poll; if that is refused, the job gets an item."""
    jobs_stored, state = run.stores.jobs, run.turn.state
    records = quiet_polls.with_record(state.polls, job)
    try:
        if not run.turn.has_room(run.covered, records):
            records = jobs_stored.save_polls(state.user_id, records)
        ended = _end_turn(run, polls=records)
    except Exception:
        jobs_stored.save(job)
        raise
    if not ended:
        jobs_stored.save(job)
    return ended


def _end_turn(
    run: Run, failure: Failure | None = None, polls: bytes | None = None, *, stop_polling: bool = False
) -> bool:
    return run.stores.states.end(
        run.turn,
        succeeded=failure is None,
        error=failure.type if failure else "",
        data_until=run.data_until,
        fresh_at=run.fresh_at,
        reconciled_at=run.reconciled_at,
        covered=run.covered,
        polls=polls,
        stop_polling=stop_polling,
    )
