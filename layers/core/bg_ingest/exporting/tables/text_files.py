"""Exports as CSV and NDJSON."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bg_ingest.exporting.tables.export_table import ExportTable

# A provider may send any text, and a spreadsheet executes a text that begins like a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_text(table: ExportTable) -> str:
    """A header and one line per row, as in RFC 4180; a null is an empty field."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\r\n")
    lines.writerow([column.name for column in table.columns])
    columns = [
        list(map(_harmless, values)) if column.type == "string" else values
        for column, values in zip(table.columns, _as_texts(table), strict=True)
    ]
    lines.writerows(zip(*columns, strict=True))
    return text.getvalue()


def ndjson_text(table: ExportTable) -> str:
    """One JSON object per row."""
    names = [column.name for column in table.columns]
    rows = zip(*_as_texts(table), strict=True)
    return "".join(
        f"{json.dumps(dict(zip(names, row, strict=True)), separators=(',', ':'))}\n" for row in rows
    )


def _as_texts(table: ExportTable) -> list[Sequence[Any]]:
    """The values with times as text."""
    texts: dict[str, Callable[[int], str]] = {
        "instant": lambda second: f"{_iso(second)}Z",
        "local": _iso,
    }
    columns: list[Sequence[Any]] = []
    for column, values in zip(table.columns, table.values, strict=True):
        text = texts.get(column.type)
        columns.append([None if each is None else text(each) for each in values] if text else values)
    return columns


def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


def _harmless(cell: str | None) -> str | None:
    return f"'{cell}" if cell and cell.startswith(_FORMULA_STARTS) else cell
