"""The relayed copies of a measurement, and the sensor provider's own version that replaces them."""

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

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.identity import copy_of, copy_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.stored.stored_reading import Copy, StoredReading

# Uploaders stamp a measurement some seconds apart from the sensor's own app. The limit is half of the minute
# of the fastest sensors, so a record is near one measurement only.
RELAYED_APART_MAX = timedelta(seconds=30)
_APART = tuple(
    apart
    for seconds in range(int(RELAYED_APART_MAX.total_seconds()) + 1)
    for apart in ((timedelta(0),) if seconds == 0 else (timedelta(0, -seconds), timedelta(0, seconds)))
)


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


def replaced_by_own(
    stored: StoredReading, record: Reading, fetched_at: datetime, stored_at: datetime, earlier_max: int
) -> StoredReading:
    """A reading that was relayed, after the sensor's own provider has sent it: that is its next version."""
    reading = replace(record, at=stored.reading.at)
    copies = {*stored.copies, copy_of(stored.reading)} - {copy_of(reading)}
    return replace(
        stored,
        reading=reading,
        stored_at=stored_at,
        revision=stored.revision + 1,
        earlier=stored.versions[:earlier_max],
        fetched_at=fetched_at,
        copies=tuple(sorted(copies, key=copy_order)),
    )


def _same_measurement(one: StoredReading, other: StoredReading) -> bool:
    if one.reading.kind != other.reading.kind:
        return False
    values = {version.reading.mg_dl for version in one.versions}
    return any(version.reading.mg_dl in values for version in other.versions)
