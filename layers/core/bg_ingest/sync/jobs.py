"""
The jobs of the last thirty days: one item per job, and one for a dozen quiet polls, in the users table.

A job whose message is lost is sent again or becomes failed, so that no job says `deferred` for a month:

    what happened to the message                  found by                             the job
    an order failed at its last delivery          the worker, at once                  failed: internal
    sent never, or lost before the first try      the user's next reconciliation       sent again
     ... and again                                the reconciliation of the day after  failed: abandoned
    lost after a try                              the user's next reconciliation       failed: abandoned

The failed job is published as `bg.sync.failed`. If an operator puts the message back into the queue, then it
is carried out as a new job whose id follows the dead job's id.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from bg_ingest.clock import AFTER_EVERY_ID, from_iso, new_id, to_iso
from bg_ingest.dynamo import Change
from bg_ingest.sync import quiet_polls
from bg_ingest.sync.job import ABANDONED, INTERNAL, Counts, Failure, Job, JobKind, JobStatus, Order, Trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table
    from bg_ingest.sync.state import SyncState


_PREFIX = "job#"
_POLLS_PREFIX = "polls#"
_KEPT = timedelta(days=30)
# SQS moves a message to the dead letters after so many deliveries; a test compares it with the template.
DELIVERIES_MAX = 5
# Longer than any delay of a message: SQS hides a message for at most twelve hours.
ABANDONED_AFTER = timedelta(hours=24)
# Each reconciliation looks at the jobs of two days, and at two more hours for one that came early.
_SWEPT = timedelta(hours=50)
# On the first of these days a job that was never tried is sent again.
_SENT_AGAIN_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Jobs:
    """The job items."""

    table: Table
    clock: Clock

    def save(self, job: Job) -> bool:
        """Store a job's state; False if the stored job has ended, which no later write changes."""
        unknown = "attribute_not_exists(pk)"
        not_over = "job_status IN (:queued, :running, :deferred)"
        write = self.table.put(
            _to_item(job, expires_at_s=int((self.clock.now() + _KEPT).timestamp())),
            f"{unknown} OR {not_over}",
            {":queued": JobStatus.QUEUED, ":running": JobStatus.RUNNING, ":deferred": JobStatus.DEFERRED},
        )
        return write.accepted

    def queued(self, order: Order) -> tuple[Job, Change]:
        """A new job and the write that stores it, for a transaction with others."""
        job = Job(order, JobStatus.QUEUED, window=order.window)
        item = _to_item(job, expires_at_s=int((self.clock.now() + _KEPT).timestamp()))
        return job, Change(item["pk"], item["sk"], item=item)

    def get(self, user_id: str, job_id: str) -> Job | None:
        """One job of this user; None if it is unknown or expired."""
        item = self.table.get(user_id, _PREFIX + job_id)
        return _from_item(item) if item else None

    def newest_first(
        self, user_id: str, before: str | None = None, *, page_items_max: int | None = None
    ) -> Iterator[Job]:
        """A user's jobs from the newest back, or from the one before the job `before`."""
        upper = _PREFIX + (before or "g")  # Ids are hexadecimal, so "g" sorts after all of them.
        for item in self.table.query(
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": user_id, ":first": _PREFIX, ":last": upper},
            descending=True,
            page_items_max=page_items_max,
        ):
            if item["sk"] != upper:
                yield _from_item(item)

    def ordered_between(self, user_id: str, start: datetime, end: datetime) -> Iterator[Job]:
        """A user's jobs that were ordered in `[start, end)`, oldest first."""
        first, last = (_PREFIX + new_id(edge, "0" * 16) for edge in (start, end))
        for item in self.table.query(
            "pk = :pk AND sk BETWEEN :first AND :last", {":pk": user_id, ":first": first, ":last": last}
        ):
            if item["sk"] != last:
                yield _from_item(item)

    def save_polls(self, user_id: str, records: bytes) -> bytes:
        """
        Store the records of quiet polls as one item; return those that are not in it.

        All are, unless a crashed run has left an item that begins with the same poll.
        """
        write = self.table.put(
            {
                "pk": user_id,
                "sk": _POLLS_PREFIX + quiet_polls.name_of(records),
                quiet_polls.RECORDS: records,
                "expires_at": int((self.clock.now() + _KEPT).timestamp()),
            },
            "attribute_not_exists(pk)",
        )
        if write.accepted or write.item is None:
            return b""
        return quiet_polls.without(records, quiet_polls.records_of(write.item))

    def quiet_poll(self, user_id: str, job_id: str) -> Job | None:
        """The quiet poll with this id, if its record has moved into an item."""
        # The record is in the item that begins with this poll or with the last one before.
        newest = self._polls_items(user_id, job_id, page_items_max=1)
        polls = (poll for item in islice(newest, 1) for poll in _polls_of(item))
        return next((poll for poll in polls if poll.order.job_id == job_id), None)

    def quiet_polls_newest_first(self, user_id: str, before: str | None = None) -> Iterator[Job]:
        """A user's quiet polls whose records have moved into items, from the newest or from `before` back."""
        for item in self._polls_items(user_id, before or AFTER_EVERY_ID):
            polls = list(_polls_of(item))
            yield from (poll for poll in reversed(polls) if not before or poll.order.job_id < before)

    def quiet_polls_of(self, state: SyncState, before: str | None = None) -> list[Job]:
        """The quiet polls whose records are in the sync item, the newest first."""
        oldest = self.clock.now() - _KEPT
        polls = quiet_polls.polls_in(state.polls, state.user_id)
        kept = (poll for poll in polls if poll.finished_at and poll.finished_at > oldest)
        return [poll for poll in kept if not before or poll.order.job_id < before][::-1]

    def _polls_items(self, user_id: str, upper: str, page_items_max: int | None = None) -> Iterator[Item]:
        # A record that has just left the sync item must not be missing for a second.
        return self.table.query(
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": user_id, ":first": _POLLS_PREFIX, ":last": _POLLS_PREFIX + upper},
            descending=True,
            consistent=True,
            page_items_max=page_items_max,
        )


