"""Format 1 of a stored hour: columns, in which a value that all readings share is written once."""

# A JSON object. A column has one entry per reading, oldest reading first. If all entries are equal, the
# column is that one entry. If all entries are the default of the field (model.py), the column is left out.
#
#   transmitters  A table of texts.
#   devices       A table of rows [generation, display, app, row of its transmitter]. Of relayed records the
#                 name of the relay follows.
#   trends        A table of texts.
#   saves         A table of rows [stored, fetched], in seconds after the start of the hour.
#
#   at            Seconds after the start of the hour; always a list.
#   mg_dl, trend, rate, status, kind, offset
#                 As in model.py. The column of a field with a table holds rows of that table.
#   device, save  Rows of their tables.
#   start_ticks   The transmitter's ticks at the start of the hour, from the first reading that has ticks.
#   drift         The seconds by which a reading's ticks differ from start_ticks + at; null: no ticks.
#   ids           Record ids. If all are UUIDs: the base64 of their bytes, one after the other.
#
#   earlier       {position of a reading: rows [mg_dl, trend, rate, status, offset, id, save]}.
#                 Content fields that are newer than the first release follow. Old rows end before them.
#   relayed       {position of a reading: [number of its first versions that were relayed, device, ticks]}.
#                 The ticks are left out if there are none.
#   dropped       {position of a reading: the number of its versions that are not kept}.
#   copies        {position of a reading: rows [device, seconds later, ticks]}.
#                 Ticks are left out if they are the reading's own.

from __future__ import annotations

from base64 import b64decode
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from bg_ingest.readings.model import (
    CONTENT,
    INTEGER,
    INTEGER_OR_NONE,
    STORED,
    TEXT,
    TEXT_OR_NONE,
    Columns,
    Device,
    Reading,
    Types,
)
from bg_ingest.readings.stored.stored_reading import Copy, HourColumns, SharedValue, StoredReading, Version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SaveTimes = tuple[datetime, datetime]  # Stored, fetched.
Tables = dict[str, dict[int | None, Any]]
Value = TypeVar("Value")

READING_FIELDS = tuple(field.name for field in fields(Reading))
# The number of content fields in the first release. In a row of `earlier`, id and save follow them.
FIRST_CONTENT_FIELDS = 5
CONTENT_TYPES = tuple(INTEGER_OR_NONE if field.table else field.types for field in CONTENT)
DEVICE_TYPES = (TEXT_OR_NONE, TEXT_OR_NONE, TEXT_OR_NONE, INTEGER_OR_NONE)
SAVE_TYPES: tuple[Types, ...] = (INTEGER, frozenset({int, float}))
COPY_TYPES = (INTEGER, INTEGER, INTEGER_OR_NONE)
UUID_DIGITS = 32
HOUR_S = 3600


def read(start: datetime, form: Mapping[str, Any]) -> tuple[StoredReading, ...]:
    """The readings of the hour that begins at `start`. Any error means that the form is invalid."""
    seconds = _seconds(form)
    if not seconds:
        return ()  # Folding two readings of one measurement can empty an hour.
    count, devices, tables, saves = len(seconds), _devices(form), _tables(form), _saves(start, form)
    columns = {
        **_plain_columns(form, tables, count),
        "at": [start + timedelta(0, second) for second in seconds],
        "device": [devices[row] for row in _column(form, "device", INTEGER, count)],
        "record_id": _ids(form.get("ids"), count),
        "transmitter_ticks": _ticks(form, seconds),
    }
    readings = [
        StoredReading(reading, stored_at, 0, (), fetched_at)
        for reading, (stored_at, fetched_at) in zip(
            map(Reading, *[columns[name] for name in READING_FIELDS]),
            [saves[row] for row in _column(form, "save", INTEGER, count)],
            strict=True,
        )
    ]
    for position, rows in _by_position(form, "earlier", count):
        readings[position] = _with_earlier(readings[position], rows, tables, saves)
    for position, row in _by_position(form, "relayed", count):
        readings[position] = _with_relayed(readings[position], row, devices)
    for position, dropped in _dropped(form, count):
        stored = readings[position]
        readings[position] = replace(stored, revision=stored.revision + dropped)
    for position, rows in _by_position(form, "copies", count):
        readings[position] = _with_copies(readings[position], rows, devices)
    return tuple(readings)


