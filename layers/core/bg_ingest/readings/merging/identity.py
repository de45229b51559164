"""When two records are one measurement, one source, or one content; and which goes first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bg_ingest.readings.model import Device, Reading
    from bg_ingest.readings.stored_reading import Copy

MeasurementId = tuple[str, int]

# Devices stamp one measurement seconds apart. Half the five minutes between two measurements is generous
# for that, and too little for a transmitter that repeats its ticks to swallow the measurement next to it.
COPIES_APART_MAX = timedelta(seconds=150)


def measurement_id(device: Device, transmitter_ticks: int | None) -> MeasurementId | None:
    """What the transmitter itself calls a measurement, whichever device passed it on."""
    if device.transmitter is None or transmitter_ticks is None:
        return None
    return device.transmitter, transmitter_ticks


def same_source(one: Reading, other: Reading) -> bool:
    """
    Whether both records come from one device and app.

    Parts that either record leaves out do not count against it: Dexcom drops the transmitter and the app
    at times, and a device that could no longer revise its own records would serve a wrong value for ever.
    """
    if one.kind != other.kind:
        return False
    ours, theirs = one.device, other.device
    return (
        _agree(ours.display, theirs.display)
        and _agree(ours.app, theirs.app)
        and _agree(ours.generation, theirs.generation)
        and _agree(ours.transmitter, theirs.transmitter)
    )


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def content(reading: Reading) -> tuple[Any, ...]:
    """What a source says about the measurement; record ids are left out, they are not stable."""
    return (
        reading.mg_dl,
        reading.trend,
        reading.trend_rate,
        reading.status,
        reading.local_offset_minutes,
    )


def content_order(reading: Reading) -> tuple[Any, ...]:
    """A fixed order of contents; it settles two contents in one answer, the higher wins."""
    return tuple(map(_none_first, content(reading)))


def record_order(reading: Reading) -> tuple[Any, ...]:
    """A fixed order of records, by instant first; only records alike in everything are equal in it."""
    return (
        reading.at,
        _device_order(reading.device),
        _none_first(reading.transmitter_ticks),
        reading.kind,
        content_order(reading),
        _none_first(reading.record_id),
    )


def copy_order(copy: Copy) -> tuple[Any, ...]:
    """A fixed order of copies, so that their notes read the same in whatever order they came."""
    return (copy.at, _device_order(copy.device), _none_first(copy.transmitter_ticks))


def _device_order(device: Device) -> tuple[Any, ...]:
    return tuple(map(_none_first, (device.display, device.app, device.generation, device.transmitter)))


def _none_first(value: Any) -> tuple[bool, Any]:
    return value is not None, value
