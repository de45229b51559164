"""A sync job: what was asked for, and what became of it."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from bg_ingest.utc import from_iso, to_iso


class JobKind(StrEnum):
    """How far back a job looks."""

    INCREMENTAL = "incremental"
    BACKFILL = "backfill"
    RECONCILE = "reconcile"


class Trigger(StrEnum):
    """Who asked."""

    SCHEDULE = "schedule"
    API = "api"
    CONNECTION = "connection"
    WEBHOOK = "webhook"


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DEFERRED = "deferred"  # Back in the queue: it will go on later.


# A poll that the provider kept from succeeding is tried twice more; after that the next poll is the retry.
_POLL_DEFERRALS_MAX = 2
# One for which the provider was not even called, because of somebody else's trouble, gets more: four waits
# last some three minutes, less than the shortest interval.
_POLL_REFUSALS_MAX = 4
# Everything else somebody waits for: some four days of quarter hours, longer than any outage so far.
_DEFERRALS_MAX = 400


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asked for; travels through the queue as JSON."""

    user_id: str = field(repr=False)
    job_id: str
    kind: JobKind
    trigger: Trigger
    correlation_id: str
    window: tuple[datetime, datetime] | None = None  # Only where the caller named one.
    deferrals: int = 0  # How often it was put off, for reasons that are not ours.
    not_before: datetime | None = None  # The provider asked for patience until then.
    payload: str | None = field(default=None, repr=False)  # What a webhook carried: nothing is to be fetched.

    @property
    def is_poll(self) -> bool:
        """Whether the schedule asks for this again before long."""
        return self.kind is JobKind.INCREMENTAL and self.trigger is Trigger.SCHEDULE

    def may_defer(self, *, called: bool = True) -> bool:
        """Whether it is worth another try later; `called` is whether the provider has seen this one."""
        if self.is_poll:
            return self.deferrals < (_POLL_DEFERRALS_MAX if called else _POLL_REFUSALS_MAX)
        return self.deferrals < _DEFERRALS_MAX

    @property
    def asked_at(self) -> datetime:
        """When the job was asked for: its id begins with it."""
        return datetime.fromtimestamp(int(self.job_id[:12], 16) / 1000, UTC)

    def for_history(self, now: datetime) -> Order:
        """An order of its own for the same user's history."""
        return Order(self.user_id, new_job_id(now), JobKind.BACKFILL, self.trigger, self.correlation_id)

    def as_message(self) -> dict[str, Any]:
        """The form it has in the queue."""
        return {
            "user_id": self.user_id,
            "job_id": self.job_id,
            "kind": self.kind,
            "trigger": self.trigger,
            "correlation_id": self.correlation_id,
            "window": [edge.isoformat() for edge in self.window] if self.window else None,
            "deferrals": self.deferrals,
            "not_before": to_iso(self.not_before),
            "brought": self.payload,
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Order:
        """Read a message of ours; raises on one that is not."""
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
            payload=message.get("brought"),
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened to the records a job fetched."""

    fetched: int = 0
    stored: int = 0
    revised: int = 0
    duplicates: int = 0
    invalid: tuple[tuple[str, int], ...] = ()  # How many for each reason.

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
    """Why a job did not succeed, and whether trying again can help."""

    type: str
    retryable: bool
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it is remembered."""

    order: Order
    status: JobStatus
    started_at: datetime | None = None
    finished_at: datetime | None = None
    window: tuple[datetime, datetime] | None = None
    counts: Counts = Counts()
    failure: Failure | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in {JobStatus.SUCCEEDED, JobStatus.FAILED}


def new_job_id(now: datetime) -> str:
    """An id that sorts by time: twelve hexadecimal digits of milliseconds, then randomness."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(8)}"


# What a sync hands back to whoever asked for it.
# How these failures are called in a job; what a caller is told depends on the first two.
NOT_CONNECTED = "not-connected"
REAUTHORIZATION_NEEDED = "reauthorization-needed"
ACCOUNT_CHANGED = "account-changed"
SYNC_RUNNING = "sync-running"  # Another one was at it, every time.
UNREADABLE = "unreadable"
INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class SyncResult:
    """
    What one sync did; the caller decides what that means for its own caller.

    `job` is the finished job, or the one that is running already when `busy`. `again_in_s` says when the
    order is worth another try; None when it is not. `rest` is what did not fit into the time there was.
    `counts` is what this run did, where the job's are of all its runs; None without a run.
    """

    job: Job | None
    busy: bool = False
    again_in_s: float | None = None
    rest: Order | None = None
    newest_at: datetime | None = None  # Of everything that is stored now.
    counts: Counts | None = None

    @property
    def unfinished(self) -> bool:
        """Whether there is more to do than fitted."""
        return self.rest is not None

    def facts(self) -> dict[str, Any]:
        """What a log line may say about it."""
        if self.job is None or self.counts is None:
            return {"busy": self.busy}
        counts, failure = self.job.counts, self.job.failure
        return {
            "status": self.job.status,
            "kind": self.job.order.kind,
            "trigger": self.job.order.trigger,
            "fetched": counts.fetched,
            "stored": counts.stored,
            "revised": counts.revised,
            "duplicates": counts.duplicates,
            "invalid": sum(count for _, count in counts.invalid),
            "error": failure.type if failure else None,
        }
