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

from bg_ingest.readings.columns import Columns, HourColumns
from bg_ingest.readings.model import Device, Reading
from bg_ingest.readings.stored_reading import Copy, StoredReading, Version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Times = tuple[datetime, datetime]

Types = frozenset[type]

NUMBER: Types = frozenset({int})
NUMBER_OR_NOT: Types = frozenset({int, type(None)})
TEXT: Types = frozenset({str})
RATE: Types = frozenset({int, float, type(None)})
TEXT_OR_NOT: Types = frozenset({str, type(None)})
SECONDS: Types = frozenset({int, float})
DEVICE = (TEXT_OR_NOT, TEXT_OR_NOT, TEXT_OR_NOT, NUMBER_OR_NOT)
SAVE = (NUMBER, SECONDS)
EARLIER = (NUMBER, NUMBER_OR_NOT, RATE, TEXT_OR_NOT, NUMBER_OR_NOT, TEXT_OR_NOT, NUMBER)
COPY = (NUMBER, NUMBER, NUMBER_OR_NOT)
UUID_DIGITS = 32
HOUR_S = 3600


def read(start: datetime, form: Mapping[str, Any]) -> tuple[StoredReading, ...]:
    """The readings of the hour that begins at `start`; ValueError and its like for anything else."""
    if form["at"] == []:
        return ()  # Folding twins can empty an hour.
    devices, saves = _devices(form), _saves(start, form)
    readings = [
        StoredReading(reading, stored_at, 0, (), fetched_at)
        for reading, (stored_at, fetched_at) in zip(
            _readings(start, form, devices), _times(form, saves), strict=True
        )
    ]
    place = _places(form)
    for key, rows in form.get("earlier", {}).items():
        readings[place[key]] = _with_earlier(readings[place[key]], rows, form, saves)
    for key, rows in form.get("copies", {}).items():
        readings[place[key]] = _with_copies(readings[place[key]], rows, devices)
    return tuple(readings)


def read_columns(start: datetime, form: Mapping[str, Any]) -> HourColumns:
    """What is served of that hour; whatever is not served is not looked at."""
    if form["at"] == []:
        return HourColumns(start, Columns._make([] for _ in Columns._fields))
    columns = _columns(form, _devices(form))
    stored_at = [stored_at for stored_at, _ in _times(form, _saves(start, form))]
    return HourColumns(start, columns._replace(stored_at=stored_at, revision=_revisions(form)))


def _readings(start: datetime, form: Mapping[str, Any], devices: Mapping[int, Device]) -> Iterator[Reading]:
    columns = _columns(form, devices)
    return map(
        Reading,
        [start + timedelta(0, second) for second in columns.seconds],
        columns.mg_dl,
        columns.trend,
        columns.trend_rate,
        columns.status,
        columns.kind,
        _ids(form.get("ids"), len(columns.seconds)),
        columns.local_offset_minutes,
        _ticks(form, columns.seconds),
        columns.device,
    )


def _columns(form: Mapping[str, Any], devices: Mapping[int, Device]) -> Columns:
    """Everything but what the saves and the earlier versions say."""
    seconds: list[int] = form["at"]
    if sorted(set(seconds)) != seconds or not NUMBER.issuperset(map(type, seconds)):
        raise ValueError("instants, each once and in their order")
    if not 0 <= seconds[0] <= seconds[-1] < HOUR_S:
        raise ValueError("instants of this hour")
    count, trends = len(seconds), _trends(form)
    return Columns(
        seconds=seconds,
        mg_dl=_column(form, "mg_dl", NUMBER, count),
        trend=[trends[row] for row in _column(form, "trend", NUMBER_OR_NOT, count)],
        trend_rate=_column(form, "rate", RATE, count),
        status=_column(form, "status", TEXT_OR_NOT, count),
        kind=_column(form, "kind", TEXT, count, left_out="cgm"),
        local_offset_minutes=_column(form, "offset", NUMBER_OR_NOT, count),
        stored_at=(),
        revision=(),
        device=[devices[row] for row in _column(form, "device", NUMBER, count)],
    )