def enqueue(order: Order, *, jobs: Jobs, send: Callable[[Iterable[Order]], None]) -> Job:
    """Store the job first, so that its address answers at once; then queue its order."""
    job = Job(order, JobStatus.QUEUED, window=order.window)
    jobs.save(job)
    send([order])
    return job


def fail_undeliverable(order: Order, deliveries: int, jobs: Jobs, clock: Clock) -> None:
    """Record the end of a job whose message is about to become a dead letter."""
    order, stored = under_living_job(order, jobs)
    if stored and not stored.is_over:  # An erased user's order leaves no trace.
        _fail(stored, Failure(INTERNAL, retryable=True, attempts=deliveries), jobs, clock)


def mend_abandoned(
    user_id: str, jobs: Jobs, clock: Clock, send: Callable[[Iterable[Order]], None]
) -> tuple[int, int]:
    """Send a user's jobs that were never tried again, and end those that no message can continue any more."""
    until = clock.now() - ABANDONED_AFTER
    found = [
        job
        for job in jobs.ordered_between(user_id, until - _SWEPT, until)
        if not job.is_over and (job.finished_at or job.order.requested_at) < until
    ]
    untried = [
        job
        for job in found
        if job.status is JobStatus.QUEUED and job.order.requested_at >= until - _SENT_AGAIN_FOR
    ]
    send([job.order for job in untried])
    ended = [job for job in found if job not in untried]
    for job in ended:
        attempts = job.failure.attempts if job.failure else 1
        _fail(job, Failure(ABANDONED, retryable=True, attempts=attempts), jobs, clock)
    return len(untried), len(ended)


def under_living_job(order: Order, jobs: Jobs) -> tuple[Order, Job | None]:
    """The order under the job that it is carried out as, and that job if it is stored."""
    stored = jobs.get(order.user_id, order.job_id)
    while stored and stored.failure and stored.is_over and stored.failure.type in {INTERNAL, ABANDONED}:
        order = replace(order, job_id=_next_id(order.job_id))
        successor = jobs.get(order.user_id, order.job_id)
        if successor is None:
            successor = Job(order, JobStatus.QUEUED, window=order.window)
            jobs.save(successor)
        stored = successor
    return order, stored


def _to_item(job: Job, expires_at_s: int) -> Item:
    order, counts, failure = job.order, job.counts, job.failure
    return {
        "pk": order.user_id,
        "sk": _PREFIX + order.job_id,
        "kind": order.kind,
        "trigger": order.trigger,
        "correlation_id": order.correlation_id,
        "job_status": job.status,
        "started_at": to_iso(job.started_at),
        "finished_at": to_iso(job.finished_at),
        "asked": [to_iso(edge) for edge in order.window] if order.window else None,
        "window": [to_iso(edge) for edge in job.window] if job.window else None,
        "counts": [counts.fetched, counts.stored, counts.revised, counts.duplicates],
        "invalid": dict(counts.invalid),
        "failure": {"type": failure.type, "retryable": failure.retryable, "attempts": failure.attempts}
        if failure
        else None,
        **({"source": order.source} if order.source else {}),
        "expires_at": expires_at_s,
    }


def _from_item(item: Item) -> Job:
    edges = _window(item["window"])
    return Job(
        order=Order(
            user_id=item["pk"],
            job_id=item["sk"].removeprefix(_PREFIX),
            kind=JobKind(item["kind"]),
            trigger=Trigger(item["trigger"]),
            correlation_id=item["correlation_id"],
            # Jobs stored before this attribute existed do not separate the requested from the fetched range.
            window=_window(item["asked"]) if "asked" in item else edges,
            source=item.get("source", ""),
        ),
        status=JobStatus(item["job_status"]),
        started_at=from_iso(item["started_at"]),
        finished_at=from_iso(item["finished_at"]),
        window=edges,
        counts=_counts_from_item(item),
        failure=Failure(**item["failure"]) if item["failure"] else None,
    )


def _polls_of(item: Item) -> Iterator[Job]:
    return quiet_polls.polls_in(quiet_polls.records_of(item), item["pk"])


def _window(edges: list[str] | None) -> tuple[datetime, datetime] | None:
    return (datetime.fromisoformat(edges[0]), datetime.fromisoformat(edges[1])) if edges else None


def _counts_from_item(item: Item) -> Counts:
    fetched, stored, revised, duplicates = item["counts"]
    return Counts(fetched, stored, revised, duplicates, tuple(sorted(item["invalid"].items())))


def _fail(job: Job, failure: Failure, jobs: Jobs, clock: Clock) -> None:
    finished_at: datetime = clock.now()
    jobs.save(replace(job, status=JobStatus.FAILED, finished_at=finished_at, failure=failure))


def _next_id(job_id: str) -> str:
    return f"{int(job_id, 16) + 1:0{len(job_id)}x}"
