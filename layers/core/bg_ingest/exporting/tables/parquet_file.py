"""Exports as Parquet, written by arro3: only the layer of the export functions contains it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from arro3.core import Array, DataType, Field, RecordBatch, Schema, Table
from arro3.io import write_parquet

from bg_ingest.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bg_ingest.exporting.tables.export_table import ColumnType, ExportColumn, ExportTable

# A month of readings every five minutes. Readers that filter by time skip the other groups.
ROW_GROUP_ROWS_MAX = 8_928
METADATA_KEY = "bg_ingest"
_COMPRESSION = "zstd(3)"
_MICROSECONDS = 1_000_000

_TYPES: Mapping[ColumnType, DataType] = {
    "instant": DataType.timestamp("us", tz="UTC"),
    "local": DataType.timestamp("us"),
    "int16": DataType.int16(),
    "int32": DataType.int32(),
    "int64": DataType.int64(),
    "float64": DataType.float64(),
    "string": DataType.utf8(),
    "bool": DataType.bool(),
}


def parquet_bytes(table: ExportTable, metadata: Mapping[str, str]) -> bytes:
    """The file; the same table and metadata give the same bytes."""
    fields = [_field(number, column) for number, column in enumerate(table.columns, 1)]
    arrays = [_array(column, values) for column, values in zip(table.columns, table.values, strict=True)]
    batch = RecordBatch.from_arrays(arrays, schema=Schema(fields))
    file = io.BytesIO()
    write_parquet(
        Table.from_batches([batch]),
        file,
        compression=_COMPRESSION,
        created_by=f"bg-ingest {VERSION}",
        max_row_group_size=ROW_GROUP_ROWS_MAX,
        # One entry, because several are written in a random order.
        key_value_metadata={METADATA_KEY: json.dumps(dict(metadata), sort_keys=True)},
    )
    return file.getvalue()


def _field(number: int, column: ExportColumn) -> Field:
    notes = {"PARQUET:field_id": str(number), "description": column.description}
    if column.unit:
        notes["unit"] = column.unit
    return Field(column.name, _TYPES[column.type], nullable=column.is_nullable, metadata=notes)


def _array(column: ExportColumn, values: Sequence[Any]) -> Array:
    if column.type in {"instant", "local"}:
        # From integers, because Python's own times take ten times as long.
        scaled = [None if value is None else value * _MICROSECONDS for value in values]
        return Array(scaled, type=DataType.int64()).cast(_TYPES[column.type])
    return Array(list(values), type=_TYPES[column.type])
