"""Exports as JSON, and the body of a request for one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from bg_ingest.clock import rfc_3339
from bg_ingest.exporting.export_job import SPAN_MAX, USERS_MAX, ExportJob, ExportSpan, ExportStatus
from bg_ingest.exporting.export_manifest import manifest
from bg_ingest.exporting.export_objects import manifest_key, object_key
from bg_ingest.exporting.tables.export_table import ColumnType
from bg_ingest.exporting.tables.tool_columns import Tool
from bg_ingest.http_api.description import Instant
from bg_ingest.http_api.requests import parsing
from bg_ingest.problems import RANGE_TOO_LONG, Problem, invalid_field

if TYPE_CHECKING:
    from bg_ingest.exporting.export_objects import ExportObjects
    from bg_ingest.exporting.export_service import ExportPage

FILE_LINK_VALID_S = 3_600
# A sensor's clock can run ahead, so readings of the next day can be stored.
_AHEAD = timedelta(days=1)
_FIRST_YEAR = 1970
ExportId = Annotated[str, Path(pattern=r"^[0-9a-f]{28}$", description="The id of the export")]
_INSTANT: dict[str, Any] = {"format": "date-time"}
_UserIdText = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]


class ExportJobRequest(BaseModel):
    """An export of one user. By default: Parquet of all stored readings, as of now."""

    model_config = ConfigDict(extra="forbid")

    from_: Annotated[
        str | None,
        Field(
            alias="from",
            max_length=40,
            description="Start of the range, included; default: the oldest reading that is kept",
            json_schema_extra=_INSTANT,
        ),
    ] = None
    to: Annotated[
        str | None,
        Field(
            max_length=40, description="End of the range, excluded; default: now", json_schema_extra=_INSTANT
        ),
    ] = None
    format: Literal["parquet", "csv", "ndjson"] = "parquet"
    grid: Annotated[Literal["5min"] | None, Field(description="One row for each slot of five minutes")] = None
    as_of: Annotated[
        str | None,
        Field(max_length=40, description="As of which instant; default: now", json_schema_extra=_INSTANT),
    ] = None
    columns: Annotated[Tool | None, Field(description="The column names that this tool expects")] = None


class ManyUsersExportRequest(ExportJobRequest):
    """An export of many users, or of all who ever connected."""

    users: Annotated[list[_UserIdText], Field(min_length=1, max_length=USERS_MAX)] | Literal["all"]


ExportBody = Annotated[
    ExportJobRequest | None,
    Body(description="Optional", openapi_examples={"default": {"value": {"from": "2026-01-01T00:00:00Z"}}}),
]
ManyUsersExportBody = Annotated[
    ManyUsersExportRequest,
    Body(description="The users", openapi_examples={"default": {"value": {"users": ["demo"]}}}),
]


class ExportProgressJson(TypedDict):
    """Months of users."""

    done: Annotated[int, Field(ge=0)]
    total: Annotated[int | None, Field(description="null until the export has begun")]


class ExportFileJson(TypedDict):
    """One file: one month of one user."""

    name: Annotated[str, Field(examples=["5f0c…/glucose-readings-20260401T000000Z-20260501T000000Z.parquet"])]
    user_id: str
    rows: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    first_at: Annotated[Instant, Field(description="Time of the first reading")]
    last_at: Annotated[Instant, Field(description="Time of the last reading")]
    slots: ExportSlotsJson
    url: Annotated[str, Field(description="Opens the file without a token, for an hour")]


class ExportSlotsJson(TypedDict):
    """Slots of five minutes of the file's range, up to `as_of`."""

    expected: Annotated[int, Field(ge=0)]
    received: Annotated[int, Field(ge=0)]


class ExportColumnJson(TypedDict):
    """One column of the files."""

    name: str
    type: ColumnType
    unit: str | None
    nullable: bool
    description: str


class ExportManifestJson(TypedDict):
    """What all files together contain, as the export has written them."""

    export_id: str
    version: Annotated[str, Field(description="The version of the service")]
    from_: Annotated[Instant, Field(alias="from")]
    to: Instant
    as_of: Instant
    format: Literal["parquet", "csv", "ndjson"]
    grid: Literal["5min"] | None
    schema: list[ExportColumnJson]
    users: Annotated[int, Field(ge=0, description="Users with at least one file")]
    files: Annotated[int, Field(ge=0)]
    rows: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    unreadable: Annotated[int, Field(ge=0, description="Months that could not be read and have no file")]
    url: Annotated[str | None, Field(description="Of manifest.json; null for an export of many users")]


class ExportJson(TypedDict):
    """An export: its state, and a page of its files."""

    export_id: Annotated[str, Field(pattern="^[0-9a-f]{28}$", examples=["019b0c2f5d4e0123456789abcdef"])]
    status: Literal["queued", "running", "succeeded", "failed"]
    progress: ExportProgressJson
    created_at: Instant
    expires_at: Annotated[Instant, Field(description="When the export and its files are removed")]
    files: list[ExportFileJson]
    manifest: Annotated[ExportManifestJson | None, Field(description="null until the export has succeeded")]


def wanted_span(body: ExportJobRequest, now: datetime, retention_days: int) -> ExportSpan:
    """Parse what an export shall contain; raise 422 if it is not a range."""
    # One instant for all files, whenever they are made.
    as_of = parsing.parse_as_of(body.as_of, now) or now.replace(microsecond=0)
    end = parsing.parse_instant(body.to, "to") if body.to is not None else as_of
    end = min(end, as_of + _AHEAD)
    kept_since = now - timedelta(days=retention_days)
    start = parsing.parse_instant(body.from_, "from") if body.from_ is not None else min(kept_since, end)
    if start > end:
        raise invalid_field("from", "must not be after `to`, whose default is now, nor in the future")
    if end - start > SPAN_MAX:
        raise Problem(RANGE_TOO_LONG, f"At most {SPAN_MAX.days} days in one export.")
    if start.year < _FIRST_YEAR:
        raise invalid_field("from", f"must not be before {_FIRST_YEAR}")
    return ExportSpan(start, end, as_of, body.format, body.grid is not None, body.columns)


def export_as_json(job: ExportJob, page: ExportPage, objects: ExportObjects, now: datetime) -> dict[str, Any]:
    """An export with a page of its files."""
    valid_s = max(min(FILE_LINK_VALID_S, int((job.expires_at - now).total_seconds())), 1)
    files = [
        {
            **file.as_json(),
            "user_id": files.user_id,
            "url": objects.link(object_key(job, file.name), file.name.replace("/", "-"), valid_s),
        }
        for files in page.files
        for file in files.files
    ]
    own = page.files[0].months_done if job.key.user_id and page.files and not job.users_done else 0
    return {
        "export_id": job.key.export_id,
        "status": job.status,
        "progress": job.progress(own),
        "created_at": rfc_3339(job.created_at),
        "expires_at": rfc_3339(job.expires_at),
        "files": files,
        "manifest": _manifest(job, objects, valid_s),
    }


def _manifest(job: ExportJob, objects: ExportObjects, valid_s: int) -> dict[str, Any] | None:
    if job.status is not ExportStatus.SUCCEEDED:
        return None
    user_id, url = job.key.user_id, None
    if user_id is not None and job.totals.files:
        url = objects.link(manifest_key(job, user_id), "manifest.json", valid_s)
    return manifest(job) | {"url": url}
