"""Writes an hour as text, in format 1, within the limits of an item. Pure functions."""

# format_1 describes the form. DynamoDB stores at most 400 KB in an item. An hour of usual readings has one or
# two. But a provider may send a record a second, texts of full length in each, or another value with every
# answer. Three limits keep such an hour storable, and its neighbours are not affected:
#
#   readings        READINGS_MAX of them, and CURRENT_BYTES_MAX without their earlier versions. New and
#                   revised readings are taken in the order of time while they fit. The others are refused.
#   versions        EARLIER_MAX per reading.
#   all together    HOUR_BYTES_MAX. If the versions do not fit, every reading keeps fewer of them.
#
# A refused reading never displaces a stored one. If the same answer is saved again, the same readings are
# refused and nothing is written.

from __future__ import annotations

import json
import re
from base64 import b64encode
from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.readings.model import CONTENT, STORED
from bg_ingest.readings.stored.format_1 import FIRST_CONTENT_FIELDS
from bg_ingest.readings.stored.stored_reading import EARLIER_MAX

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence
    from datetime import datetime

    from bg_ingest.readings.model import Device, Reading, ReadingField
    from bg_ingest.readings.stored.stored_reading import Copy, Hour, StoredReading, Version


# A reading every five seconds.
READINGS_MAX = 720
# Ten times an hour of a sensor that measures every minute.
CURRENT_BYTES_MAX = 100_000
# Half of DynamoDB's limit, so that a change with both images passes a stream and a queue.
HOUR_BYTES_MAX = 200_000
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class FittedHour:
    """An hour within the limits, its text, and the readings that do not fit into it."""

    hour: Hour
    text: str
    refused: tuple[Reading, ...] = ()


def fit(before: Hour, after: Hour) -> FittedHour:
    """The hour after a merge, as far as it stays within the limits."""
    text = to_text(after.start, after.readings)
    if len(text) <= CURRENT_BYTES_MAX and len(after.readings) <= READINGS_MAX:
        return FittedHour(after, text)
    known = {stored.reading.at: stored for stored in before.readings}
    changed = [stored for stored in after.readings if known.get(stored.reading.at) != stored]
    # The first number of changes that does not fit, less one; all of them if every number fits.
    taken = bisect_left(range(1, len(changed) + 1), True, key=lambda number: not _fits(before, after, number))
    hour = replace(after, readings=_with_changes(before, after, taken))
    refused = [stored for stored in changed[taken:] if _is_new_content(stored, known.get(stored.reading.at))]
    versions_max = _versions_that_fit(hour)
    hour = replace(hour, readings=tuple(_with_versions(stored, versions_max) for stored in hour.readings))
    return FittedHour(hour, to_text(hour.start, hour.readings), tuple(stored.reading for stored in refused))


def _fits(before: Hour, after: Hour, changes: int) -> bool:
    readings = _with_changes(before, after, changes)
    if len(readings) > READINGS_MAX:
        return False
    return _bytes(after, readings, versions_max=0) <= CURRENT_BYTES_MAX


def _with_changes(before: Hour, after: Hour, changes: int) -> tuple[StoredReading, ...]:
    """The readings after the first changes only, oldest first. Readings that were folded stay folded."""
    known = {stored.reading.at: stored for stored in before.readings}
    readings = []
    for stored in after.readings:
        was = known.get(stored.reading.at)
        if was == stored:
            readings.append(stored)
        elif changes > 0:
            readings.append(stored)
            changes -= 1
        elif was:
            readings.append(was)
    return tuple(readings)


def _is_new_content(stored: StoredReading, was: StoredReading | None) -> bool:
    return was is None or was.versions != stored.versions


def _versions_that_fit(hour: Hour) -> int:
    """The earlier versions that each reading can keep: EARLIER_MAX, or fewer."""
    numbers = range(1, EARLIER_MAX + 1)
    return bisect_left(
        numbers, True, key=lambda number: _bytes(hour, hour.readings, versions_max=number) > HOUR_BYTES_MAX
    )


def _bytes(hour: Hour, readings: Sequence[StoredReading], *, versions_max: int) -> int:
    return len(to_text(hour.start, [_with_versions(stored, versions_max) for stored in readings]))


def _with_versions(stored: StoredReading, versions_max: int) -> StoredReading:
    """The reading with its first versions and its newest one. `revision` still counts those between."""
    if len(stored.earlier) <= versions_max:
        return stored
    return replace(stored, earlier=stored.earlier[:versions_max])


