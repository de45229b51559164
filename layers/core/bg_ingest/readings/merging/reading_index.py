"""
An index that finds the reading to which a record belongs, while records are merged.

A record that was placed once is always placed on the same reading, also if other records were stored in
between. The index remembers the placement as a copy on the reading, and looks for copies first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bg_ingest.readings.merging.identity import (
    COPIES_APART_MAX,
    MeasurementId,
    copy_of,
    copy_order,
    measurement_id,
    nearest_of_other,
    own_instants,
    own_record,
)
from bg_ingest.readings.stored.stored_reading import LONG_AGO, StoredReading

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bg_ingest.readings.merging.identity import DeviceClocks
    from bg_ingest.readings.model import Reading
    from bg_ingest.readings.stored.stored_reading import Copy

# One phone and one receiver are usual. Further copies still count as duplicates, but are not noted.
COPIES_MAX = 8


class ReadingIndex:
    """Readings by instant, and by each record of them."""

    def __init__(self, readings: Iterable[StoredReading], clocks: DeviceClocks) -> None:
        self._clocks = clocks
        self._readings: dict[datetime, StoredReading] = {}
        self._by_measurement: dict[MeasurementId, list[datetime]] = {}
        self._by_copy: dict[tuple[datetime, MeasurementId | None], datetime] = {}
        self._by_copy_instant: dict[datetime, datetime] = {}
        # Of readings that were only relayed; and of the records of all others, once they are needed.
        self._relayed: dict[datetime, datetime] = {}
        self._own: dict[datetime, datetime] | None = None
        for stored in sorted(readings, key=_placing_order):
            self._add_or_fold(stored)

    def __getitem__(self, at: datetime) -> StoredReading:
        return self._readings[at]

    def readings(self) -> list[StoredReading]:
        """All readings, oldest first."""
        return [self._readings[at] for at in sorted(self._readings)]

    def add(self, stored: StoredReading) -> None:
        """Add a reading at an instant that has none."""
        at = stored.reading.at
        self._readings[at] = stored
        measurement = measurement_id(stored.reading.device, stored.reading.transmitter_ticks)
        if measurement:
            self._by_measurement.setdefault(measurement, []).append(at)
        for copy in stored.copies:
            self._remember(copy, at)
        if stored.reading.device.relay is not None:
            self._relayed[at] = at
        elif self._own is not None:
            self._own |= dict.fromkeys(own_instants(stored), at)

    def replace(self, stored: StoredReading) -> None:
        """Replace the reading at the same instant."""
        self._readings[stored.reading.at] = stored

    def place_of(self, record: Reading) -> datetime | None:
        """The instant of the reading to which the record belongs; None if its measurement is new."""
        copy = copy_of(record)
        measurement = measurement_id(record.device, record.transmitter_ticks)
        noted = self._by_copy.get((record.at, measurement))
        if noted:
            return noted
        twin = self._twin(copy, measurement)
        if twin:
            return twin
        if record.at in self._readings:
            return record.at
        # A record without a measurement id can only be matched by its instant, also with a copy's. A record
        # with an id belongs to another measurement than that copy, or it would have been found above.
        noted = None if measurement else self._by_copy_instant.get(record.at)
        return noted or self._of_other_side(StoredReading(record, LONG_AGO))

    def note(self, at: datetime, copy: Copy) -> None:
        """Note on the reading at `at` that this copy exists, unless it is the reading's own record."""
        stored = self._readings[at]
        if copy == copy_of(stored.reading) or copy in stored.copies or len(stored.copies) >= COPIES_MAX:
            return
        self.replace(replace(stored, copies=tuple(sorted((*stored.copies, copy), key=copy_order))))
        self._remember(copy, at)
        if copy.device.relay is None and at in self._relayed:
            del self._relayed[at]
            # From now on this is the own provider's reading: its other devices find it by the ticks.
            measurement = measurement_id(copy.device, copy.transmitter_ticks)
            if measurement:
                self._by_measurement.setdefault(measurement, []).append(at)
            if self._own is not None:
                self._own[copy.at] = at

    def _remember(self, copy: Copy, at: datetime) -> None:
        self._by_copy.setdefault((copy.at, measurement_id(copy.device, copy.transmitter_ticks)), at)
        self._by_copy_instant.setdefault(copy.at, at)

    def _twin(self, copy: Copy, measurement: MeasurementId | None) -> datetime | None:
        """The nearest reading of the same measurement, by its ticks and the clocks of the devices."""
        if measurement is None:
            return None
        twins = [
            at
            for at in self._by_measurement.get(measurement, ())
            if self._is_twin(self._record_at(at, measurement), copy)
        ]
        return min(twins, key=lambda at: (abs(at - copy.at), at), default=None)

    def _record_at(self, at: datetime, measurement: MeasurementId) -> Copy:
        """The record of this measurement that the reading at `at` is of."""
        stored = self._readings[at]
        if stored.reading.device.relay is None:
            return own_record(stored)
        return next(
            copy
            for copy in stored.copies
            if measurement_id(copy.device, copy.transmitter_ticks) == measurement
        )

    def _is_twin(self, record: Copy, copy: Copy) -> bool:
        return abs(record.at - copy.at) <= COPIES_APART_MAX or self._clocks.agree(record, copy)

    def _of_other_side(self, stored: StoredReading) -> datetime | None:
        """The own reading that a relayed one repeats, or the relayed one that an own one replaces."""
        if stored.reading.device.relay is None:
            return nearest_of_other(self._readings, self._relayed, stored) if self._relayed else None
        if self._own is None:
            self._own = {
                instant: at
                for at, known in self._readings.items()
                if known.reading.device.relay is None
                for instant in own_instants(known)
            }
        return nearest_of_other(self._readings, self._own, stored) if self._own else None

    def _add_or_fold(self, stored: StoredReading) -> None:
        # One measurement can be stored twice: by two concurrent writers, on both sides of a full hour, in two
        # items, neither of which shows the other. Or before the difference of two clocks was known. The
        # reading that was stored first stays, and the other becomes its copy. An own reading stays before
        # all relayed ones.
        own = own_record(stored)
        if own.device.relay is None:
            twin = self._twin(own, measurement_id(own.device, own.transmitter_ticks))
        else:
            twin = self._of_other_side(stored)
        if twin is None:
            self.add(stored)
            return
        for copy in (own, *stored.copies):
            self.note(twin, copy)


def _placing_order(stored: StoredReading) -> tuple[bool, datetime, datetime]:
    return stored.reading.device.relay is not None, stored.first_stored_at, stored.reading.at
