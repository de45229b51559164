"""What answers look like; every test that calls the API holds what really comes back to these."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from bg_ingest.access.audit import AuditOutcome
from bg_ingest.accounts.connection import ConnectionState
from bg_ingest.sync.job import JobKind, JobStatus, Trigger

Instant = Annotated[datetime, Field(description="RFC 3339, in UTC with Z", examples=["2026-04-26T14:30:00Z"])]


class Device(BaseModel):
    """What measured and what uploaded a reading, as the provider spells it."""

    generation: str | None = Field(examples=["g7"])
    display: str | None = Field(examples=["iOS"])
    app: str | None = Field(examples=["G7"])


class Reading(BaseModel):
    """One glucose value of one person at one instant."""

    timestamp: Instant
    glucose_mg_dl: int = Field(description="Glucose in mg/dL", examples=[110])
    glucose_mmol_l: float | SkipJsonSchema[None] = Field(
        None, description="The same in mmol/L, one decimal, half up; only with `unit=mmol/L`", examples=[6.1]
    )
    trend: str | None = Field(description="As the provider names it", examples=["flat"])
    trend_rate: float | None = Field(description="mg/dL per minute", examples=[0.3])
    status: Literal["low", "high"] | None = Field(description="Outside what the sensor can measure")
    type: Literal["cgm", "manual", "calibration"] = Field(examples=["cgm"])
    local_offset_minutes: int | None = Field(description="Local time minus UTC", examples=[-420])
    stored_at: Instant
    revision: int = Field(description="How often the provider has corrected it", ge=0, examples=[0])
    device: Device


class LatestReading(Reading):
    """The newest reading, and how old it is."""

    age_seconds: int = Field(ge=0, examples=[132])


class Window(BaseModel):
    """A range of time."""

    from_: Instant = Field(alias="from")
    to: Instant


class JobCounts(BaseModel):
    """What happened to the records a job fetched."""

    fetched: int = Field(ge=0)
    stored: int = Field(ge=0)
    revised: int = Field(ge=0)
    duplicates: int = Field(ge=0)
    invalid: int = Field(ge=0)


class InvalidRecords(BaseModel):
    """Records that were no readings."""

    reason: str = Field(examples=["value-missing"])
    count: int = Field(ge=1)


class JobError(BaseModel):
    """Why a job did not succeed."""

    type: str
    retryable: bool
    attempts: int = Field(ge=1)


class Job(BaseModel):
    """A sync: what was asked for, and what became of it."""

    job_id: str = Field(pattern="^[0-9a-f]{28}$")
    kind: JobKind
    trigger: Trigger
    status: JobStatus
    started_at: Instant | None
    finished_at: Instant | None
    window: Window | None
    counts: JobCounts
    invalid: list[InvalidRecords]
    error: JobError | None
    correlation_id: str


class AcceptedWebhook(BaseModel):
    """A webhook was taken in; its job has the same correlation id."""

    status: Literal["accepted"]
    correlation_id: str


class DuplicateWebhook(BaseModel):
    """A webhook was taken in before."""

    status: Literal["duplicate"]


class Backfill(BaseModel):
    """How far a person's history has been fetched, newest first."""

    done: bool
    from_: Instant | None = Field(alias="from")
    reached: Instant | None


class SyncState(BaseModel):
    """Where a user's syncing stands."""

    connection: ConnectionState
    last_success_at: Instant | None
    last_attempt_at: Instant | None
    data_until: Instant | None
    consecutive_failures: int = Field(ge=0)
    next_poll_at: Instant | None
    poll_interval_seconds: int
    backfill: Backfill
    running_job: str | None


class DayGap(BaseModel):
    """A stretch without readings."""

    from_: Instant = Field(alias="from")
    to: Instant


class CompleteDay(BaseModel):
    """How complete one UTC day is."""

    date: date
    expected: int = Field(ge=0, examples=[288])
    received: int = Field(ge=0)
    late: int = Field(ge=0, description="Received more than four hours after it was measured")
    missing: int = Field(ge=0)
    gaps: list[DayGap]


class Completeness(BaseModel):
    """How complete the days are that a reconciliation has looked at."""

    days: list[CompleteDay]


class Settings(BaseModel):
    """What a person has chosen."""

    poll_interval_seconds: int = Field(examples=[900])


class AuditEntry(BaseModel):
    """Who did what to a person's data, and when."""

    at: Instant
    actor: str = Field(description="The subject of the caller's token")
    action: str = Field(examples=["GET /api/bg/{userId}"])
    outcome: AuditOutcome
    correlation_id: str


class Receipt(BaseModel):
    """What an erasure has removed."""

    receipt_id: str
    erased_at: Instant | None = Field(description="null while it goes on")
    removed: dict[str, int]


class Connection(BaseModel):
    """How a person's connection to the provider stands."""

    state: ConnectionState
    provider: str = Field(examples=["dexcom"])
    environment: str = Field(examples=["us"])
    connected_at: Instant | None
    data_from: Instant | None


class StartedLogin(BaseModel):
    """Where the person logs in, and until when that address is good."""

    authorize_url: str = Field(json_schema_extra={"format": "uri"})
    expires_at: Instant


class Health(BaseModel):
    """The service answers."""

    status: Literal["ok"]
    version: str


class Ready(BaseModel):
    """The service can work."""

    status: Literal["ok"]


class NotReady(BaseModel):
    """The service cannot work, and which part keeps it from it."""

    status: Literal["unavailable"]
    failing: str


class Fault(BaseModel):
    """One thing that is wrong with a request; never the value itself."""

    field: str
    reason: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(
        description="Which kind of problem; stable", examples=["https://bg-ingest.dev/problems/forbidden"]
    )
    title: str
    status: int
    detail: str = Field(description="What can be done about it")
    instance: str = Field(description="The correlation id: the one to ask about")
    errors: list[Fault] | SkipJsonSchema[None] = None
    job_id: str | SkipJsonSchema[None] | None = Field(None, description="The job that is running, or queued")


class GatewayRefusal(BaseModel):
    """The gateway's own answer, given before the request reaches the service."""

    message: str


SHAPES: tuple[type[BaseModel], ...] = (
    Reading,
    LatestReading,
    Job,
    AcceptedWebhook,
    DuplicateWebhook,
    SyncState,
    Completeness,
    Settings,
    AuditEntry,
    Receipt,
    Connection,
    StartedLogin,
    Health,
    Ready,
    NotReady,
    Problem,
    GatewayRefusal,
)
