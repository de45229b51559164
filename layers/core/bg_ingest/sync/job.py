"""A sync job: what was asked for, what became of it, and where that is kept."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bg_ingest.clock import Clock
    from bg_ingest.dynamo import Item, Table

_PREFIX = "job#"
_KEPT = timedelta(days=30)


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

    @property
    def may_be_put_off(self) -> bool:
        """Whether it is worth another try later."""
        return self.deferrals < (_POLL_DEFERRALS_MAX if self.is_poll else _DEFERRALS_MAX)

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
            "not_before": _text(self.not_before),
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
            not_before=_instant(message.get("not_before")),
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


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of the last thirty days, in the users table."""

    table: Table
    clock: Clock

    def keep(self, job: Job) -> bool:
        """Remember a job as it stands now; False for one that is over, whose outcome nothing changes."""
        unknown = "attribute_not_exists(pk)"
        going_on = "job_status IN (:queued, :running, :deferred)"
        write = self.table.put(
            _to_item(job, expires_at_s=int((self.clock.now() + _KEPT).timestamp())),
            f"{unknown} OR {going_on}",
            {":queued": Status.QUEUED, ":running": Status.RUNNING, ":deferred": Status.DEFERRED},
        )
        return write.accepted

    def get(self, user_id: str, job_id: str) -> Job | None:
        """One job, if it is this user's and still remembered."""
        item = self.table.get(user_id, _PREFIX + job_id)
        return _from_item(item) if item else None

    def newest_first(self, user_id: str, before: str | None = None) -> Iterator[Job]:
        """A user's jobs from the newest back, or from the one before `before`."""
        # ":" and "$" stand right after the last hexadecimal digit and right before the first.
        upper = _PREFIX + (before or "g")
        for item in self.table.query(
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": user_id, ":first": _PREFIX, ":last": upper},
            descending=True,
        ):
            if item["sk"] != upper:
                yield _from_item(item)


def _to_item(job: Job, expires_at_s: int) -> Item:
    order, counts = job.order, job.counts
    return {
        "pk": order.user_id,
        "sk": _PREFIX + order.job_id,
        "kind": order.kind,
        "trigger": order.trigger,
        "correlation_id": order.correlation_id,
        "job_status": job.status,
        "started_at": _text(job.started_at),
        "finished_at": _text(job.finished_at),
        "window": [edge.isoformat() for edge in job.window] if job.window else None,
        "counts": [counts.fetched, counts.stored, counts.revised, counts.duplicates],
        "invalid": dict(counts.invalid),
        "failure": {
            "type": job.failure.type,
            "retryable": job.failure.retryable,
            "attempts": job.failure.attempts,
        }
        if job.failure
        else None,
        "expires_at": expires_at_s,
    }


def _from_item(item: Item) -> Job:
    window = item["window"]
    edges = (datetime.fromisoformat(window[0]), datetime.fromisoformat(window[1])) if window else None
    return Job(
        order=Order(
            user_id=item["pk"],
            job_id=item["sk"].removeprefix(_PREFIX),
            kind=Kind(item["kind"]),
            trigger=Trigger(item["trigger"]),
            correlation_id=item["correlation_id"],
            window=edges,
        ),
        status=Status(item["job_status"]),
        started_at=_instant(item["started_at"]),
        finished_at=_instant(item["finished_at"]),
        window=edges,
        counts=_counts(item),
        failure=Failure(**item["failure"]) if item["failure"] else None,
    )


def _counts(item: Item) -> Counts:
    fetched, stored, revised, duplicates = item["counts"]
    return Counts(fetched, stored, revised, duplicates, tuple(sorted(item["invalid"].items())))


def _text(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat() if instant else None


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