def read_columns(start: datetime, form: Mapping[str, Any]) -> HourColumns:
    """The served fields of that hour. Other fields are not checked."""
    seconds = _seconds(form)
    if not seconds:
        return HourColumns(start, Columns._make([] for _ in Columns._fields))
    count = len(seconds)
    saves = (_typed(values, SAVE_TYPES) for values in form.get("saves", ()))
    stored_at = {row: start + timedelta(0, stored_s) for row, (stored_s, _) in enumerate(saves)}
    columns = Columns(
        seconds=seconds,
        stored_at=_values(stored_at, _column(form, "save", INTEGER, count)),
        revision=_revisions(form, count),
        device=_values(_devices(form), _column(form, "device", INTEGER, count)),
        **_plain_columns(form, _tables(form), count),
    )
    return HourColumns(start, columns)


def _revisions(form: Mapping[str, Any], count: int) -> Sequence[int]:
    if "earlier" not in form and "dropped" not in form:
        return SharedValue(0, count)
    revisions = [0] * count
    for position, rows in _by_position(form, "earlier", count):
        revisions[position] = len(rows)
    for position, dropped in _dropped(form, count):
        revisions[position] += dropped
    return revisions


def _values(table: Mapping[Any, Value], rows: Sequence[Any]) -> Sequence[Value]:
    """The values of a table's rows."""
    if isinstance(rows, SharedValue):
        return SharedValue(table[rows.value], len(rows))
    return [table[row] for row in rows]


def _seconds(form: Mapping[str, Any]) -> list[int]:
    seconds: list[int] = form["at"]
    if sorted(set(seconds)) != seconds or not INTEGER.issuperset(map(type, seconds)):
        raise ValueError("instants must be ascending integers")
    if seconds and not 0 <= seconds[0] <= seconds[-1] < HOUR_S:
        raise ValueError("instants must lie in the hour")
    return seconds


def _plain_columns(form: Mapping[str, Any], tables: Tables, count: int) -> dict[str, Any]:
    columns: dict[str, Sequence[Any]] = {}
    for field in STORED:
        if field.table:
            rows = _column(form, field.stored, INTEGER_OR_NONE, count)
            columns[field.name] = _values(tables[field.table], rows)
        else:
            columns[field.name] = _column(form, field.stored, field.types, count, field.default)
    return columns


def _column(
    form: Mapping[str, Any], name: str, types: Types, count: int, default: Any = None
) -> Sequence[Any]:
    column = form.get(name, default)
    if type(column) is list:
        if len(column) == count and types.issuperset(map(type, column)):
            return column
    elif type(column) in types:
        return SharedValue(column, count)
    raise ValueError("a column has another type or length")


def _dropped(form: Mapping[str, Any], count: int) -> list[tuple[int, int]]:
    numbers = _by_position(form, "dropped", count)
    if not all(type(dropped) is int and dropped > 0 for _, dropped in numbers):
        raise ValueError("a number of versions is not a positive integer")
    return numbers


def _by_position(form: Mapping[str, Any], name: str, count: int) -> list[tuple[int, Any]]:
    if name not in form:
        return []
    positions = {str(position): position for position in range(count)}
    return [(positions[key], rows) for key, rows in form[name].items()]


def _ticks(form: Mapping[str, Any], seconds: Sequence[int]) -> list[int | None]:
    drifts = _column(form, "drift", INTEGER_OR_NONE, len(seconds))
    (start,) = _typed([form.get("start_ticks", 0)], (INTEGER,))
    return [
        None if drift is None else start + second + drift
        for second, drift in zip(seconds, drifts, strict=True)
    ]