class _HourTables:
    """The tables of one hour. They fill while its readings are written."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        names = ("transmitters", "devices", *(field.table for field in STORED if field.table), "saves")
        self._rows: dict[str, dict[Any, int]] = {name: {} for name in names}

    def form(self) -> dict[str, Any]:
        """The tables that have rows."""
        return {name: list(rows) for name, rows in self._rows.items() if rows}

    def value(self, field: ReadingField, value: Any) -> Any:
        """What a column holds for the value of a field."""
        return self._row(field.table, value) if field.table else value

    def device(self, device: Device) -> int | None:
        transmitter = self._row("transmitters", device.transmitter)
        relay = () if device.relay is None else (device.relay,)
        return self._row("devices", (device.generation, device.display, device.app, transmitter, *relay))

    def relayed(self, stored: StoredReading) -> list[Any]:
        """The number of the first versions that were relayed, their device, and their ticks, if any."""
        first = stored.earlier[0].reading
        ticks = [] if first.transmitter_ticks is None else [first.transmitter_ticks]
        return [stored.relayed_versions, self.device(first.device), *ticks]

    def save(self, version: Version) -> int | None:
        stored_s = (version.stored_at - self._start) // _SECOND
        fetched_ms = (version.fetched_at - self._start) // _MILLISECOND
        return self._row("saves", (stored_s, fetched_ms / 1000))

    def earlier(self, version: Version) -> list[Any]:
        values = [self.value(field, getattr(version.reading, field.name)) for field in CONTENT]
        first, later = values[:FIRST_CONTENT_FIELDS], values[FIRST_CONTENT_FIELDS:]
        return [*first, version.reading.record_id, self.save(version), *later]

    def copy(self, copy: Copy, of: Reading) -> list[Any]:
        row = [self.device(copy.device), (copy.at - of.at) // _SECOND]
        return row if copy.transmitter_ticks == of.transmitter_ticks else [*row, copy.transmitter_ticks]

    def _row(self, name: str, value: Hashable) -> int | None:
        """The row of the value in a table, which is added if needed; None has no row."""
        if value is None:
            return None
        rows = self._rows[name]
        return rows.setdefault(value, len(rows))


def to_text(start: datetime, readings: Iterable[StoredReading]) -> str:
    """The readings of the hour that begins at `start`, in the newest format."""
    form = write(start, tuple(readings))
    return json.dumps(form, separators=(",", ":"), allow_nan=False)


def write(start: datetime, readings: Sequence[StoredReading]) -> dict[str, Any]:
    """The readings as one JSON object."""
    tables = _HourTables(start)
    columns = _columns(start, readings, tables)
    rare = {
        "earlier": {
            str(position): [tables.earlier(version) for version in stored.earlier]
            for position, stored in enumerate(readings)
            if stored.earlier
        },
        "relayed": {
            str(position): tables.relayed(stored)
            for position, stored in enumerate(readings)
            if stored.relayed_versions
        },
        "dropped": {
            str(position): stored.dropped for position, stored in enumerate(readings) if stored.dropped
        },
        "copies": {
            str(position): [tables.copy(copy, stored.reading) for copy in stored.copies]
            for position, stored in enumerate(readings)
            if stored.copies
        },
    }
    return {
        "format": 1,
        **tables.form(),
        **{name: column for name, column in columns.items() if column is not None},
        **{name: rows for name, rows in rare.items() if rows},
    }


def _columns(start: datetime, stored: Sequence[StoredReading], tables: _HourTables) -> dict[str, Any]:
    readings = [each.reading for each in stored]
    seconds = [(reading.at - start) // _SECOND for reading in readings]
    start_ticks, drift = _ticks(seconds, [reading.transmitter_ticks for reading in readings])
    return {
        "at": seconds,  # Always a list: its length is the number of readings.
        **{field.stored: _plain_column(field, readings, tables) for field in STORED},
        "device": _shortened([tables.device(reading.device) for reading in readings]),
        "start_ticks": start_ticks,
        "drift": drift,
        "save": _shortened([tables.save(each.versions[-1]) for each in stored]),
        "ids": _ids([reading.record_id for reading in readings]),
    }


def _plain_column(field: ReadingField, readings: Sequence[Reading], tables: _HourTables) -> Any:
    values = [getattr(reading, field.name) for reading in readings]
    if field.table:
        values = [tables.value(field, value) for value in values]
    return _shortened(values, field.default)


def _shortened(values: Sequence[Any], default: Any = None) -> Any:
    """The one value that all readings share, nothing if it is the default, else all values."""
    if not values or values.count(values[0]) < len(values):
        return values or None
    return None if values[0] == default else values[0]


def _ticks(seconds: Sequence[int], ticks: Sequence[int | None]) -> tuple[int | None, Any]:
    # A transmitter counts seconds too, so its ticks less the seconds of the instant differ by a second or
    # two.
    starts = [
        None if ticked is None else ticked - second for second, ticked in zip(seconds, ticks, strict=True)
    ]
    first = next((start for start in starts if start is not None), None)
    if first is None:
        return None, None
    return first, _shortened([None if start is None else start - first for start in starts])


def _ids(ids: Sequence[str | None]) -> Any:
    if ids and all(each and _UUID.fullmatch(each) for each in ids):
        return b64encode(bytes.fromhex("".join(each or "" for each in ids).replace("-", ""))).decode()
    return ids if any(each is not None for each in ids) else None
