"""Jobs, sync states and completeness as JSON."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.clock import rfc_3339
from bg_ingest.http_api.answers.source_json import LastErrorJson, SourceJson, last_error_as_json
from bg_ingest.http_api.description import Instant
from bg_ingest.readings.gaps import INTERVAL
from bg_ingest.sync.dispatching import poll_slots
from bg_ingest.sync.job import JobKind, JobStatus, Trigger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bg_ingest.readings.completeness import Day
    from bg_ingest.readings.delays import Delays
    from bg_ingest.sync.dispatching.poll_stretch import PollStretch
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
    provider: Annotated[
        str | None, Field(description="The source that the job fetches from", examples=["nightscout"])
    ]


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
    next_expected_at: Annotated[
        Instant | None,
        Field(description="When a newer reading can be stored at the earliest; null if not polled"),
    ]
    provider_delay_seconds: Annotated[
        int | None,
        Field(
            description="From measurement until the provider serves it, the median of the last day",
            ge=0,
            examples=[3660],
        ),
    ]
    our_delay_seconds: Annotated[
        int | None,
        Field(
            description="From then until it is stored, the median of the last day",
            ge=0,
            examples=[420],
        ),
    ]
    poll_interval_seconds: Annotated[
        int, Field(description="The interval that the user chose, or the default")
    ]
    poll_interval_in_effect_seconds: Annotated[
        int | None, Field(description="The interval now; null if not polled", examples=[1800])
    ]
    poll_interval_reason: Annotated[
        str,
        Field(description="Why that interval is in effect", examples=["Polls run at the chosen interval."]),
    ]
    backfill: BackfillJson
    running_job: str | None
    provider: Annotated[
        str | None,
        Field(
            description="The source that this is the state of: the asked one, or that with the newest data"
        ),
    ]
    sources: list[SourceJson]


class DayGapJson(TypedDict):
    """A range of time without readings."""

    from_: Annotated[Instant, Field(alias="from")]
    to: Instant


class CompleteDayJson(TypedDict):
    """The completeness of one day: `expected` is always the sum of the four numbers after it."""

    date: date
    expected: Annotated[int, Field(ge=0, examples=[288])]
    received: Annotated[int, Field(ge=0, description="Received in time")]
    late: Annotated[int, Field(ge=0, description="Received more than four hours after the measurement")]
    missing: Annotated[int, Field(ge=0, description="Not received within four hours after the measurement")]
    pending: Annotated[int, Field(ge=0, description="Not received, measured less than four hours ago")]
    gaps: list[DayGapJson]


class CompletenessJson(TypedDict):
    """The completeness of each day that a reconciliation has compared with the provider."""

    days: list[CompleteDayJson]


class SettingsJson(TypedDict):
    """The settings of a user."""

    poll_interval_seconds: Annotated[int, Field(examples=[900])]


_NOT_POLLED = "This user is not connected, so no poll runs."


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
    state: SyncState | None,
    connection: ConnectionState,
    default_interval_s: int,
    now: datetime,
    stretch: PollStretch,
    delays: Delays | None = None,
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
                    "next_expected_at",
                    "provider_delay_seconds",
                    "our_delay_seconds",
                    "running_job",
                    "poll_interval_in_effect_seconds",
                )
            ),
            "connection": connection,
            "consecutive_failures": 0,
            "poll_interval_seconds": default_interval_s,
            "poll_interval_reason": _NOT_POLLED,
            "backfill": {"done": False, "from": None, "reached": None},
        }
    return {
        "connection": connection,
        "last_success_at": rfc_3339(state.last_success_at),
        "last_attempt_at": rfc_3339(state.last_attempt_at),
        "data_until": rfc_3339(state.data_until),
        "last_error": last_error_as_json(state, connection),
        "consecutive_failures": state.failures,
        "next_poll_at": rfc_3339(_next_poll(state, stretch, now)),
        "next_expected_at": rfc_3339(_next_expected(state, delays, stretch, now)),
        "provider_delay_seconds": delays and delays.provider_s,
        "our_delay_seconds": delays and delays.our_s,
        "poll_interval_seconds": state.poll_interval_s,
        "poll_interval_in_effect_seconds": state.interval_in_effect_s(stretch),
        "poll_interval_reason": _interval_reason(state, stretch),
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
                "pending": day.pending,
                "gaps": [{"from": rfc_3339(gap.start), "to": rfc_3339(gap.end)} for gap in day.gaps],
            }
            for day in days
        ]
    }


def _interval_reason(state: SyncState, stretch: PollStretch) -> str:
    """Why the interval in effect is as long as it is."""
    if state.slot is None:
        return _NOT_POLLED
    interval_s = poll_slots.interval_of(state.slot)
    reasons = []
    if interval_s > state.poll_interval_s:
        reasons.append(f"No new reading came for a day or longer, so a poll every {interval_s} s is enough.")
    if stretch.percent > 100 and not poll_slots.has_own_pace(state.slot):
        reasons.append(
            "The provider's quota of calls is too small for the number of users:"
            f" all intervals are {stretch.percent / 100:.2f} times as long."
        )
    return " ".join(reasons) or "Polls run at the chosen interval."


def _next_expected(
    state: SyncState, delays: Delays | None, stretch: PollStretch, now: datetime
) -> datetime | None:
    """The first poll that can find a newer reading: the provider serves it after its usual delay."""
    if state.data_until is None:
        return _next_poll(state, stretch, now)
    served_at = state.data_until + INTERVAL + timedelta(seconds=delays.provider_s if delays else 0)
    return _next_poll(state, stretch, max(now, served_at - timedelta(seconds=1)))


def _next_poll(state: SyncState, stretch: PollStretch, now: datetime) -> datetime | None:
    if state.slot is None:
        return None
    minute = stretch.next_due_minute(state.slot, int(now.timestamp()) // 60)
    return datetime.fromtimestamp(minute * 60, UTC)
