"""When two records have one measurement, one source or one content; and the order of records."""

# A relay, such as a user's Nightscout, passes on what a sensor measured. It has a reading within minutes, and
# the provider of the sensor has it hours later. A relay seldom names the transmitter, so the measurement is
# recognised by its instant and its value.
#
#   12:00:04   relay      110 ──► stored, and served at once
#   12:00:05   provider   110 ──► the same measurement: served from now on, as the next version
#   12:05:03   provider   121 ──► stored
#   12:05:04   relay      121 ──► the same measurement: noted as a copy, and the provider's version stays
#
# Rule 1: A relayed and an own record are one measurement if they are at most RELAYED_APART_MAX apart, and
#         have one kind and one value. Any version of a reading counts: each side may have been corrected.
# Rule 2: The nearest reading counts. If two are as near, the earlier one counts.
# Rule 3: Two relayed records, or two own ones, are never compared in this way.
# Rule 4: If the reading was relayed first, then its instant stays. Its relayed versions stay before the own
#         ones, whenever they were fetched, and the relayed record is noted as a copy.
# Rule 5: If two sensors are worn, their values differ, and both are served.

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

from bg_ingest.readings.model import FIELDS, content_values
from bg_ingest.readings.stored.stored_reading import Copy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from bg_ingest.readings.model import Device, Reading
    from bg_ingest.readings.stored.stored_reading import StoredReading

    Pair = tuple[Device, Device]


MeasurementId = tuple[str, int]

# Devices stamp one measurement some seconds apart. The limit is half of the five minutes between
# measurements. So even if a transmitter repeats its ticks, two neighbouring measurements stay two. Copies
# further apart are recognised by the clocks of their devices.
COPIES_APART_MAX = timedelta(seconds=150)
# Clocks further apart are not one person's devices, or one of them is wrong.
CLOCKS_APART_MAX = timedelta(minutes=15)
# Devices stamp a measurement with about a second of jitter.
STEADY = timedelta(seconds=10)
# The pairs that make a difference steady.
PAIRS_MIN = 3
# Uploaders stamp a measurement some seconds apart from the sensor's own app. The limit is half of the minute
# of the fastest sensors, so a record is near one measurement only.
RELAYED_APART_MAX = timedelta(seconds=30)
_APART = sorted(
    (timedelta(0, later_s) for later_s in range(-RELAYED_APART_MAX.seconds, RELAYED_APART_MAX.seconds + 1)),
    key=lambda apart: (abs(apart), apart),  # The nearest first, and the earlier of two.
)

# `record_order` compares these first, and every other field of a record at the end.
_ORDERED_FIRST = {"at", "device", "transmitter_ticks", "kind"}
_ORDERED_LAST = tuple(
    field.name
    for field in FIELDS
    if not (field.is_content or field.of_version or field.name in _ORDERED_FIRST)
)


class DeviceClocks:
    """
    The differences between the clocks of each two devices, as far as these records show them.

    The phone and the receiver stamp a measurement with their own clocks, which can differ by minutes. The
    ticks of the transmitter name the measurement, but a transmitter may repeat them. Therefore the ticks
    alone are enough up to COPIES_APART_MAX. Further apart, two records are one measurement only if the clocks
    of their devices are known to differ by just that much. Example of three measurements, which are not six:

        ticks       7         8         9
        phone       05:00:00  05:05:00  05:10:00
        receiver    05:02:35  05:07:36  05:12:35
        difference  155 s     156 s     155 s

    Rule 1: A pair is one measurement that both devices report, each at one instant only.
    Rule 2: A difference is steady if PAIRS_MIN pairs of different ticks have it, give or take STEADY.
    Rule 3: One device never differs from itself. If it repeats its ticks, the measurements stay apart.
    """

    def __init__(self, records: Iterable[Copy]) -> None:
        seen: defaultdict[MeasurementId, defaultdict[Device, set[datetime]]]
        seen = defaultdict(lambda: defaultdict(set))
        for record in records:
            measurement = measurement_id(record.device, record.transmitter_ticks)
            if measurement:
                seen[measurement][record.device].add(record.at)
        apart: defaultdict[Pair, list[timedelta]] = defaultdict(list)
        for instants in seen.values():
            for pair, difference in _pairs(instants):
                apart[pair].append(difference)
        self._apart = {
            pair: sorted(differences)
            for pair, differences in apart.items()
            if len(differences) >= PAIRS_MIN and not same_device(*pair)
        }

    def agree(self, one: Copy, other: Copy) -> bool:
        """Whether the two instants are one, if each device's clock is read as the other's."""
        if not self._apart or abs(one.at - other.at) > CLOCKS_APART_MAX:
            return False
        first, second = sorted((one, other), key=lambda record: device_order(record.device))
        differences = self._apart.get((first.device, second.device), [])
        difference = second.at - first.at
        alike = bisect_right(differences, difference + STEADY) - bisect_left(differences, difference - STEADY)
        return alike >= PAIRS_MIN


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


def _pairs(instants: Mapping[Device, set[datetime]]) -> Iterable[tuple[Pair, timedelta]]:
    """Each two devices that report one measurement, with the second's instant less the first's."""
    if len(instants) == 1:
        return
    once = [(device, at) for device, (at, *more) in instants.items() if not more]
    once.sort(key=lambda entry: device_order(entry[0]))
    for (first, at_first), (second, at_second) in combinations(once, 2):
        yield (first, second), at_second - at_first


def _none_first(value: Any) -> tuple[bool, Any]:
    return value is not None, value


def outranks(record: Reading, served: Reading) -> bool:
    """Whether the record is from the sensor's own provider, and the served reading from a relay."""
    return record.device.relay is None and served.device.relay is not None and record.kind == served.kind


def nearest_of_other(
    readings: Mapping[datetime, StoredReading],
    places: Mapping[datetime, datetime],
    stored: StoredReading,
) -> datetime | None:
    """
    The reading of the same measurement among those of the other side: own ones for a relayed one.

    `places` are the instants of the records of that side, and the readings they belong to.
    """
    for apart in _APART:
        place = places.get(stored.reading.at + apart)
        if place is not None and _same_measurement(readings[place], stored):
            return place
    return None


def own_instants(stored: StoredReading) -> Iterator[datetime]:
    """The instants of the records that came from the sensor's own provider."""
    record = own_record(stored)
    if record.device.relay is None:
        yield record.at
    for copy in stored.copies:
        if copy.device.relay is None:
            yield copy.at


def own_record(stored: StoredReading) -> Copy:
    """The record that is served, at its own instant. A reading that was relayed first has another one."""
    record = copy_of(stored.reading)
    if record.device.relay is None and any(
        copy.at == record.at and copy.device.relay is not None for copy in stored.copies
    ):
        same = (record.device, record.transmitter_ticks)
        return next((copy for copy in stored.copies if (copy.device, copy.transmitter_ticks) == same), record)
    return record


def _same_measurement(one: StoredReading, other: StoredReading) -> bool:
    if one.reading.kind != other.reading.kind:
        return False
    values = {version.reading.mg_dl for version in one.versions}
    return any(version.reading.mg_dl in values for version in other.versions)
