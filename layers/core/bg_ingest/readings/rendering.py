"""Readings as callers see them: JSON, lines of JSON, and CSV."""

# A page of readings is most of the work of a request, so the JSON text is put together directly: a fifth of
# the time that json.dumps takes with the same in dictionaries. What repeats from reading to reading is
# quoted once.

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bg_ingest.readings.model import Device
    from bg_ingest.readings.stored_reading import StoredReading

Unit = Literal["mg/dL", "mmol/L"]

MG_DL_PER_100000_MMOL_L = 1_801_559  # One mmol/L of glucose is 18.01559 mg/dL.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def mmol_l(mg_dl: int) -> float:
    """The value in mmol/L with one decimal, rounded half up: what a meter in that unit would show."""
    # Integers up to the last step: a float on the way could fall to the wrong side of a half.
    halves = 2 * 10 * 100_000 * mg_dl + MG_DL_PER_100000_MMOL_L
    return halves // (2 * MG_DL_PER_100000_MMOL_L) / 10


def as_json_text(stored: StoredReading, unit: Unit = "mg/dL") -> str:
    """A reading as docs/api.md describes it, as text."""
    reading = stored.reading
    value = f',"glucose_mmol_l":{mmol_l(reading.mg_dl)}' if unit == "mmol/L" else ""
    return (
        f'{{"timestamp":"{rfc_3339(reading.at)}","glucose_mg_dl":{reading.mg_dl}{value}'
        f',"trend":{_quoted(reading.trend)},"trend_rate":{_quoted(reading.trend_rate)}'
        f',"status":{_quoted(reading.status)},"type":{_quoted(reading.kind)}'
        f',"local_offset_minutes":{_quoted(reading.local_offset_minutes)}'
        f',"stored_at":{_quoted_instant(stored.stored_at)},"revision":{stored.revision}'
        f',"device":{_quoted_device(reading.device)}}}'
    )


def as_json(stored: StoredReading, unit: Unit = "mg/dL") -> dict[str, Any]:
    """The same as a dictionary, for whoever adds to it."""
    value: dict[str, Any] = json.loads(as_json_text(stored, unit))
    return value


def json_array(readings: Iterable[StoredReading], unit: Unit = "mg/dL") -> str:
    """All of them as one JSON array."""
    return f"[{','.join([as_json_text(stored, unit) for stored in readings])}]"


def ndjson_lines(readings: Iterable[StoredReading], unit: Unit = "mg/dL") -> Iterator[str]:
    """One JSON object a line."""
    return (f"{as_json_text(stored, unit)}\n" for stored in readings)


def csv_lines(readings: Iterable[StoredReading], unit: Unit = "mg/dL") -> Iterator[str]:
    """A line of names, then a line for each reading, as in RFC 4180; null is an empty field."""
    value = ["glucose_mg_dl", "glucose_mmol_l"] if unit == "mmol/L" else ["glucose_mg_dl"]
    rest = ["trend", "trend_rate", "status", "type", "local_offset_minutes", "stored_at", "revision"]
    yield _csv_line(["timestamp", *value, *rest, "device_generation", "device_display", "device_app"])
    for stored in readings:
        fields = as_json(stored, unit)
        device = fields.pop("device")
        yield _csv_line([*fields.values(), *device.values()])


def rfc_3339(instant: datetime) -> str:
    """An instant in UTC, to the second, with Z."""
    return f"{instant.astimezone(UTC).isoformat()[:19]}Z"  # strftime takes twice as long.


@lru_cache(maxsize=4096, typed=True)  # typed: 1 and 1.0 are equal, and are not the same text.
def _quoted(value: str | float | None) -> str:
    return json.dumps(value)


@lru_cache(maxsize=4096)
def _quoted_instant(instant: datetime) -> str:
    return f'"{rfc_3339(instant)}"'


@lru_cache(maxsize=256)
def _quoted_device(device: Device) -> str:
    parts = {"generation": device.generation, "display": device.display, "app": device.app}
    return json.dumps(parts, separators=(",", ":"))


def _csv_line(fields: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(map(_harmless, fields))
    return line.getvalue()


def _harmless(field: Any) -> Any:
    # The provider's strings are open, and a spreadsheet runs a text that begins like a formula.
    return f"'{field}" if isinstance(field, str) and field.startswith(FORMULA_STARTS) else field
