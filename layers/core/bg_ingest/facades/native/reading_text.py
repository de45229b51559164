"""Readings as callers see them: JSON, lines of JSON, and CSV."""

# A page of readings is most of the work of a request, so the JSON text is put together directly, hour by hour
# from its columns: a fraction of the time that json.dumps takes with the same in dictionaries. What repeats
# from reading to reading is quoted once.

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from bg_ingest.readings.columns import to_columns
from bg_ingest.readings.merging.hour import hour_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bg_ingest.readings.columns import HourColumns
    from bg_ingest.readings.model import Device
    from bg_ingest.readings.stored_reading import StoredReading

Unit = Literal["mg/dL", "mmol/L"]

MG_DL_PER_100000_MMOL_L = 1_801_559  # One mmol/L of glucose is 18.01559 mg/dL.
# What a clock shows in each second of an hour.
_CLOCK = tuple(f"{second // 60:02}:{second % 60:02}" for second in range(3600))
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def mmol_l(mg_dl: int) -> float:
    """The value in mmol/L with one decimal, rounded half up: what a meter in that unit would show."""
    # Integers up to the last step: a float on the way could fall to the wrong side of a half.
    halves = 2 * 10 * 100_000 * mg_dl + MG_DL_PER_100000_MMOL_L
    return halves // (2 * MG_DL_PER_100000_MMOL_L) / 10


def json_texts(hour: HourColumns, unit: Unit = "mg/dL") -> list[str]:
    """Each reading as docs/api.md describes it, as text."""
    columns = hour.columns
    values = map(_with_mmol_l, columns.mg_dl) if unit == "mmol/L" else columns.mg_dl
    begin = (
        f'{{"timestamp":"{hour.start.isoformat()[:14]}'  # 2026-11-21T05: and the rest is different for each.
    )
    return [
        f'{begin}{_CLOCK[second]}Z","glucose_mg_dl":{value},"trend":{trend},"trend_rate":{rate}'
        f',"status":{status},"type":{kind},"local_offset_minutes":{offset}'
        f',"stored_at":{stored_at},"revision":{revision},"device":{device}}}'
        for second, value, trend, rate, status, kind, offset, stored_at, revision, device in zip(
            columns.seconds,
            values,
            map(_quoted, columns.trend),
            map(_quoted, columns.trend_rate),
            map(_quoted, columns.status),
            map(_quoted, columns.kind),
            map(_quoted, columns.local_offset_minutes),
            map(_quoted_instant, columns.stored_at),
            columns.revision,
            map(_quoted_device, columns.device),
            strict=True,
        )
    ]


def as_json(stored: StoredReading, unit: Unit = "mg/dL") -> dict[str, Any]:
    """One reading as a dictionary, for whoever adds to it."""
    (text,) = json_texts(to_columns(hour_of(stored.reading.at), [stored]), unit)
    value: dict[str, Any] = json.loads(text)
    return value


def json_array(hours: Iterable[HourColumns], unit: Unit = "mg/dL") -> str:
    """All of them as one JSON array."""
    return f"[{','.join([text for hour in hours for text in json_texts(hour, unit)])}]"


def ndjson_lines(hours: Iterable[HourColumns], unit: Unit = "mg/dL") -> Iterator[str]:
    """One JSON object a line."""
    return (f"{text}\n" for hour in hours for text in json_texts(hour, unit))


def csv_lines(hours: Iterable[HourColumns], unit: Unit = "mg/dL") -> Iterator[str]:
    """A line of names, then a line for each reading, as in RFC 4180; null is an empty field."""
    value = ["glucose_mg_dl", "glucose_mmol_l"] if unit == "mmol/L" else ["glucose_mg_dl"]
    rest = ["trend", "trend_rate", "status", "type", "local_offset_minutes", "stored_at", "revision"]
    yield _csv_line(["timestamp", *value, *rest, "device_generation", "device_display", "device_app"])
    for hour in hours:
        for fields in map(json.loads, json_texts(hour, unit)):
            device = fields.pop("device")
            yield _csv_line([*fields.values(), *device.values()])


def rfc_3339(instant: datetime) -> str:
    """An instant in UTC, to the second, with Z."""
    return f"{instant.astimezone(UTC).isoformat()[:19]}Z"  # strftime takes twice as long.


def _with_mmol_l(mg_dl: int) -> str:
    return f'{mg_dl},"glucose_mmol_l":{mmol_l(mg_dl)}'


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
