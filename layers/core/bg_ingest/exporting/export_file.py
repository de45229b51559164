"""One export as one file: readings or the grid, in one of three formats."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bg_ingest.clock import rfc_3339
from bg_ingest.exporting.export_objects import user_prefix
from bg_ingest.exporting.tables.export_table import (
    GRID_COLUMNS,
    HALF_SLOT,
    READING_COLUMNS,
    ExportTable,
    grid_table,
    reading_table,
)
from bg_ingest.exporting.tables.text_files import csv_text, ndjson_text
from bg_ingest.exporting.tables.tool_columns import Tool, for_tool
from bg_ingest.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from bg_ingest.exporting.export_objects import ExportObjects
    from bg_ingest.exporting.tables.export_table import ExportColumn
    from bg_ingest.readings.store import ReadingStore

FileFormat = Literal["parquet", "csv", "ndjson"]
MEDIA_TYPES: dict[FileFormat, str] = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}
LINK_VALID_S = 300
# A response of Lambda has at most 6 MB. Bytes are sent as base64, which makes them a third longer.
TEXT_LENGTH_MAX = 5_500_000
FILE_BYTES_MAX = 4_000_000


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export: the readings of `[start, end)`, now or as of an earlier time."""

    user_id: str
    start: datetime
    end: datetime
    format: FileFormat = "parquet"
    is_grid: bool = False
    as_of: datetime | None = None
    tool: Tool | None = None

    @property
    def file_name(self) -> str:
        """A name without the user: names of files are seen where ids should not be."""
        first, last = (f"{at:%Y%m%dT%H%M%SZ}" for at in (self.start, self.end))
        kind = "grid" if self.is_grid else "readings"
        return f"glucose-{kind}-{first}-{last}.{self.format}"


@dataclass(frozen=True, slots=True)
class ExportFiles:
    """Makes the files of exports."""

    reading_store: ReadingStore
    own_provider_of: Callable[[str], str | None]  # The provider of a user's sensor.
    text_length_max: int = TEXT_LENGTH_MAX
    file_bytes_max: int = FILE_BYTES_MAX

    def fits(self, content: str | bytes) -> bool:
        """Whether the file fits into one response."""
        return len(content) <= (self.text_length_max if isinstance(content, str) else self.file_bytes_max)

    def content(self, request: ExportRequest) -> str | bytes:
        """The file. The same request with the same `as_of` gives the same bytes."""
        return self.file_of(self.table(request), request)

    def file_of(self, table: ExportTable, request: ExportRequest) -> str | bytes:
        """The file with these rows."""
        table = for_tool(table, request.tool) if request.tool else table
        if request.format == "csv":
            return csv_text(table)
        if request.format == "ndjson":
            return ndjson_text(table)
        # A layer has this package, and functions without that layer never import it.
        from bg_ingest.exporting.tables.parquet_file import parquet_bytes  # noqa: PLC0415 - see above.

        return parquet_bytes(table, _metadata(request))

    def table(self, request: ExportRequest) -> ExportTable:
        """The rows of the file, under our own names of columns."""
        start, end = request.start, request.end
        edge = HALF_SLOT if request.is_grid else HALF_SLOT * 0
        hours = self.reading_store.columns(request.user_id, start - edge, end + edge, as_of=request.as_of)
        table = reading_table(request.user_id, self.own_provider_of(request.user_id), hours)
        return grid_table(table, request.user_id, start, end) if request.is_grid else table


@dataclass(frozen=True, slots=True)
class Exporter(ExportFiles):
    """Makes exports, and stores those that do not fit into one response."""

    objects: ExportObjects = field(kw_only=True)

    def link_to(self, request: ExportRequest, content: str | bytes) -> str:
        """Store the file and return a link to it, which is valid for five minutes."""
        data = content.encode() if isinstance(content, str) else content
        key = f"{user_prefix(request.user_id)}direct/{secrets.token_hex(16)}"
        self.objects.put(key, data, MEDIA_TYPES[request.format])
        return self.objects.link(key, request.file_name, LINK_VALID_S)


def file_columns(request: ExportRequest) -> Sequence[ExportColumn]:
    """The columns of the file."""
    columns = GRID_COLUMNS if request.is_grid else READING_COLUMNS
    empty = ExportTable(columns, [[] for _ in columns])
    return for_tool(empty, request.tool).columns if request.tool else columns


def _metadata(request: ExportRequest) -> dict[str, str]:
    metadata = {
        "bg_ingest_version": VERSION,
        "from": rfc_3339(request.start),
        "to": rfc_3339(request.end),
        "grid": "5min" if request.is_grid else "none",
    }
    return metadata | ({"as_of": request.as_of.isoformat()} if request.as_of else {})
