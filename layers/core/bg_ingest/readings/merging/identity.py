"""When two records have one measurement, one source or one content; and the order of records."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bg_ingest.readings.model import FIELDS, content_values
from bg_ingest.readings.stored.stored_reading import Copy

if TYPE_CHECKING:
    from bg_ingest.readings.model import Device, Reading

MeasurementId = tuple[str, int]

# Devices stamp one measurement some seconds apart. The limit is half of the five minutes between
# measurements. So even if a transmitter repeats its ticks, two neighbouring measurements stay two. Copies
# further apart are recognised by device_clocks.
COPIES_APART_MAX = timedelta(seconds=150)

# `record_order` compares these first, and every other field of a record at the end.
_ORDERED_FIRST = {"at", "device", "transmitter_ticks", "kind"}
_ORDERED_LAST = tuple(
    field.name
    for field in FIELDS
    if not (field.is_content or field.of_version or field.name in _ORDERED_FIRST)
)


def measurement_id(device: Device, transmitter_ticks: int | None) -> MeasurementId | None:
    """The transmitter's own name for a measurement; None if it is unknown."""
    if device.transmitter is None or transmitter_ticks is None:
        return None
    return device.transmitter, transmitter_ticks


def same_source(one: Reading, other: Reading) -> bool:
    """
    Whether both records have the same kind and come from one device and app.

    Parts that one record leaves out are ignored. Dexcom omits the transmitter and the app at times, and such
    a device must still be able to correct its own values.
    """
    return one.kind == other.kind and same_device(one.device, other.device)


def same_device(ours: Device, theirs: Device) -> bool:
    """Whether both may be one device and app, from one provider: no part that both of them name differs."""
    return (
        _agree(ours.display, theirs.display)
        and _agree(ours.app, theirs.app)
        and _agree(ours.generation, theirs.generation)
        and _agree(ours.transmitter, theirs.transmitter)
        and ours.relay == theirs.relay
    )


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def content_order(reading: Reading) -> tuple[Any, ...]:
    """A total order of contents. If one answer has two contents for a reading, the higher one counts."""
    return tuple(map(_none_first, content_values(reading)))


def record_order(reading: Reading) -> tuple[Any, ...]:
    """A total order of records, by instant first. Only equal records have the same place."""
    return (
        reading.at,
        device_order(reading.device),
        _none_first(reading.transmitter_ticks),
        reading.kind,
        content_order(reading),
        tuple(_none_first(getattr(reading, name)) for name in _ORDERED_LAST),
    )


def copy_order(copy: Copy) -> tuple[Any, ...]:
    """A total order of copies, so that the notes do not depend on the order in which the copies came."""
    return (copy.at, device_order(copy.device), _none_first(copy.transmitter_ticks))


def device_order(device: Device) -> tuple[Any, ...]:
    """A total order of devices."""
    parts = (device.display, device.app, device.generation, device.transmitter, device.relay)
    return tuple(map(_none_first, parts))


def copy_of(record: Reading) -> Copy:
    """What a copy keeps of a record."""
    return Copy(record.device, record.at, record.transmitter_ticks)


def _none_first(value: Any) -> tuple[bool, Any]:
    return value is not None, value
