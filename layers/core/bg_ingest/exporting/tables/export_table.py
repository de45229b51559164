"""The tables of an export: readings, or a grid of five minutes, as typed columns. Pure functions."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bg_ingest.readings.stored.stored_reading import HourColumns

# Instants are whole seconds since 1970. A local time is the wall clock's time, without a zone.
ColumnType = Literal["instant", "local", "int16", "int32", "int64", "float64", "string", "bool"]

SLOT_S = 300
# A reading belongs to the nearest slot, so a slot begins this much earlier.
HALF_SLOT = timedelta(seconds=SLOT_S / 2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """One column: its name, type, unit and meaning, which the file carries with it."""

    name: str
    type: ColumnType
    description: str
    unit: str | None = None
    is_nullable: bool = True


@dataclass(frozen=True, slots=True)
class ExportTable:
    """Columns of equal length, in the order of time."""

    columns: Sequence[ExportColumn]
    values: Sequence[Sequence[Any]]

    def __len__(self) -> int:
        return len(self.values[0])

    def named(self) -> Mapping[str, Sequence[Any]]:
        """The values by the names of their columns."""
        return {column.name: values for column, values in zip(self.columns, self.values, strict=True)}


def _column(name: str, kind: ColumnType, description: str, unit: str | None = None) -> ExportColumn:
    return ExportColumn(name, kind, description, unit)


def _always(name: str, kind: ColumnType, description: str, unit: str | None = None) -> ExportColumn:
    return ExportColumn(name, kind, description, unit, is_nullable=False)


_KNOWN_AT = "When this value was stored here: a model may use it from then on"
READING_COLUMNS = (
    _always("user", "string", "The id of the user"),
    _always("time", "instant", "When the value was measured, in UTC"),
    _always("local_time", "local", "The same on the user's wall clock; UTC if the offset is unknown"),
    _column("local_offset_minutes", "int16", "Local time minus UTC", "min"),
    _always("glucose_mg_dl", "int16", "Glucose; 39 stands for low and 401 for high", "mg/dL"),
    _column("status", "string", "`low` or `high` if the value is outside the sensor's range"),
    _column("trend", "string", "The trend as the provider names it"),
    _column("trend_rate", "float64", "The trend as a rate", "mg/dL/min"),
    _always("kind", "string", "`cgm`, `manual` or `calibration`"),
    _column("device_generation", "string", "The generation of the sensor"),
    _column("device_display", "string", "The device that showed the value"),
    _column("device_app", "string", "The app that uploaded the value"),
    _always("revision", "int32", "How many times the provider has corrected the value"),
    _always("known_at", "instant", _KNOWN_AT),
    _column("source", "string", "The provider that the value came from"),
)
GRID_COLUMNS = (
    _always("user", "string", "The id of the user"),
    _always("slot", "instant", "The slot: a multiple of five minutes, in UTC"),
    _always("local_time", "local", "The same on the user's wall clock, by the nearest reading before"),
    _column(
        "glucose_mg_dl", "int16", "Glucose of the first reading of the slot; never interpolated", "mg/dL"
    ),
    _always("is_observed", "bool", "Whether the slot has a reading"),
    _always("n", "int16", "The number of readings of the slot"),
    _column("status", "string", "`low` or `high` if the value is outside the sensor's range"),
    _column("known_at", "instant", _KNOWN_AT),
)


def reading_table(user_id: str, own_provider: str | None, hours: Iterable[HourColumns]) -> ExportTable:
    """One row for each reading; the hours are oldest first. A reading names its provider only if relayed."""
    parts = list(hours)
    times = [
        start + second for hour in parts for start in (_s(hour.start),) for second in hour.columns.seconds
    ]

    def joined(name: str) -> list[Any]:
        return list(chain.from_iterable(getattr(hour.columns, name) for hour in parts))

    offsets, devices = joined("local_offset_minutes"), joined("device")
    count = len(times)
    values = (
        list(repeat(user_id, count)),
        times,
        _local(times, offsets),
        offsets,
        joined("mg_dl"),
        joined("status"),
        joined("trend"),
        joined("trend_rate"),
        joined("kind"),
        [device.generation for device in devices],
        [device.display for device in devices],
        [device.app for device in devices],
        joined("revision"),
        list(map(_s, joined("stored_at"))),
        [device.relay or own_provider for device in devices],
    )
    return ExportTable(READING_COLUMNS, values)


def grid_table(readings: ExportTable, user_id: str, start: datetime, end: datetime) -> ExportTable:
    """
    One row for each slot of `[start, end)`.

    `readings` must hold the readings from HALF_SLOT before the start to HALF_SLOT after the end.
    """
    named = readings.named()
    slots = range(-(-_s_up(start) // SLOT_S), -(-_s_up(end) // SLOT_S))
    found = [round(time / SLOT_S) for time in named["time"]]
    places = [bisect_left(found, slot) for slot in slots]
    ends = [*places[1:], bisect_left(found, slots.stop)] if places else []
    counts = [after - before for before, after in zip(places, ends, strict=True)]
    first = [place if count else None for place, count in zip(places, counts, strict=True)]
    offsets = _nearest_before(
        [None if place is None else named["local_offset_minutes"][place] for place in first]
    )
    times = [slot * SLOT_S for slot in slots]

    def picked(name: str) -> list[Any]:
        return [None if place is None else named[name][place] for place in first]

    values = (
        list(repeat(user_id, len(times))),
        times,
        _local(times, offsets),
        picked("glucose_mg_dl"),
        [place is not None for place in first],
        counts,
        picked("status"),
        picked("known_at"),
    )
    return ExportTable(GRID_COLUMNS, values)


def _nearest_before(offsets: Sequence[int | None]) -> list[int | None]:
    """Each offset, or the last one before it, or the first one at all."""
    last = next((offset for offset in offsets if offset is not None), None)
    filled = []
    for offset in offsets:
        last = last if offset is None else offset
        filled.append(last)
    return filled


def _local(times: Sequence[int], offsets: Sequence[int | None]) -> list[int]:
    return [time + (offset or 0) * 60 for time, offset in zip(times, offsets, strict=True)]


def _s(instant: datetime) -> int:
    return (instant - _EPOCH) // _SECOND


def _s_up(instant: datetime) -> int:
    return -((_EPOCH - instant) // _SECOND)