def _ids(ids: Any, count: int) -> Sequence[str | None]:
    if type(ids) is not str:
        return _column({"ids": ids}, "ids", TEXT_OR_NONE, count)
    digits = b64decode(ids, validate=True).hex()
    if len(digits) != count * UUID_DIGITS:
        raise ValueError("the number of ids is not the number of readings")
    rows = [digits[place : place + UUID_DIGITS] for place in range(0, len(digits), UUID_DIGITS)]
    return [f"{row[:8]}-{row[8:12]}-{row[12:16]}-{row[16:20]}-{row[20:]}" for row in rows]


def _tables(form: Mapping[str, Any]) -> Tables:
    return {field.table: _table(form, field.table, field.types) for field in STORED if field.table}


def _table(form: Mapping[str, Any], name: str, types: Types) -> dict[int | None, Any]:
    values = form.get(name, [])
    if type(values) is not list or not types.issuperset(map(type, values)):
        raise ValueError("a table has another type")
    return {None: None, **dict(enumerate(values))}


def _devices(form: Mapping[str, Any]) -> dict[int, Device]:
    transmitters = _table(form, "transmitters", TEXT)
    devices = {}
    for row, values in enumerate(form.get("devices", ())):
        types = DEVICE_TYPES if len(values) == len(DEVICE_TYPES) else (*DEVICE_TYPES, TEXT)
        generation, display, app, transmitter, *relay = _typed(values, types)
        devices[row] = Device(generation, display, app, transmitters[transmitter], *relay)
    return devices


def _saves(start: datetime, form: Mapping[str, Any]) -> dict[int, SaveTimes]:
    saves = {}
    for row, values in enumerate(form.get("saves", ())):
        stored_s, fetched_s = _typed(values, SAVE_TYPES)
        fetched = timedelta(milliseconds=round(fetched_s * 1000))
        saves[row] = start + timedelta(0, stored_s), start + fetched
    return saves


def _with_earlier(
    stored: StoredReading, rows: Sequence[Any], tables: Tables, saves: Mapping[int, SaveTimes]
) -> StoredReading:
    versions = []
    for row in rows:
        record_id, save = _typed(row[FIRST_CONTENT_FIELDS:][:2], (TEXT_OR_NONE, INTEGER))
        values = [*row[:FIRST_CONTENT_FIELDS], *row[FIRST_CONTENT_FIELDS + 2 :]]
        values += [field.default for field in CONTENT[len(values) :]]
        content = {
            field.name: tables[field.table][value] if field.table else value
            for field, value in zip(CONTENT, _typed(values, CONTENT_TYPES), strict=True)
        }
        stored_at, fetched_at = saves[save]
        reading = replace(stored.reading, record_id=record_id, **content)
        versions.append(Version(reading, fetched_at, stored_at))
    return replace(stored, revision=len(versions), earlier=tuple(versions))


def _with_relayed(stored: StoredReading, row: Sequence[Any], devices: Mapping[int, Device]) -> StoredReading:
    number, device, *ticks = _typed(row, (INTEGER,) * len(row))
    relayed, own = stored.earlier[:number], stored.earlier[number:]
    if not 0 < number == len(relayed):
        raise ValueError("a number of relayed versions is not that of versions")
    relayed = tuple(
        replace(
            version,
            reading=replace(
                version.reading, device=devices[device], transmitter_ticks=ticks[0] if ticks else None
            ),
        )
        for version in relayed
    )
    return replace(stored, earlier=(*relayed, *own))


def _with_copies(stored: StoredReading, rows: Sequence[Any], devices: Mapping[int, Device]) -> StoredReading:
    own = stored.reading
    copies = []
    for row in rows:
        device, later_s, ticks = _typed(row if len(row) > 2 else [*row, own.transmitter_ticks], COPY_TYPES)
        copies.append(Copy(devices[device], own.at + timedelta(0, later_s), ticks))
    return replace(stored, copies=tuple(copies))


def _typed(row: Sequence[Any], types: Sequence[Types]) -> Sequence[Any]:
    """The row, if each of its values has its type."""
    for value, allowed in zip(row, types, strict=True):
        if type(value) not in allowed:
            raise ValueError("a row has other types")
    return row
