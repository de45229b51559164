"""Writes an hour in format 1, which format_1 describes."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from datetime import datetime

    from bg_ingest.readings.model import Device, Reading
    from bg_ingest.readings.stored_reading import Copy, StoredReading, Version

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)


class _Table:
    """Values that are written once and named by their row."""

    def __init__(self) -> None:
        self.rows: dict[Any, int] = {}

    def row(self, value: Hashable) -> int | None:
        """Where the value stands; None stands nowhere."""
        return None if value is None else self.rows.setdefault(value, len(self.rows))


class _Tables:
    """The tables of one hour, filled while its readings are written."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._transmitters = _Table()
        self._devices = _Table()
        self._trends = _Table()
        self._saves = _Table()

    def form(self) -> dict[str, Any]:
        """What the rows in the columns refer to."""
        tables = {
            "transmitters": self._transmitters,
            "devices": self._devices,
            "trends": self._trends,
            "saves": self._saves,
        }
        return {name: list(table.rows) for name, table in tables.items() if table.rows}

    def device(self, device: Device) -> int | None:
        transmitter = self._transmitters.row(device.transmitter)
        return self._devices.row((device.generation, device.display, device.app, transmitter))

    def trend(self, trend: str | None) -> int | None:
        return self._trends.row(trend)

    def save(self, version: Version) -> int | None:
        stored_s = (version.stored_at - self._start) // SECOND
        fetched_ms = (version.fetched_at - self._start) // MILLISECOND
        return self._saves.row((stored_s, fetched_ms / 1000))

    def earlier(self, version: Version) -> list[Any]:
        was = version.reading
        trend, save = self.trend(was.trend), self.save(version)
        return [
            was.mg_dl,
            trend,
            was.trend_rate,
            was.status,
            was.local_offset_minutes,
            was.record_id,
            save,
        ]

    def copy(self, copy: Copy, of: Reading) -> list[Any]:
        apart = [self.device(copy.device), (copy.at - of.at) // SECOND]
        return apart if copy.transmitter_ticks == of.transmitter_ticks else [*apart, copy.transmitter_ticks]


def write(start: datetime, readings: Sequence[StoredReading]) -> dict[str, Any]:
    """The readings as one JSON object."""
    tables = _Tables(start)
    columns = _columns(start, readings, tables)
    rare = {
        "earlier": {
            str(position): [tables.earlier(version) for version in stored.earlier]
            for position, stored in enumerate(readings)
            if stored.earlier
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


def _columns(start: datetime, readings: Sequence[StoredReading], tables: _Tables) -> dict[str, Any]:
    served = [stored.reading for stored in readings]
    seconds = [(reading.at - start) // SECOND for reading in served]
    start_ticks, drift = _ticks(seconds, [reading.transmitter_ticks for reading in served])
    return {
        "at": seconds,  # Always a list: its length is the number of readings.
        "mg_dl": _column([reading.mg_dl for reading in served]),
        "trend": _column([tables.trend(reading.trend) for reading in served]),
        "rate": _column([reading.trend_rate for reading in served]),
        "status": _column([reading.status for reading in served]),
        "kind": _column([reading.kind for reading in served], left_out="cgm"),
        "offset": _column([reading.local_offset_minutes for reading in served]),
        "device": _column([tables.device(reading.device) for reading in served]),
        "start_ticks": start_ticks,
        "drift": drift,
        "save": _column([tables.save(stored.versions[-1]) for stored in readings]),
        "ids": _ids([reading.record_id for reading in served]),
    }


def _column(values: Sequence[Any], left_out: Any = None) -> Any:
    if any(value != values[0] for value in values):
        return values
    return None if not values or values[0] == left_out else values[0]


def _ticks(seconds: Sequence[int], ticks: Sequence[int | None]) -> tuple[int | None, Any]:
    # A transmitter counts seconds too, so what is left of its count is a second of jitter.
    starts = [
        None if ticked is None else ticked - second for second, ticked in zip(seconds, ticks, strict=True)
    ]
    first = next((start for start in starts if start is not None), None)
    if first is None:
        return None, None
    return first, _column([None if start is None else start - first for start in starts])


def _ids(ids: Sequence[str | None]) -> Any:
    if ids and all(each and UUID.fullmatch(each) for each in ids):
        return b64encode(bytes.fromhex("".join(each or "" for each in ids).replace("-", ""))).decode()
    return ids if any(each is not None for each in ids) else None
