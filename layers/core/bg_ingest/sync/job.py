"""A sync job: what was asked for, and what became of it."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from bg_ingest.sync.instants import from_text, to_text


class Kind(StrEnum):
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


class Status(StrEnum):
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
    kind: Kind
    trigger: Trigger
    correlation_id: str
    window: tuple[datetime, datetime] | None = None  # Only where the caller named one.
    deferrals: int = 0  # How often it was put off, for reasons that are not ours.
    not_before: datetime | None = None  # The provider asked for patience until then.
    brought: str | None = field(default=None, repr=False)  # What a webhook carried: nothing is to be fetched.

    @property
    def is_poll(self) -> bool:
        """Whether the schedule asks for this again before long."""
        return self.kind is Kind.INCREMENTAL and self.trigger is Trigger.SCHEDULE

    def may_be_put_off(self, *, called: bool = True) -> bool:
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
        return Order(self.user_id, new_job_id(now), Kind.BACKFILL, self.trigger, self.correlation_id)

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
            "not_before": to_text(self.not_before),
            "brought": self.brought,
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Order:
        """Read a message of ours; raises on one that is not."""
        window = message["window"]
        return cls(
            user_id=message["user_id"],
            job_id=message["job_id"],
            kind=Kind(message["kind"]),
            trigger=Trigger(message["trigger"]),
            correlation_id=message["correlation_id"],
            window=(datetime.fromisoformat(window[0]), datetime.fromisoformat(window[1])) if window else None,
            deferrals=message.get("deferrals", 0),
            not_before=from_text(message.get("not_before")),
            brought=message.get("brought"),
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
    status: Status
    started_at: datetime | None = None
    finished_at: datetime | None = None
    window: tuple[datetime, datetime] | None = None
    counts: Counts = Counts()
    failure: Failure | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in {Status.SUCCEEDED, Status.FAILED}


def new_job_id(now: datetime) -> str:
    """An id that sorts by time: twelve hexadecimal digits of milliseconds, then randomness."""
    return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(8)}"
