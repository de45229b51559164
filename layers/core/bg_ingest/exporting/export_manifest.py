"""The manifest of an export: what its files contain. Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.clock import rfc_3339
from bg_ingest.exporting.export_file import file_columns
from bg_ingest.exporting.tables.export_table import SLOT_S
from bg_ingest.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bg_ingest.exporting.export_job import ExportedFile, ExportJob
    from bg_ingest.exporting.tables.export_table import ExportTable


def manifest(job: ExportJob, files: Sequence[ExportedFile] | None = None) -> dict[str, Any]:
    """The manifest of an export, or of the files of one user, which it then lists."""
    span = job.span
    columns = file_columns(span.request("", span.start, span.end))
    document: dict[str, Any] = {
        "export_id": job.key.export_id,
        "version": VERSION,
        "from": rfc_3339(span.start),
        "to": rfc_3339(span.end),
        "as_of": rfc_3339(span.as_of),
        "format": span.format,
        "grid": "5min" if span.is_grid else None,
        "schema": [
            {
                "name": column.name,
                "type": column.type,
                "unit": column.unit,
                "nullable": column.is_nullable,
                "description": column.description,
            }
            for column in columns
        ],
    }
    if files is None:
        return document | job.totals.as_json()
    return document | {"files": [file.as_json() for file in files]}


def time_span(table: ExportTable) -> tuple[datetime | None, datetime | None, int]:
    """The first and the last time with a reading, and the number of slots with one; None without any."""
    named = table.named()
    if "slot" in named:
        times = [
            time for time, is_observed in zip(named["slot"], named["is_observed"], strict=True) if is_observed
        ]
    else:
        times = list(named["time"])
    if not times:
        return None, None, 0
    slots = len({round(time / SLOT_S) for time in times})
    return _instant(times[0]), _instant(times[-1]), slots


def slots_in(start: datetime, end: datetime) -> int:
    """The slots of five minutes that begin in `[start, end)`."""
    first, last = (-(-int(at.timestamp()) // SLOT_S) for at in (start, max(start, end)))
    return last - first


def _instant(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
