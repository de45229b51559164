"""
Request parameters and bodies: their types for Powertools, and the parsers of times, days, ranges and cursors.

- If a range has no `to`, then it ends now. If it has no `from`, then it starts 24 hours before its end.
- If days have no `to`, then the last day is today. If they have no `from`, then they are the week up to it.
- If local days have no `from`, then they are the 14 days up to their last day.
- If `as_of` is sent, then it takes the place of now in all of these.
- If a value is invalid, then raise 422 with the name of the field and the reason, never with the value.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bg_ingest import problems
from bg_ingest.problems import Problem, invalid_field
from bg_ingest.readings.changes.feed_cursor import CURSOR_LENGTH_MAX
from bg_ingest.settings import PROVIDER_NAMES

RANGE_MAX = timedelta(days=92)
_RANGE_DEFAULT = timedelta(hours=24)
_SIX_DAYS = timedelta(days=6)  # With the last day itself, a week.
_THIRTEEN_DAYS = timedelta(days=13)  # With the last day itself, the fourteen days that statistics need.
_FIRST_AS_OF = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC) - timedelta(seconds=1)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DIGITS = re.compile(r"\d{1,9}", re.ASCII)
_ITEM_ID = re.compile(r"[0-9a-f]{28}")
# Python also parses what RFC 3339 does not allow: week dates, any letter for the T, text that ends at a NUL.
_INSTANT_TEXT = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII | re.IGNORECASE
)


def _reject_python_numbers(text: str | list[str]) -> str | list[str]:
    # Pydantic reads a number as Python does, so it would also accept " 5", "5_0" and "5.0". A value with a
    # comma and a repeated parameter arrive as lists.
    if isinstance(text, list) or not _DIGITS.fullmatch(text):
        raise ValueError("Input should be a whole number, in digits")
    return text


def _whole_number(given: str | int) -> int:
    text = str(given)
    _reject_python_numbers(text)
    return int(text)


_DIGITS_ONLY = BeforeValidator(_reject_python_numbers)

UserId = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$", description="The id of the user", examples=["demo"]),
]
_INSTANT = {"format": "date-time"}  # Only for the OpenAPI document; `parse_instant` validates.
_DAY = {"format": "date"}
From = Annotated[
    str | None,
    Query(
        alias="from",
        max_length=40,
        description="Start of the range, included; default: 24 hours before `to`",
        json_schema_extra=_INSTANT,
    ),
]
To = Annotated[
    str | None,
    Query(max_length=40, description="End of the range, excluded; default: now", json_schema_extra=_INSTANT),
]
Limit = Annotated[int, Field(ge=1, le=1000), _DIGITS_ONLY, Query(description="Maximum number of readings")]
Order = Annotated[Literal["asc", "desc"], Query(description="Oldest first (`asc`) or newest first (`desc`)")]
Unit = Annotated[
    Literal["mg/dL", "mmol/L"],
    Query(description="With mmol/L, each reading has its value in mmol/L beside that in mg/dL"),
]
# Only for the OpenAPI document: the code of each cursor validates it.
_CURSOR = {"pattern": "^[A-Za-z0-9_-]+$"}
Cursor = Annotated[
    str | None,
    Query(max_length=200, description="From the Link header of the page before", json_schema_extra=_CURSOR),
]
ItemCursor = Annotated[
    str | None,
    Query(
        max_length=200,
        description="From the Link header of the page before",
        json_schema_extra={"pattern": "^[0-9a-f]{28}$"},
    ),
]
AsOf = Annotated[
    str | None,
    Query(
        max_length=40,
        description="An instant that is not in the future, for the response of that time; default: now",
        json_schema_extra=_INSTANT,
    ),
]
Since = Annotated[
    str | None,
    Query(
        max_length=40,
        description="Only changes stored at this instant or later; default: everything. A cursor replaces it",
        json_schema_extra=_INSTANT,
    ),
]
ChangesLimit = Annotated[
    int, Field(ge=1, le=2000), _DIGITS_ONLY, Query(description="Maximum number of changes")
]
ChangesCursor = Annotated[
    str | None,
    Query(
        max_length=CURSOR_LENGTH_MAX,
        description="From the Link header of the response before",
        json_schema_extra=_CURSOR,
    ),
]
ExportFormat = Annotated[
    Literal["parquet", "csv", "ndjson"], Query(alias="format", description="The format of the file")
]
ExportGrid = Annotated[
    Literal["5min"] | None,
    Query(description="`5min`: one row for each slot of five minutes, also without a reading"),
]
ExportColumns = Annotated[
    Literal["iglu", "babelbetes", "cgm-format", "glupredkit"] | None,
    Query(description="The column names that this tool expects; default: the names of docs/export.md"),
]
JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{28}$", description="The id of the job")]
EntriesLimit = Annotated[
    int, Field(ge=1, le=200), _DIGITS_ONLY, Query(description="Maximum number of entries")
]
UsersLimit = Annotated[int, Field(ge=1, le=200), _DIGITS_ONLY, Query(description="Maximum number of users")]
FilesLimit = Annotated[
    int,
    Field(ge=1, le=1000),
    _DIGITS_ONLY,
    Query(description="The number of files after which a page ends; it has all files of its last user"),
]
JobsLimit = Annotated[int, Field(ge=1, le=200), _DIGITS_ONLY, Query(description="Maximum number of jobs")]
Prefer = Annotated[
    str | None, Header(max_length=200, description="`respond-async`: queue the sync and respond at once")
]
FirstDay = Annotated[
    str | None,
    Query(
        alias="from",
        max_length=10,
        description="The first day, included; default: six days before `to`",
        json_schema_extra=_DAY,
    ),
]
LastDay = Annotated[
    str | None,
    Query(max_length=10, description="The last day, included; default: today", json_schema_extra=_DAY),
]
Days = Annotated[
    Literal["utc", "local"],
    Query(description="`local`: days by each reading's own offset from UTC"),
]
FirstLocalDay = Annotated[
    str | None,
    Query(
        alias="from",
        max_length=10,
        description="The first local day, included; default: 13 days before `to`",
        json_schema_extra=_DAY,
    ),
]
LastLocalDay = Annotated[
    str | None,
    Query(max_length=10, description="The last local day, included; default: today", json_schema_extra=_DAY),
]
Compare = Annotated[
    Literal["previous"] | None,
    Query(description="`previous`: also the figures of as many days before `from`"),
]
BinMinutes = Annotated[
    Literal[15, 30, 60],
    BeforeValidator(_whole_number),
    Query(description="The width of a bin of the local time of day, in minutes"),
]
OAuthText = Annotated[str | None, Query(max_length=2000)]
NoticeName = Annotated[str | None, Query(max_length=40)]
GrantToken = Annotated[str, Path(max_length=200)]


class SyncRequest(BaseModel):
    """The range to sync; an empty object syncs what a poll would fetch."""

    model_config = ConfigDict(extra="forbid")

    from_: Annotated[str | None, Field(alias="from", max_length=40, json_schema_extra=_INSTANT)] = None
    to: Annotated[str | None, Field(max_length=40, json_schema_extra=_INSTANT)] = None


POLL_INTERVALS_S = (300, 900, 1_800, 3_600, 21_600, 86_400)


class SettingsRequest(BaseModel):
    """The polling interval of a user, in seconds."""

    model_config = ConfigDict(extra="forbid")

    poll_interval_seconds: Annotated[
        int, Field(strict=True, json_schema_extra={"enum": list(POLL_INTERVALS_S)})
    ]


_NEEDS_ADDRESS: dict[str, Any] = {
    "if": {"properties": {"provider": {"const": "nightscout"}}, "required": ["provider"]},
    "then": {
        "required": ["url", "token"],
        "properties": {
            "url": {"type": "string", "pattern": r"^https://[a-z0-9-]+(\.[a-z0-9-]+)+/?$"},
            "token": {"type": "string", "pattern": "^[!-~]+$"},
            "return_url": {"type": "null"},
        },
    },
}


class ConnectionRequest(BaseModel):
    """A login at the provider's page, or the address and the token of the user's own Nightscout."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_NEEDS_ADDRESS)

    return_url: Annotated[
        str | None,
        Field(
            max_length=2000,
            description="Where the user is redirected after the login: one of the URLs in RETURN_URLS",
            json_schema_extra={"format": "uri"},
        ),
    ] = None
    provider: Annotated[
        str | None,
        Field(
            max_length=20,
            examples=["nightscout"],
            description="`nightscout` needs `url` and `token`; by default there is a login page",
            json_schema_extra={"enum": [*PROVIDER_NAMES, None]},  # The route validates the name.
        ),
    ] = None
    url: Annotated[str | None, Field(max_length=500, examples=["https://ns.example.org"])] = None
    token: Annotated[
        str | None,
        Field(max_length=200, description="A token that may read only", examples=["me-0123456789abcdef"]),
    ] = None


