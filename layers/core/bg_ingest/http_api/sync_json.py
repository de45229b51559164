"""Jobs, sync states and completeness as JSON."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.http_api.description import Instant
from bg_ingest.http_api.last_error import LastErrorJson, last_error_as_json
from bg_ingest.sync import poll_slots
from bg_ingest.sync.job import JobKind, JobStatus, Trigger
from bg_ingest.utc import rfc_3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.readings.completeness import Day
    from bg_ingest.sync.job import Job
    from bg_ingest.sync.state import SyncState


class WindowJson(TypedDict):
    """A range of time."""

    from_: Annotated[Instant, Field(alias="from")]
    to: Instant


class JobCountsJson(TypedDict):
    """The number of records that a job fetched, by what happened to them."""

    fetched: Annotated[int, Field(ge=0)]
    stored: Annotated[int, Field(ge=0)]
    revised: Annotated[int, Field(ge=0)]
    duplicates: Annotated[int, Field(ge=0)]
    invalid: Annotated[int, Field(ge=0)]


class InvalidRecordsJson(TypedDict):
    """The number of records that were rejected for one reason."""

    reason: Annotated[str, Field(examples=["value-missing"])]
    count: Annotated[int, Field(ge=1)]


class JobErrorJson(TypedDict):
    """The reason why a job failed."""

    type: str
    retryable: bool
    attempts: Annotated[int, Field(ge=1)]


class JobJson(TypedDict):
    """One sync: its order, its status and its result."""

    job_id: Annotated[str, Field(pattern="^[0-9a-f]{28}$", examples=["019b0c2f5d4e0123456789abcdef"])]
    kind: JobKind
    trigger: Trigger
    status: JobStatus
    started_at: Instant | None
    finished_at: Instant | None
    window: WindowJson | None
    counts: JobCountsJson
    invalid: list[InvalidRecordsJson]
    error: JobErrorJson | None
    correlation_id: str


class BackfillJson(TypedDict):
    """How much of a user's history has been fetched; it is fetched from the newest reading backwards."""

    done: bool
    from_: Annotated[Instant | None, Field(alias="from")]
    reached: Instant | None


class SyncStateJson(TypedDict):
    """The state of a user's syncing."""

    connection: ConnectionState
    last_success_at: Instant | None
    last_attempt_at: Instant | None
    data_until: Instant | None
    last_error: LastErrorJson | None
    consecutive_failures: Annotated[int, Field(ge=0)]
    next_poll_at: Instant | None
    poll_interval_seconds: int
    backfill: BackfillJson
    running_job: str | None


class DayGapJson(TypedDict):
    """A range of time without readings."""

    from_: Annotated[Instant, Field(alias="from")]
    to: Instant


class CompleteDayJson(TypedDict):
    """The completeness of one UTC day."""

    date: date
    expected: Annotated[int, Field(ge=0, examples=[288])]
    received: Annotated[int, Field(ge=0)]
    late: Annotated[int, Field(ge=0, description="Received more than four hours after the measurement")]
    missing: Annotated[int, Field(ge=0)]
    gaps: list[DayGapJson]


class CompletenessJson(TypedDict):
    """The completeness of each day that a reconciliation has compared with the provider."""

    days: list[CompleteDayJson]


class SettingsJson(TypedDict):
    """The settings of a user."""

    poll_interval_seconds: Annotated[int, Field(examples=[900])]


def job_as_json(job: Job) -> dict[str, Any]:
    """One job."""
    counts, failure = job.counts, job.failure
    return {
        "job_id": job.order.job_id,
        "kind": job.order.kind,
        "trigger": job.order.trigger,
        "status": job.status,
        "started_at": rfc_3339(job.started_at),
        "finished_at": rfc_3339(job.finished_at),
        "window": {"from": rfc_3339(job.window[0]), "to": rfc_3339(job.window[1])} if job.window else None,
        "counts": {
            "fetched": counts.fetched,
            "stored": counts.stored,
            "revised": counts.revised,
            "duplicates": counts.duplicates,
            "invalid": counts.invalid_total,
        },
        "invalid": [{"reason": reason, "count": count} for reason, count in counts.invalid],
        "error": {"type": failure.type, "retryable": failure.retryable, "attempts": failure.attempts}
        if failure
        else None,
        "correlation_id": job.order.correlation_id,
    }


def state_as_json(
    state: SyncState | None, connection: ConnectionState, default_interval_s: int, now: datetime
) -> dict[str, Any]:
    """One user's sync state; an unknown user looks like one who never connected."""
    if state is None:
        return {
            **dict.fromkeys(
                (
                    "last_success_at",
                    "last_attempt_at",
                    "data_until",
                    "last_error",
                    "next_poll_at",
                    "running_job",
                )
            ),
            "connection": connection,
            "consecutive_failures": 0,
            "poll_interval_seconds": default_interval_s,
            "backfill": {"done": False, "from": None, "reached": None},
        }
    return {
        "connection": connection,
        "last_success_at": rfc_3339(state.last_success_at),
        "last_attempt_at": rfc_3339(state.last_attempt_at),
        "data_until": rfc_3339(state.data_until),
        "last_error": last_error_as_json(state, connection),
        "consecutive_failures": state.failures,
        "next_poll_at": rfc_3339(_next_poll(state, now)),
        "poll_interval_seconds": state.poll_interval_s,
        "backfill": {
            "done": state.backfill.done,
            "from": rfc_3339(state.backfill.start),
            "reached": rfc_3339(state.backfill.reached),
        },
        "running_job": state.running.order.job_id if state.running else None,
    }


def days_as_json(days: Iterable[Day]) -> dict[str, Any]:
    """How complete these days are."""
    return {
        "days": [
            {
                "date": day.date.isoformat(),
                "expected": day.expected,
                "received": day.received,
                "late": day.late,
                "missing": day.missing,
                "gaps": [{"from": rfc_3339(gap.start), "to": rfc_3339(gap.end)} for gap in day.gaps],
            }
            for day in days
        ]
    }


def _next_poll(state: SyncState, now: datetime) -> datetime | None:
    if state.slot is None:
        return None
    minute = poll_slots.next_due_minute(state.slot, int(now.timestamp()) // 60)
    return datetime.fromtimestamp(minute * 60, UTC)