def _times(form: Mapping[str, Any], saves: Mapping[int, Times]) -> list[Times]:
    return [saves[save] for save in _column(form, "save", NUMBER, len(form["at"]))]


def _revisions(form: Mapping[str, Any]) -> list[int]:
    revisions = [0] * len(form["at"])
    if "earlier" in form:
        place = _places(form)
        for key, rows in form["earlier"].items():
            revisions[place[key]] = len(rows)
    return revisions


def _places(form: Mapping[str, Any]) -> dict[str, int]:
    return {str(position): position for position in range(len(form["at"]))}


def _column(
    form: Mapping[str, Any], name: str, kinds: Types, count: int, left_out: Any = None
) -> Sequence[Any]:
    column = form.get(name, left_out)
    if type(column) is list:
        fits = kinds.issuperset(map(type, column))
    else:
        fits = type(column) in kinds
        column = [column] * count
    if not fits or len(column) != count:
        raise ValueError("a column of another type or length")
    return column


def _ticks(form: Mapping[str, Any], seconds: Sequence[int]) -> Sequence[int | None]:
    drifts = _column(form, "drift", NUMBER_OR_NOT, len(seconds))
    (start,) = _typed([form.get("start_ticks", 0)], (NUMBER,))
    return [
        None if drift is None else start + second + drift
        for second, drift in zip(seconds, drifts, strict=True)
    ]


def _ids(ids: Any, count: int) -> Sequence[str | None]:
    if type(ids) is not str:
        return _column({"ids": ids}, "ids", TEXT_OR_NOT, count)
    digits = b64decode(ids, validate=True).hex()
    if len(digits) != count * UUID_DIGITS:
        raise ValueError("an id for each reading")
    rows = [digits[place : place + UUID_DIGITS] for place in range(0, len(digits), UUID_DIGITS)]
    return [f"{row[:8]}-{row[8:12]}-{row[12:16]}-{row[16:20]}-{row[20:]}" for row in rows]


def _trends(form: Mapping[str, Any]) -> dict[int | None, str | None]:
    return {None: None, **dict(enumerate(_texts(form, "trends")))}


def _devices(form: Mapping[str, Any]) -> dict[int, Device]:
    transmitters: dict[int | None, str | None] = {None: None, **dict(enumerate(_texts(form, "transmitters")))}
    devices = {}
    for row, values in enumerate(form.get("devices", ())):
        generation, display, app, transmitter = _typed(values, DEVICE)
        devices[row] = Device(generation, display, app, transmitters[transmitter])
    return devices


def _saves(start: datetime, form: Mapping[str, Any]) -> dict[int, Times]:
    saves = {}
    for row, values in enumerate(form.get("saves", ())):
        stored_s, fetched_s = _typed(values, SAVE)
        fetched = timedelta(milliseconds=round(fetched_s * 1000))
        saves[row] = start + timedelta(0, stored_s), start + fetched
    return saves


def _with_earlier(
    stored: StoredReading, rows: Sequence[Any], form: Mapping[str, Any], saves: Mapping[int, Times]
) -> StoredReading:
    trends = _trends(form)
    versions = []
    for row in rows:
        mg_dl, trend, rate, status, offset, record_id, save = _typed(row, EARLIER)
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
    copies = []
    for row in rows:
        device, later_s, ticks = _typed(row if len(row) > 2 else [*row, own.transmitter_ticks], COPY)
        copies.append(Copy(devices[device], own.at + timedelta(0, later_s), ticks))
    return replace(stored, copies=tuple(copies))


def _texts(form: Mapping[str, Any], name: str) -> list[str]:
    texts: list[str] = form.get(name, [])
    if type(texts) is not list or not TEXT.issuperset(map(type, texts)):
        raise ValueError("a table of another type")
    return texts


def _typed(row: Sequence[Any], kinds: Sequence[Types]) -> Sequence[Any]:
    """The row, with a value of the right kind in each place."""
    if not all(type(value) in kind for value, kind in zip(row, kinds, strict=True)):
        raise ValueError("a row of other types")
    return row
