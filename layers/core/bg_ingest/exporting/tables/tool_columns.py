"""Exports under the column names that public tools expect. Pure functions."""

# Each tool wants local times without a zone. Columns for which this service has no data are null.
#
# - iglu: iglu for R, and iglu-python.
# - babelbetes: the table of glucose that BabelBetes makes of each study.
# - cgm-format: the unified format of cgm_format.
# - glupredkit: GluPredKit, which expects the grid of five minutes.

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal

from bg_ingest.exporting.tables.export_table import ColumnType, ExportColumn, ExportTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Tool = Literal["iglu", "babelbetes", "cgm-format", "glupredkit"]
Values = Callable[["Mapping[str, Sequence[Any]]"], "Sequence[Any]"]
OUT_OF_RANGE = 1  # The flag of cgm-format.


def _of(name: str) -> Values:
    return lambda named: named[name]


def _constant(value: Any) -> Values:
    return lambda named: list(repeat(value, len(named["user"])))


def _time(named: Mapping[str, Sequence[Any]]) -> Sequence[Any]:
    return named["slot"] if "slot" in named else named["time"]


def _glucose(named: Mapping[str, Sequence[Any]]) -> Sequence[Any]:
    return [None if value is None else float(value) for value in named["glucose_mg_dl"]]


def _quality(named: Mapping[str, Sequence[Any]]) -> Sequence[Any]:
    return [OUT_OF_RANGE if status else 0 for status in named["status"]]


_NO_DATA = ("carbs", "insulin_slow", "insulin_fast", "exercise")
_TOOLS: Mapping[Tool, Sequence[tuple[str, ColumnType, Values]]] = {
    "iglu": [
        ("id", "string", _of("user")),
        ("time", "local", _of("local_time")),
        ("gl", "float64", _glucose),
    ],
    "babelbetes": [
        ("patient_id", "string", _of("user")),
        ("datetime", "local", _of("local_time")),
        ("cgm", "float64", _glucose),
    ],
    "cgm-format": [
        ("sequence_id", "int64", _constant(0)),
        ("original_datetime", "local", _of("local_time")),
        ("original_glucose", "float64", _glucose),
        ("quality", "int64", _quality),
        ("event_type", "string", _constant("EGV_READ")),
        ("datetime", "local", _of("local_time")),
        ("glucose", "float64", _glucose),
        *((name, "float64", _constant(None)) for name in _NO_DATA),
    ],
    "glupredkit": [
        ("date", "local", _of("local_time")),
        ("date_utc", "instant", _time),
        ("id", "string", _of("user")),
        ("CGM", "float64", _glucose),
        ("is_test", "bool", _constant(value=False)),
    ],
}


def for_tool(table: ExportTable, tool: Tool) -> ExportTable:
    """The same rows under the names of a tool."""
    named, wanted = table.named(), _TOOLS[tool]
    columns = [ExportColumn(name, kind, f"As {tool} names it") for name, kind, _ in wanted]
    return ExportTable(columns, [values(named) for _, _, values in wanted])
