"""Types of request parameters and bodies: Powertools validates by them, and makes the API document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bg_ingest.http_api.requests.parsing import parse_digits
from bg_ingest.readings.changes.feed_cursor import CURSOR_LENGTH_MAX
from bg_ingest.settings import POLL_INTERVALS_S, PROVIDER_NAMES

_DIGITS_ONLY = BeforeValidator(parse_digits)

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
    BeforeValidator(lambda given: int(parse_digits(str(given)))),
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


class SettingsRequest(BaseModel):
    """The polling interval of a user, in seconds."""

    model_config = ConfigDict(extra="forbid")

    poll_interval_seconds: Annotated[
        int, Field(strict=True, json_schema_extra={"enum": sorted(POLL_INTERVALS_S)})
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
