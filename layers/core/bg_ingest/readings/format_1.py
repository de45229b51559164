"""Format 1 of a stored hour: columns, with what is the same for all readings said once."""

# A JSON object; the columns have one entry per reading, in the order of the instants. A column of equal
# entries is that entry alone, a column of nothing is left out.
#
#   devices       rows [generation, display, app, row of its transmitter]
#   transmitters  rows
#   trends        rows
#   saves         rows [stored, fetched] in seconds after the start of the hour, fetched to the millisecond
#
#   at            seconds after the start of the hour; always a list
#   mg_dl, rate, status, offset        rate in mg/dL per minute, local offset in minutes
#   kind          left out for "cgm"
#   device, trend, save                which row
#   drift         seconds by which a reading's ticks differ from start_ticks + at; nothing: no ticks
#   ids           record ids; when all of them are UUIDs, the base64 of their bytes one after the other
#
#   start_ticks   the transmitter's ticks at the start of the hour, by the first reading that has any
#   earlier       {position of a reading: rows [mg_dl, trend, rate, status, offset, id, save]}
#   copies        {position of a reading: rows [device, seconds later, ticks]}; no ticks for the reading's own

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.readings.model import Device, Reading
from bg_ingest.readings.stored_reading import Copy, StoredReading, Version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Times = tuple[datetime, datetime]

Types = frozenset[type]

NUMBER: Types = frozenset({int})
NUMBER_OR_NOT: Types = frozenset({int, type(None)})
TEXT: Types = frozenset({str})
RATE: Types = frozenset({int, float, type(None)})
TEXT_OR_NOT: Types = frozenset({str, type(None)})
UUID_DIGITS = 32
HOUR_S = 3600


def read(start: datetime, form: Mapping[str, Any]) -> tuple[StoredReading, ...]:
    """The readings of the hour that begins at `start`; ValueError and its like for anything else."""
    if form["at"] == []:
        return ()  # Folding twins can empty an hour.
    devices, saves = _devices(form), _saves(start, form)
    served = _served(start, form, devices)
    times = [saves[save] for save in _column(form, "save", NUMBER, len(served))]
    readings = [
        StoredReading(reading, stored_at, 0, (), fetched_at)
        for reading, (stored_at, fetched_at) in zip(served, times, strict=True)
    ]
    place = {str(position): position for position in range(len(readings))}
    for key, rows in form.get("earlier", {}).items():
        readings[place[key]] = _with_earlier(readings[place[key]], rows, form, saves)
    for key, rows in form.get("copies", {}).items():
        readings[place[key]] = _with_copies(readings[place[key]], rows, devices)
    return tuple(readings)


def _served(start: datetime, form: Mapping[str, Any], devices: Mapping[int, Device]) -> list[Reading]:
    seconds: list[int] = form["at"]
    if sorted(set(seconds)) != seconds or not NUMBER.issuperset(map(type, seconds)):
        raise ValueError("instants, each once and in their order")
    if not 0 <= seconds[0] <= seconds[-1] < HOUR_S:
        raise ValueError("instants of this hour")
    count, trends = len(seconds), _trends(form)
    columns: tuple[Sequence[Any], ...] = (
        [start + timedelta(0, second) for second in seconds],
        _column(form, "mg_dl", NUMBER, count),
        [trends[row] for row in _column(form, "trend", NUMBER_OR_NOT, count)],
        _column(form, "rate", RATE, count),
        _column(form, "status", TEXT_OR_NOT, count),
        _column(form, "kind", TEXT, count, left_out="cgm"),
        _ids(form.get("ids"), count),
        _column(form, "offset", NUMBER_OR_NOT, count),
        _ticks(form, seconds),
        [devices[row] for row in _column(form, "device", NUMBER, count)],
    )
    if any(len(column) != count for column in columns):
        raise ValueError("columns of equal length")
    return list(map(Reading, *columns))


def _column(
    form: Mapping[str, Any], name: str, kinds: Types, count: int, left_out: Any = None
) -> Sequence[Any]:
    column = form.get(name, left_out)
    if type(column) is list:
        fits = kinds.issuperset(map(type, column))
    else:
        fits = type(column) in kinds
        column = [column] * count
    if not fits:
        raise ValueError("a column of another type")
    return column


def _ticks(form: Mapping[str, Any], seconds: Sequence[int]) -> Sequence[int | None]:
    drifts = _column(form, "drift", NUMBER_OR_NOT, len(seconds))
    start = form.get("start_ticks", 0)
    return [
        None if drift is None else start + second + drift
        for second, drift in zip(seconds, drifts, strict=True)
    ]


def _ids(ids: Any, count: int) -> Sequence[str | None]:
    if type(ids) is not str:
        return _column({"ids": ids}, "ids", TEXT_OR_NOT, count)
    digits = b64decode(ids, validate=True).hex()
    rows = [digits[place : place + UUID_DIGITS] for place in range(0, len(digits), UUID_DIGITS)]
    return [f"{row[:8]}-{row[8:12]}-{row[12:16]}-{row[16:20]}-{row[20:]}" for row in rows]


def _trends(form: Mapping[str, Any]) -> dict[int | None, str | None]:
    return {None: None, **dict(enumerate(form.get("trends", ())))}


def _devices(form: Mapping[str, Any]) -> dict[int, Device]:
    transmitters: dict[int | None, str | None] = {None: None, **dict(enumerate(form.get("transmitters", ())))}
    return {
        row: Device(generation, display, app, transmitters[transmitter])
        for row, (generation, display, app, transmitter) in enumerate(form.get("devices", ()))
    }


def _saves(start: datetime, form: Mapping[str, Any]) -> dict[int, Times]:
    return {
        row: (start + timedelta(0, stored_s), start + timedelta(milliseconds=round(fetched_s * 1000)))
        for row, (stored_s, fetched_s) in enumerate(form.get("saves", ()))
    }


def _with_earlier(
    stored: StoredReading, rows: Sequence[Any], form: Mapping[str, Any], saves: Mapping[int, Times]
) -> StoredReading:
    trends = _trends(form)
    versions = []
    for mg_dl, trend, rate, status, offset, record_id, save in rows:
        reading = replace(
            stored.reading,
            mg_dl=mg_dl,
            trend=trends[trend],
            trend_rate=rate,
            status=status,
            local_offset_minutes=offset,
            record_id=record_id,
        )
        stored_at, fetched_at = saves[save]
        versions.append(Version(reading, fetched_at, stored_at))
    return replace(stored, revision=len(versions), earlier=tuple(versions))


def _with_copies(stored: StoredReading, rows: Sequence[Any], devices: Mapping[int, Device]) -> StoredReading:
    own = stored.reading
    copies = [
        Copy(devices[device], own.at + timedelta(0, later_s), *(ticks or [own.transmitter_ticks]))
        for device, later_s, *ticks in rows
    ]
    return replace(stored, copies=tuple(copies))
