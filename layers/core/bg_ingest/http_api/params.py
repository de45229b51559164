"""What callers may write in a path or a query, and what it means."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bg_ingest import problems
from bg_ingest.problems import Problem

RANGE_MAX = timedelta(days=92)
_RANGE_DEFAULT = timedelta(hours=24)
_WEEK = timedelta(days=6)  # With the last day itself, seven.
_LAST = datetime.max.replace(tzinfo=UTC) - timedelta(seconds=1)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DIGITS = re.compile(r"\d{1,9}", re.ASCII)
_JOB_ID = re.compile(r"[0-9a-f]{28}")
# Python reads more than RFC 3339 has: weeks, any letter for the T, and nothing after a NUL.
_INSTANT_TEXT = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII | re.IGNORECASE
)


def _plainly(text: str) -> str:
    # Pydantic reads a number as Python does: " 5", "5_0" and "5.0" as well.
    if not _DIGITS.fullmatch(text):
        raise ValueError("Input should be a whole number, in digits")
    return text


_PLAINLY = BeforeValidator(_plainly)

UserId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$", description="The user's id")]
_INSTANT = {"format": "date-time"}  # For the description only: `instant` below decides.
From = Annotated[
    str | None,
    Query(
        alias="from",
        max_length=40,
        description="The first instant; 24 h before `to` if left out",
        json_schema_extra=_INSTANT,
    ),
]
To = Annotated[
    str | None,
    Query(
        max_length=40, description="The instant after the last; now if left out", json_schema_extra=_INSTANT
    ),
]
Limit = Annotated[int, Field(ge=1, le=1000), _PLAINLY, Query(description="How many readings at most")]
Order = Annotated[Literal["asc", "desc"], Query(description="Oldest first, or newest first")]
Unit = Annotated[Literal["mg/dL", "mmol/L"], Query(description="mmol/L adds a value beside the one in mg/dL")]
Cursor = Annotated[str | None, Query(max_length=200, description="From the Link header of the page before")]
JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{28}$", description="The job's id")]
EntriesLimit = Annotated[int, Field(ge=1, le=200), _PLAINLY, Query(description="How many entries at most")]
JobsLimit = Annotated[int, Field(ge=1, le=200), _PLAINLY, Query(description="How many jobs at most")]
Prefer = Annotated[str | None, Header(max_length=200, description="respond-async: answer before it is done")]
FirstDay = Annotated[
    str | None, Query(alias="from", max_length=10, description="The first day; a week before the last")
]
LastDay = Annotated[str | None, Query(max_length=10, description="The last day; today if left out")]
OAuthText = Annotated[str | None, Query(max_length=2000)]


class SyncRequest(BaseModel):
    """The range to sync; what a poll would do if left out."""

    model_config = ConfigDict(extra="forbid")

    from_: Annotated[str | None, Field(alias="from", max_length=40, json_schema_extra=_INSTANT)] = None
    to: Annotated[str | None, Field(max_length=40, json_schema_extra=_INSTANT)] = None


class SettingsRequest(BaseModel):
    """How often to poll a user, in seconds."""

    model_config = ConfigDict(extra="forbid")

    poll_interval_seconds: Literal[300, 900, 1_800, 3_600, 21_600, 86_400]


class ConnectionRequest(BaseModel):
    """Where the person wants to go after the login."""

    model_config = ConfigDict(extra="forbid")

    return_url: Annotated[str | None, Field(max_length=2000)] = None


SyncBody = Annotated[SyncRequest | None, Body(description="A range; may be left out")]
SettingsBody = Annotated[SettingsRequest, Body(description="The interval")]
ConnectionBody = Annotated[ConnectionRequest | None, Body(description="May be left out")]


def parse_instant(text: str, field: str) -> datetime:
    """An RFC 3339 time with its zone; anything else is the caller's problem."""
    try:
        if _INSTANT_TEXT.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # Answered below, together with other forms of a time.
    reason = "must be an RFC 3339 time with a zone, such as 2026-04-26T14:30:00Z ('+' is written %2B)"
    raise Problem(problems.INVALID_REQUEST, errors=[{"field": field, "reason": reason}])


def parse_span(start: str, end: str) -> tuple[datetime, datetime]:
    """From the first instant to the last, both of them included."""
    first, last = parse_instant(start, "data.start"), parse_instant(end, "data.end")
    if first > last:
        raise Problem(
            problems.INVALID_REQUEST,
            errors=[{"field": "data.start", "reason": "must not be after `data.end`"}],
        )
    if last - first > RANGE_MAX:
        raise Problem(problems.RANGE_TOO_LONG, f"At most {RANGE_MAX.days} days in one request.")
    return first, min(last, _LAST) + timedelta(seconds=1)


def parse_range(from_: str | None, to: str | None, now: datetime) -> tuple[datetime, datetime]:
    """The range `[from, to)` a caller asked for."""
    end = parse_instant(to, "to") if to is not None else now
    try:
        start = parse_instant(from_, "from") if from_ is not None else end - _RANGE_DEFAULT
    except OverflowError:
        raise Problem(problems.INVALID_REQUEST, errors=[{"field": "to", "reason": "is too early"}]) from None
    if start > end:
        reason = "must not be after `to`, which is now if left out"
        raise Problem(problems.INVALID_REQUEST, errors=[{"field": "from", "reason": reason}])
    if end - start > RANGE_MAX:
        raise Problem(problems.RANGE_TOO_LONG, f"At most {RANGE_MAX.days} days in one request.")
    return start, end


def parse_days(from_: str | None, to: str | None, now: datetime) -> tuple[date, date]:
    """The days a caller asked for, both included."""
    last = _day(to, "to") if to is not None else now.date()
    first = _day(from_, "from") if from_ is not None else max(last, date.min + _WEEK) - _WEEK
    if first > last:
        raise Problem(
            problems.INVALID_REQUEST, errors=[{"field": "from", "reason": "must not be after `to`"}]
        )
    if last - first >= RANGE_MAX:
        raise Problem(problems.RANGE_TOO_LONG, f"At most {RANGE_MAX.days} days in one request.")
    return first, last


def _day(text: str, field: str) -> date:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # Answered below, together with other forms of a date.
    reason = "must be a date such as 2026-04-26"
    raise Problem(problems.INVALID_REQUEST, errors=[{"field": field, "reason": reason}])


def parse_window(asked: SyncRequest | None, now: datetime) -> tuple[datetime, datetime] | None:
    """The range a sync was asked for; None for what a poll would do."""
    if asked is None or (asked.from_ is None and asked.to is None):
        return None
    return parse_range(asked.from_, asked.to, now)


def job_cursor(cursor: str | None) -> str | None:
    """The job a page of jobs continues after."""
    if cursor is not None and not _JOB_ID.fullmatch(cursor):
        raise Problem(problems.INVALID_REQUEST, errors=[{"field": "cursor", "reason": "is none of ours"}])
    return cursor


def entry_cursor(cursor: str | None) -> str | None:
    """The audit entry a page of them continues after; its id has the form of a job's."""
    return job_cursor(cursor)
