"""Sync jobs: what was ordered, how it went, and what a sync hands back to its caller."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bg_ingest.clock import from_iso, made_at, made_at_ms, new_id, to_iso

# Failure types that the service itself names. An API caller's answer depends on the first two.
NOT_CONNECTED = "not-connected"
REAUTHORIZATION_NEEDED = "reauthorization-needed"
ACCOUNT_CHANGED = "account-changed"
SYNC_RUNNING = "sync-running"  # Another sync held the lease at every try.
UNREADABLE = "unreadable"
INTERNAL = "internal"
ABANDONED = "abandoned"  # No message can continue it any more.
SUPERSEDED = "superseded"  # A poll that waited until the next poll was due.

# A poll that failed at the provider is retried twice. After that the next poll is the retry.
_POLL_DEFERRALS_MAX = 2
# A poll that was refused locally, before the provider was called, is retried four times. Four delays last
# about three minutes, less than the shortest interval.
_POLL_REFUSALS_MAX = 4
# A caller waits for every other order: about four days of delays of 15 minutes, longer than any outage so
# far.
_DEFERRALS_MAX = 400


class JobKind(StrEnum):
    """How far back a job looks."""

    INCREMENTAL = "incremental"
    BACKFILL = "backfill"
    RECONCILE = "reconcile"


class Trigger(StrEnum):
    """What ordered the job."""

    SCHEDULE = "schedule"
    API = "api"
    CONNECTION = "connection"
    WEBHOOK = "webhook"


class JobStatus(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DEFERRED = "deferred"  # Back in the queue; it continues later.


@dataclass(frozen=True, slots=True)
class Order:
    """A request to sync one user; it travels through the queue as JSON."""

    user_id: str = field(repr=False)
    job_id: str
    kind: JobKind
    trigger: Trigger
    correlation_id: str
    window: tuple[datetime, datetime] | None = None  # Only where the caller named one.
    deferrals: int = 0  # How often it was deferred for reasons outside this service.
    not_before: datetime | None = None  # The provider asked us to wait until then.
    payload: str | None = field(default=None, repr=False)  # Sealed records of a webhook; nothing is fetched.
    # Of a poll: the seconds after which the schedule has ordered the next one.
    interval_s: int | None = None
    # Of a daily look at each user: polls begin again if the user is connected and not polled. Otherwise there
    # is nothing to do.
    repairs: bool = False
    stretch_percent: int = 100  # Of a poll: how much longer the intervals of all users are at the moment.
    source: str = ""  # The name of the user's source; see accounts.connection.
    is_retry: bool = False  # It was delivered or tried before, so a job may be stored for it.

    @property
    def is_poll(self) -> bool:
        """Whether the schedule orders this again soon anyway."""
        return self.kind is JobKind.INCREMENTAL and self.trigger is Trigger.SCHEDULE

    @property
    def requested_at(self) -> datetime:
        """When the job was ordered; its id begins with that time."""
        return made_at(self.job_id)

    @property
    def ordered_ms(self) -> int:
        """The same in epoch milliseconds; valid for every hexadecimal id."""
        return made_at_ms(self.job_id)

    def may_defer(self, *, called: bool = True) -> bool:
        """Whether it may be retried later; `called` says whether the provider received this try."""
        if self.is_poll:
            return self.deferrals < (_POLL_DEFERRALS_MAX if called else _POLL_REFUSALS_MAX)
        return self.deferrals < _DEFERRALS_MAX

    def for_history(self, now: datetime) -> Order:
        """A new order for the same user's history."""
        job_id = new_id(now)
        return Order(
            self.user_id, job_id, JobKind.BACKFILL, self.trigger, self.correlation_id, source=self.source
        )

    def as_message(self) -> dict[str, Any]:
        """The form it has in the queue."""
        return {
            "user_id": self.user_id,
            "job_id": self.job_id,
            "kind": self.kind,
            "trigger": self.trigger,
            "correlation_id": self.correlation_id,
            "window": [to_iso(edge) for edge in self.window] if self.window else None,
            "deferrals": self.deferrals,
            "not_before": to_iso(self.not_before),
            "sealed": self.payload,
            "interval_s": self.interval_s,
            "source": self.source,
            "stretch_percent": self.stretch_percent,
            "repairs": self.repairs,
            "is_retry": self.is_retry,
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Order:
        """Read a queue message; raises KeyError, ValueError or TypeError on an invalid one."""
        window = message["window"]
        return cls(
            user_id=message["user_id"],
            job_id=message["job_id"],
            kind=JobKind(message["kind"]),
            trigger=Trigger(message["trigger"]),
            correlation_id=message["correlation_id"],
            window=(datetime.fromisoformat(window[0]), datetime.fromisoformat(window[1])) if window else None,
            deferrals=message.get("deferrals", 0),
            not_before=from_iso(message.get("not_before")),
            payload=message.get("sealed"),
            interval_s=message.get("interval_s"),
            source=message.get("source", ""),
            stretch_percent=message.get("stretch_percent", 100),
            repairs=message.get("repairs", False),
            is_retry=message.get("is_retry", False),
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened to the records of a job."""

    fetched: int = 0
    stored: int = 0
    revised: int = 0
    duplicates: int = 0
    invalid: tuple[tuple[str, int], ...] = ()  # The number of records per rejection reason.

    @property
    def invalid_total(self) -> int:
        """Rejected records of all reasons."""
        return sum(count for _, count in self.invalid)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.fetched + other.fetched,
            self.stored + other.stored,
            self.revised + other.revised,
            self.duplicates + other.duplicates,
            tuple(sorted((Counter(dict(self.invalid)) + Counter(dict(other.invalid))).items())),
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job did not succeed, and whether a retry can help."""

    type: str
    retryable: bool
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """One job and its state."""

    order: Order
    status: JobStatus
    started_at: datetime | None = None
    finished_at: datetime | None = None
    window: tuple[datetime, datetime] | None = None
    counts: Counts = Counts()
    failure: Failure | None = None

    @property
    def is_over(self) -> bool:
        """Whether the job has ended for good."""
        return self.status in {JobStatus.SUCCEEDED, JobStatus.FAILED}


@dataclass(frozen=True, slots=True)
class SyncResult:
    """
    What one sync did.

    `job` is the finished job; when `busy`, the job that holds the lease. `superseded` is a poll that was not
    needed any more. `retry_in_s` is the delay before the order should be retried; None if it should not be.
    `tried` is whether the retry counts as one more try. `rest` is an order for the work that did not fit into
    the time. `counts` covers this run alone, where the job's counts cover all its runs; None without a run.
    """

    job: Job | None
    busy: bool = False
    superseded: bool = False
    retry_in_s: float | None = None
    tried: bool = True
    rest: Order | None = None
    newest_at: datetime | None = None  # The newest of the stored readings.
    provider: str | None = None  # It answered; None if it was not called, or has failed.
    counts: Counts | None = None
    overdue_s: float | None = None  # How much later than planned a poll stored new readings.

    def facts(self) -> dict[str, Any]:
        """The members of a log line about it."""
        if self.job is None or self.counts is None:
            return {"busy": self.busy, "superseded": self.superseded}
        counts, failure = self.job.counts, self.job.failure
        return {
            "status": self.job.status,
            "kind": self.job.order.kind,
            "trigger": self.job.order.trigger,
            "fetched": counts.fetched,
            "stored": counts.stored,
            "revised": counts.revised,
            "duplicates": counts.duplicates,
            "invalid": counts.invalid_total,
            "error": failure.type if failure else None,
        }