class ConfirmRequest(BaseModel):
    """The code that the browser got after the login."""

    model_config = ConfigDict(extra="forbid")

    confirm: Annotated[str, Field(min_length=1, max_length=200, examples=["pFWUsRMeHf6Hi4bnRGo5Ng"])]


_NOTHING_SENT: dict[str, Any] = {"default": {"value": {}}}
SyncBody = Annotated[
    SyncRequest | None, Body(description="The range to sync; optional", openapi_examples=_NOTHING_SENT)
]
SettingsBody = Annotated[
    SettingsRequest,
    Body(description="The interval", openapi_examples={"default": {"value": {"poll_interval_seconds": 900}}}),
]
ConfirmBody = Annotated[
    ConfirmRequest,
    Body(
        description="The code",
        openapi_examples={"default": {"value": {"confirm": "pFWUsRMeHf6Hi4bnRGo5Ng"}}},
    ),
]
ConnectionBody = Annotated[
    ConnectionRequest | None, Body(description="Optional", openapi_examples=_NOTHING_SENT)
]
OfProvider = Annotated[
    str | None,
    Query(
        max_length=20,
        description="Only the user's source at this provider",
        json_schema_extra={"enum": [*PROVIDER_NAMES]},
    ),
]


def parse_instant(text: str, field: str) -> datetime:
    """Parse an RFC 3339 time with a zone, such as 2026-04-26T14:30:00Z."""
    try:
        if _INSTANT_TEXT.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # Rejected below, as every other invalid time.
    reason = "must be an RFC 3339 time with a zone, such as 2026-04-26T14:30:00Z ('+' is written %2B)"
    raise invalid_field(field, reason)


