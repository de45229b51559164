"""Grants as JSON, and the body of a request for a new one."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from bg_ingest.access.grant import LABEL_MAX, Category, GrantDays
from bg_ingest.http_api.description import Instant
from bg_ingest.http_api.requests import parsing
from bg_ingest.problems import invalid_field

if TYPE_CHECKING:
    from bg_ingest.access.grant import Grant

LAST_DAYS_MAX = 3_650
EXPIRY_YEAR_MAX = 9_000
GrantId = Annotated[str, Path(pattern=r"^[0-9a-f]{28}$", description="The id of the grant")]


def _printable(label: str) -> str:
    if not label.strip() or any(unicodedata.category(each).startswith("C") for each in label):
        raise ValueError("Input should have a visible character and no control character")
    return label.strip()


class LastDaysRequest(BaseModel):
    """The last local days up to today."""

    model_config = ConfigDict(extra="forbid")

    last: Annotated[int, Field(ge=1, le=LAST_DAYS_MAX, strict=True)]


class FixedDaysRequest(BaseModel):
    """A range of local days, both included."""

    model_config = ConfigDict(extra="forbid")

    from_: Annotated[str, Field(alias="from", max_length=10, json_schema_extra={"format": "date"})]
    to: Annotated[str, Field(max_length=10, json_schema_extra={"format": "date"})]


class GrantRequest(BaseModel):
    """A new grant: its label, what it opens, which days, and until when."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, Field(min_length=1, max_length=LABEL_MAX), AfterValidator(_printable)]
    reads: Annotated[
        list[Literal["readings", "statistics", "completeness"]], Field(min_length=1, max_length=10)
    ]
    days: LastDaysRequest | FixedDaysRequest | Literal["all"]
    expires_at: Annotated[str | None, Field(max_length=40, json_schema_extra={"format": "date-time"})] = None


_EXAMPLE = {"label": "watch", "reads": ["readings"], "days": {"last": 14}}
GrantBody = Annotated[
    GrantRequest, Body(description="The grant", openapi_examples={"default": {"value": _EXAMPLE}})
]


class LastDaysJson(TypedDict):
    """The last local days up to today."""

    last: Annotated[int, Field(ge=1, le=LAST_DAYS_MAX)]


class FixedDaysJson(TypedDict):
    """A range of local days, both included."""

    from_: Annotated[date, Field(alias="from")]
    to: date


class GrantJson(TypedDict):
    """One read grant, without its token."""

    grant_id: Annotated[str, Field(pattern="^[0-9a-f]{28}$", examples=["019b0c2f5d4e0123456789abcdef"])]
    label: str
    reads: list[Category]
    days: LastDaysJson | FixedDaysJson | Literal["all"]
    created_at: Instant
    expires_at: Annotated[Instant | None, Field(description="null: until it is revoked")]
    last_used_at: Instant | None
    uses: Annotated[int, Field(ge=0)]


class CreatedGrantJson(GrantJson):
    """A new grant, with its token. No later response contains the token."""

    token: Annotated[str, Field(examples=["watch-1a2b3c4d5e6f7a8b"])]
    page_url: Annotated[str, Field(description="The page that shows the data to a person with this link")]


def wanted_days(days: LastDaysRequest | FixedDaysRequest | Literal["all"]) -> GrantDays:
    """Parse the days of a request; raise 422 if they are not a range."""
    if isinstance(days, LastDaysRequest):
        return GrantDays(last=days.last)
    if isinstance(days, FixedDaysRequest):
        first, last = parsing.parse_day(days.from_, "days.from"), parsing.parse_day(days.to, "days.to")
        if first > last:
            raise invalid_field("days.from", "must not be after `days.to`")
        return GrantDays(first_day=first, last_day=last)
    return GrantDays()


def wanted_expiry(text: str | None, now: datetime) -> datetime | None:
    """Parse the expiry of a request; raise 422 unless it is in the future."""
    if text is None:
        return None
    expires_at = parsing.parse_instant(text, "expires_at")
    if expires_at <= now or expires_at.year > EXPIRY_YEAR_MAX:
        raise invalid_field("expires_at", f"must be in the future, and before the year {EXPIRY_YEAR_MAX}")
    return expires_at


def created_as_json(grant: Grant, token: str, page_url: str) -> dict[str, Any]:
    """A new grant with its token."""
    return grant.as_json() | {"token": token, "page_url": page_url}
