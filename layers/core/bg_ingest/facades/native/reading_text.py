"""Readings as JSON, NDJSON and CSV, in the order and under the names of readings/model.py."""

# Rendering is most of the work of a request for a page. So the JSON text is joined directly from the columns
# of each hour, in half the time that json.dumps needs for the same readings as dictionaries. Each
# member of an object, for example `,"trend":"flat"`, is rendered once and cached, because most values repeat.
# Columns in which all readings of the hour have one value are joined once for the hour.

from __future__ import annotations

import csv
import io
import json
from functools import cache, lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal

from bg_ingest.clock import rfc_3339
from bg_ingest.readings.model import SERVED, mmol_l, served_values
from bg_ingest.readings.stored.stored_reading import SharedValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bg_ingest.readings.model import Device, ReadingField
    from bg_ingest.readings.stored.stored_reading import HourColumns, StoredReading

    Member = Callable[[Any], str]

Unit = Literal["mg/dL", "mmol/L"]

_DEVICE_PARTS = ("generation", "display", "app")
# How a timestamp ends in each second of an hour.
_ENDINGS = tuple(f'{second // 60:02}:{second % 60:02}Z"' for second in range(3600))
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def _device_json(device: Device) -> dict[str, str | None]:
    return {part: getattr(device, part) for part in _DEVICE_PARTS}


# Fields whose values are not JSON as they are.
_TO_JSON: dict[str, Callable[[Any], Any]] = {"at": rfc_3339, "stored_at": rfc_3339, "device": _device_json}


def as_json(stored: StoredReading, unit: Unit = "mg/dL") -> dict[str, Any]:
    """One reading as a JSON object, as docs/api.md describes it."""
    members: dict[str, Any] = {}
    for field, value in zip(SERVED, served_values(stored), strict=True):
        members |= _members(field, value, unit)
    return members


def json_texts(hour: HourColumns, unit: Unit = "mg/dL") -> list[str]:
    """The JSON texts of the readings of one hour."""
    if not len(hour):
        return []
    seconds, *columns = hour.columns
    begin = f'{{"timestamp":"{hour.start.isoformat()[:14]}'  # 2026-11-21T05: and the minutes follow.
    parts: list[Iterable[str]] = [[begin + _ENDINGS[second] for second in seconds]]
    shared = ""  # The text of columns in which all readings have one value, side by side.
    for render, column in zip(_renderers(unit), columns, strict=True):
        if isinstance(column, SharedValue):
            shared += render(column.value)
            continue
        if shared:
            parts.append(repeat(shared, len(hour)))
        parts.append(map(render, column))
        shared = ""
    return list(map("".join, zip(*parts, repeat(shared + "}", len(hour)), strict=True)))


def json_array(hours: Iterable[HourColumns], unit: Unit = "mg/dL") -> str:
    """All readings as one JSON array."""
    return f"[{','.join([text for hour in hours for text in json_texts(hour, unit)])}]"


def ndjson_lines(hours: Iterable[HourColumns], unit: Unit = "mg/dL") -> Iterator[str]:
    """Each reading as one JSON object on a line of its own."""
    return (f"{text}\n" for hour in hours for text in json_texts(hour, unit))


def csv_lines(hours: Iterable[HourColumns], unit: Unit = "mg/dL") -> Iterator[str]:
    """A header and one line per reading, as in RFC 4180, with the device last. A null is an empty field."""
    names = [name for field in SERVED if field.name != "device" for name in _names(field, unit)]
    yield _csv_line([*names, *(f"device_{part}" for part in _DEVICE_PARTS)])
    for hour in hours:
        for members in map(json.loads, json_texts(hour, unit)):
            device = members.pop("device")
            yield _csv_line([*members.values(), *device.values()])


@cache
def _renderers(unit: Unit) -> list[Member]:
    """What renders the member of each field but the timestamp, in the order of Columns."""
    return [_renderer(field, unit) for field in SERVED[1:]]


def _renderer(field: ReadingField, unit: Unit) -> Member:
    @lru_cache(maxsize=4096, typed=True)  # typed: 1 and 1.0 are equal, but their texts differ.
    def render(value: Any) -> str:
        return f",{json.dumps(_members(field, value, unit), separators=(',', ':'))[1:-1]}"

    return render


def _members(field: ReadingField, value: Any, unit: Unit) -> dict[str, Any]:
    """The members of an object that one field makes: one, or two for the value in both units."""
    if field.name == "mg_dl" and unit == "mmol/L":
        return {field.served: value, "glucose_mmol_l": mmol_l(value)}
    to_json = _TO_JSON.get(field.name)
    return {field.served: to_json(value) if to_json else value}


def _names(field: ReadingField, unit: Unit) -> list[str]:
    return [field.served, "glucose_mmol_l"] if field.name == "mg_dl" and unit == "mmol/L" else [field.served]


def _csv_line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(map(_harmless, cells))
    return line.getvalue()


def _harmless(cell: Any) -> Any:
    # A provider may send any text, and a spreadsheet executes a text that begins like a formula.
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