def parse_as_of(text: str | None, now: datetime) -> datetime | None:
    """Parse the instant of which a response shall be; None if that is now."""
    return parse_past(text, "as_of", now)


def parse_past(text: str | None, field: str, now: datetime) -> datetime | None:
    """Parse an optional instant that has been."""
    if text is None:
        return None
    instant = parse_instant(text, field)
    if instant > now:
        raise invalid_field(field, "must not be in the future")
    if instant < _FIRST_AS_OF:
        raise invalid_field(field, "must not be before 1970")
    return instant


def parse_span(start: str, end: str) -> tuple[datetime, datetime]:
    """Parse the range of a webhook, whose `start` and `end` are both included."""
    first, last = parse_instant(start, "data.start"), parse_instant(end, "data.end")
    if first > last:
        raise invalid_field("data.start", "must not be after `data.end`")
    if last - first > RANGE_MAX:
        raise _range_too_long()
    return first, min(last, _LAST) + timedelta(seconds=1)


def parse_range(from_: str | None, to: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Parse the range `[from, to)` of a query."""
    end = parse_instant(to, "to") if to is not None else now
    try:
        start = parse_instant(from_, "from") if from_ is not None else end - _RANGE_DEFAULT
    except OverflowError:
        raise invalid_field("to", "is too early") from None
    if start > end:
        raise invalid_field("from", "must not be after `to`, whose default is now")
    if end - start > RANGE_MAX:
        raise _range_too_long()
    return start, end


def parse_days(from_: str | None, to: str | None, today: date) -> tuple[date, date]:
    """Parse the first and the last day of a query, both included."""
    return _parsed_days(from_, to, today, _SIX_DAYS)


def parse_local_days(from_: str | None, to: str | None, today: date) -> tuple[date, date]:
    """Parse the first and the last local day of a query for statistics, both included."""
    return _parsed_days(from_, to, today, _THIRTEEN_DAYS)


def parse_day(text: str, field: str) -> date:
    """Parse a date, such as 2026-04-26."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # Rejected below, as every other invalid date.
    reason = "must be a date such as 2026-04-26"
    raise invalid_field(field, reason)


def _parsed_days(from_: str | None, to: str | None, today: date, before: timedelta) -> tuple[date, date]:
    last = parse_day(to, "to") if to is not None else today
    first = parse_day(from_, "from") if from_ is not None else max(last, date.min + before) - before
    if first > last:
        raise invalid_field("from", "must not be after `to`")
    if last - first >= RANGE_MAX:
        raise _range_too_long()
    return first, last


def parse_window(body: SyncRequest | None, now: datetime) -> tuple[datetime, datetime] | None:
    """Parse the range of a sync; None stands for the range that a poll would fetch."""
    if body is None or (body.from_ is None and body.to is None):
        return None
    start, end = parse_range(body.from_, body.to, now)
    if start > now:
        raise invalid_field("from", "must not be in the future: there is nothing to fetch yet")
    return start, end


def parse_interval(body: SettingsRequest, default_s: int) -> int:
    """Check a polling interval: one that is offered, or that of the deployment."""
    interval_s = body.poll_interval_seconds
    if interval_s not in {*POLL_INTERVALS_S, default_s}:
        offered = ", ".join(map(str, POLL_INTERVALS_S))
        raise invalid_field(
            "poll_interval_seconds", f"must be one of {offered}, or the default of {default_s}"
        )
    return interval_s


def parse_cursor(cursor: str | None) -> str | None:
    """Check the cursor of a list of jobs or audit entries: the id of the last item of the page before."""
    if cursor is not None and not _ITEM_ID.fullmatch(cursor):
        raise invalid_field("cursor", "was not issued by this API")
    return cursor


def _range_too_long() -> Problem:
    return Problem(
        problems.RANGE_TOO_LONG,
        f"At most {RANGE_MAX.days} days in one request. Send several requests for shorter ranges.",
    )
